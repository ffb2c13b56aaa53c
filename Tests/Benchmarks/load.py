"""Load with wrk, a closed loop: each connection sends its next request when the last is answered. The rounds go through
all targets in turn, so that a machine that is busy for a while is so for all of them.
"""

import json
import re
import subprocess

import figures
import rig
from bench import CORES

CONNECTIONS = (1, 8, 64)
EXAMPLES = ("hello-python", "hello-bash")
# What the handler of `cpu` uses of a processor for each request.
CPU_SECONDS = 0.005
BUSY_CONNECTIONS = 8
BODY_SIZES = {"64 KiB": 64 << 10, "1 MiB": 1 << 20}
ECHOES = ("echo", "echo-stream", "cat")

# Prints what wrk has counted in a form that needs no guessing: `refused` are answers with a status from 400, which are
# also among the errors. Latencies are in microseconds.
WRK_SCRIPT = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        'JSON {"requests": %d, "refused": %d, "microseconds": %d, "bytes": %d, "p50": %f, "p99": %f, "errors": %d}\\n',
        summary.requests, errors.status, summary.duration, summary.bytes, latency:percentile(50),
        latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
POST = """
wrk.method = "POST"
wrk.body = string.rep("x", {size})
wrk.headers["Content-Type"] = "application/octet-stream"
"""


def wrk(server, url, connections, seconds, folder, body=None):
    """One load, after a short one that starts the workers. Processor time is of the server with all its processes.

    - body: bytes of each request's body, which is then a POST; None for a GET without one."""
    script = folder / "report.lua"
    script.write_text(WRK_SCRIPT + ("" if body is None else POST.format(size=body)))
    sample, used = None, 0
    for length in (1, seconds):
        before = server.cpu_seconds()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{length}s", "-s", str(script), url]
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        sample = json.loads(re.search(r"^JSON (.*)$", text, re.MULTILINE).group(1))
        used = server.cpu_seconds() - before
    requests = max(1, sample["requests"])
    return {
        "cpuSecondsPer10000": used * 10_000 / requests, "memoryMiB": server.memory(),
        "perSecond": (sample["requests"] - sample["refused"]) * 1e6 / sample["microseconds"],
        "p50Ms": sample["p50"] / 1000, "p99Ms": sample["p99"] / 1000, "bytesPerAnswer": sample["bytes"] / requests,
        "errors": sample["errors"],
    }


def rounds(bench, targets, connections, body=None):
    """Each target with each number of connections, as rows of medians.

    - targets: by name, the server and the address of what is loaded."""
    samples = {}
    for number in range(bench.options.rounds):
        for count in connections:
            for name, (server, url) in targets.items():
                bench.say(f"round {number + 1}, {count} connections, {name}")
                sample = wrk(server, url, count, bench.options.seconds, bench.folder, body)
                samples.setdefault((name, count), []).append(sample)
    return [
        {"target": name, "connections": count, **figures.median_of(all_rounds)}
        for (name, count), all_rounds in samples.items()
    ]


def warm(bench):
    """W1: functions that do nothing, beside nginx and the peers."""
    nginx, taibai, bare = bench.nginx, bench.taibai, bench.bare
    taibai.deploy_own("noop")
    for name in EXAMPLES:
        taibai.deploy(rig.ROOT / "Functions" / name)
    bare.deploy(rig.ROOT / "Functions/hello-python")
    targets = {"nginx": (nginx, nginx.url), "taibai /healthz": (taibai, f"{taibai.url}/healthz")}
    targets.update((f"taibai {name}", (taibai, taibai.function(name))) for name in ("noop", *EXAMPLES))
    targets["taibai hello-python, process"] = (bare, bare.function("hello-python"))
    targets.update((name, (peer, peer.url)) for name, peer in bench.peers.items())
    return rounds(bench, targets, CONNECTIONS)


def cpu(bench):
    """W3: a function that uses 5 ms of a processor. `share` is what became useful work of the time of all cores."""
    bench.taibai.deploy_own("cpu")
    targets = {"taibai cpu": (bench.taibai, bench.taibai.function("cpu"))}
    targets.update((name, (peer, f"{peer.url}cpu")) for name, peer in bench.peers.items())
    rows = rounds(bench, targets, (BUSY_CONNECTIONS,))
    return [{**row, "share": row["perSecond"] * CPU_SECONDS / CORES} for row in rows]


def echo(bench):
    """W4: bodies that come back as they were sent. An answer that was too short counts as an error."""
    for name in ECHOES:
        bench.taibai.deploy_own(name)
    targets = {f"taibai {name}": (bench.taibai, bench.taibai.function(name)) for name in ECHOES}
    targets.update((name, (peer, f"{peer.url}echo")) for name, peer in bench.peers.items())
    found = []
    for name, size in BODY_SIZES.items():
        for row in rounds(bench, targets, (BUSY_CONNECTIONS,), size):
            short = sum(one["bytesPerAnswer"] < size for one in row["rounds"])
            found.append({**row, "body": name, "errors": row["errors"] + short})
    return found
