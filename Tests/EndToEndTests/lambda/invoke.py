"""Invoke in its three types and as a stream: payloads, logs, errors in AWS's shapes, limits."""

import base64
import json
import time

from client import ROLE, client, equal, expect, main, package, refused

SOURCE = r'''
import os, sys, time

def handler(event, context):
    print("begin")
    kind = event.get("kind") if isinstance(event, dict) else None
    if kind == "raise":
        raise ValueError("broken " + event["text"])
    if kind == "exit":
        os._exit(event["status"])
    if kind == "kill":
        os.kill(os.getpid(), 9)
    if kind == "sleep":
        time.sleep(event["seconds"])
    if kind == "large":
        return "x" * event["count"]
    if kind == "bad":
        return {1, 2}
    if kind == "context":
        return {"id": context.aws_request_id, "name": context.function_name, "memory": context.memory_limit_in_mb,
                "left": context.get_remaining_time_in_millis()}
    if kind == "noise":
        for index in range(2000):
            print("line", index)
    print("end", file=sys.stderr)
    return event

def stream(event, context):
    yield "one "
    yield b"two "
    if event.get("fails"):
        raise RuntimeError("middle")
    yield "three"
'''


def invoke(lambdas, event=None, name="invoked", **more):
    if event is not None:
        more["Payload"] = json.dumps(event).encode()
    answer = lambdas.invoke(FunctionName=name, **more)
    return answer, answer["Payload"].read()


def failure(lambdas, event, name="invoked"):
    answer, payload = invoke(lambdas, event, name)
    equal(answer["StatusCode"], 200)
    equal(answer["FunctionError"], "Unhandled")
    return json.loads(payload)


def payloads(lambdas):
    for event in ({}, {"a": [1, 2.5, None, True, "ü"]}, [1], "text", 3, None, True, {"deep": {"er": [{}]}}):
        answer, payload = invoke(lambdas, event if event is not None else None, Payload=json.dumps(event).encode()) \
            if event is None else invoke(lambdas, event)
        equal(json.loads(payload), event)
        equal(answer["StatusCode"], 200)
        equal(answer["ExecutedVersion"], "$LATEST")
        expect("FunctionError" not in answer)
    equal(invoke(lambdas)[1], b"{}")
    equal(invoke(lambdas, {}, InvocationType="RequestResponse", LogType="None")[1], b"{}")
    with refused("InvalidRequestContentException", 400):
        lambdas.invoke(FunctionName="invoked", Payload=b"{no json")
    with refused("InvalidRequestContentException", 400):
        lambdas.invoke(FunctionName="invoked", InvocationType="Event", Payload=b"{no json")
    with refused("ValidationException", 400):
        lambdas.invoke(FunctionName="invoked", InvocationType="Never")
    answer, payload = invoke(lambdas, InvocationType="DryRun")
    equal((answer["StatusCode"], payload), (204, b""))
    context = json.loads(invoke(lambdas, {"kind": "context"})[1])
    equal(context["name"], "invoked")
    equal(context["memory"], "128")
    expect(0 < context["left"] <= 3000, context)


def logs(lambdas):
    answer, _ = invoke(lambdas, {"kind": "context"}, LogType="Tail")
    text = base64.b64decode(answer["LogResult"]).decode()
    identity = answer["ResponseMetadata"]["RequestId"]
    expect(text.startswith(f"START RequestId: {identity} Version: $LATEST\nbegin\n"), text)
    expect(f"\nEND RequestId: {identity}\nREPORT RequestId: {identity}\tDuration: " in text, text)
    answer, _ = invoke(lambdas, {"kind": "noise"}, LogType="Tail")
    text = base64.b64decode(answer["LogResult"])
    equal(len(text), 4096)
    expect(b"line 1999\nend\n" in text, text)
    answer, payload = invoke(lambdas, {"kind": "raise", "text": "x"}, LogType="Tail")
    expect(b"ValueError" in base64.b64decode(answer["LogResult"]))


