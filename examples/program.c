/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dataflow as a program of its own: it takes the flags of `wax run`, and needs no `wax` to run.
 *
 *   cc program.c -o program $(pkg-config --cflags --libs wax)
 *   seq 10 | ./program -w2
 *
 * The same file is a module as well: `seq 10 | wax run examples/program.c`.
 */
#include <wax/wax.h>

WAX_RECORD(number, (int64_t, value), (int64_t, square));

/* A map that also filters: what is not a number is dropped. */
WAX_MAP(square, wax_str, number)
{
    if (!wax_str_i64(wax_str_trim(*in), &out->value))
        return WAX_DROP;
    if (__builtin_mul_overflow(out->value, out->value, &out->square))
        return wax_fail(cx, "the square of " WAX_FMT " does not fit in 64 bits", WAX_ARG(*in));
    return WAX_EMIT;
}

WAX_DATAFLOW(program)
{
    wax_stream(wax_str) lines = wax_input(flow, "numbers", wax_stdin());
    wax_output("out", wax_map("square", lines, square), wax_stdout());
}

WAX_MAIN(program);
