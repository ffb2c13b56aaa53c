"""The python3 zygote: loads what workers need once, then clones itself for each worker that the launcher orders.

It never runs code of a function. A clone is a child of the launcher (CLONE_PARENT), shuts itself in as ordered, reports
that, and becomes a worker (worker.py). Orders, answers and reports are the structures of Sources/CLauncher/internal.h;
child.c takes the same steps for other runtimes.
"""

import sys

# A package's module may have the name of one that is loaded here; worker.py then lets it go first.
AT_STARTUP = frozenset(sys.modules)

import array
import ctypes
import gc
import importlib
import os
import platform
import resource
import signal
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
CHANNEL = 3

RLIMITS_MAX = 8
ORDER = struct.Struct("<QIiII" + "IIQ" * RLIMITS_MAX)  # worker, level, launcher, count, 0, (resource, step, value)…
ANSWER = struct.Struct("<Qii")  # worker, pid, errno
REPORT = struct.Struct("<QIi")  # worker, step, errno
DESCRIPTORS = 3  # channel, output, package directory

# Steps of a new process, as in Sources/CLauncher/include/launcher.h.
STEP_NONE, STEP_SESSION, STEP_PARENT_DEATH = 0, 12, 13
STEP_STREAMS, STEP_WORKING_DIRECTORY = 15, 16

# Source: linux/sched.h, linux/prctl.h; clone3 and close_range have one number on all architectures.
CLONE_PIDFD, CLONE_PARENT, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x1000, 0x8000, 0x200000, 0x1000000
SYS_CLONE3, SYS_CLOSE_RANGE = 435, 436
SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
PR_SET_PDEATHSIG, PR_GET_TID_ADDRESS = 1, 40
ENOSYS = 38

# PyDLL keeps the interpreter's lock during a call, so a clone returns into an interpreter that it holds.
libc = ctypes.PyDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class CloneArguments(ctypes.Structure):
    """struct clone_args of clone3(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in (
        "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls")]


def thread_id_address():
    """Where glibc keeps this thread's id: clones get theirs written there, as fork(2) would do it. 0: unknown."""
    address = ctypes.c_void_p(0)
    return (address.value or 0) if libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(address)) == 0 else 0


THREAD_ID = thread_id_address()
FLAGS = CLONE_PARENT | CLONE_PIDFD | ((CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID) if THREAD_ID else 0)


def raw_clone(pidfd):
    """clone3, or clone where that is refused (Docker's default profile). exit_signal 0: CLONE_PARENT demands it, and
    the child has the zygote's own, SIGCHLD."""
    arguments = CloneArguments(flags=FLAGS, pidfd=ctypes.addressof(pidfd), child_tid=THREAD_ID)
    pid = libc.syscall(SYS_CLONE3, ctypes.byref(arguments), ctypes.c_size_t(ctypes.sizeof(arguments)))
    if pid >= 0 or ctypes.get_errno() != ENOSYS or SYS_CLONE is None:
        return pid
    last = [ctypes.c_long(THREAD_ID), ctypes.c_long(0)]  # child_tid, tls: in this order on x86_64 only
    if platform.machine() != "x86_64":
        last.reverse()
    return libc.syscall(SYS_CLONE, ctypes.c_long(FLAGS), None, ctypes.byref(pidfd), *last)


def clone():
    """Returns (pid, pidfd) in the zygote, (0, -1) in the clone, (-1, errno) on failure."""
    pidfd = ctypes.c_int(-1)
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = raw_clone(pidfd)
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    error = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    return (pid, pidfd.value) if pid > 0 else (-1, error)


def die_with(launcher):
    """Ends with the launcher; it may have gone before that was in place, so its pid is compared afterwards."""
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != launcher:
        raise ProcessLookupError(3, "the launcher is gone")


def arrange_streams(channel, output):
    """0 is /dev/null, 1 and 2 the output pipe, 3 the channel; only the report pipe stays beside them."""
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(channel, CHANNEL, inheritable=False)
    if libc.syscall(SYS_CLOSE_RANGE, REPORTS + 1, ctypes.c_uint(0xFFFFFFFF), 0) != 0:
        os.closerange(REPORTS + 1, os.sysconf("SC_OPEN_MAX"))
    os.closerange(CHANNEL + 1, REPORTS)


def shut_in(order, channel, output, directory):
    """The steps of a new process, in the order of child.c. Reports success, or the first failure and ends."""
    worker, _level, launcher, count = order[:4]
    step = STEP_SESSION
    try:
        os.setsid()
        step = STEP_PARENT_DEATH
        die_with(launcher)
        step = STEP_WORKING_DIRECTORY
        os.fchdir(directory)
        step = STEP_STREAMS
        arrange_streams(channel, output)
        os.umask(0o077)
        for index in range(count):
            which, step, value = order[5 + 3 * index : 8 + 3 * index]
            try:
                resource.setrlimit(which, (value, value))
            except ValueError:
                # The module's word for EPERM: above the hard limit.
                raise PermissionError(1, "setrlimit") from None
    except OSError as error:
        os.write(REPORTS, REPORT.pack(worker, step, error.errno))
        os._exit(126)
    os.write(REPORTS, REPORT.pack(worker, STEP_NONE, 0))
    os.close(REPORTS)


def become_worker(order, descriptors, launcher, worker):
    """Never returns."""
    try:
        # Its number, 3, is the channel's from here on.
        launcher.detach()
        shut_in(order, *descriptors)
        gc.enable()
        sys.argv = [""]
        # A function that asks for __main__ shall not find the zygote.
        sys.modules["__main__"] = types.ModuleType("__main__")
        worker.run(CHANNEL)
    except BaseException:  # a mistake of ours: into the worker's output, where the operator sees it
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(1)


def serve(launcher, worker):
    """Takes orders until the launcher hangs up."""
    launcher.sendall(ANSWER.pack(0, os.getpid(), 0))
    space = socket.CMSG_SPACE(DESCRIPTORS * 4)
    while True:
        message, extras, _flags, _address = launcher.recvmsg(ORDER.size, space, socket.MSG_CMSG_CLOEXEC)
        if not message:
            return
        descriptors = array.array("i")
        for level, kind, payload in extras:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload)
        order = ORDER.unpack(message)
        if len(descriptors) == DESCRIPTORS:
            pid, pidfd = clone()
            if pid == 0:
                become_worker(order, descriptors, launcher, worker)
        else:
            pid, pidfd = -1, 24  # EMFILE: the kernel dropped some
        for descriptor in descriptors:
            os.close(descriptor)
        if pid > 0:
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", pidfd))]
            launcher.sendmsg([ANSWER.pack(order[0], pid, 0)], passed)
            os.close(pidfd)
        else:
            launcher.sendall(ANSWER.pack(order[0], -1, pidfd))


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
    worker = load_worker()
    worker.AT_STARTUP = AT_STARTUP
    launcher = socket.socket(fileno=LAUNCHER)
    # What exists now is shared with all clones; left out of collections, its pages stay shared.
    gc.collect()
    gc.freeze()
    gc.disable()
    serve(launcher, worker)


main()
