# SPDX-License-Identifier: Apache-2.0
"""The public headers, by what the compilers say: what must compile does, with every warning as an error, and
each mistake a user makes is refused with a message that points at the line of the mistake."""
import glob
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INCLUDE = f"-I{ROOT}/runtime/include"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wundef", "-Werror"]
STRICT_C = STRICT + ["-Wstrict-prototypes", "-Wmissing-prototypes", "-Wvla"]
# What `wax run` compiles a module with; clang has no -ftrack-macro-expansion and needs none.
MODULE = ["-std=gnu17", "-O2", "-Wall", "-Werror=return-type", "-Werror=incompatible-pointer-types",
          "-Werror=format", "-Werror=int-conversion", "-Werror=implicit-function-declaration"]
MODULE_FLAGS = {"gcc": MODULE + ["-ftrack-macro-expansion=0"], "clang": MODULE}

COMMON = """\
#include <wax/wax.h>
WAX_RECORD(trip, (wax_str, city), (double, fare), (wax_time, at));
WAX_RECORD(ride, (wax_str, city), (int64_t, km));
WAX_MAP(to_ride, trip, ride) { out->city = in->city; return WAX_EMIT; }
WAX_FILTER(is_dear, trip) { return in->fare > 100; }
WAX_FLAT_MAP(cities, trip, wax_str) { wax_emit(out, in->city); return WAX_OK; }
WAX_KEY(by_city, trip, wax_str) { return in->city; }
WAX_FOLD(total, trip, double) { *state += in->fare; return WAX_OK; }
WAX_REDUCE(dearer, trip) { if (in->fare > acc->fare) *acc = *in; return WAX_OK; }
typedef struct rate { double factor; } rate;
WAX_SELF(rate);
typedef struct limit { int64_t most; } limit;
WAX_SELF(limit);
WAX_MAP(scale, trip, trip, rate) { *out = *in; out->fare *= self->factor; return WAX_EMIT; }
WAX_RECORD(place, (int64_t, next));
WAX_SOURCE(counting, int64_t, limit, place) { wax_emit(out, pos->next++); return WAX_OK; }
WAX_SINK(swallow, trip, limit) { self->most += n; (void)in; return WAX_OK; }
#define FLOW WAX_DATAFLOW(mistake)
#define TRIPS wax_stream(trip) trips = wax_input(flow, "in", wax_testing_list(trip, {.fare = 1}))
#define KEYED TRIPS; wax_keyed(trip) keyed = wax_key_on("k", trips, by_city)
#define USE(S) wax_output("o", S, wax_null())
"""

