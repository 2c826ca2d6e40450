"""Compares Elanus's HNSW with hnswlib on the same vectors in one run.

Both build from the same files with the same M and efConstruction. Then, for each ef, they answer all queries in turns,
round by round, so that whatever else the machine does falls on both. Printed are recall, the median queries per second
of each, and the median of the rounds' ratios.

    python3 -m venv venv && venv/bin/pip install -r benches/compare/requirements.txt
    cargo build --release -p elanus-benches
    venv/bin/python benches/compare/hnswlib_turns.py --dataset fashion-mnist-10k
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import hnswlib
import numpy


def read_bin(path, kind):
    """Reads a file of little-endian rows after two counts."""
    rows, dim = numpy.fromfile(path, dtype="<u4", count=2)
    return numpy.fromfile(path, dtype=kind, offset=8).reshape(rows, dim)


class Elanus:
    """A child process that builds once and then answers one timed round for each line."""

    def __init__(self, args, folder, metric):
        build = f"M={args.m},efConstruction={args.ef_construction}"
        command = [args.program, "--base", f"{folder}/base.fbin", "--queries", f"{folder}/queries.fbin"]
        command += ["--truth", f"{folder}/truth.ibin", "--metric", metric, "--index", "HNSW", "--build", build]
        command += ["--k", str(args.k), "--build-threads", str(args.build_threads), "--serve-stdin"]
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

    def round(self, ef, threads):
        self.child.stdin.write(f"ef={ef} threads={threads}\n")
        self.child.stdin.flush()
        answer = self.read()
        return answer["qps"], answer["recall"]

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Hnswlib:
    """The same over hnswlib."""

    SPACES = {"L2": "l2", "IP": "ip", "COSINE": "cosine"}

    def __init__(self, args, folder, metric):
        base = read_bin(f"{folder}/base.fbin", "<f4")
        self.queries = read_bin(f"{folder}/queries.fbin", "<f4")
        self.truth = read_bin(f"{folder}/truth.ibin", "<i4")[:, : args.k]
        self.k = args.k
        self.index = hnswlib.Index(space=self.SPACES[metric], dim=base.shape[1])
        self.index.init_index(max_elements=len(base), M=args.m, ef_construction=args.ef_construction, random_seed=1)
        start = time.perf_counter()
        self.index.add_items(base, num_threads=args.build_threads)
        self.build_seconds = time.perf_counter() - start

    def round(self, ef, threads):
        self.index.set_ef(ef)
        start = time.perf_counter()
        found, _ = self.index.knn_query(self.queries, k=self.k, num_threads=threads)
        seconds = time.perf_counter() - start
        hits = sum(len(set(a) & set(b)) for a, b in zip(found.tolist(), self.truth.tolist()))
        return len(self.queries) / seconds, hits / self.truth.size


def compare(args, folder, metric):
    elanus = Elanus(args, folder, metric)
    other = Hnswlib(args, folder, metric)
    print(elanus.head["description"], "on", elanus.head["dataset"], elanus.head["cpu"][0])
    print(f"build: elanus {elanus.head['build_seconds']:.1f} s, hnswlib {other.build_seconds:.1f} s")
    print(f"{'ef':>5} {'recall':>8} {'hnswlib':>8} {'diff':>8} {'QPS':>9} {'hnswlib':>9} {'ratio':>6}")
    points = []
    for ef in args.ef:
        elanus.round(ef, args.threads), other.round(ef, args.threads)
        ours, theirs = [], []
        for _ in range(args.rounds):
            ours.append(elanus.round(ef, args.threads))
            theirs.append(other.round(ef, args.threads))
        ratio = statistics.median(a[0] / b[0] for a, b in zip(ours, theirs))
        qps = [statistics.median(qps for qps, _ in rounds) for rounds in (ours, theirs)]
        recall = [rounds[0][1] for rounds in (ours, theirs)]
        line = f"{ef:>5} {recall[0]:>8.4f} {recall[1]:>8.4f} {recall[0] - recall[1]:>+8.4f}"
        print(f"{line} {qps[0]:>9.0f} {qps[1]:>9.0f} {ratio:>6.2f}", flush=True)
        points.append({"ef": ef, "recall": recall, "qps": qps, "ratio": ratio})
    elanus.close()
    return {"elanus": elanus.head, "hnswlib_build_seconds": other.build_seconds, "points": points}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="fashion-mnist-10k")
    parser.add_argument("--program", default=os.environ.get("CARGO_TARGET_DIR", "target") + "/release/elanus-bench")
    parser.add_argument("--m", type=int, default=16)
    parser.add_argument("--ef-construction", type=int, default=200)
    parser.add_argument("--ef", type=lambda text: [int(ef) for ef in text.split(",")], default=[16, 32, 64, 128, 256])
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--build-threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", help="write the results here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [args.program, "--dataset", args.dataset, "--k", str(args.k), "--export", folder]
        metric = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        result = compare(args, folder, metric)
    if args.json:
        with open(args.json, "w", encoding="ascii") as out:
            json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
