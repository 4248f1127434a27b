"""The driver of the benchmark, in parts: see `../run`."""
