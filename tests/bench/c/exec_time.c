/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures start-up: runs several commands N times each, in turn, from exec to exit, with their
 * output thrown away, and prints one line `exec median_us=<t> min_us=<t>` for each command. A
 * command that does not exit with 0 ends the measurement.
 *
 * usage: exec_time N COMMAND [ARG...] [-- COMMAND [ARG...]]...
 */
#define _GNU_SOURCE
#include "bench.h"

#include <spawn.h>
#include <sys/wait.h>

#define MAX_COMMANDS 8

extern char **environ;

static uint64_t run_once(char **command, posix_spawn_file_actions_t *quiet)
{
    uint64_t start = now_ns();
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, command[0], quiet, NULL, command, environ))
        die(command[0]);
    if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "'%s' failed\n", command[0]);
        exit(1);
    }
    return now_ns() - start;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Cuts the arguments at each `--`; how many commands there are. */
static int split_commands(char **argument, char ***command)
{
    int n = 0;
    while (*argument && n < MAX_COMMANDS) {
        command[n++] = argument;
        while (*argument && strcmp(*argument, "--") != 0)
            argument++;
        if (*argument)
            *argument++ = NULL;
    }
    return n;
}

int main(int argc, char **argv)
{
    char **command[MAX_COMMANDS];
    int n = argc > 2 ? split_commands(argv + 2, command) : 0;
    size_t runs = argc > 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (n == 0 || runs == 0) {
        fprintf(stderr, "usage: exec_time N COMMAND [ARG...] [-- COMMAND [ARG...]]...\n");
        return 2;
    }
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    uint64_t *time = must_alloc((size_t)n * runs * sizeof *time);
    for (size_t run = 0; run < runs; run++)
        for (int i = 0; i < n; i++)
            time[(size_t)i * runs + run] = run_once(command[i], &quiet);
    for (int i = 0; i < n; i++) {
        uint64_t *own = time + (size_t)i * runs;
        qsort(own, runs, sizeof *own, by_value);
        printf("exec median_us=%.1f min_us=%.1f\n", (double)own[runs / 2] / 1e3,
               (double)own[0] / 1e3);
    }
}
