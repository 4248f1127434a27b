/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax/ops.h: the operators. Each WAX_NAME macro ends in the signature of a body and generates its
 * kernel, its descriptor and its typed step functions; each wax_name macro adds a step to the
 * dataflow.
 *
 * The first argument of a step is its id, unique in the dataflow. A step of the wrong type does not
 * compile; what the compiler cannot see is checked when the graph is built.
 */
#ifndef WAX_OPS_H
#define WAX_OPS_H

#include <wax/body.h>

WAX_BEGIN_C
/* The builder under the macros, for other languages and for graphs made at run time. `where` is
 * "file:line"; all strings and descriptors are borrowed for the life of the flow; `self` is copied.
 * After the first error of a flow these do nothing and return NULL; NULL ports are accepted. */
WAX_EXPORT wax_port *wax_add(const char *where, const char *id, wax_port *up, const wax_op *op,
                             const void *self);
typedef struct wax_ports {
    wax_port *trues, *falses;
} wax_ports;
WAX_EXPORT wax_ports wax_add_branch(const char *where, const char *id, wax_port *up,
                                    const wax_op *op, const void *self);
WAX_EXPORT wax_port *wax_add_merge(const char *where, const char *id, wax_port *const *ups,
                                   size_t n);
/* `verb`: "inspect", "inspect_debug", "redistribute" or "key_rm". */
WAX_EXPORT wax_port *wax_add_named(const char *where, const char *id, wax_port *up,
                                   const char *verb);
WAX_EXPORT wax_port *wax_add_final(const char *where, const char *id, wax_port *up,
                                   const wax_op *op);
WAX_EXPORT wax_port *wax_add_failures(const char *where, wax_port *of);
WAX_EXPORT wax_port *wax_skip_failures_(const char *where, wax_port *of);
WAX_END_C

/* Calls the keyed form of a step when the upstream is keyed, else the plain one, whose error
 * message then names both types. */
