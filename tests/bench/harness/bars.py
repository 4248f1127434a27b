# SPDX-License-Identifier: Apache-2.0
"""The bars that wax is to reach, as ratios between runs of the same round: the median over rounds.
They are reported, never asserted: a slow machine does not fail the benchmark."""

import statistics
from dataclasses import dataclass

from .overhead import start_up_ratio


@dataclass
class Result:
    text: str
    bar: str
    measured: float = None
    low: float = None
    high: float = None
    unit: str = "x"
    met: bool = None  # None: not measured


def pairs(workload, ours, peer, metric):
    """Ratio ours / peer for each round both took part in."""
    mine, other = workload.find(*ours), workload.find(*peer)
    if not mine or not other or mine.failed or other.failed:
        return []
    return [metric(a) / metric(b) for a, b in zip(mine.samples, other.samples) if metric(b)]


def rate(sample):
    return sample.rate


def judge(text, values, sign, bar, unit="x"):
    shown = f"{'>=' if sign > 0 else '<='} {bar:g} {unit}".replace(" x", "x")
    if not values:
        return Result(text, shown, unit=unit)
    median = statistics.median(values)
    return Result(text, shown, median, min(values), max(values), unit, (median - bar) * sign >= 0)


# workload, text, ours, peer, at least
THROUGHPUT = [
    ("w1", "W1 map chain, wax / Timely, 1T", ("wax", "1T"), ("timely", "1T"), 4),
    ("w1", "W1 map chain, wax / Bytewax", ("wax", "1T"), ("bytewax", "1T"), 80),
    ("w2", "W2 word count, wax / Timely, 1T", ("wax", "1T"), ("timely", "1T"), 3),
    ("w2", "W2 word count, wax / mawk, 1T", ("wax", "1T"), ("mawk", "1T"), 2),
    ("w2", "W2 word count, wax 2T / 1T", ("wax", "2T"), ("wax", "1T"), 1.7),
    *[("w3", f"W3 keyed count, wax / Timely, {c}", ("wax", c), ("timely", c), 2.5)
      for c in ("1T", "2T", "2P")],
    *[("w3", f"W3 keyed count, wax / C, {c}", ("wax", c), ("C", c), 0.6)
      for c in ("1T", "2T", "2P")],
    ("w3", "W3 keyed count, wax 2P / 2T", ("wax", "2P"), ("wax", "2T"), 0.8),
    *[("w3-zipf", f"W3 Zipf keys, wax / Timely, {c}", ("wax", c), ("timely", c), 1)
      for c in ("1T", "2T", "2P")],
    *[("w3-1k", f"W3 1,000 keys, wax / Timely, {c}", ("wax", c), ("timely", c), 1)
      for c in ("1T", "2T", "2P")],
    ("w5", "W5 1BRC, wax / simple C, 1T", ("wax", "1T"), ("C", "1T"), 0.7),
    ("w5", "W5 1BRC, wax 2T / 1T", ("wax", "2T"), ("wax", "1T"), 1.6),
]

# text, configuration, peer, percentile, at most; `cross`: only records that changed worker
LATENCY = [
    ("W6 p50, wax / spinning C, 2T", "2T", "C", "cross p50", 5),
    ("W6 p50, wax / spinning C, 2P", "2P", "C", "cross p50", 2),
    *[(f"W6 {p}, wax / Timely, {c}", c, "timely", p, 1)
      for c in ("1T", "2T", "2P") for p in ("p90", "p99")],
]


def overhead_bars(overhead):
    ratio = start_up_ratio(overhead, "wax simple 1T")
    idle, rss = list(overhead.idle_percent.values()), list(overhead.rss_mb.values())
    # 0.0 % means: rounds to it
    return [
        judge("W7 start-up of simple / true", [ratio] if ratio else [], -1, 5),
        judge("W7 idle, one item a second", [max(idle)] if idle else [], -1, 0.05, "% CPU"),
        judge("W7 memory of the idle flow", [max(rss)] if rss else [], -1, 10, "MB"),
    ]


def judge_all(workloads, overhead):
    by_key, results = {workload.key: workload for workload in workloads}, []
    for key, text, ours, peer, bar in THROUGHPUT:
        if key in by_key:
            results.append(judge(text, pairs(by_key[key], ours, peer, rate), 1, bar))
    for text, config, peer, name, bar in LATENCY:
        if "w6" in by_key:
            values = pairs(by_key["w6"], ("wax", config), (peer, config),
                           lambda sample, name=name: sample.latency[name])
            results.append(judge(text, values, -1, bar))
    return results + (overhead_bars(overhead) if overhead else [])


def efficiencies(workloads):
    """(workload, engine, 2T / (2 * 1T), 2P / 2T), where they were measured."""
    found = []
    for workload in workloads:
        if workload.unit == "us":
            continue
        for engine in "wax", "timely", "C", "bytewax":
            double = pairs(workload, (engine, "2T"), (engine, "1T"), rate)
            wire = pairs(workload, (engine, "2P"), (engine, "2T"), rate)
            if double:
                found.append((workload.key, engine, statistics.median(double) / 2,
                              statistics.median(wire) if wire else None))
    return found
