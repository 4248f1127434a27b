/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax/body.h: what a body may call, and the kernel interface under it.
 *
 * A *body* is the user's function for one record. A *kernel* is the loop over a batch that a WAX_
 * macro generates around the inlined body; the runtime calls kernels, once per batch. Everything
 * here runs on the worker's own thread; nothing may block for long (a worker runs every step of the
 * dataflow).
 */
#ifndef WAX_BODY_H
#define WAX_BODY_H

#include <wax/type.h>

/* The running step: worker, clock, memory of the output batch. Valid during the call only. */
typedef struct wax_cx wax_cx;

/* What a body returns. Any negative value is a failure. */
enum wax_rc {
    WAX_FAIL = -1, /* say why with wax_fail() */
    WAX_OK = 0,    /* flat_map, fold, reduce, source, sink: done */
    WAX_DROP = 0,  /* map: nothing for this record */
    WAX_EMIT = 1,  /* map: `*out` is the result */
    WAX_EOF = 4,   /* source: this part has ended */
};

WAX_BEGIN_C
/*
 * Refuse the current record with a reason (at most 1000 bytes are kept); returns WAX_FAIL. What
 * follows is the step's policy: stop the dataflow (the default), wax_skip_failures() or
 * wax_failures().
 */
WAX_EXPORT int wax_fail(wax_cx *cx, const char *fmt, ...) WAX_COLD WAX_PRINTF(2, 3);
/* The worker's clock: one value for a whole batch; set by the test in tests. */
WAX_EXPORT wax_time wax_now(wax_cx *cx);
/* This worker's number, 0 to wax_worker_count() - 1, over all processes. */
WAX_EXPORT uint32_t wax_worker(wax_cx *cx);
WAX_EXPORT uint32_t wax_worker_count(wax_cx *cx);
/* Memory that lives with the output batch; never NULL; 16-byte aligned. At most `--max-record`
 * bytes. */
WAX_EXPORT void *wax_alloc(wax_cx *cx, size_t size);
/* Strings that live with the output batch. */
WAX_EXPORT wax_str wax_dup(wax_cx *cx, const void *bytes, size_t len);
WAX_EXPORT wax_str wax_fmt(wax_cx *cx, const char *fmt, ...) WAX_PRINTF(2, 3);
/* `s` in lower case (ASCII); `s` itself when nothing changes. */
WAX_EXPORT wax_str wax_str_lower(wax_cx *cx, wax_str s);
WAX_END_C

/* ---- kernels --------------------------------------------------------------------------------- */

/*
 * One call of a kernel. It does the records [at, n) of `in`, leaves in `at` the first one not done
 * and in `kept` how many it wrote to `out`. It may return early, between records, when output has
 * piled up. On failure it returns a negative value with `at` on the failed record, whose output is
 * taken back.
 */
typedef struct wax_io {
    uint32_t n, at;      /* input records; the first not done */
    uint32_t kept, room; /* output records written; room in `out` */
    uint32_t lost;       /* branch: records written to `rest` */
    const void *in;
    void *out;
    void *rest;               /* branch: where the others go, or NULL */
    uint32_t *from;           /* [k]: the input record of output k, or NULL when nobody asks */
    uint32_t *rest_from;      /* the same of `rest` */
    const void *keys;         /* wax_str or int64_t column beside `in`, or NULL */
    void *const *state;       /* fold, reduce: the state of each input record's key */
    const uint8_t *fresh;     /* reduce: nonzero where the record is its key's first */
    const wax_type *type;     /* sinks: the type of `in` */
    const wax_type *key_type; /* sinks: the type of `keys`, or NULL */
    void *self;               /* this worker's copy of the user's SELF */
    wax_cx *cx;
} wax_io;
typedef int wax_kernel(wax_io *io);

/*
 * Where a body with any number of results writes them. When the batch is full another one is
 * chained, so a body is never stopped in the middle of a record; the kernel stops between records
 * instead.
 */
