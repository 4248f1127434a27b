/* SPDX-License-Identifier: Apache-2.0 */
/* A sink that drops everything: to measure what comes before it, or to end a branch. */
#include <wax/io.h>

static int drop(void *self, wax_io *io)
{
    (void)self;
    io->at = io->n;
    return WAX_OK;
}

static const wax_sink_ops null_ops = {.abi = WAX_ABI,
                                      .size = sizeof(wax_sink_ops),
                                      .name = "null",
                                      .self = &wax_self_wax_none,
                                      .write = drop};

wax_sink *wax_null(void)
{
    return wax_sink_create(&null_ops, NULL);
}
