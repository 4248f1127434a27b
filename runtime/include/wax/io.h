/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax/io.h: sources and sinks: the ready-made ones, and how to write one's own.
 *
 * A source is a set of *parts*, found by name; each part is read by one worker and has a position,
 * a record that the runtime saves and restores. A sink is a writer on every worker (or on one, see
 * `single`). All calls to one instance come from one worker's thread and must not block for long.
 */
#ifndef WAX_IO_H
#define WAX_IO_H

#include <wax/body.h>

#ifdef __cplusplus
#include <initializer_list>
#endif

typedef struct wax_flow wax_flow; /* the graph under construction */
typedef struct wax_src wax_src;   /* a configured source, owned by the flow it is given to */
typedef struct wax_sink wax_sink; /* a configured sink, owned by the flow it is given to */
typedef struct wax_parts wax_parts;

/* ---- sources of one's own -------------------------------------------------------------------- */

typedef struct wax_source_ops {
    uint32_t abi, size; /* WAX_ABI, sizeof(wax_source_ops) */
    const char *name;
    const wax_type *out; /* what it yields */
    const wax_type *pos; /* where a part stands: a record, zeroed at the start of a part */
    const wax_self *self;
    /* Lists the parts by wax_part(), the same on every worker that sees the same data. NULL: one
     * part. */
    int (*const *parts)(const void *self, wax_parts *parts, wax_cx *cx);
    /* A part begins or resumes at `pos`; `part` lives as long as the part. NULL: nothing to do. */
    int (*const *start)(void *self, void *pos, wax_str part, wax_cx *cx);
    /*
     * Writes the next few records to `io->out` (at most io->room, or more through a cursor) and
     * moves `pos` behind them. WAX_OK, WAX_EOF (with or without records) or WAX_FAIL. `*wake`: not
     * to be asked again before then (0: as soon as there is room); see also wax_wait_fd().
     */
    int (*next)(void *self, void *pos, wax_io *io, wax_time *wake);
} wax_source_ops;

WAX_BEGIN_C
/* `self` is copied. Returns a source for wax_input(). */
WAX_EXPORT wax_src *wax_source_create(const wax_source_ops *ops, const void *self);
/* Adds a part, named as by printf. */
WAX_EXPORT void wax_part(wax_parts *parts, const char *fmt, ...) WAX_PRINTF(2, 3);
/* In `next`, when there was nothing to read: ask again as soon as `fd` is readable. */
WAX_EXPORT void wax_wait_fd(wax_cx *cx, int fd);
WAX_END_C

/*
 * WAX_SOURCE(name, OUT, SELF, POS) { wax_emit(out, ...); pos->offset = ...; return WAX_OK or
 * WAX_EOF; }
 *
 * In scope: self, pos, out, wake, cx. The body gives the next few records of one part (a hundred to
 * a few thousand a call is best) and moves `pos`. WAX_PARTS(name) lists the parts, WAX_START(name)
 * begins one.
 */
