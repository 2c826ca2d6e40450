"""Compares exact search on a card with PyTorch's matrix product and top-k on the same vectors in one run.

For each number of rows and each batch size both answer the same queries in turns. Printed is one JSON object: the
limits as PyTorch measures them (copies, matrix products), and for each case the median microseconds of both, their
ratio, and the share of equal neighbours over the first queries.

    cargo build --release -p elanus-benches --features cuda,wgpu
    python3 benches/compare/torch_turns.py --program target/release/elanus-gpu --device cuda:0
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import numpy
    import torch
except ImportError as missing:
    print(json.dumps({"skipped": f"{missing}"}))
    sys.exit(0)

if not torch.cuda.is_available():
    print(json.dumps({"skipped": "PyTorch finds no card"}))
    sys.exit(0)

# Scores that PyTorch may hold at a time, in bytes.
SCORES = 4 << 30


class Elanus:
    """A child process that answers one request a line."""

    def __init__(self, program, device):
        command = [program, "serve", "--device", device]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.child.stdin.write(json.dumps(request) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"elanus-gpu ended with {self.child.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            sys.exit(f"elanus-gpu: {answer['error']}")
        return answer

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def timed(run, repeats):
    """The median microseconds of a run that ends on the host."""
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def limits():
    """Bytes read in a nanosecond while copying, and multiply-adds of bf16 in a nanosecond."""
    source = torch.empty(1 << 31, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    timed(lambda: target.copy_(source), 3)
    copy = timed(lambda: target.copy_(source), 9)
    del source, target
    size = 8192
    left, right = (torch.randn(size, size, device="cuda").to(torch.bfloat16) for _ in range(2))
    timed(lambda: left @ right, 3)
    product = timed(lambda: left @ right, 9)
    return {
        "copy_read_bytes_per_ns": (1 << 31) / (copy * 1e3),
        "copy_bytes_per_ns": 2 * (1 << 31) / (copy * 1e3),
        "bf16_multiply_adds_per_ns": size**3 / (product * 1e3),
    }


def product(queries, rows):
    """Scores in f32 where PyTorch can give them, else in the type of the vectors."""
    try:
        return torch.mm(queries, rows.T, out_dtype=torch.float32)
    except TypeError:
        return queries @ rows.T


def search(queries, rows, k):
    """The k rows with the largest inner product, in pieces that fit."""
    step = max(SCORES // (4 * len(queries)), 4 * k)
    best_scores, best_ids = None, None
    for first in range(0, len(rows), step):
        scores = product(queries, rows[first : first + step])
        values, ids = torch.topk(scores, min(k, scores.shape[1]), dim=1)
        ids = ids + first
        if best_scores is not None:
            values, ids = torch.cat([best_scores, values], 1), torch.cat([best_ids, ids], 1)
            values, order = torch.topk(values, k, dim=1)
            ids = torch.gather(ids, 1, order)
        best_scores, best_ids = values, ids
    return best_ids.cpu()


def case(args, folder, elanus, row_count):
    dtype = torch.bfloat16
    generator = torch.Generator(device="cuda").manual_seed(1)
    draw = lambda count: torch.randn(count, args.dim, device="cuda", generator=generator, dtype=torch.float32).to(dtype)
    rows = torch.cat([draw(min(100_000, row_count - at)) for at in range(0, row_count, 100_000)])
    queries = draw(max(args.batch))
    for name, values in [("rows", rows), ("queries", queries)]:
        values.view(torch.int16).cpu().numpy().tofile(f"{folder}/{name}")
    elanus.ask(load=f"{folder}/rows", element="bf16", dim=args.dim)
    elanus.ask(queries=f"{folder}/queries", element="bf16", dim=args.dim)
    lines = []
    for batch in args.batch:
        asked = queries[:batch]
        theirs_ids = search(asked, rows, args.k)[:64].tolist()
        elanus.ask(search=batch, metric="IP", k=args.k, repeats=2)
        mine, theirs, equal = [], [], 0.0
        for _ in range(args.rounds):
            answer = elanus.ask(search=batch, metric="IP", k=args.k, repeats=3)
            mine.append(answer["median_us"])
            theirs.append(timed(lambda: search(asked, rows, args.k), 3))
            pairs = zip(answer["ids"], theirs_ids)
            equal = statistics.mean(len(set(a) & set(b)) / args.k for a, b in pairs)
        ratio = statistics.median(b / a for a, b in zip(mine, theirs))
        line = {"rows": row_count, "batch": batch, "equal": equal, "ratio": ratio}
        lines.append(line | {"us": statistics.median(mine), "torch_us": statistics.median(theirs)})
        print(f"{row_count:>9} {batch:>5} {equal:.4f} {ratio:.2f}", file=sys.stderr, flush=True)
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = lambda text: [int(one) for one in text.split(",")]
    parser.add_argument("--program", default=os.environ.get("CARGO_TARGET_DIR", "target") + "/release/elanus-gpu")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--rows", type=numbers, default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--batch", type=numbers, default=[1, 8, 32, 128, 512, 4096])
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=240)
    args = parser.parse_args()
    end = time.monotonic() + args.seconds
    result = {"torch": torch.__version__, "limits": limits(), "cases": []}
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        elanus = Elanus(args.program, args.device)
        for row_count in args.rows:
            if time.monotonic() > end:
                result["cases"].append({"rows": row_count, "skipped": "out of time"})
                continue
            result["cases"] += case(args, folder, elanus, row_count)
        elanus.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
