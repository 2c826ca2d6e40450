"""LanceDB: its inverted lists with a graph over bytes, and with product codes, both with refinement, from files."""

import os

import numpy

from peers.interface import Interface, efs, spread


class Peer(Interface):
    PACKAGE = "lancedb"
    NO_FILTER = ""
    NOTE = "searches files with a cache, one query a call; threads of Python share a batch"

    @classmethod
    def variants(cls, rows, dim, metric):
        lists = max(1, min(int(rows**0.5), rows // 256))
        return {
            "HNSW SQ, refined": {"kind": "hnsw", "m": 32, "ef_construction": 400},
            f"IVF{lists} PQ, refined": {"kind": "pq", "lists": lists, "codes": max(1, dim // 8)},
        }

    @classmethod
    def sweep(cls, build, k, rows):
        if build["kind"] == "hnsw":
            wide = sorted({max(ef, 2 * k) for ef in efs(k)[::2]})
            return [{"ef": ef, "refine": 2, "nprobes": 1} for ef in wide]
        probes = spread(1, build["lists"], 8)
        return [{"nprobes": probe, "refine": refine} for probe in probes for refine in (2, 10)]

    @classmethod
    def environment(cls, threads):
        # With a single thread its build of an index never ends: a task waits for another that has no thread. The
        # processors that it may use are limited all the same.
        names = ("LANCE_CPU_THREADS", "LANCE_IO_THREADS", "TOKIO_WORKER_THREADS", "RAYON_NUM_THREADS")
        return dict.fromkeys(names, str(max(2, threads)))

    def load(self, threads):
        import lancedb
        import lancedb.index
        import pyarrow

        self.module, self.arrow = lancedb, pyarrow
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        arrow, index = self.arrow, self.module.index
        kind = "l2" if metric == "L2" else "dot"
        vectors = arrow.FixedSizeListArray.from_arrays(arrow.array(rows.reshape(-1)), rows.shape[1])
        ids = arrow.array(numpy.arange(len(rows), dtype=numpy.int64))
        columns = {name: arrow.array(column) for name, column in (self.columns or {}).items()}
        data = arrow.table({"id": ids, "vector": vectors, **columns})
        self.table = self.module.connect(os.path.join(folder, "lance")).create_table("rows", data)
        if build["kind"] == "hnsw":
            sizes = {"num_partitions": 1, "m": build["m"], "ef_construction": build["ef_construction"]}
            config = index.HnswSq(distance_type=kind, **sizes)
        else:
            sizes = {"num_partitions": build["lists"], "num_sub_vectors": build["codes"]}
            config = index.IvfPq(distance_type=kind, **sizes)
        self.table.create_index("vector", config=config)
        for name in columns:
            self.table.create_index(name, config=index.BTree())

    def one(self, setting, k):
        return self.one_filtered(setting, k, None)

    def filter(self, mask, column, bound):
        return f"{column} < {bound}"

    def one_filtered(self, setting, k, filter):
        table, nprobes, refine, ef = self.table, setting["nprobes"], setting["refine"], setting.get("ef")

        def search(query):
            asked = table.search(query, vector_column_name="vector").select(["id"]).limit(k)
            asked = asked.nprobes(nprobes).refine_factor(refine)
            if ef is not None:
                asked = asked.ef(ef)
            if filter is not None:
                asked = asked.where(filter, prefilter=True)
            return asked.to_arrow()

        return search

    def id_list(self, raw):
        return raw.column("id").to_numpy()
