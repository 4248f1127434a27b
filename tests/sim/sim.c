/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated cluster, from the command line:
 *
 *   sim [--seeds N] [--first S]    N random dataflows, each on a random cluster; the default is a
 * short run sim --seed S [--verbose]       one of them again, exactly as it was sim --memory only
 * that memory stays where the formula says, with slow sinks sim --selftest                 only
 * that the checks find deliberate defects
 *   --bug N                        with each: puts a defect into every run, see enum sim_bug
 *
 * Without arguments: some of all three. Each seed makes a dataflow, an expectation (oracle.c) and a
 * cluster (cluster.c), and compares.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "sim/trial.h"

#define SEEDS_DEFAULT 1500u
#define MEMORY_SEEDS  12u

enum part { ALL, RANDOM, MEMORY, SELFTEST };

struct options {
    enum part part;
    uint64_t first, seeds; /* 0: as many as usual */
    enum sim_bug bug;      /* to be put into every run */
    bool verbose;
};

struct tally {
    uint64_t passed, failed, records, turns, trace;
};

static void count(struct tally *tally, bool good)
{
    tally->passed += good;
    tally->failed += !good;
}

static uint64_t running_seed; /* for the handler of crashes */

static void on_crash(int number)
{
    char text[100];
    int n =
        snprintf(text, sizeof text, "seed %" PRIu64 " crashed; replay: sim --seed %" PRIu64 "\n",
                 running_seed, running_seed);
    ssize_t written = write(STDERR_FILENO, text, (size_t)n);
    (void)written;
    signal(number, SIG_DFL);
    raise(number);
}

/* One seed, twice when `again`: both runs must go the same way. */
static void run_seed(uint64_t seed, const struct options *options, bool again, struct tally *tally)
{
    struct sim_trial *trial = wx_calloc(1, sizeof *trial);
    running_seed = seed;
    sim_trial_prepare(trial, seed);
    trial->setup.bug = options->bug;
    if (options->verbose) {
        sim_trial_print(trial, stdout);
        fflush(stdout);
        trial->setup.trace = stdout;
    }
    sim_trial_run(trial);
    uint64_t trace = trial->result.trace;
    if (again && !*trial->why) {
        memset(trial, 0, sizeof *trial);
        sim_trial_prepare(trial, seed);
        trial->setup.bug = options->bug;
        sim_trial_run(trial);
        if (trial->result.trace != trace)
            snprintf(trial->why, sizeof trial->why, "run again it took another way");
    }
    tally->trace = sim_mix(tally->trace, trace);
    tally->turns += trial->result.turns;
    tally->records += trial->records;
    count(tally, !*trial->why);
    if (*trial->why)
        printf("seed %" PRIu64 " FAILED: %s\nreplay: sim --seed %" PRIu64 " --verbose\n", seed,
               trial->why, seed);
    if (options->verbose)
        printf("%s; peak %zu of %zu bytes in batches\n",
               trial->result.failed ? trial->result.failure.text : "no failure", trial->result.peak,
               trial->result.bound);
    free(trial);
}

/* ---- do the checks find defects?
 * --------------------------------------------------------------------------- */

#define BUG_RUNS_MAX 400u /* seeds tried for a bug */

enum verdict { UNNOTICED, NOTICED, NO_OCCASION };

/* In a process of its own: a broken engine may also crash. */
static enum verdict run_with_bug(uint64_t seed, enum sim_bug bug)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        struct sim_trial *trial = wx_calloc(1, sizeof *trial);
        if (bug == SIM_NO_CREDIT)
            sim_trial_prepare_memory(trial, seed, true);
        else
            sim_trial_prepare(trial, seed);
        trial->setup.bug = bug;
        trial->setup.end = SIM_END_OF_INPUT;
        sim_trial_run(trial);
        _exit(*trial->why ? NOTICED : trial->result.bug_used ? UNNOTICED : NO_OCCASION);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return NO_OCCASION;
    return WIFEXITED(status) ? (enum verdict)WEXITSTATUS(status) : NOTICED;
}

