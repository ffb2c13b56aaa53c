"""Other ways to serve the same Python function on this machine, installed from PyPI into a folder of their own."""

import subprocess
import venv

import rig

# As many processes as the machine has cores, where a peer has such a setting: what its own documentation advises.
PACKAGES = ("granian", "uvicorn", "httptools", "uvloop", "functions-framework")
MODULE = '''
BODY = b'{"message": "Hello, world!"}'
HEAD = [("content-type", "application/json"), ("content-length", str(len(BODY)))]
RAW_HEAD = [(name.encode(), value.encode()) for name, value in HEAD]


def wsgi(_environ, start_response):
    start_response("200 OK", HEAD)
    return [BODY]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": RAW_HEAD})
    await send({"type": "http.response.body", "body": BODY})


def function(_request):
    return BODY, 200, {"content-type": "application/json"}
'''


def install(folder):
    """Makes the folder `peers` with the packages in it. Takes a minute, and needs PyPI."""
    home = folder / "peers"
    venv.create(home, with_pip=True)
    subprocess.run([home / "bin/pip", "install", "--quiet", *PACKAGES], check=True)
    (home / "peer.py").write_text(MODULE)
    return home


def versions(home):
    """Of each package, as pip tells them."""
    text = rig.output(str(home / "bin/pip"), "list", "--format=freeze")
    found = dict(line.split("==") for line in text.splitlines() if "==" in line)
    return {name: found[name] for name in PACKAGES if name in found}


class Peer(rig.Server):
    """One of them, on a port of its own."""

    def __init__(self, home, name, cores):
        port = rig.free_port()
        programs = home / "bin"
        command = {
            "granian, WSGI": [
                programs / "granian", "--interface", "wsgi", "--port", str(port), "--workers", str(cores),
                "--no-access-log", "peer:wsgi"],
            "uvicorn, raw ASGI": [
                programs / "uvicorn", "--port", str(port), "--workers", str(cores), "--no-access-log", "--log-level",
                "warning", "peer:asgi"],
            "functions-framework": [
                programs / "functions-framework", "--target", "function", "--source", "peer.py", "--port", str(port),
                "--host", "127.0.0.1"],
        }[name]
        self.url = f"http://127.0.0.1:{port}/"
        with open(home / f"{name.split(',')[0]}.log", "wb") as log:
            self.start(command, log, cwd=home)
        self.wait_until(name, lambda: rig.answers(port))


NAMES = ("granian, WSGI", "uvicorn, raw ASGI", "functions-framework")
