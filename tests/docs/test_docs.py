# SPDX-License-Identifier: Apache-2.0
"""Keeps README.md and docs/ true: runs every command they show and compares the output, compiles every piece of C,
and looks for the things they name.

In a page
  - a ```console block is a session: lines that begin with "$ " are commands (one that ends in a backslash goes on in
    the next line), the others are what they print, standard error included. "..." stands for anything within a
    line, and alone for any lines. All blocks of a page are one session, in order, in one scratch directory that looks
    like the source tree. A command must succeed unless "echo $?" follows it.
    Ports 2101 to 2109 are replaced by free ones.
  - a block in any language whose first line is a comment "file: NAME" is written to that file.
  - other ```c blocks are fragments: they must compile, together with those before them in the same section; "```c flow"
    holds statements of a WAX_DATAFLOW.
  - "<!-- not run: REASON -->" before a block leaves it alone.
"""
import glob
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAX = os.path.abspath(os.environ.get("WAX", f"{ROOT}/build/wax"))
PAGES = ["README.md"] + sorted(os.path.relpath(path, ROOT) for path in glob.glob(f"{ROOT}/docs/*.md"))
SECONDS_MAX = 300  # for all commands of a page
PORTS = [str(port) for port in range(2101, 2110)]
MARK = "\x01"  # before what the session's script says about itself
END = "END-OF-THE-FILE"
SHOWN_MAX = 2000  # characters of an output in a message

FENCE = re.compile(r"^```(\w*) *(.*)$")
FILE = re.compile(r"^(?:/\*|//|#|--) *file: (\S+)")
NOT_RUN = re.compile(r"^<!-- not run: (.+) -->$")
HEADING = re.compile(r"^(#+) (.*)$")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")

# Constants that the table of limits in docs/running.md states.
LIMITS = {"WX_WORKERS_MAX": "cluster/run.h", "WX_ADDRESSES_MAX": "cluster/address.h",
          "PROCESSES_MAX": "cli/launch.c", "WX_STEPS_MAX": "core/flow.h", "WX_PARAMS_MAX": "core/flow.h",
          "WX_ID_MAX": "core/flow.h", "WX_FAN_MAX": "core/flow.h", "WX_TYPE_DEPTH_MAX": "core/type.h",
          "PARTS_MAX": "core/source.c"}
SYNTAX = ["-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused-variable",
          f"-I{ROOT}/runtime/include", "-xc", "-"]


class Block:
    """One fenced block."""

    def __init__(self, line, language, extra, section, not_run):
        self.line, self.language, self.extra = line, language, extra
        self.section, self.not_run = section, not_run
        self.lines = []

    @property
    def file(self):
        found = FILE.match(self.lines[0]) if self.lines else None
        return found.group(1) if found else None

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)


