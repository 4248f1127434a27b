/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated cluster, from the command line:
 *
 *   sim [--seeds N] [--first S]    N random dataflows, each on a random cluster; the default is a short run
 *   sim --seed S [--verbose]       one of them again, exactly as it was
 *   sim --selftest                 only that the checks find deliberate defects
 *
 * Each seed makes a dataflow, an expectation (oracle.c) and a cluster (cluster.c), and compares.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sim/cluster.h"
#include "sim/oracle.h"

#define SEEDS_DEFAULT  1200u
#define LONG_TEXT_WIRE (16u << 10) /* bytes */

struct options {
    uint64_t first, seeds;
    bool verbose, selftest, one;
};

/* ---- one seed ------------------------------------------------------------------------------------------ */

struct trial {
    struct sim_setup setup;
    struct sim_style style;
    struct sim_graph graph;
    struct sim_io io;
    struct sim_result result;
    char why[3000]; /* what was wrong; empty: nothing */
};

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
    uint32_t size = sim_below(random, 10);
    *style = (struct sim_style){
        .steps = 1 + sim_below(random, size < 6 ? 10 : 30),
        .records = size < 7 ? 1 + sim_below(random, 400) : 1 + sim_below(random, 4000),
        .text_max = sim_once_in(random, 12) ? SIM_TEXT_MAX : sim_once_in(random, 4) ? 100000 : 2000,
        .may_stop = sim_once_in(random, 8),
    };
}

static void say(struct trial *trial, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct trial *trial, const char *fmt, ...)
{
    if (*trial->why)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(trial->why, sizeof trial->why, fmt, args);
    va_end(args);
}

/* Does the message of a failure tell where it happened? */
static void check_message(struct trial *trial)
{
    const char *text = trial->result.failure.text;
    static const char *const parts[] = {"step '", "of dataflow 'random'", " on worker ", " in epoch "};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr(text, parts[i]))
            say(trial, "the message of a failure does not say \"%s\": %s", parts[i], text);
    bool source = strstr(text, "cannot be read");
    if (!source && !strstr(text, "; record "))
        say(trial, "the message of a failure does not name the record: %s", text);
}

/* Each output against what the oracle says, as far as this end of the run lets one know. */
static void compare(struct trial *trial, struct sim_oracle *all, struct sim_oracle *given)
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

/* When the end of the input was reached, every sink has committed all that it made ready. */
static void check_commits(struct trial *trial)
{
    if (!trial->result.finished || trial->result.failed || trial->setup.end == SIM_END_NOW)
        return;
    for (uint32_t i = 0; i < trial->graph.nodes * trial->io.workers; i++) {
        const struct sim_sunk *sunk = &trial->io.sunk[i];
        if (sunk->committed != sunk->ready)
            say(trial, "output '%s' was ready with epoch %" PRIu64 " and committed only %" PRIu64,
                trial->graph.node[i / trial->io.workers].id, sunk->ready, sunk->committed);
    }
}

static void check(struct trial *trial)
{
    struct sim_result *result = &trial->result;
    if (result->fault)
        say(trial, "%s", result->fault);
    if (*trial->why)
        return;
    struct sim_oracle all, given = {0};
    sim_oracle_run(&all, &trial->graph, NULL);
    if (trial->setup.end == SIM_END_DRAIN && !result->finished)
        sim_oracle_run(&given, &trial->graph, trial->io.part);
    bool fails = all.stops > 0;
    for (uint32_t i = 0; i < trial->graph.nodes; i++)
        fails |= trial->graph.node[i].kind == SIM_INPUT && trial->graph.node[i].source.fails_at >= 0;
    if (result->failed && !fails)
        say(trial, "the dataflow failed: %s", result->failure.text);
    if (result->finished && fails)
        say(trial, "the dataflow did not fail, though a record was refused");
    if (result->failed)
        check_message(trial);
    else if (!result->finished && trial->setup.end == SIM_END_OF_INPUT)
        say(trial, "the dataflow ended before its input did");
    compare(trial, &all, &given);
    check_commits(trial);
    sim_oracle_fini(&all);
    sim_oracle_fini(&given);
}

/* Sets up what the seed says. */
static void prepare(struct trial *trial, uint64_t seed)
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

static void run(struct trial *trial)
{
    uint32_t workers = trial->setup.processes * trial->setup.workers;
    sim_io_init(&trial->io, &trial->graph, workers, trial->setup.seed);
    sim_cluster_run(&trial->setup, &trial->graph, &trial->io, &trial->result);
    check(trial);
    if (sim_library_open_count() != 0)
        say(trial, "%" PRId64 " SELFs were opened and not closed", sim_library_open_count());
    sim_io_fini(&trial->io);
    free(trial->result.fault);
}

