"""The goals that the server is measured by, P1 to P12, and which of them a run has reached. Each is judged by numbers
of one run only: ratios to what was measured beside it, or limits that hold on any machine.
"""

from bench import CORES

GRANIAN, UVICORN, FRAMEWORK = "granian, WSGI", "uvicorn, raw ASGI", "functions-framework, workers"
MEGABYTE = 1e6
MIB = 1 << 20


class NotMeasured(Exception):
    """The run has not what a goal is judged by; the message says why."""


def judge(result):
    """A row for each goal: its number, what it asks for, what was measured, and whether that is reached; None where
    this can't be told."""
    rows = []
    for number, goal, measure in GOALS:
        try:
            measured, reached = measure(result)
        except NotMeasured as reason:
            measured, reached = str(reason), None
        rows.append({"goal": number, "asksFor": goal, "measured": measured, "reached": reached})
    return rows


def part(result, workload):
    if workload not in result:
        raise NotMeasured("not measured")
    return result[workload]


def row(rows, target, **others):
    """The row of a target, among those whose other keys have the given values."""
    for one in rows:
        if one["target"] == target and all(one[key] == value for key, value in others.items()):
            return one
    raise NotMeasured(f"needs {target}, which --peers brings")


def throughput(result):
    rows = part(result, "load")
    own = row(rows, "taibai noop", connections=64)
    ratios = {
        peer: own["perSecond"] / row(rows, peer, connections=64)["perSecond"]
        for peer in (GRANIAN, UVICORN, FRAMEWORK)}
    reached = ratios[GRANIAN] >= 1 and ratios[UVICORN] >= 1 and ratios[FRAMEWORK] >= 8 and not own["errors"]
    return ", ".join(f"{ratio:.2f} x {name}" for name, ratio in ratios.items()), reached


def latency(result):
    rows = part(result, "load")
    own, peer = (row(rows, target, connections=1) for target in ("taibai noop", GRANIAN))
    p50, p99 = own["p50Ms"] / peer["p50Ms"], own["p99Ms"] / peer["p99Ms"]
    return f"p50 {p50:.2f} x, p99 {p99:.2f} x", p50 <= 1 and p99 <= 1 and not own["errors"]


def native(_result):
    raise NotMeasured("there is no native worker yet")


def useful_work(result):
    own = row(part(result, "cpu"), "taibai cpu")
    return f"{own['share']:.3f}", own["share"] >= 0.92 and not own["errors"]


def bodies(result):
    rows, grown = part(result, "echo")["rates"], part(result, "echo")["stream"]
    ratios, errors = [], grown["errors"]
    for size, peer in (("64 KiB", UVICORN), ("1 MiB", GRANIAN)):
        own = row(rows, "taibai echo", body=size)
        ratios.append(own["perSecond"] / row(rows, peer, body=size)["perSecond"])
        errors += own["errors"]
    text = f"{ratios[0]:.2f} x, {ratios[1]:.2f} x; {grown['bodyMiB']} MiB took {grown['growthMiB']:.1f} MiB"
    return text, min(ratios) >= 1 and not errors


def cold_start(result):
    found = part(result, "cold")
    own = next(one["medianMs"] for one in found["starts"] if one["function"] == "hello-python")
    fork, interpreter = own / found["plainFork"]["medianMs"], own / found["interpreter"]["medianMs"]
    reached = own <= 6 and fork <= 2.5 and interpreter <= 0.4
    return f"{own:.1f} ms, {fork:.1f} x a fork, {interpreter:.2f} x an interpreter", reached


def burst(result):
    found = part(result, "burst")
    own = row(found["targets"], "taibai cpu, from zero")
    ratio, workers = own["medianSeconds"] / found["limitSeconds"], own["workersStartedMost"]
    reached = ratio <= 1.15 and workers < 2 * CORES and not own["errors"]
    return f"{ratio:.2f} x the limit, {workers} workers", reached


def many_deployed(result):
    first, *_, most = part(result, "deployed")
    pairs = list(zip(most["load"], first["load"]))
    rate = min(one["perSecond"] / other["perSecond"] for one, other in pairs)
    p50 = max(one["p50Ms"] / other["p50Ms"] for one, other in pairs)
    errors = sum(one["errors"] for one in most["load"])
    reached = rate >= 0.95 and p50 <= 1.05 and most["kibPerFunction"] <= 2 and most["startSeconds"] <= 2
    text = (
        f"{most['functions']} deployed: rate {rate:.2f} x, p50 {p50:.2f} x, {most['kibPerFunction']:.2f} KiB each, "
        f"start {most['startSeconds']:.2f} s")
    if most["functions"] < 10_000:
        raise NotMeasured(text)
    return text, reached and not errors


def at_rest(result):
    found = part(result, "idle")
    resident = sum(found["memory"][name]["rssMiB"] for name in ("server", "launcher")) * MIB / MEGABYTE
    proportional = sum(found["memory"][name]["pssMiB"] for name in ("server", "launcher")) * MIB / MEGABYTE
    text = f"{resident:.1f} MB (PSS {proportional:.1f}), {found['wakeUpsPerSecond']:.1f} wake-ups/s"
    return text, resident <= 25 and found["wakeUpsPerSecond"] == 0


def punctuality(result):
    found = part(result, "jobs")["sameInstant"]
    text = f"{found['count']} jobs: p99 {found['late']['p99']:.0f} ms, {found['missing']} missing"
    if found["count"] < 10_000:
        raise NotMeasured(text)
    return text, found["late"]["p99"] <= 250 and not found["missing"] and not found["unsuccessful"]


def promises(result):
    found = part(result, "async")
    ratio = found["perSecond"] / max(found["baselinesPerSecond"].values())
    return f"{ratio:.2f} x", ratio >= 3 and not found["errors"]


GOALS = (
    ("P1", "no-op, 64 connections: 1 x granian, 1 x uvicorn, 8 x functions-framework", throughput),
    ("P2", "no-op, 1 connection: p50 and p99 at most granian's", latency),
    ("P3", "native worker, one in flight: 0.9 x a gateway in C", native),
    ("P4", "native worker, 16 in flight: 0.6 x nginx", native),
    ("P5", "5 ms of processor, 8 connections: 0.92 of the cores is useful work", useful_work),
    ("P6", "echo: 64 KiB 1 x uvicorn, 1 MiB 1 x granian", bodies),
    ("P7", "cold start: 6 ms, 2.5 x a fork, 0.4 x an interpreter's start at most", cold_start),
    ("P8", "200 at once from zero: 1.15 x the limit, fewer workers than 2 x cores", burst),
    ("P9", "10,000 deployed: within 5 % of one, 2 KiB each, start in 2 s", many_deployed),
    ("P10", "at rest: 25 MB resident with the launcher, no wake-ups", at_rest),
    ("P11", "10,000 jobs at one instant: p99 250 ms late at most, none missing", punctuality),
    ("P12", "asynchronous calls: 3 x a disk waited for at each", promises),
)
