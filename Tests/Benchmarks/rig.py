"""The servers under load, each on a port of its own, and what is known of the machine."""

import contextlib
import http.client
import json
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import time

GROUPS = pathlib.Path("/sys/fs/cgroup")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NGINX_CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{body}'; }} }}
}}
"""
# As long as the answer of hello-python.
NGINX_BODY = '{"message": "Hello, world!"}'
# Uses a processor for 5 ms, however often it is interrupted. The peers run the same text.
BURN = """
import time


def burn():
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        pass
"""
# The functions under load, by name: the files of each package. No log is written, as the peers write none.
FUNCTIONS = {
    "noop": {
        "function.yaml": "name: noop\nruntime: python3\nhandler: main.handler\n",
        "main.py": "def handler(event, context):\n    return {'message': 'Hello, world!'}\n",
    },
    "cpu": {
        "function.yaml": "name: cpu\nruntime: python3\nhandler: main.handler\n",
        "main.py": BURN + "\n\ndef handler(event, context):\n    burn()\n    return {}\n",
    },
    # A body that is no text comes as base64, and goes back as it came.
    "echo": {
        "function.yaml": "name: echo\nruntime: python3\nhandler: main.handler\n",
        "main.py": """
def handler(event, context):
    return {
        "statusCode": 200, "headers": {"content-type": "application/octet-stream"},
        "body": event["body"], "isBase64Encoded": event["isBase64Encoded"],
    }
""",
    },
    # The same without base64: piece by piece, as it comes.
    "echo-stream": {
        "function.yaml": "name: echo-stream\nruntime: python3\nhandler: main.handler\n",
        "main.py": """
def handler(event, context):
    return {
        "statusCode": 200, "headers": {"content-type": "application/octet-stream"},
        "body": (piece for piece in context.body),
    }


handler.streaming = True
""",
    },
    "cat": {
        "function.yaml": "name: cat\nruntime: exec\nhandler: handler\ntimeout: 10m\nbodyMax: 1GiB\n",
        "handler": "#!/bin/sh\nexec cat\n",
    },
}


class Server:
    """A child process that listens on 127.0.0.1 and ends with the `with` block."""

    process = None

    def start(self, command, log, cwd=None):
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def wait_until(self, what, is_so, seconds=30):
        end = time.monotonic() + seconds
        while not is_so():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"error: {what} did not come")
            time.sleep(0.005)

    def family(self):
        """The names of the process and of all below it, by their ids."""
        names, parents = {}, {}
        for process, parent, name in processes():
            names[process], parents[process] = name, parent

        def is_below(process):
            while process in parents and process != self.process.pid:
                process = parents[process]
            return process == self.process.pid

        return {process: name for process, name in names.items() if is_below(process)}

    def texts(self, file):
        """What that file of /proc says about each of them that still lives."""
        for process in self.family():
            try:
                yield (pathlib.Path("/proc") / str(process) / file).read_text()
            except OSError:  # it has just ended; its parent has waited for it, and has its time
                continue

    def cpu_seconds(self):
        """Processor time of all of them, and of those that have ended and been waited for. Source: proc_pid_stat(5)."""
        ticks = 0
        for text in self.texts("stat"):
            ticks += sum(int(field) for field in text.rpartition(")")[2].split()[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Proportional memory (PSS) of all of them, in MiB."""
        return sum(sizes(text).get("Pss", 0) for text in self.texts("smaps_rollup"))

    def activity(self):
        """Of each thread of all of them, by process and thread: its process's name, how often it has slept and was
        woken, and the processor time it has used, in ns.
        Source: voluntary_ctxt_switches of proc_pid_status(5); Linux, Documentation/scheduler/sched-stats.rst."""
        found = {}
        for process, name in self.family().items():
            for thread in pathlib.Path(f"/proc/{process}/task").glob("*"):
                try:
                    status, schedule = (thread / "status").read_text(), (thread / "schedstat").read_text()
                except OSError:  # it has just ended
                    continue
                switches = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE).group(1)
                found[process, thread.name] = name, int(switches), int(schedule.split()[0])
        return found

    def is_at_rest(self, seconds=0.5):
        """Whether nothing of it runs for so long."""
        before = self.activity()
        time.sleep(seconds)
        return self.activity() == before


class Nginx(Server):
    """nginx with one worker that returns a constant: about what a single thread can serve on this machine."""

    def __init__(self, folder):
        port = free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX_CONFIGURATION.format(folder=folder, port=port, body=NGINX_BODY))
        self.url = f"http://127.0.0.1:{port}/"
        with open(folder / "nginx.out", "wb") as log:
            self.start(["nginx", "-p", str(folder), "-c", str(configuration)], log)
        self.wait_until("nginx", lambda: answers(port))


