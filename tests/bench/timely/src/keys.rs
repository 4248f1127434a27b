// SPDX-License-Identifier: Apache-2.0
//! Random keys: splitmix64 scaled to [0, K), uniform or Zipf(1.0) by Walker's alias method; draws
//! the same keys as `c/keys.h`.

#[derive(Clone)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The stream of random numbers of worker `index`.
    pub fn of_worker(index: usize) -> Self {
        SplitMix64(42 + index as u64 * 0x1234567)
    }

    #[inline(always)]
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    }
}

struct Slot {
    keep: u32,
    alias: u32,
}

pub struct Zipf {
    slots: Vec<Slot>,
}

impl Zipf {
    pub fn new(n: u64) -> Self {
        let mut total = 0.0f64;
        for i in 0..n {
            total += 1.0 / (i + 1) as f64;
        }
        let mut share: Vec<f64> = (0..n)
            .map(|i| 1.0 / (i + 1) as f64 / total * n as f64)
            .collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..n as u32).partition(|&i| share[i as usize] < 1.0);
        let mut slots: Vec<Slot> = (0..n as u32)
            .map(|alias| Slot {
                keep: u32::MAX,
                alias,
            })
            .collect();
        while let (false, Some(&filler)) = (small.is_empty(), large.last()) {
            let poor = small.pop().unwrap() as usize;
            let keep = (share[poor] * 4294967295.0) as u32;
            slots[poor] = Slot {
                keep,
                alias: filler,
            };
            let rest = (share[filler as usize] + share[poor]) - 1.0;
            share[filler as usize] = rest;
            if rest < 1.0 {
                small.push(filler);
                large.pop();
            }
        }
        Zipf { slots }
    }
}

/// How keys are drawn.
pub enum Keys {
    Uniform(u64),
    Zipf(Zipf),
}

impl Keys {
    pub fn new(name: &str, n: u64) -> Self {
        match name {
            "uniform" => Keys::Uniform(n),
            "zipf" => Keys::Zipf(Zipf::new(n)),
            _ => panic!("'{name}': uniform or zipf"),
        }
    }

    /// Appends `n` keys to `to`.
    pub fn draw(&self, random: &mut SplitMix64, n: usize, to: &mut Vec<u64>) {
        match self {
            Keys::Uniform(keys) => to.extend((0..n).map(|_| scale(random.draw(), *keys).0)),
            Keys::Zipf(zipf) => to.extend((0..n).map(|_| {
                let (i, rest) = scale(random.draw(), zipf.slots.len() as u64);
                let slot = &zipf.slots[i as usize];
                if (rest >> 32) as u32 <= slot.keep {
                    i
                } else {
                    slot.alias as u64
                }
            })),
        }
    }
}

/// The two halves of the 128-bit product: `x` scaled to [0, n), and what is left over.
#[inline(always)]
pub fn scale(x: u64, n: u64) -> (u64, u64) {
    let product = x as u128 * n as u128;
    ((product >> 64) as u64, product as u64)
}

/// Where a key goes: independent of the bits that the hash table uses.
#[inline(always)]
pub fn route(key: u64) -> u64 {
    key.wrapping_mul(0x9e3779b97f4a7c15) >> 40
}
