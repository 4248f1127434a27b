// SPDX-License-Identifier: Apache-2.0
//
// A dataflow in C++: the same macros, overloads in place of _Generic, bodies that use the standard
// library. It has every operator once, so that each is known to compile as C++.
#include <algorithm>
#include <string_view>
#include <wax/wax.h>

WAX_RECORD(trip, (wax_str, city), (double, fare), (double, tip, .optional = true));
WAX_RECORD(bill, (wax_str, city), (double, sum), (int64_t, trips));

struct rate {
    double factor;
    int64_t seen;
};
WAX_SELF(rate);
WAX_OPEN(rate)
{
    return self->factor > 0 ? WAX_OK : wax_fail(cx, "a rate of %g", self->factor);
}
WAX_CLOSE(rate)
{
    self->seen = 0;
}

WAX_MAP(parse, wax_str, trip)
{
    wax_str rest = *in;
    out->city = wax_str_cut(&rest, ',');
    return wax_str_f64(rest, &out->fare) ? WAX_EMIT : WAX_DROP;
}
WAX_MAP(scale, trip, trip, rate)
{
    *out = *in;
    out->fare *= self->factor;
    self->seen++;
    return WAX_EMIT;
}
WAX_UPDATE(round_down, trip)
{
    rec->fare = (double)(int64_t)rec->fare;
    return WAX_EMIT;
}
WAX_FILTER(is_southern, trip)
{
    return std::string_view(in->city.ptr, in->city.len).starts_with("S");
}
WAX_FLAT_MAP(letters, trip, wax_str)
{
    for (uint32_t i = 0; i < in->city.len; i++)
        wax_emit(out, wax_str{in->city.ptr + i, 1});
    return WAX_OK;
}
WAX_INSPECT(look, trip)
{
    (void)in->tip;
}
WAX_KEY(by_city, trip, wax_str)
{
    return in->city;
}
WAX_KEY(by_fare, trip, int64_t)
{
    return (int64_t)in->fare;
}
WAX_FOLD(total, trip, bill)
{
    state->city = in->city;
    state->sum += in->fare;
    state->trips++;
    return WAX_OK;
}
WAX_INIT(total)
{
    *state = bill{};
}
WAX_MERGE(total)
{
    state->sum += other->sum;
    state->trips += other->trips;
}
WAX_REDUCE(dearer, trip)
{
    acc->fare = std::max(acc->fare, in->fare);
    return WAX_OK;
}
WAX_KEY_RM(named, wax_str, bill, bill)
{
    *out = *in;
    out->city = key;
    return WAX_EMIT;
}

struct counter {
    int64_t up_to;
};
WAX_SELF(counter);
WAX_RECORD(count_pos, (int64_t, next));
WAX_SOURCE(counting, int64_t, counter, count_pos)
{
    for (int i = 0; i < 100 && pos->next < self->up_to; i++)
        wax_emit(out, pos->next++);
    return pos->next < self->up_to ? WAX_OK : WAX_EOF;
}
WAX_PARTS(counting)
{
    wax_part(parts, "%s", "all");
    return self->up_to >= 0 ? WAX_OK : wax_fail(cx, "a negative number");
}
WAX_START(counting)
{
    return part.len > 0 ? WAX_OK : WAX_FAIL;
}
WAX_SINK(swallow, int64_t, counter)
{
    for (uint32_t i = 0; i < n; i++)
        self->up_to += in[i];
    return WAX_OK;
}
WAX_FLUSH(swallow)
{
    return WAX_OK;
}
WAX_PRE_COMMIT(swallow)
{
    return epoch > 0 ? WAX_OK : WAX_FAIL;
}
WAX_COMMIT(swallow)
{
    return WAX_OK;
}
WAX_RECOVER(swallow)
{
    return WAX_OK;
}

WAX_DATAFLOW(cxx)
{
    rate twice{2.0, 0};
    counter ten{10};
    wax_auto lines = wax_input(flow, "in", wax_lines(wax_param(flow, "path", nullptr)));
    wax_stream(trip) trips = wax_map("parse", wax_skip_failures(lines), parse);
    trips = wax_map("scale", trips, scale, &twice);
    trips = wax_update("round", trips, round_down);
    trips = wax_inspect("look", wax_redistribute("spread", trips), look);
    wax_branches(trip) where = wax_branch("south", trips, is_southern);
    wax_stream(trip) all =
        wax_merge("all", where.trues, wax_filter("f", where.falses, is_southern));

    wax_keyed(trip) keyed = wax_key_on("city", all, by_city);
    keyed = wax_filter("again", keyed, is_southern);
    wax_keyed(bill) bills = wax_fold_final("bills", keyed, total);
    wax_output("bills_out", wax_key_rm("named", bills, named), wax_stdout());
    wax_keyed(trip) best = wax_reduce_final("best", keyed, dearer);
    wax_output("best_out", wax_key_rm("plain", best), wax_lines_file("best"));
    wax_output("counts", wax_count_final("count", all, by_fare), wax_null());
    wax_output("letters", wax_flat_map("split", all, letters), wax_stdout());
    wax_output("bad", wax_failures(trips), wax_stdout());
    wax_stream(int64_t) numbers = wax_input(flow, "numbers", wax_from(counting, &ten));
    wax_output("none", numbers, wax_to(swallow, &ten));
    wax_output("list", wax_input(flow, "l", wax_testing_list(int64_t, 1, 2, 3)), wax_stdout());
}

WAX_MAIN(cxx);

// A handle that is a temporary is evaluated once: twice would add its steps twice.
static wax_keyed(trip) once(wax_flow *flow)
{
    return wax_key_on("k", wax_input(flow, "t", wax_testing_list(trip, {WAX_S("S"), 1.0, 0.0})),
                      by_city);
}
WAX_DATAFLOW(temporaries)
{
    wax_output("o", wax_key_rm("r", wax_inspect("i", wax_redistribute("d", once(flow)))),
               wax_null());
}
