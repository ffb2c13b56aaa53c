"""The numbers as text, and whether the run is one to believe."""


def text(result):
    parts = [head(result)]
    parts += [show(result[name]) for name, show in PARTS.items() if name in result]
    return "\n\n".join([*parts, goals(result["goals"])])


def head(result):
    machine, versions = result["machine"], result["versions"]
    return (
        f"{result['date']}, {machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"load before {machine['loadBefore']:.1f}\n" + ", ".join(f"{name} {text}" for name, text in versions.items()))


def load(rows):
    """The ratio is to nginx at the same number of connections: for rates higher is better, for times lower."""
    lines = [(
        "target", "connections", "requests/s", "of nginx", "p50 ms", "p99 ms", "p99 of nginx's", "CPU s a 10,000",
        "MiB", "errors")]
    nginx = {row["connections"]: row for row in rows if row["target"] == "nginx"}
    for row in rows:
        peer = nginx[row["connections"]]
        lines.append((
            row["target"], str(row["connections"]), f"{row['perSecond']:,.0f}",
            f"{row['perSecond'] / peer['perSecond']:.3f}", f"{row['p50Ms']:.3f}", f"{row['p99Ms']:.3f}",
            f"{row['p99Ms'] / peer['p99Ms']:.1f} x", f"{row['cpuSecondsPer10000']:.2f}", f"{row['memoryMiB']:.0f}",
            str(row["errors"])))
    rates = {(row["target"], row["connections"]): row["perSecond"] for row in rows}
    sealed = [("level sealed", "of process's requests/s")]
    for connections in sorted(nginx):
        ratio = rates["taibai hello-python", connections] / rates["taibai hello-python, process", connections]
        sealed.append((f"hello-python, {connections} connections", f"{ratio:.3f}"))
    return table(lines) + "\n\n" + table(sealed)


def cpu(rows):
    lines = [("5 ms of processor", "connections", "requests/s", "share of the cores", "p50 ms", "p99 ms", "errors")]
    lines += [(
        row["target"], str(row["connections"]), f"{row['perSecond']:,.1f}", f"{row['share']:.3f}",
        f"{row['p50Ms']:.1f}", f"{row['p99Ms']:.1f}", str(row["errors"])) for row in rows]
    return table(lines)


def echo(found):
    """The ratio is to the best of all that have echoed bodies of the same size."""
    best = {}
    for row in found["rates"]:
        best[row["body"]] = max(best.get(row["body"], 0), row["perSecond"])
    lines = [("echo", "body", "connections", "requests/s", "of the best", "p50 ms", "p99 ms", "MiB", "errors")]
    lines += [(
        row["target"], row["body"], str(row["connections"]), f"{row['perSecond']:,.0f}",
        f"{row['perSecond'] / best[row['body']]:.2f}", f"{row['p50Ms']:.2f}", f"{row['p99Ms']:.2f}",
        f"{row['memoryMiB']:.0f}", str(row["errors"])) for row in found["rates"]]
    stream = found["stream"]
    return table(lines) + "\n\n" + table([
        ("stream through cat and back", "seconds", "server grew by MiB", "errors"),
        (f"{stream['bodyMiB']} MiB", f"{stream['seconds']:.2f}", f"{stream['growthMiB']:.1f}", str(stream["errors"]))])


def cold(found):
    lines = [("cold start", "count", "median ms", "p99 ms", "queue", "start", "init", "run")]
    for row in found["starts"]:
        parts = row["partsMedianMs"]
        lines.append((
            row["function"], str(row["count"]), f"{row['medianMs']:.2f}", f"{row['p99Ms']:.2f}",
            *(f"{parts[name]:.2f}" for name in ("queue", "start", "init", "run"))))
    return table(lines) + "\n\n" + table(sealed(found))


def sealed(found):
    """The figures of level sealed that are beside another of the same run."""
    starts = {row["function"]: row["medianMs"] for row in found["starts"]}
    left, memory = found["leftovers"], found["idleWorker"]
    lines = [("level sealed", "", "")]
    for name, key in (("a plain fork's time", "plainFork"), ("an interpreter's start", "interpreter")):
        median = found[key]["medianMs"]
        lines.append((f"cold start of {name}", f"{starts['hello-python'] / median:.2f} x", f"{median:.2f} ms"))
    lines += [
        ("cold start of process's time", f"{starts['hello-python'] / starts['hello-python, process']:.2f} x", ""),
        ("idle python worker, PSS", f"{memory['pssMiB']:.1f} MiB", f"own: {memory['ownMiB']:.1f} MiB"),
    ]
    growth = {name: left["after"][name] - count for name, count in left["before"].items()}
    lines += [(f"{name} more after {left['cycles']} starts", str(count), "") for name, count in growth.items()]
    return lines


def burst(found):
    lines = [(
        f"{found['requests']} at once, 5 ms of processor", "median ms", "of the limit", "first ms", "workers started",
        "errors")]
    lines += [(
        row["target"], f"{row['medianSeconds'] * 1000:.0f}", f"{row['medianSeconds'] / found['limitSeconds']:.2f}",
        f"{row['firstSeconds'] * 1000:.0f}",
        "" if row["workersStartedMost"] is None else str(row["workersStartedMost"]), str(row["errors"]),
    ) for row in found["targets"]]
    return table(lines)


def deployed(rows):
    lines = [(
        "functions deployed", "connections", "requests/s", "of the first's", "p50 ms", "of the first's", "errors",
        "deploys/s", "start s", "KiB each")]
    for row in rows:
        each = "" if row["kibPerFunction"] is None else f"{row['kibPerFunction']:.2f}"
        facts = (f"{row['deploysPerSecond']:.0f}", f"{row['startSeconds']:.2f}", each)
        for one, first in zip(row["load"], rows[0]["load"]):
            lines.append((
                f"{row['functions']:,}", str(one["connections"]), f"{one['perSecond']:,.0f}",
                f"{one['perSecond'] / first['perSecond']:.3f}", f"{one['p50Ms']:.3f}",
                f"{one['p50Ms'] / first['p50Ms']:.3f}", str(one["errors"]), *facts))
            facts = ("", "", "")
    return table(lines)


def idle(found):
    lines = [("at rest", "processes", "RSS MiB", "PSS MiB")]
    lines += [(
        name, str(row["processes"]), f"{row['rssMiB']:.1f}", f"{row['pssMiB']:.1f}",
    ) for name, row in found["memory"].items()]
    return table(lines) + "\n\n" + table([
        (f"in {found['seconds']} s of rest", "wake-ups a second", "CPU ms"),
        ("all of them", f"{found['wakeUpsPerSecond']:.1f}", f"{found['cpuSeconds'] * 1000:.2f}"),
        *((f"of these {name}", f"{count / found['seconds']:.1f}", "") for name, count in found["wakeUps"].items())])


def jobs(found):
    each, same = found["eachSecond"], found["sameInstant"]
    lines = [("jobs", "count", "median ms", "p99 ms", "max ms", "missing")]
    for name, row, missing in (
        ("each second, late", each, ""), ("same instant, late", same["late"], str(same["missing"])),
        ("same instant, answered", same["ended"], str(same["unsuccessful"])),
    ):
        lines.append((
            name, str(row["count"]), f"{row['median']:.1f}", f"{row['p99']:.1f}", f"{row['max']:.1f}", missing))
    return table(lines) + f"\n{same['createdPerSecond']:,.0f} jobs made a second"


def promises(found):
    lines = [("on disk before it is acknowledged", "connections", "a second", "errors")]
    lines.append((
        "taibai, asynchronous call", str(found["connections"]), f"{found['perSecond']:,.0f}", str(found["errors"])))
    for name, rate in found["baselinesPerSecond"].items():
        lines.append((f"{name}, one at a time", "", f"{rate:,.0f}", ""))
    return table(lines)


def goals(rows):
    words = {True: "yes", False: "no", None: "-"}
    lines = [("goal", "asks for", "measured", "reached")]
    lines += [(row["goal"], row["asksFor"], row["measured"], words[row["reached"]]) for row in rows]
    return table(lines, texts=3)


def table(rows, texts=1):
    """Columns side by side: the first ones of text, to the left, the others of numbers, to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if column < texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths)))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


# How the result of each workload is shown, in this order.
PARTS = {
    "load": load, "cpu": cpu, "echo": echo, "cold": cold, "burst": burst, "deployed": deployed, "idle": idle,
    "jobs": jobs, "async": promises,
}


def exit_code(result):
    """1 when requests failed: such numbers are not worth keeping."""
    return 1 if errors(result) else 0


def errors(part):
    """All that are counted anywhere in the result; those of single rounds are in their medians' row already."""
    if isinstance(part, list):
        return sum(errors(one) for one in part)
    if isinstance(part, dict):
        return sum(
            value if key == "errors" else errors(value) for key, value in part.items() if key != "rounds")
    return 0
