/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax graph: the steps and streams of a dataflow as text that other tools draw or read. The
 * dataflow is built and not run.
 */
#include <string.h>

#include "base/buf.h"
#include "base/manual.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/module.h"
#include "core/flow.h"

#define GRAPH_MAX (64u << 20) /* bytes of text: 4096 steps with 256 inputs each stay far below */

enum format { MERMAID, DOT, JSON };

struct graph_args {
    uint32_t format;
    struct wx_opt_list params;
};

/* "wax_str: int64_t" for a keyed stream, "int64_t" for another. */
static void put_shape(struct wx_buf *out, const struct wax_port *port)
{
    if (port->shape.key)
        wx_buf_printf(out, "%s: ", port->shape.key->name);
    wx_buf_puts(out, port->shape.type->name);
}

/* What tells the outputs of a step apart, or NULL when it has only one. */
static const char *output_name(const struct wax_port *port)
{
    const struct wx_flow_step *step = port->step;
    if (step->policy == WX_ON_FAILURE_DIVERT && port->index == step->failures)
        return "failures";
    if (step->verb == WX_BRANCH)
        return port->index == 0 ? "trues" : "falses";
    return NULL;
}

static void put_edge_label(struct wx_buf *out, const struct wax_port *port)
{
    const char *name = output_name(port);
    if (name)
        wx_buf_printf(out, "%s, ", name);
    put_shape(out, port);
}

/* ---- Mermaid --------------------------------------------------------------------------------- */

/*
 * Mermaid takes only some bytes in names, and some words of its own not at all: such a step is
 * called by its number, "step_3". An id that looks like that itself is not taken as it is either.
 */
static bool is_plain(const char *id)
{
    static const char *const reserved[] = {
        "end",  "graph",     "subgraph",  "style", "class",     "click",   "default",
        "call", "flowchart", "direction", "href",  "linkStyle", "classDef"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(id, reserved[i]) == 0)
            return false;
    if (strncmp(id, "step_", 5) == 0 || (*id >= '0' && *id <= '9'))
        return false;
    return id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] ==
           '\0';
}

static void put_node(struct wx_buf *out, const struct wx_flow_step *step)
{
    if (is_plain(step->id))
        wx_buf_puts(out, step->id);
    else
        wx_buf_printf(out, "step_%u", step->index);
}

static void put_mermaid_text(struct wx_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"')
            wx_buf_puts(out, "#quot;");
        else if (*text == '#')
            wx_buf_puts(out, "#35;");
        else if (*text == '<')
            wx_buf_puts(out, "#lt;");
        else
            wx_buf_put(out, text, 1);
    }
}

static void put_mermaid(struct wx_buf *out, const wax_flow *flow)
{
    wx_buf_puts(out, "flowchart TD\n");
    for (uint32_t i = 0; i < flow->steps; i++) {
        const struct wx_flow_step *step = flow->step[i];
        wx_buf_puts(out, "    ");
        put_node(out, step);
        wx_buf_puts(out, "[\"");
        put_mermaid_text(out, step->id);
        wx_buf_printf(out, " (%s)\"]\n", wx_verb_name(step->verb));
    }
    for (uint32_t i = 0; i < flow->steps; i++) {
        const struct wx_flow_step *step = flow->step[i];
        for (uint32_t k = 0; k < step->inputs; k++) {
            wx_buf_puts(out, "    ");
            put_node(out, step->input[k]->step);
            wx_buf_puts(out, " -- \"");
            put_edge_label(out, step->input[k]);
            wx_buf_puts(out, "\" --> ");
            put_node(out, step);
            wx_buf_puts(out, "\n");
        }
    }
}

/* ---- DOT ------------------------------------------------------------------------------------- */

static void put_dot_text(struct wx_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            wx_buf_puts(out, "\\");
        wx_buf_put(out, text, 1);
    }
}

