/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax/type.h: the values that flow, their descriptors, and typed stream handles.
 *
 * Every type that crosses a step has a descriptor `wax_type_NAME`; from it the runtime derives the
 * wire format, copying, comparison and printing. WAX_RECORD declares a struct and its descriptor at
 * once. All types here are plain data: a copy of the struct is a shallow copy, and strings and
 * lists are borrowed from the batch that carries them (see wax_str).
 */
#ifndef WAX_TYPE_H
#define WAX_TYPE_H

#include <wax/macro.h>

/*
 * Borrowed bytes, not NUL-terminated; `ptr` NULL means "no value". A string that a body reads or
 * emits lives as long as its batch: to keep one longer, put it into keyed state (the runtime copies
 * it).
 */
typedef struct wax_str {
    const char *ptr;
    uint32_t len; /* bytes */
} wax_str;
typedef struct wax_bytes {
    const uint8_t *ptr;
    uint32_t len;
} wax_bytes;
/* One JSON value as text, not parsed. */
typedef struct wax_json {
    wax_str text;
} wax_json;
typedef int64_t wax_time;     /* microseconds since 1970-01-01T00:00:00Z */
typedef int64_t wax_duration; /* microseconds */

/* Durations, as arguments: wax_seconds(5). */
#define wax_millis(n)  ((n) * (wax_duration)1000)
#define wax_seconds(n) ((n) * (wax_duration)1000000)
#define wax_minutes(n) wax_seconds((n) * (wax_duration)60)
#define wax_hours(n)   wax_minutes((n) * (wax_duration)60)

#ifdef __cplusplus
#define WAX_S(lit) (wax_str{"" lit, (uint32_t)sizeof(lit) - 1})
#else
#define WAX_S(lit) ((wax_str){"" lit, sizeof(lit) - 1}) /* a literal as a wax_str */
#endif
#define WAX_FMT    "%.*s" /* printf("name: " WAX_FMT "\n", WAX_ARG(name)) */
#define WAX_ARG(s) (int)(s).len, (s).ptr

/* ---- descriptors ----------------------------------------------------------------------------- */

enum wax_kind {
    WAX_BOOL,
    WAX_I32,
    WAX_I64,
    WAX_U64,
    WAX_F32,
    WAX_F64,
    WAX_TIME,
    WAX_STR,
    WAX_BYTES,
    WAX_JSON,
    WAX_RECORD_KIND, /* `count` fields */
    WAX_LIST,        /* struct {T *ptr; uint32_t len, cap;} of `element` */
    WAX_OPT,         /* struct {T value; bool some;} of `element` */
    WAX_PLAIN_KIND,  /* bytes without pointers, shape unknown */
};

typedef struct wax_type wax_type;
typedef struct wax_field {
    const char *name;
    uint32_t offset; /* bytes */
    const wax_type *type;
    const char *column WAX_DEFAULT_(0); /* its name in CSV and JSON where that differs, or NULL */
    bool optional WAX_DEFAULT_(false);  /* may be absent in the input: then zero */
    bool end_ WAX_DEFAULT_(false);      /* closes the list of options in WAX_RECORD */
} wax_field;

struct wax_type {
    const char *name;
    uint32_t kind;        /* enum wax_kind */
    uint32_t size, align; /* of the C type, bytes */
    uint32_t count;       /* fields of a record */
    const wax_field *fields;
    const wax_type *element; /* of a list or optional */
};
#define WAX_T_(T) WAX_CAT_(&wax_type_, T)

WAX_BEGIN_C
extern WAX_EXPORT const wax_type wax_type__Bool, wax_type_bool, wax_type_int32_t, wax_type_int64_t,
    wax_type_uint64_t, wax_type_float, wax_type_double, wax_type_wax_time, wax_type_wax_str,
    wax_type_wax_bytes, wax_type_wax_json;
WAX_END_C

/* ---- typed handles --------------------------------------------------------------------------- */

typedef struct wax_port wax_port; /* an untyped stream: what a handle holds at run time */

#define wax_stream(T)         WAX_CAT_(wax_stream_, T)   /* a stream of T */
#define wax_keyed(T)          WAX_CAT_(wax_keyed_, T)    /* a stream of T, each record with a key */
#define wax_branches(T)       WAX_CAT_(wax_branches_, T) /* {trues, falses} */
#define wax_keyed_branches(T) WAX_CAT_(wax_keyed_branches_, T)
#define wax_list(T)           WAX_CAT_(wax_list_, T)   /* {ptr, len, cap} */
#define wax_opt(T)            WAX_CAT_(wax_opt_, T)    /* {value, some} */
#define wax_source(T)         WAX_CAT_(wax_source_, T) /* what wax_input() takes */

/* Only `port` (or `src`) exists at run time; the other members let a macro name a related type. */
#define WAX_HANDLES_(T)                                                                            \
    typedef union wax_stream_##T {                                                                 \
        wax_port *port;                                                                            \
        const T *item;                                                                             \
    } wax_stream_##T;                                                                              \
    typedef union wax_keyed_##T {                                                                  \
        wax_port *port;                                                                            \
        const T *item;                                                                             \
        wax_stream_##T *unkeyed;                                                                   \
    } wax_keyed_##T;                                                                               \
    typedef struct wax_branches_##T {                                                              \
        wax_stream_##T trues, falses;                                                              \
    } wax_branches_##T;                                                                            \
    typedef struct wax_keyed_branches_##T {                                                        \
        wax_keyed_##T trues, falses;                                                               \
    } wax_keyed_branches_##T;                                                                      \
    typedef union wax_source_##T {                                                                 \
        struct wax_src *src;                                                                       \
        wax_stream_##T *stream;                                                                    \
    } wax_source_##T

