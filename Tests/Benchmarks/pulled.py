#!/usr/bin/env python3
"""A function on awslambdaric through our Runtime API, beside the same client on a bare server in C. Run alone: prints a
table. Needs gcc, wrk, and PyPI for awslambdaric. README.md says what each number means.
"""

import argparse
import datetime
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # no __pycache__ beside the sources

import report
import rig
from load import wrk

HERE = pathlib.Path(__file__).resolve().parent
CONNECTIONS = 8


def write_package(folder):
    """A function folder with the client in it."""
    package = folder / "pulled"
    package.mkdir()
    (package / "main.py").write_text("def handler(event, context):\n    return {'message': 'Hello, world!'}\n")
    (package / "function.yaml").write_text(
        "name: pulled\nruntime: python3\ncontract: lambda-api\nhandler: main.handler\nmax: 1\nmemory: 256MiB\n")
    subprocess.run(
        ["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--target", package, "awslambdaric==4.2.2"], check=True,
        stderr=subprocess.DEVNULL)
    return package


def bare(server, package, seconds):
    """Events a second that the client answers when the other side costs next to nothing."""
    with subprocess.Popen([server, str(seconds)], stdout=subprocess.PIPE, text=True) as told:
        port = int(told.stdout.readline())
        environment = {
            **os.environ, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}", "AWS_LAMBDA_FUNCTION_NAME": "pulled",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "1"}
        client = subprocess.Popen(
            ["/usr/bin/python3", "-m", "awslambdaric", "main.handler"], cwd=package, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        answered = int(told.stdout.readline())
        client.kill()
        client.wait()
    return answered / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, required=True, help="a taibai that is built already")
    parser.add_argument("--seconds", type=int, default=4, help="of each load (4)")
    parser.add_argument("--rounds", type=int, default=5, help="of all loads, of which the median counts (5)")
    options = parser.parse_args()
    compiler = next((name for name in ("cc", "clang") if shutil.which(name)), None)
    if compiler is None:
        raise SystemExit("error: there is no C compiler; try: apt-get install gcc")
    with tempfile.TemporaryDirectory(prefix="taibai-bench-") as folder:
        folder = pathlib.Path(folder)
        server = folder / "runtime_api"
        subprocess.run(
            [compiler, "-std=c11", "-D_GNU_SOURCE", "-O2", "-o", server, HERE / "peers/runtime_api.c"], check=True)
        package = write_package(folder)
        rows, ratios = [], []
        with rig.Taibai(options.binary, folder) as taibai:
            taibai.deploy(package)
            for number in range(options.rounds):
                theirs = bare(server, package, options.seconds)
                load = wrk(taibai, f"{taibai.url}/function/pulled", CONNECTIONS, options.seconds, folder)
                ratios.append(load["perSecond"] / theirs)
                rows.append((
                    str(number + 1), f"{theirs:,.0f}", f"{load['perSecond']:,.0f}", f"{ratios[-1]:.3f}",
                    str(load["errors"])))
        result = {
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": rig.machine(), "versions": rig.versions(options.binary, HERE)}
    head = ("round", "bare C server: events/s", "taibai: requests/s", "ratio", "errors")
    print(f"{report.head(result)}\n\n{report.table([head, *rows])}\n")
    print(f"median of the ratios: {statistics.median(ratios):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
