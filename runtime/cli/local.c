/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster on one machine, for trying things out.
 *
 * Signals. A terminal sends its signals to every process of the foreground group, so with a
 * terminal as standard input the children stay in our group (they may read from it, and ^Z stops
 * all) and what the terminal sent is not passed on a second time. Without one the children get a
 * group of their own: then a signal to our whole group, as `timeout` sends it, reaches them once,
 * through us.
 *
 * Ports. Each is held by a bound socket that does not listen, until the cluster ends: nobody is
 * given that port in the meantime, while a process that binds it with SO_REUSEADDR, as servers do,
 * may.
 */
#include "cli/local.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/path.h"

#define AFTERMATH_MS                                                                               \
    500              /* after the first failure, for the others to find out and say so themselves */
#define STOP_MS 5000 /* then, from SIGTERM to SIGKILL */
#define SAME_BLOW_MS                                                                               \
    20                   /* two signals this close come from one deed: `timeout` sends each twice  \
                          */
#define ADDRESS_BYTES 24 /* of "127.0.0.1:65535;" */

struct child {
    pid_t pid;
    bool running;
    int code; /* as a shell would see it */
};

struct cluster {
    uint32_t n;
    struct child *child;
    int *port; /* sockets that hold the ports */
    int stdout_lock;
    int signals; /* signalfd */
    sigset_t old_mask;
    bool own_group;    /* the children are in a process group of their own */
    int stopped_by;    /* the first signal that asked us to stop, or 0 */
    int64_t blow_ms;   /* when that was */
    int64_t failed_ms; /* when the first child failed, or 0 */
    bool asked;        /* the children were told to stop after a failure */
    bool killed;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- before the start ------------------------------------------------------------------------ */

static int hold_port(int *fd, char *address, size_t cap)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int on = 1;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(*fd, (struct sockaddr *)&in, sizeof in) < 0 ||
        getsockname(*fd, (struct sockaddr *)&in, &len) < 0)
        return -1;
    snprintf(address, cap, "127.0.0.1:%u", ntohs(in.sin_port));
    return 0;
}

/* Returns the list for --addresses, owned, or NULL with `err` filled. */
static char *hold_ports(struct cluster *cluster, struct wx_error *err)
{
    size_t cap = cluster->n * ADDRESS_BYTES, len = 0;
    char *list = wx_calloc(cap, 1);
    for (uint32_t i = 0; i < cluster->n; i++) {
        char address[ADDRESS_BYTES];
        if (hold_port(&cluster->port[i], address, sizeof address) < 0) {
            wx_fail(err, WX_EXIT_NETWORK, "cannot find a free port on 127.0.0.1: %s",
                    strerror(errno));
            free(list);
            return NULL;
        }
        len += (size_t)snprintf(list + len, cap - len, "%s%s", i ? ";" : "", address);
    }
    return list;
}

/* A file without a name, which the children find by the number of our descriptor. */
static int make_stdout_lock(struct cluster *cluster, struct wx_error *err)
{
    cluster->stdout_lock = memfd_create("wax-stdout-lock", MFD_CLOEXEC);
    if (cluster->stdout_lock < 0)
        return wx_fail(err, WX_EXIT_FAILED, "cannot make a lock for standard output: %s",
                       strerror(errno));
    WX_AUTO_FREE char *path = wx_text("/proc/%d/fd/%d", (int)getpid(), cluster->stdout_lock);
    setenv(WX_STDOUT_LOCK, path, 1);
    return 0;
}

static int watch_signals(struct cluster *cluster, struct wx_error *err)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, &cluster->old_mask);
    cluster->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (cluster->signals < 0)
        return wx_fail(err, WX_EXIT_FAILED, "cannot wait for signals: %s", strerror(errno));
    return 0;
}

/* ---- starting -------------------------------------------------------------------------------- */

/* In the child, up to its exec(). */
static _Noreturn void become(const struct cluster *cluster, char **argv, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(128 + SIGKILL); /* it died before we asked to die with it */
    if (cluster->own_group)
        setpgid(0, 0);
    sigprocmask(SIG_SETMASK, &cluster->old_mask, NULL);
    execv("/proc/self/exe", argv);
    dprintf(STDERR_FILENO, "wax: cannot start a process of the cluster: %s\n", strerror(errno));
    _exit(WX_EXIT_INTERNAL);
}

static int start(struct cluster *cluster, uint32_t index, char *const *args, size_t at,
                 const char *addresses, struct wx_error *err)
{
    struct wx_words argv = {0};
    for (size_t i = 0; i < at; i++)
        wx_words_add(&argv, args[i]);
    wx_words_take(&argv, wx_text("--process-id=%u", index));
    wx_words_take(&argv, wx_text("--addresses=%s", addresses));
    for (size_t i = at; args[i]; i++)
        wx_words_add(&argv, args[i]);
    pid_t self = getpid(), pid = fork();
    if (pid == 0)
        become(cluster, argv.item, self);
    wx_words_fini(&argv);
    if (pid < 0)
        return wx_fail(err, WX_EXIT_FAILED, "cannot start process %u of the cluster: %s", index,
                       strerror(errno));
    cluster->child[index] = (struct child){.pid = pid, .running = true};
    return 0;
}

/* ---- until the end --------------------------------------------------------------------------- */

