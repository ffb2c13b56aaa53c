"""Drives every resource of the Qinling API through its whole life with the unmodified python-qinlingclient.

    life.py URL TOKEN

Ends with status 0 and the word `done` when everything was as the contract says; else with a traceback.
"""

import hashlib
import io
import json
import sys
import time
import urllib.request
import zipfile

from keystoneauth1 import session, token_endpoint
from qinlingclient import client
from qinlingclient.common.exceptions import HTTPException

URL, TOKEN = sys.argv[1:3]
qinling = client.Client(
    "1", URL, session=session.Session(auth=token_endpoint.Token(URL, TOKEN)), service_type="function-engine")

SOURCE = """
import json, os, sys, threading, time
calls = 0

def main(name="World", **kwargs):
    global calls
    calls += 1
    print("Hello", name)
    return {"hello": name, "calls": calls, "keys": sorted(kwargs)}

def text(word, context=None): return [word, context]
def nothing(**kwargs): return None
def raises(**kwargs): raise ValueError("no way")
def forever(**kwargs):
    print("before", flush=True)
    while True: time.sleep(1)
def leaves(**kwargs): sys.exit(3)
def leaves_well(**kwargs): sys.exit(0)
def crashes(**kwargs): os._exit(9)
def unwritable(**kwargs): return object()
def greedy(**kwargs): return len(bytearray(900 << 20))
def large(**kwargs): return "x" * (1 << 20)
def chatty(**kwargs):
    for _ in range(5 << 10): print("y" * 1023)
def descriptors(**kwargs): return len([open("/dev/null") for _ in range(1100)])
def held(seconds=1, **kwargs): time.sleep(seconds)
"""
RESOURCES = "Function execution failed because of too much resource consumption"
EXECUTION_FIELDS = [
    "id", "function_id", "function_version", "function_alias", "description", "status", "sync", "input", "result",
    "project_id", "created_at", "updated_at"]


def pack(source):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        # With a date that stays, so that the same source is the same package.
        archive.writestr(zipfile.ZipInfo("hello.py", (2026, 1, 1, 0, 0, 0)), source)
    return memory.getvalue()


def create(source, **settings):
    package = pack(source)
    return qinling.functions.create(
        {"source": "package", "md5sum": hashlib.md5(package).hexdigest()}, package=package, **settings)


def refused(status, text, call, *arguments, **named):
    """The call must fail so, and tell so."""
    try:
        call(*arguments, **named)
    except HTTPException as error:
        assert error.code == status, (error.code, str(error))
        assert text in str(error), str(error)
        return
    raise AssertionError(f"not refused: {status} {text}")


def wait(what, is_true):
    """Until it is true, for ten seconds at the most."""
    end = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.02)


def output(execution):
    return json.loads(execution.result)["output"]


def run(function, input=None, **named):
    return qinling.function_executions.create(function.id, input=input, **named)


def ended(execution):
    found = [None]

    def is_over():
        found[0] = qinling.function_executions.get(execution.id)
        return found[0].status != "running"

    wait("the end of an execution", is_over)
    return found[0]


def runtimes():
    made = qinling.runtimes.create(image="openstackqinling/python3-runtime", name="py", description="d", trusted=True)
    assert list(made.to_dict()) == [
        "id", "name", "image", "description", "is_public", "trusted", "status", "project_id", "created_at",
        "updated_at"], made.to_dict()
    assert made.status == "creating" and made.updated_at is None
    assert qinling.runtimes.get(made.id).status == "available"
    assert {"python3", "py"} <= {runtime.name for runtime in qinling.runtimes.list()}
    pool = qinling.runtimes.get_pool(made.id)
    assert pool.name == made.id and pool.capacity["total"] >= pool.capacity["available"] > 0
    unknown = qinling.runtimes.create(image="cobol:85")
    assert qinling.runtimes.get(unknown.id).status == "error"
    refused(400, "is not available", create, SOURCE, runtime=unknown.id, timeout=5)
    qinling.runtimes.delete(unknown.id)
    refused(404, f"Runtime not found [id={unknown.id}]", qinling.runtimes.get, unknown.id)
    return made


