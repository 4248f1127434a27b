/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_RECIPE_H
#define WX_RECIPE_H

#include "base/error.h"
#include "cli/path.h"

/*
 * What a module is made of, and how: one .c file or all .c files of a directory, and the settings
 * of a `wax.mk` in the same directory. That is a makefile which sets WAX_CFLAGS, WAX_LDLIBS or CC;
 * the environment may set them too, with the precedence that make gives it. The compiler runs in
 * that directory. Every command that compiles a module does it by this.
 */
struct wx_recipe {
    char *path;                     /* as the user gave it */
    char *dir;                      /* where its files are, absolute */
    char *name;                     /* of the module: "simple" of ./simple.c, "flows" of ./flows/ */
    struct wx_words files;          /* in `dir`, sorted: "simple.c" */
    struct wx_words cc;             /* the compiler, and words before its arguments */
    struct wx_words cflags, ldlibs; /* of the user */
    char *include;                  /* where <wax/wax.h> is */
    bool sanitize;                  /* with ASan and UBSan */
};

/* `path` is a .c file or a directory. wx_recipe_fini() in any case. On error exit code MODULE. */
int wx_recipe_init(struct wx_recipe *recipe, const char *path, bool sanitize, struct wx_error *err);
void wx_recipe_fini(struct wx_recipe *recipe);

/* The name of the module at `path`, be it a file or a directory: without directories and ending.
 * Owned. */
char *wx_recipe_module_name(const char *path);

#endif /* WX_RECIPE_H */
