"""From a request to the event of a handler, and from what it returned to an answer: AWS Lambda's payload format 2.0 and
the way it infers a response. Pure functions over bytes; the channel is not touched.
"""

import base64
import binascii
import functools
import json
import os
import re
import sys
import time
import traceback
import typing
from urllib.parse import unquote_plus

from taibai_channel import ANSWER_HEAD, FIELDS_MAX, LOG_MAX, U16, encode_field


OWN_FILES = ("taibai/", "<frozen ")
LIBRARY = os.path.dirname(os.__file__) + "/"
FRAMES_MAX, LINE_MAX = 50, 1024  # of a trace; so an error always fits into one frame


def describe_error(error, error_type=None, message=None):
    """An error in words: its type, its message, and the trace through the function's own code."""
    stack = traceback.extract_tb(getattr(error, "__traceback__", None))
    stack = [entry for entry in stack if not entry.filename.startswith(OWN_FILES)]
    # What leads to the function's code, importlib or asyncio, says nothing about it; what it calls does.
    while stack and stack[0].filename.startswith(LIBRARY):
        del stack[0]
    # Without the marks below parts of a line, which AWS Lambda's runtime has not either.
    stack = [(entry.filename, entry.lineno, entry.name, entry.line) for entry in stack[-FRAMES_MAX:]]
    trace = traceback.format_list(stack)
    if isinstance(error, SyntaxError):
        trace += traceback.format_exception_only(type(error), error)[:-1]
    return ErrorText(
        error_type or type(error).__name__, (message if message is not None else text_of(error))[:LOG_MAX],
        [line[:LINE_MAX] for line in trace[:FRAMES_MAX]])


def text_of(error):
    try:
        return str(error)
    except Exception:  # an error whose own __str__ raises
        return f"<{type(error).__name__}>"


class ErrorText(typing.NamedTuple):
    """What a caller and the log are told of an error."""

    kind: str
    message: str
    trace: list

    def fields(self):
        """As the frames `init-failed` and `end` carry it."""
        lines = [("type", self.kind), ("message", self.message), *(("trace", line) for line in self.trace)]
        return U16.pack(len(lines)) + b"".join(encode_field.__wrapped__(name, value) for name, value in lines)

    def log(self):
        what = f"{self.kind}: {self.message}" if self.message else self.kind
        return f"[ERROR] {what}\nTraceback (most recent call last):\n" + "".join(self.trace)


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TEXT_TYPES = ("json", "xml", "javascript", "ecmascript", "x-www-form-urlencoded", "yaml", "graphql")


@functools.lru_cache(2)
def time_text(seconds):
    now = time.gmtime(seconds)
    return (f"{now.tm_mday:02}/{MONTHS[now.tm_mon - 1]}/{now.tm_year}:"
            f"{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} +0000")


@functools.lru_cache(256)
def is_text(content_type):
    """Whether a body of this type is handed over as text. No type at all counts as JSON, as on AWS."""
    kind = content_type.partition(";")[0].strip().lower()
    return not kind or kind.startswith("text/") or any(word in kind for word in TEXT_TYPES)


def query_parameters(query):
    """Decoded, repeated names joined by commas."""
    found = {}
    for item in query.split("&"):
        if not item:
            continue
        name, _, value = item.partition("=")
        if "%" in item or "+" in item:
            name, value = unquote_plus(name), unquote_plus(value)
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def join_headers(pairs):
    """Headers by name; repeated ones joined by a comma (cookies by a semicolon, RFC 6265 §5.4)."""
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    headers = {}
    for name, value in pairs:
        if name in headers:
            value = headers[name] + ("; " if name == "cookie" else ",") + value
        headers[name] = value
    return headers


class Common:
    """What the events of one caller's requests have in common. Its containers are copied into each event."""

    __slots__ = ("headers", "cookies", "domain", "protocol", "source", "user_agent", "content_type")

    def __init__(self, caller):
        headers = self.headers = join_headers(caller.headers)
        host = caller.special.get(":host", "")
        if host:
            headers.setdefault("host", host)
        self.cookies = None
        if "cookie" in headers:
            self.cookies = [cookie for cookie in map(str.strip, headers["cookie"].split(";")) if cookie]
        self.domain = host.partition("]")[0] + "]" if host[:1] == "[" else host.partition(":")[0]
        self.protocol = caller.special.get(":protocol", "HTTP/1.1")
        self.source = caller.special.get(":source", "")
        self.user_agent = headers.get("user-agent", "")
        self.content_type = headers.get("content-type", "")


