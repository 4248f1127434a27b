/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_VALUE_H
#define WX_VALUE_H

#include <string.h>

#include <wax/type.h>

/*
 * Values with pointers, read and written through their descriptor. Copies go by bytes, because the
 * real C types behind a descriptor are a module's own.
 */

/* Any wax_list(T). */
struct wx_list {
    char *ptr;
    uint32_t len, cap; /* elements */
};

/* Strings, bytes and raw JSON lie in memory alike: {pointer, length}. */
_Static_assert(sizeof(wax_bytes) == sizeof(wax_str) &&
                   offsetof(wax_bytes, len) == offsetof(wax_str, len),
               "bytes are laid out like a string");
_Static_assert(sizeof(wax_json) == sizeof(wax_str), "raw JSON is laid out like a string");
_Static_assert(sizeof(struct wx_list) == sizeof(wax_list_int64_t) &&
                   offsetof(struct wx_list, len) == offsetof(wax_list_int64_t, len),
               "all lists are laid out alike");

static inline bool wx_kind_is_span(uint32_t kind)
{
    return kind == WAX_STR || kind == WAX_BYTES || kind == WAX_JSON;
}

/* Of a string, bytes or raw JSON. */
static inline wax_str wx_value_span(const void *rec)
{
    wax_str span;
    memcpy(&span, rec, sizeof span);
    return span;
}

static inline void wx_value_set_span(void *rec, const char *ptr, uint32_t len)
{
    memcpy((char *)rec + offsetof(wax_str, ptr), &ptr, sizeof ptr);
    memcpy((char *)rec + offsetof(wax_str, len), &len, sizeof len);
}

static inline struct wx_list wx_value_list(const void *rec)
{
    struct wx_list list;
    memcpy(&list, rec, sizeof list);
    return list;
}

static inline void wx_value_set_list(void *rec, char *ptr, uint32_t len)
{
    struct wx_list list = {ptr, len, len};
    memcpy(rec, &list, sizeof list);
}

/* Has the optional a value? It lies at its beginning. */
static inline bool wx_value_some(const wax_type *optional, const void *rec)
{
    return ((const unsigned char *)rec)[optional->element->size] != 0;
}

#endif /* WX_VALUE_H */
