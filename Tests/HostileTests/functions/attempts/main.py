"""Tries what a function must not do. The event names the attempt: {"attempt": "fs_read_host_files"}; the answer lists
what was tried and what came of it: {"tried": [{"what": …, "refused": true, "detail": "ENOENT"}]}.

Every attempt is bounded, so that it does no harm where a layer is missing.
"""

import errno

import files
import kernel
import leaks
import network
import processes

ATTEMPTS = {
    name: function
    for module in (files, processes, network, kernel, leaks)
    for name, function in vars(module).items()
    if getattr(function, "is_attempt", False)
}


def judge(what, action):
    """Does something that has to fail. What it returns, if it does not, is told."""
    try:
        result = action()
    except OSError as error:
        return {"what": what, "refused": True, "detail": errno.errorcode.get(error.errno, str(error.errno))}
    except (MemoryError, RuntimeError, ValueError) as error:
        return {"what": what, "refused": True, "detail": type(error).__name__}
    if isinstance(result, tuple):
        refused, detail = result
        return {"what": what, "refused": bool(refused), "detail": str(detail)[:200]}
    return {"what": what, "refused": False, "detail": repr(result)[:200]}


def handler(event, context):
    attempt = ATTEMPTS[event["attempt"]]
    return {"tried": [judge(what, action) for what, action in attempt(event)]}
