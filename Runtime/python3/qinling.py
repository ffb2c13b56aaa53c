"""The contract `qinling`: the body's JSON object as keyword arguments of `module.function`, which is imported for this
one execution; what it prints is the log, between a line that begins and one that ends it.
"""

import importlib
import json
import resource
import traceback

from taibai_channel import RAISED
from taibai_payload import JSON_HEAD, OWN_FILES, MarshalError, describe_error, json_bytes

# Limits of Qinling's python runtime for the process of one execution.
DESCRIPTORS_MAX = 1024
FILE_BYTES_MAX = 500 << 20
# The key under which an input that is no JSON object comes: a text, which becomes the one positional argument.
POSITIONAL = "__function_input"


class EntryError(Exception):
    """The entry names nothing that can be called."""


def lower(what, limit):
    _soft, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or hard > limit:
        resource.setrlimit(what, (limit, limit))


def read_input(body):
    """Positional and keyword arguments."""
    try:
        found = json.loads(body) if body else {}
    except ValueError:
        return (body.decode("utf-8", "replace"),), {}
    if not isinstance(found, dict):
        return () if found is None else (body.decode("utf-8", "replace"),), {}
    return ((found.pop(POSITIONAL),) if POSITIONAL in found else ()), found


def find(entry):
    module_name, _, name = entry.rpartition(".")
    if not module_name or not name:
        raise EntryError(f"Bad entry '{entry}': it must be module.function, such as main.main")
    found = getattr(importlib.import_module(module_name), name, None)
    if not callable(found):
        raise EntryError(f"'{name}' is no function of module '{module_name}'")
    return found


def print_trace(error):
    """The traceback as Python prints it, without what leads to the function's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OWN_FILES):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def qinling_answer(entry, identity, body, body_max):
    """Runs one execution: its output as JSON, and the error that ended it, one of them None."""
    lower(resource.RLIMIT_NOFILE, DESCRIPTORS_MAX)
    lower(resource.RLIMIT_FSIZE, FILE_BYTES_MAX)
    print(f"Start execution: {identity}")
    try:
        positional, named = read_input(body)
        named["context"] = {"os_session": None}
        answer = json_bytes(find(entry)(*positional, **named))
        if len(answer) > body_max:
            raise MarshalError(f"The output has {len(answer)} bytes, at most {body_max} are allowed")
        return answer, None
    except SystemExit as error:
        return None, describe_error(error, "Qinling.Exit" if error.code in (None, 0) else "Qinling.Resource")
    except Exception as error:
        print_trace(error)
        is_resource = isinstance(error, MemoryError) or isinstance(error, OSError) and "Resource" in str(error)
        return None, describe_error(error, "Qinling.Resource" if is_resource else None)
    finally:
        print(f"Finished execution: {identity}")


def answer_qinling(worker, request):
    body, error = qinling_answer(worker.entry, request.id, b"".join(request.body), worker.body_max)
    if error is None:
        worker.send_whole(request, JSON_HEAD, body)
    else:
        worker.finish(request, RAISED, error=error.fields())