static void put_dot(struct wx_buf *out, const wax_flow *flow)
{
    wx_buf_puts(out, "digraph \"");
    put_dot_text(out, flow->name);
    wx_buf_puts(out, "\" {\n    node [shape=box];\n");
    for (uint32_t i = 0; i < flow->steps; i++) {
        wx_buf_puts(out, "    \"");
        put_dot_text(out, flow->step[i]->id);
        wx_buf_puts(out, "\" [label=\"");
        put_dot_text(out, flow->step[i]->id);
        wx_buf_printf(out, " (%s)\"];\n", wx_verb_name(flow->step[i]->verb));
    }
    for (uint32_t i = 0; i < flow->steps; i++) {
        const struct wx_flow_step *step = flow->step[i];
        for (uint32_t k = 0; k < step->inputs; k++) {
            wx_buf_puts(out, "    \"");
            put_dot_text(out, step->input[k]->step->id);
            wx_buf_puts(out, "\" -> \"");
            put_dot_text(out, step->id);
            wx_buf_puts(out, "\" [label=\"");
            put_edge_label(out, step->input[k]);
            wx_buf_puts(out, "\"];\n");
        }
    }
    wx_buf_puts(out, "}\n");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_string(struct wx_buf *out, const char *text)
{
    wax_str string = {text, (uint32_t)strlen(text)};
    wx_type_json(&wax_type_wax_str, &string, out);
}

/* ", "name": "text"", with null for NULL. */
static void put_member(struct wx_buf *out, const char *name, const char *text)
{
    wx_buf_printf(out, ", \"%s\": ", name);
    if (text)
        put_string(out, text);
    else
        wx_buf_puts(out, "null");
}

static void put_ports(struct wx_buf *out, const struct wax_port *const *ports, uint32_t n,
                      bool from)
{
    for (uint32_t i = 0; i < n; i++) {
        wx_buf_puts(out, i ? ", {" : "{");
        if (from) {
            wx_buf_puts(out, "\"step\": ");
            put_string(out, ports[i]->step->id);
            wx_buf_puts(out, ", ");
        }
        wx_buf_printf(out, "\"output\": %u", ports[i]->index);
        put_member(out, "name", output_name(ports[i]));
        put_member(out, "type", ports[i]->shape.type->name);
        put_member(out, "key", ports[i]->shape.key ? ports[i]->shape.key->name : NULL);
        wx_buf_puts(out, "}");
    }
}

static void put_json_step(struct wx_buf *out, const struct wx_flow_step *step)
{
    static const char *const policies[] = {"stop", "skip", "divert"};
    const struct wax_port *outputs[WX_OUTPUTS_MAX];
    for (uint32_t i = 0; i < step->outputs; i++)
        outputs[i] = &step->output[i];
    wx_buf_puts(out, "    {\"id\": ");
    put_string(out, step->id);
    put_member(out, "verb", wx_verb_name(step->verb));
    put_member(out, "where", step->where);
    put_member(out, "body", step->op ? step->op->name : NULL);
    put_member(out, "policy", policies[step->policy]);
    wx_buf_puts(out, ",\n     \"inputs\": [");
    put_ports(out, (const struct wax_port *const *)step->input, step->inputs, true);
    wx_buf_puts(out, "],\n     \"outputs\": [");
    put_ports(out, outputs, step->outputs, false);
    wx_buf_puts(out, "]}");
}

static void put_json(struct wx_buf *out, const wax_flow *flow)
{
    wx_buf_puts(out, "{\n  \"flow\": ");
    put_string(out, flow->name);
    wx_buf_puts(out, ",\n  \"steps\": [\n");
    for (uint32_t i = 0; i < flow->steps; i++) {
        put_json_step(out, flow->step[i]);
        wx_buf_puts(out, i + 1 < flow->steps ? ",\n" : "\n");
    }
    wx_buf_puts(out, "  ]\n}\n");
}

/* ---- the command ----------------------------------------------------------------------------- */

static int print(const struct graph_args *args, const wax_dataflow *dataflow, struct wx_error *err)
{
    const char *params[WX_OPT_LIST_MAX];
    size_t n = wx_launch_params(&args->params, params);
    wax_flow *flow = wx_flow_build(dataflow, params, n, err);
    if (!flow)
        return wx_cli_fail(err);
    struct wx_buf text = {.max = GRAPH_MAX};
    if (args->format == MERMAID)
        put_mermaid(&text, flow);
    else if (args->format == DOT)
        put_dot(&text, flow);
    else
        put_json(&text, flow);
    wx_flow_destroy(flow);
    return wx_manual_print(&text);
}

static int run(const struct wx_call *call)
{
    const struct graph_args *args = call->values;
    struct wx_error err = {0};
    struct wx_module module = {0};
    const wax_dataflow *dataflow = NULL;
    if (wx_launch_check_params(&args->params, &err) == 0 &&
        wx_module_find(&module, call->parsed->operand[0], false, &err) == 0 &&
        wx_module_build(&module, false, &err) == 0)
        dataflow = wx_module_load(&module, &err);
    int code = dataflow ? print(args, dataflow, &err) : wx_cli_fail(&err);
    wx_module_fini(&module);
    return code;
}

static const struct wx_opt opts[] = {
    {.name = "format",
     .letter = 'f',
     .kind = WX_OPT_CHOICE,
     .at = offsetof(struct graph_args, format),
     .arg = "FORMAT",
     .fallback = "mermaid",
     .choices = "mermaid|dot|json", /* the order of enum format */
     .help = "mermaid, dot or json"},
    {.name = "param",
     .letter = 'D',
     .kind = WX_OPT_LIST,
     .at = offsetof(struct graph_args, params),
     .arg = "NAME=VALUE",
     .env = "WAX_PARAMS",
     .help = "a parameter of the dataflow; may be repeated; the variable separates several by ';'"},
    {0},
};

static const struct wx_example examples[] = {
    {"wax graph simple", "a flowchart in Mermaid, for Markdown"},
    {"wax graph simple -f dot | dot -Tsvg >simple.svg", "a drawing by Graphviz"},
    {NULL, NULL},
};

const struct wx_command wx_cmd_graph = {
    .name = "graph",
    .summary = "print the graph of a dataflow",
    .operands = "FLOW[:NAME]",
    .operand_kind = WX_OPERAND_FLOW,
    .operands_min = 1,
    .operands_max = 1,
    .text =
        "Prints the steps of a dataflow and the streams between them, without running it. FLOW is "
        "found as by 'wax run'. Each stream is shown with the type of its records and, when they "
        "have keys, the type of the keys before it.",
    .opts = opts,
    .values_size = sizeof(struct graph_args),
    .examples = examples,
    .run = run,
};
