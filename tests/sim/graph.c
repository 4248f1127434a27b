/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random dataflows. The generator keeps for each stream what it must know to choose a next step
 * that makes sense: its types, whether order still holds, and about how many records it has, so
 * that steps that multiply records do not make a graph that nobody can run. Streams that nobody
 * reads get an output, most of them.
 */
#include "sim/graph.h"

#include <string.h>

#include "sim/io.h"

#define STREAM_RECORDS_MAX 30000.0 /* in one stream */
#define STREAM_BYTES_MAX   24e6    /* of long texts in one stream */
#define INPUT_RECORDS_MAX  4000u   /* of one part */
#define TEXT_EXTRA         16.0    /* what a text may take beside its bytes */
#define BLOCK_TEXT         65536.0 /* an exchange block with more text leaves */
#define TEXTS_MAX          3.0     /* texts of one record: its key and two more */
#define FEW                16.0    /* records that a fold copies out at once */

struct maker {
    struct sim_graph *graph;
    struct sim_random *random;
    const struct sim_style *style;
};

/* ---- steps and streams -------------------------------------------------------------------------
 */

static struct sim_node *add_node(struct maker *m, enum sim_node_kind kind, const char *prefix)
{
    struct sim_graph *graph = m->graph;
    struct sim_node *node = &graph->node[graph->nodes];
    *node = (struct sim_node){.kind = kind};
    snprintf(node->id, sizeof node->id, "%s-%u", prefix, graph->nodes++);
    return node;
}

static void read_stream(struct maker *m, struct sim_node *node, uint32_t stream)
{
    node->input[node->inputs++] = stream;
    m->graph->stream[stream].readers++;
}

/* Records of a batch. */
static double cap_of(enum sim_type type)
{
    return wx_shape_cap(&(struct wx_shape){.type = sim_wax_type(type)});
}

/* A new output of `node`, which starts out like the stream `like`. */
static struct sim_stream *add_stream(struct maker *m, struct sim_node *node, struct sim_stream like)
{
    struct sim_graph *graph = m->graph;
    struct sim_stream *stream = &graph->stream[graph->streams];
    *stream = like;
    stream->node = (uint32_t)(node - graph->node);
    stream->port = node->outputs;
    stream->readers = 0;
    node->output[node->outputs++] = graph->streams++;
    return stream;
}

/* Mostly a stream that nobody reads yet. */
static uint32_t pick_stream(struct maker *m)
{
    struct sim_graph *graph = m->graph;
    uint32_t pick = sim_below(m->random, graph->streams);
    if (sim_once_in(m->random, 4))
        return pick;
    for (uint32_t i = 0; i < graph->streams; i++) {
        uint32_t stream = (pick + i) % graph->streams;
        if (graph->stream[stream].readers == 0)
            return stream;
    }
    return pick;
}

/* ---- sources and sinks
 * --------------------------------------------------------------------------- */

static void choose_volume(struct maker *m, struct sim_source *source)
{
    struct sim_random *random = m->random;
    uint32_t left = SIM_ORIGINS - source->first_origin;
    source->parts = sim_once_in(random, 12) ? 0 : sim_between(random, 1, left < 5 ? left : 5);
    uint32_t mean = m->style->records / (source->parts + 1) + 1;
    for (uint32_t i = 0; i < source->parts; i++) {
        source->records[i] = sim_once_in(random, 6) ? 0 : sim_below(random, 2 * mean);
        if (source->records[i] > INPUT_RECORDS_MAX && !m->style->plain)
            source->records[i] = INPUT_RECORDS_MAX;
    }
}

static void choose_texts(struct maker *m, struct sim_source *source)
{
    struct sim_random *random = m->random;
    source->text_max = sim_once_in(random, 4) ? 2000 : 60;
    source->text_max =
        m->style->text_max < source->text_max ? m->style->text_max : source->text_max;
    if (source->type == SIM_NUMBER || m->style->text_max <= 2000 || !sim_once_in(random, 2))
        return;
    source->text_max = sim_between(random, 2000, m->style->text_max);
    source->long_in = sim_once_in(random, 3) ? 1 : sim_between(random, 5, 100);
    /* As many long ones as make a few megabytes. */
    uint32_t most = (4u << 20) / source->text_max * source->long_in + 1;
    for (uint32_t i = 0; i < source->parts; i++)
        if (source->records[i] > most)
            source->records[i] = most;
}

