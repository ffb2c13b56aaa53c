"""Frames and the channel to the server (protocol 1, Runtime/README.md), and what a function writes to standard output
and standard error, which becomes log frames. Nothing here knows what a request means.
"""

import functools
import io
import logging
import os
import socket
import struct
import threading
import time

PROTOCOL = 1
BODY_MAX = 262144  # of one frame
WINDOW = 262144  # body bytes of a request on the way in one direction
CREDIT_STEP = 65536  # consumed body bytes are credited when there are so many: a quarter of the window
LOG_MAX = 16384  # text of one log frame
FIELDS_MAX = 65536  # fields of a frame; the server's limit for a request head is a quarter of that

HEADER = struct.Struct("<IBBHQQ")  # length, type, flags, 0, request, nonce
U16, U32, FIELD = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<HI")  # FIELD: lengths of name, value
REQUEST_HEAD = struct.Struct("<QQH")  # deadline, body length, count of fields
ANSWER_HEAD = struct.Struct("<HH")  # status, count of fields
END = struct.Struct("<BQQ")  # outcome, processor time in ns, peak memory in bytes
UNKNOWN = 0xFFFFFFFFFFFFFFFF

SETUP, REQUEST, BODY, CANCEL, DRAIN, CREDIT = range(1, 7)
HELLO, READY, INIT_FAILED, HEAD, CHUNK, FINISHED, LOG = range(17, 24)
LAST, STANDARD_ERROR = 1, 2
ANSWERED, RAISED, CANCELLED = 0, 1, 2


class ProtocolError(Exception):
    """The server sent what it must not send."""


class Channel:
    """The socket to the server: frames out from any thread, frames in by one thread at a time."""

    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)
        self.buffer = bytearray(2 * (HEADER.size + BODY_MAX))
        self.view = memoryview(self.buffer)
        self.start = self.end = 0
        self.lock = threading.Lock()

    def send(self, data):
        """Writes whole frames; blocks while the server does not read. A server that is gone ends the worker."""
        with self.lock:
            try:
                self.socket.sendall(data)
            except OSError:
                os._exit(0)

    def has_frame(self):
        available = self.end - self.start
        return available >= HEADER.size and available >= HEADER.size + U32.unpack_from(self.buffer, self.start)[0]

    def fill(self, flags=0):
        """Reads once, blocking unless the flags say otherwise. False: the server closed the channel."""
        if self.start == self.end:
            self.start = self.end = 0
        elif self.start > HEADER.size + BODY_MAX:
            rest = self.end - self.start
            self.view[:rest] = self.view[self.start : self.end]
            self.start, self.end = 0, rest
        try:
            count = self.socket.recv_into(self.view[self.end :], 0, flags)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        self.end += count
        if self.end - self.start >= HEADER.size and U32.unpack_from(self.buffer, self.start)[0] > BODY_MAX:
            raise ProtocolError("a frame is longer than 262144 bytes")
        return count > 0

    def read_frame(self):
        """Waits for the next frame; None when the server has closed the channel."""
        while not self.has_frame():
            if not self.fill():
                return None
        return self.take()

    def take(self):
        """The next frame: (type, flags, request, nonce, body); the body is valid until the next `fill`."""
        length, kind, flags, _zero, number, nonce = HEADER.unpack_from(self.buffer, self.start)
        body = self.start + HEADER.size
        self.start = body + length
        return kind, flags, number, nonce, self.view[body : self.start]


def frame(kind, number=0, nonce=0, body=b"", flags=0):
    return HEADER.pack(len(body), kind, flags, 0, number, nonce) + body


@functools.lru_cache(256)
def encode_field(name, value):
    name, value = name.encode("latin-1"), value.encode("utf-8", "replace")
    return FIELD.pack(len(name), len(value)) + name + value


def read_fields(body, at, count, special, others):
    """Reads `count` fields: those whose name begins with a colon into the dictionary `special`, the rest as pairs into
    the list `others`. Returns the offset behind them."""
    text = str(body[: at + FIELDS_MAX], "latin-1")
    is_ascii = text.isascii()
    lengths = FIELD.unpack_from
    for _ in range(count):
        name_length, value_length = lengths(body, at)
        middle = at + 6 + name_length
        end = middle + value_length
        name, value = text[at + 6 : middle], text[middle:end]
        if not is_ascii:
            value = value.encode("latin-1").decode("utf-8", "replace")
        if name[:1] == ":":
            special[name] = value
        else:
            others.append((name, value))
        at = end
    if at > len(text):
        raise ProtocolError("fields are longer than their frame")
    return at


