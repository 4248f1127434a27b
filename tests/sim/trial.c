/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One trial: what a seed says about dataflow and cluster, the run, and everything that is checked
 * after it. How exactly the outputs are known depends on the end: at the end of the input they are
 * what the interpreter says; after a drain the same for what sources gave until then, as long as no
 * fold lies between; when the dataflow was cut off they are a part of it.
 */
#include "sim/trial.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LONG_TEXT_WIRE (16u << 10) /* bytes */
#define MEMORY_RECORDS 400000u
#define FLOOD_RECORDS  1200000u
#define MEMORY_WIRE    (1u << 20) /* much more than channels may hold: credit has to limit them */

static void choose_cluster(struct sim_setup *setup, struct sim_random *random)
{
    static const uint8_t shapes[][2] = {{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 6}, {2, 1},
                                        {2, 2}, {2, 3}, {3, 1}, {3, 2}, {1, 2}, {2, 1}};
    static const uint32_t credits[] = {1, 1, 1000, 5000, 20000, 65536, 524288};
    uint32_t shape = sim_below(random, sizeof shapes / sizeof shapes[0]);
    setup->processes = shapes[shape][0];
    setup->workers = shapes[shape][1];
    setup->credit = credits[sim_below(random, sizeof credits / sizeof credits[0])];
    setup->epoch_interval = sim_once_in(random, 2) ? 0 : 1 << sim_below(random, 20);
    setup->wire = (struct sim_wire){
        .capacity = 1u << sim_between(random, 6, 18),
        .delay = 1 << sim_below(random, 14),
        .whole = sim_once_in(random, 3),
    };
    setup->message_delay = 1 << sim_below(random, 14);
    uint32_t end = sim_below(random, 12);
    setup->end = end == 0 ? SIM_END_NOW : end <= 2 ? SIM_END_DRAIN : SIM_END_OF_INPUT;
    setup->end_after = 1u << sim_below(random, 12);
    setup->end_after += sim_below(random, (uint32_t)setup->end_after);
}

static void choose_style(struct sim_style *style, struct sim_random *random)
{
    static const uint32_t steps[] = {6, 10, 10, 20, 30}, records[] = {30, 400, 1500, 3000, 8000};
    static const uint32_t texts[] = {2000, 2000, 2000, 100000, SIM_TEXT_MAX};
    *style = (struct sim_style){
        .steps = 1 + sim_below(random, steps[sim_below(random, 5)]),
        .records = 1 + sim_below(random, records[sim_below(random, 5)]),
        .text_max = sim_once_in(random, 2) ? 2000 : texts[sim_below(random, 5)],
        .may_stop = sim_once_in(random, 8),
    };
}

static void say(struct sim_trial *trial, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct sim_trial *trial, const char *fmt, ...)
{
    if (*trial->why)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(trial->why, sizeof trial->why, fmt, args);
    va_end(args);
}

/* Does the message of a failure tell where it happened? */
static void check_message(struct sim_trial *trial)
{
    const char *text = trial->result.failure.text;
    static const char *const parts[] = {"step '", "of dataflow 'random'", " on worker ",
                                        " in epoch "};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr(text, parts[i]))
            say(trial, "the message of a failure does not say \"%s\": %s", parts[i], text);
    bool source = strstr(text, "cannot be read");
    if (!source && !strstr(text, "; record "))
        say(trial, "the message of a failure does not name the record: %s", text);
}

/* Each output against what the oracle says, as far as this end of the run lets one know. */
static void compare(struct sim_trial *trial, struct sim_oracle *all, struct sim_oracle *given)
{
    const struct sim_graph *graph = &trial->graph;
    for (uint32_t i = 0; i < graph->nodes && !*trial->why; i++) {
        if (graph->node[i].kind != SIM_OUTPUT)
            continue;
        bool after_final = graph->stream[graph->node[i].input[0]].after_final;
        bool exact = trial->result.finished || (trial->setup.end == SIM_END_DRAIN && !after_final);
        if (trial->result.failed || trial->setup.end == SIM_END_NOW)
            exact = trial->result.finished;
        struct sim_oracle *want = exact && !trial->result.finished ? given : all;
        struct sim_bag got = {0};
        char why[1000];
        sim_io_collect(&trial->io, i, &got);
        if (!sim_bag_compare(&got, &want->bag[i], exact ? SIM_EQUAL : SIM_PART_OF, why, sizeof why))
            say(trial, "output '%s': %s", graph->node[i].id, why);
        sim_bag_fini(&got);
    }
}

