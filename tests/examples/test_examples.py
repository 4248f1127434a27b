# SPDX-License-Identifier: Apache-2.0
"""Runs every example as its first comment says, with one worker, two workers and two processes, and compares what
it prints with the same thing computed here. Order is not part of the result: lines are compared as multisets."""
import collections
import glob
import json
import os
import random
import re
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAX = os.path.abspath(os.environ.get("WAX", f"{ROOT}/build/wax"))
SPREADS = [["-w1"], ["-w2"], ["-w3"], ["-p2"], ["-p2", "-w2"]]
SECONDS_MAX = 120


def english():
    """Some text that every Debian has, or else the licence of this project."""
    path = "/usr/share/common-licenses/GPL-3"
    return path if os.path.exists(path) else f"{ROOT}/LICENSE"


def wax(*arguments, directory=ROOT, text=""):
    return subprocess.run([WAX, "run", *arguments], cwd=directory, input=text, capture_output=True, text=True,
                          timeout=SECONDS_MAX, check=False)


class Example(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = holder.name

    def run_example(self, *arguments, text=""):
        """The lines that the example prints; it must end well."""
        done = wax(*arguments, directory=self.dir, text=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def each_spread(self, name, wanted, *arguments, key=None):
        for spread in SPREADS:
            with self.subTest(spread=" ".join(spread)):
                lines = self.run_example(f"{ROOT}/examples/{name}", *spread, *arguments)
                self.assertEqual(sorted(map(key, lines) if key else lines), sorted(wanted))


class Examples(Example):
    def test_simple(self):
        self.assertEqual(self.run_example(f"{ROOT}/examples/simple.c"), ["1", "2", "3"])
        self.each_spread("simple.c", ["1", "2", "3"])

    def test_wordcount(self):
        with open(english(), encoding="latin-1") as file:
            words = collections.Counter(re.findall(r"[^ \t\n\v\f\r]+", ascii_lower(file.read())))
        wanted = [f"{word}\t{count}" for word, count in words.items()]
        self.each_spread("wordcount.c", wanted, "-D", f"path={english()}")

    def test_brc(self):
        generator = random.Random(5)
        path = os.path.join(self.dir, "rows.txt")
        stats = collections.defaultdict(list)
        with open(path, "w", encoding="utf-8") as file:
            for _ in range(20000):
                station = f"Stadt {generator.randrange(50)}"
                tenths = generator.randrange(-999, 1000)
                stats[station].append(tenths)
                file.write(f"{station};{tenths / 10:.1f}\n")
        wanted = [(station, min(all_of) / 10, sum(all_of) / len(all_of) / 10, max(all_of) / 10)
                  for station, all_of in stats.items()]

        def row(line):
            record = json.loads(line)
            return record["station"], record["min"], record["mean"], record["max"]
        self.each_spread("brc.c", wanted, "-D", f"path={path}", key=row)

    def test_brc_names_a_line_that_is_no_reading(self):
        path = os.path.join(self.dir, "rows.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write("Bonn;1.0\nBonn;warm\n")
        done = wax(f"{ROOT}/examples/brc.c", "-D", f"path={path}", directory=self.dir)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("not a temperature: 'warm'", done.stderr)
        self.assertIn("parse", done.stderr)

    def test_brc_needs_a_path(self):
        done = wax(f"{ROOT}/examples/brc.c", directory=self.dir)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("path", done.stderr)

    def test_access_log(self):
        log = f"{ROOT}/examples/data/access.log"
        totals, errors = collections.defaultdict(lambda: [0, 0]), []
        with open(log, encoding="utf-8") as file:
            for line in file.read().splitlines():
                if not line or line.startswith("#"):
                    continue
                _, method, path, status, size = line.split(" ")
                if not status.isdigit():
                    errors.append(f"??? not a status: '{status}': {line}")
                elif not size.isdigit():
                    errors.append(f"??? not a size: '{size}': {line}")
                elif int(status) >= 400:
                    errors.append(f"{status} {method} {path}")
                else:
                    totals[path][0] += 1
                    totals[path][1] += int(size)
        wanted = [(path, requests, size) for path, (requests, size) in totals.items()]

        def row(line):
            record = json.loads(line)
            return record["path"], record["requests"], record["bytes"]
        self.assertGreater(len(errors), 3)
        self.each_spread("access_log.c", wanted, "-D", f"path={log}", key=row)
        with open(os.path.join(self.dir, "errors.txt"), encoding="utf-8") as file:
            self.assertEqual(sorted(file.read().splitlines()), sorted(errors))

    def test_letters(self):
        with open(english(), encoding="latin-1") as file:
            words = re.findall(r"[a-z]+", ascii_lower(file.read()))
        initials = collections.Counter(word[0] for word in words)
        wanted = [f"{letter}\t{count}" for letter, count in initials.items()]
        self.each_spread("letters.c", wanted, "-D", f"path={english()}")
        longest = [min((word for word in words if word[0] == letter), key=lambda word: (-len(word), word))
                   for letter in initials]
        self.each_spread("letters.c:longest", longest, "-D", f"path={english()}")

    def test_primes(self):
        below = 5000
        digits = collections.Counter(n % 10 for n in range(2, below) if all(n % d for d in range(2, int(n**0.5) + 1)))
        wanted = [f"{digit}\t{count}" for digit, count in digits.items()]
        self.each_spread("primes.c", wanted, "-D", f"below={below}")
        done = wax(f"{ROOT}/examples/primes.c", "-D", "below=-1", directory=self.dir)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("must not be negative", done.stderr)

    def test_own_io(self):
        readings = [(t, n, ((t * 7919 + n * 104729) % 400) / 10) for t in range(3) for n in range(1000)]
        best = [max((r for r in readings if r[0] == t), key=lambda r: (r[2], -r[1])) for t in range(3)]
        hot = [f"{t} {celsius:.1f}" for t, _, celsius in readings if celsius > 30]

        def row(line):
            record = json.loads(line)
            return record["thermometer"], record["number"], record["celsius"]
        for spread in SPREADS:
            with self.subTest(spread=" ".join(spread)), tempfile.TemporaryDirectory() as self.dir:
                done = wax(f"{ROOT}/examples/own_io.c", *spread, directory=self.dir)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(sorted(map(row, done.stdout.splitlines())), sorted(best))
                written = []
                for path in glob.glob(f"{self.dir}/hot.*"):
                    with open(path, encoding="utf-8") as file:
                        written += file.read().splitlines()
                self.assertEqual(sorted(written), sorted(hot))
                self.assertEqual(done.stderr.count(" works\n"), 3, done.stderr)

    def test_program(self):
        lines = self.run_example(f"{ROOT}/examples/program.c", text="3\n x\n-12\n")
        self.assertEqual([json.loads(line)["square"] for line in lines], [9, 144])
        done = wax(f"{ROOT}/examples/program.c", directory=self.dir, text="5000000000\n")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("does not fit in 64 bits", done.stderr)

    def test_every_example_is_tested(self):
        tested = {"simple", "wordcount", "brc", "access_log", "letters", "primes", "own_io", "program"}
        there = {os.path.basename(path)[:-2] for path in glob.glob(f"{ROOT}/examples/*.c")}
        self.assertEqual(there, tested)


def ascii_lower(text):
    return re.sub("[A-Z]", lambda match: match.group().lower(), text)


if __name__ == "__main__":
    unittest.main()
