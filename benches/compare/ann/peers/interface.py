"""What a library must do to be compared."""

import concurrent.futures
import importlib.metadata

import numpy


def spread(least, greatest, steps):
    """So many different whole numbers between two, in equal ratios."""
    values = numpy.geomspace(least, greatest, steps)
    return sorted({int(round(value)) for value in values})


def efs(k):
    """Sizes of a graph's candidate list to try."""
    return spread(k, max(800, 10 * k), 14)


class Interface:
    """One index of one library. Nothing of the library is imported before `load`.

    `one` and `batch` set the search parameters and return what is timed: a function of one query or of all. What that
    function returns is turned into ids by `ids` and `batch_ids`, which are not timed.
    """

    # The distribution on PyPI whose version is reported.
    PACKAGE = None
    # Metrics taken. Cosine comes as vectors of length 1.
    METRICS = ("L2", "IP", "COSINE")
    # What a reader of the results should know.
    NOTE = ""
    # Why the library cannot be asked for the nearest of some rows only; empty where it can.
    NO_FILTER = "its module for Python takes no filter"
    # The numbers of every row that conditions are about, set before a build that is to be searched with conditions.
    columns = None

    @classmethod
    def variants(cls, rows, dim, metric):
        """Build parameters to try, by name."""
        raise NotImplementedError

    @classmethod
    def sweep(cls, build, k, rows):
        """Search settings to try with that build, from fast to thorough."""
        raise NotImplementedError

    @classmethod
    def environment(cls, threads):
        """Variables that the process starts with, beside the usual ones."""
        return {}

    def load(self, threads):
        """Imports the library and returns its version; `threads` is the most that will be allowed."""
        raise NotImplementedError

    def build(self, rows, metric, build, threads, folder):
        """Builds an index; `folder` is an empty one for libraries that write files. The rows are dropped afterwards,
        unless the library keeps them."""
        raise NotImplementedError

    # How an index is kept from run to run: `save` writes it to a path, which may become a file or a folder, and `open` takes
    # the place of `build`. None where a library has no way that is worth it.
    save = None

    def open(self, path, rows, metric, build, threads):
        raise NotImplementedError

    def one(self, setting, k):
        raise NotImplementedError

    def filter(self, mask, column, bound):
        """Makes a condition ready, untimed: that a row's number in a column is below the bound. `mask` says the same as
        one truth value for each row."""
        raise NotImplementedError

    def one_filtered(self, setting, k, filter):
        """As `one`, among the rows that pass what `filter` returned."""
        raise NotImplementedError

    def batch(self, setting, k, threads):
        """A function that searches for all queries on so many threads. Where the library has none, threads of Python
        share the queries; that is only parallel where the library lets go of the interpreter's lock."""
        search = self.one(setting, k)

        def run(queries):
            if threads == 1:
                return [search(query) for query in queries]
            blocks = numpy.array_split(queries, threads * 4)
            with concurrent.futures.ThreadPoolExecutor(threads) as pool:
                parts = pool.map(lambda block: [search(query) for query in block], blocks)
                return [raw for part in parts for raw in part]

        return run

    def ids(self, raws, k):
        """The ids in a list of what `one` returned, a row each, with -1 where there is none."""
        found = numpy.full((len(raws), k), -1, dtype=numpy.int64)
        for row, raw in zip(found, raws):
            ids = self.id_list(raw)[:k]
            row[: len(ids)] = ids
        return found

    def id_list(self, raw):
        """The ids in what `one` returned for one query."""
        return numpy.asarray(raw).reshape(-1)

    def batch_ids(self, raw, k):
        """The ids in what `batch` returned."""
        return self.ids(raw, k)

    def memory_bytes(self):
        """What the library itself says its index takes, without vectors that it also keeps; None if it does not."""
        return None

    def describe(self):
        """What was built, where the library says so."""
        return ""

    def kept_version(self):
        """What a kept index must have been built by."""
        return self.version()

    @classmethod
    def version(cls):
        return importlib.metadata.version(cls.PACKAGE)
