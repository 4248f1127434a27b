# SPDX-License-Identifier: Apache-2.0
"""W7 in part: start-up of a flow with nothing to do, against /bin/true; the CPU time that a flow
with one item a second takes, and its memory."""

import re
import statistics
import subprocess
import time
from dataclasses import dataclass, field

from . import process
from .process import Launch, RunError
from .setup import say


@dataclass
class Overhead:
    start_up: dict = field(default_factory=dict)  # name -> [median us of each repetition]
    idle_percent: dict = field(default_factory=dict)  # config -> % of one CPU
    rss_mb: dict = field(default_factory=dict)
    failed: str = ""


def start_up_commands(tools):
    commands = {"/bin/true": ["/bin/true"]}
    if tools.flows:
        simple = [str(tools.wax), "run", str(tools.flows / "simple.so")]
        commands["wax simple 1T"] = [*simple, "-w1"]
        commands["wax simple 2T"] = [*simple, "-w2"]
    if tools.timely:
        commands["timely, no records, 1T"] = [str(tools.timely / "w1"), "0", "map", "-w", "1"]
    return commands


def measure_start_up(tools, overhead, execs, reps):
    commands = start_up_commands(tools)
    line = [str(tools.c / "exec_time"), str(execs)]
    for i, command in enumerate(commands.values()):
        line += [*(["--"] if i else []), *command]
    for _ in range(reps):
        medians = re.findall(r"median_us=([\d.]+)", process.run(Launch([line])).stdout)
        for name, median in zip(commands, medians):
            overhead.start_up.setdefault(name, []).append(float(median))


def check_simple(tools):
    out = process.run(Launch([[str(tools.wax), "run", str(tools.flows / "simple.so")]])).stdout
    if out.split() != ["1", "2", "3"]:
        raise RunError(f"wrong answer of simple: {out!r}")


def measure_idle(tools, overhead, workers, seconds):
    """Lets the idle flow settle, then reads the clocks of its threads twice."""
    items = int(seconds) + 3
    command = [str(tools.wax), "run", str(tools.flows / "idle.so"), f"-w{workers}", "-D",
               f"items={items}"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        time.sleep(1.5)
        members = process.tree([running.pid])
        before = sum(process.run_seconds(pid) for pid in members)
        time.sleep(seconds)
        used = sum(process.run_seconds(pid) for pid in members) - before
        overhead.idle_percent[f"{workers}T"] = used / seconds * 100
        overhead.rss_mb[f"{workers}T"] = sum(process.peak_kb(pid) for pid in members) / 1024
        out, _ = running.communicate(timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        process.kill_all([running])
        running.wait()
        raise RunError(f"idle: {error}") from error
    if running.returncode or out.split() != [str(i) for i in range(items)]:
        raise RunError(f"idle: exit status {running.returncode}, {len(out.split())} items")


def measure_overhead(tools, sizes, reps):
    overhead = Overhead()
    say("w7: start-up, idle, memory")
    try:
        if tools.flows:
            check_simple(tools)
        measure_start_up(tools, overhead, sizes.execs, reps)
        if tools.flows:
            measure_idle(tools, overhead, 1, sizes.idle_seconds)
            measure_idle(tools, overhead, 2, sizes.idle_seconds)
    except RunError as error:
        overhead.failed = str(error)
        say(f"  {error}")
    return overhead


def start_up_ratio(overhead, name):
    """Median of the ratios to /bin/true, repetition by repetition; None when there are none."""
    pairs = zip(overhead.start_up.get(name, []), overhead.start_up.get("/bin/true", []))
    ratios = [mine / floor for mine, floor in pairs]
    return statistics.median(ratios) if ratios else None
