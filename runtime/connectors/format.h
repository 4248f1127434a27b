/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_FORMAT_H
#define WX_FORMAT_H

#include <wax/body.h>

#include "base/buf.h"

/*
 * Append the records [at, io->n) of a sink to `out`, one line each ("key<TAB>value" when keyed),
 * until it holds `enough` bytes. Whole lines only. Returns the first record not done. When the line
 * of that one does not fit below out->max, out->full is set.
 */
uint32_t wx_format_lines(const wax_io *io, uint32_t at, size_t enough, struct wx_buf *out);

#endif /* WX_FORMAT_H */
