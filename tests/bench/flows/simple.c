/* SPDX-License-Identifier: Apache-2.0 */
/* Three numbers, each plus one: as good as nothing to do, so a run of it measures start-up. */
#include <wax/wax.h>

WAX_MAP(plus_one, int64_t, int64_t)
{
    *out = *in + 1;
    return WAX_EMIT;
}

WAX_DATAFLOW(simple)
{
    wax_stream(int64_t) numbers = wax_input(flow, "inp", wax_testing_range(0, 3));
    wax_stream(int64_t) plus = wax_map("plus_one", numbers, plus_one);
    wax_output("out", plus, wax_stdout());
}
