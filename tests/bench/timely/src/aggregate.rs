// SPDX-License-Identifier: Apache-2.0
//! Aggregation by key in two steps: each worker folds its own records into a table, and only that
//! table, one record for each key, crosses the exchange to be merged. Keys borrow from the input
//! text until then.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::io::{BufWriter, Write};

use rustc_hash::{FxBuildHasher, FxHashMap};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Operator;
use timely::dataflow::StreamVec;
use timely::ExchangeData;

use crate::text::Text;

/// Folds the records of `stream` on the spot; emits the table when the input has ended.
pub fn fold_locally<R: 'static, K, V, F>(
    stream: StreamVec<'_, u64, R>,
    mut table: FxHashMap<K, V>,
    mut fold: F,
) -> StreamVec<'_, u64, (K, V)>
where
    K: Hash + Eq + 'static,
    V: 'static,
    F: FnMut(&mut FxHashMap<K, V>, R) + 'static,
{
    stream.unary_frontier::<CapacityContainerBuilder<Vec<(K, V)>>, _, _, _>(
        Pipeline,
        "FoldLocally",
        move |capability, _info| {
            let mut capability = Some(capability);
            move |(input, frontier), output| {
                input.for_each(|_time, data| {
                    for record in data.drain(..) {
                        fold(&mut table, record);
                    }
                });
                if !frontier.is_empty() {
                    return;
                }
                if let Some(held) = capability.take() {
                    let mut session = output.session(&held);
                    for pair in table.drain() {
                        session.give(pair);
                    }
                }
            }
        },
    )
}

/// Sends each text key to its owner, merges what arrives there and prints it with `print`.
pub fn merge_and_print<V: ExchangeData>(
    stream: StreamVec<'_, u64, (Text, V)>,
    mut merge: impl FnMut(&mut V, V) + 'static,
    print: impl Fn(&mut dyn Write, &[u8], &V) + 'static,
) {
    use timely::dataflow::operators::vec::Map;
    let owned = stream.map(|(key, value)| (key.to_vec(), value));
    let owner = Exchange::new(|pair: &(Vec<u8>, V)| FxBuildHasher.hash_one(&pair.0));
    let mut table: HashMap<Vec<u8>, V, FxBuildHasher> = HashMap::default();
    owned.sink(owner, "Merge", move |(input, frontier)| {
        input.for_each(|_time, data| {
            for (key, value) in data.drain(..) {
                match table.get_mut(&key) {
                    Some(there) => merge(there, value),
                    None => drop(table.insert(key, value)),
                }
            }
        });
        if frontier.is_empty() {
            let mut out = BufWriter::new(std::io::stdout().lock());
            for (key, value) in table.drain() {
                print(&mut out, &key, &value);
            }
        }
    });
}