static void add_input(struct maker *m)
{
    static const enum sim_type types[] = {SIM_NUMBER, SIM_TEXT, SIM_PARCEL, SIM_PARCEL, SIM_PARCEL};
    struct sim_random *random = m->random;
    struct sim_graph *graph = m->graph;
    struct sim_node *node = add_node(m, SIM_INPUT, "in");
    struct sim_source *source = &node->source;
    *source = (struct sim_source){
        .type = m->style->numbers ? SIM_NUMBER : types[sim_below(random, 5)],
        .index = graph->sources++,
        .first_origin = graph->origins,
        .seed = sim_next(random),
        .batch_max = sim_once_in(random, 3) ? 3000 : sim_between(random, 1, 200),
        .pause_in = sim_once_in(random, 2) && !m->style->pressure ? sim_between(random, 2, 40) : 0,
        .pause_max = 1 << sim_below(random, 20),
        .ends_late = sim_once_in(random, 2),
        .fails_at = -1,
    };
    choose_volume(m, source);
    choose_texts(m, source);
    graph->origins += source->parts;
    double records = 0;
    for (uint32_t i = 0; i < source->parts; i++)
        records += source->records[i];
    if (m->style->may_stop && source->records[0] > 0 && sim_once_in(random, 4))
        source->fails_at = sim_below(random, source->records[0]);
    uint32_t text_max = source->type == SIM_NUMBER ? 0 : source->text_max;
    add_stream(m, node,
               (struct sim_stream){.type = source->type,
                                   .ordered = true,
                                   .same_record = source->type == SIM_PARCEL,
                                   .sources = 1u << source->index,
                                   .records = records,
                                   .text_max = text_max,
                                   .batch_text = cap_of(source->type) * (text_max + TEXT_EXTRA)});
}

static void add_output(struct maker *m, uint32_t stream)
{
    struct sim_random *random = m->random;
    struct sim_node *node = add_node(m, SIM_OUTPUT, "out");
    bool slow = sim_once_in(random, 4);
    node->sink = (struct sim_sink){
        .single = sim_once_in(random, m->graph->stream[stream].ordered ? 2 : 5),
        .slow_in = slow ? sim_between(random, 1, 10) : 0,
        .slow_max = slow ? 1 << sim_below(random, 17) : 0,
    };
    if (m->style->pressure) {
        node->sink.slow_in = 1;
        node->sink.slow_max = wax_millis(4);
        node->sink.slow_once = true;
    }
    const struct sim_stream *in = &m->graph->stream[stream];
    node->sink.typed = in->type == SIM_PARCEL && in->key == SIM_KEY_NONE && !node->sink.single;
    read_stream(m, node, stream);
    m->graph->outputs++;
}

/* ---- steps
 * ----------------------------------------------------------------------------------------- */

static bool can_use(const struct maker *m, const struct sim_op *op, const struct sim_stream *in)
{
    if (op->in != in->type || (op->needs_order && !(in->ordered && in->same_record)))
        return false;
    if (op->gain > 1.0 && (m->style->plain || in->records * op->gain > STREAM_RECORDS_MAX ||
                           in->records * op->gain * in->text_max > STREAM_BYTES_MAX))
        return false;
    switch (op->kind) {
    case SIM_KEY_RM:
        return in->key == op->key;
    case SIM_FOLD:
    case SIM_REDUCE:
        return in->key != SIM_KEY_NONE && !m->style->plain;
    default:
        return true;
    }
}

static void choose_policy(struct maker *m, struct sim_node *node, const struct sim_stream *in)
{
    if (!node->op->refuses)
        return;
    uint32_t choice = sim_below(m->random, m->style->may_stop ? 4 : 2);
    if (choice >= 2)
        return;
    node->policy = choice == 0 ? WX_ON_FAILURE_SKIP : WX_ON_FAILURE_DIVERT;
    if (node->policy == WX_ON_FAILURE_SKIP)
        return;
    struct sim_stream failures = *in;
    failures.type = SIM_FAILURE;
    failures.key = SIM_KEY_NONE;
    failures.ordered = failures.same_record = false;
    failures.text_max = in->text_max + 2000;
    failures.batch_text = BLOCK_TEXT + 2 * failures.text_max;
    add_stream(m, node, failures);
}

