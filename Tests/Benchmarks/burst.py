"""W6: many requests at one moment to a function that uses 5 ms of a processor."""

import selectors
import socket
import statistics
import time

from bench import CORES
from load import CPU_SECONDS

REQUESTS = 200
ROUNDS = 5
# More than any server here needs, so that one that hangs does not hold the run.
PATIENCE = 60


def run(bench):
    """The first burst of each is kept apart: no server knows then how long the function takes."""
    bench.say(f"{REQUESTS} requests at once")
    taibai, rounds = bench.taibai, 1 if bench.options.quick else ROUNDS
    taibai.deploy_own("cpu")
    samples = [from_zero(taibai, "cpu") for _ in range(rounds + 1)]
    targets = [{"target": "taibai cpu, from zero", **summary(samples)}]
    for name, peer in bench.peers.items():
        bench.say(f"{REQUESTS} requests at once, {name}")
        targets.append({"target": name, **summary([burst(peer.port, "/cpu") for _ in range(rounds + 1)])})
    return {"requests": REQUESTS, "limitSeconds": REQUESTS * CPU_SECONDS / CORES, "targets": targets}


def from_zero(taibai, function):
    """A burst at a function without a worker, and how many workers were started for it."""
    taibai.remove_workers(function)
    before = starts(taibai, function)
    sample = burst(taibai.port, f"/function/{function}")
    return {**sample, "workersStarted": starts(taibai, function) - before}


def starts(taibai, function):
    pool = taibai.pool(function)
    return pool["coldStarts"] if pool else 0


def summary(samples):
    first, *others = samples
    most = max((sample["workersStarted"] for sample in samples if "workersStarted" in sample), default=None)
    return {
        "medianSeconds": statistics.median(sample["seconds"] for sample in others), "firstSeconds": first["seconds"],
        "workersStartedMost": most, "errors": sum(sample["errors"] for sample in samples), "rounds": samples}


def burst(port, path):
    """All connections are open before the first request is written; until the last answer has come. An answer other
    than 200 is an error."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    waiting, answers = selectors.DefaultSelector(), {}
    for _ in range(REQUESTS):
        connection = socket.create_connection(("127.0.0.1", port))
        waiting.register(connection, selectors.EVENT_READ)
        answers[connection] = b""
    begin = time.perf_counter()
    for connection in answers:
        connection.sendall(request)
    while waiting.get_map():
        ready = waiting.select(PATIENCE)
        if not ready:
            break
        for key, _ in ready:
            piece = receive(key.fileobj)
            answers[key.fileobj] += piece
            if not piece:
                waiting.unregister(key.fileobj)
                key.fileobj.close()
    seconds = time.perf_counter() - begin
    for key in list(waiting.get_map().values()):
        key.fileobj.close()
    good = sum(answer.startswith(b"HTTP/1.1 200 ") for answer in answers.values())
    return {"seconds": seconds, "errors": REQUESTS - good}


def receive(connection):
    try:
        return connection.recv(65536)
    except ConnectionError:  # what came before it decides whether there was an answer
        return b""