# (name, code, words): the code follows COMMON; the line that ends in "// here" holds the mistake. Each word
# must stand in what the compiler says; "gcc:word" asks only that compiler for it. (gcc does not name the types
# of an initializer of the wrong type, but it shows the line.)
MISTAKES = [
    ("a step wired to the wrong record", """
FLOW { TRIPS; wax_stream(ride) rides = wax_map("r", trips, to_ride);
wax_stream(ride) again = wax_map("again", rides, to_ride); // here
USE(again); }""", ["wax_stream_trip", "wax_stream_ride"]),
    ("a filter of another record", """
FLOW { TRIPS; wax_stream(ride) rides = wax_map("r", trips, to_ride);
wax_stream(ride) dear = wax_filter("f", rides, is_dear); // here
USE(dear); }""", ["wax_stream_trip", "wax_stream_ride"]),
    ("a fold without key_on", """
FLOW { TRIPS;
wax_keyed(double) sums = wax_fold_final("sum", trips, total); // here
USE(sums); }""", ["wax_keyed_trip", "wax_stream_trip"]),
    ("a reduce without key_on", """
FLOW { TRIPS;
wax_keyed(trip) best = wax_reduce_final("max", trips, dearer); // here
USE(best); }""", ["wax_keyed_trip", "wax_stream_trip"]),
    ("a result of the wrong type", """
FLOW { TRIPS;
wax_stream(trip) rides = wax_map("r", trips, to_ride); // here
USE(rides); }""", ["gcc:invalid initializer", "clang:wax_stream_trip", "clang:wax_stream_ride"]),
    ("a key in a step where a map is due", """
FLOW { TRIPS;
wax_stream(trip) x = wax_map("r", trips, by_city); // here
USE(x); }""", ["map_by_city"]),
    ("a map in a step where a filter is due", """
FLOW { TRIPS;
wax_stream(trip) x = wax_filter("f", trips, to_ride); // here
USE(x); }""", ["filter_to_ride"]),
    ("a map used as a key", """
FLOW { TRIPS;
wax_keyed(trip) x = wax_key_on("k", trips, to_ride); // here
USE(x); }""", ["key_on_to_ride"]),
    ("a reduction given to a fold", """
FLOW { KEYED;
wax_keyed(trip) x = wax_fold_final("f", keyed, dearer); // here
USE(x); }""", ["wax_fold_final_dearer"]),
    ("a body that does not exist", """
FLOW { TRIPS;
wax_stream(ride) x = wax_map("r", trips, to_raid); // here
USE(x); }""", ["to_raid"]),
    ("an unknown field", """
WAX_KEY(by_town, trip, wax_str) { return in->town; } // here
""", ["town"]),
    ("an emit of the wrong type", """
WAX_FLAT_MAP(bad, trip, ride)
{
    wax_emit(out, *in); // here
    return WAX_OK;
}""", ["trip", "ride"]),
    ("a merge of different records", """
FLOW { TRIPS; wax_stream(ride) rides = wax_map("r", trips, to_ride);
USE(wax_merge("m", trips, rides)); } // here
""", ["wax_stream_ride"]),
    ("a merge of keyed with unkeyed", """
FLOW { KEYED;
USE(wax_merge("m", trips, keyed)); } // here
""", ["wax_keyed_trip"]),
    ("a field of an unsupported type", """
WAX_RECORD(bad, (wax_str, city), (short, n)); // here
""", ["wax_type_short"]),
    ("an unknown record", """
WAX_MAP(bad, trip, rude) { out->city = in->city; return WAX_EMIT; } // here
""", ["rude"]),
    ("an unknown record in a handle", """
FLOW { wax_stream(rude) x = wax_input(flow, "in", wax_testing_range(0, 1)); // here
USE(x); }""", ["wax_stream_rude"]),
    ("a source of another record", """
FLOW { wax_stream(trip) x = wax_input(flow, "in", wax_lines("x")); // here
USE(x); }""", ["gcc:invalid initializer", "clang:wax_stream_trip", "clang:wax_stream_wax_str"]),
    ("a body without return", """
WAX_MAP(bad, trip, ride)
{
    out->city = in->city;
} // here
""", ["return"]),
    ("a key that is no key", """
WAX_KEY(by_fare, trip, double) { return in->fare; } // here
""", ["a key is a wax_str or an int64_t"]),
    ("a format that does not fit", """
WAX_MAP(bad, trip, ride) { return wax_fail(cx, "odd fare %s", in->fare); } // here
""", ["format", "double"]),
    ("a format that does not fit, of a string", """
WAX_MAP(bad, trip, wax_str) { *out = wax_fmt(cx, "%d", in->city.ptr); return WAX_EMIT; } // here
""", ["format", "int"]),
    ("another SELF than the body's", """
FLOW { TRIPS;
wax_stream(trip) x = wax_map("x", trips, scale, &(limit){3}); // here
USE(x); }""", ["rate", "limit"]),
    ("the SELF of a source", """
FLOW { wax_stream(int64_t) x = wax_input(flow, "in", wax_from(counting, &(rate){1})); // here
USE(x); }""", ["limit", "rate"]),
    ("the SELF of a sink", """
FLOW { TRIPS;
wax_output("o", trips, wax_to(swallow, &(rate){1})); } // here
""", ["limit", "rate"]),
    ("a SELF that was not declared", """
typedef struct other { double x; } other;
WAX_MAP(bad, trip, trip, other) { *out = *in; return WAX_EMIT; } // here
""", ["wax_self_other"]),
    ("a hook for a name that does not exist", """
WAX_MERGE(totl) { *state += *other; } // here
""", ["totl"]),
    ("a hook given twice", """
WAX_MERGE(total) { *state += *other; }
WAX_MERGE(total) { *state += *other; } // here
""", ["redefinition", "total"]),
    ("a merge on a map", """
WAX_MERGE(to_ride) { (void)state; (void)other; } // here
""", ["to_ride"]),
    ("a hook for a source that does not exist", """
WAX_PARTS(countin) { wax_part(parts, "x"); return WAX_OK; } // here
""", ["countin"]),
    ("an OPEN of an unknown struct", """
WAX_OPEN(raet) { return WAX_OK; } // here
""", ["raet"]),
    ("too few arguments of a body", """
WAX_MAP(bad, trip) { return WAX_EMIT; } // here
""", ["WAX_MAP takes 3 or 4 arguments"]),
    ("too few arguments of a filter", """
WAX_FILTER(bad) { return 1; } // here
""", ["WAX_FILTER takes 2 or 3 arguments"]),
    ("too few arguments of a flat_map", """
WAX_FLAT_MAP(bad, trip) { return WAX_OK; } // here
""", ["WAX_FLAT_MAP takes 3 or 4 arguments"]),
    ("too many arguments of a body", """
WAX_MAP(bad, trip, ride, rate, 5) { return WAX_EMIT; } // here
""", []),
    ("too many arguments of a step", """
FLOW { TRIPS;
wax_stream(trip) x = wax_map("x", trips, scale, &(rate){1}, 5); // here
USE(x); }""", []),
    ("too few arguments of a step", """
FLOW { TRIPS;
wax_stream(ride) x = wax_map("x", trips); // here
USE(x); }""", ["WAX_MAP_STEP_TAKES_3_OR_4_ARGUMENTS"]),
    ("a step without its SELF", """
FLOW { TRIPS;
wax_stream(trip) x = wax_map("x", trips, scale, rate); // here
USE(x); }""", ["rate"]),
    ("a stream used as a flow", """
FLOW { TRIPS;
wax_stream(trip) x = wax_input(trips, "in", wax_testing_list(trip, {.fare = 1})); // here
USE(x); }""", ["wax_flow"]),
    ("a sink given to input", """
FLOW { wax_stream(wax_str) x = wax_input(flow, "in", wax_stdout()); // here
USE(x); }""", ["stream"]),
    ("a string where an id is due", """
FLOW { TRIPS;
wax_stream(ride) x = wax_map(1, trips, to_ride); // here
USE(x); }""", ["const char *"]),
    ("a C string emitted as a wax_str", """
WAX_MAP(bad, trip, wax_str) { *out = "text"; return WAX_EMIT; } // here
""", ["wax_str"]),
    ("a whole branch used as a stream", """
FLOW { TRIPS;
wax_stream(trip) x = wax_branch("b", trips, is_dear); // here
USE(x); }""", ["gcc:invalid initializer", "clang:wax_branches_trip"]),
]