def failures(lambdas):
    error = failure(lambdas, {"kind": "raise", "text": "ü"})
    equal((error["errorType"], error["errorMessage"]), ("ValueError", "broken ü"))
    expect(any("main.py" in line for line in error["stackTrace"]), error)
    expect(error["requestId"])
    error = failure(lambdas, {"kind": "sleep", "seconds": 30})
    equal(error["errorType"], "Sandbox.Timedout")
    expect(error["errorMessage"].endswith("Error: Task timed out after 3.00 seconds"), error)
    expect(error["errorMessage"].startswith("RequestId: "), error)
    error = failure(lambdas, {"kind": "exit", "status": 3})
    equal(error["errorType"], "Runtime.ExitError")
    expect(error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3"), error)
    error = failure(lambdas, {"kind": "exit", "status": 0})
    expect(error["errorMessage"].endswith("Error: Runtime exited without providing a reason"), error)
    error = failure(lambdas, {"kind": "kill"})
    expect(error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed"), error)
    error = failure(lambdas, {"kind": "large", "count": 6291556})
    equal(error["errorType"], "Function.ResponseSizeTooLarge")
    expect("6291556 bytes" in error["errorMessage"], error)
    equal(failure(lambdas, {"kind": "bad"})["errorType"], "Runtime.MarshalError")
    equal(len(invoke(lambdas, {"kind": "large", "count": 6291554})[1]), 6291556)
    equal(len(invoke(lambdas, "x" * 6291554)[1]), 6291556)
    with refused("RequestEntityTooLargeException", 413):
        lambdas.invoke(FunctionName="invoked", Payload=b'"' + b"x" * 6291555 + b'"')
    with refused("RequestEntityTooLargeException", 413):
        lambdas.invoke(FunctionName="invoked", InvocationType="Event", Payload=b'"' + b"x" * 1048576 + b'"')
    for handler, kind in [
            ("nothing.handler", "Runtime.ImportModuleError"), ("main.nothing", "Runtime.HandlerNotFound"),
            ("main", "Runtime.MalformedHandlerName")]:
        lambdas.update_function_configuration(FunctionName="invoked", Handler=handler)
        equal(failure(lambdas, {})["errorType"], kind)
    lambdas.update_function_configuration(FunctionName="invoked", Handler="main.handler")
    equal(invoke(lambdas, [1])[1], b"[1]")


def streams(lambdas):
    lambdas.update_function_configuration(FunctionName="invoked", Handler="main.stream")
    answer = lambdas.invoke_with_response_stream(FunctionName="invoked", Payload=b"{}", LogType="Tail")
    equal(answer["ExecutedVersion"], "$LATEST")
    events = list(answer["EventStream"])
    equal(b"".join(e["PayloadChunk"]["Payload"] for e in events[:-1]), b"one two three")
    expect(len(events) >= 3, events)
    expect(b"START" in base64.b64decode(events[-1]["InvokeComplete"]["LogResult"]))
    expect("ErrorCode" not in events[-1]["InvokeComplete"], events)
    events = list(lambdas.invoke_with_response_stream(FunctionName="invoked", Payload=b'{"fails":1}')["EventStream"])
    expect(events[-1]["InvokeComplete"]["ErrorCode"] == "Unhandled", events)
    equal(json.loads(events[-1]["InvokeComplete"]["ErrorDetails"])["errorMessage"], "middle")
    equal(invoke(lambdas, {})[1], b"one two three")
    lambdas.update_function_configuration(FunctionName="invoked", Handler="main.handler")
    large = list(lambdas.invoke_with_response_stream(
        FunctionName="invoked", Payload=json.dumps({"kind": "large", "count": 3000000}).encode())["EventStream"])
    equal(sum(len(e["PayloadChunk"]["Payload"]) for e in large[:-1]), 3000002)
    with refused("ResourceNotFoundException", 404):
        lambdas.invoke_with_response_stream(FunctionName="nobody")


def asynchronous(lambdas):
    answer, payload = invoke(lambdas, {"kind": "context"}, InvocationType="Event")
    equal((answer["StatusCode"], payload), (202, b""))
    equal(lambdas.invoke_async(FunctionName="invoked", InvokeArgs=b"{}")["Status"], 202)


def run(url, key="test", secret="test-secret-test"):
    lambdas = client("lambda", url, key, secret)
    lambdas.create_function(
        FunctionName="invoked", Runtime="python3.11", Role=ROLE, Handler="main.handler",
        Code={"ZipFile": package(SOURCE)})
    payloads(lambdas)
    logs(lambdas)
    failures(lambdas)
    streams(lambdas)
    asynchronous(lambdas)
    lambdas.delete_function(FunctionName="invoked")


main(run)
