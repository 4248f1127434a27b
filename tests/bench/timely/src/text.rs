// SPDX-License-Identifier: Apache-2.0
//! Input text: a file mapped once for all workers of a process, and two sources over a worker's
//! share of its lines: one that emits lines, one that emits chunks of many lines for programs that
//! do all their parsing in one operator. Records borrow from the mapping.

use std::fs::File;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, StreamVec};

use crate::CONTAINERS_PER_TURN;

pub type Text = &'static [u8];

const LINES_PER_CONTAINER: usize = 512;
const CHUNK_BYTES: usize = 64 << 10;

/// Maps `path` for the life of the program.
pub fn map_file(path: &str) -> Text {
    let file = File::open(path).expect("cannot open the input");
    let map = unsafe { memmap2::Mmap::map(&file) }.expect("cannot map the input");
    Box::leak(Box::new(map))
}

/// Where the first line at or after byte `at` begins.
fn line_start(text: Text, at: usize) -> usize {
    if at == 0 || at >= text.len() {
        return at.min(text.len());
    }
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |i| at + i + 1)
}

/// Share `i` of `n`: whole lines, and each line in exactly one share.
pub fn share_of(text: Text, i: usize, n: usize) -> Text {
    let cut = |i: usize| {
        if i == n {
            text.len()
        } else {
            text.len() / n * i
        }
    };
    &text[line_start(text, cut(i))..line_start(text, cut(i + 1))]
}

/// Cuts the next line off `rest`, without its newline.
#[inline(always)]
fn next_line(rest: &mut Text) -> Option<Text> {
    if rest.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = &rest[(end + 1).min(rest.len())..];
    Some(line)
}

fn next_chunk(rest: &mut Text) -> Option<Text> {
    if rest.is_empty() {
        return None;
    }
    let (chunk, tail) = rest.split_at(line_start(rest, CHUNK_BYTES));
    *rest = tail;
    Some(chunk)
}

/// The lines of `share`.
pub fn lines<'scope>(scope: Scope<'scope, u64>, share: Text) -> StreamVec<'scope, u64, Text> {
    pieces(scope, share, LINES_PER_CONTAINER, next_line)
}

/// `share` in chunks of some 64 KiB that end at line ends.
pub fn chunks<'scope>(scope: Scope<'scope, u64>, share: Text) -> StreamVec<'scope, u64, Text> {
    pieces(scope, share, 1, next_chunk)
}

fn pieces<'scope>(
    scope: Scope<'scope, u64>,
    share: Text,
    per_container: usize,
    cut: impl Fn(&mut Text) -> Option<Text> + 'static,
) -> StreamVec<'scope, u64, Text> {
    source::<_, CapacityContainerBuilder<Vec<Text>>, _, _>(scope, "Text", |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        let mut rest = share;
        let mut buffer = Vec::with_capacity(per_container);
        move |output| {
            let Some(held) = capability.as_ref() else {
                return;
            };
            let mut session = output.session(held);
            for _ in 0..CONTAINERS_PER_TURN {
                buffer.clear();
                while buffer.len() < per_container {
                    let Some(piece) = cut(&mut rest) else { break };
                    buffer.push(piece);
                }
                session.give_container(&mut buffer);
            }
            drop(session);
            if rest.is_empty() {
                capability = None;
            } else {
                activator.activate();
            }
        }
    })
}

/// The words of a text: runs of bytes that are not ASCII white space.
pub struct Words {
    rest: Text,
}

impl Words {
    pub fn of(text: Text) -> Self {
        Words { rest: text }
    }
}

#[inline(always)]
fn is_space(byte: u8) -> bool {
    byte == b' ' || byte.wrapping_sub(b'\t') < 5
}

impl Iterator for Words {
    type Item = Text;

    #[inline(always)]
    fn next(&mut self) -> Option<Text> {
        let start = self.rest.iter().position(|&b| !is_space(b))?;
        let tail = &self.rest[start..];
        let len = tail.iter().position(|&b| is_space(b)).unwrap_or(tail.len());
        self.rest = &tail[len..];
        Some(&tail[..len])
    }
}
