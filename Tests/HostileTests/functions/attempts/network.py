"""The network: the host's services, metadata, other families of sockets."""

import os
import socket
import subprocess

from marks import attempt


def connect(host, port, family=socket.AF_INET):
    def action():
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            client.connect((host, port))

    return f"connect to {host}:{port}", action


@attempt
def net_routes(_event):
    """layer: net-ns"""
    for host in ("169.254.169.254", "10.0.0.1", "192.168.0.1", "1.1.1.1"):
        yield connect(host, 80)
    yield connect("fe80::1", 80, socket.AF_INET6)
    yield connect("2606:4700:4700::1111", 80, socket.AF_INET6)

    def names():
        return socket.getaddrinfo("example.com", 80)

    yield "look up a name", names

    def interfaces():
        names = [name for _, name in socket.if_nameindex() if name != "lo"]
        return not names, names

    yield "see interfaces", interfaces


@attempt
def net_control_plane(event):
    """layer: net-ns"""
    yield connect("127.0.0.1", event["port"])
    yield connect("::1", event["port"], socket.AF_INET6)
    yield connect("localhost", event["port"])


@attempt
def net_abstract_unix(event):
    """layer: net-ns"""

    def action():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\0" + event["abstract"])

    yield "connect to an abstract socket of the host", action


@attempt
def net_raw_families(_event):
    """layer: seccomp"""
    families = {
        "packet": (17, socket.SOCK_RAW, 0), "netlink": (16, socket.SOCK_RAW, 0), "vsock": (40, socket.SOCK_STREAM, 0),
        "raw": (socket.AF_INET, socket.SOCK_RAW, 1), "raw6": (socket.AF_INET6, socket.SOCK_RAW, 58),
        "alg": (38, socket.SOCK_SEQPACKET, 0), "xdp": (44, socket.SOCK_RAW, 0), "bluetooth": (31, socket.SOCK_RAW, 1),
        "tipc": (30, socket.SOCK_STREAM, 0), "can": (29, socket.SOCK_RAW, 1), "key": (15, socket.SOCK_RAW, 2)}
    for name, (family, kind, protocol) in families.items():
        def action(family=family, kind=kind, protocol=protocol):
            socket.socket(family, kind, protocol).close()

        yield f"a socket of the family {name}", action


@attempt
def sh_dev_tcp(event):
    """layer: net-ns"""

    def action():
        result = subprocess.run(
            ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{event['port']} && echo open"], capture_output=True, text=True,
            timeout=5)
        return "open" not in result.stdout, result.stderr.strip()[-80:]

    yield "a shell's connection to the server", action


@attempt
def net_listen(event):
    """A listener in the worker must not be the host's: the test looks for it from outside."""
    listener = socket.socket()
    try:
        listener.bind(("0.0.0.0", event["listen"]))
        listener.listen()
        listener.settimeout(1)

        def action():
            try:
                listener.accept()
            except TimeoutError:
                return True, "nobody came"
            return False, "somebody came"

        yield "be reached from outside", action
    except OSError as error:
        yield "listen", lambda error=error: (True, os.strerror(error.errno))
    finally:
        listener.close()