/* Each bug must be noticed; how often it can be depends on the dataflow. `enough`: runs with each
 * bug. */
static void selftest(uint64_t first, uint32_t enough, struct tally *tally)
{
    for (uint32_t bug = SIM_NO_BUG + 1; bug < SIM_BUGS; bug++) {
        uint32_t used = 0, noticed = 0;
        for (uint64_t i = 0; i < BUG_RUNS_MAX && (used < enough || !noticed); i++) {
            enum verdict verdict = run_with_bug(first + i, (enum sim_bug)bug);
            used += verdict != NO_OCCASION;
            noticed += verdict == NOTICED;
        }
        printf("defect: %-22s noticed in %u of %u runs\n", sim_bug_name((enum sim_bug)bug), noticed,
               used);
        count(tally, noticed > 0);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* No worker may have more than the formula allows. */
static void run_memory(uint64_t seed, const struct options *options, struct tally *tally)
{
    struct sim_trial *trial = wx_calloc(1, sizeof *trial);
    running_seed = seed;
    sim_trial_prepare_memory(trial, seed, options->bug == SIM_NO_CREDIT);
    trial->setup.bug = options->bug;
    sim_trial_run(trial);
    printf("memory: %.1f MB given, %.2f MB in batches of a worker at most, %.2f MB allowed\n",
           sim_trial_volume(trial) / 1e6, (double)trial->result.peak / 1e6,
           (double)trial->result.bound / 1e6);
    count(tally, !*trial->why);
    if (*trial->why) {
        printf("memory FAILED: %s\nreplay: sim --memory --seed %" PRIu64 "\n", trial->why, seed);
        sim_trial_print(trial, stdout);
    }
    free(trial);
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"seeds", required_argument, NULL, 'n'}, {"first", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},  {"verbose", no_argument, NULL, 'v'},
        {"selftest", no_argument, NULL, 't'},    {"memory", no_argument, NULL, 'm'},
        {"bug", required_argument, NULL, 'b'},   {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "v", known, NULL)) != -1;) {
        if ((c == 'n' || c == 's') && options->part == ALL)
            options->part = RANDOM;
        if (c == 'n')
            options->seeds = strtoull(optarg, NULL, 10);
        else if (c == 'f')
            options->first = strtoull(optarg, NULL, 10);
        else if (c == 's')
            options->first = strtoull(optarg, NULL, 10), options->seeds = 1;
        else if (c == 'v')
            options->verbose = true;
        else if (c == 'b')
            options->bug = (enum sim_bug)strtoul(optarg, NULL, 10);
        else if (c == 't' || c == 'm')
            options->part = c == 't' ? SELFTEST : MEMORY;
        else
            return false;
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct options options = {.first = 1, .seeds = 0, .part = ALL};
    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "usage: sim [--seeds N] [--first S] [--seed S] [--verbose] [--memory] "
                        "[--bug N] "
                        "[--selftest]\n");
        return 2;
    }
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    wx_log_setup(options.verbose ? WX_LOG_DEBUG : WX_LOG_ERROR, WX_LOG_TEXT, -1);
    struct tally tally = {0};
    bool all = options.part == ALL;
    uint64_t seeds = options.seeds ? options.seeds : SEEDS_DEFAULT;
    for (uint64_t i = 0; i < seeds && (all || options.part == RANDOM); i++)
        run_seed(options.first + i, &options, seeds == 1 || i % 20 == 0, &tally);
    if (tally.turns)
        printf("random: %" PRIu64 " records, %" PRIu64 " turns, trace %016" PRIx64 "\n",
               tally.records, tally.turns, tally.trace);
    seeds = options.seeds ? options.seeds : MEMORY_SEEDS;
    for (uint64_t i = 0; i < seeds && (all || options.part == MEMORY); i++)
        run_memory(options.first + i, &options, &tally);
    if (all || options.part == SELFTEST)
        selftest(options.first, all ? 5 : 30, &tally);
    printf("%" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n", tally.passed, tally.failed);
    return tally.failed > 0;
}
