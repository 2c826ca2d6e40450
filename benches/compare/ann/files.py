"""Reads a folder of vectors as `elanus-bench --export` writes it."""

import json
import os

import numpy


def read_bin(path, kind):
    """Reads a file of little-endian rows after two counts of four bytes."""
    rows, dim = (int(count) for count in numpy.fromfile(path, dtype="<u4", count=2))
    values = numpy.fromfile(path, dtype=kind, offset=8)
    if values.size != rows * dim:
        raise ValueError(f"{path}: {values.size} values where {rows} x {dim} are announced")
    return values.reshape(rows, dim)


def shape_of(path):
    """The two counts at the start of a file."""
    rows, dim = (int(count) for count in numpy.fromfile(path, dtype="<u4", count=2))
    return rows, dim


def unit(rows):
    """Scales rows to length 1 in place; a zero row stays."""
    for start in range(0, len(rows), 65536):
        block = rows[start : start + 65536]
        norms = numpy.sqrt(numpy.einsum("ij,ij->i", block, block, dtype=numpy.float64))
        norms[norms == 0] = 1
        block /= norms[:, None].astype(numpy.float32)
    return rows


class Folder:
    """Base, queries and true neighbours. With the cosine metric all vectors are scaled to length 1, for every peer, so
    that each may use whichever of its metrics gives that order."""

    def __init__(self, path):
        self.path = path
        with open(os.path.join(path, "set.json"), encoding="utf-8") as file:
            head = json.load(file)
        self.name, self.metric = head["name"], head["metric"]
        self.rows, self.dim = shape_of(os.path.join(path, "base.fbin"))

    def base(self):
        return self._vectors("base.fbin")

    def queries(self, count):
        return numpy.ascontiguousarray(self._vectors("queries.fbin")[:count])

    def truth(self, count):
        return read_bin(os.path.join(self.path, "truth.ibin"), "<i4")[:count]

    def _vectors(self, name):
        rows = read_bin(os.path.join(self.path, name), "<f4")
        return unit(rows) if self.metric == "COSINE" else rows