#ifdef __cplusplus
#define WAX_VERB_(VERB, UP, OP) wax_##VERB##_##OP
#define WAX_KEYED_(VERB, OP)    wax_##VERB##_##OP /* an overload */
#else
#define WAX_VERB_(VERB, UP, OP)                                                                    \
    _Generic((UP), wax_in_keyed_##OP : wax_keyed_##VERB##_##OP, default : wax_##VERB##_##OP)
#define WAX_KEYED_(VERB, OP) wax_keyed_##VERB##_##OP
#endif

/* The descriptor of an op from IN to OUT and its two step functions. */
#define WAX_STEPS_(KIND, VERB, NAME, IN, OUT, SELF)                                                \
    WAX_CONST wax_op wax_op_##NAME = {WAX_OP_HEAD_(KIND, NAME),                                    \
                                      .in = WAX_T_(IN),                                            \
                                      .out = WAX_T_(OUT),                                          \
                                      .key = 0,                                                    \
                                      .self = &wax_self_##SELF,                                    \
                                      .kernel = wax_kernel_##NAME,                                 \
                                      .init = 0,                                                   \
                                      .merge = 0};                                                 \
    typedef wax_keyed(IN) wax_in_keyed_##NAME;                                                     \
    WAX_STEP wax_stream(OUT) wax_##VERB##_##NAME(const char *where, const char *id,                \
                                                 wax_stream(IN) up, const SELF *self)              \
    {                                                                                              \
        wax_stream(OUT) down = {wax_add(where, id, up.port, &wax_op_##NAME, self)};                \
        return down;                                                                               \
    }                                                                                              \
    WAX_STEP wax_keyed(OUT) WAX_KEYED_(VERB, NAME)(const char *where, const char *id,              \
                                                   wax_keyed(IN) up, const SELF *self)             \
    {                                                                                              \
        wax_keyed(OUT) down = {wax_add(where, id, up.port, &wax_op_##NAME, self)};                 \
        return down;                                                                               \
    }

/* ---- map ------------------------------------------------------------------------------------- */

/*
 * WAX_MAP(name, IN, OUT[, SELF]) { ...; return WAX_EMIT; }    map and filter_map
 *
 * In scope: in, out, cx (and self). `*out` starts zeroed. WAX_EMIT keeps it, WAX_DROP does not. On
 * a keyed stream the key stays.
 */
#define WAX_MAP(...)                                                                               \
    WAX_PICK4_(__VA_ARGS__, WAX_MAP4_, WAX_MAP3_, WAX_MAP_TAKES_3_OR_4_ARGUMENTS,                  \
               WAX_MAP_TAKES_3_OR_4_ARGUMENTS, 0)                                                  \
    (__VA_ARGS__)
#define WAX_MAP_TAKES_3_OR_4_ARGUMENTS(...) WAX_WRONG_("WAX_MAP takes 3 or 4 arguments")
#define WAX_MAP3_(NAME, IN, OUT)                                                                   \
    WAX_BODY int NAME(const IN *in, OUT *out, wax_cx *cx);                                         \
    WAX_MAP_KERNEL_(NAME, IN, OUT, wax_none, NAME(&in[i], &out[kept], cx))                         \
    WAX_STEPS_(WAX_OP_MAP, map, NAME, IN, OUT, wax_none)                                           \
    WAX_BODY int NAME(WAX_UNUSED const IN *in, WAX_UNUSED OUT *out, WAX_UNUSED wax_cx *cx)
#define WAX_MAP4_(NAME, IN, OUT, SELF)                                                             \
    WAX_BODY int NAME(SELF *self, const IN *in, OUT *out, wax_cx *cx);                             \
    WAX_MAP_KERNEL_(NAME, IN, OUT, SELF, NAME(self, &in[i], &out[kept], cx))                       \
    WAX_STEPS_(WAX_OP_MAP, map, NAME, IN, OUT, SELF)                                               \
    WAX_BODY int NAME(WAX_UNUSED SELF *self, WAX_UNUSED const IN *in, WAX_UNUSED OUT *out,         \
                      WAX_UNUSED wax_cx *cx)
/* The loop is written once and compiled twice, with and without `from`: simple bodies vectorise. */
#define WAX_MAP_KERNEL_(NAME, IN, OUT, SELF, CALL)                                                 \
    WAX_INLINE int wax_loop_##NAME(wax_io *io, uint32_t *WAX_RESTRICT from)                        \
    {                                                                                              \
        const IN *WAX_RESTRICT in = (const IN *)io->in;                                            \
        OUT *WAX_RESTRICT out = (OUT *)io->out;                                                    \
        WAX_UNUSED SELF *self = (SELF *)io->self;                                                  \
        wax_cx *cx = io->cx;                                                                       \
        size_t i = io->at, n = io->n, kept = io->kept;                                             \
        int rc = 0;                                                                                \
        for (; i < n; i++) {                                                                       \
            out[kept] = WAX_ZERO_(OUT);                                                            \
            rc = CALL;                                                                             \
            if (WAX_UNLIKELY(rc < 0))                                                              \
                break;                                                                             \
            if (from)                                                                              \
                from[kept] = (uint32_t)i;                                                          \
            kept += (size_t)(rc & WAX_EMIT);                                                       \
        }                                                                                          \
        io->at = (uint32_t)i;                                                                      \
        io->kept = (uint32_t)kept;                                                                 \
        return rc < 0 ? rc : 0;                                                                    \
    }                                                                                              \
    static WAX_UNUSED int wax_kernel_##NAME(wax_io *io)                                            \
    {                                                                                              \
        return io->from ? wax_loop_##NAME(io, io->from) : wax_loop_##NAME(io, NULL);               \
    }
#define wax_map(...)                                                                               \
    WAX_PICK4_(__VA_ARGS__, wax_map4_, wax_map3_, WAX_MAP_STEP_TAKES_3_OR_4_ARGUMENTS,             \
               WAX_MAP_STEP_TAKES_3_OR_4_ARGUMENTS, 0)                                             \
    (__VA_ARGS__)
#define wax_map3_(ID, UP, OP)       WAX_VERB_(map, UP, OP)(WAX_HERE, ID, UP, NULL)
#define wax_map4_(ID, UP, OP, SELF) WAX_VERB_(map, UP, OP)(WAX_HERE, ID, UP, SELF)

/* WAX_UPDATE(name, T) { rec->x *= 2; return WAX_EMIT; }    a map in place, on a copy */
#define WAX_UPDATE(NAME, T)                                                                        \
    WAX_BODY int NAME(T *rec, wax_cx *cx);                                                         \
    WAX_MAP_KERNEL_(NAME, T, T, wax_none, (out[kept] = in[i], NAME(&out[kept], cx)))               \
    WAX_STEPS_(WAX_OP_UPDATE, update, NAME, T, T, wax_none)                                        \
    WAX_BODY int NAME(T *rec, WAX_UNUSED wax_cx *cx)
#define wax_update(ID, UP, OP) WAX_VERB_(update, UP, OP)(WAX_HERE, ID, UP, NULL)

/* ---- filter and branch ----------------------------------------------------------------------- */

/*
 * WAX_FILTER(name, T[, SELF]) { return in->x > 3; }    for wax_filter and wax_branch
 *
 * An int and not a bool, so that `return wax_fail(...)` does not mean "true".
 */
#define WAX_FILTER(...)                                                                            \
    WAX_PICK3_(__VA_ARGS__, WAX_FILTER3_, WAX_FILTER2_, WAX_FILTER_TAKES_2_OR_3_ARGUMENTS, 0)      \
    (__VA_ARGS__)
#define WAX_FILTER_TAKES_2_OR_3_ARGUMENTS(...) WAX_WRONG_("WAX_FILTER takes 2 or 3 arguments")
#define WAX_FILTER2_(NAME, T)                                                                      \
    WAX_BODY int NAME(const T *in, wax_cx *cx);                                                    \
    WAX_FILTER_KERNEL_(NAME, T, wax_none, NAME(&in[i], cx))                                        \
    WAX_BODY int NAME(WAX_UNUSED const T *in, WAX_UNUSED wax_cx *cx)
#define WAX_FILTER3_(NAME, T, SELF)                                                                \
    WAX_BODY int NAME(SELF *self, const T *in, wax_cx *cx);                                        \
    WAX_FILTER_KERNEL_(NAME, T, SELF, NAME(self, &in[i], cx))                                      \
    WAX_BODY int NAME(WAX_UNUSED SELF *self, WAX_UNUSED const T *in, WAX_UNUSED wax_cx *cx)
#define WAX_FILTER_KERNEL_(NAME, T, SELF, CALL)                                                    \
    WAX_INLINE int wax_loop_##NAME(wax_io *io, uint32_t *WAX_RESTRICT from, T *WAX_RESTRICT rest,  \
                                   uint32_t *WAX_RESTRICT rest_from)                               \
    {                                                                                              \
        const T *WAX_RESTRICT in = (const T *)io->in;                                              \
        T *WAX_RESTRICT out = (T *)io->out;                                                        \
        WAX_UNUSED SELF *self = (SELF *)io->self;                                                  \
        wax_cx *cx = io->cx;                                                                       \
        size_t i = io->at, n = io->n, kept = io->kept, lost = io->lost;                            \
        int rc = 0;                                                                                \
        for (; i < n; i++) {                                                                       \
            rc = CALL;                                                                             \
            if (WAX_UNLIKELY(rc < 0))                                                              \
                break;                                                                             \
            out[kept] = in[i]; /* branch-free: overwritten by the next one when dropped */         \
            if (from)                                                                              \
                from[kept] = (uint32_t)i;                                                          \
            kept += (size_t)(rc != 0);                                                             \
            if (rest) {                                                                            \
                rest[lost] = in[i];                                                                \
                if (rest_from)                                                                     \
                    rest_from[lost] = (uint32_t)i;                                                 \
                lost += (size_t)(rc == 0);                                                         \
            }                                                                                      \
        }                                                                                          \
        io->at = (uint32_t)i;                                                                      \
        io->kept = (uint32_t)kept;                                                                 \
        io->lost = (uint32_t)lost;                                                                 \
        return rc < 0 ? rc : 0;                                                                    \
    }                                                                                              \
    static WAX_UNUSED int wax_kernel_##NAME(wax_io *io)                                            \
    {                                                                                              \
        if (io->rest)                                                                              \
            return wax_loop_##NAME(io, io->from, (T *)io->rest, io->rest_from);                    \
        return io->from ? wax_loop_##NAME(io, io->from, NULL, NULL)                                \
                        : wax_loop_##NAME(io, NULL, NULL, NULL);                                   \
    }                                                                                              \
    WAX_STEPS_(WAX_OP_FILTER, filter, NAME, T, T, SELF)                                            \
    WAX_STEP wax_branches(T) wax_branch_##NAME(const char *where, const char *id,                  \
                                               wax_stream(T) up, const SELF *self)                 \
    {                                                                                              \
        wax_ports p = wax_add_branch(where, id, up.port, &wax_op_##NAME, self);                    \
        wax_branches(T) both = {{p.trues}, {p.falses}};                                            \
        return both;                                                                               \
    }                                                                                              \
    WAX_STEP wax_keyed_branches(T) WAX_KEYED_(branch, NAME)(const char *where, const char *id,     \
                                                            wax_keyed(T) up, const SELF *self)     \
    {                                                                                              \
        wax_ports p = wax_add_branch(where, id, up.port, &wax_op_##NAME, self);                    \
        wax_keyed_branches(T) both = {{p.trues}, {p.falses}};                                      \
        return both;                                                                               \
    }
#define wax_filter(...)                                                                            \
    WAX_PICK4_(__VA_ARGS__, wax_filter4_, wax_filter3_, WAX_FILTER_STEP_TAKES_3_OR_4_ARGUMENTS,    \
               WAX_FILTER_STEP_TAKES_3_OR_4_ARGUMENTS, 0)                                          \
    (__VA_ARGS__)
#define wax_filter3_(ID, UP, OP)       WAX_VERB_(filter, UP, OP)(WAX_HERE, ID, UP, NULL)
#define wax_filter4_(ID, UP, OP, SELF) WAX_VERB_(filter, UP, OP)(WAX_HERE, ID, UP, SELF)
/* wax_branch(id, up, predicate[, self]): two streams, `.trues` and `.falses`. */
#define wax_branch(...)                                                                            \
    WAX_PICK4_(__VA_ARGS__, wax_branch4_, wax_branch3_, WAX_BRANCH_STEP_TAKES_3_OR_4_ARGUMENTS,    \
               WAX_BRANCH_STEP_TAKES_3_OR_4_ARGUMENTS, 0)                                          \
    (__VA_ARGS__)
#define wax_branch3_(ID, UP, OP)       WAX_VERB_(branch, UP, OP)(WAX_HERE, ID, UP, NULL)
#define wax_branch4_(ID, UP, OP, SELF) WAX_VERB_(branch, UP, OP)(WAX_HERE, ID, UP, SELF)

/* ---- flat_map -------------------------------------------------------------------------------- */

/*
 * WAX_FLAT_MAP(name, IN, OUT[, SELF]) { wax_emit(out, value); ...; return WAX_OK; }
 *
 * Any number of results for a record, up to `--max-fanout` bytes. After a failure none of them
 * stay.
 */
#define WAX_FLAT_MAP(...)                                                                          \
    WAX_PICK4_(__VA_ARGS__, WAX_FLAT_MAP4_, WAX_FLAT_MAP3_, WAX_FLAT_MAP_TAKES_3_OR_4_ARGUMENTS,   \
               WAX_FLAT_MAP_TAKES_3_OR_4_ARGUMENTS, 0)                                             \
    (__VA_ARGS__)
#define WAX_FLAT_MAP_TAKES_3_OR_4_ARGUMENTS(...) WAX_WRONG_("WAX_FLAT_MAP takes 3 or 4 arguments")
#define WAX_FLAT_MAP3_(NAME, IN, OUT)                                                              \
    WAX_OUT_(NAME, OUT);                                                                           \
    WAX_BODY int NAME(const IN *in, wax_out_##NAME *out, wax_cx *cx);                              \
    WAX_FLAT_KERNEL_(NAME, IN, wax_none, NAME(&in[i], &out, cx))                                   \
    WAX_STEPS_(WAX_OP_FLAT_MAP, flat_map, NAME, IN, OUT, wax_none)                                 \
    WAX_BODY int NAME(WAX_UNUSED const IN *in, WAX_UNUSED wax_out_##NAME *out,                     \
                      WAX_UNUSED wax_cx *cx)
#define WAX_FLAT_MAP4_(NAME, IN, OUT, SELF)                                                        \
    WAX_OUT_(NAME, OUT);                                                                           \
    WAX_BODY int NAME(SELF *self, const IN *in, wax_out_##NAME *out, wax_cx *cx);                  \
    WAX_FLAT_KERNEL_(NAME, IN, SELF, NAME(self, &in[i], &out, cx))                                 \
    WAX_STEPS_(WAX_OP_FLAT_MAP, flat_map, NAME, IN, OUT, SELF)                                     \
    WAX_BODY int NAME(WAX_UNUSED SELF *self, WAX_UNUSED const IN *in,                              \
                      WAX_UNUSED wax_out_##NAME *out, WAX_UNUSED wax_cx *cx)
/* Once a further batch is chained the loop ends after the record, so that little output waits. */
#define WAX_FLAT_KERNEL_(NAME, IN, SELF, CALL)                                                     \
    WAX_INLINE int wax_loop_##NAME(wax_io *io, const bool keyed)                                   \
    {                                                                                              \
        const IN *WAX_RESTRICT in = (const IN *)io->in;                                            \
        WAX_UNUSED SELF *self = (SELF *)io->self;                                                  \
        wax_cx *cx = io->cx;                                                                       \
        wax_out_##NAME out = {WAX_CURSOR_(io, keyed, sizeof *((wax_out_##NAME *)0)->item)};        \
        size_t i = io->at;                                                                         \
        int rc = 0;                                                                                \
        while (i < out.cursor.stop) {                                                              \
            char *next = out.cursor.next;                                                          \
            out.cursor.at = (uint32_t)i;                                                           \
            rc = CALL;                                                                             \
            if (WAX_UNLIKELY(rc < 0)) {                                                            \
                wax_cursor_take_back_(&out.cursor, next);                                          \
                break;                                                                             \
            }                                                                                      \
            i++;                                                                                   \
        }                                                                                          \
        io->at = (uint32_t)i;                                                                      \
        io->kept = WAX_CURSOR_KEPT_(out);                                                          \
        return rc < 0 ? rc : 0;                                                                    \
    }                                                                                              \
    static WAX_UNUSED int wax_kernel_##NAME(wax_io *io)                                            \
    {                                                                                              \
        return io->from ? wax_loop_##NAME(io, true) : wax_loop_##NAME(io, false);                  \
    }
#define wax_flat_map(...)                                                                          \
    WAX_PICK4_(__VA_ARGS__, wax_flat_map4_, wax_flat_map3_,                                        \
               WAX_FLAT_MAP_STEP_TAKES_3_OR_4_ARGUMENTS, WAX_FLAT_MAP_STEP_TAKES_3_OR_4_ARGUMENTS, \
               0)                                                                                  \
    (__VA_ARGS__)
#define wax_flat_map3_(ID, UP, OP)       WAX_VERB_(flat_map, UP, OP)(WAX_HERE, ID, UP, NULL)
#define wax_flat_map4_(ID, UP, OP, SELF) WAX_VERB_(flat_map, UP, OP)(WAX_HERE, ID, UP, SELF)

/* ---- looking, merging, spreading ------------------------------------------------------------- */

/* WAX_INSPECT(name, T) { ... }    sees every record, changes none */
#define WAX_INSPECT(NAME, T)                                                                       \
    static void NAME(const T *in, wax_cx *cx);                                                     \
    static WAX_UNUSED int wax_kernel_##NAME(wax_io *io)                                            \
    {                                                                                              \
        for (; io->at < io->n; io->at++)                                                           \
            NAME((const T *)io->in + io->at, io->cx);                                              \
        return 0;                                                                                  \
    }                                                                                              \
    WAX_STEPS_(WAX_OP_INSPECT, inspect, NAME, T, T, wax_none)                                      \
    static void NAME(const T *in, WAX_UNUSED wax_cx *cx)
/* wax_inspect(id, up[, body]): without a body, "id: record" on standard error. */
#define wax_inspect(...)                                                                           \
    WAX_PICK3_(__VA_ARGS__, wax_inspect3_, wax_inspect2_, WAX_INSPECT_STEP_TAKES_2_OR_3_ARGUMENTS, \
               0)                                                                                  \
    (__VA_ARGS__)
#define wax_inspect2_(ID, UP)     WAX_SAME_(UP, wax_add_named(WAX_HERE, ID, (UP).port, "inspect"))
#define wax_inspect3_(ID, UP, OP) WAX_VERB_(inspect, UP, OP)(WAX_HERE, ID, UP, NULL)
/* Also prints worker and epoch: "id W0 @1: record". */
#define wax_inspect_debug(ID, UP)                                                                  \
    WAX_SAME_(UP, wax_add_named(WAX_HERE, ID, (UP).port, "inspect_debug"))
/* Spreads the records evenly over all workers, whatever their keys. */
#define wax_redistribute(ID, UP)                                                                   \
    WAX_SAME_(UP, wax_add_named(WAX_HERE, ID, (UP).port, "redistribute"))
/* wax_merge(id, a, b, ...): all of one type. No order between the streams. */
#ifdef __cplusplus
#define WAX_SAME_(UP, PORT)    WAX_HANDLE_((__typeof__(UP) *)nullptr, PORT)
#define wax_merge(ID, UP, ...) wax_merge_(WAX_HERE, ID, UP, __VA_ARGS__)
template <class handle, class... more>
inline handle wax_merge_(const char *where, const char *id, handle up, more... others)
{
    const handle all[] = {up, others...};
    return WAX_SAME_(up, wax_add_merge(where, id, &all[0].port, sizeof all / sizeof all[0]));
}
#else
#define WAX_SAME_(UP, PORT) ((__typeof__(UP)){PORT})
#define wax_merge(ID, UP, ...)                                                                     \
    WAX_SAME_(UP, wax_add_merge(WAX_HERE, ID, WAX_PORTS_(UP, __VA_ARGS__),                         \
                                sizeof((__typeof__(UP)[]){UP, __VA_ARGS__}) / sizeof(UP)))
#define WAX_PORTS_(UP, ...) ((wax_port *const *)(const void *)(__typeof__(UP)[]){UP, __VA_ARGS__})
#endif

/* The records that the step before refused, as a stream of their own: the dataflow then goes on. */
#define wax_failures(UP)                                                                           \
    WAX_HANDLE_((wax_stream(wax_failure) *)0, wax_add_failures(WAX_HERE, (UP).port))
/* The records that the step before refuses are counted and dropped; the stream is the same. */
#define wax_skip_failures(UP) WAX_SAME_(UP, wax_skip_failures_(WAX_HERE, (UP).port))

/* ---- keys ------------------------------------------------------------------------------------ */

/*
 * WAX_KEY(name, T, wax_str | int64_t) { return in->city; }    for key_on and count_final
 *
 * A record whose key cannot be told: call wax_fail(cx, ...) and return anything. A wax_str with ptr
 * NULL is refused in the same way.
 */
#define WAX_KEY(NAME, T, K)                                                                        \
    WAX_BODY K NAME(const T *in, wax_cx *cx);                                                      \
    static WAX_UNUSED int wax_kernel_##NAME(wax_io *io)                                            \
    {                                                                                              \
        const T *WAX_RESTRICT in = (const T *)io->in;                                              \
        K *WAX_RESTRICT key = (K *)io->out;                                                        \
        wax_cx *cx = io->cx;                                                                       \
        for (size_t i = io->at, n = io->n; i < n; i++)                                             \
            key[i] = NAME(&in[i], cx);                                                             \
        return 0;                                                                                  \
    }                                                                                              \
    WAX_KEY_CHECK_(K)                                                                              \
    WAX_CONST wax_op wax_op_##NAME = {WAX_OP_HEAD_(WAX_OP_KEY, NAME),                              \
                                      .in = WAX_T_(T),                                             \
                                      .out = WAX_T_(T),                                            \
                                      .key = WAX_T_(K),                                            \
                                      .self = &wax_self_wax_none,                                  \
                                      .kernel = wax_kernel_##NAME,                                 \
                                      .init = 0,                                                   \
                                      .merge = 0};                                                 \
    typedef wax_keyed(T) wax_in_keyed_##NAME;                                                      \
    WAX_STEP wax_keyed(T) wax_key_on_##NAME(const char *where, const char *id, wax_stream(T) up)   \
    {                                                                                              \
        wax_keyed(T) down = {wax_add(where, id, up.port, &wax_op_##NAME, NULL)};                   \
        return down;                                                                               \
    }                                                                                              \
    WAX_STEP wax_keyed(T) WAX_KEYED_(key_on, NAME)(const char *where, const char *id,              \
                                                   wax_keyed(T) up)                                \
    {                                                                                              \
        wax_keyed(T) down = {wax_add(where, id, up.port, &wax_op_##NAME, NULL)};                   \
        return down;                                                                               \
    }                                                                                              \
    WAX_STEP wax_keyed(int64_t) wax_count_final_##NAME(const char *where, const char *id,          \
                                                       wax_stream(T) up)                           \
    {                                                                                              \
        wax_keyed(int64_t) down = {wax_add_final(where, id, up.port, &wax_op_##NAME)};             \
        return down;                                                                               \
    }                                                                                              \
    WAX_BODY K NAME(WAX_UNUSED const T *in, WAX_UNUSED wax_cx *cx)
#ifdef __cplusplus
#define WAX_KEY_CHECK_(K)
#else
#define WAX_KEY_CHECK_(K)                                                                          \
    WAX_ASSERT_(_Generic((K *)0, wax_str * : 1, int64_t * : 1, default : 0),                       \
                "a key is a wax_str or an int64_t");
#endif
/* wax_key_on(id, up, key): gives each record a key; a key that is there already is replaced. */
#define wax_key_on(ID, UP, KEY) WAX_VERB_(key_on, UP, KEY)(WAX_HERE, ID, UP)
/* wax_count_final(id, up, key): at end of input, how many records each key had. */
#define wax_count_final(ID, UP, KEY) wax_count_final_##KEY(WAX_HERE, ID, UP)

/*
 * WAX_KEY_RM(name, K, IN, OUT) { out->city = key; ...; return WAX_EMIT; }    key and value become
 * one record
 */
#define WAX_KEY_RM(NAME, K, IN, OUT)                                                               \
    WAX_BODY int NAME(K key, const IN *in, OUT *out, wax_cx *cx);                                  \
    WAX_MAP_KERNEL_(NAME, IN, OUT, wax_none,                                                       \
                    NAME(((const K *)io->keys)[i], &in[i], &out[kept], cx))                        \
    WAX_KEY_CHECK_(K)                                                                              \
    WAX_CONST wax_op wax_op_##NAME = {WAX_OP_HEAD_(WAX_OP_KEY_RM, NAME),                           \
                                      .in = WAX_T_(IN),                                            \
                                      .out = WAX_T_(OUT),                                          \
                                      .key = WAX_T_(K),                                            \
                                      .self = &wax_self_wax_none,                                  \
                                      .kernel = wax_kernel_##NAME,                                 \
                                      .init = 0,                                                   \
                                      .merge = 0};                                                 \
    WAX_STEP wax_stream(OUT) wax_key_rm_##NAME(const char *where, const char *id,                  \
                                               wax_keyed(IN) up)                                   \
    {                                                                                              \
        wax_stream(OUT) down = {wax_add(where, id, up.port, &wax_op_##NAME, NULL)};                \
        return down;                                                                               \
    }                                                                                              \
    WAX_BODY int NAME(WAX_UNUSED K key, WAX_UNUSED const IN *in, WAX_UNUSED OUT *out,              \
                      WAX_UNUSED wax_cx *cx)
/* wax_key_rm(id, up[, op]): without an op the key is dropped and the values stay. */
#define wax_key_rm(...)                                                                            \
    WAX_PICK3_(__VA_ARGS__, wax_key_rm3_, wax_key_rm2_, WAX_KEY_RM_STEP_TAKES_2_OR_3_ARGUMENTS, 0) \
    (__VA_ARGS__)
#define wax_key_rm2_(ID, UP)                                                                       \
    WAX_HANDLE_((UP).unkeyed, wax_add_named(WAX_HERE, ID, (UP).port, "key_rm"))
#define wax_key_rm3_(ID, UP, OP) wax_key_rm_##OP(WAX_HERE, ID, UP)

/* ---- keyed state, given at end of input ------------------------------------------------------ */

#ifdef __cplusplus
#define WAX_SLOT_(NAME, HOOK) static wax_kernel *wax_##HOOK##_slot_##NAME;
#else
#define WAX_SLOT_(NAME, HOOK) static WAX_UNUSED wax_kernel *const wax_##HOOK##_slot_##NAME;
#endif
typedef wax_kernel *const wax_kernel_slot_;
#define WAX_HOOK_(NAME, HOOK)                                                                      \
    WAX_FILL_FN_(wax_kernel_slot_, wax_##HOOK##_slot_##NAME, wax_##HOOK##_kernel_##NAME)

/*
 * WAX_FOLD(name, IN, STATE) { state->n++; return WAX_OK; }    for fold_final
 *
 * One STATE per key, zeroed or as WAX_INIT(name) makes it. Strings put into it are copied by the
 * runtime after the batch. With WAX_MERGE(name) every worker folds its own share before the
 * exchange.
 */
#define WAX_FOLD(NAME, IN, STATE)                                                                  \
    typedef STATE wax_state_##NAME;                                                                \
    WAX_SLOT_(NAME, init)                                                                          \
    WAX_SLOT_(NAME, merge)                                                                         \
    WAX_BODY int NAME(STATE *state, const IN *in, wax_cx *cx);                                     \
    static WAX_UNUSED int wax_kernel_##NAME(wax_io *io)                                            \
    {                                                                                              \
        const IN *in = (const IN *)io->in;                                                         \
        wax_cx *cx = io->cx;                                                                       \
        uint32_t i = io->at, n = io->n;                                                            \
        int rc = 0;                                                                                \
        for (; i < n; i++)                                                                         \
            if (WAX_UNLIKELY((rc = NAME((STATE *)io->state[i], &in[i], cx)) < 0))                  \
                break;                                                                             \
        io->at = i;                                                                                \
        return rc < 0 ? rc : 0;                                                                    \
    }                                                                                              \
    WAX_CONST wax_op wax_op_##NAME = {WAX_OP_HEAD_(WAX_OP_FOLD, NAME),                             \
                                      .in = WAX_T_(IN),                                            \
                                      .out = WAX_T_(STATE),                                        \
                                      .key = 0,                                                    \
                                      .self = &wax_self_wax_none,                                  \
                                      .kernel = wax_kernel_##NAME,                                 \
                                      .init = &wax_init_slot_##NAME,                               \
                                      .merge = &wax_merge_slot_##NAME};                            \
    WAX_STEP wax_keyed(STATE) wax_fold_final_##NAME(const char *where, const char *id,             \
                                                    wax_keyed(IN) up)                              \
    {                                                                                              \
        wax_keyed(STATE) down = {wax_add_final(where, id, up.port, &wax_op_##NAME)};               \
        return down;                                                                               \
    }                                                                                              \
    WAX_BODY int NAME(WAX_UNUSED STATE *state, WAX_UNUSED const IN *in, WAX_UNUSED wax_cx *cx)
#define wax_fold_final(ID, UP, OP) wax_fold_final_##OP(WAX_HERE, ID, UP)

/* WAX_INIT(name) { state->min = INFINITY; }    a new key's state, for the fold `name` above */
#define WAX_INIT(NAME)                                                                             \
    static void wax_init_##NAME(wax_state_##NAME *state, wax_cx *cx);                              \
    static int wax_init_kernel_##NAME(wax_io *io)                                                  \
    {                                                                                              \
        for (uint32_t i = 0; i < io->n; i++)                                                       \
            wax_init_##NAME((wax_state_##NAME *)io->state[i], io->cx);                             \
        return 0;                                                                                  \
    }                                                                                              \
    WAX_HOOK_(NAME, init)                                                                          \
    static void wax_init_##NAME(wax_state_##NAME *state, WAX_UNUSED wax_cx *cx)

/* WAX_MERGE(name) { state->sum += other->sum; }    adds the state `other`; associative and
 * commutative */
#define WAX_MERGE(NAME)                                                                            \
    WAX_BODY void wax_merge_##NAME(wax_state_##NAME *state, const wax_state_##NAME *other,         \
                                   wax_cx *cx);                                                    \
    static int wax_merge_kernel_##NAME(wax_io *io)                                                 \
    {                                                                                              \
        const wax_state_##NAME *other = (const wax_state_##NAME *)io->in;                          \
        for (; io->at < io->n; io->at++)                                                           \
            wax_merge_##NAME((wax_state_##NAME *)io->state[io->at], &other[io->at], io->cx);       \
        return 0;                                                                                  \
    }                                                                                              \
    WAX_HOOK_(NAME, merge)                                                                         \
    WAX_BODY void wax_merge_##NAME(wax_state_##NAME *state, const wax_state_##NAME *other,         \
                                   WAX_UNUSED wax_cx *cx)

/*
 * WAX_REDUCE(name, T) { if (in->n > acc->n) *acc = *in; return WAX_OK; }    for reduce_final
 *
 * `*acc` is the key's first record, then what was made of it. Associative and commutative: each
 * worker reduces its own share before the exchange.
 */
#define WAX_REDUCE(NAME, T)                                                                        \
    WAX_BODY int NAME(T *acc, const T *in, wax_cx *cx);                                            \
    static WAX_UNUSED int wax_kernel_##NAME(wax_io *io)                                            \
    {                                                                                              \
        const T *in = (const T *)io->in;                                                           \
        wax_cx *cx = io->cx;                                                                       \
        uint32_t i = io->at, n = io->n;                                                            \
        int rc = 0;                                                                                \
        for (; i < n; i++) {                                                                       \
            if (io->fresh[i])                                                                      \
                *(T *)io->state[i] = in[i];                                                        \
            else if (WAX_UNLIKELY((rc = NAME((T *)io->state[i], &in[i], cx)) < 0))                 \
                break;                                                                             \
        }                                                                                          \
        io->at = i;                                                                                \
        return rc < 0 ? rc : 0;                                                                    \
    }                                                                                              \
    WAX_CONST wax_op wax_op_##NAME = {WAX_OP_HEAD_(WAX_OP_REDUCE, NAME),                           \
                                      .in = WAX_T_(T),                                             \
                                      .out = WAX_T_(T),                                            \
                                      .key = 0,                                                    \
                                      .self = &wax_self_wax_none,                                  \
                                      .kernel = wax_kernel_##NAME,                                 \
                                      .init = 0,                                                   \
                                      .merge = 0};                                                 \
    WAX_STEP wax_keyed(T) wax_reduce_final_##NAME(const char *where, const char *id,               \
                                                  wax_keyed(T) up)                                 \
    {                                                                                              \
        wax_keyed(T) down = {wax_add_final(where, id, up.port, &wax_op_##NAME)};                   \
        return down;                                                                               \
    }                                                                                              \
    WAX_BODY int NAME(WAX_UNUSED T *acc, WAX_UNUSED const T *in, WAX_UNUSED wax_cx *cx)
#define wax_reduce_final(ID, UP, OP) wax_reduce_final_##OP(WAX_HERE, ID, UP)

#endif /* WAX_OPS_H */
