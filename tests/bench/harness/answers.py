# SPDX-License-Identifier: Apache-2.0
"""What the programs print, reduced to what has to be equal on all sides, and the latencies."""

import hashlib
import re

MASK = (1 << 64) - 1
HALF_BUCKETS = 64  # as in c/histogram.h
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1}


def sum_answer(stdout):
    """W1: counts and sums of all workers added up."""
    found = re.findall(r"^w1 out=(\d+) sum=(\d+)$", stdout, re.M)
    total = sum(int(s) for _, s in found) & MASK
    return f"out={sum(int(n) for n, _ in found)} sum={total}"


def lines_answer(stdout):
    """W2 and W5: the lines, in any order."""
    lines = sorted(stdout.encode().splitlines())
    return f"{len(lines)} lines, md5 {hashlib.md5(b''.join(l + b'@' for l in lines)).hexdigest()}"


def count_answer(stdout):
    """W3: no key is on two workers, so the distinct keys add up, too."""
    records = distinct = check = 0
    for n, d, x in re.findall(r"^w3 records=(\d+) distinct=(\d+) xor=(\d+)$", stdout, re.M):
        records, distinct, check = records + int(n), distinct + int(d), check ^ int(x)
    return f"records={records} distinct={distinct} xor={check}"


def bucket_ns(bucket):
    """The middle of a bucket."""
    shift = 0 if bucket < 2 * HALF_BUCKETS else bucket // HALF_BUCKETS - 1
    return ((bucket - shift * HALF_BUCKETS) << shift) + (1 << shift) / 2


def histogram(stdout, name):
    """{bucket: count} over all workers."""
    merged = {}
    for line in re.findall(rf"^w6 {name}((?: \d+:\d+)+)$", stdout, re.M):
        for pair in line.split():
            bucket, count = map(int, pair.split(":"))
            merged[bucket] = merged.get(bucket, 0) + count
    return merged


def percentile(buckets, share):
    """In microseconds."""
    rank, seen = share * sum(buckets.values()), 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            return bucket_ns(bucket) / 1000
    return 0.0


def latency_answer(stdout):
    """W6: how many records were counted, and how many of them measured."""
    records = sum(int(n) for n in re.findall(r"^w6 records=(\d+)$", stdout, re.M))
    return f"records={records} measured={sum(histogram(stdout, 'all').values())}"


def latencies(stdout):
    """Percentiles of all records; `cross...` of those that changed worker, which for a program
    that does not tell them apart are all."""
    both = {"": histogram(stdout, "all"), "cross ": histogram(stdout, "cross")}
    both["cross "] = both["cross "] or both[""]
    found = {}
    for prefix, buckets in both.items():
        for name, share in SHARES.items():
            found[prefix + name] = percentile(buckets, share)
    return found