def read(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def blocks_of(page):
    blocks, block, section, not_run = [], None, "", None
    for number, line in enumerate(read(page).splitlines(), 1):
        if block is not None:
            if line == "```":
                block = None
            else:
                block.lines.append(line)
            continue
        fence, heading = FENCE.match(line), HEADING.match(line)
        if fence:
            block = Block(number, fence.group(1), fence.group(2), section, not_run)
            blocks.append(block)
        elif heading and len(heading.group(1)) <= 2:
            section = heading.group(2)
        comment = NOT_RUN.match(line)
        not_run = comment.group(1) if comment else None
    if block is not None:
        raise AssertionError(f"{page}:{block.line}: the block has no end")
    return blocks


class Command:
    """A command of a session and what it should print."""

    def __init__(self, line, text):
        self.line, self.text, self.wanted = line, text, []


def commands_of(block):
    commands, open_line = [], False
    for number, line in enumerate(block.lines, block.line + 1):
        if line.startswith("$ "):
            commands.append(Command(number, line[2:]))
            open_line = line.endswith("\\")
        elif open_line:
            commands[-1].text += "\n" + line
            open_line = line.endswith("\\")
        elif commands:
            commands[-1].wanted.append(line)
        else:
            raise AssertionError(f"line {number}: a session begins with a command")
    return commands


def pattern_of(wanted):
    """A regular expression for the lines that a command should print."""
    parts = []
    for line in wanted:
        parts.append(r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n")
    return re.compile("".join(parts))


def free_ports(n):
    held = [socket.socket() for _ in range(n)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [str(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def replace_all(text, old, new):
    table = dict(zip(old, new))
    return re.sub(r"\b(%s)\b" % "|".join(old), lambda found: table[found.group()], text)


def anchor_of(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class Docs(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="wax-docs-")
        os.mkdir(f"{cls.top}/bin")
        os.symlink(WAX, f"{cls.top}/bin/wax")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top, ignore_errors=True)

    def make_scratch(self):
        """A directory of one's own that looks like the source tree."""
        scratch = tempfile.mkdtemp(dir=self.top)
        for entry in os.listdir(ROOT):
            if not entry.startswith("."):
                os.symlink(f"{ROOT}/{entry}", f"{scratch}/{entry}")
        return scratch

    def run_script(self, script, scratch):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("WAX_", "XDG_"))}
        env.update(PATH=f"{self.top}/bin:{env['PATH']}", HOME=f"{self.top}/home", LC_ALL="C", PS1="", PS4="")
        for variable in ("WAX", "B", "SAN", "V", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
            env.pop(variable, None)
        path = f"{scratch}/.session"
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen(["bash", path], cwd=scratch, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT, start_new_session=True)
            try:
                child.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                pass
            finally:
                try:
                    os.killpg(child.pid, signal.SIGKILL)  # nothing that a command left behind goes on
                except ProcessLookupError:
                    pass
                child.wait()
            out.seek(0)
            return out.read().decode("utf-8", "replace")

    def run_page(self, page):
        """What is wrong with the page's sessions, as text."""
        script, commands = [], []
        for block in blocks_of(page):
            if block.not_run:
                continue
            if block.file:
                script.append(f"mkdir -p {shlex.quote(os.path.dirname(block.file) or '.')}\n"
                              f"cat >{shlex.quote(block.file)} <<'{END}'\n{block.text}{END}\n")
            elif block.language == "console":
                for command in commands_of(block):
                    script.append(f"{command.text}\nlast=$?\nprintf '\\n{MARK}%d\\n' $last\n(exit $last)\n")
                    commands.append(command)
        if not commands:
            return []
        ports = free_ports(len(PORTS))
        script = f"printf '\\n{MARK}0\\n'\n" + "".join(script)
        output = self.run_script(replace_all(script, PORTS, ports), self.make_scratch())
        output = replace_all(output, ports, PORTS)
        return self.compare(page, commands, re.split(rf"\n{MARK}(\d+)\n", output))

    @staticmethod
    def compare(page, commands, pieces):
        """`pieces` is: before, code, output of the first command, its code, output of the second, ..."""
        wrong = []
        outputs, codes = pieces[2::2], pieces[3::2]
        for i, command in enumerate(commands):
            where = f"{page}:{command.line}: $ {command.text}"
            if i >= len(codes):
                said = "".join(outputs[i:])
                wrong.append(f"{where}\n  the session ended here; it said:\n{said[:SHOWN_MAX]}")
                break
            got = outputs[i] if not outputs[i] or outputs[i].endswith("\n") else outputs[i] + "\n"
            if not pattern_of(command.wanted).fullmatch(got):
                wanted = "".join(line + "\n" for line in command.wanted)
                wrong.append(f"{where}\n-- wanted:\n{wanted}-- got:\n{got[:SHOWN_MAX]}")
            asked = i + 1 < len(commands) and commands[i + 1].text == "echo $?"
            if codes[i] != "0" and not asked:
                wrong.append(f"{where}\n  ended with exit code {codes[i]}:\n{got[:SHOWN_MAX]}")
        return wrong

    def test_every_command_prints_what_the_page_says(self):
        for page in PAGES:
            with self.subTest(page=page):
                wrong = self.run_page(page)
                if wrong:
                    self.fail("\n" + "\n".join(wrong))

    def test_every_fragment_compiles(self):
        for page in PAGES:
            sections = {}
            for block in blocks_of(page):
                if block.language == "c" and not block.file and not block.not_run:
                    sections.setdefault(block.section, []).append(block)
            for section, fragments in sections.items():
                with self.subTest(page=page, section=section):
                    self.compile_fragments(page, fragments)

    def compile_fragments(self, page, fragments):
        def text(flow):
            return "".join(f'#line {block.line + 1} "{page}"\n{block.text}' for block in fragments
                           if (block.extra == "flow") == flow)
        code = ("#include <stdio.h>\n#include <stdlib.h>\n#include <wax/wax.h>\n" + text(False) +
                "WAX_DATAFLOW(fragments_)\n{\n" + text(True) + "}\n")
        compiler = shlex.split(os.environ.get("CC") or "cc")
        done = subprocess.run([*compiler, *SYNTAX], input=code, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_link_leads_somewhere(self):
        for page in PAGES:
            for target, anchor in LINK.findall(read(page)):
                with self.subTest(page=page, link=f"{target}#{anchor}"):
                    if re.match(r"\w+:", target):
                        continue
                    path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
                    self.assertTrue(os.path.exists(os.path.join(ROOT, path)), "there is no such file")
                    if anchor:
                        headings = [HEADING.match(line) for line in read(path).splitlines()]
                        self.assertIn(anchor, [anchor_of(found.group(2)) for found in headings if found])

    def test_every_name_exists(self):
        """Functions, constants, options, variables and files that the pages name in `code` are in the source."""
        source = ""
        for path in glob.glob(f"{ROOT}/runtime/**/*.[ch]", recursive=True) + [f"{ROOT}/Makefile"]:
            with open(path, encoding="utf-8") as file:
                source += file.read()
        words = set(re.findall(r"\w+", source))
        for page in PAGES:
            code = re.sub(r"^```.*?^```$", "", read(page), flags=re.M | re.S)
            for span in sorted(set(re.findall(r"`([^`\n]+)`", code))):
                for name in re.findall(r"\b(?:wax|wx|WAX|WX)_\w*[a-zA-Z0-9]\b", span):
                    with self.subTest(page=page, name=name):
                        made = re.sub(r"^WAX_(?=\w+$)", "", name)
                        self.assertTrue(name in words or f'"{made}"' in source)
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+\b", span):
                    with self.subTest(page=page, option=option):
                        self.assertIn(option[2:], source)
                for path in re.findall(r"^(?:runtime/)?((?:base|core|cluster|connectors|cli|include/wax)/\w+\.[ch])$",
                                       span):
                    with self.subTest(page=page, file=path):
                        self.assertTrue(os.path.exists(f"{ROOT}/runtime/{path}"))

    def test_all_options_and_variables_are_described(self):
        text = read("docs/running.md")
        done = subprocess.run([WAX, "run", "--help"], capture_output=True, text=True, check=True)
        for name in sorted(set(re.findall(r"(?<!\w)--[a-z-]+|\$?WAX_[A-Z_]+", done.stdout))):
            with self.subTest(name=name):
                self.assertIn(f"`{name.lstrip('$')}", text)

    def test_exit_codes_are_those_of_the_program(self):
        table = dict(re.findall(r"^\| (\d+) \| (.*?) \|$", read("README.md"), flags=re.M))
        with open(f"{ROOT}/runtime/base/error.h", encoding="utf-8") as file:
            codes = re.findall(r"^ *WX_EXIT_\w+ = (\d+),", file.read(), flags=re.M)
        self.assertEqual([code for code in codes if code not in table], [])

    def test_limits_are_those_of_the_source(self):
        text = read("docs/running.md").partition("\n## Limits\n")[2].partition("\n## ")[0]
        numbers = re.findall(r"\d+", text)
        for name, path in LIMITS.items():
            with self.subTest(name=name):
                with open(f"{ROOT}/runtime/{path}", encoding="utf-8") as file:
                    value = re.search(rf"#define {name} +(\(.*?\)|\w+)", file.read()).group(1)
                terms = [int(term.strip(" u")) for term in value.strip("()").split("<<")]
                self.assertIn(str(terms[0] << sum(terms[1:])), numbers)

    def test_what_is_not_run_has_a_reason(self):
        for page in PAGES:
            lines = read(page).splitlines()
            for number, line in enumerate(lines, 1):
                if "not run" in line and line.startswith("<!--"):
                    with self.subTest(page=page, line=number):
                        self.assertTrue(NOT_RUN.match(line), "write <!-- not run: REASON -->")
                        self.assertTrue(FENCE.match(lines[number]), "a block must follow")


if __name__ == "__main__":
    unittest.main()
