#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the Python tests of one directory, tests/PART/test_*.py, and prints the counts tests/run reads.

    tests/support/cases.py PART [NAME...]

Sub-tests count one by one: a table of forty cases that fails once says so, and says which.
"""
import os
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Result(unittest.TextTestResult):
    """Counts what passed as well, and prints one line a test."""

    def __init__(self, stream, descriptions, verbosity):
        super().__init__(stream, descriptions, verbosity=0)
        self.out = stream
        self.passed = 0
        self.sub_tests = {}

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.sub_tests[test.id()] = [0, 0]

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        self.sub_tests[test.id()][1 if err else 0] += 1
        if err:
            self.line("FAILED", subtest)

    def addSuccess(self, test):
        super().addSuccess(test)
        good, _ = self.sub_tests[test.id()]
        self.passed += max(good, 1)
        self.line("ok", test)

    def stopTest(self, test):
        good, bad = self.sub_tests[test.id()]
        if bad:
            self.passed += good
        super().stopTest(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line("FAILED", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.line("FAILED", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.out.writeln(f"skipped {test.id()}: {reason}")

    def line(self, verdict, test):
        seconds = time.monotonic() - self.began if hasattr(self, "began") else 0
        self.out.writeln(f"{verdict} {test.id()} ({seconds:.2f} s)")
        self.out.flush()


def main():
    part, names = sys.argv[1], sys.argv[2:]
    directory = os.path.join(TESTS, part)
    sys.path.insert(0, os.path.join(TESTS, "support"))
    sys.path.insert(0, directory)
    os.environ.setdefault("WAX", os.path.join(os.path.dirname(TESTS), "build", "wax"))
    loader = unittest.TestLoader()
    if names:
        loader.testNamePatterns = [f"*{name}*" for name in names]
    suite = loader.discover(directory, pattern="test_*.py", top_level_dir=directory)
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=0)
    result = runner.run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
