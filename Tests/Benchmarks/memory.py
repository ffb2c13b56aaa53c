"""What the server needs while it does nothing (W8), and while a large body streams through it (W4)."""

import os
import pathlib
import subprocess
import time

import rig

IDLE_SECONDS = 10
# Longer than the timers that starts and calls leave behind: the server is woken once when the 10 s that a start may
# take are over, and once after the 30 s of a call. Quick: until the launcher has prepared for the next starts.
REST_SECONDS, REST_SECONDS_QUICK = 31, 2


def stream(bench):
    """One body through `cat` of a new server and back."""
    size = (64 if bench.options.quick else 1024) << 20
    body = bench.folder / "body"
    with open(body, "wb") as file:
        file.truncate(size)
    with rig.Taibai(bench.binary, bench.folder / "stream") as taibai:
        bench.say(f"a body of {size >> 20} MiB")
        taibai.deploy_own("cat")
        send(taibai, __file__)  # so that all that a first request needs is there already
        return {"bodyMiB": size >> 20, **send(taibai, body)}


def send(taibai, body):
    """Sends a file through. The growth is the peak of the server process's memory (RSS) over what it had just before,
    in MiB: what it holds of a body that it never needs whole."""
    before = reset_peak(taibai.process.pid)
    text = subprocess.run([
        "curl", "--silent", "--output", "/dev/null", "--request", "POST", "--header", "Expect:", "--header",
        "Content-Type: application/octet-stream", "--upload-file", str(body), "--write-out",
        "%{http_code} %{size_download} %{time_total}", taibai.function("cat"),
    ], check=True, stdout=subprocess.PIPE, text=True).stdout
    status, received, seconds = text.split()
    peak = rig.sizes_of(taibai.process.pid, "status")["VmHWM"]
    came_back = status == "200" and int(received) == os.path.getsize(body)
    return {"seconds": float(seconds), "growthMiB": peak - before, "errors": int(not came_back)}


def reset_peak(process):
    """Makes the peak of a process's memory what it is now, which is returned, in MiB.
    Source: proc_pid_clear_refs(5)."""
    pathlib.Path(f"/proc/{process}/clear_refs").write_text("5")
    return rig.sizes_of(process, "status")["VmHWM"]


def idle(bench):
    """W8: a server that has started workers and has none any more. The launcher is a child of the server, and what
    waits below it for the next start is counted apart."""
    with rig.Taibai(bench.binary, bench.folder / "idle") as taibai:
        taibai.deploy_own("noop")
        taibai.call("GET", "/function/noop")
        taibai.remove_workers("noop")
        rest = REST_SECONDS_QUICK if bench.options.quick else REST_SECONDS
        bench.say(f"{rest} s in which nothing runs")
        taibai.wait_until("rest", lambda: taibai.is_at_rest(rest), seconds=10 * rest)
        bench.say(f"{IDLE_SECONDS} s of rest")
        before = taibai.activity()
        time.sleep(IDLE_SECONDS)
        wake_ups, nanoseconds = growth(before, taibai.activity())
        return {
            "seconds": IDLE_SECONDS, "memory": memory_by_part(taibai), "wakeUps": wake_ups,
            "wakeUpsPerSecond": sum(wake_ups.values()) / IDLE_SECONDS, "cpuSeconds": nanoseconds / 1e9}


def growth(before, after):
    """Wake-ups by the names of the processes that have any, and the processor time of all in ns."""
    wake_ups, nanoseconds = {}, 0
    for thread, (name, switches, used) in after.items():
        _, switches_before, used_before = before.get(thread, (name, 0, 0))
        nanoseconds += used - used_before
        if switches > switches_before:
            wake_ups[name] = wake_ups.get(name, 0) + switches - switches_before
    return wake_ups, nanoseconds


def memory_by_part(taibai):
    """RSS and PSS in MiB, and the number of processes, of the server, the launcher, and what waits for starts."""
    parts = {"server": [taibai.process.pid], "launcher": taibai.launchers()}
    parts["zygotes, spares"] = [one for one in taibai.family() if not any(one in part for part in parts.values())]
    return {name: {
        "processes": len(processes), "rssMiB": total(processes, "Rss"), "pssMiB": total(processes, "Pss"),
    } for name, processes in parts.items()}


def total(processes, size):
    return sum(rig.sizes_of(process, "smaps_rollup").get(size, 0) for process in processes)
