/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records known only by their descriptor: checking descriptors, comparing them, copying what
 * records point to. Everything walks the descriptor beside the memory it describes. wx_type_check()
 * bounds depth and size first, so that no walk needs a limit of its own.
 */
#include "core/type.h"

#include <string.h>

#include "core/hash.h"
#include "core/value.h"

#define SIZE_MAX_BYTES (1u << 20) /* of one record, without what it points to */
#define ALIGN_MAX      16u        /* what batches and states give to a record */
#define ALIGN_LIST     8u         /* what struct wx_memory gives to the elements of a list */
#define NODES_MAX      4096 /* descriptors met in one walk: bounds the work on any descriptor */

/* ---- the types of the language --------------------------------------------------------------- */

#define SCALAR(T, KIND)                                                                            \
    const wax_type wax_type_##T = {#T, KIND, sizeof(T), _Alignof(T), 0, NULL, NULL}
/* `bool` is a macro before C23: its descriptor has either name. */
const wax_type wax_type__Bool = {"bool", WAX_BOOL, sizeof(_Bool), _Alignof(_Bool), 0, NULL, NULL};
const wax_type wax_type_bool = {"bool", WAX_BOOL, sizeof(_Bool), _Alignof(_Bool), 0, NULL, NULL};
SCALAR(int32_t, WAX_I32);
SCALAR(int64_t, WAX_I64);
SCALAR(uint64_t, WAX_U64);
SCALAR(float, WAX_F32);
SCALAR(double, WAX_F64);
SCALAR(wax_time, WAX_TIME);
SCALAR(wax_str, WAX_STR);
SCALAR(wax_bytes, WAX_BYTES);
SCALAR(wax_json, WAX_JSON);

/* ---- checking -------------------------------------------------------------------------------- */

struct kind_layout {
    uint32_t size, align;
};
#define LAYOUT(T)                                                                                  \
    {                                                                                              \
        sizeof(T), _Alignof(T)                                                                     \
    }
static const struct kind_layout kind_layouts[] = {
    [WAX_BOOL] = LAYOUT(bool),
    [WAX_I32] = LAYOUT(int32_t),
    [WAX_I64] = LAYOUT(int64_t),
    [WAX_U64] = LAYOUT(uint64_t),
    [WAX_F32] = LAYOUT(float),
    [WAX_F64] = LAYOUT(double),
    [WAX_TIME] = LAYOUT(wax_time),
    [WAX_STR] = LAYOUT(wax_str),
    [WAX_BYTES] = LAYOUT(wax_bytes),
    [WAX_JSON] = LAYOUT(wax_json),
    [WAX_LIST] = LAYOUT(wax_list_int64_t),
    [WAX_RECORD_KIND] = {0, 0},
    [WAX_OPT] = {0, 0},
    [WAX_PLAIN_KIND] = {0, 0},
};
#define KINDS (sizeof kind_layouts / sizeof kind_layouts[0])

static uint32_t round_up(uint32_t n, uint32_t align)
{
    return (n + align - 1) & ~(align - 1);
}

static int check(const wax_type *type, uint32_t depth, uint32_t *nodes, struct wx_error *err);

static int check_layout(const wax_type *type, struct wx_error *err)
{
    struct kind_layout layout = kind_layouts[type->kind];
    if (layout.size && (type->size != layout.size || type->align != layout.align))
        return wx_fail(err, WX_EXIT_MODULE, "type '%s' has %u bytes where its kind has %u",
                       type->name, type->size, layout.size);
    if (type->align == 0 || (type->align & (type->align - 1)) || type->align > ALIGN_MAX)
        return wx_fail(err, WX_EXIT_MODULE,
                       "type '%s' has an alignment of %u; at most %u is possible", type->name,
                       type->align, ALIGN_MAX);
    if (type->size == 0 || type->size > SIZE_MAX_BYTES || type->size % type->align)
        return wx_fail(err, WX_EXIT_MODULE,
                       "type '%s' has a size of %u bytes, which is not a multiple of its alignment "
                       "between 1 and %u",
                       type->name, type->size, SIZE_MAX_BYTES);
    return 0;
}

static int check_name(const wax_type *type, uint32_t i, struct wx_error *err)
{
    const char *name = type->fields[i].name;
    if (!name || !*name)
        return wx_fail(err, WX_EXIT_MODULE, "field %u of type '%s' has no name", i, type->name);
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(type->fields[k].name, name) == 0)
            return wx_fail(err, WX_EXIT_MODULE, "type '%s' has two fields '%s'", type->name, name);
    return 0;
}

