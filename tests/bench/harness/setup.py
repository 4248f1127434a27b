# SPDX-License-Identifier: Apache-2.0
"""Builds what the benchmark compares and generates its inputs, all below build/bench. A peer that
cannot be built is skipped with the reason."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "bench"

# One CPU baseline for all sides.
CPU = "x86-64-v3" if platform.machine() == "x86_64" else None
C_FLAGS = ["-std=gnu17", "-O3", *([f"-march={CPU}"] if CPU else []), "-Wall", "-Wextra", "-pthread"]
BYTEWAX = "bytewax==0.21.1"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Skipped(Exception):
    """A peer that cannot take part, and why."""


def call(command, **options):
    """Runs a build step quietly; Skipped with the last line it said."""
    done = subprocess.run(
        ["nice", *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        **options,
    )
    if done.returncode:
        said = done.stdout.strip().splitlines() or [f"exit status {done.returncode}"]
        errors = [line for line in said if "error" in line.lower()]
        raise Skipped(f"`{Path(command[0]).name} {command[1]}` failed: {(errors or said)[-1]}")


def newer(target, sources):
    return target.exists() and all(
        target.stat().st_mtime >= source.stat().st_mtime for source in sources
    )


def build_c():
    """The hand-written programs; they check all other answers, so nothing goes without them."""
    compiler = os.environ.get("CC") or "gcc"
    folder = BUILD / "c"
    folder.mkdir(parents=True, exist_ok=True)
    headers = list((HERE / "c").glob("*.h"))
    for source in sorted((HERE / "c").glob("*.c")):
        target = folder / source.stem
        if not newer(target, [source, *headers]):
            call([*compiler.split(), *C_FLAGS, source, "-o", target, "-lm"])
    return folder


def build_timely():
    if not shutil.which("cargo"):
        raise Skipped("cargo is not installed")
    target = BUILD / "timely-target"
    say("timely: cargo build --release")
    flags = os.environ.get("RUSTFLAGS") or (f"-C target-cpu={CPU}" if CPU else "")
    call(
        ["cargo", "build", "--release", "--locked", "--manifest-path",
         HERE / "timely" / "Cargo.toml", "--target-dir", target],
        env={**os.environ, "RUSTFLAGS": flags},
    )
    return target / "release"


def build_bytewax():
    python = BUILD / "venv" / "bin" / "python"
    if not (BUILD / "venv" / "installed").exists():
        say(f"bytewax: making a virtual environment with {BYTEWAX}")
        call([sys.executable, "-m", "venv", "--clear", BUILD / "venv"])
        call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", BYTEWAX])
        (BUILD / "venv" / "installed").write_text(BYTEWAX + "\n")
    return python


def find_mawk():
    mawk = shutil.which("mawk")
    if not mawk:
        raise Skipped("mawk is not installed")
    return mawk


def build_wax(wax, broken):
    """The flows as modules; those that do not build go to `broken`. `wax` is the program itself."""
    if not os.access(wax, os.X_OK):
        raise Skipped(f"wax not built: there is no {wax} (`make bench` builds it)")
    folder = BUILD / "flows"
    folder.mkdir(parents=True, exist_ok=True)
    shared = [wax.resolve(), *(HERE / "flows").glob("*.h"), *(HERE / "c").glob("*.h"),
              *(HERE / "flows").glob("wax.mk")]
    for source in sorted((HERE / "flows").glob("*.c")):
        module = folder / (source.stem + ".so")
        if not newer(module, [source, *shared]):
            try:
                call([wax, "build", source, "-o", module])
            except Skipped as reason:
                module.unlink(missing_ok=True)
                broken.append(f"{source.name}: {reason}")
                say(broken[-1])
    return folder


def generate(name, command):
    """The file `name` below build/bench/data, made by `command` when it is not there."""
    path = BUILD / "data" / name
    if not path.exists():
        say(f"generating {path.relative_to(ROOT)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with open(unfinished, "wb") as file:
            subprocess.run(list(map(str, command)), stdout=file, check=True)
        unfinished.rename(path)
    return path


class Tools:
    """Where everything is; a peer that is missing is None, and `skipped` says why."""

    def __init__(self, wax):
        self.skipped, self.broken = {}, []
        self.wax = wax
        self.c = build_c()
        self.timely = self._try("timely", build_timely)
        self.bytewax = self._try("bytewax", build_bytewax)
        self.mawk = self._try("mawk", find_mawk)
        self.flows = self._try("wax", lambda: build_wax(wax, self.broken))

    def _try(self, name, build):
        try:
            return build()
        except Skipped as reason:
            self.skipped[name] = str(reason)
            say(f"{name} skipped: {reason}")
            return None

    def text(self, size):
        return generate(f"text-{size}.txt", [self.c / "gen_text", size, 1])

    def rows(self, n):
        return generate(f"rows-{n}.txt", [self.c / "gen_brc", n, 1])