def functions(runtime):
    made = create(SOURCE, runtime=runtime.id, name="f", entry="hello.main", timeout=3)
    assert list(made.to_dict()) == [
        "id", "name", "description", "cpu", "memory_size", "timeout", "runtime_id", "code", "entry", "count",
        "latest_version", "project_id", "created_at", "updated_at"]
    assert (made.cpu, made.memory_size, made.timeout, made.count) == (100, 33554432, 3, 0)
    assert made.code["md5sum"] == hashlib.md5(pack(SOURCE)).hexdigest() and made.updated_at
    listed = [function for function in qinling.functions.list() if function.id == made.id]
    assert json.loads(listed[0].code) == made.code
    assert qinling.functions.get(made.id, download=True).content == pack(SOURCE)
    refused(403, "is still in use", qinling.runtimes.delete, runtime.id)
    refused(400, "Package md5 mismatch.", qinling.functions.create, {"source": "package", "md5sum": "0" * 32},
            runtime=runtime.id, package=pack(SOURCE))
    refused(400, "Package is not a valid ZIP package.", qinling.functions.create, {"source": "package"},
            runtime=runtime.id, package=b"no zip")
    refused(403, "checksum is not changed", qinling.functions.update, made.id, code={"source": "package"},
            package=pack(SOURCE))
    refused(400, "cpu resource limitation not within the allowable range: 100 ~ 300(millicpu).",
            qinling.functions.update, made.id, cpu=400)
    changed = qinling.functions.update(made.id, name="g", description="d", cpu=200, memory_size=67108864)
    assert (changed.name, changed.cpu, changed.memory_size, changed.entry) == ("g", 200, 67108864, "hello.main")
    return made


def executions(function):
    first = run(function, json.dumps({"name": "Ada", "other": 1}))
    assert list(first.to_dict()) == EXECUTION_FIELDS
    assert first.status == "success" and first.sync is True
    assert first.input == '{"name": "Ada", "other": 1}'
    assert output(first) == {"hello": "Ada", "calls": 1, "keys": ["context", "other"]}
    assert json.loads(first.result)["duration"] > 0
    assert first.result.startswith('{"output": {"hello": "Ada", ')
    assert qinling.function_executions.get_log(first.id) == (
        f"Start execution: {first.id}\nHello Ada\nFinished execution: {first.id}\n")
    assert output(run(function))["calls"] == 1, "state survived"
    for text in ("[1]", "true", "1.5", '"x"'):
        refused(400, "input", run, function, text)

    later = run(function, '{"name": "later"}', sync=False)
    assert later.status == "running" and later.result is None
    assert output(ended(later))["hello"] == "later"

    both = {first.id, later.id}
    assert both <= {execution.id for execution in qinling.function_executions.list(function_id=function.id)}
    good = qinling.function_executions.list(status="neq:failed", function_id="in:" + function.id)
    assert both <= {execution.id for execution in good}
    assert qinling.function_executions.list(status="bogus:success") == []
    assert qinling.functions.get(function.id).count >= 3
    qinling.function_executions.delete(first.id)
    refused(404, "Execution not found", qinling.function_executions.get, first.id)


