"""The kernel's surface: calls that no function needs, namespaces, foreign calls, limits, clocks."""

import ctypes
import mmap
import os
import platform
import resource
import signal
import time

from marks import attempt

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
IS_X86 = platform.machine() == "x86_64"


def call(name, x86, arm, *arguments):
    def action():
        number = x86 if IS_X86 else arm
        if number is None:
            return True, "not on this architecture"
        result = libc.syscall(ctypes.c_long(number), *(
            argument if argument is None or isinstance(argument, (bytes, ctypes._SimpleCData)) else
            ctypes.c_long(argument) for argument in arguments))
        if result < 0:
            code = ctypes.get_errno()
            # These mean that the call was looked at, not refused.
            return code in (1, 38, 13), os.strerror(code)
        return False, result

    return name, action


@attempt
def kern_surface(_event):
    """layer: seccomp"""
    yield call("keyctl", 250, 219, 0, -3, 0, 0, 0)
    yield call("add_key", 248, 217, b"user", b"x", b"y", 1, -3)
    yield call("request_key", 249, 218, b"user", b"x", None, -3)
    yield call("bpf", 321, 280, 0, None, 0)
    yield call("io_uring_setup", 425, 425, 1, None)
    yield call("perf_event_open", 298, 241, None, 0, -1, -1, 0)
    yield call("userfaultfd", 323, 282, 1)
    yield call("personality", 135, 92, 0x0040000)
    yield call("modify_ldt", 154, None, 0, None, 0)
    yield call("kexec_load", 246, 104, 0, 0, None, 0)
    yield call("init_module", 175, 105, None, 0, b"")
    yield call("open_by_handle_at", 304, 265, -1, None, 0)
    yield call("name_to_handle_at", 303, 264, -100, b"/", None, None, 0)
    yield call("fanotify_init", 300, 262, 0, 0)
    yield call("process_vm_readv", 310, 270, 1, None, 0, None, 0, 0)
    yield call("kcmp", 312, 272, 1, 1, 0, 0, 0)
    yield call("quotactl", 179, 60, 0, None, 0, None)
    yield call("syslog", 103, 116, 10, None, 0)
    yield call("iopl", 172, None, 3)
    yield call("mbind", 237, 235, None, 0, 0, None, 0, 0)
    yield call("pidfd_getfd", 438, 438, -1, 0, 0)
    yield call("a call to come", 600, 600)
    yield call("clone3", 435, 435, None, 0)


@attempt
def kern_namespaces(_event):
    """layer: seccomp"""
    for name, flag in (("user", 0x10000000), ("pid", 0x20000000), ("mount", 0x20000), ("net", 0x40000000),
                       ("ipc", 0x8000000), ("uts", 0x4000000), ("cgroup", 0x2000000)):
        yield call(f"unshare {name}", 272, 97, flag)

        def clone(flag=flag):
            pid = libc.syscall(ctypes.c_long(56 if IS_X86 else 220), ctypes.c_long(flag | 17), None, None, None, None)
            if pid == 0:
                os._exit(0)
            if pid < 0:
                raise OSError(ctypes.get_errno(), "clone")
            os.waitpid(pid, 0)
            return pid

        yield f"clone {name}", clone
    yield call("mount", 165, 40, b"none", b"/tmp", b"tmpfs", 0, None)
    yield call("bind mount", 165, 40, b"/usr", b"/tmp", None, 4096, None)
    yield call("umount2", 166, 39, b"/proc", 2)
    yield call("umount2 of the package", 166, 39, b"/var/task", 2)
    yield call("pivot_root", 155, 41, b"/tmp", b"/tmp")
    yield call("chroot", 161, 51, b"/tmp")
    yield call("setns", 308, 268, 0, 0)
    yield call("open_tree", 428, 428, -100, b"/", 1)
    yield call("move_mount", 429, 429, -100, b"/", -100, b"/tmp", 0)
    yield call("fsopen", 430, 430, b"tmpfs", 0)
    yield call("mount_setattr", 442, 442, -100, b"/", 0, None, 0)
    yield call("sethostname", 170, 161, b"x", 1)


@attempt
def kern_i386_syscalls(_event):
    """layer: seccomp"""

    def action():
        if not IS_X86:
            return True, "not on this architecture"
        # mov eax, 20 (getpid of i386); int 0x80; ret
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        pid = os.fork()
        if pid == 0:
            ctypes.CFUNCTYPE(ctypes.c_int)(address)()
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        return os.WIFSIGNALED(status), f"status {status}"

    yield "a call of i386", action


@attempt
def kern_tiocsti(_event):
    """layer: seccomp"""

    def action():
        result = libc.ioctl(0, 0x5412, b"x")
        code = ctypes.get_errno()
        return result < 0 and code in (1, 13), os.strerror(code)

    yield "type into a terminal", action


@attempt
def kern_priorities(_event):
    """layer: caps"""
    yield "be more important", lambda: os.nice(-5)
    yield "real-time scheduling", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    for name in ("RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK"):
        def action(name=name):
            which = getattr(resource, name)
            resource.setrlimit(which, (resource.getrlimit(which)[1] + 1,) * 2)

        yield f"raise {name}", action

    def oom():
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-500")

    yield "be spared in want of memory", oom


@attempt
def kern_cgroup_escape(_event):
    """layer: root"""
    for path in ("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/tasks", "/sys/fs/cgroup/unified/cgroup.procs"):
        def action(path=path):
            with open(path, "w") as file:
                file.write("0")

        yield f"write {path}", action


@attempt
def kern_clock_host(_event):
    """layer: caps"""
    yield "set the clock", lambda: time.clock_settime(time.CLOCK_REALTIME, time.time() + 1)
    yield "name the host", lambda: __import__("socket").sethostname("evil")
    yield call("reboot", 169, 142, 0xfee1dead, 672274793, 0, None)
