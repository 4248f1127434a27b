# SPDX-License-Identifier: Apache-2.0
"""Runs programs and measures them: wall time from the first exec to the last exit, CPU time, peak
memory summed over all processes, and how much CPU time the rest of the machine took meanwhile."""

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
CPUS = os.cpu_count() or 1


class RunError(Exception):
    """A program failed, or took too long."""


@dataclass
class Launch:
    """Programs that are started together. With `listens_on`, the others are started once the first
    one listens on that port, so that they do not have to try again."""

    commands: list
    env: dict = field(default_factory=dict)
    cwd: str = None
    listens_on: int = 0


@dataclass
class Outcome:
    wall: float  # s
    cpu: float  # s, user and system
    rss_mb: float  # peak, sum over processes
    foreign: float  # share of the machine's CPU time that others used
    stdout: str
    stderr: str


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_listening(port):
    wanted = f":{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(wanted) and fields[3] == "0A":
            return True
    return False


def wait_until_listening(port, seconds=5):
    end = time.monotonic() + seconds
    while not is_listening(port) and time.monotonic() < end:
        time.sleep(0.002)


def busy_seconds():
    """CPU time that all programs of the machine have used so far."""
    ticks = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = ticks
    return (user + nice + system + irq + softirq) * TICK


def parents():
    """{pid: parent pid} of all processes."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            found[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def tree(roots):
    """The processes `roots` and all that descend from them."""
    parent_of, members = parents(), set(roots)
    while True:
        more = {pid for pid, parent in parent_of.items() if parent in members} - members
        if not more:
            return members
        members |= more


def peak_kb(pid):
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def run_seconds(pid):
    """CPU time of all threads of a process, in ns resolution; 0 for one that has ended."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        return 0


class MemoryWatch(threading.Thread):
    """Notes each process's peak memory, at growing intervals: what a process has used in the last
    third of its life may be missed."""

    def __init__(self, roots):
        super().__init__(daemon=True)
        self._roots, self._stop_now, self._peak = roots, threading.Event(), {}

    def run(self):
        interval = 0.004
        while not self._stop_now.wait(interval):
            for pid in tree(self._roots):
                self._peak[pid] = max(peak_kb(pid), self._peak.get(pid, 0))
            interval = min(interval * 1.5, 0.25)

    def stop(self):
        self._stop_now.set()
        self.join()
        return sum(self._peak.values()) / 1024


def start(launch, out, err):
    """Starts the programs of `launch`, each in a session of its own."""
    running = []
    for i, command in enumerate(launch.commands):
        if i == 1 and launch.listens_on:
            wait_until_listening(launch.listens_on)
        running.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **launch.env},
                cwd=launch.cwd,
                start_new_session=True,
            )
        )
    return running


def kill_all(running):
    for process in running:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def wait_for_all(running, timeout):
    """Reaps the programs; their CPU time and the first exit status that is not 0."""
    timer = threading.Timer(timeout, kill_all, [running])
    timer.start()
    cpu, status = 0.0, 0
    try:
        for process in running:
            _pid, wait_status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(wait_status)
            status = status or process.returncode
            cpu += usage.ru_utime + usage.ru_stime
    except KeyboardInterrupt:
        kill_all(running)
        raise
    finally:
        timer.cancel()
    return cpu, status


def run(launch, timeout=900):
    """Runs `launch` to its end; an Outcome, or RunError."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        busy, began = busy_seconds(), time.monotonic()
        running = start(launch, out, err)
        watch = MemoryWatch([process.pid for process in running])
        watch.start()
        cpu, status = wait_for_all(running, timeout)
        wall = time.monotonic() - began
        rss_mb = watch.stop()
        foreign = max(0.0, busy_seconds() - busy - cpu) / (wall * CPUS)
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read(), err.read()
    if status:
        name = " ".join(launch.commands[0])
        reason = "took too long or was killed" if status == -9 else f"exit status {status}"
        tail = stderr.strip()[-800:]
        raise RunError(f"`{name}`: {reason}\n{tail}")
    return Outcome(wall, cpu, rss_mb, foreign, stdout, stderr)
