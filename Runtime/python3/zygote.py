"""The python3 zygote: loads what workers need once, then clones itself for each worker that the launcher orders.

It never runs code of a function. A clone is a child of the launcher (CLONE_PARENT), shuts itself in as ordered, reports
that, and becomes a worker (worker.py). Orders, answers and reports are the structures of Sources/CLauncher/internal.h;
what a new process has to do is a list of system calls in the order, which perform.c does for other runtimes.
"""

import sys

# A package's module may have the name of one that is loaded here; worker.py then lets it go first.
AT_STARTUP = frozenset(sys.modules)

import array
import ctypes
import gc
import importlib
import importlib.machinery
import logging
import os
import platform
import socket
import struct
import traceback
import types

# What functions import most. Loaded here it costs 11 MiB once and 0.4 ms of each start; a function that uses it saves
# 38 ms of processor time and 8 MiB of its own memory at each start (measured 2026-11-23, Python 3.11).
PRELOADED = (
    "asyncio", "concurrent.futures", "dataclasses", "datetime", "decimal", "email.message", "hashlib", "http.client",
    "pathlib", "random", "ssl", "subprocess", "tempfile", "typing", "urllib.request", "uuid", "zlib")

# Descriptors as the launcher has arranged them.
LAUNCHER, WORKER_PROGRAM, REPORTS = 3, 5, 6
# Descriptors of a new process, and the first number that is none of them: internal.h.
OUTPUT, CHANNEL, CHILD_REPORTS, SANDBOX, GROUP, DESCRIPTORS_END = 1, 3, 4, 6, 8, 16
DESCRIPTORS_MAX = 12

# worker, operations, bytes, descriptors, is grouped, is sandboxed, runtime, targets of descriptors, 0
HEAD = struct.Struct("<QIIIIII12sI")
OP = struct.Struct("<IHHq6Q")  # step, kind, flags, number of the system call, arguments
OP_CALL, OP_CALL_KEEP, OP_CALL_EACH, OP_STORE_ADDRESS, OP_STORE_KEPT = range(1, 6)
ORDER_MAX = HEAD.size + 160 * OP.size + 6144
ANSWER = struct.Struct("<Qii")  # worker, pid, errno
REPORT = struct.Struct("<QIi")  # worker, step, errno
U32, U64 = struct.Struct("<I"), struct.Struct("<Q")

# The id of an order for a clone that waits, in its channel, for the order of a worker (Sources/CLauncher/spares.c).
SPARE = 0xFFFFFFFFFFFFFD00
# Requests that are rehearsed before there are clones, and in each spare. The interpreter rewrites code that has run
# eight times; a few bring to a clone the pages that a request writes to.
REHEARSALS_ONCE, REHEARSALS_SPARE = 16, 4

# Steps that are no operations, as in Sources/CLauncher/include/launcher.h.
STEP_NONE, STEP_STREAMS = 0, 18

# Source: linux/sched.h, linux/prctl.h; clone3 and close_range have one number on all architectures.
CLONE_PIDFD, CLONE_PARENT, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x1000, 0x8000, 0x200000, 0x1000000
CLONE_NEWPID, CLONE_INTO_CGROUP = 0x20000000, 0x200000000
SYS_CLONE3, SYS_CLOSE_RANGE = 435, 436
SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
SYS_SETNS = {"x86_64": 308, "aarch64": 268}.get(platform.machine())
PR_GET_TID_ADDRESS = 40
ENOSYS, EPROTO, EMFILE = 38, 71, 24

# PyDLL keeps the interpreter's lock during a call, so a clone returns into an interpreter that it holds.
libc = ctypes.PyDLL(None, use_errno=True)
syscall = libc.syscall
syscall.restype = ctypes.c_long
syscall.argtypes = [ctypes.c_long] + 6 * [ctypes.c_ulong]

# The order at hand. It stays where it is, since operations hold addresses in it.
order_bytes = bytearray(ORDER_MAX)
order_view = memoryview(order_bytes)
order_memory = (ctypes.c_char * ORDER_MAX).from_buffer(order_bytes)
ORDER_ADDRESS = ctypes.addressof(order_memory)


class CloneArguments(ctypes.Structure):
    """struct clone_args of clone3(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in (
        "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls", "set_tid",
        "set_tid_size", "cgroup")]


def thread_id_address():
    """Where glibc keeps this thread's id: clones get theirs written there, as fork(2) would do it. 0: unknown."""
    address = ctypes.c_void_p(0)
    return (address.value or 0) if libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(address)) == 0 else 0


THREAD_ID = thread_id_address()
FLAGS = CLONE_PARENT | CLONE_PIDFD | ((CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID) if THREAD_ID else 0)


