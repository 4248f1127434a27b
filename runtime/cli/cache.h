/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_CACHE_H
#define WX_CACHE_H

#include "cli/recipe.h"

/*
 * Compiled modules, kept by what they were made of: the contents of all files that went in (but for
 * the system's), flags, compiler, and version of wax. In $XDG_CACHE_HOME/wax, ~/.cache/wax or,
 * where none can be made, /tmp/wax-UID. Any number of processes may ask for the same module at
 * once.
 */

#define WX_ID_TEXT 33 /* 128 bits in hexadecimal, and NUL */

/*
 * The shared object of `recipe`, compiled now unless it is there. Returns its path, owned, or NULL
 * with `err` filled. `id` is the same wherever a module has the same content and flags.
 */
char *wx_cache_module(const struct wx_recipe *recipe, char id[WX_ID_TEXT], struct wx_error *err);

/* The id of a shared object that was built elsewhere: of its bytes. */
int wx_cache_file_id(const char *path, char id[WX_ID_TEXT], struct wx_error *err);

#endif /* WX_CACHE_H */
