#!/usr/bin/env python3
"""Invoke through the Lambda API beside the plain gateway, round by round in one run: the same function, the same empty
event, once with any key and once with signatures that are checked. The goal is 0.7 of the gateway's rate.
"""

import argparse
import base64
import datetime
import hashlib
import hmac
import http.client
import io
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import zipfile

sys.dont_write_bytecode = True  # no __pycache__ beside the sources

import rig

CONNECTIONS = (1, 8, 64)
KEY, SECRET = "AKIABENCH", "a-secret-for-benchmarks-alone"
INVOKE = "/2015-03-31/functions/noop/invocations"
GATEWAY = "/function/noop"
ROUNDS, SECONDS = 5, 2
GOAL = 0.7


class Keyed(rig.Taibai):
    """A server that checks signatures."""

    def start(self, command, log, cwd=None):
        keys = self.folder / "access-keys"
        keys.write_text(f"{KEY} {SECRET} {'0' * 12}\n")
        super().start([*command, "--access-keys", str(keys)], log, cwd)


def signed(server, path, body):
    """Headers of a request that is signed now, and good for five minutes."""
    host = server.url.removeprefix("http://")
    time = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{time[:8]}/us-east-1/lambda/aws4_request"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    request = "\n".join([
        "POST", path, "", f"host:{host}", f"x-amz-date:{time}", "", "host;x-amz-date",
        hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(request.encode()).hexdigest()])
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {
        "X-Amz-Date": time,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders=host;x-amz-date, "
                         f"Signature={signature}"}


def load(server, path, connections, folder):
    """Answers a second. Any that is not 200 ends the run."""
    headers = {"Content-Type": "application/json", **signed(server, path, b"{}")}
    script = folder / "post.lua"
    lines = ['wrk.method = "POST"', 'wrk.body = "{}"']
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    script.write_text("\n".join(lines) + "\n")
    for length in (1, SECONDS):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{length}s", "-s", str(script), server.url + path]
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in text:
        sys.exit(f"error: {path} was refused:\n{text}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def create(server):
    """The function, by the API that is measured: where keys are asked for it is reached by that alone."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("main.py", rig.FUNCTIONS["noop"]["main.py"])
    path = "/2015-03-31/functions"
    body = json.dumps({
        "FunctionName": "noop", "Runtime": "python3.11", "Handler": "main.handler", "Role": "none",
        "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()}}).encode()
    host = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    connection.request("POST", path, body, {"Host": host, **signed(server, path, body)})
    answer = connection.getresponse()
    if answer.status != 201:
        sys.exit(f"error: CreateFunction: {answer.read()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, required=True, help="a release build of taibai")
    binary = parser.parse_args().binary.resolve()
    reached = True
    with tempfile.TemporaryDirectory(prefix="taibai-bench-") as name:
        folder = pathlib.Path(name)
        with rig.Taibai(binary, folder / "open") as server, Keyed(binary, folder / "keyed") as keyed:
            create(server)
            create(keyed)
            targets = {
                "gateway": (server, GATEWAY), "Invoke": (server, INVOKE), "Invoke, signature checked": (keyed, INVOKE)}
            for connections in CONNECTIONS:
                ratios = {target: [] for target in targets}
                rates = {target: [] for target in targets}
                for _ in range(ROUNDS):
                    for target, (one, path) in targets.items():
                        rates[target].append(load(one, path, connections, folder))
                        ratios[target].append(rates[target][-1] / rates["gateway"][-1])
                for target in targets:
                    ratio = statistics.median(ratios[target])
                    print(f"{connections:3} connections  {target:26} {statistics.median(rates[target]):9,.0f}/s  "
                          f"{ratio:.2f} of the gateway", flush=True)
                    if target == "Invoke":
                        reached = reached and ratio >= GOAL
    print(f"goal of {GOAL} {'reached' if reached else 'missed'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
