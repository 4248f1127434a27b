// SPDX-License-Identifier: Apache-2.0
//! A histogram of nanoseconds with the bucket rule and the printed form of `c/histogram.h`.

const BUCKETS: usize = 2304;

pub struct Histogram {
    count: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            count: vec![0; BUCKETS],
        }
    }
}

impl Histogram {
    #[inline]
    pub fn add(&mut self, ns: u64) {
        let shift = if ns < 128 { 0 } else { 57 - ns.leading_zeros() };
        let bucket = (shift * 64) as usize + (ns >> shift) as usize;
        self.count[bucket.min(BUCKETS - 1)] += 1;
    }

    pub fn print(&self, name: &str) {
        let used: Vec<String> = (0..BUCKETS)
            .filter(|&i| self.count[i] > 0)
            .map(|i| format!(" {}:{}", i, self.count[i]))
            .collect();
        for line in used.chunks(12) {
            println!("w6 {}{}", name, line.concat());
        }
    }
}

/// Nanoseconds of the system's monotonic clock, the same for all processes of a machine.
#[inline]
pub fn now_ns() -> u64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}
