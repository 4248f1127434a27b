/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as lines. Strings and 64-bit integers, which most sinks get, are written here with one
 * reservation for value and separator; all other types go through wx_type_text().
 */
#include "connectors/format.h"

#include "core/number.h"
#include "core/type.h"
#include "core/value.h"

/* Record `i` of a column of `type`, then `separator`. */
static inline void put_value(const wax_type *type, const void *column, uint32_t i, char separator,
                             struct wx_buf *out)
{
    const char *rec = (const char *)column + (size_t)i * type->size;
    if (type->kind == WAX_STR) {
        wax_str s = wx_value_span(rec);
        uint32_t len = s.ptr ? s.len : 0;
        char *to = wx_buf_reserve(out, (size_t)len + 1);
        if (!to)
            return;
        if (len)
            memcpy(to, s.ptr, len);
        to[len] = separator;
        out->len += (size_t)len + 1;
    } else if (type->kind == WAX_I64) {
        char *to = wx_buf_reserve(out, WX_NUMBER_MAX + 1);
        if (!to)
            return;
        int64_t value;
        memcpy(&value, rec, sizeof value);
        size_t len = wx_format_i64(value, to);
        to[len] = separator;
        out->len += len + 1;
    } else {
        wx_type_text(type, rec, out);
        wx_buf_put(out, &separator, 1);
    }
}

uint32_t wx_format_lines(const wax_io *io, uint32_t at, size_t enough, struct wx_buf *out)
{
    for (; at < io->n && out->len < enough; at++) {
        size_t before = out->len;
        if (io->keys)
            put_value(io->key_type, io->keys, at, '\t', out);
        put_value(io->type, io->in, at, '\n', out);
        if (out->full) {
            out->len = before;
            break;
        }
    }
    return at;
}
