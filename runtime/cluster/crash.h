/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_CRASH_H
#define WX_CRASH_H

#include <stddef.h>

/*
 * Says which step of which dataflow was running when the process crashes, then lets the crash take
 * its course: the core dump and the exit status stay those of the signal.
 */

/* For SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, in the whole process. Keeps handlers of a
 * sanitizer. */
void wx_crash_install(void);

/* A stack for the calling thread's handlers, so that a stack overflow is reported too. Returns
 * owned or NULL. */
void *wx_crash_stack_create(void);
/* On the same thread. NULL does nothing. */
void wx_crash_stack_destroy(void *stack);

#endif /* WX_CRASH_H */
