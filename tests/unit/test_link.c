/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a link: two ends over a pipe of bytes that takes and gives as much as a seeded generator
 * says. Whatever the pieces, the credit and the sizes of items: all batches arrive once, in order
 * and unharmed, nothing gets stuck, no more is on its way than the credit allows, and all memory
 * comes back. Damaged bytes break the link with a reason, or pass for other batches; they never do
 * more.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cluster/link.h"
#include "core/codec.h"

#define EDGES    3u
#define PIPE_MAX (8u << 20) /* bytes of a pipe */

static uint64_t random_state;

static uint64_t draw(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(draw() % n);
}

/* ---- a pipe -------------------------------------------------------------------------------------
 */

struct pipe_io {
    struct wx_link_io io; /* first */
    struct wx_buf *in, *out;
    uint32_t piece;  /* bytes of a read or write, at most */
    uint32_t refuse; /* of 10 calls so many move nothing */
    bool closed;
};

static ssize_t read_pipe(struct wx_link_io *io, void *to, size_t len)
{
    struct pipe_io *pipe = (struct pipe_io *)io;
    size_t n = 1 + below(pipe->piece);
    if (pipe->in->len == 0)
        return pipe->closed ? -2 : 0;
    if (below(10) < pipe->refuse)
        return 0;
    n = n < len ? n : len;
    n = n < pipe->in->len ? n : pipe->in->len;
    memcpy(to, pipe->in->data, n);
    wx_buf_consume(pipe->in, n);
    return (ssize_t)n;
}

static ssize_t write_pipe(struct wx_link_io *io, const void *from, size_t len)
{
    struct pipe_io *pipe = (struct pipe_io *)io;
    if (pipe->closed)
        return -1;
    if (pipe->out->len >= PIPE_MAX / 2 || below(10) < pipe->refuse)
        return 0;
    size_t n = 1 + below(pipe->piece);
    n = n < len ? n : len;
    wx_buf_put(pipe->out, from, n);
    return (ssize_t)n;
}

/* ---- two ends -----------------------------------------------------------------------------------
 */

static const struct wx_shape shapes[EDGES] = {
    {.type = &wax_type_int64_t},
    {.type = &wax_type_wax_str, .key = &wax_type_int64_t},
    {.type = &wax_type_int64_t, .key = &wax_type_wax_str, .ones = true},
};

struct end {
    struct pipe_io io;
    struct wx_pool *pool;
    struct wx_link *link;
    struct {
        uint64_t sent, got;        /* batches and markers */
        uint64_t epoch;            /* the one that is open */
        struct wx_batch *next;     /* refused so far */
        struct wx_batch *held[64]; /* taken and not yet released */
        uint32_t held_n;
    } edge[EDGES];
};

struct pair {
    struct end end[2];
    struct wx_buf wire[2];
    uint64_t credit, item_max;
    uint32_t item; /* bytes of strings in a batch, roughly, at most */
};

static void open_pair(struct pair *p, uint32_t piece, uint32_t refuse)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct end *end = &p->end[i];
        p->wire[i] = (struct wx_buf){.max = PIPE_MAX};
        end->io = (struct pipe_io){
            {read_pipe, write_pipe}, &p->wire[i], &p->wire[1 - i], piece, refuse, false};
        end->pool = wx_pool_create();
        const struct wx_shape *all[EDGES] = {&shapes[0], &shapes[1], &shapes[2]};
        struct wx_link_config config = {.edges = EDGES,
                                        .shapes = all,
                                        .pool = end->pool,
                                        .credit = p->credit,
                                        .item_max = p->item_max};
        end->link = wx_link_create(&config, &end->io.io);
        for (uint32_t e = 0; e < EDGES; e++)
            end->edge[e].epoch = 1;
    }
}

static void close_pair(struct pair *p)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct end *end = &p->end[i];
        for (uint32_t e = 0; e < EDGES; e++) {
            wx_batch_put(end->pool, end->edge[e].next);
            for (uint32_t h = 0; h < end->edge[e].held_n; h++)
                wx_batch_put(end->pool, end->edge[e].held[h]);
        }
        wx_link_destroy(end->link);
        cr_assert_eq(wx_pool_used(end->pool), 0, "%zu bytes of batches were lost",
                     wx_pool_used(end->pool));
        wx_pool_destroy(end->pool);
        wx_buf_free(&p->wire[i]);
    }
    memset(p, 0, sizeof *p);
}

