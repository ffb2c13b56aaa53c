"""The servers under load, each on a port of its own, and what is known of the machine."""

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
        """Proportional memory of all of them, in MiB. Source: proc_pid_smaps(5)."""
        sizes = (re.search(r"^Pss: +(\d+)", text, re.MULTILINE) for text in self.texts("smaps_rollup"))
        return sum(int(size.group(1)) for size in sizes if size) / 1024


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
    """The server under test."""

    def __init__(self, binary, folder, isolation="sealed"):
        self.binary, self.folder = str(binary), folder / isolation
        self.folder.mkdir()
        log = self.folder / "taibai.log"
        with open(log, "wb") as file:
            self.start([
                self.binary, "serve", "--listen", "127.0.0.1:0", "--isolation", isolation, "--data",
                str(self.folder / "data")], file)
        self.wait_until("taibai's listener", lambda: re.search(r"url=(http://\S+)", log.read_text()))
        self.url = re.search(r"url=(http://\S+)", log.read_text()).group(1)
        self.port = int(self.url.rpartition(":")[2])

    def deploy(self, folder):
        subprocess.run(
            [self.binary, "deploy", str(folder), "--server", self.url, "-o", "name"], check=True,
            stdout=subprocess.DEVNULL)

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


    def left(self):
        """What workers could leave behind, counted: what is below the server, and what is the launchers'."""
        parents = {process: parent for process, parent, _name in processes()}
        launchers = [process for process, parent in parents.items() if parent == self.process.pid]
        groups = {line.rpartition(":")[2] for one in launchers for line in lines(f"/proc/{one}/cgroup")}
        return {
            "processes": len(self.family()),
            "mounts": sum(len(lines(f"/proc/{one}/mountinfo")) for one in launchers),
            "descriptors": sum(len(os.listdir(f"/proc/{one}/fd")) for one in [*launchers, self.process.pid]),
            "control groups": sum(
                len(below) for group in groups for top in pathlib.Path("/sys/fs/cgroup").glob(f"*{group}")
                for _, below, _ in os.walk(top)),
            "temporary folders": len(list(pathlib.Path("/tmp").glob("taibai-[0-9]*/*"))),
        }


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
