"""W9: how late jobs fire, one that is due each second and very many that are due at the same one."""

import datetime
import math
import time

import clients
import figures
import rig

COUNT, COUNT_QUICK = 10_000, 100
CREATES_AT_ONCE = 16
# Jobs are made at least so fast: the instant at which they are due is chosen by it, so that all exist by then.
CREATES_PER_SECOND_MIN = 150
SECONDS_BEFORE_DUE_MIN = 5
# For all executions of the instant to end.
PATIENCE = 300


def run(bench):
    bench.taibai.deploy_own("noop")
    bench.say("a job each second")
    each = each_second(bench.taibai, 3 if bench.options.quick else 20)
    with rig.Taibai(bench.binary, bench.folder / "jobs") as taibai:
        taibai.deploy_own("noop")
        same = same_instant(bench, taibai, COUNT_QUICK if bench.options.quick else COUNT)
    return {"eachSecond": each, "sameInstant": same}


def each_second(taibai, count):
    """How late the ticks of a job are that is due each second, in ms."""
    status, answer = taibai.call("POST", "/v1/jobs", {"name": "bench", "function": "noop", "every": "1s"})
    if status != 201:
        raise SystemExit(f"error: a job was answered {status}: {answer}")
    taibai.wait_until(f"{count} ticks", lambda: len(fired(taibai)) >= count, seconds=count + 30)
    late = fired(taibai)[:count]
    taibai.call("DELETE", "/v1/jobs/bench")
    return figures.spread(late)


def fired(taibai):
    ticks = taibai.call("GET", "/v1/jobs/bench/ticks?limit=1000")[1]["ticks"]
    return [tick["latenessMs"] for tick in ticks if tick["latenessMs"] is not None]


def same_instant(bench, taibai, count):
    """Jobs with the same cron expression. `late` is how long after the instant the server began with each, by its own
    ticks; `ended` when the function had answered; both in ms. Nothing is asked of the server meanwhile."""
    begin = time.time()
    due = math.ceil(begin + max(SECONDS_BEFORE_DUE_MIN, count / CREATES_PER_SECOND_MIN))
    cron = time.strftime("%S %M %H * * *", time.gmtime(due))
    bench.say(f"{count} jobs at {cron[:8]}")
    clients.send_all(taibai.port, CREATES_AT_ONCE, (
        ("POST", "/v1/jobs", clients.order(name=f"job-{number}", function="noop", cron=cron))
        for number in range(count)), expected=201)
    seconds = time.time() - begin
    if time.time() >= due:
        raise SystemExit(f"error: making {count} jobs took {seconds:.0f} s, so some were not there when they were due")
    # A second later the first of them has long begun, unless that is what the server is late with.
    taibai.wait_until("the instant", lambda: time.time() > due + 1, seconds=due + 60 - time.time())
    taibai.wait_until("the end of all executions", taibai.is_at_rest, seconds=PATIENCE)
    ticks = [job["lastTick"] for job in taibai.call("GET", "/v1/jobs")[1]["jobs"]]
    late = [tick["latenessMs"] for tick in ticks if tick and tick["latenessMs"] is not None]
    executions = clients.pages(taibai, "/v1/executions?trigger=job", "executions", "id")
    ended = [(instant(one["endedAt"]) - due) * 1000 for one in executions if one["status"] == "success"]
    return {
        "count": count, "createdPerSecond": count / seconds, "missing": count - len(late),
        "unsuccessful": count - len(ended), "late": figures.spread(late), "ended": figures.spread(ended)}


def instant(text):
    """Seconds since 1970."""
    return datetime.datetime.fromisoformat(text).timestamp()
