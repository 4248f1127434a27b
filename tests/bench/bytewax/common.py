# SPDX-License-Identifier: Apache-2.0
"""What the Bytewax flows of the benchmark share: parameters from BENCH_* environment variables, a
sink that prints one line when it closes, and sources with one part for each worker."""

import os

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition

BATCH = 1000
MASK = (1 << 64) - 1


def parameter(name, fallback=None):
    return os.environ["BENCH_" + name] if fallback is None else os.environ.get(
        "BENCH_" + name, fallback
    )


class ClosingSink(DynamicSink):
    """Makes one `partition_class()` for each worker."""

    def __init__(self, partition_class):
        self._partition_class = partition_class

    def build(self, _step_id, _worker_index, _worker_count):
        return self._partition_class()


class IteratorPart(StatefulSourcePartition):
    """Gives out the lists that an iterator yields. Never resumed."""

    def __init__(self, batches):
        self._batches = batches

    def next_batch(self):
        return next(self._batches)

    def snapshot(self):
        return None


class PartedSource(FixedPartitionedSource):
    """`make_batches(i, n)` is the iterator of part i of n; PARTS says how many there are."""

    def __init__(self, make_batches):
        self._make_batches = make_batches
        self._parts = int(parameter("PARTS", "1"))

    def list_parts(self):
        return [str(i) for i in range(self._parts)]

    def build_part(self, _step_id, for_part, _resume_state):
        return IteratorPart(self._make_batches(int(for_part), self._parts))


def line_batches(path):
    """The lines of a file, without newlines, in lists."""

    def make_batches(part, parts):
        with open(path, encoding="ascii") as file:
            batch = []
            for i, line in enumerate(file):
                if i % parts == part:
                    batch.append(line[:-1])
                if len(batch) == BATCH:
                    yield batch
                    batch = []
            yield batch

    return make_batches


def print_lines(lines):
    """In one write, so that lines of several workers do not get mixed."""
    os.write(1, "".join(line + "\n" for line in lines).encode())


class PrintSink(StatelessSinkPartition):
    """Prints each item as a line."""

    def write_batch(self, items):
        print_lines(items)