class LogStream(io.TextIOBase):
    """sys.stdout or sys.stderr: whole lines become log frames of the request that wrote them, at once."""

    encoding = "utf-8"
    errors = "replace"
    line_buffering = True

    def __init__(self, worker, flags, descriptor):
        self.worker = worker
        self.flags = flags
        self.descriptor = descriptor
        self.pending = {}  # request (None: outside one) -> text without a line's end
        self.buffer = LogBuffer(self)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        request = self.worker.current()
        whole = self.pending.pop(request, "") + text
        end = whole.rfind("\n") + 1
        if len(whole) - end > LOG_MAX:
            end = len(whole)
        if end:
            self.emit(request, whole[:end])
        if end < len(whole):
            self.pending[request] = whole[end:]
        return len(text)

    def emit(self, request, text):
        number, nonce = (request.number, request.nonce) if request else (0, 0)
        data = text.encode("utf-8", "replace")
        frames = []
        at = 0
        while at < len(data):
            end = at + LOG_MAX
            if end < len(data):
                # Between lines, where there are any: the server takes the end of a frame for the end of a line.
                end = data.rfind(b"\n", at, end) + 1 or end
            frames.append(frame(LOG, number, nonce, data[at:end], self.flags))
            at = end
        self.worker.channel.send(b"".join(frames))

    def finish(self, request):
        """Sends what `request` has written of a line that has no end."""
        if self.pending and (text := self.pending.pop(request, "")):
            self.emit(request, text)

    def flush(self):
        """Lines leave by themselves; the rest of one leaves at the end of its request."""

    def reconfigure(self, **_options):
        """Accepted for programs that set the encoding; it is UTF-8 always."""

    def writable(self):
        return True

    def fileno(self):
        return self.descriptor


class LogBuffer(io.BufferedIOBase):
    """sys.stdout.buffer."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, data):
        self.stream.write(str(data, "utf-8", "replace"))
        return len(data)

    def writable(self):
        return True

    def fileno(self):
        return self.stream.descriptor


class LogFormatter(logging.Formatter):
    """Lines as AWS Lambda's runtime writes them: level, time, request, message, between tabs."""

    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, worker):
        super().__init__("[%(levelname)s]\t%(asctime)s\t%(aws_request_id)s\t%(message)s")
        self.worker = worker

    def format(self, record):
        request = self.worker.current()
        record.aws_request_id = request.id if request else ""
        return super().format(record)
"""From a request to the event of a handler, and from what it returned to an answer: AWS Lambda's payload format 2.0 and
the way it infers a response. Pure functions over bytes; the channel is not touched.
"""

import base64
import binascii
import functools
import json
import os
import sys
import time
import traceback
import typing
from urllib.parse import unquote_plus


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
    trace = traceback.StackSummary.from_list(stack[-FRAMES_MAX:]).format()
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
        text = f"[ERROR] {self.kind}: {self.message}\n"
        return text + "Traceback (most recent call last):\n" + "".join(self.trace) if self.trace else text


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


