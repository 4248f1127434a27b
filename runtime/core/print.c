/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as text and as JSON.
 *
 *   bool            true, false
 *   numbers         decimal; JSON writes a double without a fraction as 3.0, so that readers keep
 * it one nan, inf        as such in text, null in JSON, which has no word for them time RFC 3339 in
 * UTC string          raw in text; in JSON what is not UTF-8 becomes U+FFFD, one for each byte
 *   bytes, plain    hexadecimal
 *   raw JSON        as it is; nothing, where there is none, becomes null
 *   record, list    JSON in both; a field goes by the name that it has in files
 *   optional        its value, or null; so does a string without a value in JSON
 */
#include "core/type.h"

#include <math.h>
#include <string.h>

#include "core/number.h"
#include "core/value.h"

static void put_char(struct wx_buf *out, char c)
{
    wx_buf_put(out, &c, 1);
}

static void put_hex(struct wx_buf *out, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *to = wx_buf_reserve(out, 2 * len);
    if (!to)
        return;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = ((const unsigned char *)bytes)[i];
        to[2 * i] = digits[byte >> 4];
        to[2 * i + 1] = digits[byte & 15];
    }
    out->len += 2 * len;
}

/* ---- JSON strings ---------------------------------------------------------------------------- */

/*
 * The length of the UTF-8 sequence at `p`, or 0 when there is none. The second byte's range depends
 * on the first: that excludes overlong forms, surrogates and what is above U+10FFFF.
 */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    size_t len = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
    if (len <= 1)
        return len;
    if ((size_t)(end - p) < len)
        return 0;
    unsigned low = *p == 0xe0 ? 0xa0 : *p == 0xf0 ? 0x90 : 0x80;
    unsigned high = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static void put_escaped(struct wx_buf *out, unsigned char c)
{
    static const char shorts[] = "btn\0fr"; /* of 8 to 13 */
    if (c == '"' || c == '\\') {
        put_char(out, '\\');
        put_char(out, (char)c);
    } else if (c >= 8 && c <= 13 && shorts[c - 8]) {
        put_char(out, '\\');
        put_char(out, shorts[c - 8]);
    } else if (c < 0x20) {
        wx_buf_puts(out, "\\u00");
        put_hex(out, &c, 1);
    } else {
        wx_buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
    }
}

static void json_string(struct wx_buf *out, const char *ptr, size_t len)
{
    const unsigned char *p = (const unsigned char *)ptr, *end = p + len;
    put_char(out, '"');
    while (p < end) {
        const unsigned char *start = p;
        size_t n;
        while (p < end && *p >= 0x20 && *p != '"' && *p != '\\' && (n = utf8_length(p, end)) > 0)
            p += n;
        wx_buf_put(out, start, (size_t)(p - start));
        if (p < end)
            put_escaped(out, *p++);
    }
    put_char(out, '"');
}

/* ---- scalars --------------------------------------------------------------------------------- */

static size_t format_number(const wax_type *type, const void *rec, char *to)
{
    switch (type->kind) {
    case WAX_I32: {
        int32_t value;
        memcpy(&value, rec, sizeof value);
        return wx_format_i64(value, to);
    }
    case WAX_I64: {
        int64_t value;
        memcpy(&value, rec, sizeof value);
        return wx_format_i64(value, to);
    }
    case WAX_U64: {
        uint64_t value;
        memcpy(&value, rec, sizeof value);
        return wx_format_u64(value, to);
    }
    case WAX_F32: {
        float value;
        memcpy(&value, rec, sizeof value);
        return wx_format_f32(value, to);
    }
    case WAX_F64: {
        double value;
        memcpy(&value, rec, sizeof value);
        return wx_format_f64(value, to);
    }
    default: {
        wax_time value;
        memcpy(&value, rec, sizeof value);
        return wx_format_time(value, to);
    }
    }
}

static void text_number(const wax_type *type, const void *rec, struct wx_buf *out)
{
    char *to = wx_buf_reserve(out, WX_NUMBER_MAX);
    if (to)
        out->len += format_number(type, rec, to);
}