/* map, filter, flat_map, key_on, key_rm; or a branch by a filter's body. */
static void add_step(struct maker *m, uint32_t stream, const struct sim_op *op)
{
    static const char *const names[] = {"map", "filter", "flat", "key", "key-rm", "fold", "reduce"};
    struct sim_stream in = m->graph->stream[stream], out = in;
    bool branch = op->kind == SIM_FILTER && sim_once_in(m->random, 2);
    struct sim_node *node =
        add_node(m, branch ? SIM_BRANCH : SIM_STEP, branch ? "branch" : names[op->kind]);
    node->op = op;
    read_stream(m, node, stream);
    out.type = op->out;
    out.records *= op->gain > 0 ? op->gain : 1;
    if (op->kind != SIM_FILTER && op->kind != SIM_KEY_ON)
        out.same_record = in.same_record && op->same_record;
    if (op->kind == SIM_KEY_ON)
        out.key = op->key;
    if (op->kind == SIM_KEY_RM)
        out.key = SIM_KEY_NONE;
    out.text_max += op->grows;
    out.batch_text *= op->repeats ? op->repeats : 1;
    out.batch_text += cap_of(out.type) * (op->grows + TEXT_EXTRA);
    add_stream(m, node, out);
    if (branch)
        add_stream(m, node, out);
    choose_policy(m, node, &in);
}

static void add_final(struct maker *m, uint32_t stream, const struct sim_op *op)
{
    struct sim_stream in = m->graph->stream[stream], out = in;
    bool count = op->kind == SIM_KEY_ON;
    struct sim_node *node = add_node(m, count ? SIM_COUNT : SIM_FINAL,
                                     count                    ? "count"
                                     : op->kind == SIM_REDUCE ? "reduce"
                                                              : "fold");
    node->op = op;
    read_stream(m, node, stream);
    out.type = count ? SIM_NUMBER : op->out;
    out.key = count ? op->key : in.key;
    out.ordered = out.same_record = false;
    out.after_final = true;
    out.text_max += op->grows;
    out.batch_text = BLOCK_TEXT + FEW * TEXTS_MAX * (out.text_max + TEXT_EXTRA);
    add_stream(m, node, out);
    choose_policy(m, node, &in);
}

static void add_named(struct maker *m, uint32_t stream, const char *verb)
{
    struct sim_stream in = m->graph->stream[stream], out = in;
    struct sim_node *node = add_node(m, SIM_NAMED, verb);
    node->verb = verb;
    read_stream(m, node, stream);
    if (strcmp(verb, "key_rm") == 0)
        out.key = SIM_KEY_NONE;
    else
        out.ordered = false;
    if (strcmp(verb, "redistribute") == 0)
        out.batch_text = 2 * BLOCK_TEXT + TEXTS_MAX * (in.text_max + TEXT_EXTRA);
    add_stream(m, node, out);
}

/* Merges `stream` with others like it; the same stream twice is possible. */
static void add_merge(struct maker *m, uint32_t stream)
{
    struct sim_graph *graph = m->graph;
    struct sim_stream out = graph->stream[stream];
    struct sim_node *node = add_node(m, SIM_MERGE, "merge");
    read_stream(m, node, stream);
    uint32_t first = sim_below(m->random, graph->streams);
    for (uint32_t i = 0; i < graph->streams && node->inputs < SIM_MERGE_MAX; i++) {
        const struct sim_stream *more = &graph->stream[(first + i) % graph->streams];
        if (more->type != out.type || more->key != out.key ||
            (node->inputs > 1 && sim_once_in(m->random, 3)) ||
            out.records + more->records > STREAM_RECORDS_MAX)
            continue;
        /* Order stays where no part comes by two ways. */
        out.ordered = out.ordered && more->ordered && !(out.sources & more->sources);
        out.same_record = out.same_record && more->same_record;
        out.after_final = out.after_final || more->after_final;
        out.sources |= more->sources;
        out.records += more->records;
        out.text_max = out.text_max > more->text_max ? out.text_max : more->text_max;
        out.batch_text = out.batch_text > more->batch_text ? out.batch_text : more->batch_text;
        read_stream(m, node, (first + i) % graph->streams);
    }
    add_stream(m, node, out);
}

/* Any of the operations that `stream` allows, each as likely; NULL when there is none of `final` or
 * not. */
static const struct sim_op *pick_op(struct maker *m, uint32_t stream, bool final)
{
    const struct sim_stream *in = &m->graph->stream[stream];
    const struct sim_op *picked = NULL;
    uint32_t fitting = 0;
    for (uint32_t i = 0; i < sim_op_count; i++) {
        const struct sim_op *op = &sim_ops[i];
        bool fold = op->kind == SIM_FOLD || op->kind == SIM_REDUCE;
        bool fits = final ? fold || op->kind == SIM_KEY_ON : !fold;
        if (fits && can_use(m, op, in) && sim_once_in(m->random, ++fitting))
            picked = op;
    }
    return picked;
}

static const struct sim_op *op_named(const char *name)
{
    for (uint32_t i = 0; i < sim_op_count; i++)
        if (strcmp(sim_ops[i].op->name, name) == 0)
            return &sim_ops[i];
    return NULL;
}

