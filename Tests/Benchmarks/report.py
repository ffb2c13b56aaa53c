"""The numbers as text, and whether the run is one to believe."""


def text(result):
    return "\n\n".join(part for part in (head(result), load(result), cold(result), sealed(result), jobs(result)))


def head(result):
    machine, versions = result["machine"], result["versions"]
    return (
        f"{result['date']}, {machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"load before {machine['loadBefore']:.1f}\n" + ", ".join(f"{name} {text}" for name, text in versions.items()))


def load(result):
    """The ratio is to nginx at the same number of connections: for rates higher is better, for times lower."""
    rows = [(
        "target", "connections", "requests/s", "of nginx", "p50 ms", "p99 ms", "p99 of nginx's", "CPU s a 10,000",
        "MiB", "errors")]
    nginx = {row["connections"]: row for row in result["load"] if row["target"] == "nginx"}
    for row in result["load"]:
        peer = nginx[row["connections"]]
        rows.append((
            row["target"], str(row["connections"]), f"{row['perSecond']:,.0f}",
            f"{row['perSecond'] / peer['perSecond']:.3f}", f"{row['p50Ms']:.3f}", f"{row['p99Ms']:.3f}",
            f"{row['p99Ms'] / peer['p99Ms']:.1f} x", f"{row['cpuSecondsPer10000']:.2f}", f"{row['memoryMiB']:.0f}",
            str(row["errors"])))
    return table(rows)


def cold(result):
    rows = [("cold start", "count", "median ms", "p99 ms", "queue", "start", "init", "run")]
    for row in result["coldStarts"]:
        parts = row["partsMedianMs"]
        rows.append((
            row["function"], str(row["count"]), f"{row['medianMs']:.2f}", f"{row['p99Ms']:.2f}",
            *(f"{parts[name]:.2f}" for name in ("queue", "start", "init", "run"))))
    return table(rows)


def sealed(result):
    """The figures of level sealed that are beside another of the same run."""
    rates = {(row["target"], row["connections"]): row["perSecond"] for row in result["load"]}
    starts = {row["function"]: row["medianMs"] for row in result["coldStarts"]}
    fork, left, memory = result["plainFork"], result["leftovers"], result["idleMemory"]
    growth = {name: left["after"][name] - count for name, count in left["before"].items()}
    rows = [("level sealed", "", "")]
    for connections in sorted({row["connections"] for row in result["load"]}):
        ratio = rates["taibai hello-python", connections] / rates["taibai hello-python, process", connections]
        rows.append((f"warm requests/s of process's, {connections} connections", f"{ratio:.3f}", ""))
    ratio = starts["hello-python"] / fork["medianMs"]
    rows += [
        ("cold start of a plain fork's time", f"{ratio:.1f} x", f"fork: {fork['medianMs']:.2f} ms"),
        ("cold start of process's time", f"{starts['hello-python'] / starts['hello-python, process']:.2f} x", ""),
        ("idle python worker, PSS", f"{memory['pssMiB']:.1f} MiB", f"own: {memory['ownMiB']:.1f} MiB"),
    ]
    rows += [(f"{name} more after {left['cycles']} starts", str(count), "") for name, count in growth.items()]
    return table(rows)


def jobs(result):
    row = result["jobs"]
    if row is None:
        return "jobs: not measured"
    return table([
        ("job, each second", "ticks", "late, median ms", "p99 ms", "max ms"),
        ("hello-python", str(row["count"]), f"{row['medianMs']:.1f}", f"{row['p99Ms']:.1f}", f"{row['maxMs']:.1f}")])


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths)))
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


def exit_code(result):
    """1 when requests failed: such numbers are not worth keeping."""
    return 1 if any(row["errors"] for row in result["load"]) else 0
