"""What is measured, and how: load with wrk, cold starts one by one, the lateness of jobs."""

import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import time

# Prints what wrk has counted in a form that needs no guessing. Latencies are in microseconds.
WRK_SCRIPT = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format('JSON {"requests": %d, "microseconds": %d, "p50": %f, "p99": %f, "errors": %d}\\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


def wrk(server, url, connections, seconds, folder):
    """One load, after a short one that starts the workers. Processor time is of the server with all its processes."""
    script = folder / "report.lua"
    script.write_text(WRK_SCRIPT)
    sample, used = None, 0
    for length in (1, seconds):
        before = server.cpu_seconds()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{length}s", "-s", str(script), url]
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        sample = json.loads(re.search(r"^JSON (.*)$", text, re.MULTILINE).group(1))
        used = server.cpu_seconds() - before
    return {
        "cpuSecondsPer10000": used * 10_000 / sample["requests"], "memoryMiB": server.memory(),
        "perSecond": sample["requests"] * 1e6 / sample["microseconds"], "p50Ms": sample["p50"] / 1000,
        "p99Ms": sample["p99"] / 1000, "errors": sample["errors"],
    }


def median_of(samples):
    """Of several rounds; errors are added up."""
    keys = [key for key in samples[0] if key != "errors"]
    middle = {key: statistics.median(sample[key] for sample in samples) for key in keys}
    return {**middle, "errors": sum(sample["errors"] for sample in samples), "rounds": samples}


def cold_starts(taibai, function, count):
    """Calls a function of which no worker is left, `count` times, over a connection that is open already."""
    connection = http.client.HTTPConnection("127.0.0.1", taibai.port)
    total, parts = [], {"queue": [], "start": [], "init": [], "run": []}
    # The first call is warm-up: it brings the files of runtime and function into the page cache.
    for number in range(count + 1):
        remove_workers(taibai, function)
        begin = time.perf_counter()
        connection.request("GET", f"/function/{function}")
        answer = connection.getresponse()
        answer.read()
        elapsed = (time.perf_counter() - begin) * 1000
        if answer.status != 200 or answer.headers["X-Cold-Start"] != "1":
            cold = answer.headers["X-Cold-Start"]
            raise SystemExit(f"error: {function} answered {answer.status}, X-Cold-Start {cold}")
        if number:
            total.append(elapsed)
            for name, value in re.findall(r"(\w+);dur=([\d.]+)", answer.headers["Server-Timing"]):
                parts[name].append(float(value))
    connection.close()
    return {
        "function": function, "count": count, "medianMs": statistics.median(total), "p99Ms": percentile(total, 99),
        "partsMedianMs": {name: statistics.median(values) for name, values in parts.items()}, "allMs": total,
    }


def plain_forks(python, modules, count):
    """A python with the zygote's modules loaded clones itself with fork(2); until the child's first byte, in ms."""
    program = f"""
import gc, importlib, os, time
for name in {modules!r}: importlib.import_module(name)
gc.collect(); gc.freeze(); gc.disable()
for _ in range({count}):
    reading, writing = os.pipe()
    begin = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.write(writing, b"x")
        os._exit(0)
    os.read(reading, 1)
    print((time.perf_counter() - begin) * 1000)
    os.waitpid(child, 0); os.close(reading); os.close(writing); time.sleep(0.02)
"""
    text = subprocess.run([python, "-I", "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    times = [float(line) for line in text.split()]
    return {"count": count, "medianMs": statistics.median(times), "p99Ms": percentile(times, 99)}


def leftovers(taibai, function, cycles):
    """What `cycles` starts and kills of a worker leave behind: the growth of each count."""
    connection = http.client.HTTPConnection("127.0.0.1", taibai.port)

    def cycle():
        connection.request("GET", f"/function/{function}")
        if connection.getresponse().read() and not taibai.workers(function):
            raise SystemExit(f"error: {function} answered without a worker")
        remove_workers(taibai, function)

    for _ in range(5):
        cycle()
    time.sleep(1)  # the launcher prepares for the next starts when it has nothing else to do
    before = taibai.left()
    for _ in range(cycles):
        cycle()
    time.sleep(1)
    after = taibai.left()
    connection.close()
    return {"cycles": cycles, "before": before, "after": after}


def idle_memory(taibai, function):
    """Of an idle worker, in MiB: its part of what it shares (PSS), and what is its own. Source: proc_pid_smaps(5)."""
    taibai.call("GET", f"/function/{function}")
    worker = taibai.workers(function)[0]
    with open(f"/proc/{worker}/smaps_rollup", encoding="ascii") as file:
        fields = dict(re.findall(r"^(\w+): +(\d+) kB", file.read(), re.MULTILINE))
    return {"pssMiB": int(fields["Pss"]) / 1024, "ownMiB": int(fields["Private_Dirty"]) / 1024}


def remove_workers(taibai, function):
    """Kills the idle workers of a function and waits until the server has seen it."""
    for worker in taibai.workers(function):
        os.kill(worker, signal.SIGKILL)
    taibai.wait_until(f"the end of {function}'s workers", lambda: is_empty(taibai.pool(function)))


def is_empty(pool):
    return pool is None or not any(pool[key] for key in ("ready", "busy", "starting", "draining"))


def job_lateness(taibai, function, count):
    """How late the ticks of a job are that is due each second, in ms; None where the server has no jobs."""
    status, _ = taibai.call("POST", "/v1/jobs", {"name": "bench", "function": function, "every": "1s"})
    if status != 201:
        return None
    taibai.wait_until(f"{count} ticks", lambda: len(fired(taibai)) >= count, seconds=count + 30)
    late = fired(taibai)[:count]
    taibai.call("DELETE", "/v1/jobs/bench")
    return {"count": count, "medianMs": statistics.median(late), "p99Ms": percentile(late, 99), "maxMs": max(late)}


def fired(taibai):
    ticks = taibai.call("GET", "/v1/jobs/bench/ticks?limit=1000")[1]["ticks"]
    return [tick["latenessMs"] for tick in ticks if tick["latenessMs"] is not None]


def percentile(values, percent):
    """The smallest value that so many percent do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
