/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: from a name on the command line to a dataflow in memory.
 *
 * A dataflow is an exported variable wax_dataflow_NAME. Which ones a module has is read from the
 * dynamic symbol table that the loader keeps in memory, so that a message can list them.
 */
#include "cli/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "cli/compile.h"

#define SYMBOL_PREFIX "wax_dataflow_"
#define FLOWS_MAX     256 /* dataflows of a module that messages can list */

/* ---- finding --------------------------------------------------------------------------------- */

static bool is_identifier(const char *text)
{
    if (!*text || (*text >= '0' && *text <= '9'))
        return false;
    for (; *text; text++)
        if (*text != '_' && !(*text >= '0' && *text <= '9') && !(*text >= 'a' && *text <= 'z') &&
            !(*text >= 'A' && *text <= 'Z'))
            return false;
    return true;
}

/* Cuts "FLOW:NAME" in two; a colon inside of a path stays there. */
static int split_spec(struct wx_module *module, const char *spec, struct wx_error *err)
{
    const char *colon = strrchr(spec, ':');
    bool named = colon && !strchr(colon, '/') && !wx_path_is_file(spec);
    if (named && !is_identifier(colon + 1))
        return wx_fail(
            err, WX_EXIT_USAGE,
            "'%s' should be FLOW or FLOW:NAME, but '%s' cannot be the name of a dataflow", spec,
            colon + 1);
    size_t len = named ? (size_t)(colon - spec) : strlen(spec);
    if (len == 0)
        return wx_fail(err, WX_EXIT_USAGE, "'%s' names no module: it should be FLOW or FLOW:NAME",
                       spec);
    module->path = wx_text("%.*s", (int)len, spec);
    module->flow = named ? wx_strdup(colon + 1) : NULL;
    return 0;
}

static bool is_older(const char *path, const char *than)
{
    struct stat a, b;
    if (stat(path, &a) < 0 || stat(than, &b) < 0)
        return false;
    return a.st_mtim.tv_sec < b.st_mtim.tv_sec ||
           (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec < b.st_mtim.tv_nsec);
}

/* `stem`.so and `stem`.c. Returns 1 when one of them is it, 0 when there is none, -1 on error. */
static int try_stem(struct wx_module *module, const char *stem, bool source, struct wx_error *err)
{
    char *so = wx_text("%s.so", stem), *c = wx_text("%s.c", stem);
    bool has_so = wx_path_is_file(so) && !source, has_c = wx_path_is_file(c);
    int rc = has_so || has_c;
    if (has_so && has_c && is_older(so, c))
        rc = wx_fail(
            err, WX_EXIT_MODULE,
            "'%s' is older than '%s' beside it: build it again with 'wax build %s -o %s', or "
            "remove it and the source is compiled when needed",
            so, c, c, so);
    if (rc == 1) {
        free(module->path);
        module->path = has_so ? so : c;
    }
    if (rc != 1 || !has_so)
        free(so);
    if (rc != 1 || has_so)
        free(c);
    return rc;
}

static int find_path(struct wx_module *module, bool source, struct wx_error *err)
{
    WX_AUTO_FREE char *path = wx_strdup(module->path);
    bool is_so = wx_path_ends(path, ".so");
    if (is_so && source)
        return wx_fail(err, WX_EXIT_MODULE,
                       "'%s' is compiled already: sanitizers need the source of the module", path);
    if (is_so && wx_path_is_file(path)) {
        WX_AUTO_FREE char *stem = wx_text("%.*s", (int)(strlen(path) - strlen(".so")), path);
        return try_stem(module, stem, false, err) < 0 ? -1 : 0;
    }
    if (wx_path_is_file(path) || wx_path_is_dir(path))
        return 0;
    int rc = is_so || wx_path_ends(path, ".c") ? 0 : try_stem(module, path, source, err);
    if (rc == 0)
        return wx_fail(err, WX_EXIT_MODULE, "there is no module '%s'", path);
    return rc < 0 ? -1 : 0;
}

