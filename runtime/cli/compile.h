/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_COMPILE_H
#define WX_COMPILE_H

#include "cli/recipe.h"

/*
 * Compile and link the module of `recipe` into the shared object `output`, which appears complete
 * or not at all. What the compiler says goes to standard error as it is. `local` (may be NULL) gets
 * the files that went into it, but for those of the system, relative to the recipe's directory or
 * absolute; wx_words_fini() it in any case. On error exit code MODULE.
 */
int wx_compile(const struct wx_recipe *recipe, const char *output, struct wx_words *local,
               struct wx_error *err);

/*
 * The shared library that must be loaded before a module of a recipe with `sanitize` can be.
 * Returns owned, or NULL with `err` filled.
 */
char *wx_compile_sanitizer(const struct wx_recipe *recipe, struct wx_error *err);

#endif /* WX_COMPILE_H */