/* What batch number `n` of an edge holds follows from the number: both sides can make it. */
static uint64_t mixed(uint64_t n, uint64_t i)
{
    uint64_t z = (n * 1000003 + i + 1) * 0x9e3779b97f4a7c15u;
    return z ^ z >> 29;
}

static uint32_t records_of(uint64_t n, uint32_t edge)
{
    return 1 + (uint32_t)(mixed(n, edge) % (edge == 0 ? 900 : 40));
}

static bool is_marker(uint64_t n, uint32_t edge)
{
    return mixed(n, edge + 100) % 17 == 0;
}

static wax_str text_of(struct wx_pool *pool, struct wx_batch *batch, uint64_t n, uint32_t i,
                       uint32_t most)
{
    uint32_t len = (uint32_t)(mixed(n, i + 1000) % (most / batch->cap + 1));
    if (mixed(n, 7) % 50 == 0 && i == 0)
        len = most;
    char *text = wx_batch_alloc(pool, batch, len);
    memset(text, (int)('a' + (n + i) % 26), len);
    return (wax_str){text, len};
}

static struct wx_batch *make(struct end *end, uint32_t edge, uint64_t n, uint32_t item)
{
    uint64_t epoch = end->edge[edge].epoch;
    if (is_marker(n, edge)) {
        end->edge[edge].epoch++;
        return wx_batch_marker(end->pool, epoch);
    }
    struct wx_batch *batch = wx_batch_create(end->pool, &shapes[edge], records_of(n, edge));
    batch->epoch = epoch;
    batch->entered = (wax_time)(n * 10);
    batch->watermark = n % 3 ? (wax_time)n : WX_NO_WATERMARK;
    batch->idle = n % 5 == 0;
    for (uint32_t i = 0; i < batch->cap; i++) {
        if (edge == 0)
            ((int64_t *)(void *)batch->rec)[i] = (int64_t)mixed(n, i);
        if (edge == 1)
            ((wax_str *)(void *)batch->rec)[i] = text_of(end->pool, batch, n, i, item);
        if (edge == 1)
            ((int64_t *)batch->keys)[i] = (int64_t)mixed(n, i);
        if (edge == 2)
            ((wax_str *)batch->keys)[i] = text_of(end->pool, batch, n, i, 50 * batch->cap);
    }
    batch->n = batch->cap;
    return batch;
}

static bool same_string(wax_str a, wax_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Is `got` what the other end made as number `n`? `copy` was made here. */
static bool same(const struct wx_batch *got, const struct wx_batch *copy, uint32_t edge)
{
    if (got->marker != copy->marker || got->epoch != copy->epoch || got->n != copy->n)
        return false;
    if (got->marker)
        return true;
    if (got->entered != copy->entered || got->watermark != copy->watermark ||
        got->idle != copy->idle)
        return false;
    for (uint32_t i = 0; i < got->n; i++) {
        const int64_t *numbers = (const void *)got->rec, *wanted = (const void *)copy->rec;
        const wax_str *texts = (const void *)got->rec, *wanted_texts = (const void *)copy->rec;
        const int64_t *keys = got->keys, *wanted_keys = copy->keys;
        const wax_str *names = got->keys, *wanted_names = copy->keys;
        if (edge == 0 && numbers[i] != wanted[i])
            return false;
        if (edge == 1 && (!same_string(texts[i], wanted_texts[i]) || keys[i] != wanted_keys[i]))
            return false;
        if (edge == 2 && !same_string(names[i], wanted_names[i]))
            return false;
    }
    return true;
}

/* ---- traffic ------------------------------------------------------------------------------------
 */

static void offer_some(struct pair *p, uint32_t i, uint64_t total)
{
    struct end *end = &p->end[i];
    for (uint32_t e = 0; e < EDGES; e++) {
        for (uint32_t tries = below(4); tries > 0 && end->edge[e].sent < total; tries--) {
            if (!end->edge[e].next)
                end->edge[e].next = make(end, e, end->edge[e].sent, p->item);
            struct wx_outlet *outlet = wx_link_outlet(end->link, e);
            if (!outlet->offer(outlet, end->edge[e].next))
                break;
            end->edge[e].next = NULL;
            end->edge[e].sent++;
        }
    }
}

/* Copies for comparison are made with the sender's epochs, counted again. */
struct shadow {
    struct end end;
};

static void take_some(struct pair *p, uint32_t i, struct shadow *shadow, uint32_t lazy)
{
    struct end *end = &p->end[i];
    for (uint32_t e = 0; e < EDGES; e++) {
        struct wx_inlet *inlet = wx_link_inlet(end->link, e);
        while (end->edge[e].held_n < 64 && below(10) >= lazy) {
            struct wx_batch *batch = inlet->take(inlet);
            if (!batch)
                break;
            struct wx_batch *copy = make(&shadow->end, e, end->edge[e].got, p->item);
            cr_assert(same(batch, copy, e), "edge %u: batch %llu is not what was sent", e,
                      (unsigned long long)end->edge[e].got);
            wx_batch_put(shadow->end.pool, copy);
            end->edge[e].got++;
            end->edge[e].held[end->edge[e].held_n++] = batch;
        }
        while (end->edge[e].held_n > 0 && below(10) >= lazy) {
            uint32_t at = below(end->edge[e].held_n);
            wx_batch_put(end->pool, end->edge[e].held[at]);
            end->edge[e].held[at] = end->edge[e].held[--end->edge[e].held_n];
        }
    }
}

static bool all_there(const struct pair *p, uint64_t total)
{
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t e = 0; e < EDGES; e++)
            if (p->end[i].edge[e].got < total)
                return false;
    return true;
}

