"""hnswlib: the graph of Malkov and Yashunin over float32, by its authors."""

import numpy

from peers.interface import Interface, efs


class Peer(Interface):
    PACKAGE = "hnswlib"
    NO_FILTER = ""

    @classmethod
    def variants(cls, rows, dim, metric):
        return {"M=16": {"m": 16, "ef_construction": 200}, "M=32": {"m": 32, "ef_construction": 400}}

    @classmethod
    def sweep(cls, build, k, rows):
        return [{"ef": ef} for ef in efs(k)]

    def load(self, threads):
        import hnswlib

        self.module = hnswlib
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        # Inner products of vectors of length 1 are cosines, and save a scaling of each query.
        space = "l2" if metric == "L2" else "ip"
        self.index = self.module.Index(space=space, dim=rows.shape[1])
        sizes = {"M": build["m"], "ef_construction": build["ef_construction"]}
        self.index.init_index(max_elements=len(rows), random_seed=1, **sizes)
        self.index.add_items(rows, num_threads=threads)

    def save(self, path):
        self.index.save_index(path)

    def open(self, path, rows, metric, build, threads):
        self.index = self.module.Index(space="l2" if metric == "L2" else "ip", dim=rows.shape[1])
        self.index.load_index(path)

    def one(self, setting, k):
        self.index.set_ef(setting["ef"])
        search = self.index.knn_query
        return lambda query: search(query, k, 1)[0]

    def filter(self, mask, column, bound):
        # It calls a function of Python for each row on its way; there is none faster than the access to a list.
        return mask.tolist().__getitem__

    def one_filtered(self, setting, k, filter):
        self.index.set_ef(setting["ef"])
        search = self.index.knn_query

        def run(query):
            try:
                return search(query, k, 1, filter)[0]
            except RuntimeError as error:
                # It has no answer where it found fewer than k.
                if "contiguous" not in str(error):
                    raise
                return numpy.empty(0, numpy.int64)

        return run

    def batch(self, setting, k, threads):
        self.index.set_ef(setting["ef"])
        return lambda queries: self.index.knn_query(queries, k, threads)[0]

    def batch_ids(self, raw, k):
        return raw.astype(numpy.int64)