#define WAX_SOURCE(NAME, OUT, SELF, POS)                                                           \
    typedef SELF wax_selfof_##NAME;                                                                \
    typedef POS wax_pos_##NAME;                                                                    \
    WAX_OUT_(NAME, OUT);                                                                           \
    static WAX_UNUSED int (*WAX_SLOT_TYPE_ wax_parts_slot_##NAME)(const void *, wax_parts *,       \
                                                                  wax_cx *);                       \
    static WAX_UNUSED int (*WAX_SLOT_TYPE_ wax_start_slot_##NAME)(void *, void *, wax_str,         \
                                                                  wax_cx *);                       \
    static int NAME(SELF *self, POS *pos, wax_out_##NAME *out, wax_time *wake, wax_cx *cx);        \
    static int wax_next_##NAME(void *self, void *pos, wax_io *io, wax_time *wake)                  \
    {                                                                                              \
        wax_out_##NAME out = {WAX_CURSOR_(io, false, sizeof *((wax_out_##NAME *)0)->item)};        \
        int rc = NAME((SELF *)self, (POS *)pos, &out, wake, io->cx);                               \
        io->kept = WAX_CURSOR_KEPT_(out);                                                          \
        return rc;                                                                                 \
    }                                                                                              \
    WAX_CONST wax_source_ops wax_source_ops_##NAME = {WAX_ABI,                                     \
                                                      sizeof(wax_source_ops),                      \
                                                      #NAME,                                       \
                                                      WAX_T_(OUT),                                 \
                                                      WAX_T_(POS),                                 \
                                                      &wax_self_##SELF,                            \
                                                      &wax_parts_slot_##NAME,                      \
                                                      &wax_start_slot_##NAME,                      \
                                                      wax_next_##NAME};                            \
    WAX_STEP wax_source(OUT) wax_from_##NAME(const SELF *self)                                     \
    {                                                                                              \
        wax_source(OUT) source = {wax_source_create(&wax_source_ops_##NAME, self)};                \
        return source;                                                                             \
    }                                                                                              \
    static int NAME(WAX_UNUSED SELF *self, WAX_UNUSED POS *pos, WAX_UNUSED wax_out_##NAME *out,    \
                    WAX_UNUSED wax_time *wake, WAX_UNUSED wax_cx *cx)
typedef int (*const wax_parts_fn_)(const void *, wax_parts *, wax_cx *);
typedef int (*const wax_start_fn_)(void *, void *, wax_str, wax_cx *);
/* WAX_PARTS(name) { wax_part(parts, "shop-%d", i); ...; return WAX_OK; }    `self` is read-only */
#define WAX_PARTS(NAME)                                                                            \
    static int wax_parts_##NAME(const wax_selfof_##NAME *self, wax_parts *parts, wax_cx *cx);      \
    static int wax_parts_thunk_##NAME(const void *self, wax_parts *parts, wax_cx *cx)              \
    {                                                                                              \
        return wax_parts_##NAME((const wax_selfof_##NAME *)self, parts, cx);                       \
    }                                                                                              \
    WAX_FILL_FN_(wax_parts_fn_, wax_parts_slot_##NAME, wax_parts_thunk_##NAME)                     \
    static int wax_parts_##NAME(WAX_UNUSED const wax_selfof_##NAME *self, wax_parts *parts,        \
                                WAX_UNUSED wax_cx *cx)
/* WAX_START(name) { self->name = part; return WAX_OK; }    `pos` is where to go on */
#define WAX_START(NAME)                                                                            \
    static int wax_start_##NAME(wax_selfof_##NAME *self, wax_pos_##NAME *pos, wax_str part,        \
                                wax_cx *cx);                                                       \
    static int wax_start_thunk_##NAME(void *self, void *pos, wax_str part, wax_cx *cx)             \
    {                                                                                              \
        return wax_start_##NAME((wax_selfof_##NAME *)self, (wax_pos_##NAME *)pos, part, cx);       \
    }                                                                                              \
    WAX_FILL_FN_(wax_start_fn_, wax_start_slot_##NAME, wax_start_thunk_##NAME)                     \
    static int wax_start_##NAME(WAX_UNUSED wax_selfof_##NAME *self,                                \
                                WAX_UNUSED wax_pos_##NAME *pos, WAX_UNUSED wax_str part,           \
                                WAX_UNUSED wax_cx *cx)
#define wax_from(NAME, SELF) wax_from_##NAME(SELF)

/* ---- sinks of one's own ---------------------------------------------------------------------- */

typedef struct wax_sink_ops {
    uint32_t abi, size; /* WAX_ABI, sizeof(wax_sink_ops) */
    const char *name;
    const wax_type *in; /* what it takes; NULL: anything, described by io->type and io->key_type */
    const wax_self *self;
    bool single; /* one writer in the whole cluster: all records go to one worker */
    /* Takes the records [io->at, io->n); on failure leaves io->at on the one that failed. */
    int (*write)(void *self, wax_io *io);
    /* Nothing more for now: let out what is held back. NULL: nothing to do. */
    int (*const *flush)(void *self, wax_cx *cx);
    /* All records up to `epoch` were written: make them ready, so that commit cannot fail for a
     * reason that could be found now. NULL: nothing to do. */
    int (*const *pre_commit)(void *self, uint64_t epoch, wax_cx *cx);
    /* `epoch` is complete on every worker of the cluster: its output may become visible. */
    int (*const *commit)(void *self, uint64_t epoch, wax_cx *cx);
    /* After a restart: everything up to `epoch` counts, what was written beyond it does not. */
    int (*const *recover)(void *self, uint64_t epoch, wax_cx *cx);
} wax_sink_ops;

WAX_BEGIN_C
/* `self` is copied. Returns a sink for wax_output(). */
WAX_EXPORT wax_sink *wax_sink_create(const wax_sink_ops *ops, const void *self);
WAX_END_C

/*
 * WAX_SINK(name, IN, SELF) { write in[0] to in[n - 1]; return WAX_OK; }
 *
 * In scope: self, in, n, cx. Optional hooks, each with `epoch` in scope: WAX_PRE_COMMIT(name),
 * WAX_COMMIT(name), WAX_RECOVER(name); and WAX_FLUSH(name).
 */
typedef int (*const wax_epoch_fn_)(void *, uint64_t, wax_cx *);
typedef int (*const wax_flush_fn_)(void *, wax_cx *);
#define WAX_EPOCH_SLOT_(NAME, HOOK)                                                                \
    static WAX_UNUSED int (*WAX_SLOT_TYPE_ wax_##HOOK##_slot_##NAME)(void *, uint64_t, wax_cx *);
#define WAX_SINK(NAME, IN, SELF)                                                                   \
    typedef SELF wax_selfof_##NAME;                                                                \
    static WAX_UNUSED int (*WAX_SLOT_TYPE_ wax_flush_slot_##NAME)(void *, wax_cx *);               \
    WAX_EPOCH_SLOT_(NAME, pre_commit)                                                              \
    WAX_EPOCH_SLOT_(NAME, commit)                                                                  \
    WAX_EPOCH_SLOT_(NAME, recover)                                                                 \
    static int NAME(SELF *self, const IN *in, uint32_t n, wax_cx *cx);                             \
    static int wax_write_##NAME(void *self, wax_io *io)                                            \
    {                                                                                              \
        return NAME((SELF *)self, (const IN *)io->in + io->at, io->n - io->at, io->cx);            \
    }                                                                                              \
    WAX_CONST wax_sink_ops wax_sink_ops_##NAME = {WAX_ABI,                                         \
                                                  sizeof(wax_sink_ops),                            \
                                                  #NAME,                                           \
                                                  WAX_T_(IN),                                      \
                                                  &wax_self_##SELF,                                \
                                                  false,                                           \
                                                  wax_write_##NAME,                                \
                                                  &wax_flush_slot_##NAME,                          \
                                                  &wax_pre_commit_slot_##NAME,                     \
                                                  &wax_commit_slot_##NAME,                         \
                                                  &wax_recover_slot_##NAME};                       \
    WAX_STEP wax_sink *wax_to_##NAME(const SELF *self)                                             \
    {                                                                                              \
        return wax_sink_create(&wax_sink_ops_##NAME, self);                                        \
    }                                                                                              \
    static int NAME(WAX_UNUSED SELF *self, WAX_UNUSED const IN *in, WAX_UNUSED uint32_t n,         \
                    WAX_UNUSED wax_cx *cx)
#define WAX_EPOCH_HOOK_(NAME, HOOK)                                                                \
    static int wax_##HOOK##_##NAME(wax_selfof_##NAME *self, uint64_t epoch, wax_cx *cx);           \
    static int wax_##HOOK##_thunk_##NAME(void *self, uint64_t epoch, wax_cx *cx)                   \
    {                                                                                              \
        return wax_##HOOK##_##NAME((wax_selfof_##NAME *)self, epoch, cx);                          \
    }                                                                                              \
    WAX_FILL_FN_(wax_epoch_fn_, wax_##HOOK##_slot_##NAME, wax_##HOOK##_thunk_##NAME)               \
    static int wax_##HOOK##_##NAME(WAX_UNUSED wax_selfof_##NAME *self, WAX_UNUSED uint64_t epoch,  \
                                   WAX_UNUSED wax_cx *cx)
#define WAX_PRE_COMMIT(NAME) WAX_EPOCH_HOOK_(NAME, pre_commit)
#define WAX_COMMIT(NAME)     WAX_EPOCH_HOOK_(NAME, commit)
#define WAX_RECOVER(NAME)    WAX_EPOCH_HOOK_(NAME, recover)
#define WAX_FLUSH(NAME)                                                                            \
    static int wax_flush_##NAME(wax_selfof_##NAME *self, wax_cx *cx);                              \
    static int wax_flush_thunk_##NAME(void *self, wax_cx *cx)                                      \
    {                                                                                              \
        return wax_flush_##NAME((wax_selfof_##NAME *)self, cx);                                    \
    }                                                                                              \
    WAX_FILL_FN_(wax_flush_fn_, wax_flush_slot_##NAME, wax_flush_thunk_##NAME)                     \
    static int wax_flush_##NAME(WAX_UNUSED wax_selfof_##NAME *self, WAX_UNUSED wax_cx *cx)
#define wax_to(NAME, SELF) wax_to_##NAME(SELF)

/* ---- ready-made ------------------------------------------------------------------------------ */

WAX_BEGIN_C
/*
 * The lines of a text, without their line ends (\n or \r\n). `path` is a file (read in byte ranges
 * by several workers), a directory (each regular file in it; hidden ones are left out), a pipe, or
 * "-" for standard input. A line longer than `--max-record` fails the dataflow.
 */
WAX_EXPORT wax_source(wax_str) wax_lines(const char *path);
WAX_EXPORT wax_source(wax_str) wax_stdin(void);
/* The numbers from, from + 1, ... to - 1, in one part. */
WAX_EXPORT wax_source(int64_t) wax_testing_range(int64_t from, int64_t to);
WAX_EXPORT wax_src *wax_testing_list_(const wax_type *type, const void *items, size_t n);
/* One record a line: text as it is, numbers in decimal, records as JSON; "key<TAB>value" when
 * keyed. */
WAX_EXPORT wax_sink *wax_stdout(void);
/* The same into a file, which is replaced. One worker writes it. */
WAX_EXPORT wax_sink *wax_lines_file(const char *path);
/* Takes anything and drops it. */
WAX_EXPORT wax_sink *wax_null(void);

WAX_EXPORT wax_port *wax_add_input(wax_flow *flow, const char *where, const char *id, wax_src *src);
WAX_EXPORT void wax_add_output(const char *where, const char *id, wax_port *up, wax_sink *sink);
WAX_END_C

/* wax_testing_list(trip, {...}, {...}): these records, in one part; copied. */
#ifdef __cplusplus
#define wax_testing_list(T, ...) wax_list_source_<wax_source(T), T>(WAX_T_(T), {__VA_ARGS__})
template <class source, class item>
inline source wax_list_source_(const wax_type *type, std::initializer_list<item> items)
{
    source made = {wax_testing_list_(type, items.begin(), items.size())};
    return made;
}
#else
#define wax_testing_list(T, ...)                                                                   \
    ((wax_source(T)){wax_testing_list_(WAX_T_(T), (const T[]){__VA_ARGS__},                        \
                                       sizeof((const T[]){__VA_ARGS__}) / sizeof(T))})
#endif

/* wax_input(flow, id, source): a stream of what the source yields. Takes the source. */
#define wax_input(FLOW, ID, SOURCE)                                                                \
    WAX_HANDLE_((SOURCE).stream, wax_add_input(FLOW, WAX_HERE, ID, (SOURCE).src))
/* wax_output(id, up, sink): an end of the dataflow. Takes the sink. */
#define wax_output(ID, UP, SINK) wax_add_output(WAX_HERE, ID, (UP).port, SINK)

#endif /* WAX_IO_H */