static void json_number(const wax_type *type, const void *rec, struct wx_buf *out)
{
    char text[WX_NUMBER_MAX];
    size_t len = format_number(type, rec, text);
    bool real = type->kind == WAX_F32 || type->kind == WAX_F64;
    if (real && (text[len - 1] == 'n' || text[len - 1] == 'f')) {
        wx_buf_puts(out, "null");
        return;
    }
    bool quoted = type->kind == WAX_TIME && text[len - 1] == 'Z';
    if (quoted)
        put_char(out, '"');
    wx_buf_put(out, text, len);
    if (quoted)
        put_char(out, '"');
    if (real && !memchr(text, '.', len) && !memchr(text, 'e', len))
        wx_buf_puts(out, ".0");
}

static void put_bool(const void *rec, struct wx_buf *out)
{
    wx_buf_puts(out, *(const unsigned char *)rec ? "true" : "false");
}

/* ---- all ------------------------------------------------------------------------------------- */

static void json_span(const wax_type *type, const void *rec, struct wx_buf *out)
{
    wax_str span = wx_value_span(rec);
    if (!span.ptr || (type->kind == WAX_JSON && span.len == 0)) {
        wx_buf_puts(out, "null");
    } else if (type->kind == WAX_STR) {
        json_string(out, span.ptr, span.len);
    } else if (type->kind == WAX_JSON) {
        wx_buf_put(out, span.ptr, span.len);
    } else {
        put_char(out, '"');
        put_hex(out, span.ptr, span.len);
        put_char(out, '"');
    }
}

static void json_list(const wax_type *type, const void *rec, struct wx_buf *out)
{
    struct wx_list list = wx_value_list(rec);
    put_char(out, '[');
    for (size_t i = 0; i < list.len && !out->full; i++) {
        if (i > 0)
            put_char(out, ',');
        wx_type_json(type->element, list.ptr + i * type->element->size, out);
    }
    put_char(out, ']');
}

static void json_record(const wax_type *type, const char *rec, struct wx_buf *out)
{
    for (uint32_t i = 0; i < type->count; i++) {
        const wax_field *field = &type->fields[i];
        const char *name = field->column ? field->column : field->name;
        put_char(out, i == 0 ? '{' : ',');
        json_string(out, name, strlen(name));
        put_char(out, ':');
        wx_type_json(field->type, rec + field->offset, out);
    }
    put_char(out, '}');
}

void wx_type_json(const wax_type *type, const void *rec, struct wx_buf *out)
{
    switch (type->kind) {
    case WAX_BOOL:
        put_bool(rec, out);
        break;
    case WAX_STR:
    case WAX_BYTES:
    case WAX_JSON:
        json_span(type, rec, out);
        break;
    case WAX_RECORD_KIND:
        json_record(type, rec, out);
        break;
    case WAX_LIST:
        json_list(type, rec, out);
        break;
    case WAX_OPT:
        if (wx_value_some(type, rec))
            wx_type_json(type->element, rec, out);
        else
            wx_buf_puts(out, "null");
        break;
    case WAX_PLAIN_KIND:
        put_char(out, '"');
        put_hex(out, rec, type->size);
        put_char(out, '"');
        break;
    default:
        json_number(type, rec, out);
        break;
    }
}

void wx_type_text(const wax_type *type, const void *rec, struct wx_buf *out)
{
    wax_str span;
    switch (type->kind) {
    case WAX_BOOL:
        put_bool(rec, out);
        break;
    case WAX_STR:
        span = wx_value_span(rec);
        wx_buf_put(out, span.ptr, span.ptr ? span.len : 0);
        break;
    case WAX_BYTES:
        span = wx_value_span(rec);
        put_hex(out, span.ptr, span.ptr ? span.len : 0);
        break;
    case WAX_PLAIN_KIND:
        put_hex(out, rec, type->size);
        break;
    case WAX_OPT:
        if (wx_value_some(type, rec))
            wx_type_text(type->element, rec, out);
        else
            wx_buf_puts(out, "null");
        break;
    case WAX_RECORD_KIND:
    case WAX_LIST:
    case WAX_JSON:
        wx_type_json(type, rec, out);
        break;
    default:
        text_number(type, rec, out);
        break;
    }
}
