# SPDX-License-Identifier: Apache-2.0
"""W1, the map chain: numbers 0..RECORDS-1 through five steps into a sink that counts and sums."""

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.outputs import StatelessSinkPartition
from common import BATCH, MASK, ClosingSink, PartedSource, parameter, print_lines

RECORDS = int(parameter("RECORDS"))


def numbers(part, parts):
    low, high = RECORDS * part // parts, RECORDS * (part + 1) // parts
    for first in range(low, high, BATCH):
        yield list(range(first, min(first + BATCH, high)))


class Totals(StatelessSinkPartition):
    def __init__(self):
        self._out = self._sum = 0

    def write_batch(self, items):
        self._out += len(items)
        self._sum += sum(items)

    def close(self):
        print_lines([f"w1 out={self._out} sum={self._sum & MASK}"])


flow = Dataflow("w1")
stream = op.input("numbers", flow, PartedSource(numbers))
stream = op.map("plus_one", stream, lambda x: x + 1)
stream = op.map("times_three", stream, lambda x: x * 3)
stream = op.filter("no_sevens", stream, lambda x: x % 7 != 0)
stream = op.map("mix", stream, lambda x: x ^ (x >> 5))
stream = op.flat_map("identity", stream, lambda x: (x,))
op.output("totals", stream, ClosingSink(Totals))
