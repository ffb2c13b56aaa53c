#!/usr/bin/python3
"""A bootstrap that does what its event says: an event is a list of requests, or a plan by name. It answers with what it
was told. What real clients do not do, this one does."""

import base64
import http.client
import json
import os
import socket
import sys
import time

ADDRESS = os.environ["AWS_LAMBDA_RUNTIME_API"]
NEXT = "/2018-06-01/runtime/invocation/next"
EXTENSION = "/2020-01-01/extension"
STREAM_TYPE = "application/vnd.awslambda.http-integration-response"


def call(method, path, body=None, headers=None, chunked=False):
    connection = http.client.HTTPConnection(ADDRESS)
    connection.request(method, path, body, headers or {}, encode_chunked=chunked)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return [reply.status, text, dict((name.lower(), value) for name, value in reply.getheaders())]


def stream(path, pieces, headers, trailers):
    """A response in chunks with trailers, which http.client does not know."""
    host, port = ADDRESS.split(":")
    with socket.create_connection((host, int(port))) as connection:
        lines = [f"POST {path} HTTP/1.1", "Host: api", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join(lines + ["", ""]).encode())
        for piece in pieces:
            connection.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
        connection.sendall(b"0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in trailers.items()).encode() + b"\r\n")
        return connection.recv(4096).decode()


def answer(event, identity, headers):
    path = f"/2018-06-01/runtime/invocation/{identity}/response"
    plan = event.get("plan")
    streaming = {"Lambda-Runtime-Function-Response-Mode": "streaming"}
    if plan == "requests":
        done = [call(*request) for request in event["requests"]]
        return call("POST", path, json.dumps(done))
    if plan == "headers":
        return call("POST", path, json.dumps(headers))
    if plan == "environment":
        return call("POST", path, json.dumps({**dict(os.environ), "cwd": os.getcwd()}))
    if plan == "chunked":
        return call("POST", path, iter([b'{"a"', b": 1}"]), {"Transfer-Encoding": "chunked"}, True)
    if plan == "size":
        status = call("POST", path, json.dumps("x" * (event["bytes"] - 2)))[0]
        print("answered with", status, flush=True)
        return None
    if plan == "stream":
        prelude = json.dumps({"statusCode": 201, "headers": {"X-Made": "yes"}, "cookies": ["a=1"]}).encode()
        pieces = [prelude + b"\0" * 8, b"one,", b"two"]
        return stream(path, pieces, {**streaming, "Content-Type": STREAM_TYPE}, {})
    if plan == "endless":
        pieces = (b"x" * 65536 for _ in iter(int, 1))
        return stream(path, pieces, streaming, {})
    if plan == "break":
        error = base64.b64encode(b'{"errorMessage":"late","errorType":"Late"}').decode()
        trailers = {"Lambda-Runtime-Function-Error-Type": "Late", "Lambda-Runtime-Function-Error-Body": error}
        return stream(path, [b"some"], {**streaming, "Content-Type": "text/plain"}, trailers)
    if plan == "large-head":
        headers = {"Lambda-Runtime-Function-XRay-Error-Cause": "x" * (1 << 20),
                   "Lambda-Runtime-Function-Error-Type": "Function.Large"}
        body = json.dumps({"errorMessage": "no", "errorType": "Large", "stackTrace": ["a", "b"]})
        status = call("POST", path.replace("response", "error"), body, headers)[0]
        print("reported with", status, flush=True)
        return None
    if plan == "cut":
        host, port = ADDRESS.split(":")
        connection = socket.create_connection((host, int(port)))
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: api\r\nContent-Length: 100\r\n\r\n[1".encode())
        return connection.close()
    if plan == "sleep":
        return time.sleep(3600)
    if plan == "exit":
        os._exit(event["status"])
    if plan == "twice":
        return call("POST", path, json.dumps([call("GET", NEXT)[0], call("POST", path[:-9] + "x/response", "1")[0]]))
    return call("POST", path, json.dumps(event))


def main():
    start = os.environ.get("START")
    if start == "error":
        body = json.dumps({"errorMessage": "no database", "errorType": "Init.Failed", "stackTrace": ["here"]})
        call("POST", "/2018-06-01/runtime/init/error", body, {"Lambda-Runtime-Function-Error-Type": "Init.Failed"})
        sys.exit(1)
    if start == "exit":
        sys.exit(3)
    if start == "extension":
        name = {"Lambda-Extension-Name": "probe"}
        reply = call("POST", EXTENSION + "/register", '{"events":["INVOKE"]}', name)
        print("registered", reply[0], reply[1], flush=True)
    while True:
        status, event, headers = call("GET", NEXT)
        if status != 200:
            sys.exit(9)
        if start == "extension":
            identity = {"Lambda-Extension-Identifier": reply[2]["lambda-extension-identifier"]}
            told = json.loads(call("GET", EXTENSION + "/event/next", None, identity)[1])
            print("told of", told["eventType"], flush=True)
        event = json.loads(event)
        if "requestContext" in event:
            event = json.loads(event.get("body") or "{}")
        answer(event, headers["lambda-runtime-aws-request-id"], headers)


main()
