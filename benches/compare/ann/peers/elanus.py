"""Elanus, through the module of index-py."""

import hashlib
import importlib.machinery
import importlib.util
import itertools
import os

import numpy

from peers.interface import Interface, efs


def module():
    """The module, from the file that ELANUS_INDEX_MODULE names or from where Python looks."""
    path = os.environ.get("ELANUS_INDEX_MODULE")
    if not path:
        import elanus_index

        return elanus_index
    loader = importlib.machinery.ExtensionFileLoader("elanus_index", path)
    loaded = importlib.util.module_from_spec(importlib.util.spec_from_loader("elanus_index", loader))
    loader.exec_module(loaded)
    return loaded


# The parameter that trades speed for recall, by the beginning of the index type's name.
WIDTHS = {"HNSW": "ef", "AUTOINDEX": "ef", "DISKANN": "search_list", "AISAQ": "search_list"}


def parse(text):
    """Reads `KIND/ELEMENT:name=value,name=value:name=value,value;name=value`: an index type, the element type of the copy
    of the rows (f32 where it is not given), its build parameters, and search parameters with the values to try, each
    with each."""
    kind, _, rest = text.partition(":")
    kind, _, element = kind.partition("/")
    build, _, sweep = rest.partition(":")
    params = dict(pair.split("=", 1) for pair in build.split(",") if pair)
    wanted = {"kind": kind, "element": element or "f32", "params": params}
    if sweep:
        tried = (pair.partition("=") for pair in sweep.split(";"))
        wanted["sweep"] = {name: values.split(",") for name, _, values in tried}
    return text, wanted


class Peer(Interface):
    PACKAGE = None
    NO_FILTER = ""

    @classmethod
    def variants(cls, rows, dim, metric):
        return {
            "HNSW M=16": {"kind": "HNSW", "params": {"M": "16", "efConstruction": "200"}},
            "HNSW M=32": {"kind": "HNSW", "params": {"M": "32", "efConstruction": "400"}},
            "HNSW M=16 over f16": {"kind": "HNSW", "element": "f16", "params": {"M": "16", "efConstruction": "200"}},
        }

    @classmethod
    def sweep(cls, build, k, rows):
        width = next((name for kind, name in WIDTHS.items() if build["kind"].startswith(kind)), None)
        if "sweep" not in build:
            return [{width: str(ef)} for ef in efs(k)] if width else [{}]
        tried = dict(build["sweep"])
        if width in tried:
            tried[width] = [value for value in tried[width] if int(value) >= k]
        return [dict(zip(tried, values)) for values in itertools.product(*tried.values())]

    def load(self, threads):
        self.module = module()
        return getattr(self.module, "__version__", "of this tree")

    def kept_version(self):
        # Two states of a tree share a version.
        with open(self.module.__file__, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def save(self, path):
        self.index.save(path)

    def open(self, path, rows, metric, build, threads):
        params, element = build["params"], build.get("element", "f32")
        self.index = self.module.open(build["kind"], rows, path, metric, params, element=element)

    def build(self, rows, metric, build, threads, folder):
        element = build.get("element", "f32")
        self.index = self.module.build(build["kind"], rows, metric, build["params"], threads, element=element)

    def one(self, setting, k):
        index, params = self.index, self.index.params(setting)
        ids, keys = numpy.empty(k, numpy.uint32), numpy.empty(k, numpy.float32)

        def search(query):
            index.search(query, k, params, 1, ids, keys)
            return ids.copy()

        return search

    def filter(self, mask, column, bound):
        return self.index.filter(numpy.packbits(mask, bitorder="little"))

    def one_filtered(self, setting, k, filter):
        index, params = self.index, self.index.params(setting)
        ids, keys = numpy.empty(k, numpy.uint32), numpy.empty(k, numpy.float32)

        def search(query):
            index.search(query, k, params, 1, ids, keys, filter)
            return ids.copy()

        return search

    def id_list(self, raw):
        found = raw.astype(numpy.int64)
        # The id where fewer rows were found.
        found[found == 0xFFFFFFFF] = -1
        return found

    def batch(self, setting, k, threads):
        index, params = self.index, self.index.params(setting)

        def run(queries):
            ids = numpy.empty((len(queries), k), numpy.uint32)
            keys = numpy.empty((len(queries), k), numpy.float32)
            index.search(queries, k, params, threads, ids, keys)
            return ids

        return run

    def batch_ids(self, raw, k):
        return raw.astype(numpy.int64)

    def memory_bytes(self):
        return self.index.memory_bytes()

    def describe(self):
        return self.index.describe()
