# SPDX-License-Identifier: Apache-2.0
"""Tables, as text that is Markdown at the same time, and the same as JSON."""

import json
import platform
import statistics
from dataclasses import asdict
from pathlib import Path

from . import process
from .bars import efficiencies, pairs, rate


def show(value, digits=3):
    """A number with so many significant digits, without an exponent."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    magnitude = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(digits - magnitude, 0)}f}"


def table(head, rows):
    """An aligned table: the first column to the left, all others to the right."""
    rows = [list(map(str, row)) for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells):
        rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))
        return "| " + " | ".join([cells[0].ljust(widths[0]), *rest]) + " |"

    rules = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
    return "\n".join([line(head), "|" + "|".join(rules) + "|", *map(line, rows)])


def median_of(contender, metric):
    return statistics.median(metric(sample) for sample in contender.samples)


def name_of(contender):
    return contender.name + (f" ({contender.variant})" if contender.variant else "")


def ours_to(workload, contender):
    """The ratio wax / this contender in the same configuration, or the first one of wax."""
    if contender.engine.startswith("wax"):
        return "-"
    values = pairs(workload, ("wax", contender.config), (contender.engine, contender.config), rate)
    return show(statistics.median(values)) + "x" if values else "-"


def inner_rate(contender):
    """The rate by the program's own clock, for those that say it."""
    if not all(sample.inner for sample in contender.samples):
        return "-"
    return show(median_of(contender, lambda s: contender.work / s.inner))


def throughput_row(workload, contender):
    if contender.failed or not contender.samples:
        return [contender.name, "FAILED", *["-"] * 7]
    rates = [sample.rate for sample in contender.samples]
    return [
        name_of(contender),
        show(median_of(contender, lambda s: s.wall)),
        show(statistics.median(rates)),
        f"{show(min(rates))}..{show(max(rates))}",
        inner_rate(contender),
        show(median_of(contender, lambda s: s.cpu)),
        show(median_of(contender, lambda s: s.rss_mb)),
        f"{max(s.foreign for s in contender.samples) * 100:.0f} %",
        ours_to(workload, contender),
    ]


def latency_row(contender):
    if contender.failed or not contender.samples:
        return [contender.name, "FAILED", *["-"] * 7]
    shown = [show(median_of(contender, lambda s, n=name: s.latency[n]))
             for name in ("p50", "p90", "p99", "p99.9", "max", "cross p50")]
    return [name_of(contender), *shown,
            show(median_of(contender, lambda s: s.cpu / s.wall * 100)) + " %",
            show(median_of(contender, lambda s: s.rss_mb))]


def hiccup_line(workload):
    """The median over rounds and CPUs of what the hiccup meter saw between the runs."""
    if not workload.hiccups:
        return ""
    def middle(name):
        return show(statistics.median(h[name] for h in workload.hiccups))
    longest = max(h["longest_us"] for h in workload.hiccups)
    return (f"Hiccup meter, both CPUs busy: {middle('over_10us')} gaps/s over 10 us, "
            f"{middle('over_100us')} over 100 us, {middle('over_1ms')} over 1 ms, longest "
            f"{show(longest)} us, {middle('lost_percent')} % of the time lost.")


def variant_line(contender, unit):
    if len(contender.warm_up) < 2:
        return ""
    what = "us at p90" if unit == "us" else "s"
    tried = ", ".join(f"{v} {show(t)} {what}" for v, t in contender.warm_up.items())
    return f"{contender.name} variants in the warm-up: {tried}."


def wire_lines(workload):
    lines = []
    for contender in workload.contenders:
        bytes_each = [s.wire for s in contender.samples if s.wire is not None]
        if bytes_each:
            median = show(statistics.median(bytes_each))
            lines.append(f"{contender.name}: {median} bytes on the wire for each record.")
    return lines