static int check_fields(const wax_type *type, uint32_t depth, uint32_t *nodes, struct wx_error *err)
{
    if (!type->fields || type->count == 0 || type->count > WX_TYPE_FIELDS_MAX)
        return wx_fail(err, WX_EXIT_MODULE, "type '%s' has %u fields; 1 to %d are possible",
                       type->name, type->count, WX_TYPE_FIELDS_MAX);
    uint64_t end = 0;
    for (uint32_t i = 0; i < type->count; i++) {
        const wax_field *field = &type->fields[i];
        if (check_name(type, i, err) < 0)
            return -1;
        if (check(field->type, depth + 1, nodes, err) < 0)
            return wx_wrap(err, "field '%s' of type '%s'", field->name, type->name);
        uint64_t next = (uint64_t)field->offset + field->type->size;
        if (field->offset < end || field->offset % field->type->align || next > type->size ||
            field->type->align > type->align)
            return wx_fail(
                err, WX_EXIT_MODULE,
                "field '%s' of type '%s' cannot be at offset %u: it is misaligned, outside "
                "of the record or not behind the field before it",
                field->name, type->name, field->offset);
        end = next;
    }
    return 0;
}

static int check(const wax_type *type, uint32_t depth, uint32_t *nodes, struct wx_error *err)
{
    if (!type || !type->name)
        return wx_fail(err, WX_EXIT_MODULE, "a type has no descriptor or no name");
    if (depth > WX_TYPE_DEPTH_MAX || ++*nodes > NODES_MAX)
        return wx_fail(err, WX_EXIT_MODULE, "type '%s' is nested too deeply or too large",
                       type->name);
    if (type->kind >= KINDS)
        return wx_fail(err, WX_EXIT_MODULE, "type '%s' is of kind %u, which this wax does not know",
                       type->name, type->kind);
    if (check_layout(type, err) < 0)
        return -1;
    if (type->kind == WAX_RECORD_KIND)
        return check_fields(type, depth, nodes, err);
    if (type->kind != WAX_LIST && type->kind != WAX_OPT)
        return 0;
    const wax_type *element = type->element;
    if (check(element, depth + 1, nodes, err) < 0)
        return wx_wrap(err, "type '%s'", type->name);
    if (type->kind == WAX_LIST && element->align > ALIGN_LIST)
        return wx_fail(err, WX_EXIT_MODULE,
                       "type '%s' cannot be in a list: its alignment is %u, at most %u is possible",
                       element->name, element->align, ALIGN_LIST);
    if (type->kind == WAX_OPT && (type->align != element->align ||
                                  type->size != round_up(element->size + 1, element->align)))
        return wx_fail(err, WX_EXIT_MODULE,
                       "type '%s' does not have the layout of an optional '%s'", type->name,
                       element->name);
    return 0;
}

int wx_type_check(const wax_type *type, struct wx_error *err)
{
    uint32_t nodes = 0;
    return check(type, 1, &nodes, err);
}

/* ---- properties ------------------------------------------------------------------------------ */

bool wx_type_is_flat(const wax_type *type)
{
    switch (type->kind) {
    case WAX_STR:
    case WAX_BYTES:
    case WAX_JSON:
    case WAX_LIST:
        return false;
    case WAX_OPT:
        return wx_type_is_flat(type->element);
    case WAX_RECORD_KIND:
        for (uint32_t i = 0; i < type->count; i++)
            if (!wx_type_is_flat(type->fields[i].type))
                return false;
        return true;
    default:
        return true;
    }
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return wx_hash_i64((int64_t)(hash * 31 + value + 1));
}

static uint64_t mix_name(uint64_t hash, const char *name)
{
    return mix(hash, wx_hash_str((wax_str){name, (uint32_t)strlen(name)}));
}

uint64_t wx_type_hash(const wax_type *type)
{
    uint64_t hash = mix(mix(mix(0, type->kind), type->size), type->align);
    if (type->kind == WAX_PLAIN_KIND)
        return mix_name(hash, type->name);
    if (type->kind == WAX_LIST || type->kind == WAX_OPT)
        return mix(hash, wx_type_hash(type->element));
    if (type->kind != WAX_RECORD_KIND)
        return hash;
    hash = mix(hash, type->count);
    for (uint32_t i = 0; i < type->count; i++) {
        const wax_field *field = &type->fields[i];
        hash = mix_name(mix(hash, field->offset), field->name);
        hash = mix(hash, wx_type_hash(field->type));
    }
    return hash;
}

bool wx_type_same(const wax_type *a, const wax_type *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->size != b->size || a->align != b->align)
        return false;
    if (a->kind == WAX_PLAIN_KIND)
        return strcmp(a->name, b->name) == 0; /* nothing else tells one from another */
    if (a->kind == WAX_LIST || a->kind == WAX_OPT)
        return wx_type_same(a->element, b->element);
    if (a->kind != WAX_RECORD_KIND)
        return true;
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const wax_field *x = &a->fields[i], *y = &b->fields[i];
        if (x->offset != y->offset || strcmp(x->name, y->name) != 0 ||
            !wx_type_same(x->type, y->type))
            return false;
    }
    return true;
}

/* ---- what a record points to ----------------------------------------------------------------- */

#define ROUND8(n) (((size_t)(n) + 7) & ~(size_t)7)

