/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_LOCAL_H
#define WX_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#define WX_STDOUT_LOCK                                                                             \
    "WAX_STDOUT_LOCK" /* variable: a file to lock around each write to standard output */

/*
 * Run this executable `n` times as one cluster on this machine, over free ports of the loopback
 * interface. Each process gets `args` (NULL-terminated, args[0] the program's name) with its place
 * in the cluster put in before args[at]. Returns when all have ended: 0 when all ended well, else
 * the exit code of the one that tells most about what went wrong.
 *
 * SIGINT and SIGTERM are passed on; a second one kills. The processes die with this one. They share
 * its standard input, output and error; WX_STDOUT_LOCK in their environment keeps lines of output
 * whole.
 */
int wx_local_run(uint32_t n, char *const *args, size_t at);

#endif /* WX_LOCAL_H */
