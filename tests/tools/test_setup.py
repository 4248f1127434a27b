# SPDX-License-Identifier: Apache-2.0
"""tools/setup and tools/demo on machines that are made up: a PATH that holds only the commands a case names, and an
apt-get that writes down what it is asked to do and makes what it installs appear."""
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALWAYS = "bash env cat sed head mktemp rm uname dirname sort printf tr touch cp ln mkdir".split()
# Finds the headers that the machine has; a stand-in for `gcc -E -`.
FAKE_GCC = """#!/bin/bash
read -r line
name=${line#*<}
[ -e "$MACHINE/headers/${name%>}" ]
"""
# Knows its packages only after an update when the machine is fresh.
FAKE_APT = """#!/bin/bash
echo "apt-get $*" >>"$MACHINE/log"
case $1 in
update) touch "$MACHINE/lists" ;;
install)
    [ -e "$MACHINE/lists" ] || { echo "E: Unable to locate package" >&2; exit 100; }
    shift
    for word; do
        case $word in
        -*) ;;
        libc6-dev) touch "$MACHINE/headers/stdio.h" ;;
        libxxhash-dev) touch "$MACHINE/headers/xxhash.h" ;;
        libcriterion-dev) mkdir -p "$MACHINE/headers/criterion"; touch "$MACHINE/headers/criterion/criterion.h" ;;
        gcc) cp "$MACHINE/gcc" "$MACHINE/bin/gcc" ;;
        mawk) ln -sf /bin/true "$MACHINE/bin/awk" ;;
        unknown) exit 100 ;;
        *) ln -sf /bin/true "$MACHINE/bin/$word" ;;
        esac
    done ;;
esac
"""


class Machine:
    def __init__(self, directory, commands, headers, lists=True, root=True):
        self.dir = directory
        for name in ("bin", "headers/criterion"):
            os.makedirs(f"{directory}/{name}")
        self.script("gcc", FAKE_GCC)
        for name in ALWAYS:
            os.symlink(shutil.which(name), f"{directory}/bin/{name}")
        self.script("bin/id", f"#!/bin/bash\necho {0 if root else 1000}\n")
        for name in commands:
            if name == "gcc":
                self.script("bin/gcc", FAKE_GCC)
            elif name == "apt-get":
                self.script("bin/apt-get", FAKE_APT)
            elif name == "sudo":
                self.script("bin/sudo", '#!/bin/bash\necho "sudo" >>"$MACHINE/log"\nexec "$@"\n')
            else:
                os.symlink("/bin/true", f"{directory}/bin/{name}")
        for name in headers:
            with open(f"{directory}/headers/{name}", "w", encoding="utf-8"):
                pass
        if lists:
            with open(f"{directory}/lists", "w", encoding="utf-8"):
                pass

    def script(self, name, text):
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def setup(self, *jobs):
        return subprocess.run([shutil.which("bash"), f"{ROOT}/tools/setup", *jobs], capture_output=True, text=True,
                              check=False, env={"PATH": f"{self.dir}/bin", "MACHINE": self.dir}, timeout=60,
                              stdin=subprocess.DEVNULL)

    def log(self):
        try:
            with open(f"{self.dir}/log", encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []


class Setup(unittest.TestCase):
    def machine(self, *commands, headers=(), **rest):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        return Machine(holder.name, commands, headers, **rest)

    def test_a_machine_with_everything_is_left_alone(self):
        machine = self.machine("gcc", "make", "awk", "apt-get", headers=["stdio.h", "xxhash.h"])
        done = machine.setup("build")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(machine.log(), [])

    def test_only_what_is_missing_is_installed(self):
        machine = self.machine("gcc", "make", "awk", "apt-get", headers=["stdio.h"])
        done = machine.setup("build")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "setup: installing libxxhash-dev\n")
        self.assertEqual(len(machine.log()), 1)
        self.assertTrue(machine.log()[0].endswith(" libxxhash-dev"), machine.log())
        self.assertEqual(machine.setup("build").stdout, "", "the second time there is nothing to do")

    def test_a_fresh_machine_fetches_the_lists_first(self):
        machine = self.machine("make", "apt-get", lists=False)
        done = machine.setup("build", "test")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("setup: fetching the lists of packages\n", done.stdout)
        self.assertEqual([line.split()[1] for line in machine.log()], ["install", "update", "install"])
        for package in ("gcc", "libc6-dev", "libxxhash-dev", "libcriterion-dev", "python3", "g++", "mawk"):
            self.assertIn(f" {package}", machine.log()[-1])
        self.assertEqual(machine.setup("build", "test").stdout, "")

    def test_sudo_is_used_only_by_those_who_need_it(self):
        cases = ((True, ("sudo",), [], 0), (False, ("sudo",), ["sudo"], 0), (False, (), [], 1))
        for root, commands, log, code in cases:
            with self.subTest(root=root, commands=commands):
                machine = self.machine("gcc", "make", "awk", "apt-get", *commands, headers=["stdio.h"], root=root)
                done = machine.setup("build")
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual([line for line in machine.log() if line == "sudo"], log)
                if code:
                    self.assertIn("apt-get install libxxhash-dev", done.stderr)

    def test_a_machine_without_apt_is_told_what_it_lacks(self):
        machine = self.machine("gcc", "make", "awk", headers=["stdio.h"])
        done = machine.setup("build")
        self.assertEqual(done.returncode, 1)
        self.assertIn("libxxhash-dev", done.stderr)
        self.assertIn("no apt-get", done.stderr)

    def test_what_apt_says_is_shown_when_it_fails(self):
        machine = self.machine("gcc", "make", "awk", headers=["stdio.h"])
        machine.script("bin/apt-get", '#!/bin/bash\necho "E: the disk is full" >&2\nexit 100\n')
        done = machine.setup("build")
        self.assertEqual(done.returncode, 1)
        self.assertIn("E: the disk is full", done.stderr)
        self.assertIn("could not install libxxhash-dev", done.stderr)

    def test_another_compiler_counts(self):
        machine = self.machine("make", "awk", "apt-get", headers=["stdio.h", "xxhash.h"])
        machine.script("bin/cc-other", FAKE_GCC)
        done = subprocess.run([shutil.which("bash"), f"{ROOT}/tools/setup", "build"], capture_output=True, text=True,
                              env={"PATH": f"{machine.dir}/bin", "MACHINE": machine.dir, "CC": "cc-other -m64"},
                              check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_an_unknown_job(self):
        done = self.machine("gcc").setup("biuld")
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown job 'biuld'", done.stderr)


class Demo(unittest.TestCase):
    def test_the_table_is_aligned_sorted_and_complete(self):
        with tempfile.TemporaryDirectory() as directory:
            wax = os.path.join(directory, "wax")
            with open(wax, "w", encoding="utf-8") as file:
                file.write("#!/bin/bash\nfor i in {1..40}; do printf 'w%d\\t%d\\n' $i $((i * i)); done\n")
            os.chmod(wax, 0o755)
            done = subprocess.run([f"{ROOT}/tools/demo", wax], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line for line in done.stdout.splitlines() if line.startswith("  w")]
        self.assertEqual([row.split()[:2] for row in rows], [[f"w{i}", str(i * i)] for i in range(40, 20, -1)])
        self.assertEqual(len({row.index("#") for row in rows}), 1, rows)
        self.assertIn(f"{sum(i * i for i in range(1, 41))} words, 40 different ones", done.stdout)

    def test_a_failure_of_wax_is_a_failure(self):
        done = subprocess.run([f"{ROOT}/tools/demo", "false"], capture_output=True, text=True, check=False, timeout=60)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
