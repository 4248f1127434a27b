/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources and sinks of random dataflows. A source's records follow from its seed alone; how many a
 * call gives and when it pauses are drawn from a generator of the part's own, so that neither
 * depends on the schedule. Parcels carry the epoch in which they were given, and a sink compares it
 * with the epoch that it is in: a marker that overtakes a record, or is overtaken, shows there.
 */
#include "sim/io.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/engine.h"

static void fault(struct sim_io *io, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct sim_io *io, const char *fmt, ...)
{
    char text[1000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    io->fault(io, text);
}

/* ---- sources
 * --------------------------------------------------------------------------------------- */

typedef struct sim_reader {
    struct sim_io *io;
    const struct sim_source *source;
    uint32_t part;
    struct sim_random random;
    char *text;
} sim_reader;

WAX_RECORD(sim_position, (int64_t, given));

static int reader_open(void *self, wax_cx *cx)
{
    (void)cx;
    sim_reader *reader = self;
    reader->text = wx_alloc(reader->source->text_max + 1);
    return WAX_OK;
}

static void reader_close(void *self)
{
    free(((sim_reader *)self)->text);
}

static int (*const reader_open_slot)(void *, wax_cx *) = reader_open;
static void (*const reader_close_slot)(void *) = reader_close;
static const wax_self reader_self = {"sim_reader", sizeof(sim_reader), _Alignof(sim_reader),
                                     &reader_open_slot, &reader_close_slot};

static int list_parts(const void *self, wax_parts *parts, wax_cx *cx)
{
    (void)cx;
    const sim_reader *reader = self;
    for (uint32_t i = 0; i < reader->source->parts; i++)
        wax_part(parts, "part-%u", i);
    return WAX_OK;
}

static int start_part(void *self, void *pos, wax_str part, wax_cx *cx)
{
    (void)cx;
    sim_reader *reader = self;
    reader->part = (uint32_t)(part.ptr[part.len - 1] - '0');
    reader->random.state = sim_mix(reader->source->seed, reader->part);
    if (((sim_position *)pos)->given != 0)
        fault(reader->io, "a new part does not begin at position 0");
    return WAX_OK;
}

static int (*const parts_slot)(const void *, wax_parts *, wax_cx *) = list_parts;
static int (*const start_slot)(void *, void *, wax_str, wax_cx *) = start_part;

static void give_one(const sim_reader *reader, wax_io *io, wax_cursor *cursor, uint32_t k)
{
    struct sim_item item;
    sim_source_record(reader->source, reader->part, k, &item, reader->text);
    if (reader->source->type == SIM_NUMBER) {
        *(int64_t *)wax_cursor_slot_(cursor, sizeof(int64_t)) = item.number[0];
        return;
    }
    /* The slot first: it may chain another batch, and the text belongs to the one with the record.
     */
    void *slot = wax_cursor_slot_(cursor, reader->source->type == SIM_TEXT ? sizeof(wax_str)
                                                                           : sizeof(sim_parcel));
    wax_str text = wax_dup(io->cx, item.text[0].ptr, item.text[0].len);
    if (reader->source->type == SIM_TEXT)
        *(wax_str *)slot = text;
    else
        *(sim_parcel *)slot =
            (sim_parcel){.value = item.number[0],
                         .origin = item.number[1],
                         .seq = item.number[2],
                         .epoch = (int64_t)io->cx->out->epoch, /* as the engine has it */
                         .text = text};
}

static size_t record_size(const struct sim_source *source)
{
    return sim_wax_type(source->type)->size;
}

/* When to ask again after nothing was given: soon, or at a time. */
static wax_time pause_until(sim_reader *reader, wax_io *io)
{
    uint32_t us = sim_below(&reader->random, (uint32_t)reader->source->pause_max);
    return us % 4 == 0 ? 0 : wax_now(io->cx) + us;
}

static int next_records(void *self, void *pos, wax_io *io, wax_time *wake)
{
    sim_reader *reader = self;
    const struct sim_source *source = reader->source;
    sim_position *at = pos;
    struct sim_part *part = &reader->io->part[source->first_origin + reader->part];
    if (source->pause_in && sim_once_in(&reader->random, source->pause_in)) {
        *wake = pause_until(reader, io);
        return WAX_OK;
    }
    uint32_t n = sim_between(&reader->random, 1, source->batch_max), bytes = 0;
    wax_cursor cursor = WAX_CURSOR_(io, false, record_size(source));
    /* Long texts: fewer records, as a source of large records would do. */
    for (uint32_t i = 0; i < n && bytes < (256u << 10); i++) {
        if (reader->part == 0 && at->given == source->fails_at)
            return wax_fail(io->cx, "record %" PRId64 " cannot be read", at->given);
        if (at->given == source->records[reader->part])
            break;
        give_one(reader, io, &cursor, (uint32_t)at->given);
        at->given++;
        if (source->long_in)
            bytes += source->text_max / source->long_in + 60;
    }
    bool nothing = part->given == at->given;
    part->given = (uint32_t)at->given;
    io->kept = (uint32_t)((size_t)(cursor.next - cursor.rec) / record_size(source));
    part->ended = at->given == source->records[reader->part] && (nothing || !source->ends_late);
    return part->ended ? WAX_EOF : WAX_OK;
}

#define SOURCE_OPS(TYPE)                                                                           \
    {                                                                                              \
        WAX_ABI, sizeof(wax_source_ops), "sim", &wax_type_##TYPE, &wax_type_sim_position,          \
            &reader_self, &parts_slot, &start_slot, next_records                                   \
    }
static const wax_source_ops number_source = SOURCE_OPS(int64_t);
static const wax_source_ops text_source = SOURCE_OPS(wax_str);
static const wax_source_ops parcel_source = SOURCE_OPS(sim_parcel);

wax_src *sim_io_source(struct sim_io *io, const struct sim_source *source)
{
    sim_reader reader = {.io = io, .source = source};
    return wax_source_create(source->type == SIM_NUMBER ? &number_source
                             : source->type == SIM_TEXT ? &text_source
                                                        : &parcel_source,
                             &reader);
}

/* ---- sinks
 * ------------------------------------------------------------------------------------------- */

typedef struct sim_writer {
    struct sim_io *io;
    uint32_t node;
    struct sim_sunk *sunk;
} sim_writer;
WAX_SELF(sim_writer);

static const struct sim_node *node_of(const sim_writer *writer)
{
    return &writer->io->graph->node[writer->node];
}

WAX_OPEN(sim_writer)
{
    struct sim_io *io = self->io;
    self->sunk = &io->sunk[self->node * io->workers + wax_worker(cx)];
    if (self->sunk->was_open)
        fault(io, "sink '%s' was opened twice on worker %u", node_of(self)->id, wax_worker(cx));
    self->sunk->open = self->sunk->was_open = true;
    self->sunk->bag.counts = io->counts;
    self->sunk->random.state = sim_mix(io->seed, self->node);
    return WAX_OK;
}

WAX_CLOSE(sim_writer)
{
    if (self->sunk)
        self->sunk->open = false;
}

static void check_parcel(sim_writer *writer, const struct sim_item *item)
{
    const struct sim_stream *stream = &writer->io->graph->stream[node_of(writer)->input[0]];
    struct sim_sunk *sunk = writer->sunk;
    if (!stream->same_record)
        return;
    if ((uint64_t)item->epoch != sunk->ready + 1)
        fault(writer->io,
              "sink '%s' is in epoch %" PRIu64 " and gets record %" PRId64 " of part %" PRId64
              ", given in epoch %" PRId64,
              node_of(writer)->id, sunk->ready + 1, item->number[2], item->number[1], item->epoch);
    if (!stream->ordered)
        return;
    int64_t *next = &sunk->next_seq[item->number[1] & (SIM_ORIGINS - 1)];
    if (item->number[2] < *next)
        fault(writer->io,
              "sink '%s' gets record %" PRId64 " of part %" PRId64 " after record %" PRId64,
              node_of(writer)->id, item->number[2], item->number[1], *next);
    *next = item->number[2];
}

static void take_one(sim_writer *writer, wax_io *io, uint32_t i)
{
    const struct sim_stream *stream = &writer->io->graph->stream[node_of(writer)->input[0]];
    struct sim_item item;
    const char *key = io->keys ? (const char *)io->keys + i * (size_t)io->key_type->size : NULL;
    sim_item_read(&item, io->type, (const char *)io->in + i * (size_t)io->type->size, io->key_type,
                  key);
    if (item.type != stream->type || item.key != stream->key)
        fault(writer->io, "sink '%s' gets type %d with key %d", node_of(writer)->id, item.type,
              item.key);
    if (item.type == SIM_PARCEL)
        check_parcel(writer, &item);
    char text[SIM_RECORD_SHOWN];
    if (item.type == SIM_FAILURE)
        item.text[2] = sim_record_shown(item.text[2], text);
    sim_bag_add(&writer->sunk->bag, &item);
}

static void be_slow(sim_writer *writer, wax_cx *cx)
{
    const struct sim_sink *sink = &node_of(writer)->sink;
    struct sim_random *random = &writer->sunk->random;
    if (sink->slow_once && wax_worker(cx) != 0)
        return;
    if (sink->slow_in && writer->io->busy && sim_once_in(random, sink->slow_in))
        writer->io->busy(writer->io, wax_worker(cx), sim_below(random, (uint32_t)sink->slow_max));
}

static int write_any(void *self, wax_io *io)
{
    sim_writer *writer = self;
    for (uint32_t i = io->at; i < io->n; i++)
        take_one(writer, io, i);
    be_slow(writer, io->cx);
    return WAX_OK;
}

static int pre_commit(void *self, uint64_t epoch, wax_cx *cx)
{
    (void)cx;
    sim_writer *writer = self;
    struct sim_sunk *sunk = writer->sunk;
    if (epoch != sunk->ready + 1)
        fault(writer->io, "sink '%s' makes epoch %" PRIu64 " ready after epoch %" PRIu64,
              node_of(writer)->id, epoch, sunk->ready);
    sunk->ready = epoch;
    return WAX_OK;
}

static int commit(void *self, uint64_t epoch, wax_cx *cx)
{
    (void)cx;
    sim_writer *writer = self;
    struct sim_sunk *sunk = writer->sunk;
    if (epoch > sunk->ready || epoch <= sunk->committed)
        fault(writer->io,
              "sink '%s' commits epoch %" PRIu64 ", ready %" PRIu64 ", committed %" PRIu64,
              node_of(writer)->id, epoch, sunk->ready, sunk->committed);
    if (writer->io->all_passed && !writer->io->all_passed(writer->io, epoch))
        fault(writer->io, "sink '%s' commits epoch %" PRIu64 " before all workers have passed it",
              node_of(writer)->id, epoch);
    sunk->committed = epoch;
    return WAX_OK;
}

static int (*const pre_commit_slot)(void *, uint64_t, wax_cx *) = pre_commit;
static int (*const commit_slot)(void *, uint64_t, wax_cx *) = commit;
static int (*const no_hook)(void *, uint64_t, wax_cx *) = NULL;
static int (*const no_flush)(void *, wax_cx *) = NULL;

#define SINK_OPS(SINGLE)                                                                           \
    {                                                                                              \
        WAX_ABI, sizeof(wax_sink_ops), "sim", NULL, &wax_self_sim_writer, SINGLE, write_any,       \
            &no_flush, &pre_commit_slot, &commit_slot, &no_hook                                    \
    }
static const wax_sink_ops any_sink = SINK_OPS(false);
static const wax_sink_ops single_sink = SINK_OPS(true);

/* The same through the macros, for one of the types. */
WAX_SINK(sim_parcel_sink, sim_parcel, sim_writer)
{
    wax_io io = {.n = n, .in = in, .type = &wax_type_sim_parcel, .cx = cx};
    return write_any(self, &io);
}
WAX_PRE_COMMIT(sim_parcel_sink)
{
    return pre_commit(self, epoch, cx);
}
WAX_COMMIT(sim_parcel_sink)
{
    return commit(self, epoch, cx);
}

wax_sink *sim_io_sink(struct sim_io *io, uint32_t node)
{
    const struct sim_sink *sink = &io->graph->node[node].sink;
    sim_writer writer = {.io = io, .node = node};
    if (sink->typed)
        return wax_to(sim_parcel_sink, &writer);
    return wax_sink_create(sink->single ? &single_sink : &any_sink, &writer);
}

/* ---- one run
 * -------------------------------------------------------------------------------------------- */

void sim_io_init(struct sim_io *io, const struct sim_graph *graph, uint32_t workers, uint64_t seed)
{
    *io = (struct sim_io){.graph = graph, .workers = workers, .seed = seed};
    io->sunk = wx_calloc((size_t)graph->nodes * workers, sizeof *io->sunk);
}

void sim_io_fini(struct sim_io *io)
{
    for (uint32_t i = 0; i < io->graph->nodes * io->workers; i++)
        sim_bag_fini(&io->sunk[i].bag);
    free(io->sunk);
    io->sunk = NULL;
}

void sim_io_collect(const struct sim_io *io, uint32_t node, struct sim_bag *bag)
{
    for (uint32_t i = 0; i < io->workers; i++)
        sim_bag_append(bag, &io->sunk[node * io->workers + i].bag);
}

bool sim_io_is_cut(const struct sim_io *io)
{
    for (uint32_t i = 0; i < io->graph->origins; i++)
        if (!io->part[i].ended)
            return true;
    return false;
}
