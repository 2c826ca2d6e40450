"""faiss: inverted lists of product codes of four bits, scanned in registers, with refinement by the vectors."""

import numpy

from peers.interface import Interface, spread


def divisor(dim, wanted):
    """The number of sub-vectors nearest to the wanted one that divides the dimension."""
    return min((m for m in range(1, dim + 1) if dim % m == 0), key=lambda m: (abs(m - wanted), m))


class Peer(Interface):
    PACKAGE = "faiss-cpu"
    NO_FILTER = ""

    @classmethod
    def variants(cls, rows, dim, metric):
        # Some four times the square root of the rows, with 39 of them to train each list, as faiss advises.
        lists = max(1, min(int(4 * rows**0.5), rows // 39))
        fine, coarse = divisor(dim, dim // 2), divisor(dim, dim // 4)
        names = {fine: f"PQ{fine}x4fs", coarse: f"PQ{coarse}x4fs"}
        return {
            f"IVF{lists},{name},RFlat": {"factory": f"IVF{lists},{name},RFlat", "lists": lists}
            for name in names.values()
        }

    @classmethod
    def sweep(cls, build, k, rows):
        probes = spread(1, build["lists"], 12)
        factors = (2, 5, 10, 20) if k <= 20 else (1, 2, 4, 8)
        return [{"nprobe": probe, "k_factor": factor} for probe in probes for factor in factors]

    def load(self, threads):
        import faiss

        self.module = faiss
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        faiss = self.module
        faiss.omp_set_num_threads(threads)
        kind = faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT
        self.index = faiss.index_factory(rows.shape[1], build["factory"], kind)
        self.lists = faiss.extract_index_ivf(self.index)
        self.index.train(rows)
        self.index.add(rows)

    def save(self, path):
        self.module.write_index(self.index, path)

    def open(self, path, rows, metric, build, threads):
        self.index = self.module.read_index(path)
        self.lists = self.module.extract_index_ivf(self.index)

    def _set(self, setting, threads):
        self.module.omp_set_num_threads(threads)
        self.lists.nprobe = setting["nprobe"]
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
        probes = faiss.SearchParametersIVF(sel=filter, nprobe=setting["nprobe"])
        params = faiss.IndexRefineSearchParameters(k_factor=setting["k_factor"], base_index_params=probes)
        return lambda query: search(query[None], k, params=params)[1]

    def batch(self, setting, k, threads):
        self._set(setting, threads)
        return lambda queries: self.index.search(queries, k)[1]

    def batch_ids(self, raw, k):
        return raw
