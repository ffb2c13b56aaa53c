"""Frames and the channel to the server (protocol 1, Runtime/README.md), and what a function writes to standard output
and standard error, which becomes log frames. Nothing here knows what a request means.
"""

import functools
import io
import logging
import mmap
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
FIELDS_MAX = 65536  # bytes of the fields of a frame; the server's limit for a request head is a quarter of that

HEADER = struct.Struct("<IBBHQQ")  # length, type, flags, 0, request, nonce
U16, U32, FIELD = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<HI")  # FIELD: lengths of name, value
REQUEST_HEAD = struct.Struct("<QQH")  # deadline, body length, count of fields
ANSWER_HEAD = struct.Struct("<HH")  # status, count of fields
END = struct.Struct(HEADER.format + "BQQ")  # header, then outcome, processor time in ns, peak memory in bytes
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
        # Mapped, so that its pages are there when bytes come: 128 of them made at once are 0.6 ms of a start.
        self.buffer = mmap.mmap(-1, 2 * (HEADER.size + BODY_MAX), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
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


class Caller:
    """What requests of one client have in common: the fields from `:source` on."""

    __slots__ = ("special", "headers", "others", "common")

    def __init__(self, body, at, count):
        self.special = {}  # the fields that come from Taibai
        self.headers = []  # the caller's, as pairs
        self.common = None  # what payload.py makes of them
        read_fields(body, at, count, self.special, self.headers)
        # What a server that keeps to another order has put here.
        self.others = {name: self.special[name] for name in self.special if name not in CALLERS_OWN}


class Cache(dict):
    """By the bytes of fields, what they mean. Emptied when it is full, so that no client can make it grow."""

    COUNT_MAX, LENGTH_MAX = 64, 2048

    def keep(self, key, value):
        if len(key) <= self.LENGTH_MAX:
            if len(self) >= self.COUNT_MAX:
                self.clear()
            self[key] = value
        return value


# The next request of a client mostly has the same fields but for its id, or at least the same from `:source` on. To
# read them anew was half of what a short request costs.
REQUESTS, CALLERS = Cache(), Cache()
CALLERS_OWN = (":source", ":host", ":protocol")
ID_FIELD = FIELD.pack(3, 36) + b":id"
ID_START, ID_END = len(ID_FIELD), len(ID_FIELD) + 36


def read_request_fields(fields, count, is_all):
    """Reads the `count` fields that `fields` begins with; `is_all`: nothing stands behind them. Returns the id, what
    else stands before `:source` as a dictionary that is not to be changed, the caller, and the length of all."""
    if not is_all or fields[:ID_START] != ID_FIELD:
        special, caller, end = read_own_fields(fields, 0, count)
        return special.get(":id", ""), special, caller, end
    known = REQUESTS.get(fields[ID_END:])
    if known is None or known[0] != count:
        known = REQUESTS.keep(fields[ID_END:], (count, *read_own_fields(fields, ID_END, count - 1)))
    return str(fields[ID_START:ID_END], "latin-1"), *known[1:]


def read_own_fields(fields, at, count):
    special = {}
    lengths = FIELD.unpack_from
    while count:
        name_length, value_length = lengths(fields, at)
        middle = at + 6 + name_length
        name = str(fields[at + 6 : middle], "latin-1")
        if name == ":source" or name[:1] != ":":
            break
        at = middle + value_length
        special[name] = str(fields[middle:at], "utf-8", "replace")
        count -= 1
    end = at
    for _ in range(count):
        name_length, value_length = lengths(fields, end)
        end += 6 + name_length + value_length
    if end > len(fields):
        raise ProtocolError("fields are longer than their frame")
    key = fields[at:end]
    caller = CALLERS.get(key)
    if caller is None:
        caller = CALLERS.keep(key, Caller(fields, at, count))
    if caller.others:
        special.update(caller.others)
    return special, caller, end


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
