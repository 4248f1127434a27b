/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph builder behind the wax_* step macros. The compiler has checked the types where it could
 * see them; here they are checked again, because modules are compiled apart, and other languages
 * have no such compiler. The first error is kept; afterwards every call does nothing and returns
 * NULL.
 */
#include "core/flow.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char *const verb_names[] = {
    "input",       "map",           "update",     "filter", "branch", "flat_map",
    "inspect",     "inspect_debug", "merge",      "key_on", "key_rm", "redistribute",
    "count_final", "reduce_final",  "fold_final", "output",
};

const char *wx_verb_name(enum wx_verb verb)
{
    return verb_names[verb];
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void fail(wax_flow *flow, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(wax_flow *flow, const char *where, const char *fmt, ...)
{
    if (flow->error.exit_code)
        return;
    char text[sizeof flow->error.text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    wx_fail(&flow->error, WX_EXIT_MODULE, "%s%s%.1200s", where ? where : "", where ? ": " : "",
            text);
}

void wax_flow_fail(wax_flow *flow, const char *fmt, ...)
{
    char text[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fail(flow, NULL, "%s", text);
}

/* ---- parameters ------------------------------------------------------------------------------ */

const char *wax_param(wax_flow *flow, const char *name, const char *fallback)
{
    for (uint32_t i = 0; i < flow->param_count; i++) {
        if (strcmp(flow->params[i].name, name) == 0) {
            flow->params[i].used = true;
            return flow->params[i].value;
        }
    }
    if (!fallback)
        fail(flow, NULL, "parameter '%s' is required: give it with -D %s=...", name, name);
    return fallback ? fallback : "";
}

static wax_str param_text(wax_flow *flow, const char *name)
{
    return wax_from_c(wax_param(flow, name, ""));
}

int64_t wax_param_i64(wax_flow *flow, const char *name, int64_t fallback)
{
    wax_str text = param_text(flow, name);
    int64_t value = fallback;
    if (text.len && !wax_str_i64(text, &value))
        fail(flow, NULL, "parameter '%s' is '" WAX_FMT "', which is not a whole number", name,
             WAX_ARG(text));
    return value;
}

double wax_param_f64(wax_flow *flow, const char *name, double fallback)
{
    wax_str text = param_text(flow, name);
    double value = fallback;
    if (text.len && !wax_str_f64(text, &value))
        fail(flow, NULL, "parameter '%s' is '" WAX_FMT "', which is not a number", name,
             WAX_ARG(text));
    return value;
}

wax_duration wax_param_duration(wax_flow *flow, const char *name, wax_duration fallback)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}, {"", 1e6}};
    wax_str text = param_text(flow, name);
    if (!text.len)
        return fallback;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t len = strlen(units[i].unit);
        double value;
        if (text.len <= len || memcmp(text.ptr + text.len - len, units[i].unit, len) != 0)
            continue;
        if (wax_str_f64((wax_str){text.ptr, text.len - (uint32_t)len}, &value))
            return (wax_duration)(value * units[i].us);
    }
    fail(flow, NULL,
         "parameter '%s' is '" WAX_FMT "', which is not a duration like 250ms, 30s, 5m or 1h", name,
         WAX_ARG(text));
    return fallback;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static bool id_is_sound(wax_flow *flow, const char *where, const char *id)
{
    if (!id || !*id || strlen(id) > WX_ID_MAX) {
        fail(flow, where, "a step id needs 1 to %d bytes", WX_ID_MAX);
        return false;
    }
    for (uint32_t i = 0; i < flow->steps; i++) {
        if (strcmp(flow->step[i]->id, id) == 0) {
            fail(flow, where, "step '%s' exists already, at %s: each step needs an id of its own",
                 id, flow->step[i]->where);
            return false;
        }
    }
    return true;
}

static struct wx_flow_step *add_step(wax_flow *flow, enum wx_verb verb, const char *where,
                                     const char *id, struct wax_port *const *inputs, uint32_t n)
{
    if (flow->error.exit_code || !id_is_sound(flow, where, id))
        return NULL;
    if (flow->steps == WX_STEPS_MAX) {
        fail(flow, where, "step '%s' is one too many: a dataflow has at most %d steps", id,
             WX_STEPS_MAX);
        return NULL;
    }
    struct wx_flow_step *step = wx_calloc(1, sizeof *step);
    step->flow = flow;
    step->index = flow->steps;
    step->verb = verb;
    step->id = id;
    step->where = where;
    step->inputs = n;
    step->input = wx_calloc(n, sizeof(struct wax_port *));
    for (uint32_t i = 0; i < n; i++) {
        step->input[i] = inputs[i];
        inputs[i]->readers++;
    }
    flow->step[flow->steps++] = step;
    return step;
}

static struct wax_port *add_output_port(struct wx_flow_step *step, const wax_type *type,
                                        const wax_type *key)
{
    struct wax_port *port = &step->output[step->outputs];
    *port = (struct wax_port){
        .step = step, .index = step->outputs++, .shape = {.type = type, .key = key}};
    return port;
}

static void keep_self(struct wx_flow_step *step, const wax_self *type, const void *self)
{
    if (!type || type->size == 0)
        return;
    step->self = wx_calloc(1, type->size);
    if (self)
        memcpy(step->self, self, type->size);
}

static bool op_is_sound(wax_flow *flow, const char *where, const char *id, const wax_op *op)
{
    if (op->abi != WAX_ABI || op->size != sizeof *op) {
        fail(flow, where,
             "step '%s' was compiled for another version of wax: compile the module again", id);
        return false;
    }
    struct wx_error err;
    const wax_type *types[] = {op->in, op->out};
    for (size_t i = 0; i < 2; i++) {
        if (wx_type_check(types[i], &err) < 0) {
            fail(flow, where, "step '%s': %.1000s", id, err.text);
            return false;
        }
    }
    return true;
}

/* Does `up` carry what `op` takes? */
static bool fits(const char *where, const char *id, const struct wax_port *up, const wax_op *op)
{
    wax_flow *flow = up->step->flow;
    if (!op_is_sound(flow, where, id, op))
        return false;
    if (!wx_type_same(up->shape.type, op->in)) {
        fail(flow, where, "step '%s' takes records of type '%s', but step '%s' gives '%s'", id,
             op->in->name, up->step->id, up->shape.type->name);
        return false;
    }
    if (op->kind == WAX_OP_KEY_RM && up->shape.key && !wx_type_same(up->shape.key, op->key)) {
        fail(flow, where, "step '%s' takes keys of type '%s', but step '%s' gives '%s'", id,
             op->key->name, up->step->id, up->shape.key->name);
        return false;
    }
    return true;
}

static bool is_keyed(const char *where, const char *id, const struct wax_port *up)
{
    if (!up->shape.key)
        fail(up->step->flow, where,
             "step '%s' needs a key for each record, but step '%s' gives '%s' without one: "
             "put a key_on between them",
             id, up->step->id, up->shape.type->name);
    return up->shape.key != NULL;
}

wax_port *wax_add(const char *where, const char *id, wax_port *up, const wax_op *op,
                  const void *self)
{
    static const struct {
        uint32_t kind;
        enum wx_verb verb;
    } verbs[] = {{WAX_OP_MAP, WX_MAP},         {WAX_OP_UPDATE, WX_UPDATE},
                 {WAX_OP_FILTER, WX_FILTER},   {WAX_OP_FLAT_MAP, WX_FLAT_MAP},
                 {WAX_OP_INSPECT, WX_INSPECT}, {WAX_OP_KEY, WX_KEY_ON},
                 {WAX_OP_KEY_RM, WX_KEY_RM}};
    if (!up || !fits(where, id, up, op))
        return NULL;
    if (op->kind == WAX_OP_KEY_RM && !is_keyed(where, id, up))
        return NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (verbs[i].kind != op->kind)
            continue;
        struct wx_flow_step *step = add_step(up->step->flow, verbs[i].verb, where, id, &up, 1);
        if (!step)
            return NULL;
        step->op = op;
        keep_self(step, op->self, self);
        const wax_type *key = op->kind == WAX_OP_KEY      ? op->key
                              : op->kind == WAX_OP_KEY_RM ? NULL
                                                          : up->shape.key;
        return add_output_port(step, op->out, key);
    }
    fail(up->step->flow, where, "step '%s': '%s' is not an operation for this kind of step", id,
         op->name);
    return NULL;
}

