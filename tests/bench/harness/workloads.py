# SPDX-License-Identifier: Apache-2.0
"""The workloads: for each, who runs what with which size. W1 map chain, W2 word count, W3 keyed
count with an exchange, W5 billion-row challenge, W6 latency under a fixed load."""

from dataclasses import dataclass

from . import process
from .answers import (count_answer, latencies, latency_answer, lines_answer,
                      sum_answer)
from .measure import Contender, Workload
from .process import Launch, RunError, free_port
from .setup import BUILD, HERE

KEYS = 1_000_000
KNOWN_SUMS = {100_000_000: "out=85714286 sum=12861940743438115"}


@dataclass
class Sizes:
    numbers: int  # W1
    few_numbers: int  # the same for Bytewax
    text: int  # W2, bytes
    small_text: int
    keys: int  # W3, records of each worker
    other_keys: int  # with Zipf and few keys
    few_keys: int
    rows: int  # W5
    few_rows: int
    seconds: float  # W6, measured
    warm: float  # W6, before that
    other_rates: tuple
    execs: int
    idle_seconds: float
    hiccup_seconds: float


FULL = Sizes(100_000_000, 2_000_000, 101_238_270, 10_000_000, 100_000_000, 50_000_000, 500_000,
             10_000_000, 1_000_000, 10, 2, (10_000, 1_000_000), 100, 10, 1)
SHORT = Sizes(10_000_000, 200_000, 10_000_000, 1_000_000, 5_000_000, 5_000_000, 50_000,
              1_000_000, 100_000, 0.5, 0.25, (), 20, 3, 0.2)

MAWK_WORDS = '{for (i = 1; i <= NF; i++) n[$i]++} END {for (w in n) print w "\\t" n[w]}'
MAWK_ROWS = """
BEGIN {FS = ";"}
{ t = int($2 * 10 + ($2 < 0 ? -0.5 : 0.5)); s = $1
  if (!(s in n) || t < low[s]) low[s] = t
  if (!(s in n) || t > high[s]) high[s] = t
  sum[s] += t; n[s]++ }
END {for (s in n) printf "%s\\t%d\\t%d\\t%d\\t%d\\n", s, low[s], high[s], sum[s], n[s]}"""


