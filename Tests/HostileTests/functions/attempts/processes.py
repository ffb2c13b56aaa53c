"""Processes: of others, too many of its own, and such as will not end."""

import os
import signal
import subprocess
import threading
import time

from marks import attempt


@attempt
def proc_kill_everyone(event):
    """layer: pid-ns"""
    for name, pid in event["pids"].items():
        yield f"signal {name} ({pid})", lambda pid=pid: os.kill(pid, 0)
    yield "kill its init", lambda: os.kill(1, signal.SIGTERM)

    def others():
        seen = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                with open(f"/proc/{name}/comm") as file:
                    seen.append(file.read().strip())
        # What earlier attempts have started may still be there.
        foreign = [name for name in seen if name not in ("taibai-init", "taibai:attempts", "sleep", "bash")]
        return not foreign, foreign[:10]

    yield "see other processes", others


@attempt
def proc_ptrace(_event):
    """layer: seccomp"""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def action():
        child = subprocess.Popen(["sleep", "5"])
        try:
            if libc.ptrace(16, child.pid, 0, 0) < 0:
                raise OSError(ctypes.get_errno(), "ptrace")
        finally:
            child.kill()
            child.wait()

    yield "attach to a child", action

    def memory():
        with open("/proc/1/mem", "rb"):
            return False, "opened"

    yield "open the memory of its init", memory


@attempt
def proc_setuid_binaries(_event):
    """layer: nnp"""

    def action():
        from_su = subprocess.run(
            ["find", "/usr/bin", "-perm", "-4000"], capture_output=True, text=True, timeout=10).stdout.split()
        for path in from_su:
            if path.endswith(("/su", "/mount", "/passwd")):
                result = subprocess.run(
                    [path, "-c", "id -u"], capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
                if result.stdout.strip() == "0":
                    return False, path
        with open("/proc/self/status") as file:
            lines = dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
        return lines["NoNewPrivs"] == "1", lines["NoNewPrivs"]

    yield "become root by a program", action


def forks(count):
    """Forks up to `count` children that wait; refused when not all could be made."""
    made = []
    try:
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                time.sleep(10)
                os._exit(0)
            made.append(pid)
    except OSError:
        return True, f"{len(made)} processes"
    finally:
        for pid in made:
            os.kill(pid, signal.SIGKILL)
        for pid in made:
            os.waitpid(pid, 0)
    return False, f"{len(made)} processes"


@attempt
def proc_fork_bomb(_event):
    """layer: processes"""
    yield "300 processes at once", lambda: forks(300)


@attempt
def proc_fork_bomb_shell(_event):
    """layer: processes"""

    def action():
        script = "i=0; while [ $i -lt 300 ]; do sleep 3 & i=$((i+1)); done; echo all"
        try:
            result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=8)
        except subprocess.TimeoutExpired:
            return True, "the shell tries on and on"
        return "all" not in result.stdout or "fork" in result.stderr, result.stderr[-100:]

    yield "300 processes of a shell", action


@attempt
def proc_thread_bomb(_event):
    """layer: processes"""

    def action():
        stop = threading.Event()
        threads = []
        try:
            for _ in range(300):
                thread = threading.Thread(target=stop.wait, daemon=True)
                thread.start()
                threads.append(thread)
        except RuntimeError:
            return True, f"{len(threads)} threads"
        finally:
            stop.set()
        return False, f"{len(threads)} threads"

    yield "300 threads", action


@attempt
def fd_exhaust(_event):
    """layer: rlimits"""

    def action():
        opened = []
        try:
            while len(opened) < 5000:
                opened.append(os.open("/dev/null", os.O_RDONLY))
        finally:
            for descriptor in opened:
                os.close(descriptor)
        return False, f"{len(opened)} descriptors"

    yield "5,000 descriptors", action