/* WAX_HANDLE_(POINTER, PORT): a handle of the type that POINTER (not evaluated) points to. */
#ifdef __cplusplus
template <class handle> inline handle wax_handle_(const handle *, wax_port *port)
{
    handle made = {port};
    return made;
}
#define WAX_HANDLE_(POINTER, PORT) wax_handle_((__typeof__(POINTER))nullptr, PORT)
#else
#define WAX_HANDLE_(POINTER, PORT) ((__typeof__(*(POINTER))){PORT})
#endif

#define WAX_TYPED_(T) WAX_TYPED2_(T) /* expands T first: `bool` is a macro before C23 */
#define WAX_TYPED2_(T)                                                                             \
    WAX_HANDLES_(T);                                                                               \
    typedef struct wax_list_##T {                                                                  \
        T *ptr;                                                                                    \
        uint32_t len, cap;                                                                         \
    } wax_list_##T;                                                                                \
    typedef struct wax_opt_##T {                                                                   \
        T value;                                                                                   \
        bool some;                                                                                 \
    } wax_opt_##T;                                                                                 \
    WAX_CONST wax_type wax_type_wax_list_##T = {                                                   \
        "list of " #T, WAX_LIST, sizeof(wax_list_##T), WAX_ALIGNOF(wax_list_##T), 0, 0,            \
        &wax_type_##T};                                                                            \
    WAX_CONST wax_type wax_type_wax_opt_##T = {                                                    \
        "optional " #T, WAX_OPT, sizeof(wax_opt_##T), WAX_ALIGNOF(wax_opt_##T), 0, 0,              \
        &wax_type_##T};                                                                            \
    WAX_HANDLES_(wax_list_##T);                                                                    \
    WAX_HANDLES_(wax_opt_##T)

WAX_TYPED_(bool);
WAX_TYPED_(int32_t);
WAX_TYPED_(int64_t);
WAX_TYPED_(uint64_t);
WAX_TYPED_(float);
WAX_TYPED_(double);
WAX_TYPED_(wax_time);
WAX_TYPED_(wax_str);
WAX_TYPED_(wax_bytes);
WAX_TYPED_(wax_json);

/* ---- records --------------------------------------------------------------------------------- */

#define WAX_APPLY_(M, ARGS)    M ARGS
#define WAX_UNPAREN_(...)      __VA_ARGS__
#define WAX_FIRST_(A, ...)     A
#define WAX_MEMBER_(R, PAIR)   WAX_APPLY_(WAX_MEMBER2_, PAIR)
#define WAX_MEMBER2_(T, ...)   T WAX_FIRST_(__VA_ARGS__, ~);
#define WAX_FIELD_(R, PAIR)    WAX_APPLY_(WAX_FIELD2_, (R, WAX_UNPAREN_ PAIR))
#define WAX_FIELD2_(R, T, ...) WAX_FIELD3_(R, T, __VA_ARGS__, .end_ = 0)
#define WAX_FIELD3_(R, T, N, ...)                                                                  \
    {.name = #N, .offset = offsetof(R, N), .type = WAX_CAT_(&wax_type_, T), __VA_ARGS__},

/*
 * WAX_RECORD(trip, (wax_str, city), (double, fare), (double, tip, .optional = true));
 *
 * Declares `struct trip`, its typedef, its descriptor and its stream handles. A field is (type,
 * name) and, after that, any of `.column = "name in files"`, `.optional = true`. Up to 32 fields.
 */
#define WAX_RECORD(T, ...)                                                                         \
    typedef struct T {                                                                             \
        WAX_EACH_(WAX_MEMBER_, T, __VA_ARGS__)                                                     \
    } T;                                                                                           \
    WAX_CONST wax_field wax_fields_##T[] = {WAX_EACH_(WAX_FIELD_, T, __VA_ARGS__)};                \
    WAX_CONST wax_type wax_type_##T = {#T,                                                         \
                                       WAX_RECORD_KIND,                                            \
                                       sizeof(T),                                                  \
                                       WAX_ALIGNOF(T),                                             \
                                       sizeof wax_fields_##T / sizeof wax_fields_##T[0],           \
                                       wax_fields_##T,                                             \
                                       0};                                                         \
    WAX_TYPED_(T);                                                                                 \
    WAX_END_

/* WAX_PLAIN(point): a struct declared elsewhere, without pointers. It prints as hexadecimal. */
#define WAX_PLAIN(T)                                                                               \
    WAX_CONST wax_type wax_type_##T = {#T, WAX_PLAIN_KIND, sizeof(T), WAX_ALIGNOF(T), 0, 0, 0};    \
    WAX_TYPED_(T);                                                                                 \
    WAX_END_

/* What a step that diverts the records it refused says about one: see wax_failures(). */
WAX_RECORD(wax_failure, (wax_str, step), (wax_str, message), (wax_str, record), (wax_time, at),
           (int64_t, epoch));

#endif /* WAX_TYPE_H */