wax_ports wax_add_branch(const char *where, const char *id, wax_port *up, const wax_op *op,
                         const void *self)
{
    wax_ports both = {NULL, NULL};
    if (!up || !fits(where, id, up, op))
        return both;
    struct wx_flow_step *step = add_step(up->step->flow, WX_BRANCH, where, id, &up, 1);
    if (!step)
        return both;
    step->op = op;
    keep_self(step, op->self, self);
    both.trues = add_output_port(step, op->out, up->shape.key);
    both.falses = add_output_port(step, op->out, up->shape.key);
    return both;
}

wax_port *wax_add_merge(const char *where, const char *id, wax_port *const *ups, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!ups[i])
            return NULL;
    if (n == 0)
        return NULL;
    wax_flow *flow = ups[0]->step->flow;
    if (n > WX_FAN_MAX) {
        fail(flow, where, "step '%s' merges %zu streams: at most %d", id, n, WX_FAN_MAX);
        return NULL;
    }
    for (size_t i = 1; i < n; i++) {
        const struct wx_shape *a = &ups[0]->shape, *b = &ups[i]->shape;
        bool same_keys = !a->key == !b->key && (!a->key || wx_type_same(a->key, b->key));
        if (ups[i]->step->flow != flow || !wx_type_same(a->type, b->type) || !same_keys) {
            fail(flow, where,
                 "step '%s' cannot merge '%s' of step '%s' (key: %s) with '%s' of step '%s' "
                 "(key: %s)",
                 id, a->type->name, ups[0]->step->id, a->key ? a->key->name : "none", b->type->name,
                 ups[i]->step->id, b->key ? b->key->name : "none");
            return NULL;
        }
    }
    struct wx_flow_step *step = add_step(flow, WX_MERGE, where, id, ups, (uint32_t)n);
    return step ? add_output_port(step, ups[0]->shape.type, ups[0]->shape.key) : NULL;
}

