"""NGT: ANNG and ONNG graphs. The quantized graphs are built by a command that its wheel does not contain."""

import os

import numpy

from peers.interface import Interface


class Peer(Interface):
    PACKAGE = "ngt"
    METRICS = ("L2", "COSINE")
    NOTE = "has no `qbg` command in its wheel, so its quantized graphs (QG, QBG) cannot be built and are not shown"

    @classmethod
    def variants(cls, rows, dim, metric):
        return {
            "ANNG": {"edges": 40, "outgoing": None, "incoming": None},
            "ONNG": {"edges": 100, "outgoing": 10, "incoming": 120},
        }

    @classmethod
    def sweep(cls, build, k, rows):
        steps = (-0.1, -0.05, 0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.3, 0.45, 0.7)
        return [{"epsilon": epsilon} for epsilon in steps]

    def load(self, threads):
        import ngtpy

        self.module = ngtpy
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        ngtpy = self.module
        # On vectors of length 1 the Euclidean order is that of the cosine.
        path = os.path.join(folder, "anng")
        ngtpy.create(path, rows.shape[1], edge_size_for_creation=build["edges"], distance_type="L2")
        index = ngtpy.Index(path, log_disabled=True)
        index.batch_insert(rows, num_threads=threads)
        index.save()
        index.close()
        if build["outgoing"]:
            improved = os.path.join(folder, "onng")
            optimizer = ngtpy.Optimizer(num_of_outgoings=build["outgoing"], num_of_incomings=build["incoming"])
            optimizer.execute(path, improved)
            path = improved
        self.index = ngtpy.Index(path, read_only=True, log_disabled=True)

    def one(self, setting, k):
        search, epsilon = self.index.search, setting["epsilon"]
        return lambda query: search(query, k, epsilon, with_distance=False)

    def batch(self, setting, k, threads):
        if threads != int(os.environ["OMP_NUM_THREADS"]):
            return super().batch(setting, k, threads)
        self.index.set(epsilon=setting["epsilon"])

        def run(queries):
            results = self.module.BatchResults()
            self.index.batch_search(queries, results, k, with_distance=False)
            return results

        return run

    def batch_ids(self, raw, k):
        if isinstance(raw, list):
            return self.ids(raw, k)
        return numpy.asarray(raw.get_ids()).astype(numpy.int64)