/* Sees whether the parcels of a source stay in order on their way to the state of a key. */
static void add_ledger(struct maker *m, uint32_t input)
{
    static const char *const keys[] = {"p_origin", "p_few", "p_word"};
    uint32_t keyed = m->graph->streams;
    add_step(m, input, op_named(keys[sim_below(m->random, 3)]));
    add_final(m, keyed, op_named("p_ledger"));
}

/* Many keys: more than a batch of them on each worker, to be handed out through channels that are
 * full. */
static void add_census(struct maker *m, uint32_t input)
{
    static const char *const folds[] = {"n_sum", "n_tally_both", "n_tally"};
    const struct sim_op *spread = op_named("n_spread");
    uint32_t stream = m->graph->streams;
    if (!can_use(m, spread, &m->graph->stream[input]))
        return;
    add_step(m, input, spread);
    if (sim_once_in(m->random, 2)) {
        add_final(m, stream, op_named("n_wide"));
    } else {
        add_step(m, stream, op_named("n_wide"));
        add_final(m, stream + 1, op_named(folds[sim_below(m->random, 3)]));
    }
    add_named(m, m->graph->streams - 1, "redistribute");
}

static void add_something(struct maker *m)
{
    uint32_t stream = pick_stream(m), choice = sim_below(m->random, 20);
    const struct sim_stream *in = &m->graph->stream[stream];
    const struct sim_op *op;
    if (choice < 2) {
        add_merge(m, stream);
    } else if (choice < 4) {
        add_named(m, stream, "redistribute");
    } else if (choice < 5) {
        add_output(m, stream);
    } else if (choice < 6 && in->key != SIM_KEY_NONE) {
        add_named(m, stream, "key_rm");
    } else if (choice < 10 && !m->style->plain && (op = pick_op(m, stream, true))) {
        add_final(m, stream, op);
    } else if ((op = pick_op(m, stream, false))) {
        add_step(m, stream, op);
    }
}

void sim_graph_make(struct sim_graph *graph, const struct sim_style *style,
                    struct sim_random *random)
{
    struct maker m = {graph, random, style};
    *graph = (struct sim_graph){0};
    uint32_t inputs = sim_between(random, 1, SIM_INPUTS_MAX);
    for (uint32_t i = 0; i < inputs; i++)
        add_input(&m);
    for (uint32_t i = 0; i < inputs && style->pressure; i++)
        add_named(&m, i, "redistribute");
    uint32_t steps = style->steps < SIM_NODES_MAX / 2 ? style->steps : SIM_NODES_MAX / 2;
    for (uint32_t i = 0; i < steps; i++)
        add_something(&m);
    for (uint32_t i = 0; i < inputs; i++)
        if (graph->stream[i].type == SIM_PARCEL && !style->plain && sim_once_in(random, 3))
            add_ledger(&m, i);
        else if (graph->stream[i].type == SIM_NUMBER && !style->plain && sim_once_in(random, 4))
            add_census(&m, i);
    for (uint32_t i = 0; i < graph->streams && graph->nodes < SIM_NODES_MAX; i++)
        if (graph->stream[i].readers == 0 && !sim_once_in(random, 8))
            add_output(&m, i);
    if (graph->outputs == 0)
        add_output(&m, graph->streams - 1);
}

/* ---- what sources give
 * -------------------------------------------------------------------------------- */

/* Words of a few letters, blanks between them; here and there a capital. */
static void fill_text(uint64_t seed, char *text, uint32_t len)
{
    struct sim_random random = {seed};
    uint32_t at = 0;
    while (at < len) {
        uint64_t bits = sim_next(&random);
        uint32_t word = 1 + (uint32_t)(bits & 7);
        char letter = (char)((bits >> 8 & 15) == 0 ? 'A' : 'a');
        for (uint32_t i = 0; i < word && at < len; i++, bits >>= 4)
            text[at++] = (char)(letter + (char)(bits >> 12 & 1));
        if (at < len)
            text[at++] = ' ';
    }
}

void sim_source_record(const struct sim_source *source, uint32_t part, uint32_t k,
                       struct sim_item *item, char *text)
{
    uint64_t mixed = sim_mix(source->seed + part, k);
    *item = (struct sim_item){.type = source->type};
    item->number[0] = (int64_t)(mixed >> 48);
    if (source->type == SIM_NUMBER) {
        if ((mixed & 255) == 0)
            item->number[0] = (mixed & 256) ? INT64_MIN : INT64_MAX;
        return;
    }
    uint32_t most = source->text_max < 60 ? source->text_max : 60;
    if (source->long_in && mixed % source->long_in == 0)
        most = source->text_max;
    else if (!source->long_in && (mixed & 15) == 0)
        most = source->text_max;
    uint32_t len = (uint32_t)(sim_mix(mixed, 1) % (most + 1));
    fill_text(mixed & 0xffff00, text, len); /* few different texts, so that keys repeat */
    item->text[0] = (wax_str){text, len};
    if (source->type == SIM_PARCEL) {
        item->number[1] = source->first_origin + part;
        item->number[2] = k;
    } else {
        item->number[0] = 0;
    }
}

