/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_ERROR_H
#define WX_ERROR_H

#include <stdbool.h>

/*
 * Exit codes of `wax`. Scripts rely on them: numbers never change. A process that ends by a signal
 * gives 128 + signal, as shells expect: 130 after SIGINT, 143 after SIGTERM, 139 after a crash in a
 * body.
 */
enum wx_exit {
    WX_EXIT_OK = 0,     /* the input ended and everything was written */
    WX_EXIT_FAILED = 1, /* a body, source or sink failed: the dataflow stopped */
    WX_EXIT_USAGE = 2,  /* the command line or the environment is wrong */
    WX_EXIT_MODULE = 3, /* the module cannot be found, compiled or loaded, or its graph is wrong */
    WX_EXIT_MISMATCH = 4,  /* processes of the cluster disagree about what to run */
    WX_EXIT_PEER = 5,      /* a process of the cluster was lost or has stopped */
    WX_EXIT_NETWORK = 6,   /* this process cannot take its place: port in use, same id twice */
    WX_EXIT_INTERNAL = 70, /* a defect in wax itself */
};

/*
 * What went wrong, in the caller's memory. Messages are one sentence in lower case without a full
 * stop: what failed, the subject in single quotes, the cause, what to do. Long ones are cut at the
 * end.
 */
struct wx_error {
    int exit_code; /* enum wx_exit */
    char text[1500];
};

/* Fill `err` (may be NULL) and return -1, so that `return wx_fail(err, ...)` reads well. */
int wx_fail(struct wx_error *err, int exit_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Put "prefix: " before the text. Returns -1. */
int wx_wrap(struct wx_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/* An invariant of ours that does not hold: says which and aborts. Always on. */
#define WX_ASSERT(cond) ((cond) ? (void)0 : wx_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void wx_assert_failed(const char *cond, const char *file, int line);

#endif /* WX_ERROR_H */
