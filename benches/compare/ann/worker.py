"""One index of one library in a process of its own, which answers a line of JSON for each line of JSON.

    python worker.py PEER

Replies go to what was the standard output; whatever a library prints goes to the standard error.
"""

import json
import os
import sys
import tempfile
import time
import traceback

import numpy

import peers
import process
from files import Folder
from filters import Cases, judge
from kept import Kept


def recall(found, truth, k):
    """The mean share of the k true neighbours that are among the k found."""
    hits = sum(len(set(a) & set(b)) for a, b in zip(found[:, :k].tolist(), truth[:, :k].tolist()))
    return hits / (k * len(found))


def percentile(sorted_values, percent):
    """The least value that so many of a hundred do not pass."""
    rank = max(1, -(-len(sorted_values) * percent // 100))
    return float(sorted_values[rank - 1])


class Worker:
    def __init__(self, name):
        self.peer = peers.peer_class(name)()

    def load(self, order):
        self.cpus = order["cpus"]
        if self.cpus:
            process.pin(self.cpus)
        version = self.peer.load(order["threads"])
        self.folder = Folder(order["data"])
        self.queries = self.folder.queries(order["query_count"])
        self.truth = self.folder.truth(order["query_count"])
        process.give_back()
        self.start_bytes = process.memory_bytes()[0]
        return {"version": version, "start_bytes": self.start_bytes}

    def filters(self, order):
        """Reads the conditions that later points name; some libraries store the numbers that they are about."""
        self.cases, self.filter = Cases(order["path"]), (None, None)
        self.peer.columns = self.cases.columns
        process.give_back()
        self.start_bytes = process.memory_bytes()[0]
        return {}

    def build(self, order):
        rows = self.folder.base()
        row_bytes = rows.nbytes
        threads = order["threads"]
        self.pin(threads)
        self.files = tempfile.TemporaryDirectory(prefix="ann-", dir=order["scratch"])
        measured, was_kept = self._made(rows, order, threads)
        del rows
        # A search of every query has whatever is mapped or made at first use in memory.
        search = self.peer.one(order["setting"], order["k"])
        for query in self.queries:
            search(query)
        process.give_back()
        after, highest = process.memory_bytes()
        return {
            "was_kept": was_kept,
            "build_seconds": measured["seconds"],
            "build_cpu_seconds": measured["cpu_seconds"],
            "build_within_threads": process.within(measured, threads),
            "row_bytes": row_bytes,
            "process_bytes": after,
            "highest_bytes": highest,
            "held_bytes": after - self.start_bytes,
            "index_bytes": self.peer.memory_bytes(),
            "file_bytes": process.file_bytes(self.files.name),
            "description": self.peer.describe(),
        }

    def _made(self, rows, order, threads):
        """Builds the index, or opens one that was kept; what was measured at its build, and whether it was kept."""
        kept = None
        if order.get("keep") and self.peer.save is not None:
            # What is tried in searches does not change what was built.
            build = {name: value for name, value in order["build"].items() if name != "sweep"}
            version = self.peer.kept_version()
            kept = Kept(order["keep"], order["peer"], version, [build, threads], self.folder)
            measured = kept.measured()
            if measured is not None:
                self.peer.open(kept.index, rows, self.folder.metric, order["build"], threads)
                return measured, True
        watch = process.Watch()
        watch.start()
        self.peer.build(rows, self.folder.metric, order["build"], threads, self.files.name)
        measured = watch.stop()
        if kept is not None:
            kept.write(self.peer.save, measured)
        return measured, False

    def pin(self, threads):
        if self.cpus:
            process.pin(self.cpus[:threads])

    def probe(self, order):
        """Roughly how long one pass over all queries will take, from some of them."""
        queries = self._queries(order)
        some = numpy.ascontiguousarray(queries[:: max(1, len(queries) // 50)][:50])
        self.pin(order["threads"])
        run = self._runner(order)
        begin = time.perf_counter()
        run(some)
        seconds = time.perf_counter() - begin
        whole = seconds * len(queries) / len(some)
        return {"seconds": max(order["least_seconds"], whole), "spent_seconds": seconds}

    def point(self, order):
        """Passes over all queries until the least time is over."""
        k, threads = order["k"], order["threads"]
        self.pin(threads)
        run, queries = self._runner(order), self._queries(order)
        passes, latencies, watch = 0, [], process.Watch()
        watch.start()
        begin = time.perf_counter()
        while passes == 0 or time.perf_counter() - begin < order["least_seconds"]:
            raw, each = run(queries)
            latencies.append(each)
            passes += 1
        measured = watch.stop()
        ids = self.peer.ids(raw, k) if order["mode"] == "one" else self.peer.batch_ids(raw, k)
        if ids.shape != (len(queries), k):
            raise ValueError(f"results of shape {ids.shape} for {len(queries)} queries and k {k}")
        answer = {
            **self._judge(order, ids),
            "qps": passes * len(queries) / measured["seconds"],
            "passes": passes,
            "queries": passes * len(queries),
            "within_threads": process.within(measured, threads),
            **measured,
        }
        if order["mode"] == "one":
            # The time between two calls is Python's own; the rate counts that of the calls.
            every = numpy.sort(numpy.concatenate(latencies))
            answer["qps"] = len(every) / (every.sum() / 1e9)
            answer["p50_us"] = percentile(every, 50) / 1e3
            answer["p99_us"] = percentile(every, 99) / 1e3
        return answer

    def _queries(self, order):
        if "case" not in order:
            return self.queries
        kind = self.cases.by_name[order["case"]]["kind"]
        return numpy.ascontiguousarray(self.queries[self.cases.queries[kind]])

    def _judge(self, order, ids):
        if "case" not in order:
            return {"recall": recall(ids, self.truth, order["k"])}
        name = order["case"]
        return judge(ids, self.cases.truths[name], self.cases.mask(name), order["k"])

    def _one(self, order):
        """The function of one query that is timed."""
        if "case" not in order:
            return self.peer.one(order["setting"], order["k"])
        name = order["case"]
        if self.filter[0] != name:
            case = self.cases.by_name[name]
            self.filter = name, self.peer.filter(self.cases.mask(name), case["column"], case["bound"])
        return self.peer.one_filtered(order["setting"], order["k"], self.filter[1])

    def _runner(self, order):
        if order["mode"] == "batch":
            search = self.peer.batch(order["setting"], order["k"], order["threads"])
            return lambda queries: (search(queries), None)
        search, clock = self._one(order), time.perf_counter_ns

        def run(queries):
            raws, spent = [], numpy.empty(len(queries), numpy.int64)
            for i, query in enumerate(queries):
                begin = clock()
                raw = search(query)
                spent[i] = clock() - begin
                raws.append(raw)
            return raws, spent

        return run


def main():
    process.end_with_parent()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if worker is None:
                worker = Worker(sys.argv[1])
            answer = getattr(worker, order.pop("do"))(order)
        except BaseException as error:  # whatever a library throws is the answer
            if isinstance(error, KeyboardInterrupt):
                raise
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(answer) + "\n")
        replies.flush()
    # Some libraries crash while their objects are destroyed; everything was said, so nothing is lost without that.
    if worker is not None and hasattr(worker, "files"):
        worker.files.cleanup()
    os._exit(0)


if __name__ == "__main__":
    main()
