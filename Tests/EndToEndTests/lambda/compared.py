"""One handler for two runtimes: what it returns, raises and prints must come out the same."""

import decimal
import json
import logging
import sys

logging.getLogger().setLevel("INFO")


class OwnError(Exception):
    pass


def inner(event):
    raise OwnError(f"no {event['name']}")


RESULTS = {
    "text": "héllo \"wörld\" 😀", "empty": "", "none": None, "number": 3, "float": 1.10, "large": 2**70, "bool": True,
    "list": ["a", 1, None, {"b": [1.5, "é"]}], "object": {"z": 1, "a": {"nested": [True, False]}},
    "decimal": {"price": decimal.Decimal("1.50"), "count": decimal.Decimal("3"), "small": decimal.Decimal("1E-9")},
    "nan": float("nan"), "keys": {1: "one", 2.5: "two", None: "none", True: "yes"}, "tuple": (1, 2),
    "bytes": b'{"made": "by hand"}', "surrogate": "\ud83d", "slash": "</script>\u2028", "set": {1},
    "object-itself": object(),
    "status": {"statusCode": 201, "headers": {"X-A": "b"}, "body": "made"},
}


def handler(event, context):
    case = event["case"]
    if case in RESULTS:
        return RESULTS[case]
    if case == "echo":
        return event
    if case == "context":
        names = ("function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb", "log_group_name",
                 "client_context", "tenant_id")
        return {
            **{name: getattr(context, name) for name in names}, "w3c": context.w3c(),
            "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
            "left": 0 < context.get_remaining_time_in_millis() <= 30000, "id": len(context.aws_request_id),
        }
    if case == "raise":
        inner(event)
    if case == "raise-empty":
        raise KeyError
    if case == "key":
        return event["missing"]
    if case == "chained":
        try:
            inner(event)
        except OwnError as error:
            raise ValueError("outer\nof two lines") from error
    if case == "json":
        json.loads("{")
    if case == "logs":
        print("printed", "twice")
        print("to stderr", file=sys.stderr)
        logging.info("logged %s", 1)
        logging.getLogger("other").warning("warned\nof two lines")
        context.log("by the context\n")
        return None
    return None