def endings(function):
    """How an execution may end, in Qinling's words."""
    def entry(name):
        qinling.functions.update(function.id, entry=f"hello.{name}")

    cases = [
        ("nothing", "success", None), ("raises", "failed", "no way"), ("leaves", "failed", RESOURCES),
        ("leaves_well", "failed", None), ("crashes", "failed", RESOURCES), ("greedy", "failed", RESOURCES),
        ("large", "success", "x" * (1 << 20))]
    for name, status, text in cases:
        entry(name)
        execution = run(function)
        assert (execution.status, output(execution)) == (status, text), (name, execution.to_dict())
    entry("raises")
    assert "ValueError: no way" in qinling.function_executions.get_log(run(function).id)
    entry("text")
    assert output(run(function, "6")) == ["6", {"os_session": None}]
    assert output(run(function, "plain text")) == ["plain text", {"os_session": None}]
    entry("forever")
    slow = run(function)
    assert (slow.status, output(slow)) == ("failed", "Function execution timeout.")
    assert json.loads(slow.result)["duration"] >= 3
    assert "before" in qinling.function_executions.get_log(slow.id)
    entry("chatty")
    assert len(qinling.function_executions.get_log(run(function).id)) > 5 << 20
    for name, word in (("unwritable", "JSON"), ("nosuch", "nosuch"), ("descriptors", "Too many open files")):
        entry(name)
        execution = run(function)
        assert execution.status == "failed" and word in output(execution), execution.to_dict()
        assert "timeout" not in output(execution)
    qinling.functions.update(function.id, entry="nodot")
    assert "nodot" in output(run(function))
    entry("main")


def versions(function):
    first = qinling.function_versions.create(function.id, description="first")
    assert list(first.to_dict()) == [
        "id", "description", "function_id", "version_number", "count", "project_id", "created_at", "updated_at"]
    refused(403, "Function package not changed since the latest version 1.", qinling.function_versions.create,
            function.id)
    qinling.functions.update(function.id, code={"source": "package"}, package=pack(SOURCE.replace("Hello", "Moin")))
    second = qinling.function_versions.create(function.id)
    assert [version.version_number for version in qinling.function_versions.list(function.id)] == [1, 2]
    old, new = (run(function, function_version=number) for number in (1, 2))
    assert "Hello" in qinling.function_executions.get_log(old.id)
    assert "Moin" in qinling.function_executions.get_log(new.id)
    assert qinling.function_versions.get(function.id, 1).count == 1
    refused(404, "FunctionVersion not found", qinling.function_versions.get, function.id, 7)
    assert qinling.functions.get(function.id).latest_version == 2
    qinling.function_versions.detach(function.id, 1)
    qinling.function_versions.delete(function.id, second.version_number)
    assert qinling.functions.get(function.id).latest_version == 1


def aliases(function):
    made = qinling.function_aliases.create("live", function.id, function_version=1, description="d")
    assert list(made.to_dict()) == [
        "id", "name", "description", "function_id", "function_version", "project_id", "created_at", "updated_at"]
    refused(400, "Duplicate entry for function_aliases: ['project_id', 'name']", qinling.function_aliases.create,
            "live", function.id)
    execution = qinling.function_executions.create(function_alias="live")
    assert (execution.function_alias, execution.function_id, execution.function_version) == ("live", function.id, 1)
    refused(403, "is still associated with alias.", qinling.function_versions.delete, function.id, 1)
    refused(403, "is still associated with function alias(es).", qinling.functions.delete, function.id)
    qinling.function_aliases.update("live", function_version=0)
    assert qinling.function_aliases.get("live").function_version == 0
    assert [alias.name for alias in qinling.function_aliases.list()] == ["live"]


