/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_MODULE_H
#define WX_MODULE_H

#include <wax/flow.h>

#include "cli/cache.h"

/*
 * Finding and loading the dataflow that "FLOW[:NAME]" means.
 *
 * FLOW with a slash, or ending in .c or .so, is a path: of a C file, of a directory of C files, or
 * of what `wax build` made. A plain name is looked for as ./FLOW.so, ./FLOW.c, then in each
 * directory of $WAX_PATH likewise. NAME picks a dataflow of the module; without it the one with the
 * module's name is meant, or the only one.
 */
struct wx_module {
    char *path;          /* where it was found, as the user would write it */
    char *flow;          /* NAME, or NULL */
    char *so;            /* what is loaded; NULL before wx_module_build() */
    char id[WX_ID_TEXT]; /* of its content; empty before wx_module_build() */
    char *sanitizer;     /* library to be loaded before it, when built with `sanitize`; else NULL */
    void *handle;
};

/*
 * Find the file. `source`: only C sources will do. Returns 0, or -1 with `err` filled (exit code
 * MODULE, or USAGE when `spec` cannot be understood). wx_module_fini() in any case.
 */
int wx_module_find(struct wx_module *module, const char *spec, bool source, struct wx_error *err);

/* Compile it unless it is compiled already. */
int wx_module_build(struct wx_module *module, bool sanitize, struct wx_error *err);

/*
 * Load it and find the dataflow. The dataflow is borrowed from the module and lives until
 * wx_module_fini(). NULL: `err` says why, and what there is.
 */
const wax_dataflow *wx_module_load(struct wx_module *module, struct wx_error *err);

void wx_module_fini(struct wx_module *module);

#endif /* WX_MODULE_H */
