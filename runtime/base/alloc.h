/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_ALLOC_H
#define WX_ALLOC_H

#include <stddef.h>

/*
 * Memory from malloc that is there or ends the process with a message: a bounded runtime that still
 * runs out has nothing better to do. Results are freed with free().
 */
void *wx_alloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *wx_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *wx_realloc(void *p, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char *wx_strdup(const char *s) __attribute__((malloc, returns_nonnull, warn_unused_result));

#endif /* WX_ALLOC_H */