static void print_trial(const struct trial *trial, FILE *to)
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

static uint64_t running_seed; /* for the handler of crashes */

static void on_crash(int number)
{
    char text[100];
    int n = snprintf(text, sizeof text, "seed %" PRIu64 " crashed; replay: sim --seed %" PRIu64 "\n",
                     running_seed, running_seed);
    ssize_t written = write(STDERR_FILENO, text, (size_t)n);
    (void)written;
    signal(number, SIG_DFL);
    raise(number);
}

/* True when all was well. */
static bool run_seed(uint64_t seed, bool verbose, uint64_t *traces)
{
    struct trial *trial = wx_calloc(1, sizeof *trial);
    running_seed = seed;
    prepare(trial, seed);
    if (verbose) {
        print_trial(trial, stdout);
        fflush(stdout);
        trial->setup.trace = verbose ? stdout : NULL;
    }
    run(trial);
    bool good = !*trial->why;
    *traces = sim_mix(*traces, trial->result.trace);
    if (!good)
        printf("seed %" PRIu64 " FAILED: %s\nreplay: sim --seed %" PRIu64 " --verbose\n", seed,
               trial->why, seed);
    if (verbose)
        printf("%s; %" PRIu64 " turns, trace %016" PRIx64 ", peak %zu of %zu bytes\n",
               trial->result.failed ? trial->result.failure.text : "no failure",
               trial->result.turns, trial->result.trace, trial->result.peak, trial->result.bound);
    free(trial);
    return good;
}

/* ---- do the checks find defects? --------------------------------------------------------------------------- */

#define BUG_RUNS_MAX 400u /* seeds tried for a bug */
#define BUG_USED_MIN 30u  /* runs with the bug that are enough */

enum verdict { UNNOTICED, NOTICED, NO_OCCASION };

/* In a process of its own: a broken engine may also crash. */
static enum verdict run_with_bug(uint64_t seed, enum sim_bug bug)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        struct trial *trial = wx_calloc(1, sizeof *trial);
        prepare(trial, seed);
        trial->setup.bug = bug;
        trial->setup.end = SIM_END_OF_INPUT;
        run(trial);
        _exit(*trial->why ? NOTICED : trial->result.bug_used ? UNNOTICED : NO_OCCASION);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return NO_OCCASION;
    return WIFEXITED(status) ? (enum verdict)WEXITSTATUS(status) : NOTICED;
}

/* Each bug must be noticed; how often it can be depends on the dataflow. */
static int selftest(uint64_t first)
{
    uint32_t passed = 0, failed = 0;
    for (uint32_t bug = SIM_NO_BUG + 1; bug < SIM_BUGS; bug++) {
        uint32_t used = 0, noticed = 0;
        for (uint64_t i = 0; i < BUG_RUNS_MAX && used < BUG_USED_MIN; i++) {
            enum verdict verdict = run_with_bug(first + i, (enum sim_bug)bug);
            used += verdict != NO_OCCASION;
            noticed += verdict == NOTICED;
        }
        printf("%-22s noticed in %u of %u runs\n", sim_bug_name((enum sim_bug)bug), noticed, used);
        passed += noticed > 0;
        failed += noticed == 0;
    }
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed > 0;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"seeds", required_argument, NULL, 'n'},
                                          {"first", required_argument, NULL, 'f'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"selftest", no_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.first = 1, .seeds = SEEDS_DEFAULT};
    for (int c; (c = getopt_long(argc, argv, "v", known, NULL)) != -1;) {
        if (c == 'n')
            options.seeds = strtoull(optarg, NULL, 10);
        else if (c == 'f')
            options.first = strtoull(optarg, NULL, 10);
        else if (c == 's')
            options.first = strtoull(optarg, NULL, 10), options.seeds = 1;
        else if (c == 'v')
            options.verbose = true;
        else if (c == 't')
            options.selftest = true;
        else
            return 2;
    }
    if (options.selftest)
        return selftest(options.first);
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    uint64_t passed = 0, failed = 0, traces = 0;
    for (uint64_t i = 0; i < options.seeds; i++) {
        bool good = run_seed(options.first + i, options.verbose, &traces);
        passed += good;
        failed += !good;
    }
    printf("traces %016" PRIx64 "\n%" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n", traces, passed,
           failed);
    return failed > 0;
}