class Maker:
    """Makes contenders out of tools and sizes; peers that are missing are left out."""

    def __init__(self, tools, sizes):
        self.tools, self.sizes = tools, sizes

    # ---- launches ------------------------------------------------------------------------------

    def c(self, program, *arguments):
        command = [str(self.tools.c / program), *map(str, arguments)]
        return lambda: Launch([command])

    def wax(self, flow, config, **parameters):
        flags = {"1T": ["-w1"], "2T": ["-w2"], "2P": ["-p2", "-w1"]}[config]
        command = [str(self.tools.wax), "run", str(self.tools.flows / f"{flow}.so"), *flags]
        for name, value in parameters.items():
            command += ["-D", f"{name}={value}"]
        return lambda: Launch([command], {"WAX_WIRE_STATS": "1"} if config == "2P" else {})

    def timely(self, program, config, *arguments):
        command = [str(self.tools.timely / program), *map(str, arguments)]
        if config != "2P":
            return lambda: Launch([[*command, "-w", config[0]]])

        def two_processes():
            ports, hosts = (free_port(), free_port()), BUILD / "data" / "hosts"
            hosts.write_text("".join(f"127.0.0.1:{port}\n" for port in ports))
            flags = ["-w", "1", "-n", "2", "-h", str(hosts), "-p"]
            commands = [[*command, *flags, str(i)] for i in range(2)]
            return Launch(commands, listens_on=ports[0])

        return two_processes

    def bytewax(self, flow, config, **parameters):
        command = [str(self.tools.bytewax), "-m", "bytewax.run", f"{flow}:flow"]
        env = {"BENCH_" + name.upper(): str(value) for name, value in parameters.items()}
        env["BENCH_PARTS"] = config[0]
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        folder = str(HERE / "bytewax")
        if config != "2P":
            return lambda: Launch([[*command, "-w", config[0]]], env, folder)

        def two_processes():
            ports = free_port(), free_port()
            hosts = ";".join(f"127.0.0.1:{port}" for port in ports)
            commands = [[*command, "-i", str(i), "-a", hosts] for i in range(2)]
            return Launch(commands, env, folder, ports[0])

        return two_processes

    # ---- contenders ----------------------------------------------------------------------------

    def present(self, contenders):
        missing = {"wax": self.tools.flows, "timely": self.tools.timely,
                   "bytewax": self.tools.bytewax, "mawk": self.tools.mawk}
        return [make() for engine, make in contenders if missing.get(engine.split()[0], True)]

    def c_answer(self, answer, program, *arguments):
        """The right answer is what the hand-written program says."""
        return lambda: answer(process.run(self.c(program, *arguments)()).stdout)

    def w1_answer(self, n):
        answer = self.c_answer(sum_answer, "w1_map", n, 1)()
        if KNOWN_SUMS.get(n, answer) != answer:
            raise RunError(f"w1_map {n}: {answer}, known to be {KNOWN_SUMS[n]}")
        return answer

    def w1(self):
        n, few = self.sizes.numbers, self.sizes.few_numbers
        contenders = []
        for config in "1T", "2T":
            contenders += [
                ("wax", lambda c=config: Contender(
                    "wax", c, n / 1e6, {"": self.wax("w1", c, records=n, parts=c[0])},
                    sum_answer)),
                ("timely", lambda c=config: Contender(
                    "timely", c, n / 1e6,
                    {v: self.timely("w1", c, n, v) for v in ("map", "in_place")}, sum_answer)),
                ("C", lambda c=config: Contender(
                    "C", c, n / 1e6, {"": self.c("w1_map", n, c[0])}, sum_answer)),
            ]
        contenders.append(("bytewax", lambda: Contender(
            "bytewax", "1T", few / 1e6, {"": self.bytewax("w1", "1T", records=few)}, sum_answer,
            "few", start_up=self.bytewax("w1", "1T", records=0))))
        return Workload(
            "w1", f"map chain, {n:,} numbers", "M records/s", self.present(contenders),
            {"": lambda: self.w1_answer(n), "few": lambda: self.w1_answer(few)})

    def of_lines(self, key, title, unit, program, files, works, mawk, mawk_group):
        """W2 and W5: a big file, and a small one for slow peers."""
        big, small = files[""], files["small"]
        contenders = []
        for config in "1T", "2T":
            contenders += [
                ("wax", lambda c=config: Contender(
                    "wax", c, works[""], {"": self.wax(key, c, path=big)}, lines_answer)),
                ("timely", lambda c=config: Contender(
                    "timely", c, works[""],
                    {v: self.timely(key, c, big, v) for v in ("chain", "fused")}, lines_answer)),
                ("C", lambda c=config: Contender(
                    "C", c, works[""], {"": self.c(program, big, c[0])}, lines_answer)),
            ]
        contenders += [
            ("mawk", lambda: Contender(
                "mawk", "1T", works[mawk_group],
                {"": lambda: Launch([[self.tools.mawk, mawk, str(files[mawk_group])]],
                                    {"LC_ALL": "C"})}, lines_answer, mawk_group)),
            ("bytewax", lambda: Contender(
                "bytewax", "1T", works["small"], {"": self.bytewax(key, "1T", path=small)},
                lines_answer, "small", start_up=self.bytewax(key, "1T", path="/dev/null"))),
        ]
        return Workload(key, title, unit, self.present(contenders),
                        {group: self.c_answer(lines_answer, program, path, 1)
                         for group, path in files.items()})

    def w2(self):
        files = {"": self.tools.text(self.sizes.text),
                 "small": self.tools.text(self.sizes.small_text)}
        works = {group: path.stat().st_size / 1e6 for group, path in files.items()}
        return self.of_lines("w2", f"word count, {works['']:.0f} MB of text", "MB/s", "w2_words",
                             files, works, MAWK_WORDS, "")

    def w5(self):
        rows, few = self.sizes.rows, self.sizes.few_rows
        files = {"": self.tools.rows(rows), "small": self.tools.rows(few)}
        works = {"": rows / 1e6, "small": few / 1e6}
        return self.of_lines("w5", f"billion-row challenge, {rows:,} rows", "M rows/s",
                             "w5_brc", files, works, MAWK_ROWS, "small")

    def count_of(self, workers, n, keys, kind):
        return self.c_answer(count_answer, "w3_count", "threads", workers, n, keys, kind)

    def count(self, key, title, n, keys, kind):
        """W3 with one kind of keys."""
        contenders = []
        for config in "1T", "2T", "2P":
            workers = int(config[0])
            mode = "processes" if config == "2P" else "threads"
            shared = {"work": n * workers / 1e6, "answer": count_answer, "group": config[0]}
            contenders += [
                ("wax", lambda c=config, w=workers, s=shared: Contender("wax", c, variants={
                    "": self.wax("w3", c, records=n, parts=w, keys=keys, zipf=int(kind == "zipf")),
                }, **s)),
                ("timely", lambda c=config, s=shared: Contender("timely", c, variants={
                    v: self.timely("w3", c, n, keys, kind, v) for v in ("direct", "pre")
                }, inner_clock=c == "2P", **s)),
                ("C", lambda c=config, m=mode, w=workers, s=shared: Contender("C", c, variants={
                    "": self.c("w3_count", m, w, n, keys, kind)}, **s)),
            ]
        return Workload(key, f"{title}, {n:,} records a worker", "M records/s",
                        self.present(contenders),
                        {str(w): self.count_of(w, n, keys, kind) for w in (1, 2)})

    def bytewax_counts(self, workload):
        """Bytewax on W3: two processes, and two threads to show its lock; few records."""
        few = self.sizes.few_keys
        for config in "1T", "2T", "2P":
            workload.contenders += self.present([("bytewax", lambda c=config: Contender(
                "bytewax", c, few * int(c[0]) / 1e6,
                {"": self.bytewax("w3", c, records=few, keys=KEYS)}, count_answer, "few" + c[0],
                start_up=None if c == "2P" else self.bytewax("w3", c, records=0, keys=KEYS),
                max_reps=2))])
        for w in 1, 2:
            workload.expected[f"few{w}"] = self.count_of(w, few, KEYS, "uniform")

    def w3(self):
        workload = self.count("w3", "keyed count, 1 M keys", self.sizes.keys, KEYS, "uniform")
        self.bytewax_counts(workload)
        return workload

    def w3_zipf(self):
        return self.count("w3-zipf", "keyed count, 1 M keys by Zipf's law", self.sizes.other_keys,
                          KEYS, "zipf")

    def w3_1k(self):
        return self.count("w3-1k", "keyed count, 1,000 keys", self.sizes.other_keys, 1000,
                          "uniform")

    def at_rate(self, key, rate, seconds, max_reps=99):
        """W6 at `rate` records a second over all workers."""
        warm = self.sizes.warm
        common = {"work": rate * seconds, "answer": latency_answer, "latency": latencies}
        contenders = []
        for config, mode in ("1T", "same"), ("2T", "spin"), ("2P", "tcp"):
            flow = {"rate": rate, "seconds": seconds, "warm": warm, "parts": config[0]}
            contenders += [
                ("wax", lambda c=config, f=flow: Contender(
                    "wax", c, variants={"": self.wax("w6", c, **f)}, **common)),
                ("timely", lambda c=config: Contender("timely", c, variants={
                    v: self.timely("w6", c, rate, seconds, warm, v) for v in ("source", "input")
                }, **common)),
                ("C", lambda c=config, m=mode: Contender(
                    "C", c, variants={m: self.c("w6_latency", m, rate, seconds, warm)}, **common)),
            ]
        contenders.append(("wax", lambda: Contender(
            "wax parking", "2T", variants={"": self.wax(
                "w6", "2T", rate=rate, seconds=seconds, warm=warm, parts=2, park=1)}, **common)))
        total, measured = int(rate * (seconds + warm)), int(rate * seconds)
        answer = f"records={KEYS + total} measured={measured}"
        return Workload(key, f"latency at {rate:,} records/s for {seconds:g} s", "us",
                        self.present(contenders), {"": lambda: answer}, max_reps=max_reps)

    def w6(self):
        return self.at_rate("w6", 100_000, self.sizes.seconds)

    def w6_others(self):
        """Other rates, for orientation: once each, half as long."""
        half = self.sizes.seconds / 2
        return [self.at_rate(f"w6-{rate}", rate, half, 1) for rate in self.sizes.other_rates]


def make_all(tools, sizes, only):
    """The workloads chosen; `only` holds their short names."""
    maker, chosen = Maker(tools, sizes), []
    if "w1" in only:
        chosen.append(maker.w1())
    if "w2" in only:
        chosen.append(maker.w2())
    if "w3" in only:
        chosen += [maker.w3(), maker.w3_zipf(), maker.w3_1k()]
    if "w5" in only:
        chosen.append(maker.w5())
    if "w6" in only:
        chosen += [maker.w6(), *maker.w6_others()]
    return chosen