static int find_name(struct wx_module *module, bool source, struct wx_error *err)
{
    WX_AUTO_FREE char *name = wx_strdup(module->path);
    WX_AUTO_FREE char *here = wx_text("./%s", name);
    int rc = try_stem(module, here, source, err);
    const char *path = getenv("WAX_PATH");
    for (const char *at = path; at && *at && rc == 0;) {
        size_t len = strcspn(at, ":");
        WX_AUTO_FREE char *dir = wx_text("%.*s", (int)len, at);
        WX_AUTO_FREE char *stem = wx_path_join(dir, name);
        if (len)
            rc = try_stem(module, stem, source, err);
        at += len + (at[len] == ':');
    }
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    const char *also = path && *path ? path : NULL;
    bool is_dir = wx_path_is_dir(here);
    return wx_fail(err, WX_EXIT_MODULE,
                   "there is no module '%s': no './%s.so' or './%s.c'%s%.600s%s%s%s%s", name, name,
                   name, also ? ", and none in WAX_PATH '" : "", also ? also : "", also ? "'" : "",
                   is_dir ? "; for the directory of that name say '" : "", is_dir ? here : "",
                   is_dir ? "'" : "");
}

int wx_module_find(struct wx_module *module, const char *spec, bool source, struct wx_error *err)
{
    *module = (struct wx_module){0};
    if (split_spec(module, spec, err) < 0)
        return -1;
    const char *path = module->path;
    if (strchr(path, '/') || strcmp(path, ".") == 0 || strcmp(path, "..") == 0 ||
        wx_path_ends(path, ".c") || wx_path_ends(path, ".so"))
        return find_path(module, source, err);
    return find_name(module, source, err);
}

int wx_module_build(struct wx_module *module, bool sanitize, struct wx_error *err)
{
    if (wx_path_ends(module->path, ".so") && !wx_path_is_dir(module->path)) {
        module->so = realpath(module->path, NULL);
        return wx_cache_file_id(module->path, module->id, err);
    }
    struct wx_recipe recipe;
    int rc = wx_recipe_init(&recipe, module->path, sanitize, err);
    if (rc == 0)
        module->so = wx_cache_module(&recipe, module->id, err);
    if (rc == 0 && module->so && sanitize && !dlsym(RTLD_DEFAULT, "__asan_init")) {
        module->sanitizer = wx_compile_sanitizer(&recipe, err);
        rc = module->sanitizer ? 0 : -1;
    }
    wx_recipe_fini(&recipe);
    return rc == 0 && module->so ? 0 : -1;
}

/* ---- the symbol table ------------------------------------------------------------------------ */

/* Most loaders leave run-time addresses in the dynamic section; some leave offsets. */
static const void *dynamic_address(const struct link_map *map, ElfW(Addr) value)
{
    ElfW(Addr) address = value < map->l_addr ? map->l_addr + value : value;
    return (const void *)address;
}

/* The number of symbols: the highest index that a chain of the GNU hash table reaches. */
static uint32_t count_symbols(const uint32_t *gnu_hash)
{
    uint32_t buckets = gnu_hash[0], first = gnu_hash[1], bloom = gnu_hash[2], last = 0;
    const uint32_t *bucket = gnu_hash + 4 + bloom * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chain = bucket + buckets;
    for (uint32_t i = 0; i < buckets; i++)
        if (bucket[i] > last)
            last = bucket[i];
    if (last < first)
        return first;
    while (!(chain[last - first] & 1))
        last++;
    return last + 1;
}

struct flows {
    const char *name[FLOWS_MAX]; /* borrowed from the module */
    size_t n;
};

static void list_flows(void *handle, struct flows *flows)
{
    struct link_map *map;
    flows->n = 0;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
        return;
    const ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    uint32_t count = 0;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            symbols = dynamic_address(map, entry->d_un.d_ptr);
        else if (entry->d_tag == DT_STRTAB)
            strings = dynamic_address(map, entry->d_un.d_ptr);
        else if (entry->d_tag == DT_GNU_HASH)
            count = count_symbols(dynamic_address(map, entry->d_un.d_ptr));
        else if (entry->d_tag == DT_HASH && !count)
            count = ((const uint32_t *)dynamic_address(map, entry->d_un.d_ptr))[1];
    }
    for (uint32_t i = 0; symbols && strings && i < count && flows->n < FLOWS_MAX; i++) {
        const char *name = strings + symbols[i].st_name;
        size_t len = strlen(SYMBOL_PREFIX);
        if (symbols[i].st_shndx != SHN_UNDEF && strncmp(name, SYMBOL_PREFIX, len) == 0)
            flows->name[flows->n++] = name + len;
    }
}

