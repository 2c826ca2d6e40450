"""Compares fast scans over 1-bit and 4-bit codes with faiss's in one run, one query and one thread.

A search is timed from the vector to the k nearest, in turns. For faiss: IndexPQFastScan with 4-bit codes, and
IndexRaBitQFastScan. Codes are random, which makes no difference to a scan.

    python3 -m venv venv && venv/bin/pip install -r benches/compare/requirements.txt
    cargo build --release -p elanus-benches
    venv/bin/python benches/compare/faiss_scan.py
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import faiss
import numpy


class Elanus:
    """A child process that answers one timed round for each line."""

    def __init__(self, program):
        command = [program, "--serve-stdin"]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def round(self, case, rows, k, repeats):
        self.child.stdin.write(f"{case} {rows} {k} {repeats}\n")
        self.child.stdin.flush()
        answer = json.loads(self.child.stdout.readline())
        if "error" in answer:
            sys.exit(f"elanus-roofline: {answer['error']}")
        return answer["median"]


def theirs(kind, dim, m, rows, rng):
    """An index of faiss with so many random vectors in it."""
    train = rng.standard_normal((2000, dim), dtype=numpy.float32)
    index = faiss.IndexPQFastScan(dim, m, 4) if kind == "pq4" else faiss.IndexRaBitQFastScan(dim)
    index.train(train)
    for first in range(0, rows, 20_000):
        index.add(rng.standard_normal((min(20_000, rows - first), dim), dtype=numpy.float32))
    return index


def their_round(index, query, k, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        index.search(query, k)
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("CARGO_TARGET_DIR", "target") + "/release/elanus-roofline"
    parser.add_argument("--program", default=default)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--rows", type=lambda text: [int(rows) for rows in text.split(",")], default=[4000, 500_000])
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    faiss.omp_set_num_threads(1)
    rng = numpy.random.default_rng(1)
    ours = Elanus(args.program)
    query = rng.standard_normal((1, args.dim), dtype=numpy.float32)
    print(f"one query of {args.dim}, k {args.k}, one thread, faiss {faiss.__version__}: microseconds of a search")
    print(f"{'code':>12} {'rows':>8} {'elanus':>9} {'faiss':>9} {'ratio':>6}")
    cases = [("rabitq", 0), ("pq4", args.dim // 4), ("pq4", args.dim)]
    for kind, m in cases:
        case = f"pq4 {args.dim} {m}" if kind == "pq4" else f"rabitq {args.dim}"
        for rows in args.rows:
            index = theirs(kind, args.dim, m, rows, rng)
            repeats = max(3, 2_000_000 // rows // 4)
            ours.round(case, rows, args.k, repeats), their_round(index, query, args.k, repeats)
            mine, others = [], []
            for _ in range(args.rounds):
                mine.append(ours.round(case, rows, args.k, repeats))
                others.append(their_round(index, query, args.k, repeats))
            ratio = statistics.median(b / a for a, b in zip(mine, others))
            name = f"PQ {m}x4" if kind == "pq4" else "RaBitQ 1"
            line = f"{name:>12} {rows:>8} {statistics.median(mine):>9.1f} {statistics.median(others):>9.1f}"
            print(f"{line} {ratio:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