static void signal_all(const struct cluster *cluster, int number)
{
    for (uint32_t i = 0; i < cluster->n; i++)
        if (cluster->child[i].running)
            kill(cluster->child[i].pid, number);
}

static void kill_all(struct cluster *cluster)
{
    cluster->killed = true;
    signal_all(cluster, SIGKILL);
}

static void on_stop_signal(struct cluster *cluster, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;
    bool from_terminal = info->ssi_code == SI_KERNEL && !cluster->own_group;
    if (!cluster->stopped_by) {
        cluster->stopped_by = number;
        cluster->blow_ms = now_ms();
        if (!from_terminal)
            signal_all(cluster, number);
    } else if (now_ms() - cluster->blow_ms > SAME_BLOW_MS) {
        kill_all(cluster);
    }
}

/* Did we end a child by this signal? */
static bool is_ours(const struct cluster *cluster, int number)
{
    return cluster->killed || number == cluster->stopped_by ||
           (cluster->asked && number == SIGTERM);
}

static void reap(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->n; i++) {
        struct child *child = &cluster->child[i];
        int status;
        if (!child->running || waitpid(child->pid, &status, WNOHANG) != child->pid)
            continue;
        child->running = false;
        child->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        bool as_told = cluster->stopped_by && child->code == 128 + cluster->stopped_by;
        if (child->code != 0 && !as_told && !cluster->failed_ms)
            cluster->failed_ms = now_ms();
        if (WIFSIGNALED(status) && !is_ours(cluster, WTERMSIG(status)))
            wx_log(WX_LOG_ERROR, "process %u of the cluster was ended by signal %d (%s)", i,
                   WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
}

static bool any_running(const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->n; i++)
        if (cluster->child[i].running)
            return true;
    return false;
}

/* Stops what goes on after a failure. Returns how long to wait before the next look, or -1. */
static int press(struct cluster *cluster)
{
    if (!cluster->failed_ms || cluster->killed)
        return -1;
    int64_t since = now_ms() - cluster->failed_ms;
    if (since >= AFTERMATH_MS && !cluster->asked) {
        cluster->asked = true;
        if (!cluster->stopped_by)
            signal_all(cluster, SIGTERM);
    }
    if (since >= AFTERMATH_MS + STOP_MS) {
        kill_all(cluster);
        return -1;
    }
    return (int)((cluster->asked ? AFTERMATH_MS + STOP_MS : AFTERMATH_MS) - since);
}

static void wait_for_all(struct cluster *cluster)
{
    while (any_running(cluster)) {
        struct pollfd fd = {.fd = cluster->signals, .events = POLLIN};
        struct signalfd_siginfo info;
        poll(&fd, 1, press(cluster));
        while (read(cluster->signals, &info, sizeof info) == sizeof info)
            if (info.ssi_signo != SIGCHLD)
                on_stop_signal(cluster, &info);
        reap(cluster);
    }
}

/* How much a child's end tells about what went wrong: the larger, the more. */
static int telling(const struct cluster *cluster, int code)
{
    if (code == WX_EXIT_OK)
        return 0;
    if (cluster->killed && code == 128 + SIGKILL)
        return 1; /* our own doing */
    if (code == 128 + SIGTERM || code == 128 + SIGINT)
        return 2;
    if (code == WX_EXIT_PEER)
        return 3;
    return code > 128 ? 5 : 4;
}

static int exit_code(const struct cluster *cluster)
{
    int best = 0, code = WX_EXIT_OK;
    for (uint32_t i = 0; i < cluster->n; i++) {
        int rank = telling(cluster, cluster->child[i].code);
        if (rank > best) {
            best = rank;
            code = cluster->child[i].code;
        }
    }
    return cluster->stopped_by && best == 1 ? 128 + cluster->stopped_by : code;
}

static int run(struct cluster *cluster, char *const *args, size_t at, struct wx_error *err)
{
    WX_AUTO_FREE char *addresses = hold_ports(cluster, err);
    if (!addresses || make_stdout_lock(cluster, err) < 0 || watch_signals(cluster, err) < 0)
        return -1;
    int rc = 0;
    for (uint32_t i = 0; i < cluster->n && rc == 0; i++)
        rc = start(cluster, i, args, at, addresses, err);
    if (rc < 0)
        kill_all(cluster);
    wait_for_all(cluster);
    return rc;
}

int wx_local_run(uint32_t n, char *const *args, size_t at)
{
    struct cluster cluster = {.n = n, .stdout_lock = -1, .signals = -1};
    cluster.own_group = !isatty(STDIN_FILENO);
    cluster.child = wx_calloc(n, sizeof *cluster.child);
    cluster.port = wx_calloc(n, sizeof *cluster.port);
    for (uint32_t i = 0; i < n; i++)
        cluster.port[i] = -1;
    struct wx_error err = {0};
    int code = run(&cluster, args, at, &err) < 0 ? wx_cli_fail(&err) : exit_code(&cluster);
    for (uint32_t i = 0; i < n; i++)
        if (cluster.port[i] >= 0)
            close(cluster.port[i]);
    if (cluster.stdout_lock >= 0)
        close(cluster.stdout_lock);
    if (cluster.signals >= 0)
        close(cluster.signals);
    free(cluster.child);
    free(cluster.port);
    return code;
}
