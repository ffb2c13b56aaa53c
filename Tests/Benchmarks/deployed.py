"""W7: what it costs a server that many functions are deployed in it, of which one is called."""

import contextlib
import time

import clients
import load
import rig

COUNTS, COUNTS_QUICK = (1, 100, 1000, 10_000), (1, 100)
CONNECTIONS = (1, 8)
# As many deploys as a server takes at once. Source: Sources/ControlAPI/Deployments.swift, countMax.
DEPLOYS_AT_ONCE = 4


def run(bench):
    """A server for each count, filled, stopped, and started again with what it has stored."""
    with contextlib.ExitStack() as stack:
        rows, targets = [], {}
        for count in COUNTS_QUICK if bench.options.quick else COUNTS:
            folder = bench.folder / f"deployed-{count}"
            rows.append(fill(bench, folder, count))
            taibai = stack.enter_context(rig.Taibai(bench.binary, folder))
            rows[-1].update(startSeconds=taibai.start_seconds, anonymousMiB=anonymous_memory(taibai))
            targets[str(count)] = (taibai, taibai.function(name(0)))
        loads = load.rounds(bench, targets, CONNECTIONS)
    for row in rows:
        more = row["functions"] - rows[0]["functions"]
        growth = (row["anonymousMiB"] - rows[0]["anonymousMiB"]) * 1024
        row["kibPerFunction"] = growth / more if more else None
        row["load"] = [one for one in loads if one["target"] == str(row["functions"])]
    return rows


def fill(bench, folder, count):
    """How fast functions are deployed, and what the server's process has grown by then."""
    with rig.Taibai(bench.binary, folder) as taibai:
        bench.say(f"deploying {count} functions")
        empty = anonymous_memory(taibai)
        seconds = deploy(taibai, count)
        return {
            "functions": count, "deploysPerSecond": count / seconds,
            "grownByDeploysMiB": anonymous_memory(taibai) - empty}


def name(number):
    return f"noop-{number}"


def deploy(taibai, count):
    """Deploys the same package under so many names; the seconds it took. What is stored of it is one package."""
    package = rig.FUNCTIONS["noop"]["main.py"].encode()
    begin = time.perf_counter()
    clients.send_all(taibai.port, DEPLOYS_AT_ONCE, (
        ("POST", f"/v1/functions?filename=main.py&name={name(number)}&runtime=python3&handler=main.handler", package)
        for number in range(count)), expected=201)
    return time.perf_counter() - begin


def anonymous_memory(taibai):
    """Of the server's process, in MiB: its part (PSS) of memory that is no file's. The program's own pages are left
    out, since they count less the more servers run."""
    return rig.sizes_of(taibai.process.pid, "smaps_rollup")["Pss_Anon"]
