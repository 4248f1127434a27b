/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the decoder of batches. The first byte chooses a shape, the rest is the encoding. What is
 * accepted must be readable, and must encode and decode to the same records.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"

WAX_RECORD(leaf, (bool, ok), (wax_opt(int32_t), small), (wax_json, more));
WAX_RECORD(tree, (wax_str, name), (wax_list(leaf), leaves), (wax_opt(leaf), best), (float, weight),
           (wax_list(wax_str), words), (wax_bytes, raw));

static const struct wx_shape shapes[] = {
    {.type = &wax_type_wax_str, .key = NULL, .ones = false},
    {.type = &wax_type_int64_t, .key = &wax_type_int64_t, .ones = true},
    {.type = &wax_type_int64_t, .key = &wax_type_wax_str, .ones = false},
    {.type = &wax_type_tree, .key = &wax_type_wax_str, .ones = false},
    {.type = &wax_type_wax_list_leaf, .key = NULL, .ones = false},
    {.type = &wax_type_wax_opt_double, .key = &wax_type_int64_t, .ones = false},
    {.type = &wax_type_leaf, .key = NULL, .ones = false},
};

#define TEXT_MAX (256u << 20)

static void describe(const struct wx_batch *batch, struct wx_buf *out)
{
    const struct wx_shape *shape = batch->shape;
    for (uint32_t i = 0; i < batch->n; i++) {
        if (shape->key)
            wx_type_json(shape->key, (char *)batch->keys + (size_t)i * shape->key->size, out);
        if (batch->rec)
            wx_type_json(shape->type, batch->rec + (size_t)i * shape->type->size, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    const struct wx_shape *shape = &shapes[data[0] % (sizeof shapes / sizeof shapes[0])];
    struct wx_pool *pool = wx_pool_create();
    struct wx_error err = {0};
    struct wx_batch *batch = wx_batch_decode(pool, shape, data + 1, len - 1, &err);
    if (batch) {
        struct wx_buf first = {.max = TEXT_MAX}, second = {.max = TEXT_MAX},
                      bytes = {.max = TEXT_MAX};
        describe(batch, &first);
        wx_batch_encode(batch, &bytes);
        struct wx_batch *again = wx_batch_decode(pool, shape, bytes.data, bytes.len, &err);
        WX_ASSERT(again != NULL);
        describe(again, &second);
        WX_ASSERT(first.len == second.len &&
                  memcmp(wx_buf_text(&first), wx_buf_text(&second), first.len) == 0);
        wx_batch_put(pool, again);
        wx_batch_put(pool, batch);
        wx_buf_free(&first);
        wx_buf_free(&second);
        wx_buf_free(&bytes);
    } else {
        WX_ASSERT(err.text[0] != '\0');
    }
    WX_ASSERT(wx_pool_used(pool) == 0);
    wx_pool_destroy(pool);
    return 0;
}
