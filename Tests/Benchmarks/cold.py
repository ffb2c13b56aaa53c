"""W5: cold starts one by one, what they are compared with, and what starts leave behind."""

import http.client
import os
import re
import statistics
import subprocess
import time

import figures
import rig

PYTHON = "/usr/bin/python3"
FUNCTIONS = ("hello-python", "hello-bash")


def run(bench):
    taibai, bare, count = bench.taibai, bench.bare, bench.options.cold_starts
    for name in FUNCTIONS:
        taibai.deploy(rig.ROOT / "Functions" / name)
    bare.deploy(rig.ROOT / "Functions/hello-python")
    bench.say("cold starts")
    starts = [cold_starts(taibai, name, count) for name in FUNCTIONS]
    starts.append({**cold_starts(bare, "hello-python", count), "function": "hello-python, process"})
    return {
        "starts": starts, "plainFork": plain_forks(count), "interpreter": interpreter_starts(count),
        "idleWorker": idle_worker(taibai, "hello-python"),
        "leftovers": leftovers(taibai, "hello-python", 20 if bench.options.quick else 1000),
    }


def cold_starts(taibai, function, count):
    """Calls a function of which no worker is left, `count` times, over a connection that is open already."""
    connection = http.client.HTTPConnection("127.0.0.1", taibai.port)
    total, parts = [], {"queue": [], "start": [], "init": [], "run": []}
    # The first call is warm-up: it brings the files of runtime and function into the page cache.
    for number in range(count + 1):
        taibai.remove_workers(function)
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
        "function": function, "count": count, "medianMs": statistics.median(total),
        "p99Ms": figures.percentile(total, 99),
        "partsMedianMs": {name: statistics.median(values) for name, values in parts.items()}, "allMs": total,
    }


def plain_forks(count):
    """A python with the zygote's modules loaded clones itself with fork(2); until the child's first byte, in ms."""
    zygote = (rig.ROOT / "Runtime/python3/zygote.py").read_text()
    modules = re.findall(r'"([\w.]+)"', re.search(r"^PRELOADED = \((.*?)\)", zygote, re.DOTALL | re.MULTILINE).group(1))
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
    text = subprocess.run([PYTHON, "-I", "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    times = [float(line) for line in text.split()]
    return {"count": count, "medianMs": statistics.median(times), "p99Ms": figures.percentile(times, 99)}


def interpreter_starts(count):
    """An isolated python that does nothing, without site-packages: from its spawn until its exit, in ms."""
    times = []
    for _ in range(count + 1):
        begin = time.perf_counter()
        child = os.posix_spawn(PYTHON, [PYTHON, "-I", "-S", "-c", "pass"], {})
        _, status = os.waitpid(child, 0)
        times.append((time.perf_counter() - begin) * 1000)
        if status:
            raise SystemExit(f"error: {PYTHON} ended with {status}")
    del times[0]  # it has brought the files into the page cache
    return {"count": count, "medianMs": statistics.median(times), "p99Ms": figures.percentile(times, 99)}


def leftovers(taibai, function, cycles):
    """What `cycles` starts and kills of a worker leave behind: the growth of each count."""
    connection = http.client.HTTPConnection("127.0.0.1", taibai.port)

    def cycle():
        connection.request("GET", f"/function/{function}")
        if connection.getresponse().read() and not taibai.workers(function):
            raise SystemExit(f"error: {function} answered without a worker")
        taibai.remove_workers(function)

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


def idle_worker(taibai, function):
    """Memory in MiB: its part of what it shares (PSS), and what is its own. Source: proc_pid_smaps(5)."""
    taibai.call("GET", f"/function/{function}")
    sizes = rig.sizes_of(taibai.workers(function)[0], "smaps_rollup")
    return {"pssMiB": sizes["Pss"], "ownMiB": sizes["Private_Dirty"]}