wax_port *wax_add_named(const char *where, const char *id, wax_port *up, const char *verb)
{
    static const enum wx_verb verbs[] = {WX_INSPECT, WX_INSPECT_DEBUG, WX_REDISTRIBUTE, WX_KEY_RM};
    if (!up)
        return NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verb, verb_names[verbs[i]]) != 0)
            continue;
        if (verbs[i] == WX_KEY_RM && !is_keyed(where, id, up))
            return NULL;
        struct wx_flow_step *step = add_step(up->step->flow, verbs[i], where, id, &up, 1);
        return step ? add_output_port(step, up->shape.type,
                                      verbs[i] == WX_KEY_RM ? NULL : up->shape.key)
                    : NULL;
    }
    fail(up->step->flow, where, "step '%s': there is no operator '%s'", id, verb);
    return NULL;
}

wax_port *wax_add_final(const char *where, const char *id, wax_port *up, const wax_op *op)
{
    if (!up || !fits(where, id, up, op))
        return NULL;
    bool count = op->kind == WAX_OP_KEY;
    if (!count && !is_keyed(where, id, up))
        return NULL;
    enum wx_verb verb = count                       ? WX_COUNT_FINAL
                        : op->kind == WAX_OP_REDUCE ? WX_REDUCE_FINAL
                                                    : WX_FOLD_FINAL;
    struct wx_flow_step *step = add_step(up->step->flow, verb, where, id, &up, 1);
    if (!step)
        return NULL;
    step->op = op;
    return count ? add_output_port(step, &wax_type_int64_t, op->key)
                 : add_output_port(step, op->out, up->shape.key);
}