def compilers(*names):
    return [name for name in names if shutil.which(name)]


def syntax_only(compiler, flags, source):
    return subprocess.run([compiler, "-fsyntax-only", INCLUDE, *flags, source], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"}, check=False)


class MustCompile(unittest.TestCase):
    def check(self, compiler, flags, source):
        with self.subTest(file=os.path.basename(source), compiler=compiler, flags=flags[0]):
            done = syntax_only(compiler, flags, source)
            self.assertEqual(done.returncode, 0, done.stderr[:3000])

    def test_examples_in_every_c(self):
        for source in sorted(glob.glob(f"{ROOT}/examples/*.c")):
            for compiler in compilers("gcc", "clang"):
                for standard in ("c11", "c17", "gnu2x"):
                    self.check(compiler, [f"-std={standard}", *STRICT_C], source)
                self.check(compiler, ["-std=gnu17", "-DWAX_DEBUG", *STRICT_C], source)

    def test_all_operators_in_cxx(self):
        for compiler in compilers("g++", "clang++"):
            for standard in ("c++20", "gnu++2b"):
                self.check(compiler, [f"-std={standard}", *STRICT], f"{ROOT}/tests/api/cxx.cc")

    def test_what_the_mistakes_build_on(self):
        with tempfile.TemporaryDirectory() as directory:
            source = f"{directory}/good.c"
            with open(source, "w", encoding="utf-8") as file:
                file.write(COMMON + "FLOW { KEYED; USE(wax_fold_final(\"f\", keyed, total)); }\n")
            for compiler in compilers("gcc", "clang"):
                self.check(compiler, MODULE_FLAGS[compiler], source)


class MustNotCompile(unittest.TestCase):
    def test_mistakes_point_at_the_line(self):
        with tempfile.TemporaryDirectory() as directory:
            for name, code, words in MISTAKES:
                source = f"{directory}/mistake.c"
                text = COMMON + code.lstrip("\n")
                if not text.endswith("\n"):
                    text += "\n"
                with open(source, "w", encoding="utf-8") as file:
                    file.write(text)
                line = next(i for i, row in enumerate(text.splitlines(), 1) if row.endswith("// here"))
                for compiler in compilers("gcc", "clang"):
                    with self.subTest(mistake=name, compiler=compiler):
                        self.check(compiler, source, line, words)

    def check(self, compiler, source, line, words):
        done = syntax_only(compiler, MODULE_FLAGS[compiler], source)
        self.assertNotEqual(done.returncode, 0, "it compiles")
        lines = done.stderr.splitlines()
        errors = [row for row in lines if ": error: " in row or ": fatal error: " in row]
        self.assertTrue(any(row.startswith(f"{source}:{line}:") for row in errors),
                        f"no error points at line {line}:\n{done.stderr}")
        # The first thing said must already be about the user's line, not about the inside of a header.
        self.assertTrue(errors[0].startswith(f"{source}:{line}:"), f"the first error is elsewhere:\n{done.stderr}")
        for word in words:
            only, _, rest = word.rpartition(":")
            if only in ("", compiler):
                self.assertIn(rest, done.stderr)


if __name__ == "__main__":
    unittest.main()