class Taibai(Server):
    """The server under test. Its folder may be that of one before, whose data it then goes on with."""

    def __init__(self, binary, folder, isolation="sealed"):
        self.binary, self.folder, self.deployed = str(binary), folder, set()
        self.folder.mkdir(exist_ok=True)
        log = self.folder / "taibai.log"
        begin = time.monotonic()
        with open(log, "wb") as file:
            self.start([
                self.binary, "serve", "--listen", "127.0.0.1:0", "--isolation", isolation, "--data",
                str(self.folder / "data")], file)
        self.wait_until("taibai's listener", lambda: re.search(r"url=(http://\S+)", log.read_text()))
        self.url = re.search(r"url=(http://\S+)", log.read_text()).group(1)
        self.port = int(self.url.rpartition(":")[2])
        self.wait_until("taibai's health", lambda: self.call("GET", "/healthz")[0] == 200)
        # From its start until it answered.
        self.start_seconds = time.monotonic() - begin

    def deploy(self, folder):
        """Deploys what several workloads may ask for. A second version would only have workers of the first drain."""
        if folder.name in self.deployed:
            return
        subprocess.run(
            [self.binary, "deploy", str(folder), "--server", self.url, "-o", "name"], check=True,
            stdout=subprocess.DEVNULL)
        self.deployed.add(folder.name)

    def deploy_own(self, name):
        """One of FUNCTIONS."""
        self.deploy(write_function(self.folder, name))

    def function(self, name):
        """The address of a function."""
        return f"{self.url}/function/{name}"

    def call(self, method, path, body=None):
        """Status and JSON of a call of the control API."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def pool(self, function):
        pools = self.call("GET", "/v1/pools")[1]["pools"]
        return next((pool for pool in pools if pool["function"] == function), None)

    def workers(self, function):
        """The process ids of a function's workers."""
        name = f"taibai:{function}"[:15]
        return [process for process, found in self.family().items() if found == name]

    def remove_workers(self, function):
        """Kills the idle workers of a function and waits until the server has seen it."""
        for worker in self.workers(function):
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(worker, signal.SIGKILL)
        self.wait_until(f"the end of {function}'s workers", lambda: is_empty(self.pool(function)))

    def launchers(self):
        """The children of the server."""
        return [process for process, parent, _name in processes() if parent == self.process.pid]

    def left(self):
        """What workers could leave behind, counted: what is below the server, and what is the launchers'."""
        launchers = self.launchers()
        groups = {folder for one in launchers for folder in GROUPS.glob(f"**/taibai-{one}")}
        return {
            "processes": len(self.family()),
            "mounts": sum(len(lines(f"/proc/{one}/mountinfo")) for one in launchers),
            "descriptors": sum(len(os.listdir(f"/proc/{one}/fd")) for one in [*launchers, self.process.pid]),
            "control groups": sum(len(below) for group in groups for _, below, _ in os.walk(group)),
            "temporary folders": sum(len(list(pathlib.Path("/tmp").glob(f"taibai-{one}/*"))) for one in launchers),
        }


def write_function(folder, name):
    """Writes one of FUNCTIONS into a folder of its name, for a deploy."""
    package = folder / name
    package.mkdir(exist_ok=True)
    for file, text in FUNCTIONS[name].items():
        (package / file).write_text(text)
        if text.startswith("#!"):
            (package / file).chmod(0o755)
    return package


def is_empty(pool):
    return pool is None or not any(pool[key] for key in ("ready", "busy", "starting", "draining"))


def sizes(text):
    """What smaps_rollup or status of a process tells of its memory, in MiB by name.
    Source: proc_pid_smaps(5), proc_pid_status(5)."""
    return {name: int(size) / 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def sizes_of(process, file):
    return sizes(pathlib.Path(f"/proc/{process}/{file}").read_text())


def lines(path):
    return pathlib.Path(path).read_text().splitlines()


def processes():
    """(id, parent, name) of every process. Source: proc(5)."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it has just ended
                continue
            name, _, fields = text.partition("(")[2].rpartition(")")
            yield int(entry.name), int(fields.split()[1]), name


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def output(*command, cwd=None):
    """What a command prints; empty when it fails. Some tell their version with status 1: only git's status counts."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd, check=False)
    return "" if done.returncode and command[0] == "git" else done.stdout.strip()


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {
        "processor": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
        "memoryMiB": int(memory.group(1)) >> 10, "kernel": platform.release(),
        # Others may use the machine too; a load near its cores spoils the absolute numbers.
        "loadBefore": os.getloadavg()[0],
    }


def machine_name():
    return f"{platform.machine()}-{os.cpu_count()}-cores"


def versions(binary, root):
    return {
        "taibai": output(str(binary), "version", "--server", "http://127.0.0.1:1").split()[1],
        "commit": output("git", "rev-parse", "--short", "HEAD", cwd=root) or "none",
        "nginx": output("nginx", "-v").rpartition("/")[2], "wrk": output("wrk", "-v").split()[1],
        "python": output("/usr/bin/python3", "--version").split()[1],
    }