def workload_section(workload):
    if workload.unit == "us":
        head = ["microseconds", "p50", "p90", "p99", "p99.9", "max", "crossing p50", "CPU", "MB"]
        rows = [latency_row(contender) for contender in workload.contenders]
    else:
        head = ["", "wall s", workload.unit, "min..max", "without start-up", "CPU s", "peak MB",
                "other CPU", "wax / it"]
        rows = [throughput_row(workload, contender) for contender in workload.contenders]
    notes = [variant_line(c, workload.unit) for c in workload.contenders]
    notes += [*wire_lines(workload), hiccup_line(workload)]
    body = "\n".join(note for note in notes if note)
    return f"## {workload.key}: {workload.title}\n\n{table(head, rows)}\n\n{body}\n"


def overhead_section(overhead):
    rows = [[name, show(statistics.median(values)) + " us"]
            for name, values in overhead.start_up.items()]
    rows += [[f"idle wax {config}, CPU", f"{value:.3f} %"]
             for config, value in overhead.idle_percent.items()]
    rows += [[f"idle wax {config}, peak memory", f"{value:.1f} MB"]
             for config, value in overhead.rss_mb.items()]
    return "## w7: start-up, idle, memory\n\n" + table(["", "median"], rows) + "\n"


def efficiency_section(workloads):
    found = efficiencies(workloads)
    if not found:
        return ""
    rows = [[f"{key} {engine}", show(two), show(wire)] for key, engine, two, wire in found]
    return ("## Scaling\n\n"
            + table(["", "2T / (2 x 1T)", "2P / 2T"], rows) + "\n")


def bars_section(bars):
    rows = []
    for bar in bars:
        spread = "-" if bar.low is None else f"{show(bar.low)}..{show(bar.high)}"
        met = {True: "yes", False: "NO", None: "not measured"}[bar.met]
        measured = "-" if bar.measured is None else f"{show(bar.measured)} {bar.unit}"
        rows.append([bar.text, bar.bar, measured.replace(" x", "x"), spread, met])
    return "## Bars\n\n" + table(["", "bar", "measured", "min..max", "met?"], rows) + "\n"


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def failures(broken, workloads, overhead):
    """What went wrong, as opposed to slow: this decides the exit status."""
    found = [f"wax: {reason}" for reason in broken]
    found += [f"{workload.key} {contender.name}: {contender.failed}"
             for workload in workloads for contender in workload.contenders if contender.failed]
    return found + ([f"w7: {overhead.failed}"] if overhead and overhead.failed else [])


def list_section(title, items):
    return f"## {title}\n\n" + "".join(f"- {item}\n" for item in items) if items else ""


def as_text(tools, workloads, overhead, bars, facts):
    parts = [f"# Benchmark\n\n{facts}\n"]
    parts += [workload_section(workload) for workload in workloads]
    if overhead:
        parts.append(overhead_section(overhead))
    parts += [efficiency_section(workloads), bars_section(bars)]
    parts.append(list_section("Left out", [f"{n}: {r}" for n, r in tools.skipped.items()]))
    parts.append(list_section("Errors", failures(tools.broken, workloads, overhead)))
    return "\n".join(part for part in parts if part)


def as_json(tools, workloads, overhead, bars, facts):
    return json.dumps({
        "facts": facts,
        "bars": [asdict(bar) for bar in bars],
        "workloads": {
            workload.key: {
                "title": workload.title, "unit": workload.unit, "hiccups": workload.hiccups,
                "answers": workload.answers,
                "contenders": [{
                    "engine": c.engine, "config": c.config, "variant": c.variant,
                    "warm_up": c.warm_up, "work": c.work, "failed": c.failed,
                    "samples": [asdict(sample) for sample in c.samples],
                } for c in workload.contenders],
            } for workload in workloads},
        "overhead": asdict(overhead) if overhead else None,
        "skipped": tools.skipped,
        "errors": failures(tools.broken, workloads, overhead),
    }, indent=1) + "\n"


def describe_machine(reps, short):
    kind = "short run with small inputs" if short else "full run"
    return (f"{cpu_model()}, {process.CPUS} CPUs, Linux {platform.release()}; {kind}, medians of "
            f"{reps} rounds after one warm-up; ratios are medians of the ratios of each round. "
            "Timely's rate over two processes, and only that, is without start-up (it waits a "
            "second for its peer); Bytewax's rates over one process are net of its start-up.")