struct traffic {
    uint64_t seed, credit;
    uint32_t item, piece, refuse, lazy, batches;
};

static void run_traffic(const struct traffic *t)
{
    struct pair pair = {.credit = t->credit, .item_max = 16u << 20, .item = t->item}, *p = &pair;
    struct shadow shadow[2] = {0};
    random_state = t->seed;
    open_pair(p, t->piece, t->refuse);
    for (uint32_t i = 0; i < 2; i++) {
        shadow[i].end.pool = wx_pool_create();
        for (uint32_t e = 0; e < EDGES; e++)
            shadow[i].end.edge[e].epoch = 1;
    }
    uint64_t rounds = 0;
    while (!all_there(p, t->batches)) {
        uint32_t i = below(2);
        cr_assert(rounds++ < 3000000, "seed %llu, credit %llu: stuck", (unsigned long long)t->seed,
                  (unsigned long long)t->credit);
        offer_some(p, i, t->batches);
        int rc = wx_link_pump(p->end[i].link, true, below(3) == 0);
        cr_assert_geq(rc, 0, "seed %llu: %s", (unsigned long long)t->seed,
                      wx_link_error(p->end[i].link));
        take_some(p, i, &shadow[i], t->lazy);
    }
    uint64_t bytes, records;
    wx_link_count(p->end[0].link, &bytes, &records);
    cr_expect_gt(records, 0);
    cr_expect_gt(bytes, 0);
    close_pair(p);
    wx_pool_destroy(shadow[0].end.pool);
    wx_pool_destroy(shadow[1].end.pool);
}

