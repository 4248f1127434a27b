# SPDX-License-Identifier: Apache-2.0
"""The driver of the benchmark, in parts: see `../run`."""