typedef struct wax_cursor {
    char *next, *end; /* where the next record goes; the end of the batch being filled */
    uint32_t *from;   /* where its input index goes, or NULL */
    size_t stop;      /* input records to do; 0 once a batch was chained */
    uint32_t at;      /* the input record being done */
    bool keyed;       /* is `from` wanted? */
    char *rec;        /* first record of the batch being filled */
    wax_cx *cx;
} wax_cursor;

WAX_BEGIN_C
WAX_EXPORT void wax_cursor_grow_(wax_cursor *c) WAX_COLD;
WAX_EXPORT void wax_cursor_undo_(wax_cursor *c, char *next) WAX_COLD;
WAX_END_C

/* The slow calls get a copy, so that the cursor itself can stay in registers. */
#define WAX_CURSOR_CALL_(C, CALL)                                                                  \
    do {                                                                                           \
        wax_cursor copy = {(C)->next, (C)->end,   (C)->from, (C)->stop,                            \
                           (C)->at,   (C)->keyed, (C)->rec,  (C)->cx};                             \
        CALL;                                                                                      \
        (C)->next = copy.next, (C)->end = copy.end, (C)->from = copy.from;                         \
        (C)->stop = copy.stop, (C)->rec = copy.rec;                                                \
    } while (0)

WAX_INLINE void *wax_cursor_slot_(wax_cursor *c, size_t size)
{
    if (WAX_UNLIKELY(c->next == c->end))
        WAX_CURSOR_CALL_(c, wax_cursor_grow_(&copy));
    if (c->keyed)
        *c->from++ = c->at;
    void *slot = c->next;
    c->next += size;
    return slot;
}

/* A record failed: its results, those from `next` on, are taken back. */
WAX_INLINE void wax_cursor_take_back_(wax_cursor *c, char *next)
{
    WAX_CURSOR_CALL_(c, wax_cursor_undo_(&copy, next));
}

/* `out` of a body that emits: wax_emit(out, value), or fill *wax_slot(out) (not initialised). */
#define WAX_OUT_(NAME, OUT)                                                                        \
    typedef union wax_out_##NAME {                                                                 \
        wax_cursor cursor;                                                                         \
        OUT *item;                                                                                 \
    } wax_out_##NAME
/* A cursor over what is left of io->out, and how many records it has written to its last batch. */
#define WAX_CURSOR_(IO, KEYED, SIZE)                                                               \
    {                                                                                              \
        (char *)(IO)->out + (size_t)(SIZE) * (IO)->kept,                                           \
            (char *)(IO)->out + (size_t)(SIZE) * (IO)->room,                                       \
            KEYED ? (IO)->from + (IO)->kept : NULL, (IO)->n, 0, KEYED, (char *)(IO)->out, (IO)->cx \
    }
#define WAX_CURSOR_KEPT_(OUT)                                                                      \
    ((uint32_t)((size_t)((OUT).cursor.next - (OUT).cursor.rec) / sizeof *(OUT).item))
#define wax_slot(OUT)                                                                              \
    ((__typeof__((OUT)->item))wax_cursor_slot_(&(OUT)->cursor, sizeof *(OUT)->item))
#define wax_emit(OUT, ...) ((void)(*wax_slot(OUT) = (__VA_ARGS__)))

/* ---- operation descriptors ------------------------------------------------------------------- */

#define WAX_ABI 1u /* of every struct a module hands to the runtime */

enum wax_op_kind {
    WAX_OP_MAP,
    WAX_OP_UPDATE,
    WAX_OP_FILTER,
    WAX_OP_FLAT_MAP,
    WAX_OP_INSPECT,
    WAX_OP_KEY,
    WAX_OP_KEY_RM,
    WAX_OP_FOLD,
    WAX_OP_REDUCE,
};

/* A per-worker struct of the user: copied from the value given to the step, then opened; see
 * WAX_SELF. */
