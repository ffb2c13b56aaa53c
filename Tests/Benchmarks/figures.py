"""What many samples come to."""

import statistics


def percentile(values, percent):
    """The smallest value that so many percent do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def median_of(samples):
    """Of several rounds, key by key; errors are added up."""
    keys = [key for key in samples[0] if key != "errors"]
    middle = {key: statistics.median(sample[key] for sample in samples) for key in keys}
    return {**middle, "errors": sum(sample["errors"] for sample in samples), "rounds": samples}


def spread(values):
    """Of single times: how many, median, p99 and the longest, in the unit they have, which the caller's key names."""
    return {
        "count": len(values), "median": statistics.median(values), "p99": percentile(values, 99), "max": max(values)}
