/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_SPAWN_H
#define WX_SPAWN_H

#include "base/buf.h"
#include "base/error.h"

/* How to run another program to its end. Zeroed: here, with empty input, its output on standard
 * error. */
struct wx_spawn {
    const char *dir;       /* where it runs; NULL: here */
    const char *input;     /* its standard input; NULL: none */
    struct wx_buf *output; /* gets its standard output; NULL: that goes to standard error */
};

/*
 * Runs `argv[0]`, looked for in $PATH, and waits for it. Its standard error is ours. Variables by
 * which a `make` above us talks to its children are kept from it. Returns its exit code (128 +
 * signal when a signal ended it), or -1 with `err` filled (exit code MODULE) when it could not be
 * started.
 */
int wx_spawn(char *const *argv, const struct wx_spawn *how, struct wx_error *err);

#endif /* WX_SPAWN_H */
