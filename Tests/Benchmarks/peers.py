"""Other ways to serve the same Python functions on this machine, installed from PyPI into a folder of their own."""

import subprocess
import venv

import rig

# As many processes as the machine has cores, where a peer has such a setting: what its own documentation advises.
# pyuwsgi is uWSGI, compiled.
PACKAGES = ("granian", "uvicorn", "httptools", "uvloop", "functions-framework", "gunicorn", "pyuwsgi")
# Each serves no-op at /, the function of 5 ms at /cpu and the body itself at /echo.
MODULE = rig.BURN + '''

BODY = b'{"message": "Hello, world!"}'
JSON, BINARY = "application/json", "application/octet-stream"


def answer(path, body):
    """The type and the body of the answer."""
    if path == "/echo":
        return BINARY, body
    if path == "/cpu":
        burn()
    return JSON, BODY


def wsgi(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    kind, body = answer(environ["PATH_INFO"], environ["wsgi.input"].read(length) if length else b"")
    start_response("200 OK", [("content-type", kind), ("content-length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    pieces, more = [], scope["path"] == "/echo"
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    kind, body = answer(scope["path"], b"".join(pieces))
    head = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def function(request):
    kind, body = answer(request.path, request.get_data())
    return body, 200, {"content-type": kind}
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


def commands(port, cores):
    """How each is started, by its name."""
    port, cores, threads = str(port), str(cores), str(4 * cores)
    return {
        "granian, WSGI": [
            "granian", "--interface", "wsgi", "--port", port, "--workers", cores, "--no-access-log", "peer:wsgi"],
        "uvicorn, raw ASGI": [
            "uvicorn", "--port", port, "--workers", cores, "--no-access-log", "--log-level", "warning", "peer:asgi"],
        "gunicorn, WSGI": ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", cores, "peer:wsgi"],
        "uwsgi": [
            "uwsgi", "--http", f"127.0.0.1:{port}", "--http-keepalive", "--master", "--die-on-term", "--processes",
            cores, "--listen", "1024", "--module", "peer:wsgi", "--disable-logging"],
        "functions-framework": [
            "functions-framework", "--target", "function", "--source", "peer.py", "--port", port, "--host",
            "127.0.0.1"],
        # The threads are what the framework itself gives gunicorn; without them it is slower.
        "functions-framework, workers": [
            "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", cores, "--threads", threads,
            "functions_framework:create_app('function', 'peer.py')"],
    }


class Peer(rig.Server):
    """One of them, on a port of its own."""

    def __init__(self, home, name, cores):
        port = rig.free_port()
        program, *arguments = commands(port, cores)[name]
        self.port, self.url = port, f"http://127.0.0.1:{port}/"
        with open(home / f"{name}.log", "wb") as log:
            self.start([home / "bin" / program, *arguments], log, cwd=home)
        self.wait_until(name, lambda: rig.answers(port))


NAMES = tuple(commands(0, 1))