def http_event(request, function, has_body):
    """Payload format 2.0. Source: AWS, "Working with AWS Lambda proxy integrations for HTTP APIs"; the body is left
    out for a handler that reads it as a stream."""
    special = request.special
    headers = join_headers(request.headers)
    host = special.get(":host", "")
    if host:
        headers.setdefault("host", host)
    path, query = special.get(":path", "/"), special.get(":query", "")
    now = time.time_ns() // 1_000_000
    event = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query}
    if "cookie" in headers:
        event["cookies"] = [cookie for cookie in map(str.strip, headers["cookie"].split(";")) if cookie]
    event["headers"] = headers
    if query:
        event["queryStringParameters"] = query_parameters(query)
    event["requestContext"] = {
        "accountId": "anonymous",
        "apiId": function,
        "domainName": host.partition("]")[0] + "]" if host[:1] == "[" else host.partition(":")[0],
        "domainPrefix": function,
        "http": {
            "method": special.get(":method", "GET"),
            "path": path,
            "protocol": special.get(":protocol", "HTTP/1.1"),
            "sourceIp": special.get(":source", ""),
            "userAgent": headers.get("user-agent", ""),
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
            if not is_text(headers.get("content-type", "")):
                raise ValueError
            event["body"] = body.decode("utf-8")
        except ValueError:
            event["body"] = base64.b64encode(body).decode("ascii")
            event["isBase64Encoded"] = True
    return event


class Context:
    """The second argument of a handler. What is the same for all requests is set on the class."""

    client_context = None
    identity = None
    body = None

    def __init__(self, request):
        self.aws_request_id = request.id
        self.deadline = request.deadline

    def get_remaining_time_in_millis(self):
        return max(0, self.deadline - time.time_ns() // 1_000_000)


# ------------------------------------------------------------------------------------------------- answers


HEADERS_MAX = 100  # of an answer; so many are allowed in a request as well


class MarshalError(Exception):
    """What the handler returned is no answer."""


class TooLarge(Exception):
    """The answer has more bytes than the function may return without streaming."""


def encode_special(value):
    decimal = sys.modules.get("decimal")
    if decimal and isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


encode_json = json.JSONEncoder(ensure_ascii=False, default=encode_special).encode


def json_bytes(value):
    try:
        try:
            return encode_json(value).encode("utf-8")
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
    if not isinstance(result, dict) or "statusCode" not in result:
        return (STREAM_HEAD, result) if is_stream(result) else (JSON_HEAD, json_bytes(result))
    status = result["statusCode"]
    if type(status) is not int or not 200 <= status <= 599:
        raise MarshalError(f"Unable to marshal response: statusCode must be a whole number from 200 to 599, "
                           f"not {status!r}")
    body = result.get("body")
    streams = is_stream(body)
    head = answer_head(status, answer_fields(result.get("headers") or {}, result.get("cookies") or [], streams))
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
"""What runs in a python3 worker: takes requests from the channel and runs `handler(event, context)`. Loaded once in the
zygote; `run` is called in each clone and never returns. Frames are in channel.py, events and answers in events.py.
"""

import asyncio
import atexit
import collections
import contextvars
import gc
import importlib
import io
import json
import logging
import os
import queue
import resource
import socket
import struct
import sys
import threading
import time


# Of a thread. The system's 8 MiB would count in full against the worker's memory, touched or not.
STACK_SIZE = 1 << 20
# The peak of memory is asked for after requests that took so long, and after each 64th: the question costs 1.1 µs.
MEMORY_CHECK_NS = 200_000
# Modules that every Python has loaded when it starts; the zygote sets it.
AT_STARTUP = frozenset()
PROTOCOL_STATUS = 70  # exit status after a frame that must not be; sysexits.h calls it an internal error


class Request:
    """One request, from its first frame to `end`."""

    __slots__ = ("number", "nonce", "deadline", "id", "special", "headers", "body", "has_body_ended", "uncredited",
                 "window", "has_started", "is_over", "cpu")

    def __init__(self, number, nonce, deadline):
        self.number = number
        self.nonce = nonce
        self.deadline = deadline
        self.special = {}  # the fields that come from Taibai
        self.headers = []  # the caller's, as pairs
        self.id = ""
        self.body = collections.deque()
        self.has_body_ended = False
        self.uncredited = 0
        self.window = WINDOW
        self.has_started = False
        self.is_over = False
        self.cpu = 0


class BodyReader(io.RawIOBase):
    """`context.body` of a streaming handler: a file to read from, and an iterator over the chunks as they came."""

    def __init__(self, worker, request):
        self.worker = worker
        self.request = request
        self.rest = memoryview(b"")

    def readable(self):
        return True

    def next_chunk(self):
        """The next bytes, empty at the end; waits for them."""
        if len(self.rest):
            chunk, self.rest = self.rest, memoryview(b"")
            return chunk
        request = self.request
        self.worker.wait(lambda: request.body or request.has_body_ended or request.is_over)
        if not request.body:
            return b""
        chunk = request.body.popleft()
        self.worker.consumed(request, len(chunk))
        return chunk

    def readinto(self, target):
        chunk = memoryview(self.next_chunk())
        count = min(len(target), len(chunk))
        target[:count] = chunk[:count]
        self.rest = chunk[count:]
        return count

    def __next__(self):
        chunk = self.next_chunk()
        if not chunk:
            raise StopIteration
        return bytes(chunk)


CURRENT = contextvars.ContextVar("taibai_request", default=None)


class Worker:
    """Takes requests from the channel and runs the handler: one at a time in the main thread, or, with a concurrency
    over 1, each in a thread while the main thread reads the channel."""

    def __init__(self, descriptor):
        self.channel = Channel(descriptor)
        self.requests = {}  # number -> request that has not ended
        self.ready = collections.deque()  # requests that can begin, oldest first
        self.running = None
        self.last_number = 0
        self.concurrency = 1
        self.body_max = 0  # of an answer that is not streamed
        self.is_draining = False
        self.memory_peak = UNKNOWN
        self.handler = None
        self.handler_streams = False
        self.loop = None
        self.function = ""
        self.changed = threading.Condition()
        self.jobs = None  # with a concurrency over 1: requests for the threads
        self.threads = 0
        self.idle_threads = 0
        self.streams = (LogStream(self, 0, 1), LogStream(self, STANDARD_ERROR, 2))

    def current(self):
        return self.running if self.concurrency == 1 else CURRENT.get()

    # Reading

    def read(self):
        """Handles the frames that are there, after waiting for one."""
        first = self.channel.read_frame()
        if first is None:
            if self.requests:
                os._exit(0)  # nobody is left to answer to
            self.leave(0)
        self.handle(*first)
        while self.channel.has_frame():
            self.handle(*self.channel.take())

    def read_available(self):
        """Handles the frames that have come meanwhile: the next request may have been taken back."""
        self.channel.fill(socket.MSG_DONTWAIT)
        while self.channel.has_frame():
            self.handle(*self.channel.take())

    def handle(self, kind, flags, number, nonce, body):
        if kind == REQUEST:
            self.request_arrived(flags, number, nonce, body)
        elif kind == DRAIN:
            self.is_draining = True
        elif kind not in (BODY, CANCEL, CREDIT):
            raise ProtocolError(f"a frame of type {kind} after the setup")
        elif number in self.requests:
            self.handle_about(self.requests[number], kind, flags, nonce, body)
        elif not 0 < number <= self.last_number:
            # Of one that has ended it would be no mistake: the frame and the end have crossed.
            raise ProtocolError(f"a frame of type {kind} for request {number}, which never was")

    def handle_about(self, request, kind, flags, nonce, body):
        if nonce != request.nonce:
            raise ProtocolError(f"a wrong nonce for request {request.number}")
        if kind == BODY:
            if request.has_body_ended:
                raise ProtocolError(f"the body of request {request.number} goes on after its end")
            self.body_arrived(request, flags, body)
        elif kind == CREDIT:
            with self.changed:
                request.window += U32.unpack(body)[0]
                self.changed.notify_all()
        else:
            self.cancel(request)

    def request_arrived(self, flags, number, nonce, body):
        if number <= self.last_number:
            raise ProtocolError(f"request {number} came after {self.last_number}")
        self.last_number = number
        deadline, _length, count = REQUEST_HEAD.unpack_from(body, 0)
        request = Request(number, nonce, deadline)
        at = read_fields(body, REQUEST_HEAD.size, count, request.special, request.headers)
        request.id = request.special.get(":id", "")
        self.requests[number] = request
        if flags & LAST:
            request.has_body_ended = True
            if at < len(body):
                request.body.append(bytes(body[at:]))
            self.begin(request)
            return
        if self.handler_streams:
            self.begin(request)
        self.body_arrived(request, 0, body[at:])

    def body_arrived(self, request, flags, body):
        with self.changed:
            if len(body):
                request.body.append(bytes(body))
            request.has_body_ended = bool(flags & LAST)
            self.changed.notify_all()
        if self.handler_streams:
            return
        if request.has_body_ended:
            self.begin(request)
        else:
            self.consumed(request, len(body))

    def consumed(self, request, count):
        request.uncredited += count
        if request.uncredited >= CREDIT_STEP and not request.has_body_ended:
            self.channel.send(frame(CREDIT, request.number, request.nonce, U32.pack(request.uncredited)))
            request.uncredited = 0

    def begin(self, request):
        """The request can run: here when its turn comes, or in a thread."""
        if self.jobs is None:
            self.ready.append(request)
            return
        self.jobs.put(request)
        with self.changed:
            needs_thread = self.jobs.qsize() > self.idle_threads and self.threads < self.concurrency
        if needs_thread:
            self.threads += 1
            threading.Thread(target=self.run_jobs, daemon=True).start()

    def cancel(self, request):
        with self.changed:
            if request.has_started:
                return
            # From here on nobody starts it.
            request.has_started = True
        if request in self.ready:
            self.ready.remove(request)
        self.finish(request, CANCELLED)

    def wait(self, is_true):
        """Waits until something that frames bring about has come."""
        if self.jobs is None:
            while not is_true():
                self.read()
        else:
            with self.changed:
                self.changed.wait_for(is_true)

    # Running

    def serve(self):
        """The life of the worker after `ready`."""
        if self.concurrency > 1:
            self.jobs = queue.SimpleQueue()
        while True:
            while self.ready:
                self.run(self.ready.popleft())
                if self.ready:
                    self.read_available()
            if self.is_draining and not self.requests:
                self.leave(0)
            self.read()

    def run_jobs(self):
        while True:
            with self.changed:
                self.idle_threads += 1
            request = self.jobs.get()
            with self.changed:
                self.idle_threads -= 1
            CURRENT.set(request)
            self.run(request)
            CURRENT.set(None)
            if self.is_draining and not self.requests:
                self.leave(0)

    def run(self, request):
        with self.changed:
            if request.has_started:
                return
            request.has_started = True
        single = self.jobs is None
        if single:
            self.running = request
        request.cpu = time.process_time_ns() if single else time.thread_time_ns()
        try:
            self.answer(request)
        except SystemExit as error:
            self.exit_as_asked(request, error.code)
        except BaseException as error:  # whatever a function raises is its answer
            self.failed(request, error)
        self.running = None

    def answer(self, request):
        trigger = request.special.get(":trigger", "http")
        is_http = trigger == "http" or trigger.startswith("webhook:")
        context = Context(request)
        if self.handler_streams:
            context.body = BodyReader(self, request)
        if is_http:
            event = http_event(request, self.function, not self.handler_streams)
        else:
            try:
                event = {} if self.handler_streams else json.loads(b"".join(request.body) or b"{}")
            except ValueError as error:
                return self.refuse(request, error)
        result = self.handler(event, context)
        if hasattr(result, "__await__"):
            result = self.run_async(result)
        if is_http:
            head, body = http_answer(result)
        elif is_stream(result):
            head, body = STREAM_HEAD, result
        else:
            head, body = JSON_HEAD, json_bytes(result)
        if type(body) is not bytes:
            self.send_stream(request, head, body)
        elif len(body) > self.body_max:
            raise TooLarge(f"Response payload size exceeded maximum allowed payload size ({self.body_max} bytes)")
        elif len(head) + len(body) <= BODY_MAX and len(body) <= request.window:
            self.finish(request, ANSWERED, frame(HEAD, request.number, request.nonce, head + body, LAST))
        else:
            self.send_body(request, body, with_length(head, len(body)))
            self.finish(request, ANSWERED)
        return None

    def refuse(self, request, error):
        """The body of an invoke is the event itself, so it must be JSON."""
        problem = {
            "type": "/problems/bad-request", "title": "The request is malformed", "status": 400,
            "detail": f"the body is the function's event and must be JSON: {error}", "code": "bad-request"}
        head = answer_head(400, [encode_field("content-type", "application/problem+json")])
        body = json.dumps(problem).encode("ascii")
        self.finish(request, ANSWERED, frame(HEAD, request.number, request.nonce, head + body, LAST))

    def run_async(self, awaitable):
        """Runs it to its end in the worker's event loop, which lives in this thread or, with a concurrency over 1, in
        one of its own."""
        async def outcome():
            return await awaitable

        if self.loop is None:
            with self.changed:
                if self.loop is None:
                    self.loop = asyncio.new_event_loop()
                    if self.jobs is None:
                        asyncio.set_event_loop(self.loop)
                    else:
                        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        if self.jobs is None:
            return self.loop.run_until_complete(outcome())
        return asyncio.run_coroutine_threadsafe(outcome(), self.loop).result()

    # Answering

    def send_stream(self, request, head, chunks):
        """Sends chunks as they are made. The head leaves with the first, so that a failure before it is still one."""
        is_async = hasattr(chunks, "__anext__")
        try:
            while True:
                try:
                    chunk = self.run_async(chunks.__anext__()) if is_async else next(chunks)
                except (StopIteration, StopAsyncIteration):
                    break
                data = chunk.encode("utf-8") if isinstance(chunk, str) else chunk
                if not isinstance(data, (bytes, bytearray, memoryview)):
                    raise MarshalError(
                        f"Unable to marshal response: a stream is of bytes or text, not {type(chunk).__name__}")
                if len(data) or head:
                    self.send_body(request, bytes(data), head)
                    head = b""
        finally:
            close = getattr(chunks, "close", None)
            if close:
                close()
        self.finish(request, ANSWERED, frame(HEAD, request.number, request.nonce, head, LAST) if head else b"")

    def send_body(self, request, body, head=b""):
        """Sends bytes of the answer as the window allows; `head` goes before them."""
        at = 0
        while at < len(body) or head:
            if at < len(body) and request.window == 0:
                self.wait(lambda: request.window > 0)
            count = min(len(body) - at, request.window, BODY_MAX - len(head))
            with self.changed:
                request.window -= count
            kind = HEAD if head else CHUNK
            self.channel.send(frame(kind, request.number, request.nonce, head + body[at : at + count]))
            head = b""
            at += count

    def finish(self, request, outcome, before=b"", error=b""):
        """Sends `before` and the last frame of the request."""
        for stream in self.streams:
            stream.finish(request)
        cpu = UNKNOWN if outcome == CANCELLED else self.time_used(request)
        if cpu >= MEMORY_CHECK_NS or request.number & 63 == 1:
            self.memory_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        request.is_over = True
        self.channel.send(
            before + frame(FINISHED, request.number, request.nonce, END.pack(outcome, cpu, self.memory_peak) + error))
        # Not before it is sent: another thread might find nothing left to do and end a draining worker.
        del self.requests[request.number]

    def time_used(self, request):
        if self.jobs is None:
            return time.process_time_ns() - request.cpu
        # A thread's own time is not that of the loop in which an async handler runs.
        return time.thread_time_ns() - request.cpu if self.loop is None else UNKNOWN

    def failed(self, request, error):
        kind = None
        if isinstance(error, MarshalError):
            kind = "Runtime.MarshalError"
        elif isinstance(error, TooLarge):
            kind = "Function.ResponseSizeTooLarge"
        text = describe_error(error, kind)
        self.streams[1].write(text.log())
        self.finish(request, RAISED, error=text.fields())

    def exit_as_asked(self, request, code):
        if isinstance(code, str):
            self.streams[1].write(code + "\n")
        for stream in self.streams:
            stream.finish(request)
        self.leave(0 if code is None else code & 0xFF if isinstance(code, int) else 1)

    def leave(self, status):
        """Ends the process as the interpreter would, but without waiting for the function's threads."""
        try:
            atexit._run_exitfuncs()
            for stream in self.streams:
                stream.finish(None)
        finally:
            os._exit(status)


# Setting up


class InitError(Exception):
    """The handler can't be loaded; `text` says why."""

    def __init__(self, error, error_type=None, message=None):
        super().__init__(message)
        self.text = describe_error(error, error_type, message)


def read_setup(channel):
    """The first frame, as a dictionary."""
    first = channel.read_frame()
    if first is None:
        os._exit(0)
    kind, _flags, _number, _nonce, body = first
    if kind != SETUP:
        raise ProtocolError(f"frame of type {kind} instead of the setup")
    fields = []
    read_fields(body, U16.size, U16.unpack_from(body, 0)[0], {}, fields)
    return dict(fields)


def set_environment(setup, code):
    """The variables the function asked for, and those that AWS Lambda's runtime sets; nothing of the server's."""
    function, version = setup["function"], setup["version"]
    memory = str(int(setup["memory"]) >> 20)
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
    variables.update((name[4:], value) for name, value in setup.items() if name.startswith("env:"))
    variables.update({
        "TAIBAI_FUNCTION": function, "TAIBAI_VERSION": version, "_HANDLER": setup["handler"], "LAMBDA_TASK_ROOT": code,
        "AWS_LAMBDA_FUNCTION_NAME": function, "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory, "AWS_LAMBDA_LOG_GROUP_NAME": f"/taibai/{function}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{version}/{os.getpid()}"})
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    Context.function_name = function
    Context.function_version = version
    Context.memory_limit_in_mb = memory
    Context.invoked_function_arn = f"arn:aws:lambda:local:000000000000:function:{function}:{version}"
    Context.log_group_name = variables["AWS_LAMBDA_LOG_GROUP_NAME"]
    Context.log_stream_name = variables["AWS_LAMBDA_LOG_STREAM_NAME"]


def set_search_path(code):
    """The package first, then what it brings along; the system's site-packages are left out."""
    folders = [code] + [path for path in (f"{code}/python", f"{code}/vendor") if os.path.isdir(path)]
    sys.path[:0] = folders
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                make_way(entry)


def make_way(entry):
    """Forgets a library module that the zygote has loaded, if the package has one of the same name: `import` shall find
    that one, as it would in a python started for this function."""
    name, suffix = os.path.splitext(entry.name)
    if name not in sys.modules or name in AT_STARTUP:
        return
    if suffix == ".py" or (not suffix and os.path.exists(f"{entry.path}/__init__.py")):
        for loaded in [module for module in sys.modules if module == name or module.startswith(name + ".")]:
            del sys.modules[loaded]


def load_handler(handler, code):
    """Imports the module and returns the callable. Error types are those of AWS Lambda's runtime."""
    module_name, _, name = handler.rpartition(".")
    if not module_name or not name:
        raise InitError(None, "Runtime.MalformedHandlerName",
                        f"Bad handler '{handler}': it must be module.function, such as main.handler")
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise InitError(error, "Runtime.ImportModuleError",
                        f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        raise InitError(error, "Runtime.UserCodeSyntaxError",
                        f"Syntax error in module '{module_name}': {error}") from None
    except SystemExit as error:
        raise InitError(error, "Runtime.ExitError", f"Module '{module_name}' ended the process") from None
    except BaseException as error:
        raise InitError(error) from None
    found = getattr(module, name, None)
    if not callable(found):
        what = "is missing in" if found is None else "is not a function of"
        raise InitError(None, "Runtime.HandlerNotFound", f"Handler '{name}' {what} module '{module_name}'")
    return found


def set_up(worker):
    """Everything between `hello` and `ready`."""
    setup = read_setup(worker.channel)
    code = os.path.abspath(setup["code"])
    worker.function = setup["function"]
    try:
        with open("/proc/self/comm", "w") as file:
            file.write(f"taibai:{worker.function}"[:15])
    except OSError:
        worker.streams[1].write("taibai: /proc/self/comm can't be written, so the process keeps its name\n")
    threading.stack_size(STACK_SIZE)
    sys.stdout = sys.__stdout__ = worker.streams[0]
    sys.stderr = sys.__stderr__ = worker.streams[1]
    log_handler = logging.StreamHandler(worker.streams[1])
    log_handler.setFormatter(LogFormatter(worker))
    logging.getLogger().addHandler(log_handler)
    set_environment(setup, code)
    set_search_path(code)
    try:
        worker.handler = load_handler(setup["handler"], code)
    except InitError as error:
        worker.streams[1].write(error.text.log())
        worker.channel.send(frame(INIT_FAILED, body=error.text.fields()))
        worker.leave(1)
    worker.handler_streams = bool(getattr(worker.handler, "streaming", False))
    worker.concurrency = int(setup["concurrency"])
    worker.body_max = int(setup["body-max"])
    # What is loaded by now stays; later collections need not look at it.
    gc.freeze()
    worker.channel.send(frame(READY))


def run(descriptor):
    """The whole life of a worker."""
    worker = Worker(descriptor)
    try:
        worker.channel.send(frame(HELLO, body=U32.pack(PROTOCOL)))
        set_up(worker)
        worker.serve()
    except (ProtocolError, struct.error, KeyError) as error:
        worker.streams[1].write(f"taibai: the server broke the protocol: {error}\n")
        os._exit(PROTOCOL_STATUS)
