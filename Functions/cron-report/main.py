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
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":") for line in file)
    return int(fields["MemAvailable"].split()[0]) >> 10


def hours_up():
    with open("/proc/uptime", encoding="ascii") as file:
        return int(float(file.read().split()[0])) // 3600
