# SPDX-License-Identifier: Apache-2.0
"""W2, the word count: the lines of PATH are split at white space and counted by word."""

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from common import ClosingSink, PartedSource, PrintSink, line_batches, parameter

flow = Dataflow("w2")
lines = op.input("lines", flow, PartedSource(line_batches(parameter("PATH"))))
words = op.flat_map("words", lines, str.split)
counts = op.count_final("count", words, lambda word: word)
rows = op.map("row", counts, lambda pair: f"{pair[0]}\t{pair[1]}")
op.output("out", rows, ClosingSink(PrintSink))