wax_port *wax_add_input(wax_flow *flow, const char *where, const char *id, wax_src *src)
{
    struct wx_flow_step *step = src ? add_step(flow, WX_INPUT, where, id, NULL, 0) : NULL;
    if (!step) {
        wx_source_destroy(src);
        return NULL;
    }
    step->src = src;
    if (src->ops->abi != WAX_ABI || src->ops->size != sizeof *src->ops) {
        fail(flow, where,
             "step '%s': its source was compiled for another version of wax: compile the "
             "module again",
             id);
        return NULL;
    }
    struct wx_error err;
    if (wx_type_check(src->ops->out, &err) < 0) {
        fail(flow, where, "step '%s': %.1000s", id, err.text);
        return NULL;
    }
    return add_output_port(step, src->ops->out, NULL);
}

void wax_add_output(const char *where, const char *id, wax_port *up, wax_sink *sink)
{
    struct wx_flow_step *step =
        up && sink ? add_step(up->step->flow, WX_OUTPUT, where, id, &up, 1) : NULL;
    if (!step) {
        wx_sink_destroy(sink);
        return;
    }
    step->sink = sink;
    const wax_sink_ops *ops = sink->ops;
    if (ops->abi != WAX_ABI || ops->size != sizeof *ops)
        fail(
            step->flow, where,
            "step '%s': its sink was compiled for another version of wax: compile the module again",
            id);
    else if (ops->in && !wx_type_same(ops->in, up->shape.type))
        fail(step->flow, where, "step '%s' takes records of type '%s', but step '%s' gives '%s'",
             id, ops->in->name, up->step->id, up->shape.type->name);
}

/* ---- what follows a failed record ------------------------------------------------------------ */

static bool can_fail(const struct wx_flow_step *step)
{
    return step->op != NULL || step->verb == WX_OUTPUT;
}

static bool set_policy(const char *where, wax_port *of, enum wx_policy policy)
{
    struct wx_flow_step *step = of->step;
    if (!can_fail(step)) {
        fail(step->flow, where, "step '%s' (%s) has no body that could refuse a record", step->id,
             wx_verb_name(step->verb));
        return false;
    }
    if (step->policy != WX_ON_FAILURE_STOP) {
        fail(step->flow, where, "step '%s' has a policy for failed records already", step->id);
        return false;
    }
    step->policy = policy;
    return true;
}

wax_port *wax_add_failures(const char *where, wax_port *of)
{
    if (!of || of->step->flow->error.exit_code || !set_policy(where, of, WX_ON_FAILURE_DIVERT))
        return NULL;
    of->step->failures = of->step->outputs;
    return add_output_port(of->step, &wax_type_wax_failure, NULL);
}

wax_port *wax_skip_failures_(const char *where, wax_port *of)
{
    if (!of || of->step->flow->error.exit_code || !set_policy(where, of, WX_ON_FAILURE_SKIP))
        return NULL;
    return of;
}

/* ---- sources and sinks ----------------------------------------------------------------------- */

static void *copy_self(const wax_self *type, const void *self)
{
    size_t size = type && type->size ? type->size : 1;
    void *copy = wx_calloc(1, size);
    if (self && type && type->size)
        memcpy(copy, self, size);
    return copy;
}

wax_src *wax_source_create(const wax_source_ops *ops, const void *self)
{
    wax_src *src = wx_calloc(1, sizeof *src);
    src->ops = ops;
    src->self = copy_self(ops->self, self);
    return src;
}

wax_sink *wax_sink_create(const wax_sink_ops *ops, const void *self)
{
    wax_sink *sink = wx_calloc(1, sizeof *sink);
    sink->ops = ops;
    sink->self = copy_self(ops->self, self);
    return sink;
}

void wx_source_destroy(wax_src *src)
{
    if (!src)
        return;
    if (src->free_self)
        src->free_self(src->self);
    free(src->self);
    free(src);
}

