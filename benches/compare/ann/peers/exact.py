"""Exact search by products of matrices in numpy: a check of the true neighbours and of this program."""

import numpy

from peers.interface import Interface


class Peer(Interface):
    PACKAGE = "numpy"
    NO_FILTER = ""
    NOTE = "compares with every row in numpy; where its recall is below 1, rows are equally near or the truth is wrong"

    @classmethod
    def variants(cls, rows, dim, metric):
        return {"all rows": {}}

    @classmethod
    def sweep(cls, build, k, rows):
        return [{}]

    def load(self, threads):
        return self.version()

    def build(self, rows, metric, build, threads, folder):
        self.rows = rows
        self.squares = numpy.einsum("ij,ij->i", rows, rows) if metric == "L2" else None

    def one(self, setting, k):
        search = self.batch(setting, k, 1)
        return lambda query: search(query[None])[0]

    def filter(self, mask, column, bound):
        return numpy.flatnonzero(mask)

    def one_filtered(self, setting, k, filter):
        rows = self.rows[filter]
        squares = None if self.squares is None else self.squares[filter]

        def search(query):
            keys = rows @ query
            keys = -keys if squares is None else squares - 2 * keys
            nearest = numpy.argsort(keys, kind="stable")[:k]
            return filter[nearest]

        return search

    def batch(self, setting, k, threads):
        def run(queries):
            found = []
            for start in range(0, len(queries), 64):
                keys = queries[start : start + 64] @ self.rows.T
                keys = -keys if self.squares is None else self.squares - 2 * keys
                nearest = numpy.argpartition(keys, min(k, len(self.rows)) - 1, axis=1)[:, :k]
                order = numpy.take_along_axis(keys, nearest, axis=1).argsort(axis=1)
                found.append(numpy.take_along_axis(nearest, order, axis=1))
            return numpy.concatenate(found)

        return run

    def batch_ids(self, raw, k):
        return self.ids(list(raw), k)