/* ---- the same graph for the engine
 * ----------------------------------------------------------------------- */

/* A wax_dataflow has no argument: this is what its builder builds, and what became of each stream.
 */
static struct {
    const struct sim_graph *graph;
    struct sim_io *io;
    wax_port *port[SIM_STREAMS_MAX];
} building;

static void build_node(wax_flow *flow, const struct sim_node *node)
{
    wax_port *in[SIM_MERGE_MAX] = {NULL}, *out[3] = {NULL};
    for (uint32_t i = 0; i < node->inputs; i++)
        in[i] = building.port[node->input[i]];
    switch (node->kind) {
    case SIM_INPUT:
        out[0] = wax_add_input(flow, node->id, node->id, sim_io_source(building.io, &node->source));
        break;
    case SIM_STEP:
        out[0] = wax_add(node->id, node->id, in[0], node->op->op, node->op->self);
        break;
    case SIM_BRANCH: {
        wax_ports both = wax_add_branch(node->id, node->id, in[0], node->op->op, node->op->self);
        out[0] = both.trues;
        out[1] = both.falses;
        break;
    }
    case SIM_MERGE:
        out[0] = wax_add_merge(node->id, node->id, in, node->inputs);
        break;
    case SIM_NAMED:
        out[0] = wax_add_named(node->id, node->id, in[0], node->verb);
        break;
    case SIM_COUNT:
    case SIM_FINAL:
        out[0] = wax_add_final(node->id, node->id, in[0], node->op->op);
        break;
    case SIM_OUTPUT:
        wax_add_output(node->id, node->id, in[0],
                       sim_io_sink(building.io, (uint32_t)(node - building.graph->node)));
        break;
    }
    if (node->policy == WX_ON_FAILURE_SKIP)
        out[0] = wax_skip_failures_(node->id, out[0]);
    if (node->policy == WX_ON_FAILURE_DIVERT)
        out[node->outputs - 1] = wax_add_failures(node->id, out[0]);
    for (uint32_t i = 0; i < node->outputs; i++)
        building.port[node->output[i]] = out[i];
}

static void build_all(wax_flow *flow)
{
    for (uint32_t i = 0; i < building.graph->nodes; i++)
        build_node(flow, &building.graph->node[i]);
}

wax_flow *sim_graph_build(const struct sim_graph *graph, struct sim_io *io, struct wx_error *err)
{
    static const wax_dataflow dataflow = {WAX_ABI, sizeof(wax_dataflow), "random", "graph.c:1",
                                          build_all};
    building.graph = graph;
    building.io = io;
    return wx_flow_build(&dataflow, NULL, 0, err);
}

/* ---- for the reader
 * ---------------------------------------------------------------------------------------- */

static void print_source(const struct sim_source *source, FILE *to)
{
    fprintf(to, " type %d, records", source->type);
    for (uint32_t i = 0; i < source->parts; i++)
        fprintf(to, " %u", source->records[i]);
    fprintf(to, ", %u a call, texts to %u (one in %u long), pause one in %u", source->batch_max,
            source->text_max, source->long_in, source->pause_in);
    if (source->fails_at >= 0)
        fprintf(to, ", fails at %lld", (long long)source->fails_at);
}

void sim_graph_print(const struct sim_graph *graph, FILE *to)
{
    static const char *const policies[] = {"", " skip", " divert"};
    for (uint32_t i = 0; i < graph->nodes; i++) {
        const struct sim_node *node = &graph->node[i];
        fprintf(to, "  %-16s", node->id);
        for (uint32_t k = 0; k < node->inputs; k++) {
            const struct sim_stream *in = &graph->stream[node->input[k]];
            fprintf(to, " <- %s.%u", graph->node[in->node].id, in->port);
        }
        if (node->op)
            fprintf(to, " %s%s", node->op->op->name, policies[node->policy]);
        if (node->kind == SIM_INPUT)
            print_source(&node->source, to);
        if (node->kind == SIM_OUTPUT)
            fprintf(to, "%s%s", node->sink.single ? " single" : "",
                    node->sink.slow_in ? " slow" : "");
        fprintf(to, "\n");
    }
}
