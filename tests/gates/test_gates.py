# SPDX-License-Identifier: Apache-2.0
"""A check that cannot fail is no check: each one of ours is given a file with the defect that it looks for, and
must find it. The same file without the defect must pass, so that it is the defect that is found."""
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GATES = f"{ROOT}/tests/gates"
LICENCE = "/* SPDX-License-Identifier: Apache-2.0 */\n"


def run(*command, **env):
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT,
                          env={**os.environ, "LC_ALL": "C", **env})


class Directory(unittest.TestCase):
    """Gives each test a directory of its own, self.dir."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = holder.name

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def expect(self, done, code, *words):
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, output)
        for word in words:
            self.assertIn(word, output)


class Layers(Directory):
    # (file, its line, what is said); None: nothing is.
    CASES = [
        ("runtime/base/a.h", '#include "core/batch.h"', "base may not include core"),
        ("runtime/base/a.h", '#include "base/buf.h"', None),
        ("runtime/base/a.h", "#include <wax/wax.h>", "base may not include a public header"),
        ("runtime/core/a.c", '#include "cluster/run.h"', "core may not include cluster"),
        ("runtime/core/a.c", '#include "connectors/scan.h"', "core may not include connectors"),
        ("runtime/core/a.c", '#include "base/buf.h"', None),
        ("runtime/core/a.c", "#include <wax/wax.h>", None),
        ("runtime/core/a.c", "#include <sys/socket.h>", "it has no sockets"),
        ("runtime/core/a.c", "#include <fcntl.h>", "it has no sockets, files"),
        ("runtime/core/a.c", "#include <time.h>", "clocks"),
        ("runtime/core/a.c", 'static void f(void) { fopen("x", "r"); }', "core may not use 'fopen'"),
        ("runtime/core/a.c", '/* printf("x") */', None),
        ("runtime/connectors/a.c", '#include "cluster/run.h"', "connectors may not include cluster"),
        ("runtime/cluster/a.c", '#include "cli/module.h"', "cluster may not include cli"),
        ("runtime/cluster/a.c", "#include <sys/socket.h>", None),
        ("runtime/cli/a.c", '#include "cluster/run.h"', None),
        ("runtime/cli/a.c", '#include "run.h"', "write the directory"),
        ("runtime/include/wax/a.h", '#include "base/buf.h"', "a public header may not include"),
        ("runtime/include/wax/a.h", "#include <stdio.h>", "a public header may not include"),
        ("runtime/include/wax/a.h", "#include <wax/type.h>", None),
        ("runtime/other/a.c", "", "is no layer"),
        ("waxctl/kube/a.c", '#include "core/flow.h"', "waxctl may not include core"),
        ("waxctl/kube/a.c", '#include "base/error.h"', None),
    ]

    def test_each_direction(self):
        for number, (name, line, message) in enumerate(self.CASES):
            with self.subTest(file=name, line=line):
                root = f"{number}"
                self.write(f"{root}/{name}", f"{LICENCE}{line}\n")
                done = run("tests/lint/layers", os.path.join(self.dir, root))
                if message:
                    self.expect(done, 1, f"{name}:", message)
                else:
                    self.expect(done, 0)


class Source(Directory):
    @staticmethod
    def function(lines):
        return LICENCE + "int f(int n)\n{\n" + "    n++;\n" * (lines - 1) + "    return n;\n}\n"

    def test_each_rule(self):
        cases = [
            ("a.c", self.function(70), None),
            ("a.c", self.function(71), "a.c:3: a function of 71 lines"),
            ("a.c", LICENCE + "#define F(x)    \\\n{   \\\n" + "    x;  \\\n" * 71 + "}\n", "of 71 lines"),
            ("a.c", "int a;\n", "the first lines lack"),
            ("a.sh", "#!/bin/sh\n", "the first lines lack"),
            ("a.c", LICENCE + "/* " + "x" * 98 + "\n", "a.c:2: 101 columns"),
            ("a.c", LICENCE + "/* " + "x" * 97 + "\n", None),
            ("a.c", LICENCE + "int a; \n", "blanks at the end"),
            ("a.c", LICENCE + "int a;", "has no end"),
            ("a.c", LICENCE + "/* TO" "DO: later */\n", "finish it"),
            ("a.py", "# SPDX-License-Identifier: Apache-2.0\n# FIX" "ME\n", "finish it"),
            ("a.c", LICENCE + "void f(char *a) { strcpy(a, a); }\n", "'strcpy' is banned"),
            ("a.c", LICENCE + "int f(char *a) { return atoi (a); }\n", "'atoi' is banned"),
            ("a.c", LICENCE + "void f(void) { x->random(1); my_rand(2); }\n", None),
            ("a.c", LICENCE + "/* strcpy(a, b) */\n", None),
        ]
        for name, text, message in cases:
            with self.subTest(file=name, text=text[42:90]):
                done = run("tests/lint/source", self.write(name, text))
                if message:
                    self.expect(done, 1, message)
                else:
                    self.expect(done, 0)

    def test_format(self):
        if not shutil.which("clang-format"):
            self.skipTest("clang-format is not installed")
        shutil.copy(f"{ROOT}/.clang-format", self.dir)
        good, bad = "int f(int n)\n{\n    return n;\n}\n", "int f(int n) {\n  return n;\n}\n"
        self.expect(run("clang-format", "--dry-run", "-Werror", self.write("good.c", good)), 0)
        self.expect(run("clang-format", "--dry-run", "-Werror", self.write("bad.c", bad)), 1, "format")

    def test_tidy(self):
        if not shutil.which("clang-tidy"):
            self.skipTest("clang-tidy is not installed")
        shutil.copy(f"{ROOT}/.clang-tidy", self.dir)
        long = self.function(72).replace(LICENCE, "int f(int n);\n")
        good = "int f(int n);\nint f(int n)\n{\n    return n;\n}\n"
        null = "int f(void);\nint f(void)\n{\n    int *p = 0;\n    return *p;\n}\n"
        self.expect(run("tests/lint/tidy", self.write("good.c", good)), 0)
        self.expect(run("tests/lint/tidy", self.write("long.c", long)), 123, "readability-function-size")
        self.expect(run("tests/lint/tidy", self.write("null.c", null)), 123, "NullDereference")

    def test_headers(self):
        header = "#ifndef A_H\n#define A_H\n{}int f({} n);\n#endif\n"
        self.write("runtime/include/wax/good.h", header.format("#include <stdint.h>\n", "int32_t"))
        self.write("runtime/base/good.h", header.format("", "int"))
        self.expect(run("tests/lint/headers", self.dir), 0)
        self.write("runtime/include/wax/bad.h", header.format("", "int32_t"))
        self.expect(run("tests/lint/headers", self.dir), 1, "wax/bad.h: does not compile alone")
        self.write("runtime/include/wax/bad.h", header.format("", "int class, int"))
        self.expect(run("tests/lint/headers", self.dir), 1, "wax/bad.h: does not compile alone with: g++")


class Warnings(Directory):
    """The flags of the Makefile refuse what they are there for."""

    CASES = [
        ("int f(int n)\n{\n    int n2 = n, f2;\n    return n2;\n}\n", "unused"),
        ("int f(long n)\n{\n    return n;\n}\n", "conversion"),
        ("int f(int n)\n{\n    for (int i = 0; i < n; i++) {\n        int n = i;\n        f(n);\n    }\n"
         "    return 0;\n}\n", "shadow"),
        ("int f(int n)\n{\n    int a[n];\n    return (int)sizeof a;\n}\n", "vla"),
        ("#include <stdio.h>\nint f(const char *s)\n{\n    return printf(s);\n}\n", "format"),
        ("int f()\n{\n    return 0;\n}\n", "prototype"),
        ("int g(void)\n{\n    return 0;\n}\n", "missing-prototypes"),
    ]

    def test_each_warning(self):
        flags = run("make", "--no-print-directory", "-s", "print-warnings").stdout.split()
        self.assertIn("-Werror", flags)
        for code, word in self.CASES:
            with self.subTest(warning=word):
                declared = "" if word in ("prototype", "missing-prototypes") else "int f();\n".replace(
                    "()", {"conversion": "(long n)", "format": "(const char *s)"}.get(word, "(int n)"))
                path = self.write("a.c", declared + code)
                self.expect(run(os.environ.get("CC", "gcc"), "-std=gnu17", "-fsyntax-only", *flags, path), 1, word)


class Runner(Directory):
    """tests/run says what failed, whatever way it failed."""

    def run_unit(self, source, *flags, san=""):
        build = os.path.join(self.dir, "build")
        os.makedirs(build, exist_ok=True)
        linked = subprocess.run(["pkg-config", "--cflags", "--libs", "criterion"], capture_output=True, text=True,
                                check=True).stdout.split()
        done = run("gcc", "-g", "-o", f"{build}/unit", f"{GATES}/{source}", *flags, *linked)
        self.assertEqual(done.returncode, 0, done.stderr)
        return run("tests/run", "unit", B=build, SAN=san)

    def test_failures_and_crashes_are_counted(self):
        done = self.run_unit("failing.c")
        self.expect(done, 1, "as it should")
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 2 failed, 0 skipped")

    def test_a_leak_is_caught(self):
        flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        done = self.run_unit("leak.c", *flags, san="address,undefined")
        self.expect(done, 1, "detected memory leaks")
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 1 failed, 0 skipped")

    def test_undefined_behaviour_is_caught(self):
        flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        done = self.run_unit("undefined.c", *flags, san="address,undefined")
        self.expect(done, 1, "signed integer overflow")

    def test_a_race_is_caught(self):
        program = os.path.join(self.dir, "race")
        done = run("gcc", "-g", "-fsanitize=thread", "-pthread", "-o", program, f"{GATES}/race.c")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = run("tests/run", f"program={program}", B=self.dir, SAN="thread")
        self.expect(done, 1, "data race", "race.c")

    def test_a_program_that_cannot_start_fails(self):
        done = run("tests/run", "program=/no/such/program", B=self.dir, SAN="")
        self.expect(done, 1, "0 passed, 1 failed, 0 skipped")

    def test_parts_that_do_not_exist_are_skipped_aloud(self):
        done = run("tests/run", "nothing", B=self.dir, SAN="")
        self.expect(done, 0, "skipped nothing: ", "0 passed, 0 failed, 1 skipped")


if __name__ == "__main__":
    unittest.main()
