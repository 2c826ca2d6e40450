"""VSAG: its graph over scalar codes of eight and of four bits, with refinement by the vectors."""

import json

import numpy

from peers.interface import Interface, efs


class Peer(Interface):
    PACKAGE = "pyvsag"
    NOTE = "has no call for a batch: threads of Python share the queries"

    @classmethod
    def variants(cls, rows, dim, metric):
        graph = {"max_degree": 32, "ef_construction": 400}
        # Not sq4_uniform: in this release it finds 2 % of the neighbours of unit vectors and 66 % of those of SIFT.
        return {
            "hgraph sq8, refined": {"codes": "sq8_uniform", **graph},
            "hgraph sq4, refined": {"codes": "sq4", **graph},
        }

    @classmethod
    def sweep(cls, build, k, rows):
        return [{"ef": ef} for ef in efs(k)]

    def load(self, threads):
        import pyvsag

        self.module = pyvsag
        pyvsag.set_logger_off()
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        index = {
            "base_quantization_type": build["codes"],
            "use_reorder": True,
            "precise_quantization_type": "fp32",
            "max_degree": build["max_degree"],
            "ef_construction": build["ef_construction"],
            "build_thread_count": threads,
        }
        kind = "l2" if metric == "L2" else "ip"
        params = {"dtype": "float32", "metric_type": kind, "dim": rows.shape[1], "index_param": index}
        self.index = self.module.Index("hgraph", json.dumps(params))
        ids = numpy.arange(len(rows), dtype=numpy.int64)
        self.index.build(rows.reshape(-1), ids, len(rows), rows.shape[1])

    def one(self, setting, k):
        params = json.dumps({"hgraph": {"ef_search": setting["ef"]}})
        search = self.index.knn_search
        return lambda query: search(query, k, params)[0]