static void check(struct sim_trial *trial)
{
    struct sim_result *result = &trial->result;
    if (result->fault)
        say(trial, "%s", result->fault);
    if (*trial->why)
        return;
    struct sim_oracle all, given = {0};
    sim_oracle_run(&all, &trial->graph, NULL, trial->counts);
    if (trial->setup.end == SIM_END_DRAIN && !result->finished)
        sim_oracle_run(&given, &trial->graph, trial->io.part, trial->counts);
    trial->records = all.records;
    bool fails = all.stops > 0;
    for (uint32_t i = 0; i < trial->graph.nodes; i++)
        fails |=
            trial->graph.node[i].kind == SIM_INPUT && trial->graph.node[i].source.fails_at >= 0;
    if (result->failed && !fails)
        say(trial, "the dataflow failed: %s", result->failure.text);
    if (result->finished && fails)
        say(trial, "the dataflow did not fail, though a record was refused");
    if (result->failed)
        check_message(trial);
    else if (!result->finished && trial->setup.end == SIM_END_OF_INPUT)
        say(trial, "the dataflow ended before its input did");
    compare(trial, &all, &given);
    sim_oracle_fini(&all);
    sim_oracle_fini(&given);
}

void sim_trial_prepare(struct sim_trial *trial, uint64_t seed)
{
    struct sim_random random = {sim_mix(seed, 1)};
    trial->setup.seed = seed;
    choose_cluster(&trial->setup, &random);
    choose_style(&trial->style, &random);
    if (trial->style.may_stop)
        trial->setup.end = SIM_END_OF_INPUT;
    /* Long texts through a wire of a few bytes would take for ever and show nothing. */
    if (trial->style.text_max > 2000 && trial->setup.wire.capacity < LONG_TEXT_WIRE)
        trial->setup.wire.capacity = LONG_TEXT_WIRE;
    sim_graph_make(&trial->graph, &trial->style, &random);
}

void sim_trial_prepare_memory(struct sim_trial *trial, uint64_t seed, bool flood)
{
    static const uint32_t credits[] = {1, 5000, 65536};
    struct sim_random random = {sim_mix(seed, 3)};
    trial->setup.seed = seed;
    choose_cluster(&trial->setup, &random);
    trial->setup.credit = credits[sim_below(&random, 3)];
    if (trial->setup.processes == 1)
        trial->setup.workers += trial->setup.workers == 1;
    if (flood) {
        trial->setup.processes = 2;
        trial->setup.workers = 1;
        trial->setup.credit = credits[1];
    }
    trial->setup.epoch_interval = wax_millis(sim_between(&random, 1, 100));
    trial->setup.wire.capacity = MEMORY_WIRE;
    trial->setup.end = SIM_END_OF_INPUT;
    trial->style = (struct sim_style){.steps = flood ? 1 : sim_between(&random, 1, 4),
                                      .records = flood ? FLOOD_RECORDS : MEMORY_RECORDS,
                                      .text_max = 30,
                                      .pressure = true,
                                      .numbers = flood || sim_once_in(&random, 2),
                                      .plain = true};
    sim_graph_make(&trial->graph, &trial->style, &random);
    trial->counts = true;
}

double sim_trial_volume(const struct sim_trial *trial)
{
    double bytes = 0;
    for (uint32_t i = 0; i < trial->graph.nodes; i++) {
        const struct sim_source *source = &trial->graph.node[i].source;
        for (uint32_t k = 0; trial->graph.node[i].kind == SIM_INPUT && k < source->parts; k++)
            bytes += (double)source->records[k] * sim_wax_type(source->type)->size;
    }
    return bytes;
}

void sim_trial_run(struct sim_trial *trial)
{
    uint32_t workers = trial->setup.processes * trial->setup.workers;
    sim_io_init(&trial->io, &trial->graph, workers, trial->setup.seed);
    trial->io.counts = trial->counts;
    sim_cluster_run(&trial->setup, &trial->graph, &trial->io, &trial->result);
    check(trial);
    if (sim_library_open_count() != 0)
        say(trial, "%" PRId64 " SELFs were opened and not closed", sim_library_open_count());
    sim_io_fini(&trial->io);
    free(trial->result.fault);
}

void sim_trial_print(const struct sim_trial *trial, FILE *to)
{
    static const char *const ends[] = {"end of input", "drain", "leave"};
    const struct sim_setup *setup = &trial->setup;
    fprintf(to,
            "%u processes of %u workers, credit %" PRIu64 ", epochs of %" PRId64
            " us, wire of %u bytes and %" PRId64 " us; %s after %" PRIu64 " turns\n",
            setup->processes, setup->workers, setup->credit, setup->epoch_interval,
            setup->wire.capacity, setup->wire.delay, ends[setup->end], setup->end_after);
    sim_graph_print(&trial->graph, to);
}
