"""Scalable Vector Search: Vamana over float32, over locally-adaptive codes, and over reduced vectors with codes."""

import os

import numpy

from peers.interface import Interface, efs, spread


class Peer(Interface):
    PACKAGE = "scalable-vs"
    NOTE = "refuses its codes (LVQ, LeanVec) on processors that are not Intel's, but not float32 and float16"

    @classmethod
    def variants(cls, rows, dim, metric):
        graph = {"degree": 64, "window": 200}
        found = {
            "float32": {"data": "f4", **graph},
            "float16": {"data": "f2", **graph},
            "LVQ4x8": {"data": "lvq", "primary": 4, "residual": 8, **graph},
            "LVQ8": {"data": "lvq", "primary": 8, "residual": 0, **graph},
        }
        if dim >= 256:
            # Reduced vectors pay from some hundreds of dimensions on.
            found[f"LeanVec{dim // 4} lvq8 of lvq8"] = {"data": "leanvec", "reduced": dim // 4, **graph}
        return found

    @classmethod
    def sweep(cls, build, k, rows):
        if build["data"] in ("f4", "f2") or (build["data"] == "lvq" and not build["residual"]):
            return [{"window": window, "capacity": window} for window in efs(k)]
        # A capacity above the window has more candidates compared in full, without a longer walk.
        windows = spread(max(8, k // 2), max(600, 6 * k), 9)
        pairs = {(window, max(k, int(window * more))) for window in windows for more in (1, 1.5, 3)}
        return [{"window": window, "capacity": capacity} for window, capacity in sorted(pairs)]

    def load(self, threads):
        import svs

        self.module = svs
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        svs = self.module
        if build["data"] in ("f4", "f2"):
            data = rows.astype(build["data"])
        else:
            data = self._coded(rows, build, folder)
        distance = svs.L2 if metric == "L2" else svs.MIP
        alpha = 1.2 if metric == "L2" else 0.95
        sizes = {"graph_max_degree": build["degree"], "window_size": build["window"], "alpha": alpha}
        self.index = svs.Vamana.build(svs.VamanaBuildParameters(**sizes), data, distance, num_threads=threads)

    def _coded(self, rows, build, folder):
        """Codes are made from a file alone."""
        svs = self.module
        path = os.path.join(folder, "rows.fvecs")
        svs.write_vecs(rows, path)
        loader = svs.VectorDataLoader(path, svs.float32, rows.shape[1])
        if build["data"] == "lvq":
            return svs.LVQLoader(loader, primary=build["primary"], residual=build["residual"], padding=32)
        kinds = {"primary_kind": svs.LeanVecKind.lvq8, "secondary_kind": svs.LeanVecKind.lvq8}
        return svs.LeanVecLoader(loader, leanvec_dims=build["reduced"], **kinds)

    def _set(self, setting, threads):
        if self.index.num_threads != threads:
            self.index.num_threads = threads
        params = self.index.search_parameters
        params.buffer_config = self.module.SearchBufferConfig(setting["window"], setting["capacity"])
        self.index.search_parameters = params

    def one(self, setting, k):
        self._set(setting, 1)
        search = self.index.search
        return lambda query: search(query, k)[0]

    def batch(self, setting, k, threads):
        self._set(setting, threads)
        return lambda queries: self.index.search(queries, k)[0]

    def batch_ids(self, raw, k):
        return raw.astype(numpy.int64)
