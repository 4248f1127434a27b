// SPDX-License-Identifier: Apache-2.0
//! W1, the map chain: the numbers 0..N-1 go through x+1, x*3, drop multiples of 7, x^(x>>5) and an
//! identity flat_map into a sink that counts and sums. `map` uses the operators of that name,
//! `in_place` lets the maps edit their containers (`map_in_place`), which saves copies.
//!
//! usage: w1 N map|in_place [-w WORKERS]

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::vec::{Filter, Map};
use timely::dataflow::operators::Operator;
use timely::dataflow::{Scope, StreamVec};
use wax_bench_timely::{argument, number, run_timed, CONTAINERS_PER_TURN};

const NUMBERS_PER_CONTAINER: u64 = 1024;

fn numbers<'scope>(scope: Scope<'scope, u64>, from: u64, to: u64) -> StreamVec<'scope, u64, u64> {
    source::<_, CapacityContainerBuilder<Vec<u64>>, _, _>(scope, "Numbers", |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        let mut next = from;
        let mut buffer = Vec::with_capacity(NUMBERS_PER_CONTAINER as usize);
        move |output| {
            let Some(held) = capability.as_ref() else {
                return;
            };
            let mut session = output.session(held);
            for _ in 0..CONTAINERS_PER_TURN {
                let end = to.min(next + NUMBERS_PER_CONTAINER);
                buffer.clear();
                buffer.extend(next..end);
                session.give_container(&mut buffer);
                next = end;
            }
            drop(session);
            if next == to {
                capability = None;
            } else {
                activator.activate();
            }
        }
    })
}

fn map_chain(stream: StreamVec<'_, u64, u64>) -> StreamVec<'_, u64, u64> {
    stream
        .map(|x| x + 1)
        .map(|x| x * 3)
        .filter(|x| x % 7 != 0)
        .map(|x| x ^ (x >> 5))
        .flat_map(Some)
}

fn in_place_chain(stream: StreamVec<'_, u64, u64>) -> StreamVec<'_, u64, u64> {
    stream
        .map_in_place(|x| *x += 1)
        .map_in_place(|x| *x *= 3)
        .filter(|x| x % 7 != 0)
        .map_in_place(|x| *x ^= *x >> 5)
        .flat_map(Some)
}

/// Counts and sums, and prints both when dropped at the end of the dataflow.
#[derive(Default)]
struct Totals {
    out: u64,
    sum: u64,
}

impl Totals {
    fn add(&mut self, numbers: &[u64]) {
        self.out += numbers.len() as u64;
        self.sum = numbers.iter().fold(self.sum, |sum, x| sum.wrapping_add(*x));
    }
}

impl Drop for Totals {
    fn drop(&mut self) {
        println!("w1 out={} sum={}", self.out, self.sum);
    }
}

fn total(stream: StreamVec<'_, u64, u64>) {
    let mut totals = Totals::default();
    stream.sink(Pipeline, "Totals", move |(input, _frontier)| {
        input.for_each(|_time, data| totals.add(data));
    });
}

fn main() {
    let (n, in_place) = (number(1), argument(2) == "in_place");
    timely::execute_from_args(std::env::args(), move |worker| {
        let (index, peers) = (worker.index() as u64, worker.peers() as u64);
        run_timed(worker, |worker| {
            worker.dataflow::<u64, _, _>(|scope| {
                let stream = numbers(scope, n * index / peers, n * (index + 1) / peers);
                total(if in_place {
                    in_place_chain(stream)
                } else {
                    map_chain(stream)
                });
            })
        });
    })
    .unwrap();
}
