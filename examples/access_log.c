/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A web server's log: bytes and requests of each path, and the requests that failed in a file of
 * their own. A line is "192.0.2.7 GET /index.html 200 5120"; lines that are not like that are set
 * aside too.
 *
 *   wax run examples/access_log.c -D path=examples/data/access.log
 *
 * Shows records, a map that drops, branch, merge, a fold, and what becomes of records that are
 * refused.
 */
#include <wax/wax.h>

WAX_RECORD(request, (wax_str, client), (wax_str, method), (wax_str, path), (int32_t, status),
           (int64_t, bytes));
WAX_RECORD(traffic, (int64_t, requests), (int64_t, bytes));
WAX_RECORD(line_of_report, (wax_str, path), (int64_t, requests), (int64_t, bytes));

WAX_MAP(parse, wax_str, request)
{
    wax_str rest = wax_str_trim(*in), word;
    int64_t status, bytes;
    if (rest.len == 0 || rest.ptr[0] == '#')
        return WAX_DROP; /* empty lines and comments are no requests */
    out->client = wax_str_cut(&rest, ' ');
    out->method = wax_str_cut(&rest, ' ');
    out->path = wax_str_cut(&rest, ' ');
    word = wax_str_cut(&rest, ' ');
    if (!wax_str_i64(word, &status) || status < 100 || status > 599)
        return wax_fail(cx, "not a status: '" WAX_FMT "'", WAX_ARG(word));
    if (!wax_str_i64(rest, &bytes) || bytes < 0)
        return wax_fail(cx, "not a size: '" WAX_FMT "'", WAX_ARG(rest));
    out->status = (int32_t)status;
    out->bytes = bytes;
    return WAX_EMIT;
}

WAX_FILTER(went_well, request)
{
    return in->status < 400;
}

WAX_MAP(complaint, request, wax_str)
{
    *out = wax_fmt(cx, "%d " WAX_FMT " " WAX_FMT, (int)in->status, WAX_ARG(in->method),
                   WAX_ARG(in->path));
    return WAX_EMIT;
}

WAX_MAP(unreadable, wax_failure, wax_str)
{
    *out = wax_fmt(cx, "??? " WAX_FMT ": " WAX_FMT, WAX_ARG(in->message), WAX_ARG(in->record));
    return WAX_EMIT;
}

WAX_KEY(by_path, request, wax_str)
{
    return in->path;
}

WAX_FOLD(add_up, request, traffic)
{
    state->requests++;
    state->bytes += in->bytes;
    return WAX_OK;
}
WAX_MERGE(add_up)
{
    state->requests += other->requests;
    state->bytes += other->bytes;
}

WAX_KEY_RM(report, wax_str, traffic, line_of_report)
{
    out->path = key;
    out->requests = in->requests;
    out->bytes = in->bytes;
    return WAX_EMIT;
}

WAX_DATAFLOW(access_log)
{
    const char *path = wax_param(flow, "path", "access.log");
    const char *errors = wax_param(flow, "errors", "errors.txt");

    wax_stream(wax_str) lines = wax_input(flow, "log", wax_lines(path));
    wax_stream(request) requests = wax_map("parse", lines, parse);
    wax_branches(request) by_outcome = wax_branch("went_well", requests, went_well);

    wax_keyed(request) keyed = wax_key_on("by_path", by_outcome.trues, by_path);
    wax_keyed(traffic) totals = wax_fold_final("add_up", keyed, add_up);
    wax_output("report", wax_key_rm("row", totals, report), wax_stdout());

    wax_stream(wax_str) failed = wax_map("complaint", by_outcome.falses, complaint);
    wax_stream(wax_str) bad = wax_map("unreadable", wax_failures(requests), unreadable);
    wax_output("errors", wax_merge("all_errors", failed, bad), wax_lines_file(errors));
}
