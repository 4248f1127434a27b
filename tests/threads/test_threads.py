# SPDX-License-Identifier: Apache-2.0
"""Runs dataflows with several workers and processes in a build with ThreadSanitizer: tests/run then looks at its
reports. Works with any build, but only that one sees races."""
import collections
import os
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAX = os.path.abspath(os.environ.get("WAX", f"{ROOT}/build/wax"))
SECONDS_MAX = 300


class Threads(unittest.TestCase):
    def run_flow(self, *arguments):
        done = subprocess.run([WAX, "run", *arguments], capture_output=True, text=True, timeout=SECONDS_MAX,
                              check=False, cwd=ROOT, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return sorted(done.stdout.splitlines())

    def test_the_same_result_for_every_spread(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "text")
            words = [f"word{i * i % 997}" for i in range(60000)]
            with open(path, "w", encoding="utf-8") as file:
                for i in range(0, len(words), 6):
                    file.write(" ".join(words[i:i + 6]) + "\n")
            wanted = sorted(f"{word}\t{count}" for word, count in collections.Counter(words).items())
            for spread in (["-w2"], ["-w4"], ["-p2"], ["-p2", "-w2"], ["-p3", "-w2", "-s", "50ms"]):
                with self.subTest(spread=" ".join(spread)):
                    lines = self.run_flow("examples/wordcount.c", "-D", f"path={path}", *spread)
                    self.assertEqual(lines, wanted)

    def test_short_epochs(self):
        for spread in (["-w3"], ["-p2", "-w2"]):
            with self.subTest(spread=" ".join(spread)):
                lines = self.run_flow("examples/primes.c", "-D", "below=30000", "-s", "1ms", *spread)
                self.assertEqual(sum(int(line.split("\t")[1]) for line in lines), 3245)

    def test_a_stop_in_the_middle(self):
        for spread in (["-w3"], ["-p2", "-w2"]):
            with self.subTest(spread=" ".join(spread)):
                with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(
                        [WAX, "run", "examples/program.c", *spread], cwd=ROOT, stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL, stderr=errors, text=True) as process:
                    process.stdin.write("1\n" * 1000)
                    process.stdin.flush()
                    time.sleep(2)
                    process.send_signal(signal.SIGTERM)
                    code = process.wait(timeout=SECONDS_MAX)  # with its input still open
                    errors.seek(0)
                    self.assertEqual(code, 143, errors.read()[-3000:])


if __name__ == "__main__":
    unittest.main()
