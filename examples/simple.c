/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest dataflow: three numbers, each made one larger, printed one a line.
 *
 *   wax run examples/simple.c          prints 1 2 3
 */
#include <wax/wax.h>

WAX_MAP(plus_one, int64_t, int64_t)
{
    *out = *in + 1;
    return WAX_EMIT;
}

WAX_DATAFLOW(simple)
{
    wax_stream(int64_t) numbers = wax_input(flow, "inp", wax_testing_range(0, 3));
    wax_stream(int64_t) larger = wax_map("plus_one", numbers, plus_one);
    wax_output("out", larger, wax_stdout());
}
