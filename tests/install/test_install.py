# SPDX-License-Identifier: Apache-2.0
"""Installs into an empty directory and uses what is there as a user would: the command, a module, programs of one's
own against the static and the shared library. Uninstalling leaves nothing."""
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WANTED = """
bin/wax lib/libwax.a lib/libwax.so lib/libwax.so.0 lib/pkgconfig/wax.pc
include/wax/wax.h include/wax/type.h include/wax/ops.h
share/man/man1/wax.1 share/man/man1/wax-run.1 share/wax/examples/wordcount.c
share/bash-completion/completions/wax share/zsh/site-functions/_wax share/fish/vendor_completions.d/wax.fish
""".split()


def run(*command, directory=None, text="", **env):
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory, input=text, timeout=120,
                          env={**os.environ, **env})


def make(*arguments):
    config = os.path.basename(os.environ.get("B", "build/release"))
    return run("make", "--no-print-directory", f"CONFIG={config}", *arguments, directory=ROOT)


@unittest.skipIf(os.environ.get("SAN"), "a build with sanitizers is not installed")
class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.prefix = os.path.join(cls.holder.name, "usr")
        cls.done = make("install", f"PREFIX={cls.prefix}")

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def setUp(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = holder.name

    def check(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_files(self):
        for name in WANTED:
            with self.subTest(file=name):
                self.assertTrue(os.path.getsize(os.path.join(self.prefix, name)) > 0)

    def test_the_installed_command_compiles_and_runs_a_module(self):
        shutil.copy(f"{ROOT}/examples/simple.c", self.dir)
        out = self.check(run(f"{self.prefix}/bin/wax", "run", "simple", directory=self.dir, HOME=self.dir,
                             XDG_CACHE_HOME=f"{self.dir}/cache"))
        self.assertEqual(out, "1\n2\n3\n")

    def test_programs_of_ones_own(self):
        for kind, flags in (("shared", []), ("static", ["--static"])):
            with self.subTest(library=kind):
                environment = {"PKG_CONFIG_PATH": f"{self.prefix}/lib/pkgconfig"}
                words = self.check(run("pkg-config", "--cflags", "--libs", *flags, "wax", **environment)).split()
                if kind == "static":
                    words = [f"{self.prefix}/lib/libwax.a" if word == "-lwax" else word for word in words]
                program = f"{self.dir}/{kind}"
                self.check(run("gcc", "-O2", "-o", program, f"{ROOT}/examples/program.c", *words))
                out = self.check(run(program, "-w2", text="2\n3\n", LD_LIBRARY_PATH=f"{self.prefix}/lib"))
                self.assertEqual(sorted(out.splitlines()),
                                 ['{"value":2,"square":4}', '{"value":3,"square":9}'])
                usage = run(program, "--no-such-flag", LD_LIBRARY_PATH=f"{self.prefix}/lib")
                self.assertEqual(usage.returncode, 2, usage.stderr)

    def test_only_public_names_are_exported(self):
        for name in ("lib/libwax.so", "bin/wax"):
            with self.subTest(file=name):
                out = self.check(run("nm", "-D", "--defined-only", os.path.join(self.prefix, name)))
                names = [line.split()[-1] for line in out.splitlines()]
                self.assertIn("wax_add_input", names)
                # The executable also has the marks of the linker, and the C library's variables it uses.
                allowed = ("wax_", "_", "main", "data_start", "edata", "end", "stderr@", "stdout@", "stdin@",
                           "environ@")
                self.assertEqual([n for n in names if not n.startswith(allowed)], [])

    def test_the_command_needs_no_library_but_the_c_library(self):
        out = self.check(run("readelf", "-d", f"{self.prefix}/bin/wax"))
        needed = [line.split("[")[1].rstrip("]") for line in out.splitlines() if "(NEEDED)" in line]
        self.assertEqual([n for n in needed if not n.startswith(("libc.so", "libm.so", "ld-linux"))], [])

    def test_uninstall_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as root:
            self.check(make("install", "PREFIX=/opt/wax", f"DESTDIR={root}"))
            with open(f"{root}/opt/wax/lib/pkgconfig/wax.pc", encoding="utf-8") as file:
                self.assertIn("prefix=/opt/wax\n", file.read())
            self.check(make("uninstall", "PREFIX=/opt/wax", f"DESTDIR={root}"))
            left = [os.path.join(where, name) for where, _, names in os.walk(root) for name in names]
            self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main()