void wx_sink_destroy(wax_sink *sink)
{
    if (!sink)
        return;
    free(sink->self);
    free(sink);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int set_params(wax_flow *flow, const char *const *params, size_t n, struct wx_error *err)
{
    if (n > WX_PARAMS_MAX)
        return wx_fail(err, WX_EXIT_USAGE, "%zu parameters: at most %d", n, WX_PARAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *equals = strchr(params[i], '=');
        if (!equals || equals == params[i])
            return wx_fail(err, WX_EXIT_USAGE, "-D '%s' is not name=value", params[i]);
        char *name = wx_strdup(params[i]);
        name[equals - params[i]] = '\0';
        flow->params[flow->param_count++] =
            (struct wx_param){.name = name, .value = wx_strdup(equals + 1)};
    }
    return 0;
}

static void check_whole(wax_flow *flow)
{
    bool in = false, out = false;
    for (uint32_t i = 0; i < flow->steps; i++) {
        in |= flow->step[i]->verb == WX_INPUT;
        out |= flow->step[i]->verb == WX_OUTPUT || flow->step[i]->verb == WX_INSPECT ||
               flow->step[i]->verb == WX_INSPECT_DEBUG;
    }
    if (!in)
        fail(flow, NULL, "dataflow '%s' has no input: it needs at least one wax_input()",
             flow->name);
    if (!out)
        fail(flow, NULL, "dataflow '%s' has no output: it needs at least one wax_output()",
             flow->name);
    for (uint32_t i = 0; i < flow->param_count; i++)
        if (!flow->params[i].used)
            fail(flow, NULL, "dataflow '%s' has no parameter '%s'", flow->name,
                 flow->params[i].name);
}

wax_flow *wx_flow_build(const wax_dataflow *dataflow, const char *const *params, size_t n,
                        struct wx_error *err)
{
    wax_flow *flow = wx_calloc(1, sizeof *flow);
    flow->name = dataflow->name;
    if (set_params(flow, params, n, err) < 0) {
        wx_flow_destroy(flow);
        return NULL;
    }
    dataflow->build(flow);
    check_whole(flow);
    if (flow->error.exit_code) {
        if (err)
            *err = flow->error;
        wx_flow_destroy(flow);
        return NULL;
    }
    return flow;
}

void wx_flow_destroy(wax_flow *flow)
{
    if (!flow)
        return;
    for (uint32_t i = 0; i < flow->steps; i++) {
        struct wx_flow_step *step = flow->step[i];
        wx_source_destroy(step->src);
        wx_sink_destroy(step->sink);
        free(step->self);
        free(step->input);
        free(step);
    }
    for (uint32_t i = 0; i < flow->param_count; i++) {
        free((char *)(uintptr_t)flow->params[i].name);
        free((char *)(uintptr_t)flow->params[i].value);
    }
    free(flow);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = mix(hash, (unsigned char)*text);
    return mix(hash, 0xff);
}

uint64_t wx_flow_hash(const wax_flow *flow)
{
    uint64_t hash = mix_text(WAX_ABI, flow->name);
    for (uint32_t i = 0; i < flow->steps; i++) {
        const struct wx_flow_step *step = flow->step[i];
        hash = mix(mix_text(hash, step->id), step->verb);
        hash = mix(hash, step->policy);
        for (uint32_t k = 0; k < step->inputs; k++)
            hash = mix(mix(hash, step->input[k]->step->index), step->input[k]->index);
        for (uint32_t k = 0; k < step->outputs; k++) {
            hash = mix(hash, wx_type_hash(step->output[k].shape.type));
            hash =
                mix(hash, step->output[k].shape.key ? wx_type_hash(step->output[k].shape.key) : 0);
        }
    }
    for (uint32_t i = 0; i < flow->param_count; i++)
        hash = mix_text(mix_text(hash, flow->params[i].name), flow->params[i].value);
    return hash;
}
