"""P12: asynchronous calls that the server has promised to run, beside a disk that is waited for at each request."""

import os
import sqlite3
import time

import figures
import load

CONNECTIONS = 64
# As long as what the server stores of a call without a body: its id, function, time and headers.
ROW = b"x" * 200


def run(bench):
    """Every acknowledged call is in the store on disk. None may be refused, and all have run in the end."""
    taibai = bench.taibai
    taibai.deploy_own("noop")
    samples, baselines = [], {"append": [], "sqlite": []}
    for number in range(bench.options.rounds):
        bench.say(f"round {number + 1}, asynchronous calls")
        samples.append(load.wrk(
            taibai, f"{taibai.url}/async-function/noop", CONNECTIONS, bench.options.seconds, bench.folder, body=0))
        taibai.wait_until("the end of all calls", lambda: not waiting(taibai), seconds=120)
        for name, one in (("append", append), ("sqlite", commit)):
            baselines[name].append(one(bench.folder / f"rows-{number}.{name}", bench.options.seconds))
    return {
        "connections": CONNECTIONS, **figures.median_of(samples),
        "baselinesPerSecond": {name: figures.spread(rates)["median"] for name, rates in baselines.items()}}


def waiting(taibai):
    return taibai.call("GET", "/v1/server")[1]["asyncQueued"]


def append(path, seconds):
    """Rows a second, each appended to a file and brought to the disk before the next."""
    with open(path, "wb", buffering=0) as file:
        def one():
            file.write(ROW)
            os.fdatasync(file)

        return rate(one, seconds)


def commit(path, seconds):
    """Rows a second, each a transaction of SQLite that is on the disk before the next begins."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE row (text BLOB)")
    found = rate(lambda: database.execute("INSERT INTO row VALUES (?)", (ROW,)), seconds)
    database.close()
    return found


def rate(one, seconds):
    begin, count = time.perf_counter(), 0
    while time.perf_counter() < begin + seconds:
        one()
        count += 1
    return count / (time.perf_counter() - begin)
