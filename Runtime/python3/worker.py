"""What runs in a python3 worker: takes requests from the channel and runs `handler(event, context)`. Loaded once in the
zygote; `run` is called in each clone and never returns. Frames are in channel.py, events and answers in payload.py.
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

from taibai_channel import (
    ANSWERED, BODY, BODY_MAX, CANCEL, CANCELLED, CHUNK, CREDIT, CREDIT_STEP, DRAIN, END, FINISHED, HEAD, HEADER,
    HELLO, INIT_FAILED, LAST, PROTOCOL, RAISED, READY, REQUEST, REQUEST_HEAD, SETUP, STANDARD_ERROR, U16, U32,
    UNKNOWN, WINDOW, Channel, LogFormatter, LogStream, ProtocolError, encode_field, frame, read_fields,
    read_request_fields)
from taibai_context import Context
from taibai_payload import (
    JSON_HEAD, STREAM_HEAD, MarshalError, TooLarge, answer_head, describe_error, http_answer, http_event, is_stream,
    json_bytes, with_length)
from taibai_qinling import answer_qinling

# Of a thread. The system's 8 MiB would count in full against the worker's memory, touched or not.
STACK_SIZE = 1 << 20
# The peak of memory is asked for after requests that took so long, and after each 64th: the question costs 1.1 µs.
MEMORY_CHECK_NS = 200_000
# A request that came early is begun without another look at the channel within so much time of the last.
RECHECK_NS = 1_000_000
# Modules that every Python has loaded when it starts; the zygote sets it.
AT_STARTUP = frozenset()
PROTOCOL_STATUS = 70  # exit status after a frame that must not be; sysexits.h calls it an internal error


class Request:
    """One request, from its first frame to `end`."""

    # How it begins.
    body = ()  # a deque from its first bytes on
    has_body_ended = False
    uncredited = 0
    window = WINDOW
    has_started = False
    is_over = False
    cpu = 0

    def __init__(self, number, nonce, deadline, identity, special, caller):
        self.number = number
        self.nonce = nonce
        self.deadline = deadline
        self.id = identity
        self.special = special  # the other fields that come from Taibai and differ; shared by requests
        self.caller = caller

    def add_body(self, body):
        if self.body == ():
            self.body = collections.deque()
        self.body.append(bytes(body))


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
        self.read_at = 0
        self.cpu = 0  # of the process, at the end of the last request
        self.handler = None
        self.handler_streams = False
        self.entry = None  # of a function with the contract qinling, which is loaded anew for each execution
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
        self.read_at = time.monotonic_ns()
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
        self.read_at = time.monotonic_ns()
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
        deadline, length, count = REQUEST_HEAD.unpack_from(body, 0)
        has_all = flags & LAST and length < len(body)
        end = len(body) - length if has_all else len(body)
        identity, special, caller, used = read_request_fields(bytes(body[REQUEST_HEAD.size : end]), count, has_all)
        at = REQUEST_HEAD.size + used
        request = self.requests[number] = Request(number, nonce, deadline, identity, special, caller)
        if flags & LAST:
            request.has_body_ended = True
            if at < len(body):
                request.add_body(body[at:])
            self.begin(request)
            return
        if self.handler_streams:
            self.begin(request)
        self.body_arrived(request, 0, body[at:])

    def body_arrived(self, request, flags, body):
        with self.changed:
            if len(body):
                request.add_body(body)
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
                # What came early may have been taken back, if there was time for it.
                if self.ready and time.monotonic_ns() - self.read_at > RECHECK_NS:
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
        if self.jobs is None:
            if request.has_started:
                return
            request.has_started = True
            self.running = request
        else:
            with self.changed:
                if request.has_started:
                    return
                request.has_started = True
            request.cpu = time.thread_time_ns()
        try:
            self.answer(request)
        except SystemExit as error:
            self.exit_as_asked(request, error.code)
        except BaseException as error:  # whatever a function raises is its answer
            self.failed(request, error)
        self.running = None

    def answer(self, request):
        if self.entry is not None:
            return answer_qinling(self, request)
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
        else:
            is_raw = type(result) is bytes or is_stream(result)
            head, body = (STREAM_HEAD, result) if is_raw else (JSON_HEAD, json_bytes(result))
        if type(body) is not bytes:
            self.send_stream(request, head, body)
        elif len(body) > self.body_max:
            raise TooLarge(f"Response payload size exceeded maximum allowed payload size ({self.body_max} bytes)")
        else:
            self.send_whole(request, head, body)
        return None

    def send_whole(self, request, head, body):  # an answer that is complete
        if len(head) + len(body) <= BODY_MAX and len(body) <= request.window:
            self.finish(request, ANSWERED, frame(HEAD, request.number, request.nonce, head + body, LAST))
        else:
            self.send_body(request, body, with_length(head, len(body)))
            self.finish(request, ANSWERED)

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
        out, err = self.streams
        if out.pending or err.pending:
            out.finish(request)
            err.finish(request)
        cpu = UNKNOWN if outcome == CANCELLED else self.time_used(request)
        if cpu >= MEMORY_CHECK_NS or request.number & 63 == 1:
            self.memory_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        request.is_over = True
        length = END.size - HEADER.size + len(error)
        end = END.pack(length, FINISHED, 0, 0, request.number, request.nonce, outcome, cpu, self.memory_peak)
        self.channel.send(before + end + error)
        # Not before it is sent: another thread might find nothing left to do and end a draining worker.
        del self.requests[request.number]

    def time_used(self, request):
        if self.jobs is None:
            # All since the request before: what is idle uses none, and the question is a system call.
            before, self.cpu = self.cpu, time.process_time_ns()
            return self.cpu - before
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
    Context.function_arn = f"arn:aws:lambda:local:000000000000:function:{function}:{version}"
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
        what = "missing on" if found is None else "is not a function of"
        raise InitError(None, "Runtime.HandlerNotFound", f"Handler '{name}' {what} module '{module_name}'")
    return found


def set_up(worker):
    """Everything between `hello` and `ready`."""
    setup = read_setup(worker.channel)
    code = os.path.abspath(setup["code"])
    worker.function = setup["function"]
    try:
        name = os.open("/proc/self/comm", os.O_WRONLY)
        os.write(name, f"taibai:{worker.function}"[:15].encode("ascii"))
        os.close(name)
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
        worker.entry = setup["handler"] if setup["contract"] == "qinling" else None
        worker.handler = load_handler(setup["handler"], code) if worker.entry is None else None
    except InitError as error:
        worker.streams[1].write(error.text.log())
        worker.channel.send(frame(INIT_FAILED, body=error.text.fields()))
        worker.leave(1)
    worker.handler_streams = bool(getattr(worker.handler, "streaming", False))
    worker.concurrency = int(setup["concurrency"])
    worker.body_max = int(setup["body-max"])
    worker.cpu = time.process_time_ns()
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