/* "'a', 'b' and 'c'" */
static char *listed(const struct flows *flows)
{
    char *text = wx_strdup("");
    for (size_t i = 0; i < flows->n; i++) {
        const char *between = i == 0 ? "" : i + 1 < flows->n ? ", " : " and ";
        char *longer = wx_text("%s%s'%s'", text, between, flows->name[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* ---- loading --------------------------------------------------------------------------------- */

static int open_object(struct wx_module *module, struct wx_error *err)
{
    module->handle = dlopen(module->so, RTLD_NOW | RTLD_LOCAL);
    if (module->handle)
        return 0;
    const char *reason = dlerror();
    size_t len = strlen(module->so);
    if (strncmp(reason, module->so, len) == 0 && reason[len] == ':')
        reason += len + 1 + (reason[len + 1] == ' ');
    const char *hint =
        strstr(reason, "undefined symbol: wax_") ? "; it needs another version of wax"
        : strstr(reason, "undefined symbol")
            ? "; name the library that has it in WAX_LDLIBS of a wax.mk beside the source"
            : "";
    return wx_fail(err, WX_EXIT_MODULE, "cannot load '%s': %s%s", module->path, reason, hint);
}

/* The module's own name as a C identifier: "word-count" gives "word_count". Returns owned. */
static char *default_flow(const struct wx_module *module)
{
    char *name = wx_recipe_module_name(module->path);
    for (char *c = name; *c; c++)
        if (*c == '-' || *c == '.' || *c == ' ')
            *c = '_';
    return name;
}

/* Which of the dataflows is meant; NULL with `err` filled. Borrowed from `flows`. */
static const char *pick(const struct wx_module *module, const struct flows *flows,
                        struct wx_error *err)
{
    WX_AUTO_FREE char *wanted = module->flow ? wx_strdup(module->flow) : default_flow(module);
    for (size_t i = 0; i < flows->n; i++)
        if (strcmp(flows->name[i], wanted) == 0)
            return flows->name[i];
    if (flows->n == 1 && !module->flow)
        return flows->name[0];
    WX_AUTO_FREE char *all = listed(flows);
    if (flows->n == 0)
        wx_fail(err, WX_EXIT_MODULE,
                "module '%s' has no dataflow: write one with WAX_DATAFLOW(%s) {...}", module->path,
                wanted);
    else if (module->flow)
        wx_fail(err, WX_EXIT_MODULE, "module '%s' has no dataflow '%s', but %s", module->path,
                wanted, all);
    else
        wx_fail(
            err, WX_EXIT_MODULE,
            "module '%s' has the dataflows %s, none with its own name: say which, as in '%s:%s'",
            module->path, all, module->path, flows->name[0]);
    return NULL;
}

const wax_dataflow *wx_module_load(struct wx_module *module, struct wx_error *err)
{
    if (open_object(module, err) < 0)
        return NULL;
    struct flows flows;
    list_flows(module->handle, &flows);
    const char *name = pick(module, &flows, err);
    if (!name)
        return NULL;
    WX_AUTO_FREE char *symbol = wx_text(SYMBOL_PREFIX "%s", name);
    const wax_dataflow *dataflow = dlsym(module->handle, symbol);
    if (!dataflow) {
        wx_fail(err, WX_EXIT_MODULE, "cannot find '%s' in '%s': %s", symbol, module->path,
                dlerror());
        return NULL;
    }
    if (dataflow->abi != WAX_ABI || dataflow->size != sizeof *dataflow) {
        wx_fail(err, WX_EXIT_MODULE,
                "'%s' was built for another version of wax (its ABI is %u, that of wax %s is %u): "
                "build it again with 'wax build'",
                module->path, dataflow->abi, wax_version(), WAX_ABI);
        return NULL;
    }
    return dataflow;
}

void wx_module_fini(struct wx_module *module)
{
    if (module->handle)
        dlclose(module->handle);
    free(module->path);
    free(module->flow);
    free(module->so);
    free(module->sanitizer);
}
