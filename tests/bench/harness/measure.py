# SPDX-License-Identifier: Apache-2.0
"""Contenders, and the rounds in which they take turns. In each round every contender runs once, so
that a ratio can be taken between runs that are close in time; each answer is compared with that of
the hand-written C program."""

import re
import statistics
from dataclasses import dataclass, field
from typing import Callable

from . import process
from .process import RunError
from .setup import say


@dataclass
class Sample:
    """One run. `seconds` is what the rate is taken from; `inner` what the program says it took."""

    seconds: float
    wall: float
    inner: float
    cpu: float
    rss_mb: float
    foreign: float
    rate: float
    wire: float = None  # bytes for each record
    latency: dict = field(default_factory=dict)


@dataclass
class Contender:
    """One engine in one configuration. `variants` are ways to write the same program: the one that
    is best in the warm-up is measured. `work` is in the workload's unit."""

    engine: str
    config: str
    work: float
    variants: dict  # name -> function that returns a Launch
    answer: Callable  # stdout -> what has to be equal
    group: str = ""  # key of the workload's expected answers
    inner_clock: bool = False  # the rate is taken from `seconds=`, not from the wall time
    start_up: Callable = None  # a Launch without work, whose time is taken off
    max_reps: int = 99
    latency: Callable = None  # stdout -> {name: microseconds}
    variant: str = ""
    warm_up: dict = field(default_factory=dict)  # variant -> seconds or p90
    idle_seconds: float = 0
    samples: list = field(default_factory=list)
    failed: str = ""

    @property
    def name(self):
        return f"{self.engine} {self.config}"


@dataclass
class Workload:
    key: str
    title: str
    unit: str
    contenders: list
    expected: dict  # group -> function that returns the right answer
    answers: dict = field(default_factory=dict)
    hiccups: list = field(default_factory=list)
    max_reps: int = 99  # 1: the warm-up is all

    def find(self, engine, config):
        for contender in self.contenders:
            if (contender.engine, contender.config) == (engine, config):
                return contender
        return None


def inner_seconds(stderr):
    """The longest of the `seconds=` lines of all workers; 0 when there is none."""
    return max((float(x) for x in re.findall(r"^seconds=([\d.]+)", stderr, re.M)), default=0.0)


def wire_per_record(stderr):
    """From `wire bytes=<n> records=<n>` lines, which a program may print; None when it does not."""
    found = re.findall(r"wire bytes=(\d+) records=(\d+)", stderr)
    records = sum(int(n) for _, n in found)
    return sum(int(b) for b, _ in found) / records if records else None


def run_once(contender, variant, right_answer):
    outcome = process.run(contender.variants[variant]())
    answer = contender.answer(outcome.stdout)
    if answer != right_answer:
        raise RunError(f"wrong answer: {answer}, the right one is {right_answer}")
    inner = inner_seconds(outcome.stderr)
    seconds = inner if contender.inner_clock and inner else outcome.wall
    seconds = max(seconds - contender.idle_seconds, 1e-6)
    return Sample(
        seconds, outcome.wall, inner, outcome.cpu, outcome.rss_mb, outcome.foreign,
        contender.work / seconds, wire_per_record(outcome.stderr),
        contender.latency(outcome.stdout) if contender.latency else {},
    )


def warm_up(contender, right_answer, keep):
    """Runs each variant once and chooses the best; `keep`: its run is a sample already."""
    samples = {}
    if contender.start_up:
        walls = [process.run(contender.start_up()).wall for _ in range(3)]
        contender.idle_seconds = statistics.median(walls)
    for variant in contender.variants:
        sample = samples[variant] = run_once(contender, variant, right_answer)
        contender.warm_up[variant] = sample.latency.get("p90", sample.seconds)
    contender.variant = min(contender.warm_up, key=contender.warm_up.get)
    if keep:
        contender.samples.append(samples[contender.variant])


def guarded(contender, action):
    """Does `action`; a failure puts the contender out of the race and is kept for the report."""
    if contender.failed:
        return
    try:
        action()
    except RunError as error:
        contender.failed = str(error)
        say(f"  {contender.name}: {error}")


def measure_hiccups(tools, workload, seconds):
    cpus = [str(cpu) for cpu in range(min(process.CPUS, 2))]
    command = [str(tools.c / "hiccup"), str(seconds), *cpus]
    for line in process.run(process.Launch([command])).stdout.splitlines():
        pairs = (word.split("=") for word in line.split()[1:])
        workload.hiccups.append({name: float(value) for name, value in pairs})


def run_round(workload):
    for contender in workload.contenders:
        if len(contender.samples) < contender.max_reps:
            right = workload.answers[contender.group]
            guarded(
                contender,
                lambda c=contender, r=right: c.samples.append(run_once(c, c.variant, r)),
            )


def run_workload(tools, workload, reps, hiccup_seconds):
    say(f"{workload.key}: {workload.title}")
    workload.answers = {group: answer() for group, answer in workload.expected.items()}
    for contender in workload.contenders:
        right, keep = workload.answers[contender.group], workload.max_reps == 1
        guarded(contender, lambda c=contender, r=right, k=keep: warm_up(c, r, k))
    if workload.max_reps == 1:
        measure_hiccups(tools, workload, hiccup_seconds)
        return
    for _ in range(reps):
        measure_hiccups(tools, workload, hiccup_seconds)
        run_round(workload)
