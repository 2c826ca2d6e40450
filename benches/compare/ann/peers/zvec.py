"""Zvec: HNSW over float32 and over bytes with refinement, in a collection that is opened read-only to be searched."""

import os

import numpy

from peers.interface import Interface, efs


class Peer(Interface):
    PACKAGE = "zvec"
    NO_FILTER = ""
    NOTE = "has no call for a batch: threads of Python share the queries; ids are its internal ones, mapped untimed"

    @classmethod
    def variants(cls, rows, dim, metric):
        return {
            "HNSW M=32": {"m": 32, "ef_construction": 400, "codes": None},
            "HNSW int8 M=32, refined": {"m": 32, "ef_construction": 400, "codes": "INT8"},
        }

    @classmethod
    def sweep(cls, build, k, rows):
        return [{"ef": ef, "refine": bool(build["codes"])} for ef in efs(k)]

    def load(self, threads):
        import zvec

        self.module = zvec
        zvec.init(query_threads=threads, optimize_threads=threads)
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        zvec = self.module
        # On vectors of length 1 inner products are cosines.
        kind = zvec.MetricType.L2 if metric == "L2" else zvec.MetricType.IP
        codes = {"quantize_type": getattr(zvec.QuantizeType, build["codes"])} if build["codes"] else {}
        sizes = {"m": build["m"], "ef_construction": build["ef_construction"], "use_contiguous_memory": True}
        index = zvec.HnswIndexParam(metric_type=kind, **sizes, **codes)
        vector = zvec.VectorSchema("vector", zvec.DataType.VECTOR_FP32, rows.shape[1], index)
        # The numbers that conditions are about, with the index that the library has for ranges.
        columns, ranges = self.columns or {}, zvec.InvertIndexParam(enable_range_optimization=True)
        fields = [zvec.FieldSchema(name, zvec.DataType.INT32, index_param=ranges) for name in columns]
        schema = zvec.CollectionSchema("rows", fields=fields, vectors=[vector])
        path = os.path.join(folder, "collection")
        collection = zvec.create_and_open(path, schema)
        for start in range(0, len(rows), 1000):
            block = range(start, min(start + 1000, len(rows)))
            numbers = [{name: int(column[i]) for name, column in columns.items()} for i in block]
            docs = [zvec.Doc(id=str(i), vectors={"vector": rows[i]}, fields=of) for i, of in zip(block, numbers)]
            for status in collection.insert(docs):
                if not status.ok():
                    raise RuntimeError(f"insert: {status}")
        collection.optimize(zvec.OptimizeOption(concurrency=threads))
        collection.flush()
        collection.close()
        self.collection = zvec.open(path, zvec.CollectionOption(read_only=True, enable_mmap=True))
        # Internal ids follow each other, though not from 0 on where segments were rewritten.
        keys = self.collection.resolve_internal_ids(numpy.arange(2 * len(rows) + 1000, dtype=numpy.int64))
        self.rows = numpy.array([-1 if key is None else int(key) for key in keys], dtype=numpy.int64)
        if (self.rows >= 0).sum() != len(rows):
            raise RuntimeError(f"{(self.rows >= 0).sum()} of {len(rows)} internal ids could be resolved")

    def one(self, setting, k):
        zvec, collection = self.module, self.collection
        params = zvec.HnswQueryParam(ef=setting["ef"], is_using_refiner=setting["refine"])
        return lambda query: collection.query_internal_ids(zvec.Query("vector", vector=query, param=params), topk=k)

    def filter(self, mask, column, bound):
        return f"{column} < {bound}"

    def one_filtered(self, setting, k, filter):
        zvec, search = self.module, self.collection.query_internal_ids
        params = zvec.HnswQueryParam(ef=setting["ef"], is_using_refiner=setting["refine"])
        return lambda query: search(zvec.Query("vector", vector=query, param=params), topk=k, filter=filter)

    def id_list(self, raw):
        found = numpy.asarray(raw)
        return numpy.where(found >= 0, self.rows[found], -1)
