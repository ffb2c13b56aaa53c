"""Files: reading the host's and other functions', writing code and system, filling disks."""

import os
import tempfile

from marks import attempt


def read(path):
    def action():
        with open(path, "rb") as file:
            return file.read(64)

    return f"read {path}", action


def listing(path):
    """Refused, or empty."""

    def action():
        names = os.listdir(path)
        return not names, names[:5]

    return f"list {path}", action


def write(path):
    def action():
        with open(path, "ab") as file:
            file.write(b"x")
        os.unlink(path)

    return f"write {path}", action


@attempt
def fs_read_host_files(event):
    """layer: root"""
    yield from map(read, ("/etc/shadow", "/etc/hostname", "/root/.bashrc", "/proc/1/environ", "/boot/config",
                          "/var/log/dpkg.log", "/var/lib/dpkg/status", event.get("host_file", "/etc/machine-id")))
    yield from map(listing, ("/root", "/home", "/var/lib", "/var/log", "/sys", "/boot", "/mnt", "/media", "/opt/data"))


@attempt
def fs_read_other_function(event):
    """layer: root"""
    yield from map(listing, (event["data"], event["data"] + "/packages", "/run/taibai"))

    def packages():
        # Its own package and nothing beside it.
        found = [name for name in os.listdir("/var/task/..") if name != "task"]
        return not found, found

    yield "look beside its own package", packages
    for pid in range(1, 40):
        for place in ("root", "cwd"):
            path = f"/proc/{pid}/{place}{event['data']}/packages"
            if os.path.exists(path):
                yield listing(path)


@attempt
def fs_symlink_out(event):
    """layer: root"""
    for number, target in enumerate(("/etc/shadow", event["data"] + "/taibai.sqlite", "/proc/1/root/etc/shadow")):
        link = f"{tempfile.gettempdir()}/link{number}"
        if not os.path.lexists(link):
            os.symlink(target, link)
        yield read(link)


@attempt
def fs_write_code_and_system(_event):
    """layer: root"""
    yield from map(write, ("/var/task/x", "/usr/x", "/usr/bin/x", "/etc/x", "/x", "/dev/x", "/run/x", "/proc/x",
                           "/run/secrets/x", "/usr/lib/python3/x"))
    yield "change its own code", lambda: os.chmod("/var/task/main.py", 0o777)
    yield "remove its own code", lambda: os.unlink("/var/task/main.py")
    yield "rename a system folder", lambda: os.rename("/usr/bin", "/usr/bin2")
    yield "give a file away", lambda: os.chown("/tmp", 0, 0)


@attempt
def fs_devices(_event):
    """layer: root"""
    for name in ("mem", "kmsg", "vda", "sda", "kvm", "fuse", "net/tun", "ptmx", "vsock", "vhost-vsock", "loop0", "tty"):
        yield read(f"/dev/{name}")
    yield "make a device", lambda: os.mknod("/tmp/device", 0o20666, os.makedev(1, 1))
    yield "make a block device", lambda: os.mknod("/tmp/block", 0o60666, os.makedev(254, 0))


def fill(path, size, limit):
    """Writes up to `limit` bytes; refused when the disk was full before."""

    def action():
        written = 0
        block = b"x" * size
        try:
            with open(path, "wb", buffering=0) as file:
                while written < limit:
                    written += file.write(block)
        finally:
            os.unlink(path)
        return False, f"{written} bytes"

    return f"fill {path}", action


@attempt
def fs_fill_disk(_event):
    """layer: tmpfs"""
    yield fill("/tmp/big", 1 << 20, 300 << 20)
    yield fill("/dev/shm/big", 1 << 20, 300 << 20)


@attempt
def fs_fill_inodes(_event):
    """layer: tmpfs"""

    def action():
        made = 0
        os.mkdir("/tmp/inodes")
        try:
            for made in range(20_000):
                os.close(os.open(f"/tmp/inodes/{made}", os.O_CREAT | os.O_WRONLY))
        finally:
            for number in range(made):
                os.unlink(f"/tmp/inodes/{number}")
            for name in os.listdir("/tmp/inodes"):
                os.unlink(f"/tmp/inodes/{name}")
            os.rmdir("/tmp/inodes")
        return False, f"{made} files"

    yield "make 20,000 files", action


@attempt
def fs_big_sparse_file(_event):
    """layer: rlimits"""

    def action():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with open("/tmp/sparse", "wb") as file:
            try:
                file.truncate(1 << 40)
            finally:
                os.unlink("/tmp/sparse")

    yield "make a file of 1 TiB", action
