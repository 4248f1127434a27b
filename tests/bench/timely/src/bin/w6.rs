// SPDX-License-Identifier: Apache-2.0
//! W6, latency under a fixed load: record i is due at start + i / rate whatever happened before
//! (open loop), goes through an exchange by key, is counted under its key, one of a million, and
//! then the clock minus its due time is noted. Workers step without parking. `source` emits from an
//! operator that keeps one capability; `input` sends through an input handle that advances with
//! each burst. All keys are put into the state before the schedule begins; the records of the first
//! WARM seconds are counted but not measured. Prints `w6 records=<counted>` and the histograms of
//! all measured records and of those that changed worker.
//!
//! usage: w6 RATE SECONDS WARM source|input [-w WORKERS] [-n PROCESSES -p INDEX -h HOSTS]

use rustc_hash::FxHashMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::Operator;
use timely::dataflow::{InputHandle, StreamVec};
use timely::worker::Worker;
use wax_bench_timely::histogram::{now_ns, Histogram};
use wax_bench_timely::keys::{route, scale, SplitMix64};
use wax_bench_timely::{argument, number};

const KEYS: u64 = 1_000_000;
const BURST: usize = 4096;
const SETTLE_NS: u64 = 500_000_000;

#[derive(Clone, Copy)]
struct Settings {
    rate: f64,
    seconds: f64,
    warm: f64,
}

/// key, due time, and the sending worker's number plus 1, or 0 for a record not to be measured.
type Record = (u64, u64, u64);

/// What one worker has to send, and when.
struct Schedule {
    index: u64,
    peers: u64,
    preloaded: u64,
    sent: u64,
    records: u64,
    warm_records: u64,
    period_ns: f64,
    start_ns: u64,
    random: SplitMix64,
}

impl Schedule {
    fn new(settings: Settings, index: usize, peers: usize) -> Self {
        let rate = settings.rate / peers as f64;
        Schedule {
            index: index as u64,
            peers: peers as u64,
            preloaded: index as u64,
            sent: 0,
            records: (rate * (settings.seconds + settings.warm)) as u64,
            warm_records: (rate * settings.warm) as u64,
            period_ns: 1e9 / rate,
            start_ns: 0,
            random: SplitMix64::of_worker(index),
        }
    }

    fn done(&self) -> bool {
        self.sent == self.records
    }

    /// Appends what is due now, at most a burst; first every key once, then the schedule.
    fn take_due(&mut self, burst: &mut Vec<Record>) {
        while self.preloaded < KEYS && burst.len() < BURST {
            burst.push((self.preloaded, 0, 0));
            self.preloaded += self.peers;
        }
        let now = now_ns();
        if self.preloaded < KEYS || !burst.is_empty() {
            self.start_ns = now + SETTLE_NS;
            return;
        }
        while !self.done() && burst.len() < BURST {
            let due = self.start_ns + (self.sent as f64 * self.period_ns) as u64;
            if due > now {
                break;
            }
            let origin = if self.sent < self.warm_records {
                0
            } else {
                self.index + 1
            };
            burst.push((scale(self.random.draw(), KEYS).0, due, origin));
            self.sent += 1;
        }
    }
}

/// Counts by key and notes latencies; prints when the input has ended.
struct Meter {
    own: u64,
    visits: FxHashMap<u64, u64>,
    all: Histogram,
    crossed: Histogram,
}

impl Meter {
    fn new(index: usize) -> Self {
        let mut visits = FxHashMap::default();
        visits.reserve(KEYS as usize);
        Meter {
            own: index as u64 + 1,
            visits,
            all: Histogram::default(),
            crossed: Histogram::default(),
        }
    }

    fn take(&mut self, (key, due, origin): Record) {
        *self.visits.entry(key).or_insert(0) += 1;
        if origin == 0 {
            return;
        }
        let latency = now_ns().saturating_sub(due);
        self.all.add(latency);
        if origin != self.own {
            self.crossed.add(latency);
        }
    }

    fn print(&self) {
        println!("w6 records={}", self.visits.values().sum::<u64>());
        self.all.print("all");
        self.crossed.print("cross");
    }
}

fn measure(stream: StreamVec<'_, u64, Record>, index: usize) {
    let mut meter = Some(Meter::new(index));
    let owner = Exchange::new(|record: &Record| route(record.0));
    stream.sink(owner, "Measure", move |(input, frontier)| {
        if let Some(meter) = meter.as_mut() {
            input.for_each(|_time, data| data.drain(..).for_each(|record| meter.take(record)));
        }
        if frontier.is_empty() {
            if let Some(meter) = meter.take() {
                meter.print();
            }
        }
    });
}

fn run_with_source(worker: &mut Worker, mut schedule: Schedule, index: usize) {
    worker.dataflow::<u64, _, _>(|scope| {
        type Builder = CapacityContainerBuilder<Vec<Record>>;
        let stream = source::<_, Builder, _, _>(scope, "Schedule", |capability, info| {
            let activator = scope.activator_for(info.address);
            let mut capability = Some(capability);
            let mut burst = Vec::with_capacity(BURST);
            move |output| {
                let Some(held) = capability.as_ref() else {
                    return;
                };
                schedule.take_due(&mut burst);
                if !burst.is_empty() {
                    output.session(held).give_container(&mut burst);
                    burst.clear();
                }
                if schedule.done() {
                    capability = None;
                } else {
                    activator.activate();
                }
            }
        });
        measure(stream, index);
    });
    while worker.step() {}
}

fn run_with_input(worker: &mut Worker, mut schedule: Schedule, index: usize) {
    let mut input = InputHandle::<u64, CapacityContainerBuilder<Vec<Record>>>::new();
    worker.dataflow::<u64, _, _>(|scope| measure(input.to_stream(scope), index));
    let mut burst = Vec::with_capacity(BURST);
    while !schedule.done() {
        schedule.take_due(&mut burst);
        if !burst.is_empty() {
            input.send_batch(&mut burst);
            burst.clear();
            input.advance_to(*input.time() + 1);
        }
        worker.step();
    }
    input.close();
    while worker.step() {}
}

fn main() {
    let settings = Settings {
        rate: number(1) as f64,
        seconds: argument(2).parse().expect("not a number"),
        warm: argument(3).parse().expect("not a number"),
    };
    let with_input = argument(4) == "input";
    timely::execute_from_args(std::env::args(), move |worker| {
        let index = worker.index();
        let schedule = Schedule::new(settings, index, worker.peers());
        if with_input {
            run_with_input(worker, schedule, index);
        } else {
            run_with_source(worker, schedule, index);
        }
    })
    .unwrap();
}
