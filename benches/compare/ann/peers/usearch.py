"""usearch: HNSW over float32, bfloat16 and bytes."""

from peers.interface import Interface, efs


class Peer(Interface):
    PACKAGE = "usearch"
    NO_FILTER = "filters with a predicate in C++ alone; its search in Python takes none"

    @classmethod
    def variants(cls, rows, dim, metric):
        found = {
            "f32 M=16": {"dtype": "f32", "m": 16, "ef_construction": 200},
            "bf16 M=32": {"dtype": "bf16", "m": 32, "ef_construction": 400},
        }
        if metric == "COSINE":
            # Its bytes stand for values from -1 to 1.
            found["i8 M=32"] = {"dtype": "i8", "m": 32, "ef_construction": 400}
        return found

    @classmethod
    def sweep(cls, build, k, rows):
        return [{"ef": ef} for ef in efs(k)]

    def load(self, threads):
        import usearch.index

        self.module = usearch.index
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        import numpy

        # usearch's name for the square of the Euclidean distance; cosine is the one metric for its bytes.
        kind = {"L2": "l2sq", "IP": "ip", "COSINE": "cos"}[metric]
        sizes = {"connectivity": build["m"], "expansion_add": build["ef_construction"]}
        self.index = self.module.Index(ndim=rows.shape[1], metric=kind, dtype=build["dtype"], **sizes)
        self.index.add(numpy.arange(len(rows), dtype=numpy.uint64), rows, threads=threads)

    def save(self, path):
        self.index.save(path)

    def open(self, path, rows, metric, build, threads):
        self.index = self.module.Index.restore(path)

    def one(self, setting, k):
        self.index.expansion_search = setting["ef"]
        search = self.index.search
        return lambda query: search(query, k, threads=1)

    def id_list(self, raw):
        return raw.keys

    def batch(self, setting, k, threads):
        self.index.expansion_search = setting["ef"]
        return lambda queries: self.index.search(queries, k, threads=threads)

    def batch_ids(self, raw, k):
        if not hasattr(raw, "counts"):
            return self.ids([raw], k)
        found = raw.keys.astype("int64")
        for row, count in zip(found, raw.counts):
            row[count:] = -1
        return found

    def memory_bytes(self):
        return self.index.memory_usage
