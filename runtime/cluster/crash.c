/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crashes: one line that names the step, the worker, the epoch and the record, written on an
 * alternate stack with nothing but write(2). Which record it was is found by a forked copy of the
 * process, which does the interrupted batch again, record by record, until it crashes too. The
 * default action is then restored and the signal raised again; since it is blocked while its
 * handler runs, it strikes when the handler returns, with the registers of the crash.
 */
#include "cluster/crash.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/worker.h"

/* The copy runs a body on it. Pages that are not touched cost nothing. */
#define STACK_BYTES (1u << 20)

static const struct {
    int number;
    const char *name;
} crashes[] = {{SIGSEGV, "SIGSEGV"},
               {SIGBUS, "SIGBUS"},
               {SIGFPE, "SIGFPE"},
               {SIGILL, "SIGILL"},
               {SIGABRT, "SIGABRT"}};
#define CRASHES (sizeof crashes / sizeof crashes[0])

static size_t append(char *text, size_t len, size_t cap, const char *more)
{
    size_t n = strlen(more);
    if (n > cap - len)
        n = cap - len;
    memcpy(text + len, more, n);
    return len + n;
}

#define REPLAY_SECONDS 2u

static volatile uint64_t *replayed; /* shared with the copy: the record that it does */

static void note_record(uint64_t record)
{
    *replayed = record;
}

/* The copy: mute, without a core dump of its own, and not for long. */
static _Noreturn void replay(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    for (size_t i = 0; i < CRASHES; i++)
        signal(crashes[i].number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    alarm(REPLAY_SECONDS);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    wx_worker_replay(note_record);
    _exit(0);
}

/* The number of the record that crashed, or 0 when the copy did not crash in the same way. */
static uint64_t find_record(int signal_number)
{
    void *page =
        mmap(NULL, sizeof *replayed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return 0;
    replayed = page;
    pid_t copy = _Fork(); /* unlike fork(), safe in a signal handler */
    if (copy == 0)
        replay();
    int status = 0;
    while (copy > 0 && waitpid(copy, &status, 0) < 0 && errno == EINTR)
        ;
    bool same = copy > 0 && WIFSIGNALED(status) && WTERMSIG(status) == signal_number;
    return same ? *replayed : 0;
}

static void on_crash(int signal_number)
{
    const char *name = "a signal";
    for (size_t i = 0; i < CRASHES; i++)
        if (crashes[i].number == signal_number)
            name = crashes[i].name;
    char text[1024], where[512];
    size_t cap = sizeof text - 1, len = append(text, 0, cap, "wax: crashed with ");
    len = append(text, len, cap, name);
    if (wx_worker_crash_text(find_record(signal_number), where, sizeof where)) {
        len = append(text, len, cap, " in ");
        len = append(text, len, cap, where);
    }
    text[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, text, len);
    (void)written; /* there is nobody left to tell */
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

void wx_crash_install(void)
{
    for (size_t i = 0; i < CRASHES; i++) {
        struct sigaction old, action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
        sigemptyset(&action.sa_mask);
        bool taken = sigaction(crashes[i].number, NULL, &old) == 0 && old.sa_handler != SIG_DFL;
        if (!taken)
            sigaction(crashes[i].number, &action, NULL);
    }
}

void *wx_crash_stack_create(void)
{
    stack_t old, stack = {.ss_size = STACK_BYTES};
    if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE))
        return NULL;
    stack.ss_sp = wx_alloc(STACK_BYTES);
    sigaltstack(&stack, NULL);
    return stack.ss_sp;
}

void wx_crash_stack_destroy(void *stack)
{
    if (!stack)
        return;
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    free(stack);
}
