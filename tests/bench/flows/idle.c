/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One item a second, `items` of them: what a dataflow costs that has next to nothing to do.
 *
 * -D items=N
 */
#include <wax/wax.h>

WAX_RECORD(tick_pos, (int64_t, ticks));
typedef struct ticker {
    int64_t items;
} ticker;
WAX_SELF(ticker);

WAX_SOURCE(ticks, int64_t, ticker, tick_pos)
{
    wax_emit(out, pos->ticks++);
    *wake = wax_now(cx) + wax_seconds(1);
    return pos->ticks < self->items ? WAX_OK : WAX_EOF;
}

WAX_DATAFLOW(idle)
{
    ticker args = {.items = wax_param_i64(flow, "items", 10)};
    wax_stream(int64_t) items = wax_input(flow, "ticks", wax_from(ticks, &args));
    wax_output("out", items, wax_stdout());
}
