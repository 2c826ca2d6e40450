"""Compares Elanus's DISKANN with diskannpy's index on the disk: same vectors, same file system, same limit of memory.

Both build their files once, without a limit, and keep them in `--files`. Then each searches in a process of its own that the
operating system holds to `--limit-mib` with everything that it reads into the page cache, a control group of Linux, and
they answer all queries in turns. Printed are recall, queries per second of one thread, p50 and p99, reads a query, and
the highest memory of each group.

    elanus-bench --dataset synth-768-100k --k 10 --export data
    cargo build --release -p elanus-benches
    venv/bin/pip install numpy && venv/bin/pip install --no-deps diskannpy==0.7.0
    venv/bin/python benches/compare/disk_turns.py --data data --files files --limit-mib 128 --budget-mib 64
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy

GROUPS = "/sys/fs/cgroup"


class Group:
    """A control group with a limit of memory, of version 1 or 2 of their interface; none where the limit is 0."""

    def __init__(self, name, limit_mib):
        self.path = None
        if not limit_mib:
            return
        first = os.path.isdir(f"{GROUPS}/memory")
        self.path = f"{GROUPS}/memory/{name}" if first else f"{GROUPS}/{name}"
        limit, highest = (
            ("memory.limit_in_bytes", "memory.max_usage_in_bytes") if first else ("memory.max", "memory.peak")
        )
        self.highest_path = f"{self.path}/{highest}"
        try:
            os.makedirs(self.path, exist_ok=True)
            with open(f"{self.path}/{limit}", "w", encoding="ascii") as file:
                file.write(str(limit_mib << 20))
        except OSError as error:
            sys.exit(f"no limit of memory can be set: {error}; run as root, or without a limit by --limit-mib 0")

    def enter(self):
        """Called by a new process: it is a member from then on."""
        if self.path:
            with open(f"{self.path}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(os.getpid()))

    def highest_mib(self):
        if not self.path:
            return float("nan")
        with open(self.highest_path, encoding="ascii") as file:
            return int(file.read()) / 2**20

    def remove(self):
        if self.path:
            os.rmdir(self.path)


class Child:
    """A process that answers a line for each line."""

    def __init__(self, command, group):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, preexec_fn=group.enter, **pipes)
        self.head = self.read()

    def read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                if "error" in answer:
                    sys.exit(f"{self.process.args[0]}: {answer['error']}")
                return answer
        sys.exit(f"{self.process.args[0]} ended with {self.process.wait()}")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def forget(folder):
    """Has the kernel drop what it holds of files, so that nobody starts with pages that others paid for."""
    for place, _, names in os.walk(folder):
        for name in names:
            handle = os.open(os.path.join(place, name), os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def read_bin(path, kind):
    rows, dim = (int(count) for count in numpy.fromfile(path, dtype="<u4", count=2))
    return numpy.memmap(path, dtype=kind, offset=8, mode="r", shape=(rows, dim))


def is_cosine(args):
    with open(f"{args.data}/set.json", encoding="utf-8") as file:
        return json.load(file)["metric"] == "COSINE"


def unit(args, rows):
    rows = numpy.array(rows, dtype="f4")
    if is_cosine(args):
        rows /= numpy.maximum(numpy.linalg.norm(rows, axis=1)[:, None], 1e-30)
    return rows


def build_theirs(args, folder):
    import diskannpy

    os.makedirs(folder, exist_ok=True)
    rows = unit(args, read_bin(f"{args.data}/base.fbin", "<f4"))
    start = time.perf_counter()
    memory = {"search_memory_maximum": args.budget_mib / 1024, "build_memory_maximum": 16.0}
    sizes = {"complexity": args.complexity, "graph_degree": args.degree, "num_threads": args.threads}
    diskannpy.build_disk_index(rows, "l2", folder, pq_disk_bytes=0, **sizes, **memory)
    return time.perf_counter() - start


def serve_theirs(args):
    """The other end of `Child`, in a process that is held to the limit."""
    import diskannpy

    queries = numpy.ascontiguousarray(unit(args, read_bin(f"{args.data}/queries.fbin", "<f4")[: args.query_count]))
    truth = read_bin(f"{args.data}/truth.ibin", "<i4")[: args.query_count, : args.k]
    # One thread searches; with room for one alone, opening waits for ever.
    places = {"num_threads": 2, "num_nodes_to_cache": args.cached_nodes}
    index = diskannpy.StaticDiskIndex(f"{args.files}/diskannpy", **places)
    print(json.dumps({"reads_by": "libaio"}), flush=True)
    for line in sys.stdin:
        complexity, beam = (int(word) for word in line.split())
        spent, hits = [], 0
        for query, near in zip(queries, truth):
            start = time.perf_counter()
            # As a batch of one: the wheel's call for one query returns an array that numpy 2 reads wrongly.
            found = index.batch_search(query[None], args.k, complexity, 1, beam).identifiers[0]
            spent.append(time.perf_counter() - start)
            hits += len(set(found.tolist()) & set(near.tolist()))
        spent.sort()
        at = lambda percent: 1e6 * spent[max(0, -(-len(spent) * percent // 100) - 1)]
        answer = {"recall": hits / truth.size, "qps": len(spent) / sum(spent), "p50_us": at(50), "p99_us": at(99)}
        print(json.dumps(answer), flush=True)


def measure(args):
    ours_file, theirs = f"{args.files}/elanus.diskann", f"{args.files}/diskannpy"
    what = ["--data", args.data, "--file", ours_file, "--build", args.build]
    if not os.path.exists(ours_file):
        subprocess.run([args.program, "build", *what, "--threads", str(args.threads)], check=True)
    if not args.alone and not os.path.exists(f"{theirs}/ann_disk.index"):
        print(f"diskannpy: built in {build_theirs(args, theirs):.1f} s", flush=True)
    forget(args.files)
    counts = ["--k", str(args.k), "--query-count", str(args.query_count)]
    groups = {"Elanus": Group("elanus-turns", args.limit_mib)}
    command = [args.program, "serve", *what, "--budget-mib", str(args.budget_mib), *counts]
    children = {"Elanus": Child(command, groups["Elanus"])}
    lists = {"Elanus": [(f"search_list={n} vectors_beamwidth={args.beam}", n) for n in args.lists]}
    if not args.alone:
        groups["diskannpy"] = Group("diskannpy-turns", args.limit_mib)
        children["diskannpy"] = Child([sys.executable, __file__, "--serve", *sys.argv[1:]], groups["diskannpy"])
        lists["diskannpy"] = [(f"{n} {args.beam}", n) for n in args.lists]
    print("Elanus:", children["Elanus"].head, flush=True)
    print(f"{'list':>5} {'':<10} {'recall':>7} {'QPS':>7} {'p50 us':>7} {'p99 us':>7} {'reads':>6} {'KiB read':>8}")
    for i in range(len(args.lists)):
        rounds = {name: [] for name in children}
        for _ in range(args.rounds):
            for name, child in children.items():
                rounds[name].append(child.ask(lists[name][i][0]))
        for name, answers in rounds.items():
            middle = {key: statistics.median(answer[key] for answer in answers) for key in answers[0]}
            line = f"{args.lists[i]:>5} {name:<10} {middle['recall']:>7.4f} {middle['qps']:>7.0f}"
            line += f" {middle['p50_us']:>7.0f} {middle['p99_us']:>7.0f}"
            if "reads" in middle:
                line += f" {middle['reads']:>6.1f} {middle['read_bytes'] / 1024:>8.0f}"
            print(line, flush=True)
    for name, child in children.items():
        print(f"{name}: {groups[name].highest_mib():.0f} MiB at most, of {args.limit_mib or 'any number'}")
        child.close()
        groups[name].remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder that `elanus-bench --export` wrote")
    parser.add_argument("--files", required=True, help="where the indexes are kept")
    parser.add_argument("--program", default=os.environ.get("CARGO_TARGET_DIR", "target") + "/release/elanus-disk")
    parser.add_argument("--limit-mib", type=int, default=512, help="memory of each process, its page cache included")
    parser.add_argument("--budget-mib", type=int, default=380, help="memory that an index may keep")
    parser.add_argument("--build", default="max_degree=56", help="build parameters of Elanus")
    parser.add_argument("--degree", type=int, default=56, help="graph degree of diskannpy")
    parser.add_argument("--complexity", type=int, default=100, help="build complexity of diskannpy")
    parser.add_argument("--cached-nodes", type=int, default=0, help="nodes that diskannpy caches")
    parser.add_argument("--lists", type=lambda text: [int(n) for n in text.split(",")], default=[20, 50, 100, 200])
    parser.add_argument("--beam", type=int, default=16, help="reads in flight")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--query-count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of the builds")
    parser.add_argument("--alone", action="store_true", help="measure Elanus alone")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    serve_theirs(args) if args.serve else measure(args)


if __name__ == "__main__":
    main()