def http_event(request, function, has_body):
    """Payload format 2.0. Source: AWS, "Working with AWS Lambda proxy integrations for HTTP APIs"; the body is left
    out for a handler that reads it as a stream."""
    special = request.special
    common = request.caller.common
    if common is None:
        common = request.caller.common = Common(request.caller)
    path, query = special.get(":path", "/"), special.get(":query", "")
    now = time.time_ns() // 1_000_000
    event = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query}
    if common.cookies is not None:
        event["cookies"] = common.cookies.copy()
    event["headers"] = common.headers.copy()
    if query:
        event["queryStringParameters"] = query_parameters(query)
    event["requestContext"] = {
        "accountId": "anonymous",
        "apiId": function,
        "domainName": common.domain,
        "domainPrefix": function,
        "http": {
            "method": special.get(":method", "GET"),
            "path": path,
            "protocol": common.protocol,
            "sourceIp": common.source,
            "userAgent": common.user_agent,
        },
        "requestId": request.id,
        "routeKey": "$default",
        "stage": "$default",
        "time": time_text(now // 1000),
        "timeEpoch": now,
    }
    body = b"".join(request.body) if has_body else b""
    event["isBase64Encoded"] = False
    if body:
        try:
            if not is_text(common.content_type):
                raise ValueError
            event["body"] = body.decode("utf-8")
        except ValueError:
            event["body"] = base64.b64encode(body).decode("ascii")
            event["isBase64Encoded"] = True
    return event


# ------------------------------------------------------------------------------------------------- answers


HEADERS_MAX = 100  # of an answer; so many are allowed in a request as well


class MarshalError(Exception):
    """What the handler returned is no answer."""


class TooLarge(Exception):
    """The answer has more bytes than the function may return without streaming."""


DECIMAL = "\0decimal:"
DECIMAL_TEXT = re.compile(rb'"\\u0000decimal:([-+.0-9A-Za-z]+)\\u0000"')


def encode_special(value):
    decimal = sys.modules.get("decimal")
    if decimal and isinstance(value, decimal.Decimal):
        # A number has all its digits, which only text can carry through the encoder; json_bytes takes it out again.
        return float("nan") if value.is_nan() else f"{DECIMAL}{value}\0"
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


encoder = json.JSONEncoder(ensure_ascii=False, default=encode_special)
# The encoder in C that JSONEncoder would make anew for each value, without its search for circles: those end as a
# RecursionError, and then the other one says what is wrong.
encode_parts = json.encoder.c_make_encoder and json.encoder.c_make_encoder(
    None, encode_special, json.encoder.encode_basestring, None, ": ", ", ", False, False, True)


def json_bytes(value):
    text = encoded(value)
    return DECIMAL_TEXT.sub(rb"\1", text) if "decimal" in sys.modules and b"\\u0000decimal:" in text else text


def encoded(value):
    if encode_parts:
        try:
            return "".join(encode_parts(value, 0)).encode("utf-8")
        except (TypeError, ValueError, RecursionError):
            pass
    try:
        try:
            return encoder.encode(value).encode("utf-8")
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can only escape
            return json.dumps(value, default=encode_special).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise MarshalError(f"Unable to marshal response: {error}") from None


def answer_head(status, fields):
    """Status and fields as they stand in a frame."""
    if len(fields) > HEADERS_MAX:
        raise MarshalError(f"Unable to marshal response: {len(fields)} headers, at most {HEADERS_MAX} are allowed")
    head = ANSWER_HEAD.pack(status, len(fields)) + b"".join(fields)
    if len(head) > FIELDS_MAX:
        raise MarshalError(
            f"Unable to marshal response: headers of {len(head)} bytes, at most {FIELDS_MAX} are allowed")
    return head


def with_length(head, length):
    """The head with one more field, which announces the length of a body that comes in several frames."""
    status, count = ANSWER_HEAD.unpack_from(head, 0)
    return ANSWER_HEAD.pack(status, count + 1) + head[ANSWER_HEAD.size :] + encode_field("content-length", str(length))


JSON_HEAD = answer_head(200, [encode_field("content-type", "application/json")])
STREAM_HEAD = answer_head(200, [encode_field("content-type", "application/octet-stream")])


def is_stream(value):
    return hasattr(value, "__next__") or hasattr(value, "__anext__")


def http_answer(result):
    """The head of the answer and its body, bytes or an iterator, as AWS infers them from what was returned."""
    if type(result) is str:
        return JSON_HEAD, result.encode("utf-8", "replace")
    if type(result) is bytes:  # JSON that the function has made itself
        try:
            inferred = json.loads(result)
        except ValueError as error:
            raise MarshalError(f"Unable to marshal response: what the function returned is no JSON: {error}") from None
        is_answer = type(inferred) is str or isinstance(inferred, dict) and "statusCode" in inferred
        return http_answer(inferred) if is_answer else (JSON_HEAD, result)
    if not isinstance(result, dict) or "statusCode" not in result:
        return (STREAM_HEAD, result) if is_stream(result) else (JSON_HEAD, json_bytes(result))
    status = result["statusCode"]
    if not isinstance(status, int) or status is True or not 200 <= status <= 599:  # an HTTPStatus is one too
        raise MarshalError(f"Unable to marshal response: statusCode must be a whole number from 200 to 599, "
                           f"not {status!r}")
    body = result.get("body")
    streams = is_stream(body)
    head = answer_head(int(status), answer_fields(result.get("headers") or {}, result.get("cookies") or [], streams))
    return head, body if streams else answer_body(body, result.get("isBase64Encoded"))


def answer_fields(headers, cookies, streams):
    if not isinstance(headers, dict) or not isinstance(cookies, (list, tuple)):
        raise MarshalError("Unable to marshal response: headers must be an object and cookies a list")
    fields = []
    has_type = False
    for name, value in headers.items():
        name = str(name).lower()
        if name == "content-length" and not streams:
            continue  # the real one is known
        has_type = has_type or name == "content-type"
        fields.append(checked_field(name, str(value)))
    if not has_type:
        fields.append(encode_field("content-type", "application/octet-stream" if streams else "application/json"))
    fields.extend(checked_field("set-cookie", str(cookie)) for cookie in cookies)
    return fields


def checked_field(name, value):
    if not name or not name.isascii() or any(sign in name or sign in value for sign in "\r\n\0"):
        raise MarshalError(f"Unable to marshal response: header {name!r} has characters that no header may have")
    return encode_field(name, value)


def answer_body(body, is_base64):
    if body is None:
        return b""
    if isinstance(body, str):
        if not is_base64:
            return body.encode("utf-8", "replace")
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise MarshalError(f"Unable to marshal response: body is not base64: {error}") from None
    return json_bytes(body)
