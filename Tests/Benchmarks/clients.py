"""Many requests to the control API over several connections, for workloads that need them sent, not measured."""

import http.client
import json
import queue
import threading


def send_all(port, connections, requests, expected):
    """Sends requests, each a method, a path and a body, over so many connections at once. The run ends with the first
    that is not answered with the expected status."""
    left, problems = queue.SimpleQueue(), []
    for request in requests:
        left.put(request)

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while not problems:
            try:
                method, path, body = left.get_nowait()
            except queue.Empty:
                break
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != expected:
                problems.append(f"{method} {path} was answered {answer.status}: {text}")
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise SystemExit(f"error: {problems[0]}")


def pages(taibai, path, key, cursor, rows=1000):
    """All rows of a list that is given page by page, newest first: `before` takes the cursor of the last one."""
    found, more = [], True
    while more:
        before = f"&before={found[-1][cursor]}" if found else ""
        page = taibai.call("GET", f"{path}&limit={rows}{before}")[1][key]
        found += page
        more = len(page) == rows
    return found


def order(**members):
    """A request's body."""
    return json.dumps(members).encode()
