"""DiskANN: its Vamana graph in memory over float32."""

import numpy

from peers.interface import Interface, efs


class Peer(Interface):
    PACKAGE = "diskannpy"
    NO_FILTER = "filters by labels that the graph was built for, not by any set of rows"
    NOTE = "is made for numpy 1.25: with numpy 2 its call for one query is broken, so one query is a batch of one"

    @classmethod
    def variants(cls, rows, dim, metric):
        return {
            "R=64": {"degree": 64, "complexity": 128, "alpha": 1.2},
            "R=32": {"degree": 32, "complexity": 128, "alpha": 1.2},
        }

    @classmethod
    def sweep(cls, build, k, rows):
        return [{"complexity": complexity} for complexity in efs(k)]

    def load(self, threads):
        import diskannpy

        self.module = diskannpy
        self.threads = threads
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        # On vectors of length 1 the Euclidean order is that of the cosine.
        kind = "mips" if metric == "IP" else "l2"
        sizes = {"complexity": build["complexity"], "graph_degree": build["degree"], "alpha": build["alpha"]}
        self.module.build_memory_index(rows, kind, folder, num_threads=threads, **sizes)
        places = {"num_threads": self.threads, "initial_search_complexity": 128}
        self.index = self.module.StaticMemoryIndex(folder, **places)

    def one(self, setting, k):
        # As a batch of one: the wheel's call for one query returns an array that numpy 2 reads wrongly.
        search, complexity = self.index.batch_search, setting["complexity"]
        return lambda query: search(query[None], k, complexity, 1).identifiers

    def batch(self, setting, k, threads):
        complexity = setting["complexity"]
        return lambda queries: self.index.batch_search(queries, k, complexity, threads).identifiers

    def batch_ids(self, raw, k):
        return raw.astype(numpy.int64)