static void own_span(char *rec, struct wx_memory *memory)
{
    wax_str span = wx_value_span(rec);
    if (!span.ptr)
        return;
    char *bytes = "";
    if (span.len) {
        bytes = memory->alloc(memory, span.len);
        memcpy(bytes, span.ptr, span.len);
    }
    wx_value_set_span(rec, bytes, span.len);
}

/* Moves what `rec`, a shallow copy already, points to into `memory`. */
static void own(const wax_type *type, char *rec, struct wx_memory *memory);

static void own_list(const wax_type *type, char *rec, struct wx_memory *memory)
{
    struct wx_list list = wx_value_list(rec);
    size_t size = type->element->size;
    char *items = NULL;
    if (list.len) {
        items = memory->alloc(memory, list.len * size);
        memcpy(items, list.ptr, list.len * size);
    }
    if (!wx_type_is_flat(type->element))
        for (size_t i = 0; i < list.len; i++)
            own(type->element, items + i * size, memory);
    wx_value_set_list(rec, items, list.len);
}

static void own(const wax_type *type, char *rec, struct wx_memory *memory)
{
    switch (type->kind) {
    case WAX_STR:
    case WAX_BYTES:
    case WAX_JSON:
        own_span(rec, memory);
        break;
    case WAX_LIST:
        own_list(type, rec, memory);
        break;
    case WAX_OPT:
        if (wx_value_some(type, rec))
            own(type->element, rec, memory);
        break;
    case WAX_RECORD_KIND:
        for (uint32_t i = 0; i < type->count; i++)
            own(type->fields[i].type, rec + type->fields[i].offset, memory);
        break;
    default:
        break;
    }
}

/* A column of strings gets one block for all their bytes. */
static void copy_strings(wax_str *to, const wax_str *from, size_t n, struct wx_memory *memory)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += from[i].ptr ? from[i].len : 0;
    char *at = total ? memory->alloc(memory, total) : "";
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        if (!from[i].ptr)
            continue;
        memcpy(at, from[i].ptr, from[i].len);
        to[i].ptr = at;
        at += from[i].len;
    }
}

void wx_type_copy(const wax_type *type, void *dst, const void *src, size_t n,
                  struct wx_memory *memory)
{
    if (n == 0)
        return;
    if (type->kind == WAX_STR) {
        copy_strings(dst, src, n, memory);
        return;
    }
    memcpy(dst, src, n * type->size);
    if (n > 1 && wx_type_is_flat(type))
        return;
    for (size_t i = 0; i < n; i++)
        own(type, (char *)dst + i * type->size, memory);
}

size_t wx_type_extra(const wax_type *type, const void *rec)
{
    if (wx_kind_is_span(type->kind)) {
        wax_str span = wx_value_span(rec);
        return span.ptr ? ROUND8(span.len) : 0;
    }
    size_t bytes = 0;
    if (type->kind == WAX_LIST) {
        struct wx_list list = wx_value_list(rec);
        size_t size = type->element->size;
        bytes = ROUND8(list.len * size);
        if (!wx_type_is_flat(type->element))
            for (size_t i = 0; i < list.len; i++)
                bytes += wx_type_extra(type->element, list.ptr + i * size);
    } else if (type->kind == WAX_OPT) {
        bytes = wx_value_some(type, rec) ? wx_type_extra(type->element, rec) : 0;
    } else if (type->kind == WAX_RECORD_KIND) {
        for (uint32_t i = 0; i < type->count; i++)
            bytes +=
                wx_type_extra(type->fields[i].type, (const char *)rec + type->fields[i].offset);
    }
    return bytes;
}

/* Pointers into different objects may only be compared as numbers. */
static bool is_outside(const char *ptr, size_t len, const char *low, const char *high)
{
    return len > 0 && ((uintptr_t)ptr < (uintptr_t)low || (uintptr_t)ptr + len > (uintptr_t)high);
}

bool wx_type_points_outside(const wax_type *type, const void *rec, const char *low,
                            const char *high)
{
    if (wx_kind_is_span(type->kind)) {
        wax_str span = wx_value_span(rec);
        return span.ptr && is_outside(span.ptr, span.len, low, high);
    }
    if (type->kind == WAX_LIST) {
        struct wx_list list = wx_value_list(rec);
        size_t size = type->element->size;
        if (is_outside(list.ptr, list.len * size, low, high))
            return true;
        if (wx_type_is_flat(type->element))
            return false;
        for (size_t i = 0; i < list.len; i++)
            if (wx_type_points_outside(type->element, list.ptr + i * size, low, high))
                return true;
        return false;
    }
    if (type->kind == WAX_OPT)
        return wx_value_some(type, rec) && wx_type_points_outside(type->element, rec, low, high);
    if (type->kind == WAX_RECORD_KIND)
        for (uint32_t i = 0; i < type->count; i++)
            if (wx_type_points_outside(type->fields[i].type,
                                       (const char *)rec + type->fields[i].offset, low, high))
                return true;
    return false;
}