Test(link, delivers_everything_in_order_whatever_the_pieces)
{
    static const struct traffic cases[] = {
        {1, 512 << 10, 200, 1 << 20, 0, 0, 2000},     /* a quick connection */
        {2, 64 << 10, 200, 1 << 20, 0, 0, 2000},      /* */
        {3, WX_CREDIT_MIN, 200, 1 << 20, 0, 0, 2000}, /* no item fits the credit */
        {4, 64 << 10, 3 << 20, 1 << 20, 0, 0, 100},   /* huge items */
        {5, WX_CREDIT_MIN, 3 << 20, 100000, 2, 2, 60},
        {6, 64 << 10, 200, 100, 3, 0, 200}, /* a slow one, in crumbs */
        {7, 8192, 3000, 7, 0, 0, 50},
        {8, 8192, 3000, 1, 5, 0, 6},
        {9, 64 << 10, 70000, 65536, 1, 9, 200}, /* a slow receiver */
        {10, 16384, 70000, 5000, 5, 9, 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_traffic(&cases[i]);
    for (uint64_t seed = 100; seed < 140; seed++) {
        random_state = seed;
        struct traffic t = {seed,
                            WX_CREDIT_MIN << below(10),
                            1 + below(200000),
                            20 + below(200000),
                            below(8),
                            below(10),
                            60};
        run_traffic(&t);
    }
}

/* ---- credit -------------------------------------------------------------------------------------
 */

/* Everything that was written reaches the other side. */
static void settle(struct pair *p)
{
    for (uint32_t quiet = 0; quiet < 20; quiet++)
        for (uint32_t i = 0; i < 2; i++)
            if (wx_link_pump(p->end[i].link, true, true) > 0)
                quiet = 0;
}

Test(link, holds_no_more_than_the_credit_of_a_channel)
{
    static const uint64_t credits[] = {WX_CREDIT_MIN, 4096, 65536, 512 << 10};
    for (size_t c = 0; c < sizeof credits / sizeof credits[0]; c++) {
        for (uint32_t edge = 0; edge < EDGES; edge++) {
            struct pair pair = {.credit = credits[c], .item_max = 1 << 20, .item = 2000},
                        *p = &pair;
            random_state = c;
            open_pair(p, 1 << 20, 0);
            struct wx_outlet *outlet = wx_link_outlet(p->end[0].link, edge);
            struct wx_inlet *inlet = wx_link_inlet(p->end[1].link, edge);
            uint64_t n = 0, bytes, records, most;
            for (uint32_t rounds = 0; rounds < 5000; rounds++) {
                struct wx_batch *batch = make(&p->end[0], edge, 1 + 17 * n, p->item);
                if (batch->marker || !outlet->offer(outlet, batch))
                    wx_batch_put(p->end[0].pool, batch);
                n++;
                settle(p);
            }
            wx_link_count(p->end[0].link, &bytes, &records);
            struct wx_batch *held[4096];
            uint32_t held_n = 0;
            while (held_n < 4096 && (held[held_n] = inlet->take(inlet)))
                held_n++;
            most = credits[c] + 8192; /* an item here has less than 8 KiB */
            cr_expect_leq(bytes, most + 41 * held_n, "credit %llu, edge %u: %llu bytes",
                          (unsigned long long)credits[c], edge, (unsigned long long)bytes);
            cr_expect_gt(held_n, 0);
            for (uint32_t i = 0; i < held_n; i++)
                wx_batch_put(p->end[1].pool, held[i]);
            settle(p);
            struct wx_batch *batch = make(&p->end[0], edge, 1, p->item);
            cr_expect(outlet->offer(outlet, batch), "credit %llu, edge %u: it is not given back",
                      (unsigned long long)credits[c], edge);
            close_pair(p);
        }
    }
}

/* When the receiver is empty an item of any size is taken, though some credit was not announced
 * yet. */
Test(link, takes_an_item_of_any_size_when_the_channel_is_empty)
{
    struct pair pair = {.credit = 64 << 10, .item_max = 16 << 20, .item = 200}, *p = &pair;
    random_state = 1;
    open_pair(p, 1 << 20, 0);
    struct wx_outlet *outlet = wx_link_outlet(p->end[0].link, 1);
    struct wx_inlet *inlet = wx_link_inlet(p->end[1].link, 1);
    for (uint32_t i = 0; i < 200; i++) {
        struct wx_batch *batch = wx_batch_create(p->end[0].pool, &shapes[1], 1);
        uint32_t len = i % 3 == 2 ? 5u << 20 : 100 * i;
        char *text = wx_batch_alloc(p->end[0].pool, batch, len);
        memset(text, 'x', len);
        ((wax_str *)(void *)batch->rec)[0] = (wax_str){text, len};
        ((int64_t *)batch->keys)[0] = i;
        batch->n = 1;
        batch->epoch = 1;
        cr_assert(outlet->offer(outlet, batch), "item %u of %u bytes is refused", i, len);
        settle(p);
        batch = inlet->take(inlet);
        cr_assert_not_null(batch, "item %u has not come", i);
        cr_expect_eq(((wax_str *)(void *)batch->rec)[0].len, len);
        wx_batch_put(p->end[1].pool, batch);
        settle(p);
    }
    close_pair(p);
}

/* ---- harm ---------------------------------------------------------------------------------------
 */

/* Bytes that an honest end would send, recorded. */
static void record(struct wx_buf *bytes, uint64_t seed, struct pair *p)
{
    random_state = seed;
    open_pair(p, 1 << 20, 0);
    for (uint32_t rounds = 0; rounds < 12; rounds++) {
        offer_some(p, 0, 100);
        wx_link_pump(p->end[0].link, false, true);
    }
    *bytes = (struct wx_buf){.max = PIPE_MAX};
    wx_buf_put(bytes, p->wire[1].data, p->wire[1].len);
    close_pair(p);
}

static void feed(struct pair *p, const void *bytes, size_t len)
{
    struct end *end = &p->end[1];
    wx_buf_put(&p->wire[1], bytes, len);
    for (uint32_t i = 0; i < 50; i++) {
        if (wx_link_pump(end->link, true, true) < 0) {
            cr_expect_gt(strlen(wx_link_error(end->link)), 0, "it broke without a reason");
            return;
        }
        for (uint32_t e = 0; e < EDGES; e++) {
            struct wx_inlet *inlet = wx_link_inlet(end->link, e);
            for (struct wx_batch *batch; below(2) && (batch = inlet->take(inlet));)
                wx_batch_put(end->pool, batch);
        }
    }
}

Test(link, survives_damaged_bytes)
{
    struct pair pair;
    uint32_t broken = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        pair = (struct pair){.credit = 64 << 10, .item_max = 1 << 20, .item = 100000};
        struct wx_buf bytes;
        record(&bytes, seed, &pair);
        for (uint32_t n = 1 + below(3); n > 0; n--)
            bytes.data[below(2) ? below(200) % bytes.len : below((uint32_t)bytes.len)] ^=
                (char)(1u << below(8));
        size_t len = below(3) ? bytes.len : below((uint32_t)bytes.len);
        pair = (struct pair){.credit = 64 << 10, .item_max = 1 << 20, .item = 100000};
        open_pair(&pair, 1 << 20, 0);
        feed(&pair, bytes.data, len);
        broken += wx_link_error(pair.end[1].link)[0] != '\0';
        if (wx_link_error(pair.end[1].link)[0])
            cr_expect_eq(wx_link_pump(pair.end[1].link, true, true), -1, "a broken link is mended");
        close_pair(&pair);
        wx_buf_free(&bytes);
    }
    cr_expect_gt(broken, 20, "only %u of 400 were noticed", broken);
}

/* A frame, as a table writes it. */
struct raw {
    uint32_t len;
    uint16_t edge;
    uint8_t kind, flags;
    uint32_t rest, zero;
    uint64_t epoch;
    int64_t entered, watermark;
};

Test(link, says_why_it_broke)
{
    enum { DATA = 1, FRAGMENT, MARKER, CREDIT };
    static const struct {
        struct raw frame[3];
        uint32_t n;
        const char *said;
    } cases[] = {
        {{{.len = WX_FRAME_MAX + 1, .kind = DATA}}, 1, "a frame that makes no sense"},
        {{{.edge = EDGES, .kind = MARKER, .epoch = 1}}, 1, "a frame that makes no sense"},
        {{{.kind = 0}}, 1, "unknown kind"},
        {{{.kind = 9}}, 1, "unknown kind"},
        {{{.len = 3, .kind = DATA, .epoch = 1}}, 1, "damaged"},
        {{{.len = 8, .kind = DATA, .epoch = 0}}, 1, "epoch that was closed"},
        {{{.len = 8, .kind = DATA, .epoch = WX_EPOCH_END}}, 1, "epoch that was closed"},
        {{{.kind = MARKER, .epoch = 2}}, 1, "marker that does not follow"},
        {{{.kind = MARKER, .epoch = 1}, {.kind = MARKER, .epoch = 1}},
         2,
         "marker that does not follow"},
        {{{.kind = MARKER, .epoch = 1}, {.len = 8, .kind = DATA, .epoch = 1}},
         2,
         "epoch that was closed"},
        {{{.kind = MARKER, .epoch = WX_EPOCH_END}, {.kind = MARKER, .epoch = WX_EPOCH_END}},
         2,
         "marker that does not follow"},
        {{{.len = 1, .kind = MARKER, .epoch = 1}}, 1, "marker that does not follow"},
        {{{.kind = CREDIT, .epoch = 1}}, 1, "credit that it did not have"},
        {{{.len = 4, .kind = CREDIT}}, 1, "credit that it did not have"},
        {{{.len = 8, .kind = DATA, .rest = 8, .epoch = 1}}, 1, "fragments that do not fit"},
        {{{.len = 8, .kind = FRAGMENT, .rest = 0, .epoch = 1}}, 1, "fragments that do not fit"},
        {{{.len = 8, .kind = FRAGMENT, .rest = 8, .epoch = 1},
          {.len = 9, .kind = DATA, .epoch = 1}},
         2,
         "fragments that do not fit"},
        {{{.len = 8, .kind = FRAGMENT, .rest = 8, .epoch = 1}, {.kind = MARKER, .epoch = 1}},
         2,
         "marker that does not follow"},
        {{{.len = 8, .kind = FRAGMENT, .rest = 8, .epoch = 1},
          {.len = 0, .kind = FRAGMENT, .rest = 8, .epoch = 1}},
         2,
         "fragments that do not fit"},
        {{{.len = 8, .kind = FRAGMENT, .rest = 1 << 20, .epoch = 1}},
         1,
         "larger than any that may be sent"},
        {{{.len = 8, .kind = FRAGMENT, .rest = 30000, .epoch = 1},
          {.edge = 1, .kind = MARKER, .epoch = 1},
          {.edge = 2, .kind = MARKER, .epoch = 3}},
         3,
         "marker that does not follow"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct pair pair = {.credit = 64 << 10, .item_max = 1 << 20};
        static char payload[WX_FRAME_MAX];
        random_state = c;
        open_pair(&pair, 1 << 20, 0);
        for (uint32_t i = 0; i < cases[c].n; i++) {
            wx_buf_put(&pair.wire[1], &cases[c].frame[i], sizeof(struct raw));
            if (cases[c].frame[i].len <= WX_FRAME_MAX)
                wx_buf_put(&pair.wire[1], payload, cases[c].frame[i].len);
        }
        feed(&pair, "", 0);
        const char *said = wx_link_error(pair.end[1].link);
        cr_expect(strstr(said, cases[c].said), "case %zu: it says '%s' instead of '%s'", c, said,
                  cases[c].said);
        close_pair(&pair);
    }
}

Test(link, breaks_when_the_credit_is_not_kept)
{
    struct pair pair = {.credit = 64 << 10, .item_max = 1 << 20, .item = 100}, greedy = pair;
    random_state = 1;
    greedy.credit = 10 << 20; /* one side believes in more */
    open_pair(&greedy, 1 << 20, 0);
    open_pair(&pair, 1 << 20, 0);
    struct wx_outlet *outlet = wx_link_outlet(greedy.end[0].link, 0);
    for (uint64_t n = 0; n < 100; n++) {
        struct wx_batch *batch = make(&greedy.end[0], 0, n, 100);
        if (batch->marker || !outlet->offer(outlet, batch))
            wx_batch_put(greedy.end[0].pool, batch);
    }
    wx_link_pump(greedy.end[0].link, false, true);
    cr_assert_gt(greedy.wire[1].len, 256u << 10);
    wx_buf_put(&pair.wire[1], greedy.wire[1].data, greedy.wire[1].len);
    int rc = 0;
    for (uint32_t i = 0; i < 10 && rc >= 0; i++)
        rc = wx_link_pump(pair.end[1].link, true, true);
    cr_expect_eq(rc, -1);
    cr_expect(strstr(wx_link_error(pair.end[1].link), "more than its credit"), "%s",
              wx_link_error(pair.end[1].link));
    close_pair(&pair);
    close_pair(&greedy);
}

Test(link, may_be_closed_only_when_it_is_done)
{
    for (uint32_t done = 0; done < 2; done++) {
        struct pair pair = {.credit = 64 << 10, .item_max = 1 << 20, .item = 100};
        random_state = 1;
        open_pair(&pair, 1 << 20, 0);
        if (done)
            wx_link_done(pair.end[0].link);
        pair.end[0].io.closed = true;
        int rc = wx_link_pump(pair.end[0].link, true, true);
        cr_expect_eq(rc, done ? 0 : -1);
        cr_expect_str_eq(wx_link_error(pair.end[0].link), done ? "" : "the connection was closed");
        close_pair(&pair);
    }
}
