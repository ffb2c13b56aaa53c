#!/usr/bin/env python3
"""Workers that are programs of their own (contract channel), beside an HTTP gateway of the same shape in C and nginx.
Can be run alone: prints a table. README.md says what each number means.
"""

import argparse
import contextlib
import datetime
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # no __pycache__ beside the sources

import report
import rig
from figures import median_of
from load import wrk

HERE = pathlib.Path(__file__).resolve().parent
CONNECTIONS = (8, 64)
WORKERS = 4
CONCURRENCY = 16
# Names of the targets, which are also the functions'.
ONE, MANY = "native", f"native-{CONCURRENCY}"


def build(folder):
    """Compiles the gateway and the worker into the folder `native`: its path."""
    home = folder / "native"
    home.mkdir()
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libuv"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    compiler = next((name for name in ("cc", "clang") if shutil.which(name)), None)
    if compiler is None:
        raise SystemExit("error: there is no C compiler; try: apt-get install gcc")
    command = [compiler, "-std=c11", "-D_GNU_SOURCE", "-O2"]
    subprocess.run([*command, "-o", home / "gateway", HERE / "peers/gateway.c", *flags], check=True)
    subprocess.run([*command, "-static", "-o", home / "worker", HERE / "native/worker.c"], check=True)
    return home


class Gateway(rig.Server):
    """The gateway in C, with workers of its own, each with one request at a time."""

    def __init__(self, home, workers=WORKERS):
        told = home / "gateway.log"
        with open(told, "wb") as log:
            self.start([home / "gateway", str(workers)], log)
        self.wait_until("the gateway's port", lambda: told.read_text().endswith("\n"))
        self.url = f"http://127.0.0.1:{int(told.read_text())}/"


def deploy(taibai, home, name, concurrency):
    """Deploys the worker as a function of that name, with as many workers as the gateway has."""
    package = home / name
    package.mkdir()
    shutil.copy(home / "worker", package)
    settings = (HERE / "native/function.yaml").read_text().replace("name: native\n", f"name: {name}\n")
    (package / "function.yaml").write_text(f"{settings}concurrency: {concurrency}\nmax: {WORKERS}\n")
    taibai.deploy(package)


def measure(nginx, taibai, folder, seconds=3, rounds=3, connections=CONNECTIONS):
    """Builds, starts and deploys what is needed, and loads all in turn. One row for each target and number of
    connections: medians of the rounds, and of the ratios within each round."""
    home = build(folder)
    deploy(taibai, home, ONE, 1)
    deploy(taibai, home, MANY, CONCURRENCY)
    samples = {}
    with Gateway(home) as gateway:
        targets = {
            "nginx": (nginx, nginx.url), "C gateway": (gateway, gateway.url),
            **{f"taibai {name}": (taibai, f"{taibai.url}/function/{name}") for name in (ONE, MANY)},
        }
        for number in range(rounds):
            for count in connections:
                for name, (server, url) in targets.items():
                    print(f"round {number + 1}, {count} connections, {name} …", file=sys.stderr)
                    samples.setdefault((name, count), []).append(wrk(server, url, count, seconds, folder))
    return [
        {
            "target": name, "connections": count, **median_of(own), "ofNginx": ratio(own, samples["nginx", count]),
            "ofGateway": ratio(own, samples["C gateway", count]),
        }
        for (name, count), own in samples.items()
    ]


def ratio(own, others):
    return statistics.median(mine["perSecond"] / other["perSecond"] for mine, other in zip(own, others))


def text(rows):
    lines = [(
        "target", "connections", "requests/s", "of nginx", "of the C gateway", "p50 ms", "p99 ms", "CPU s a 10,000",
        "MiB", "errors")]
    lines += [(
        row["target"], str(row["connections"]), f"{row['perSecond']:,.0f}", f"{row['ofNginx']:.3f}",
        f"{row['ofGateway']:.3f}", f"{row['p50Ms']:.3f}", f"{row['p99Ms']:.3f}", f"{row['cpuSecondsPer10000']:.2f}",
        f"{row['memoryMiB']:.0f}", str(row["errors"])) for row in rows]
    return report.table(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, required=True, help="a taibai that is built already")
    parser.add_argument("--seconds", type=int, default=3, help="of each load (3)")
    parser.add_argument("--rounds", type=int, default=3, help="of all loads, of which the median counts (3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="taibai-bench-") as folder:
        folder = pathlib.Path(folder)
        with rig.Nginx(folder) as nginx, rig.Taibai(options.binary, folder) as taibai:
            result = {
                "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                "machine": rig.machine(), "versions": rig.versions(options.binary, HERE),
                "load": measure(nginx, taibai, folder, options.seconds, options.rounds),
            }
    print(f"{report.head(result)}\n\n{text(result['load'])}")
    return report.exit_code(result)


if __name__ == "__main__":
    sys.exit(main())
