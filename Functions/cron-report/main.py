"""Reports on the machine it runs on: made to be called by a job. The report is its log, and its answer."""

import os
import time


def handler(event, context):
    # A job's input is the event itself; over HTTP there is a title in the query or none.
    title = event.get("title") or event.get("queryStringParameters", {}).get("title", "Report")
    report = {"title": title, "load": os.getloadavg()[0], "memoryFreeMiB": memory_free(), "upHours": hours_up()}
    print(f"{title}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC")
    print(f"load {report['load']:.2f} on {os.cpu_count()} cores")
    print(f"memory {report['memoryFreeMiB']} MiB free")
    print(f"up for {report['upHours']} hours")
    return report


def memory_free():
    # Of the kernel, not of /proc/meminfo: a sandbox has no files that tell about the machine.
    return (os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) >> 20


def hours_up():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME)) // 3600
