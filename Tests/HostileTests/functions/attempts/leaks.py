"""What a worker might find of the server, of its makers, and of executions before."""

import os

from marks import attempt

SERVERS_WORDS = ("TAIBAI_DATA", "TOKEN", "SECRET", "LD_LIBRARY_PATH", "TAIBAI_TEST")


@attempt
def leak_env(_event):
    """layer: environment"""

    def action():
        found = [name for name in os.environ if any(word in name for word in SERVERS_WORDS)]
        return not found, found

    yield "variables of the server", action

    def initial():
        with open("/proc/self/environ", "rb") as file:
            text = file.read()
        return not any(word.encode() in text for word in SERVERS_WORDS), text[:80]

    yield "variables of the zygote", initial


@attempt
def leak_fds(_event):
    """layer: fds"""

    def action():
        found = {}
        for name in os.listdir("/proc/self/fd"):
            try:
                found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
            except FileNotFoundError:
                continue  # the one by which the list was read
        extra = {number: link for number, link in found.items() if number > 3}
        return not extra and found[0] == "/dev/null" and found[3].startswith("socket:"), found

    yield "descriptors beside its own", action


@attempt
def leak_ids(_event):
    """layer: uid"""
    yield "be root", lambda: (os.getuid() != 0 and os.geteuid() != 0 and 0 not in os.getresuid(), os.getresuid())
    yield "be in root's group", lambda: (0 not in os.getresgid() and 0 not in os.getgroups(), os.getgroups())
    yield "become root", lambda: os.setuid(0)

    def capabilities():
        with open("/proc/self/status") as file:
            found = {line.split()[0]: line.split()[1] for line in file if line.startswith("Cap")}
        return set(found.values()) == {"0000000000000000"}, found

    yield "have capabilities", capabilities


@attempt
def leak_proc(_event):
    """layer: pid-ns"""
    for name in ("kallsyms", "kcore", "keys", "sched_debug", "modules", "cmdline", "sys/kernel/version", "meminfo",
                 "net/tcp", "bus", "interrupts"):
        def action(name=name):
            path = f"/proc/{name}"
            if os.path.isdir(path):
                return not os.listdir(path), "a folder"
            with open(path, "rb") as file:
                return False, file.read(20)

        yield f"read /proc/{name}", action


@attempt
def state_random(_event):
    """No attempt by itself: the test compares what two workers draw."""
    import random
    import secrets
    import ssl
    import uuid

    drawn = [random.random(), str(uuid.uuid4()), os.urandom(8).hex(), secrets.token_hex(8), ssl.RAND_bytes(8).hex()]
    yield "draw", lambda: (True, drawn)


@attempt
def state_marker(event):
    """No attempt by itself: the test looks for the mark of one worker in another."""

    def action():
        found = sorted(os.listdir("/tmp")) + sorted(os.listdir("/dev/shm"))
        marks = [name for name in found if name.startswith("mark")]
        with open("/tmp/mark-" + event["mark"], "w") as file:
            file.write("x")
        return True, marks

    yield "leave a mark", action