def webhooks(function):
    made = qinling.webhooks.create(None, function_alias="live", description="d")
    assert (made.function_alias, made.function_id, made.function_version) == ("live", None, None)
    refused(403, "is still associated with webhook", qinling.function_aliases.delete, "live")
    assert made.webhook_url == f"{URL}/v1/webhooks/{made.id}/invoke"
    request = urllib.request.Request(
        made.webhook_url + "?a=1", b'{"name": "hook"}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 202
        identity = json.load(answer)["execution_id"]
    execution = ended(qinling.function_executions.get(identity))
    assert output(execution) == {"hello": "hook", "calls": 1, "keys": ["a", "context"]}
    assert execution.description == f"Created by Webhook {made.id}" and execution.function_alias is None
    found = qinling.function_executions.list(description=f"has:{made.id}")
    assert [one.id for one in found] == [identity]
    qinling.webhooks.update(made.id, function_id=function.id)
    changed = qinling.webhooks.get(made.id)
    assert (changed.function_alias, changed.function_id, changed.function_version) == (None, function.id, 0)
    refused(403, "is still associated with", qinling.functions.delete, function.id)
    qinling.webhooks.delete(made.id)
    qinling.function_aliases.delete("live")
    assert qinling.webhooks.list() == []


def jobs(function):
    made = qinling.jobs.create(
        function_id=function.id, name="tick", pattern="* * * * * */1", count=2, function_input='{"name": "job"}')
    assert list(made.to_dict()) == [
        "id", "name", "function_id", "function_alias", "function_version", "function_input", "status", "pattern",
        "count", "first_execution_time", "next_execution_time", "project_id", "created_at", "updated_at"]
    assert made.status == "running" and made.first_execution_time == made.next_execution_time
    wait("the job's end", lambda: qinling.jobs.get(made.id).status == "done")
    assert (qinling.jobs.get(made.id).count, qinling.jobs.get(made.id).next_execution_time) == (0, None)

    def ran():
        found = qinling.function_executions.list(description=f"has:{made.id}")
        return len([one for one in found if one.status == "success"]) == 2

    wait("its two executions", ran)
    refused(400, "Can not update a finished job.", qinling.jobs.update, made.id, name="x")
    refused(400, "at least 1 minute in the future", qinling.jobs.create, function_id=function.id,
            first_execution_time="2020-01-01 00:00:00")
    refused(400, "Unknown string format: garbage", qinling.jobs.create, function_id=function.id,
            first_execution_time="garbage")
    refused(400, "The specified pattern is not valid: bad", qinling.jobs.create, function_id=function.id,
            pattern="bad")
    hourly = qinling.jobs.create(function_id=function.id, pattern="0 * * * *")
    refused(403, "is still associated with running job(s).", qinling.functions.delete, function.id)
    assert qinling.jobs.update(hourly.id, status="paused").status == "paused"
    assert qinling.jobs.update(hourly.id, status="running", pattern="30 * * * *").next_execution_time.endswith("30:00Z")
    once = qinling.jobs.create(function_id=function.id, first_execution_time="2099-01-01 00:00")
    assert (once.count, once.next_execution_time) == (1, "2099-01-01T00:00:00Z")
    refused(400, "Can not change job type.", qinling.jobs.update, once.id, pattern="0 * * * *")
    for job in (made, hourly, once):
        qinling.jobs.delete(job.id)
    assert qinling.jobs.list() == []


def workers(function):
    qinling.functions.detach(function.id)
    assert qinling.function_workers.list(function.id) == []
    qinling.functions.update(function.id, entry="hello.held")
    running = [run(function, '{"seconds": 2}', sync=False) for _ in range(4)]
    assert len(qinling.function_workers.list(function.id)) == 2, "3 executions to a worker"
    for execution in running:
        assert ended(execution).status == "success"
    qinling.functions.scaleup(function.id, count=3)
    listed = qinling.function_workers.list(function.id)
    assert len(listed) == 5 and listed[0].function_version == 0 and listed[0].function_id == function.id
    qinling.functions.scaledown(function.id, count=9)
    assert len(qinling.function_workers.list(function.id)) == 1
    qinling.functions.detach(function.id)
    assert qinling.function_workers.list(function.id) == []


def images():
    made = qinling.functions.create({"source": "image", "image": "nobody/knows"}, name="image")
    execution = run(made)
    assert execution.status == "error" and "nobody/knows" in output(execution)
    assert "duration" not in execution.result
    refused(403, "Function versioning only allowed for package type function.", qinling.function_versions.create,
            made.id)
    qinling.functions.delete(made.id)


runtime = runtimes()
function = functions(runtime)
for part in (executions, endings, versions, aliases, webhooks, jobs, workers):
    part(function)
    print(part.__name__, flush=True)
images()
qinling.functions.delete(function.id)
refused(404, f"Function not found [id={function.id}]", qinling.functions.get, function.id)
qinling.runtimes.delete(runtime.id)
print("done")
