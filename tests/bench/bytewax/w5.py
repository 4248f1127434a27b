# SPDX-License-Identifier: Apache-2.0
"""W5, the billion-row challenge: rows of PATH are parsed and reduced by station, in tenths."""

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from common import ClosingSink, PartedSource, PrintSink, line_batches, parameter


def parse(line):
    station, _, celsius = line.partition(";")
    tenths = int(celsius[:-2] + celsius[-1])
    return station, (tenths, tenths, tenths, 1)


def merge(a, b):
    return (min(a[0], b[0]), max(a[1], b[1]), a[2] + b[2], a[3] + b[3])


flow = Dataflow("w5")
lines = op.input("lines", flow, PartedSource(line_batches(parameter("PATH"))))
readings = op.map("parse", lines, parse)
stats = op.reduce_final("reduce", readings, merge)
rows = op.map("row", stats, lambda pair: "\t".join([pair[0], *map(str, pair[1])]))
op.output("out", rows, ClosingSink(PrintSink))
