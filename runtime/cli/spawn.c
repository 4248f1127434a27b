/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running compilers and make. Input goes through a memory file rather than a pipe, so that nothing
 * can block; output comes back through a pipe that is read to its end before the exit code is asked
 * for.
 */
#include "cli/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/path.h"

#define OUTPUT_STEP 4096 /* bytes read at once */

/* The environment without what belongs to a `make` that called us. Returns owned; entries are
 * borrowed. */
static char **clean_environment(void)
{
    static const char *const names[] = {"MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=", "GNUMAKEFLAGS="};
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **env = wx_calloc(n + 1, sizeof *env);
    for (size_t i = 0; i < n; i++) {
        bool drop = false;
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            drop = drop || strncmp(environ[i], names[k], strlen(names[k])) == 0;
        if (!drop)
            env[kept++] = environ[i];
    }
    return env;
}

/* A descriptor from which `text` can be read; -1 when there is none to be had. */
static int open_input(const char *text)
{
    if (!text)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("wax-input", MFD_CLOEXEC);
    size_t len = strlen(text);
    if (fd >= 0 && (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void read_all(int fd, struct wx_buf *output)
{
    for (;;) {
        char *to = wx_buf_reserve(output, OUTPUT_STEP);
        if (!to)
            return;
        ssize_t n = read(fd, to, OUTPUT_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        output->len += (size_t)n;
    }
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return WX_EXIT_INTERNAL;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Returns 0 or an errno. `out` is the write end of the pipe, or -1. */
static int start(char *const *argv, const char *dir, int in, int out, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out >= 0 ? out : STDERR_FILENO, STDOUT_FILENO);
    if (dir)
        posix_spawn_file_actions_addchdir_np(&actions, dir);
    char **env = clean_environment();
    int rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, env);
    free(env);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int wx_spawn(char *const *argv, const struct wx_spawn *how, struct wx_error *err)
{
    int ends[2] = {-1, -1};
    int in = open_input(how->input);
    if (in < 0 || (how->output && pipe2(ends, O_CLOEXEC) < 0)) {
        wx_fail(err, WX_EXIT_MODULE, "cannot start '%s': %s", argv[0], strerror(errno));
        if (in >= 0)
            close(in);
        return -1;
    }
    pid_t pid = -1;
    int rc = start(argv, how->dir, in, ends[1], &pid);
    close(in);
    if (how->output) {
        close(ends[1]);
        if (rc == 0)
            read_all(ends[0], how->output);
        close(ends[0]);
    }
    if (rc != 0)
        return wx_fail(err, WX_EXIT_MODULE, "cannot start '%s': %s", argv[0], strerror(rc));
    return wait_for(pid);
}