def raw_clone(pidfd, group):
    """clone3, or clone where that is refused (Docker's default profile). exit_signal 0: CLONE_PARENT demands it, and
    the child has the zygote's own, SIGCHLD. `group`: the control group to be in, or None."""
    arguments = CloneArguments(flags=FLAGS, pidfd=ctypes.addressof(pidfd), child_tid=THREAD_ID)
    if group is not None:
        arguments.flags |= CLONE_INTO_CGROUP
        arguments.cgroup = group
    pid = syscall(SYS_CLONE3, ctypes.addressof(arguments), ctypes.sizeof(arguments), 0, 0, 0, 0)
    if pid >= 0 or group is not None or ctypes.get_errno() != ENOSYS or SYS_CLONE is None:
        return pid
    last = [THREAD_ID, 0]  # child_tid, tls: in this order on x86_64 only
    if platform.machine() != "x86_64":
        last.reverse()
    return syscall(SYS_CLONE, FLAGS, 0, ctypes.addressof(pidfd), *last, 0)


def clone(sandbox, group):
    """Returns (pid, pidfd) in the zygote, (0, -1) in the clone, (-1, errno) on failure. `sandbox`: the process in whose
    process namespace the clone shall be, or None; the next order says anew where."""
    if sandbox is not None and syscall(SYS_SETNS, sandbox, CLONE_NEWPID, 0, 0, 0, 0) != 0:
        return -1, ctypes.get_errno()
    pidfd = ctypes.c_int(-1)
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = raw_clone(pidfd, group)
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    error = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    return (pid, pidfd.value) if pid > 0 else (-1, error)


def arrange(descriptors, targets):
    """Puts the descriptors at their numbers, with /dev/null as standard input and the output also as standard error;
    everything else is closed. They come from DESCRIPTORS_END and above."""
    used = {0, 1, 2, CHILD_REPORTS}
    reports = os.dup(REPORTS)  # lands above: everything below is taken
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(reports, CHILD_REPORTS, inheritable=False)
    for descriptor, target in zip(descriptors, targets):
        os.dup2(descriptor, target, inheritable=target <= 2)
        used.add(target)
        if target == OUTPUT:
            os.dup2(descriptor, 2)
    for number in range(DESCRIPTORS_END):
        if number not in used:
            os.close(number)
    if syscall(SYS_CLOSE_RANGE, DESCRIPTORS_END, 0xFFFFFFFF, 0, 0, 0, 0) != 0:
        os.closerange(DESCRIPTORS_END, os.sysconf("SC_OPEN_MAX"))


def perform(count):
    """Does the operations of the order's plan, as perform.c does. Returns (step, errno) of the first that fails, or
    (STEP_NONE, 0)."""
    start = HEAD.size + count * OP.size
    address = ORDER_ADDRESS + start
    kept = 0
    for step, kind, flags, number, *a in OP.iter_unpack(order_view[HEAD.size : start]):
        if kind == OP_STORE_ADDRESS:
            U64.pack_into(order_bytes, start + a[0], address + a[1])
            continue
        if kind == OP_STORE_KEPT:
            U32.pack_into(order_bytes, start + a[0], kept)
            continue
        if flags:
            for index in range(6):
                if flags >> index & 1:
                    a[index] += address
                if flags >> (8 + index) & 1:
                    a[index] = kept
        if kind == OP_CALL_EACH:
            for value in range(a[5]):
                if syscall(number, a[0], value, a[2], a[3], a[4], 0) < 0:
                    return step, ctypes.get_errno()
            continue
        result = syscall(number, *a)
        if result < 0:
            return step, ctypes.get_errno()
        if kind == OP_CALL_KEEP:
            kept = result
    return STEP_NONE, 0


def shut_in(worker, count, descriptors, targets):
    """Shuts this process in as ordered and reports success; or the first failure, and ends."""
    reports, step, error = REPORTS, STEP_STREAMS, 0
    try:
        arrange(descriptors, targets)
        reports = CHILD_REPORTS
        os.umask(0o077)
        step, error = perform(count)
    except OSError as failure:
        error = failure.errno
    os.write(reports, REPORT.pack(worker, step, error))
    if step != STEP_NONE:
        os._exit(126)
    os.close(reports)


def become_worker(order, descriptors, orders, worker):
    """Never returns. `orders`: the socket the order came by."""
    try:
        # Its number is another's from here on.
        orders.detach()
        shut_in(order[0], order[1], descriptors, order[7])
        gc.enable()
        sys.argv = [""]
        # A function that asks for __main__ shall not find the zygote.
        sys.modules["__main__"] = types.ModuleType("__main__")
        worker.run(CHANNEL)
    except BaseException:  # a mistake of ours: into the worker's output, where the operator sees it
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(1)


# What is rehearsed as if it were a function's.
REHEARSED = """
import json
import os
def handler(event, context):
    return {"message": event["rawPath"]}
"""


