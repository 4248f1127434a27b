// SPDX-License-Identifier: Apache-2.0
//! W3, the keyed count: each worker draws N random keys, which are counted on the worker that owns
//! the key. `direct` sends every key through the exchange; `pre` counts on each worker first and
//! exchanges the counts. Prints, for each worker, `w3 records=<n> distinct=<n> xor=<of key*count>`.
//!
//! usage: w3 N K uniform|zipf direct|pre [-w WORKERS] [-n PROCESSES -p INDEX -h HOSTS]

use rustc_hash::{FxBuildHasher, FxHashMap};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::Operator;
use timely::dataflow::{Scope, StreamVec};
use wax_bench_timely::aggregate::fold_locally;
use wax_bench_timely::keys::{route, Keys, SplitMix64};
use wax_bench_timely::{argument, number, run_timed, CONTAINERS_PER_TURN};

const KEYS_PER_CONTAINER: u64 = 1024;

type Counts = FxHashMap<u64, u64>;

fn random_keys<'scope>(
    scope: Scope<'scope, u64>,
    records: u64,
    keys: Keys,
    mut random: SplitMix64,
) -> StreamVec<'scope, u64, u64> {
    source::<_, CapacityContainerBuilder<Vec<u64>>, _, _>(scope, "Keys", |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        let mut left = records;
        let mut buffer = Vec::with_capacity(KEYS_PER_CONTAINER as usize);
        move |output| {
            let Some(held) = capability.as_ref() else {
                return;
            };
            let mut session = output.session(held);
            for _ in 0..CONTAINERS_PER_TURN {
                let n = left.min(KEYS_PER_CONTAINER);
                buffer.clear();
                keys.draw(&mut random, n as usize, &mut buffer);
                session.give_container(&mut buffer);
                left -= n;
            }
            drop(session);
            if left == 0 {
                capability = None;
            } else {
                activator.activate();
            }
        }
    })
}

fn print_answer(counts: &Counts) {
    let records: u64 = counts.values().sum();
    let check = counts
        .iter()
        .fold(0u64, |x, (key, n)| x ^ key.wrapping_mul(*n));
    println!(
        "w3 records={} distinct={} xor={}",
        records,
        counts.len(),
        check
    );
}

fn count_directly(stream: StreamVec<'_, u64, u64>, mut counts: Counts) {
    let owner = Exchange::new(|key: &u64| route(*key));
    stream.sink(owner, "Count", move |(input, frontier)| {
        input.for_each(|_time, data| {
            for key in data.drain(..) {
                *counts.entry(key).or_insert(0) += 1;
            }
        });
        if frontier.is_empty() {
            print_answer(&std::mem::take(&mut counts));
        }
    });
}

fn count_then_exchange(stream: StreamVec<'_, u64, u64>, local: Counts, mut counts: Counts) {
    let pairs = fold_locally(stream, local, |counts: &mut Counts, key: u64| {
        *counts.entry(key).or_insert(0) += 1;
    });
    let owner = Exchange::new(|pair: &(u64, u64)| route(pair.0));
    pairs.sink(owner, "Merge", move |(input, frontier)| {
        input.for_each(|_time, data| {
            for (key, n) in data.drain(..) {
                *counts.entry(key).or_insert(0) += n;
            }
        });
        if frontier.is_empty() {
            print_answer(&std::mem::take(&mut counts));
        }
    });
}

fn main() {
    let (records, key_count, kind) = (number(1), number(2), argument(3));
    let pre = argument(4) == "pre";
    timely::execute_from_args(std::env::args(), move |worker| {
        let keys = Keys::new(&kind, key_count);
        let random = SplitMix64::of_worker(worker.index());
        let table = |size: usize| Counts::with_capacity_and_hasher(size, FxBuildHasher);
        let own = key_count as usize / worker.peers() + 1;
        run_timed(worker, |worker| {
            worker.dataflow::<u64, _, _>(|scope| {
                let stream = random_keys(scope, records, keys, random);
                if pre {
                    count_then_exchange(stream, table(key_count as usize), table(own));
                } else {
                    count_directly(stream, table(own));
                }
            })
        });
    })
    .unwrap();
}
