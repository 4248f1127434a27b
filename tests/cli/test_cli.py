#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the program `wax` as a user calls it: real processes, real compilers, files in temporary directories.

Environment: WAX, the program (build/wax by default); B, its build directory; CC, the compiler for modules.
"""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAX = os.path.abspath(os.environ.get("WAX", os.path.join(ROOT, "build", "wax")))
BUILD = os.path.abspath(os.environ.get("B", os.path.dirname(os.path.realpath(WAX))))
SAN = os.environ.get("SAN", "")
COMPILER = os.environ.get("CC") or "cc"
SECONDS = 120  # for anything to end; nothing here waits that long

OK, FAILED, USAGE, MODULE, NETWORK = 0, 1, 2, 3, 6
COMMANDS = ["run", "build", "graph", "new", "version", "help", "man", "completion"]

# Prints one number, ANSWER.
SIMPLE = """
#include <wax/wax.h>
#ifndef ANSWER
#define ANSWER %d
#endif
WAX_MAP(answer, int64_t, int64_t) { *out = *in + ANSWER; return WAX_EMIT; }
WAX_DATAFLOW(%s)
{
    wax_stream(int64_t) in = wax_input(flow, "in", wax_testing_range(0, 1));
    wax_output("out", wax_map("answer", in, answer), wax_stdout());
}
"""

# Numbers through a body that can be told what to do with number 5; one each `pause` milliseconds.
WORKS = """
#include <wax/wax.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *order(void) { const char *text = getenv("ORDER"); return text ? text : ""; }

WAX_MAP(work, int64_t, wax_str)
{
    if (*in == 5 && strcmp(order(), "fail") == 0)
        return wax_fail(cx, "five is right out");
    if (*in == 5 && strcmp(order(), "crash") == 0)
        abort();
    if (*in == 5 && strcmp(order(), "block") == 0)
        sleep(1000);
    if (*in == 5 && strcmp(order(), "overflow") == 0) {
        char *bytes = malloc(8);
        for (int64_t i = 0; i < *in + 4; i++)
            bytes[i] = (char)i;
        *out = wax_fmt(cx, "%d", bytes[3]);
        free(bytes);
        return WAX_EMIT;
    }
    *out = wax_fmt(cx, "number %06d of a line that is long enough to be cut in two", (int)*in);
    return WAX_EMIT;
}

typedef struct pace {
    int64_t n, pause;
} pace;
WAX_SELF(pace);
WAX_RECORD(place, (int64_t, next), (wax_time, due));
WAX_SOURCE(ticks, int64_t, pace, place)
{
    if (wax_now(cx) < pos->due) {
        *wake = pos->due;
        return WAX_OK;
    }
    wax_emit(out, pos->next++);
    pos->due = wax_now(cx) + wax_millis(self->pause);
    return pos->next < self->n ? WAX_OK : WAX_EOF;
}