def rehearse(worker, count):
    """Answers requests that nobody has sent, through a channel of its own, so that what the start and first request of
    a worker would bring about has happened: modules loaded late, code the interpreter has rewritten, pages copied."""
    module = {}
    exec(compile(REHEARSED, "rehearsed.py", "exec"), module)
    finder = importlib.machinery.FileFinder(
        os.path.dirname(os.__file__), (importlib.machinery.SourceFileLoader, [".py"]))
    if found := finder.find_spec("bisect"):
        found.loader.source_to_code(found.loader.get_data(found.origin), "rehearsed.py")
    os.environ.update(os.environ)
    near, far = socket.socketpair()
    actor = worker.Worker(far.detach())
    actor.body_max = worker.BODY_MAX
    actor.handler = module["handler"]
    logging.StreamHandler(actor.streams[1]).setFormatter(worker.LogFormatter(actor))
    fields = [worker.encode_field(name, value) for name, value in (
        (":method", "GET"), (":path", "/"), (":host", "localhost"), (":id", "rehearsal"), ("accept", "*/*"))]
    with near:
        for number in range(1, count + 1):
            body = worker.REQUEST_HEAD.pack(0, 0, len(fields)) + b"".join(fields)
            near.sendall(worker.frame(worker.REQUEST, number, 0, body, worker.LAST))
            actor.read()
            actor.run(actor.ready.popleft())
            near.recv(worker.BODY_MAX)
    actor.channel.socket.close()


def become_spare(launcher, worker, order, descriptors):
    """Waits for the order of a worker and becomes that. Never returns."""
    orders = socket.socket(fileno=descriptors[order[7].index(CHANNEL)])
    # The zygote's socket shall end with the zygote, and no number below DESCRIPTORS_END be free.
    os.dup2(DESCRIPTORS_END - 1, launcher.detach(), inheritable=False)
    for descriptor in descriptors:
        if descriptor != orders.fileno():
            os.close(descriptor)
    rehearse(worker, REHEARSALS_SPARE)
    taken = take_order(orders, socket.CMSG_SPACE(DESCRIPTORS_MAX * 4))
    if taken is None:
        os._exit(0)
    order, descriptors, error = taken
    if error:
        os.write(REPORTS, REPORT.pack(order[0], STEP_STREAMS, error))
        os._exit(126)
    become_worker(order, descriptors, orders, worker)


def take_order(launcher, space):
    """Waits for the next order: its head and its descriptors. None when the launcher hangs up."""
    length, extras, _flags, _address = launcher.recvmsg_into([order_view], space, socket.MSG_CMSG_CLOEXEC)
    if length == 0:
        return None
    descriptors = array.array("i")
    for level, kind, payload in extras:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(payload)
    order = HEAD.unpack_from(order_bytes)
    error = 0
    if length != HEAD.size + order[1] * OP.size + order[2]:
        error = EPROTO
    elif len(descriptors) != order[3]:
        error = EMFILE  # the kernel dropped some
    return order, descriptors, error


def serve(launcher, worker):
    """Takes orders until the launcher hangs up."""
    launcher.sendall(ANSWER.pack(0, os.getpid(), 0))
    space = socket.CMSG_SPACE(DESCRIPTORS_MAX * 4)
    while (taken := take_order(launcher, space)) is not None:
        order, descriptors, error = taken
        pid, pidfd = -1, error
        if not error:
            targets = order[7]
            sandbox = descriptors[targets.index(SANDBOX)] if order[5] else None
            group = descriptors[targets.index(GROUP)] if order[4] else None
            pid, pidfd = clone(sandbox, group)
            if pid == 0 and order[0] == SPARE:
                become_spare(launcher, worker, order, descriptors)
            elif pid == 0:
                become_worker(order, descriptors, launcher, worker)
        if pid > 0:
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", pidfd))]
            launcher.sendmsg([ANSWER.pack(order[0], pid, 0)], passed)
            os.close(pidfd)
        else:
            launcher.sendall(ANSWER.pack(order[0], -1, pidfd))
        for descriptor in descriptors:
            os.close(descriptor)


def fill_descriptors():
    """So that none that comes with an order has a number that a new process needs."""
    nothing = os.open("/dev/null", os.O_RDWR)
    while nothing < DESCRIPTORS_END - 1:
        nothing = os.dup(nothing)


def load_worker():
    """The parts of a worker as modules, and the last of them, worker.py. They came as one memory file: each part is
    the file's name, a line's end, its text and a NUL byte."""
    # pread: the file's position is shared with zygotes before this one.
    program = os.pread(WORKER_PROGRAM, os.fstat(WORKER_PROGRAM).st_size, 0)
    for part in program.split(b"\0")[:-1]:
        file, _, source = part.partition(b"\n")
        name = file.decode("ascii")
        module = types.ModuleType("taibai_" + name.removesuffix(".py"))
        module.__file__ = "taibai/" + name
        sys.modules[module.__name__] = module
        exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module


def main():
    sys.dont_write_bytecode = True
    for descriptor in (LAUNCHER, WORKER_PROGRAM, REPORTS):
        os.set_inheritable(descriptor, False)
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            # A Python built without it; functions that need it will say so.
            sys.stderr.write(f"taibai: the zygote of python3 goes without {name}: {error}\n")
    fill_descriptors()
    worker = load_worker()
    worker.AT_STARTUP = AT_STARTUP
    launcher = socket.socket(fileno=LAUNCHER)
    rehearse(worker, REHEARSALS_ONCE)
    # What exists now is shared with all clones; left out of collections, its pages stay shared.
    gc.collect()
    gc.freeze()
    gc.disable()
    serve(launcher, worker)


main()
