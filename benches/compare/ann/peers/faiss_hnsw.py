"""faiss: HNSW over float32, and over bytes with refinement."""

import numpy

from peers.interface import Interface, efs


class Peer(Interface):
    PACKAGE = "faiss-cpu"
    NO_FILTER = ""

    @classmethod
    def variants(cls, rows, dim, metric):
        return {
            "flat M=16": {"factory": "HNSW16,Flat", "ef_construction": 200},
            "flat M=32": {"factory": "HNSW32,Flat", "ef_construction": 400},
            "SQ8 M=32, refined": {"factory": "HNSW32_SQ8,RFlat", "ef_construction": 400},
        }

    @classmethod
    def sweep(cls, build, k, rows):
        if build["factory"].endswith("RFlat"):
            pairs = {(max(ef, factor * k), factor) for ef in efs(k)[::2] for factor in (1, 2, 4)}
            return [{"ef": ef, "k_factor": factor} for ef, factor in sorted(pairs)]
        return [{"ef": ef} for ef in efs(k)]

    def load(self, threads):
        import faiss

        self.module = faiss
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        faiss = self.module
        faiss.omp_set_num_threads(threads)
        kind = faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT
        self.index = faiss.index_factory(rows.shape[1], build["factory"], kind)
        self.graph = self._graph(build)
        self.graph.hnsw.efConstruction = build["ef_construction"]
        self.index.train(rows)
        self.index.add(rows)

    def _graph(self, build):
        refined = build["factory"].endswith("RFlat")
        return self.module.downcast_index(self.index.base_index) if refined else self.index

    def save(self, path):
        self.module.write_index(self.index, path)

    def open(self, path, rows, metric, build, threads):
        self.index = self.module.read_index(path)
        self.graph = self._graph(build)

    def _set(self, setting, threads):
        self.module.omp_set_num_threads(threads)
        self.graph.hnsw.efSearch = setting["ef"]
        if "k_factor" in setting:
            self.index.k_factor = setting["k_factor"]

    def one(self, setting, k):
        self._set(setting, 1)
        search = self.index.search
        return lambda query: search(query[None], k)[1]

    def filter(self, mask, column, bound):
        self.bits = numpy.packbits(mask, bitorder="little")  # the selector does not keep them
        return self.module.IDSelectorBitmap(self.bits)

    def one_filtered(self, setting, k, filter):
        faiss, search = self.module, self.index.search
        faiss.omp_set_num_threads(1)
        params = faiss.SearchParametersHNSW(sel=filter, efSearch=setting["ef"])
        if "k_factor" in setting:
            refine = {"k_factor": setting["k_factor"], "base_index_params": params}
            params = faiss.IndexRefineSearchParameters(**refine)
        return lambda query: search(query[None], k, params=params)[1]

    def batch(self, setting, k, threads):
        self._set(setting, threads)
        return lambda queries: self.index.search(queries, k)[1]

    def batch_ids(self, raw, k):
        return raw
