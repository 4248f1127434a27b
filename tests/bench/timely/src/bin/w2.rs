// SPDX-License-Identifier: Apache-2.0
//! W2, the word count: lines are split at white space, words are counted on each worker and the
//! counts merged by word. `chain` has an operator for each step (lines, words, counts), `fused`
//! splits and counts in one operator. Words borrow from the mapped file. Prints `word<TAB>count`.
//!
//! usage: w2 FILE chain|fused [-w WORKERS]

use rustc_hash::FxHashMap;
use timely::dataflow::operators::vec::Map;
use wax_bench_timely::aggregate::{fold_locally, merge_and_print};
use wax_bench_timely::text::{chunks, lines, map_file, share_of, Text, Words};
use wax_bench_timely::{argument, run_timed};

#[inline(always)]
fn count(table: &mut FxHashMap<Text, u64>, word: Text) {
    *table.entry(word).or_insert(0) += 1;
}

fn main() {
    let fused = argument(2) == "fused";
    let text = map_file(&argument(1));
    timely::execute_from_args(std::env::args(), move |worker| {
        let share = share_of(text, worker.index(), worker.peers());
        run_timed(worker, |worker| {
            worker.dataflow::<u64, _, _>(|scope| {
                let counts = if fused {
                    let split_and_count = |table: &mut FxHashMap<Text, u64>, chunk| {
                        for word in Words::of(chunk) {
                            count(table, word);
                        }
                    };
                    fold_locally(chunks(scope, share), FxHashMap::default(), split_and_count)
                } else {
                    let words = lines(scope, share).flat_map(Words::of);
                    fold_locally(words, FxHashMap::default(), count)
                };
                merge_and_print(
                    counts,
                    |there, count| *there += count,
                    |out, word, count| {
                        out.write_all(word).unwrap();
                        writeln!(out, "\t{count}").unwrap();
                    },
                );
            })
        });
    })
    .unwrap();
}