typedef struct wax_none {
    char none;
} wax_none;
typedef struct wax_self {
    const char *name;
    uint32_t size, align;
    int (*const *open)(void *self, wax_cx *cx);
    void (*const *close)(void *self);
} wax_self;
WAX_CONST wax_self wax_self_wax_none = {0, 0, 0, 0, 0};

typedef struct wax_op {
    uint32_t abi, size; /* WAX_ABI, sizeof(wax_op) */
    uint32_t kind;      /* enum wax_op_kind */
    uint32_t reserved;
    const char *name, *where;       /* the body's name and its file:line */
    const wax_type *in, *out, *key; /* `key`: of KEY and KEY_RM */
    const wax_self *self;
    wax_kernel *kernel;
    wax_kernel *const *init;  /* slots, each NULL or a hook: a new key's state */
    wax_kernel *const *merge; /* adds `in` (states) to `state` */
} wax_op;

#ifdef __cplusplus
#define WAX_OP_HEAD_(KIND, NAME)                                                                   \
    .abi = WAX_ABI, .size = sizeof(wax_op), .kind = KIND, .reserved = 0, .name = #NAME,            \
    .where = WAX_HERE
#else
#define WAX_OP_HEAD_(KIND, NAME)                                                                   \
    .abi = WAX_ABI, .size = sizeof(wax_op), .kind = KIND, .name = #NAME, .where = WAX_HERE
#endif

/* ---- a worker's own struct ------------------------------------------------------------------- */

/*
 * WAX_SELF(db); makes the struct `db` usable as the SELF of bodies, sources and sinks: parameters,
 * handles, scratch memory. Each worker (each part of a source) gets a copy of the value given to
 * the step. Optional hooks: WAX_OPEN(db) { self->conn = ...; return WAX_OK; } before the first
 * record on the worker's thread; WAX_CLOSE(db) { ... } after the last, also when the dataflow
 * failed.
 */
#ifdef __cplusplus
#define WAX_SLOT_TYPE_
#else
#define WAX_SLOT_TYPE_ const
#endif
#define WAX_SELF(T)                                                                                \
    static WAX_UNUSED int (*WAX_SLOT_TYPE_ wax_open_slot_##T)(void *, wax_cx *);                   \
    static WAX_UNUSED void (*WAX_SLOT_TYPE_ wax_close_slot_##T)(void *);                           \
    WAX_CONST wax_self wax_self_##T = {#T, sizeof(T), WAX_ALIGNOF(T), &wax_open_slot_##T,          \
                                       &wax_close_slot_##T}
#ifdef __cplusplus
#define WAX_FILL_(SLOT, FN) static WAX_UNUSED const bool SLOT##_full = (SLOT = FN) != nullptr;

#define WAX_FILL_FN_(TYPE, SLOT, FN) WAX_FILL_(SLOT, FN)
#else
#define WAX_FILL_FN_(TYPE, SLOT, FN) static TYPE SLOT = FN;
#endif
typedef int (*const wax_open_fn_)(void *, wax_cx *);
typedef void (*const wax_close_fn_)(void *);
#define WAX_OPEN(T)                                                                                \
    static int wax_open_##T(T *self, wax_cx *cx);                                                  \
    static int wax_open_thunk_##T(void *self, wax_cx *cx)                                          \
    {                                                                                              \
        return wax_open_##T((T *)self, cx);                                                        \
    }                                                                                              \
    WAX_FILL_FN_(wax_open_fn_, wax_open_slot_##T, wax_open_thunk_##T)                              \
    static int wax_open_##T(T *self, WAX_UNUSED wax_cx *cx)
#define WAX_CLOSE(T)                                                                               \
    static void wax_close_##T(T *self);                                                            \
    static void wax_close_thunk_##T(void *self)                                                    \
    {                                                                                              \
        wax_close_##T((T *)self);                                                                  \
    }                                                                                              \
    WAX_FILL_FN_(wax_close_fn_, wax_close_slot_##T, wax_close_thunk_##T)                           \
    static void wax_close_##T(T *self)

#endif /* WAX_BODY_H */
