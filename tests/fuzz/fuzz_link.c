/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes one end of a link: the input is what the other side sends. Its first byte chooses the
 * credit and how eagerly batches are taken and released; the rest are the bytes of the connection.
 */
#include <string.h>

#include "cluster/link.h"
#include "core/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EDGES 3u
#define HELD  8u

struct input {
    struct wx_link_io io; /* first */
    const uint8_t *at;
    size_t left;
};

static ssize_t read_input(struct wx_link_io *io, void *to, size_t len)
{
    struct input *input = (struct input *)io;
    size_t n = len < 3000 ? len : 3000;
    n = n < input->left ? n : input->left;
    if (n == 0)
        return -2;
    memcpy(to, input->at, n);
    input->at += n;
    input->left -= n;
    return (ssize_t)n;
}

static ssize_t write_nowhere(struct wx_link_io *io, const void *from, size_t len)
{
    (void)io;
    (void)from;
    return (ssize_t)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wx_shape shapes[EDGES] = {
        {.type = &wax_type_int64_t},
        {.type = &wax_type_wax_str, .key = &wax_type_int64_t},
        {.type = &wax_type_int64_t, .key = &wax_type_wax_str, .ones = true},
    };
    const struct wx_shape *all[EDGES] = {&shapes[0], &shapes[1], &shapes[2]};
    if (size == 0)
        return 0;
    struct input input = {{read_input, write_nowhere}, data + 1, size - 1};
    struct wx_pool *pool = wx_pool_create();
    struct wx_link_config config = {.edges = EDGES,
                                    .shapes = all,
                                    .pool = pool,
                                    .credit = (uint64_t)WX_CREDIT_MIN << (data[0] % 8),
                                    .item_max = 1 << 20};
    struct wx_link *link = wx_link_create(&config, &input.io);
    struct wx_batch *held[HELD] = {NULL};
    uint32_t next = 0, eager = data[0] / 8;
    while (wx_link_pump(link, true, true) >= 0) {
        for (uint32_t i = 0; i < eager; i++) {
            struct wx_inlet *inlet = wx_link_inlet(link, i % EDGES);
            wx_batch_put(pool, held[next % HELD]);
            held[next++ % HELD] = inlet->take(inlet);
        }
    }
    for (uint32_t i = 0; i < HELD; i++)
        wx_batch_put(pool, held[i]);
    wx_link_destroy(link);
    WX_ASSERT(wx_pool_used(pool) == 0);
    wx_pool_destroy(pool);
    return 0;
}