WAX_DATAFLOW(works)
{
    pace given = {.n = wax_param_i64(flow, "n", 10), .pause = wax_param_i64(flow, "pause", 0)};
    wax_source(int64_t) numbers = given.pause ? wax_from(ticks, &given) : wax_testing_range(0, given.n);
    wax_stream(int64_t) in = wax_input(flow, "in", numbers);
    wax_output("out", wax_map("work", wax_redistribute("spread", in), work), wax_stdout());
}
"""


SLOWLY = ["-Dn=1000000", "-Dpause=2"]


def simple(answer=1, name="simple"):
    return SIMPLE % (answer, name)


class Case(unittest.TestCase):
    """A temporary directory to work in, a cache of compiled modules, and ways to call wax."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="wax-test-")
        cls.cache = os.path.join(cls.top, "cache")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top, ignore_errors=True)

    def setUp(self):
        self.dir = tempfile.mkdtemp(dir=self.top)

    def write(self, name, text, executable=False):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        if executable:
            os.chmod(path, 0o755)
        return path

    def environment(self, env=None):
        """Ours without what wax reads, then what a case wants; None takes a variable away."""
        full = {k: v for k, v in os.environ.items() if not k.startswith("WAX")}
        full["XDG_CACHE_HOME"] = self.cache
        for name, value in (env or {}).items():
            full.pop(name, None)
            if value is not None:
                full[name] = value
        return full

    def start(self, *args, env=None, cwd=None, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen([WAX, *args], cwd=cwd or self.dir, env=self.environment(env),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def wax(self, *args, env=None, cwd=None, code=OK):
        """Runs wax, expects the exit code, returns what it wrote to standard output and error."""
        process = self.start(*args, env=env, cwd=cwd)
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.fail(f"wax {' '.join(args)} does not end\n{out}\n{err}")
        self.assertEqual(process.returncode, code, f"exit code of: wax {' '.join(args)}\n{out}\n{err}")
        return out, err

    def refused(self, code, text, *args, env=None, cwd=None):
        """Runs wax, which must fail, say `text` on standard error, and print no result."""
        out, err = self.wax(*args, env=env, cwd=cwd, code=code)
        self.assertIn(text, err, f"wax {' '.join(args)}")
        self.assertEqual(out, "", f"wax {' '.join(args)}")
        return err

    def build(self, *args, **more):
        out, err = self.wax("build", *args, **more)
        self.assertEqual(out, "")
        return err

    def age(self, name, seconds):
        """Makes a file look as if it had been written that long ago."""
        path = os.path.join(self.dir, name)
        then = time.time() - seconds
        os.utime(path, (then, then))

    def counting_compiler(self):
        """A compiler that writes down each file it compiles. Returns its path and a function that counts."""
        log = os.path.join(self.dir, "compiled.log")
        path = self.write("count-cc", f'#!/bin/sh\ncase " $* " in *" -c "*) echo x >>{log} ;; esac\n'
                                      f'exec {COMPILER} "$@"\n', executable=True)

        def count():
            if not os.path.exists(log):
                return 0
            with open(log, encoding="utf-8") as file:
                return len(file.readlines())
        return path, count


class Texts(Case):
    def test_help(self):
        out, err = self.wax("--help")
        self.assertEqual(err, "")
        self.assertTrue(out.startswith("usage: wax COMMAND"), out)
        for same in (["-h"], ["help"]):
            self.assertEqual(self.wax(*same)[0], out, same)
        out, err = self.wax(code=USAGE)
        self.assertEqual(out, "")
        self.assertTrue(err.startswith("usage: wax COMMAND"), err)
        for command in COMMANDS:
            with self.subTest(command=command):
                self.assertIn(f"\n  {command} ", err)
                out, _ = self.wax("help", command)
                self.assertTrue(out.startswith(f"usage: wax {command}"), out)
                self.assertEqual(self.wax(command, "--help")[0], out)
                self.assertEqual(self.wax(command, "-h")[0], out)
                for line in out.splitlines():
                    self.assertLessEqual(len(line), 80, line)

    def test_help_of_run_names_flags_variables_and_defaults(self):
        out, _ = self.wax("run", "--help")
        for letter, name, default in (("w", "workers-per-process", "1"), ("p", "processes", "1"),
                                      ("i", "process-id", None), ("a", "addresses", None),
                                      ("s", "snapshot-interval", "10s"), ("D", "param", None),
                                      (None, "peer-timeout", "10s"), (None, "max-record", "16M"),
                                      (None, "max-fanout", "64M"), (None, "secret-file", None),
                                      (None, "sanitize", None), (None, "log-level", "info"),
                                      (None, "log-format", "text")):
            with self.subTest(name=name):
                entry = re.search(rf"^  {f'-{letter}, ' if letter else '    '}--{name}\b.*?(?=^  -|^      --|^$)", out,
                                  re.M | re.S)
                self.assertIsNotNone(entry, out)
                text = " ".join(entry.group().split())
                variable = "WAX_PARAMS" if name == "param" else "WAX_" + name.upper().replace("-", "_")
                self.assertIn(f"${variable})", text)
                if default:
                    self.assertIn(f"(default {default}, or", text)

    def test_version(self):
        out, err = self.wax("version")
        self.assertRegex(out, r"\Awax \d+\.\d+\.\d+\n\Z")
        self.assertEqual(err, "")
        for same in ("--version", "-V"):
            self.assertEqual(self.wax(same)[0], out)

    def test_results_that_cannot_be_written_are_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            process = subprocess.run([WAX, "version"], stdout=full, stderr=subprocess.PIPE, text=True,
                                     check=False, env=self.environment())
        self.assertEqual(process.returncode, FAILED)
        self.assertIn("cannot write to standard output: No space left", process.stderr)

    def test_manual_pages(self):
        tools = [tool for tool in (["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"],
                                   ["mandoc", "-T", "lint", "-W", "warning"]) if shutil.which(tool[0])]
        for command in [None, *COMMANDS]:
            with self.subTest(command=command):
                page, _ = self.wax("man", *([command] if command else []))
                title = f"WAX\\-{command.upper()}" if command else "WAX"
                self.assertTrue(page.startswith(f".TH {title} 1 "), page[:80])
                for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS"):
                    self.assertIn(f"\n.SH {section}\n", page)
                path = self.write(f"wax-{command}.1", page)
                for tool in tools:
                    check = subprocess.run([*tool, path], capture_output=True, text=True, check=False)
                    complaints = check.stderr + (check.stdout if tool[0] == "mandoc" else "")
                    complaints = "\n".join(line for line in complaints.splitlines() if "missing date" not in line)
                    self.assertEqual(complaints, "", f"{tool[0]} complains about the page")
        if not tools:
            self.skipTest("neither man nor mandoc is here to check the pages")

    def test_completion(self):
        missing = []
        for shell in ("bash", "zsh", "fish"):
            with self.subTest(shell=shell):
                script, _ = self.wax("completion", shell)
                for word in [*COMMANDS, "workers-per-process", "mermaid"]:
                    self.assertIn(word, script)
                if not shutil.which(shell):
                    missing.append(shell)
                    continue
                check = subprocess.run([shell, "-n", self.write("script", script)], capture_output=True,
                                       text=True, check=False)
                self.assertEqual((check.returncode, check.stderr), (0, ""))
        self.refused(USAGE, "there is no completion for 'tcsh'", "completion", "tcsh")
        self.refused(USAGE, "an argument is missing: bash|zsh|fish", "completion")
        if missing:
            self.skipTest(f"the scripts for {' and '.join(missing)} were not checked: not installed")

    def test_completion_completes_in_bash(self):
        if not shutil.which("bash"):
            self.skipTest("bash is not installed")
        script = self.write("script", self.wax("completion", "bash")[0])
        self.write("one.c", "")
        self.write("flows/two.so", "")
        for words, want in ((["r"], "run"), (["run", "--work"], "--workers-per-process"), (["run", "o"], "one"),
                            (["run", "t"], "two"), (["graph", "-f", ""], "mermaid dot json"), (["run", "-w", ""], ""),
                            (["help", "g"], "graph"), (["completion", ""], "bash zsh fish"),
                            (["build", "on"], "one.c")):
            with self.subTest(words=words):
                arguments = " ".join(f"'{word}'" for word in ["wax", *words])
                program = (f"source {script}; COMP_WORDS=({arguments}); COMP_CWORD={len(words)}; _wax; "
                           'echo "${COMPREPLY[*]}"')
                done = subprocess.run(["bash", "-c", program], cwd=self.dir, capture_output=True, text=True,
                                      check=False, env=self.environment({"WAX_PATH": "flows"}))
                self.assertEqual((done.stdout.strip(), done.stderr), (want, ""))


class Usage(Case):
    def test_wrong_command_lines(self):
        self.write("simple.c", simple())
        for args, text in (
                ("rnu", "there is no command 'rnu': did you mean 'run'?"),
                ("deploy", "there is no command 'deploy' (see 'wax --help')"),
                ("help rnu", "did you mean 'run'?"),
                ("-w3 run simple", "'-w3' stands before the command: options follow it, as in 'wax COMMAND -w3'"),
                ("run", "an argument is missing: FLOW[:NAME]"),
                ("run simple other", "'other' is one argument too many"),
                ("run simple -w0", "'-w' takes a whole number from 1 to 1024, not '0'"),
                ("run simple -w -1", "'-w' takes a whole number from 1 to 1024, not '-1'"),
                ("run simple -w3x", "'-w' takes a whole number from 1 to 1024, not '3x'"),
                ("run simple --workers-per-process=", "'--workers-per-process' takes a whole number"),
                ("run simple -w 99999999999999999999", "not '99999999999999999999'"),
                ("run simple -w", "'-w' needs a value"),
                ("run simple -i -a one:1", "'-i' needs a value"),
                ("run simple --worker 3", "there is no option '--worker': did you mean '--workers-per-process'?"),
                ("run simple -x", "there is no option '-x'"),
                ("run simple -i0", "'--process-id' is '0', but '--addresses' is missing"),
                ("run simple -a one:1", "'--addresses' is given, but '--process-id' is missing"),
                ("run simple -a=", "but '--process-id' is missing"),
                ("run simple --addresses= -i0", "'--addresses' is empty"),
                ("run simple -p2 -i0 -a one:1", "'--processes' starts a cluster and '--addresses' joins one"),
                ("run simple -p2 -i0", "'--processes' starts a cluster and '--process-id' joins one"),
                ("run simple -p0", "'-p' takes a whole number from 1 to 64, not '0'"),
                ("run simple -s0", "'-s' takes a duration such as 250ms, 10s, 5m or 1h, from 1ms to 7d, not '0'"),
                ("run simple -s abc", "not 'abc'"),
                ("run simple --peer-timeout=-1", "'--peer-timeout' takes a duration"),
                ("run simple --max-record 1", "'--max-record' takes a size such as 4096, 64k or 16M, from 1k to 1G"),
                ("run simple --log-level=loud", "'--log-level' takes one of error|warn|info|debug, not 'loud'"),
                ("run simple --sanitize=yes", "'--sanitize' takes no value"),
                ("run simple -D path", "parameter 'path' should be NAME=VALUE"),
                ("run simple -D =x", "parameter '=x' should be NAME=VALUE"),
                ("graph simple -D x", "parameter 'x' should be NAME=VALUE"),
                ("graph simple -f svg", "'-f' takes one of mermaid|dot|json, not 'svg'"),
                ("graph", "an argument is missing"),
                ("run simple:", "cannot be the name of a dataflow"),
                ("run :simple", "names no module"),
                ("run simple:a-b", "'a-b' cannot be the name of a dataflow"),
                ("version now", "takes no argument 'now'"),
                ("build", "an argument is missing: PATH")):
            with self.subTest(args=args):
                self.refused(USAGE, text, *args.split())

    def test_environment(self):
        self.write("simple.c", simple())
        for variable, value, text in (
                ("WAX_WORKERS_PER_PROCESS", "0", "a whole number from 1 to 1024, not '0'"),
                ("WAX_PROCESSES", "two", "a whole number from 1 to 64, not 'two'"),
                ("WAX_SNAPSHOT_INTERVAL", "-5", "not '-5'"),
                ("WAX_PEER_TIMEOUT", "never", "not 'never'"),
                ("WAX_MAX_RECORD", "16X", "not '16X'"),
                ("WAX_LOG_FORMAT", "xml", "takes one of text|logfmt|json, not 'xml'"),
                ("WAX_SANITIZE", "perhaps", "takes 1 or 0, not 'perhaps'")):
            with self.subTest(variable=variable):
                err = self.refused(USAGE, text, "run", "simple", env={variable: value})
                self.assertIn(f"environment variable '{variable}'", err)
        self.refused(USAGE, "'--process-id' is '3', but '--addresses' is missing", "run", "simple",
                     env={"WAX_PROCESS_ID": "3"})
        self.refused(USAGE, "parameter 'x' should be", "run", "simple", env={"WAX_PARAMS": "a=1;x"})

    def test_empty_variables_are_not_set(self):
        self.write("simple.c", simple(7))
        names = ("WORKERS_PER_PROCESS PROCESSES PROCESS_ID ADDRESSES SNAPSHOT_INTERVAL PARAMS PEER_TIMEOUT MAX_RECORD "
                 "MAX_FANOUT SECRET_FILE SANITIZE LOG_LEVEL LOG_FORMAT PATH INCLUDE CFLAGS LDLIBS").split()
        env = {f"WAX_{name}": "" for name in names}
        self.assertEqual(self.wax("run", "simple", env=env)[0], "7\n")

    def test_the_command_line_overrules_the_environment(self):
        self.write("simple.c", simple(7))
        pod = {"WAX_PROCESS_ID": "simple-3", "WAX_ADDRESSES": "simple-{0..4}.invalid:2101"}
        self.assertEqual(self.wax("run", "simple", "-p2", env=pod)[0], "7\n", "a cluster of its own inside of another")
        self.refused(USAGE, "starts a cluster", "run", "simple", env={**pod, "WAX_PROCESSES": "2"})
        self.assertEqual(self.wax("run", "simple", "-w2", env={"WAX_WORKERS_PER_PROCESS": "rubbish"})[0], "7\n")

    def test_parameters(self):
        self.write("works.c", WORKS)
        for args, env, lines in (
                (["-D", "n=3"], {}, 3), (["-Dn=3"], {}, 3), (["--param=n=3"], {}, 3),
                (["-Dn=3", "-D", "n=4"], {}, 4), ([], {"WAX_PARAMS": "n=2"}, 2), ([], {"WAX_PARAMS": ";n=2;"}, 2),
                (["-Dn=5"], {"WAX_PARAMS": "n=2"}, 5)):
            with self.subTest(args=args, env=env):
                out, _ = self.wax("run", "works", *args, env=env)
                self.assertEqual(len(out.splitlines()), lines)
        for args, text in ((["-Dm=3"], "has no parameter 'm'"), (["-Dn=x"], "'n'")):
            with self.subTest(args=args):
                process = self.start("run", "works", *args)
                out, err = process.communicate(timeout=SECONDS)
                self.assertIn(process.returncode, (USAGE, MODULE), err)
                self.assertEqual(out, "")
                self.assertIn(text, err)


class Modules(Case):
    def test_lookup_order(self):
        for place in ("one", "two"):
            os.makedirs(os.path.join(self.dir, place))
        self.write("two/simple.c", simple(4))
        path = {"WAX_PATH": "one::two"}
        err = self.refused(MODULE, "there is no module 'simple': no './simple.so' or './simple.c'", "run", "simple")
        self.assertNotIn("WAX_PATH", err)
        self.assertEqual(self.wax("run", "simple", env=path)[0], "4\n", "$WAX_PATH, C")
        self.refused(MODULE, "and none in WAX_PATH 'one'", "run", "simple", env={"WAX_PATH": "one"})
        self.write("one/simple.c", simple(3))
        self.assertEqual(self.wax("run", "simple", env=path)[0], "3\n", "the earlier directory")
        self.build("one/simple.c", "-o", "two/simple.so")
        self.assertEqual(self.wax("run", "simple", env={"WAX_PATH": "two:one"})[0], "3\n", ".so before .c")
        self.write("simple.c", simple(2))
        self.assertEqual(self.wax("run", "simple", env=path)[0], "2\n", "here before $WAX_PATH")
        self.build("simple.c", "-o", "simple.so", env={"WAX_CFLAGS": "-DANSWER=1"})
        self.assertEqual(self.wax("run", "simple", env=path)[0], "1\n", "the shared object before C")
        self.assertEqual(self.wax("run", "simple.c", env=path)[0], "2\n", "the very file")
        self.assertEqual(self.wax("run", "./two/simple", env=path)[0], "3\n", "a path without an ending")

    def test_paths(self):
        self.write("flows/simple.c", simple(5))
        for spec in ("./flows/simple.c", "flows/simple.c", "flows/simple", os.path.join(self.dir, "flows/simple.c"),
                     "flows/../flows/simple.c", "flows/simple.c:simple"):
            with self.subTest(spec=spec):
                self.assertEqual(self.wax("run", spec)[0], "5\n")
        self.assertEqual(self.wax("run", "simple", cwd=os.path.join(self.dir, "flows"))[0], "5\n")
        for spec in ("./nope.c", "nope.c", "nope.so", "./nope", "flows/nope", "./nope/"):
            with self.subTest(spec=spec):
                self.refused(MODULE, f"there is no module '{spec}'", "run", spec)
        self.refused(MODULE, "for the directory of that name say './flows'", "run", "flows")
        self.write("README.txt", "")
        self.refused(MODULE, "'./README.txt' is no C file", "run", "./README.txt")
        self.write("a b/it's $odd.c", simple(6, "x"))
        self.assertEqual(self.wax("run", "a b/it's $odd.c")[0], "6\n", "a name with spaces, quotes and dollars")

    def test_which_dataflow(self):
        self.write("two.c", simple(1, "one") + "WAX_DATAFLOW(two) { wax_output(\"o\", wax_input(flow, \"i\", "
                                               "wax_testing_range(2, 3)), wax_stdout()); }\n")
        self.assertEqual(self.wax("run", "two")[0], "2\n", "the one named like the module")
        self.assertEqual(self.wax("run", "two:one")[0], "1\n")
        self.refused(MODULE, "module './two.c' has no dataflow 'three', but 'one' and 'two'", "run", "two:three")
        os.rename(os.path.join(self.dir, "two.c"), os.path.join(self.dir, "pair.c"))
        err = self.refused(MODULE, "has the dataflows 'one' and 'two', none with its own name", "run", "pair")
        self.assertIn("say which, as in './pair.c:one'", err)
        self.write("only.c", simple(9, "other"))
        self.assertEqual(self.wax("run", "only")[0], "9\n", "the only one")
        self.write("with-dash.c", simple(8, "with_dash"))
        self.assertEqual(self.wax("run", "with-dash")[0], "8\n")
        self.write("none.c", "#include <wax/wax.h>\nint nothing;\n")
        self.refused(MODULE, "module './none.c' has no dataflow: write one with WAX_DATAFLOW(none)", "run", "none")

    def test_a_stale_shared_object_is_refused(self):
        self.write("simple.c", simple(1))
        self.build("simple.c")
        self.assertEqual(self.wax("run", "simple")[0], "1\n")
        self.age("simple.so", 100)
        for spec in ("simple", "./simple.so", "./simple"):
            with self.subTest(spec=spec):
                err = self.refused(MODULE, "simple.so' is older than './simple.c' beside it", "run", spec)
                self.assertIn("wax build ./simple.c -o ./simple.so", err)
        self.assertEqual(self.wax("run", "simple.c")[0], "1\n")
        self.build("simple.c", "-o", "simple.so")
        self.assertEqual(self.wax("run", "simple")[0], "1\n", "after what the message says")

    def test_shared_objects_that_are_none(self):
        self.write("text.so", "this is no library\n")
        self.refused(MODULE, "cannot load './text.so': ", "run", "text")
        self.write("empty.so", "")
        self.refused(MODULE, "cannot load './empty.so': ", "run", "empty")
        self.write("lacks.c", simple(1, "lacks") + "extern int not_there(void); int (*use)(void) = not_there;\n")
        self.refused(MODULE, "undefined symbol: not_there; name the library that has it in WAX_LDLIBS", "run", "lacks")
        self.write("newer.c", simple(1, "newer") + "extern int wax_later(void); int (*use)(void) = wax_later;\n")
        self.refused(MODULE, "undefined symbol: wax_later; it needs another version of wax", "run", "newer")

    def test_another_abi_is_refused(self):
        self.write("future.c", "#include <wax/wax.h>\nextern WAX_EXPORT const wax_dataflow wax_dataflow_future;\n"
                               "const wax_dataflow wax_dataflow_future = {77, sizeof(wax_dataflow), \"future\", "
                               "\"future.c:1\", 0};\n")
        err = self.refused(MODULE, "'./future.c' was built for another version of wax", "run", "future")
        self.assertIn("its ABI is 77", err)


class Compiling(Case):
    def test_errors_are_shown_as_the_compiler_wrote_them(self):
        source = self.write("bad.c", "#include <wax/wax.h>\n\nWAX_MAP(bad, int64_t, int64_t) { return WAX_EMITT; }\n")
        own = subprocess.run([*COMPILER.split(), "-std=gnu17", "-I", os.path.join(ROOT, "runtime/include"),
                              "-fsyntax-only", "bad.c"], cwd=self.dir, capture_output=True, text=True, check=False,
                             env=self.environment())
        first = own.stderr.splitlines()
        err = self.refused(MODULE, "cannot compile './bad.c'", "run", "bad")
        line = next(line for line in first if "error:" in line)
        self.assertIn("bad.c:3:", line)
        self.assertIn(line + "\n", err)
        os.makedirs(os.path.join(self.dir, "elsewhere"))
        err = self.refused(MODULE, "cannot compile '../bad.c'", "run", "../bad.c",
                           cwd=os.path.join(self.dir, "elsewhere"))
        self.assertIn(os.path.realpath(source) + ":3:", err, "a path that leads there from anywhere")

    def test_mistakes_that_must_not_be_warnings(self):
        for name, body in (("return", "{ *out = 1; }"), ("format", "{ return wax_fail(cx, \"%s\", 3); }"),
                           ("pointer", "{ int *p = in; *out = *p; return 1; }"),
                           ("implicit", "{ *out = not_declared(*in); return 1; }"),
                           ("conversion", "{ char *p = 3 + (int)*in; *out = *p; return 1; }")):
            with self.subTest(name=name):
                self.write(f"{name}.c", f"#include <wax/wax.h>\nWAX_MAP(body, int64_t, int64_t)\n{body}\n")
                err = self.refused(MODULE, f"cannot compile './{name}.c'", "run", name)
                self.assertRegex(err, rf"{name}\.c:3:\d+: error: ")

    def test_a_dataflow_names_its_place_by_the_plain_file_name(self):
        self.write("flows/simple.c", simple())
        for cwd, spec in ((self.dir, "flows/simple"), (os.path.join(self.dir, "flows"), "simple")):
            shutil.rmtree(self.cache, ignore_errors=True)
            graph = json.loads(self.wax("graph", spec, "-fjson", cwd=cwd)[0])
            self.assertRegex(graph["steps"][0]["where"], r"\Asimple\.c:\d+\Z")

    def test_the_cache_is_used_while_nothing_changed(self):
        compiler, compiled = self.counting_compiler()
        self.write("simple.c", "#include \"answer.h\"\n" + simple())
        self.write("answer.h", "#define ANSWER 1\n")
        env = {"XDG_CACHE_HOME": os.path.join(self.dir, "cache"), "CC": compiler}

        def expect(answer, compilations, why, **more):
            self.assertEqual(self.wax("run", "simple", env={**env, **more})[0], f"{answer}\n", why)
            self.assertEqual(compiled(), compilations, why)

        expect(1, 1, "the first time")
        expect(1, 1, "nothing changed")
        self.write("answer.h", "#define ANSWER 2\n")
        expect(2, 2, "a header changed")
        self.write("answer.h", "#define ANSWER 1\n")
        expect(1, 2, "as it was at first")
        self.age("simple.c", 1000)
        expect(1, 2, "only the time of a file changed")
        expect(1, 3, "another flag", WAX_CFLAGS="-O1")
        expect(1, 3, "the same flag", WAX_CFLAGS="-O1")
        os.remove(os.path.join(self.dir, "answer.h"))
        self.write("inc/answer.h", "#define ANSWER 5\n")
        self.write("wax.mk", "WAX_CFLAGS = -Iinc\n")
        expect(5, 4, "the header is somewhere else")
        with open(compiler, "a", encoding="utf-8") as file:
            file.write("# another compiler\n")
        expect(5, 5, "another compiler")
        self.wax("graph", "simple", env=env)
        self.wax("run", "./simple.c", "-w2", env=env)
        self.assertEqual(compiled(), 5, "all commands share it")
        for name in os.listdir(f"{self.dir}/cache/wax"):
            self.assertRegex(name, r"\A[0-9a-f]{32}\.files\Z|\A[0-9a-f]{16}-[0-9a-f]{32}\.so\Z", "left behind")

    def test_old_entries_go(self):
        cache = os.path.join(self.dir, "cache")
        self.write("simple.c", simple(1))
        self.wax("run", "simple", env={"XDG_CACHE_HOME": cache})
        for name in os.listdir(f"{cache}/wax"):
            self.age(f"cache/wax/{name}", 40 * 24 * 3600)
        self.assertEqual(self.wax("run", "simple", env={"XDG_CACHE_HOME": cache})[0], "1\n")
        self.write("other.c", simple(2, "other"))
        self.wax("run", "other", env={"XDG_CACHE_HOME": cache})
        names = os.listdir(f"{cache}/wax")
        self.assertEqual(sum(name.endswith(".so") for name in names), 2, f"used just now: {names}")
        for name in names:
            self.age(f"cache/wax/{name}", 40 * 24 * 3600)
        self.write("third.c", simple(3, "third"))
        self.wax("run", "third", env={"XDG_CACHE_HOME": cache})
        self.assertEqual(len(os.listdir(f"{cache}/wax")), 2, "only what belongs to the third")

    def test_where_the_cache_is(self):
        self.write("simple.c", simple(1))
        home = os.path.join(self.dir, "home")
        os.makedirs(home)
        self.write("file", "")
        loose = os.path.join(self.dir, "loose")
        os.makedirs(f"{loose}/wax")
        os.chmod(f"{loose}/wax", 0o777)
        for place, value in (("not set", None), ("empty", ""), ("relative", "cache"),
                             ("under a file", f"{self.dir}/file"), ("open to all", loose)):
            with self.subTest(place=place):
                self.assertEqual(self.wax("run", "simple", env={"XDG_CACHE_HOME": value, "HOME": home})[0], "1\n")
                self.assertTrue(os.listdir(f"{home}/.cache/wax"))
                shutil.rmtree(f"{home}/.cache")
        self.assertEqual(os.listdir(f"{loose}/wax"), [])

    def test_many_at_once(self):
        self.write("simple.c", simple(1))
        env = {"XDG_CACHE_HOME": os.path.join(self.dir, "cache")}
        running = [self.start("run", "simple", env=env) for _ in range(6)]
        for process in running:
            out, err = process.communicate(timeout=SECONDS)
            self.assertEqual((process.returncode, out), (OK, "1\n"), err)

    def test_settings(self):
        self.write("simple.c", simple(1))
        compiler, compiled = self.counting_compiler()
        self.write("inc/extra.h", "#define EXTRA 30\n")
        for text, env, answer in (
                ("WAX_CFLAGS = -DANSWER=2\n", {}, 2),
                ("WAX_CFLAGS += -DANSWER=3 # more\n", {}, 3),
                ("ifdef BIG\nWAX_CFLAGS = -DANSWER=4\nelse\nWAX_CFLAGS = -DANSWER=5\nendif\n", {"BIG": "1"}, 4),
                ("N := $(shell echo 6)\nWAX_CFLAGS = -DANSWER=$(N)\n", {}, 6),
                ("WAX_CFLAGS = '-DANSWER=sizeof \"a b c\"'\n", {}, 6),
                ("WAX_CFLAGS = -Iinc -include extra.h -DANSWER=EXTRA\n", {}, 30),
                ("WAX_CFLAGS = -DANSWER=8\n", {"WAX_CFLAGS": "-DANSWER=9"}, 8),
                ("WAX_CFLAGS += -DOTHER\n", {"WAX_CFLAGS": "-DANSWER=10"}, 10),
                ("all:\n\techo this is not what make is asked for\n", {"WAX_CFLAGS": "-DANSWER=11"}, 11),
                ("", {"WAX_CFLAGS": "-DANSWER=12 -DX='a b'"}, 12)):
            with self.subTest(text=text, env=env):
                self.write("wax.mk", text)
                out, err = self.wax("run", "simple", env={**env, "MAKEFLAGS": "-n", "MAKELEVEL": "3"})
                self.assertEqual((out, err), (f"{answer}\n", ""))
                out, _ = self.wax("run", f"{os.path.basename(self.dir)}/simple", env=env, cwd=self.top)
                self.assertEqual(out, f"{answer}\n", "the same from elsewhere")
        self.assertEqual(compiled(), 0)
        self.write("wax.mk", f"CC = {compiler}\n")
        self.wax("run", "simple")
        self.build("simple.c", "-o", "built.so")
        self.assertEqual(compiled(), 2, "run and build both take CC from wax.mk")

    def test_libraries(self):
        def with_body(header, value):
            self.write("shapes.c", f"#include <{header}>\n" + simple(1, "shapes").replace("ANSWER;", f"{value};"))

        with_body("zlib.h", "(*zlibVersion() > 0)")
        if subprocess.run([*COMPILER.split(), "-x", "c", "-", "-o", "/dev/null", "-lz"], text=True, check=False,
                          input="#include <zlib.h>\nint main(void) { return !zlibVersion(); }\n",
                          capture_output=True).returncode:
            with_body("math.h", "(int64_t)cbrt(*in + 1.0)")
            self.write("wax.mk", "WAX_LDLIBS = -lm\n")
        else:
            self.refused(MODULE, "undefined symbol: zlibVersion", "run", "shapes")
            self.write("wax.mk", "WAX_LDLIBS = -lz\n")
        self.assertEqual(self.wax("run", "shapes")[0], "1\n")

    def test_settings_that_are_wrong(self):
        self.write("simple.c", simple(1))
        for text, env, message in (
                ("this is no makefile\n", {}, "/wax.mk': make says what is wrong with it"),
                ("WAX_CFLAGS = 'unfinished\n", {}, "WAX_CFLAGS is ''unfinished', which a shell could not split"),
                ("CC = no-such-compiler\n", {}, "there is no C compiler 'no-such-compiler' here"),
                ("CC = false\n", {}, "'false' is no C compiler that wax can use"),
                ("CC =\n", {}, None),
                ("", {"WAX_LDLIBS": "$(id)"}, "WAX_LDLIBS is '$(id)'"),
                ("", {"CC": "no-such-compiler"}, "install one, name one by CC"),
                ("", {"WAX_INCLUDE": "/nowhere"}, "WAX_INCLUDE is '/nowhere', but there is no 'wax/wax.h' in it")):
            with self.subTest(text=text, env=env):
                self.write("wax.mk", text)
                if not text:
                    os.remove(f"{self.dir}/wax.mk")
                if message:
                    err = self.refused(MODULE, message, "run", "simple", env=env)
                    self.assertIn(message, self.refused(MODULE, message, "build", "simple.c", env=env), err)
                else:
                    self.assertEqual(self.wax("run", "simple", env=env)[0], "1\n")

    def test_a_directory_is_a_module(self):
        self.write("flows/main.c", "#include \"parts.h\"\n" + simple(1, "flows").replace("+ ANSWER", "+ part()"))
        self.write("flows/part.c", "#include \"parts.h\"\nint part(void) { return 40 + MORE; }\n")
        self.write("flows/parts.h", "int part(void);\n#define MORE 2\n")
        self.write("flows/.hidden.c", "this is not compiled\n")
        self.write("flows/notes.txt", "nor is this\n")
        for spec, cwd in (("./flows", "."), ("flows/", "."), (".", "flows"), ("./flows:flows", "."),
                          ("../flows", "flows")):
            with self.subTest(spec=spec, cwd=cwd):
                self.assertEqual(self.wax("run", spec, cwd=os.path.join(self.dir, cwd))[0], "42\n")
        self.write("flows/parts.h", "int part(void);\n#define MORE 3\n")
        self.assertEqual(self.wax("run", "./flows")[0], "43\n", "a header changed")
        self.write("flows/third.c", "this is an error\n")
        self.refused(MODULE, "cannot compile './flows'", "run", "./flows")
        os.remove(os.path.join(self.dir, "flows/third.c"))
        self.build("flows", "-o", "it.so")
        self.assertEqual(self.wax("run", "it")[0], "43\n")
        os.makedirs(os.path.join(self.dir, "nothing"))
        self.refused(MODULE, "directory './nothing' has no .c files", "run", "./nothing")

    def test_build(self):
        self.write("flows/simple.c", simple(1))
        self.build("flows/simple.c")
        self.assertEqual(self.wax("run", "flows/simple.so")[0], "1\n", "beside the source by default")
        self.build("flows/")
        self.assertTrue(os.path.exists(f"{self.dir}/flows.so"), "beside the directory")
        self.build("flows/simple", "--output=x.so")
        self.assertEqual(os.stat(f"{self.dir}/x.so").st_mode & 0o777, 0o777 & ~current_umask())
        self.write("warn.c", simple(1, "warn") + "static int unused;\n")
        self.assertIn("unused", self.build("warn.c"))
        self.assertIn("unused", self.build("warn.c"), "again, though nothing changed")
        before = os.stat(f"{self.dir}/warn.so").st_mtime_ns
        self.write("warn.c", "this is an error\n")
        self.refused(MODULE, "cannot compile 'warn.c'", "build", "warn.c")
        self.assertEqual(os.stat(f"{self.dir}/warn.so").st_mtime_ns, before, "a failed build leaves the old one")
        self.refused(MODULE, "there is no module 'nope.c'", "build", "nope.c")
        self.refused(MODULE, "cannot link 'flows/simple.c'", "build", "flows/simple.c", "-o", "no/such/x.so")
        self.assertEqual([name for name in os.listdir(self.dir) if "tmp" in name], [])


class New(Case):
    def test_the_starter_compiles_without_warnings_and_runs(self):
        out, err = self.wax("new", "hello")
        self.assertEqual((out, err), ("wrote hello.c; try: wax run hello\n", ""))
        strict = {"WAX_CFLAGS": "-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror"}
        want = ["counted\t1", "flows\t3", "what\t2"]
        for args in ([], ["-w2"], ["-p2"]):
            out, err = self.wax("run", "hello", *args, env=strict)
            self.assertEqual((sorted(out.splitlines()), err), (want, ""), args)
        self.write("text", "one long word\nword\n")
        self.assertEqual(sorted(self.wax("run", "hello", "-Dpath=text", env=strict)[0].splitlines()),
                         ["long\t1", "word\t2"])

    def test_nothing_is_overwritten(self):
        self.write("mine.c", "precious")
        self.refused(USAGE, "'mine.c' exists already", "new", "mine")
        self.refused(USAGE, "'mine.c' exists already", "new", "mine.c")
        with open(f"{self.dir}/mine.c", encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_names(self):
        os.makedirs(f"{self.dir}/flows")
        for name, spec in (("word-count", "word-count"), ("flows/x.c", "flows/x"), ("2fast", "2fast"), ("int", "int")):
            with self.subTest(name=name):
                out, _ = self.wax("new", name)
                self.assertEqual(out, f"wrote {spec}.c; try: wax run {spec}\n")
                self.assertIn("flows\t3", self.wax("run", spec)[0])
        for name in ("", ".c", "flows/", ".", ".."):
            with self.subTest(name=name):
                self.refused(USAGE, "is no name for a module", "new", name)
        self.refused(FAILED, "cannot create 'no/where.c': No such file", "new", "no/where")


GRAPH = """
#include <wax/wax.h>
WAX_RECORD(item, (wax_str, name), (int64_t, n));
WAX_MAP(make, int64_t, item) { out->n = *in; return WAX_EMIT; }
WAX_FILTER(odd, item) { return (int)(in->n & 1); }
WAX_KEY(by_n, item, int64_t) { return in->n; }
WAX_DATAFLOW(graph)
{
    wax_param(flow, "x", "y");
    wax_stream(int64_t) in = wax_input(flow, "in", wax_testing_range(0, 9));
    wax_stream(item) items = wax_map("end", in, make);
    wax_stream(wax_failure) lost = wax_failures(items);
    wax_branches(item) both = wax_branch("odd?", items, odd);
    wax_output("a \\"b\\" <c> #d", wax_count_final("count", both.trues, by_n), wax_null());
    wax_output("falses", wax_merge("again", both.falses, items), wax_null());
    wax_output("lost", lost, wax_null());
}
"""


class Graph(Case):
    def setUp(self):
        super().setUp()
        self.write("graph.c", GRAPH)

    def test_mermaid(self):
        out, err = self.wax("graph", "graph")
        self.assertEqual(err, "")
        self.assertEqual(self.wax("graph", "graph", "-f", "mermaid", "-Dx=1")[0], out)
        self.assertEqual(out.splitlines()[0], "flowchart TD")
        for line in ('in["in (input)"]', 'step_1["end (map)"]', 'step_2["odd? (branch)"]',
                     'count["count (count_final)"]', 'step_4["a #quot;b#quot; #lt;c> #35;d (output)"]',
                     'in -- "int64_t" --> step_1', 'step_1 -- "item" --> step_2', 'step_2 -- "trues, item" --> count',
                     'count -- "int64_t: int64_t" --> step_4', 'step_2 -- "falses, item" --> again',
                     'step_1 -- "failures, wax_failure" --> lost'):
            self.assertIn(f"\n    {line}\n", out)

    def test_dot(self):
        out, _ = self.wax("graph", "graph", "-fdot")
        self.assertTrue(out.startswith('digraph "graph" {\n') and out.endswith("}\n"), out)
        for line in ('"a \\"b\\" <c> #d" [label="a \\"b\\" <c> #d (output)"];', '"in" -> "end" [label="int64_t"];',
                     '"count" -> "a \\"b\\" <c> #d" [label="int64_t: int64_t"];'):
            self.assertIn(f"\n    {line}\n", out)
        if shutil.which("dot"):
            subprocess.run(["dot", "-Tsvg"], input=out, text=True, check=True, capture_output=True)

    def test_json(self):
        graph = json.loads(self.wax("graph", "graph", "--format=json")[0])
        self.assertEqual(graph["flow"], "graph")
        steps = {step["id"]: step for step in graph["steps"]}
        self.assertEqual(list(steps), ["in", "end", "odd?", "count", 'a "b" <c> #d', "again", "falses", "lost"])
        self.assertEqual(steps["in"]["verb"], "input")
        self.assertEqual(steps["in"]["inputs"], [])
        self.assertRegex(steps["in"]["where"], r"\Agraph\.c:10\Z")
        self.assertEqual((steps["end"]["policy"], steps["end"]["body"]), ("divert", "make"))
        self.assertEqual(steps["odd?"]["policy"], "stop")
        self.assertEqual([o["name"] for o in steps["odd?"]["outputs"]], ["trues", "falses"])
        self.assertEqual(steps["count"]["outputs"], [{"output": 0, "name": None, "type": "int64_t", "key": "int64_t"}])
        self.assertEqual(steps["again"]["inputs"],
                         [{"step": "odd?", "output": 1, "name": "falses", "type": "item", "key": None},
                          {"step": "end", "output": 0, "name": None, "type": "item", "key": None}])
        self.assertEqual(steps["lost"]["outputs"], [])

    def test_errors(self):
        self.refused(MODULE, "there is no module 'nope'", "graph", "nope")
        self.write("wrong.c", GRAPH.replace("WAX_DATAFLOW(graph)", "WAX_DATAFLOW(wrong)").replace('"falses"', '"in"'))
        for command in ("graph", "run"):
            err = self.refused(MODULE, "step 'in' exists already", command, "wrong")
            self.assertIn("wrong.c:", err)


class Running(Case):
    """What `wax run` does around a dataflow: output, local clusters, signals, exit codes."""

    def setUp(self):
        super().setUp()
        self.write("works.c", WORKS)
        self.wax("run", "works", "-Dn=1")

    @staticmethod
    def children(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            return [int(child) for child in file.read().split()]

    @staticmethod
    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def eventually(self, condition, what):
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def cluster(self, *args, **more):
        """A local cluster that has begun to print. Returns the process and its children."""
        process = self.start("run", "works", "-p2", *args, **more)
        self.assertIn("number", process.stdout.readline())
        children = self.children(process.pid)
        self.assertEqual(len(children), 2)
        return process, children

    def end(self, process):
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            self.fail(f"does not end: {process.communicate()}")
        return process.returncode, out, err

    def test_flags_may_stand_anywhere(self):
        want = sorted(self.wax("run", "works")[0].splitlines())
        self.assertEqual(len(want), 10)
        for args in (["-w3", "works"], ["works", "-w", "3"], ["--workers-per-process=3", "works"],
                     ["-w3", "--", "works"], ["works", "-p2", "-w2"], ["works", "-p", "1"],
                     ["-s", "50ms", "works"], ["works", "--peer-timeout=0"],
                     ["works", "--max-record=1M", "--max-fanout", "2M", "--log-level=error", "--log-format=json"]):
            with self.subTest(args=args):
                out, err = self.wax("run", *args)
                self.assertEqual((sorted(out.splitlines()), err), (want, ""))

    def test_lines_of_a_local_cluster_stay_whole(self):
        out, err = self.wax("run", "works", "-p3", "-w2", "-Dn=20000")
        want = [f"number {n:06} of a line that is long enough to be cut in two" for n in range(20000)]
        self.assertEqual(err, "")
        self.assertEqual(sorted(out.splitlines()), want)

    def test_exit_codes(self):
        for order, options, code, text in (
                ("fail", [], FAILED, "five is right out"), ("fail", ["-w2"], FAILED, "five is right out"),
                ("fail", ["-p2"], FAILED, "five is right out"), ("crash", [], -signal.SIGABRT, "step 'work'"),
                ("crash", ["-p2"], 128 + signal.SIGABRT, "ended by signal 6")):
            if order == "crash" and SAN:
                continue  # a sanitizer has its own idea of how a crash ends
            with self.subTest(order=order, options=options):
                _, err = self.wax("run", "works", *options, env={"ORDER": order}, code=code)
                self.assertIn(text, err)

    def test_a_graph_error_is_told_once_for_the_whole_cluster(self):
        err = self.refused(MODULE, "step 'out' exists already", "run", self.write(
            "twice.c", WORKS.replace("WAX_DATAFLOW(works)", "WAX_DATAFLOW(twice)").replace('"in"', '"out"')), "-p3")
        self.assertEqual(err.count("exists already"), 1)

    def test_signals_reach_all_processes_of_a_local_cluster(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for whole_group in (False, True):
                with self.subTest(number=number, whole_group=whole_group):
                    process, children = self.cluster(*SLOWLY, start_new_session=True)
                    if whole_group:
                        os.killpg(process.pid, number)
                    else:
                        process.send_signal(number)
                    code, _, err = self.end(process)
                    self.assertEqual(code, 128 + number, err)
                    self.assertNotIn("ended by signal", err)
                    self.assertFalse(any(map(self.alive, children)))

    def test_a_terminal_interrupts_a_local_cluster_once(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.dir)
            os.execve(WAX, [WAX, "run", "works", "-p2", *SLOWLY], self.environment())
        text = b""
        while text.count(b"number") < 3:
            text += os.read(terminal, 4096)
        os.write(terminal, b"\x03")  # to every process of the foreground group
        try:
            while more := os.read(terminal, 4096):
                text += more
        except OSError:  # how a terminal says that nobody is left on its other side
            pass
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 128 + signal.SIGINT, text)
        self.assertEqual(text.count(b"stopping on SIGINT"), 2, text)
        self.assertNotIn(b"ended by signal", text)

    def test_a_second_signal_ends_what_does_not_end(self):
        process, children = self.cluster("-Dn=1000", env={"ORDER": "block"})
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        self.assertIsNone(process.poll(), "the first signal waits for the body")
        while process.poll() is None:  # two signals may become one when nobody had the time to take the first
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        code, _, err = self.end(process)
        self.assertEqual(code, 128 + signal.SIGTERM, err)
        self.assertFalse(any(map(self.alive, children)))

    def test_children_die_with_the_parent(self):
        process, children = self.cluster(*SLOWLY)
        process.kill()
        self.assertEqual(self.end(process)[0], -signal.SIGKILL)
        self.eventually(lambda: not any(map(self.alive, children)), "children live on without their parent")

    def test_a_lost_child_ends_the_cluster(self):
        process, children = self.cluster(*SLOWLY)
        os.kill(children[1], signal.SIGKILL)
        code, _, err = self.end(process)
        self.assertEqual(code, 128 + signal.SIGKILL)
        self.assertIn("ended by signal 9", err)
        self.assertFalse(self.alive(children[0]))

    def test_sanitize(self):
        if SAN:
            self.skipTest("wax has sanitizers built in here")
        for spec in ("works", "./works.c"):
            out, err = self.wax("run", spec, "--sanitize", "-w2")
            self.assertEqual((len(out.splitlines()), err), (10, ""))
        for args, env in ((["--sanitize"], {}), (["--sanitize", "-p2"], {}), ([], {"WAX_SANITIZE": "1"})):
            with self.subTest(args=args, env=env):
                _, err = self.wax("run", "works", *args, env={**env, "ORDER": "overflow"}, code=FAILED)
                self.assertIn("AddressSanitizer: heap-buffer-overflow", err)
                self.assertRegex(err, r"in work .*works\.c:\d+")
        self.build("works.c")
        self.assertEqual(len(self.wax("run", "works", "--sanitize")[0].splitlines()), 10, "the source, not works.so")
        self.refused(MODULE, "'./works.so' is compiled already", "run", "./works.so", "--sanitize")


class Program(Case):
    """A dataflow linked into a program of the user's own."""

    def setUp(self):
        super().setUp()
        library = os.path.join(BUILD, "libwax.a")
        if not os.path.exists(library):
            self.skipTest(f"there is no {library} to link with")
        source = self.write("prog.c", WORKS + "WAX_MAIN(works);\n")
        self.program = os.path.join(self.dir, "prog")
        sanitize = [f"-fsanitize={SAN}"] if SAN else []
        subprocess.run([*COMPILER.split(), "-std=gnu17", "-O1", "-I", os.path.join(ROOT, "runtime/include"), source,
                        "-o", self.program, library, "-pthread", "-ldl", "-lm", *sanitize], check=True)

    def run_program(self, *args, env=None):
        return subprocess.run([self.program, *args], capture_output=True, text=True, check=False, timeout=SECONDS,
                              env=self.environment(env), stdin=subprocess.DEVNULL)

    def test_it_takes_the_options_of_run(self):
        want = sorted(self.run_program().stdout.splitlines())
        self.assertEqual(len(want), 10)
        for args, env in ((["-w2"], {}), (["-p2", "-w2"], {}), ([], {"WAX_PROCESSES": "2"})):
            with self.subTest(args=args, env=env):
                done = self.run_program(*args, env=env)
                self.assertEqual((done.returncode, sorted(done.stdout.splitlines()), done.stderr), (OK, want, ""))
        self.assertEqual(len(self.run_program("-Dn=3").stdout.splitlines()), 3)

    def test_it_has_help_and_usage_errors(self):
        done = self.run_program("--help")
        self.assertTrue(done.stdout.startswith("usage: prog [options]\n\nRuns the dataflow 'works'."), done.stdout)
        self.assertNotIn("--sanitize", done.stdout)
        for args, text in ((["-w0"], "'-w' takes a whole number"), (["x"], "takes no argument 'x'"),
                           (["--sanitize"], "there is no option '--sanitize'"), (["-i0"], "'--addresses' is missing")):
            with self.subTest(args=args):
                done = self.run_program(*args)
                self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
                self.assertIn(text, done.stderr)


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


if __name__ == "__main__":
    if not os.access(WAX, os.X_OK):
        sys.exit(f"there is no program '{WAX}': build it, or set WAX")
    unittest.main()
