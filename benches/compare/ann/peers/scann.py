"""ScaNN: a tree of partitions with anisotropic product codes and refinement, with and without spilling (SOAR)."""

import os

import numpy

from peers.interface import Interface, spread


class Peer(Interface):
    PACKAGE = "scann"

    @classmethod
    def variants(cls, rows, dim, metric):
        # About the square root of the rows and a bit more, as its documentation advises.
        leaves = max(4, min(int(2 * rows**0.5), rows // 40))
        threshold = 0.2 if metric != "L2" else None
        found = {f"{leaves} leaves": {"leaves": leaves, "threshold": threshold, "soar": None}}
        if metric != "L2":
            found[f"{leaves} leaves, SOAR"] = {"leaves": leaves, "threshold": threshold, "soar": 1.5}
        return found

    @classmethod
    def sweep(cls, build, k, rows):
        probes = spread(1, build["leaves"], 12)
        reorders = [10 * k, 20 * k, 50 * k] if k <= 20 else [2 * k, 4 * k, 10 * k]
        return [{"leaves": probe, "reorder": min(reorder, rows)} for probe in probes for reorder in reorders]

    def load(self, threads):
        import scann

        self.module = scann
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        kind = "squared_l2" if metric == "L2" else "dot_product"
        builder = self.module.scann_ops_pybind.builder(rows, 10, kind).set_n_training_threads(threads)
        soar = {} if build["soar"] is None else {"soar_lambda": build["soar"]}
        sample = min(len(rows), 250_000)
        tree = {"num_leaves": build["leaves"], "num_leaves_to_search": 10, "training_sample_size": sample}
        builder = builder.tree(**tree, **soar)
        codes = {} if build["threshold"] is None else {"anisotropic_quantization_threshold": build["threshold"]}
        self.index = builder.score_ah(2, **codes).reorder(100).build()

    def save(self, path):
        os.makedirs(path)
        self.index.serialize(path)

    def open(self, path, rows, metric, build, threads):
        self.index = self.module.scann_ops_pybind.load_searcher(path)

    def one(self, setting, k):
        search, reorder, leaves = self.index.search, setting["reorder"], setting["leaves"]
        return lambda query: search(query, k, reorder, leaves)[0]

    def batch(self, setting, k, threads):
        reorder, leaves = setting["reorder"], setting["leaves"]
        if threads == 1:
            return lambda queries: self.index.search_batched(queries, k, reorder, leaves)[0]
        self.index.set_num_threads(threads)
        return lambda queries: self.index.search_batched_parallel(queries, k, reorder, leaves)[0]

    def batch_ids(self, raw, k):
        return numpy.asarray(raw).astype(numpy.int64)
