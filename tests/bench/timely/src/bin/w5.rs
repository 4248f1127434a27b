// SPDX-License-Identifier: Apache-2.0
//! W5, the billion-row challenge: `station;12.3` lines are parsed, folded by station on each worker
//! and merged. `chain` has an operator for each step (lines, readings, folds), `fused` parses and
//! folds in one. Names borrow from the mapped file. Prints
//! `station<TAB>min<TAB>max<TAB>sum<TAB>count`, in tenths.
//!
//! usage: w5 FILE chain|fused [-w WORKERS]

use rustc_hash::FxHashMap;
use timely::dataflow::operators::vec::Map;
use wax_bench_timely::aggregate::{fold_locally, merge_and_print};
use wax_bench_timely::text::{chunks, lines, map_file, share_of, Text};
use wax_bench_timely::{argument, run_timed};

/// min, max, sum and count, in tenths.
type Stats = (i32, i32, i64, i64);

#[inline(always)]
fn merge(there: &mut Stats, other: Stats) {
    *there = (
        there.0.min(other.0),
        there.1.max(other.1),
        there.2 + other.2,
        there.3 + other.3,
    );
}

#[inline(always)]
fn tenths(text: Text) -> i32 {
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    let value = digits
        .iter()
        .filter(|&&b| b != b'.')
        .fold(0, |value, &b| value * 10 + i32::from(b - b'0'));
    if negative {
        -value
    } else {
        value
    }
}

#[inline(always)]
fn parse(line: Text) -> (Text, i32) {
    let cut = line
        .iter()
        .position(|&b| b == b';')
        .expect("no ';' in a row");
    (&line[..cut], tenths(&line[cut + 1..]))
}

#[inline(always)]
fn fold(table: &mut FxHashMap<Text, Stats>, (station, t): (Text, i32)) {
    merge(
        table.entry(station).or_insert((i32::MAX, i32::MIN, 0, 0)),
        (t, t, t.into(), 1),
    );
}

/// Parses and folds the rows of a chunk, reading each byte once.
fn fold_chunk(table: &mut FxHashMap<Text, Stats>, chunk: Text) {
    let mut rest = chunk;
    while !rest.is_empty() {
        let cut = rest
            .iter()
            .position(|&b| b == b';')
            .expect("no ';' in a row");
        let (station, tail) = (&rest[..cut], &rest[cut + 1..]);
        let end = tail.iter().position(|&b| b == b'\n').unwrap_or(tail.len());
        fold(table, (station, tenths(&tail[..end])));
        rest = &tail[(end + 1).min(tail.len())..];
    }
}

fn main() {
    let fused = argument(2) == "fused";
    let rows = map_file(&argument(1));
    timely::execute_from_args(std::env::args(), move |worker| {
        let share = share_of(rows, worker.index(), worker.peers());
        run_timed(worker, |worker| {
            worker.dataflow::<u64, _, _>(|scope| {
                let folded = if fused {
                    fold_locally(chunks(scope, share), FxHashMap::default(), fold_chunk)
                } else {
                    let readings = lines(scope, share).map(parse);
                    fold_locally(readings, FxHashMap::default(), fold)
                };
                merge_and_print(folded, merge, |out, station, s| {
                    out.write_all(station).unwrap();
                    writeln!(out, "\t{}\t{}\t{}\t{}", s.0, s.1, s.2, s.3).unwrap();
                });
            })
        });
    })
    .unwrap();
}
