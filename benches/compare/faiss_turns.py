"""Compares exact search with faiss's IndexFlat on the same vectors in one run.

Both read the same files. For each batch size and metric they answer all queries in turns, round by round, so that
whatever else the machine does falls on both. Printed are the share of equal neighbours, the median queries per second
of each, and the median of the rounds' ratios.

    python3 -m venv venv && venv/bin/pip install -r benches/compare/requirements.txt
    cargo build --release -p elanus-benches
    venv/bin/python benches/compare/faiss_turns.py --rows 100000 --dim 768 --threads 2
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import faiss
import numpy


def write_bin(path, rows):
    """Writes little-endian rows after two counts."""
    with open(path, "wb") as out:
        numpy.array(rows.shape, dtype="<u4").tofile(out)
        rows.tofile(out)


class Elanus:
    """A child process that answers one timed round for each line."""

    def __init__(self, args, folder, metric):
        command = [args.program, "--base", f"{folder}/base.fbin", "--queries", f"{folder}/queries.fbin"]
        command += ["--truth", f"{folder}/truth.ibin", "--metric", metric, "--index", "FLAT"]
        command += ["--k", str(args.k), "--serve-stdin"]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.head = self.read()

    def read(self):
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"elanus-bench ended with {self.child.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            sys.exit(f"elanus-bench: {answer['error']}")
        return answer

    def round(self, queries, batch, threads):
        self.child.stdin.write(f"queries={queries} batch={batch} threads={threads}\n")
        self.child.stdin.flush()
        answer = self.read()
        return answer["qps"], answer["recall"]

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Faiss:
    """The same over IndexFlat."""

    def __init__(self, base, queries, metric):
        kind = faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT
        self.index = faiss.IndexFlat(base.shape[1], kind)
        self.index.add(base)
        self.queries = queries

    def round(self, queries, batch, k):
        start = time.perf_counter()
        for first in range(0, queries, batch):
            self.index.search(self.queries[first : min(first + batch, queries)], k)
        return queries / (time.perf_counter() - start)


def compare(args, metric, base, queries):
    with tempfile.TemporaryDirectory() as folder:
        write_bin(f"{folder}/base.fbin", base)
        write_bin(f"{folder}/queries.fbin", queries)
        theirs = Faiss(base, queries, metric)
        _, truth = theirs.index.search(queries, args.k)
        write_bin(f"{folder}/truth.ibin", truth.astype("<i4"))
        ours = Elanus(args, folder, metric)
        for batch in args.batch:
            # Single queries are slow ones: so few of them that a round takes about as long as one batch.
            count = min(len(queries), max(batch, 20))
            ours.round(count, batch, args.threads), theirs.round(count, batch, args.k)
            mine, others, equal = [], [], 0
            for _ in range(args.rounds):
                qps, equal = ours.round(count, batch, args.threads)
                mine.append(qps)
                others.append(theirs.round(count, batch, args.k))
            ratio = statistics.median(a / b for a, b in zip(mine, others))
            line = f"{metric:>4} {batch:>6} {equal:>8.5f} {statistics.median(mine):>10.1f}"
            print(f"{line} {statistics.median(others):>10.1f} {ratio:>6.2f}", flush=True)
        ours.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=os.environ.get("CARGO_TARGET_DIR", "target") + "/release/elanus-bench")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=lambda text: [int(size) for size in text.split(",")], default=[1, 16, 1000])
    parser.add_argument("--metric", type=lambda text: text.split(","), default=["L2", "IP"])
    args = parser.parse_args()
    faiss.omp_set_num_threads(args.threads)
    rng = numpy.random.default_rng(1)
    # Clusters with noise, as embeddings have them: neighbours that differ in distance, which pure noise has not.
    centres = rng.standard_normal((1000, args.dim), dtype=numpy.float32)
    draw = lambda count: (
        centres[rng.integers(1000, size=count)] + 0.7 * rng.standard_normal((count, args.dim), dtype=numpy.float32)
    )
    base, queries = draw(args.rows), draw(args.queries)
    print(f"{args.rows} x {args.dim} f32, k {args.k}, {args.threads} threads, faiss {faiss.__version__}")
    print(f"{'':>4} {'batch':>6} {'equal':>8} {'QPS':>10} {'faiss':>10} {'ratio':>6}")
    for metric in args.metric:
        compare(args, metric, base, queries)


if __name__ == "__main__":
    main()
