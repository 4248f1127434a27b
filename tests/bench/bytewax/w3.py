# SPDX-License-Identifier: Apache-2.0
"""W3, the keyed count: RECORDS random keys of KEYS for each part are counted by key, which Bytewax
wants to be a string."""

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.outputs import StatelessSinkPartition
from common import BATCH, MASK, ClosingSink, PartedSource, parameter, print_lines

RECORDS = int(parameter("RECORDS"))
KEYS = int(parameter("KEYS"))


def random_keys(part, _parts):
    """splitmix64 scaled to [0, KEYS), the keys that the other programs draw."""
    state = 42 + part * 0x1234567
    for first in range(0, RECORDS, BATCH):
        batch = []
        for _ in range(min(BATCH, RECORDS - first)):
            state = (state + 0x9E3779B97F4A7C15) & MASK
            z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            batch.append(str(((z ^ (z >> 31)) * KEYS) >> 64))
        yield batch


class Check(StatelessSinkPartition):
    def __init__(self):
        self._records = self._distinct = self._check = 0

    def write_batch(self, items):
        for key, count in items:
            self._records += count
            self._distinct += 1
            self._check ^= int(key) * count

    def close(self):
        print_lines([f"w3 records={self._records} distinct={self._distinct} xor={self._check}"])


flow = Dataflow("w3")
keys = op.input("keys", flow, PartedSource(random_keys))
counts = op.count_final("count", keys, lambda key: key)
op.output("check", counts, ClosingSink(Check))
