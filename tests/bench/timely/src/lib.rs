// SPDX-License-Identifier: Apache-2.0
//! What the Timely programs of the benchmark share: the random keys (those that the C programs
//! draw, too), the histogram of latencies, a mapped input file shared out at line ends, and
//! aggregation in two steps. Nothing here allocates per record.
//!
//! Each program takes its own arguments first and Timely's (`-w`, `-n`, `-p`, `-h`) after them; its
//! answer goes to stdout, the time between two barriers as a line `seconds=<s>` to stderr.

use std::io::Write;
use std::time::Instant;

use timely::synchronization::Barrier;
use timely::worker::Worker;

pub mod aggregate;
pub mod histogram;
pub mod keys;
pub mod text;

/// Containers a source fills each time it is scheduled: enough to make scheduling cheap, few enough
/// to stay in the cache.
pub const CONTAINERS_PER_TURN: usize = 8;

/// The `i`-th argument of the program, which has to be there.
pub fn argument(i: usize) -> String {
    std::env::args().nth(i).expect("an argument is missing")
}

pub fn number(i: usize) -> u64 {
    argument(i).parse().expect("not a number")
}

/// Builds a dataflow with `build`, starts the clock once all workers have, and runs it to its end.
pub fn run_timed(worker: &mut Worker, build: impl FnOnce(&mut Worker)) {
    let mut barrier = Barrier::new(worker);
    barrier.wait();
    drop(barrier);
    let start = Instant::now();
    build(worker);
    while worker.step() {}
    let line = format!("seconds={:.6}\n", start.elapsed().as_secs_f64());
    let _ = std::io::stderr().write_all(line.as_bytes()); // one write: lines do not get mixed
}
