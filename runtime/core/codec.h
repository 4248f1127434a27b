/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_CODEC_H
#define WX_CODEC_H

#include "core/batch.h"

/*
 * Batches as bytes, for the wire and later for snapshots. Little-endian. Flat columns travel as
 * they lie in memory; strings as a column of lengths and their bytes. Processes that exchange
 * batches have compared wx_type_hash() of every shape before, so only lengths have to be
 * distrusted.
 */

/* Append `batch` (data, not a marker) to `out`. On overflow of `out->max`, out->full is set. */
void wx_batch_encode(const struct wx_batch *batch, struct wx_buf *out);

/*
 * Make a batch of `shape` from exactly `len` bytes, its memory from `pool`. Hashes are computed
 * here. Any input is safe. Returns owned, or NULL with `err` filled when the bytes are not a batch.
 */
struct wx_batch *wx_batch_decode(struct wx_pool *pool, const struct wx_shape *shape,
                                 const void *bytes, size_t len, struct wx_error *err);

#endif /* WX_CODEC_H */
