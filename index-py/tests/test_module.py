"""The module as a caller in Python sees it.

    cargo build -p elanus-index-py
    ELANUS_INDEX_MODULE=target/debug/libelanus_index_py.so python3 index-py/tests/test_module.py

Needs nothing but Python 3.11 or later.
"""

import array
import importlib.machinery
import importlib.util
import os
import random
import tempfile
import threading
import unittest


def load():
    path = os.environ.get("ELANUS_INDEX_MODULE")
    if not path:
        import elanus_index

        return elanus_index
    loader = importlib.machinery.ExtensionFileLoader("elanus_index", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("elanus_index", loader))
    loader.exec_module(module)
    return module


elanus_index = load()
DIM, COUNT, QUERIES = 16, 2000, 40


def matrix(values, dim=DIM, kind="f"):
    """Values as a memory view of two dimensions."""
    flat = memoryview(array.array(kind, values))
    return flat.cast("B").cast(kind, [len(values) // dim, dim])


def room(count, k):
    ids = memoryview(array.array("I", [0] * (count * k))).cast("B").cast("I", [count, k])
    keys = memoryview(array.array("f", [0.0] * (count * k))).cast("B").cast("f", [count, k])
    return ids, keys


def bits(rows, count):
    """One bit for each row, set for those given."""
    number = sum(1 << row for row in set(rows))
    return number.to_bytes((count + 7) // 8, "little")


class Module(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        chance = random.Random(1)
        cls.values = [chance.gauss(0, 1) for _ in range(COUNT * DIM)]
        cls.rows = matrix(cls.values)
        cls.queries = matrix([chance.gauss(0, 1) for _ in range(QUERIES * DIM)])
        cls.flat = elanus_index.build("FLAT", cls.rows)
        cls.graph = elanus_index.build("HNSW", cls.rows, params={"M": "16", "efConstruction": "100"})

    def search(self, index, k=10, threads=1, params=None, queries=None, rows=None):
        queries = self.queries if queries is None else queries
        ids, keys = room(queries.shape[0] if queries.ndim == 2 else 1, k)
        more = [] if rows is None else [index.filter(bits(rows, len(index)))]
        index.search(queries, k, index.params(params), threads, ids, keys, *more)
        return ids.tolist(), keys.tolist()

    def test_exact_search_finds_what_python_finds(self):
        ids, keys = self.search(self.flat, k=5)
        rows, queries = self.rows.tolist(), self.queries.tolist()
        for query, found, near in list(zip(queries, ids, keys))[:5]:
            far = [sum((a - b) ** 2 for a, b in zip(query, row)) for row in rows]
            self.assertEqual(found, sorted(range(COUNT), key=lambda row: far[row])[:5])
            for row, key in zip(found, near):
                self.assertAlmostEqual(far[row], key, places=3)

    def test_a_graph_finds_nearly_all(self):
        exact, _ = self.search(self.flat)
        found, _ = self.search(self.graph, params={"ef": "100"})
        hits = sum(len(set(a) & set(b)) for a, b in zip(exact, found))
        self.assertGreater(hits / (10 * QUERIES), 0.95)

    def test_threads_find_the_same(self):
        one = self.search(self.graph, params={"ef": "64"})
        for threads in (2, 3, 2):
            self.assertEqual(self.search(self.graph, threads=threads, params={"ef": "64"}), one)

    def test_one_query_may_have_one_dimension(self):
        ids, _ = room(1, 3)
        flat_ids = ids.cast("B").cast("I")
        keys = memoryview(array.array("f", [0.0] * 3))
        query = memoryview(array.array("f", self.values[:DIM]))
        self.flat.search(query, 3, self.flat.params(), 1, flat_ids, keys)
        self.assertEqual((flat_ids[0], keys[0]), (0, 0.0))

    def test_fewer_rows_than_asked_for(self):
        small = elanus_index.build("FLAT", matrix(self.values[: 3 * DIM]))
        ids, keys = self.search(small, k=5)
        self.assertEqual(ids[0][3:], [4294967295] * 2)
        self.assertEqual(keys[0][3:], [float("inf")] * 2)
        self.assertEqual(sorted(ids[0][:3]), [0, 1, 2])

    def test_no_queries(self):
        ids, keys = room(1, 5)
        self.flat.search(self.queries[:0], 5, self.flat.params(), 2, ids[:0], keys[:0])
        self.assertEqual(ids.tolist(), [[0] * 5])

    def test_only_rows_of_the_filter_are_found(self):
        everything = self.search(self.flat, k=COUNT)[0]
        for wanted in (range(COUNT), range(0, COUNT, 3), range(COUNT - 70, COUNT), [5, 64, 1999]):
            allowed = set(wanted)
            exact = [[row for row in found if row in allowed][:10] for found in everything]
            for threads in (1, 2):
                found, _ = self.search(self.flat, rows=wanted, threads=threads)
                self.assertEqual([[row for row in one if row < COUNT] for one in found], exact)
            found, keys = self.search(self.graph, rows=wanted, params={"ef": "200"})
            hits = sum(len(set(a) & set(b)) for a, b in zip(found, exact))
            self.assertGreater(hits / sum(map(len, exact)), 0.95)
            for one in found:
                self.assertLessEqual(set(one) - {4294967295}, allowed)
        found, keys = self.search(self.graph, rows=[])
        self.assertEqual((found[0], keys[0]), ([4294967295] * 10, [float("inf")] * 10))

    def test_a_filter_has_a_bit_for_each_row(self):
        for wrong in (b"", bytes(249), bytes(251), bytes(4 * 250)):
            with self.assertRaisesRegex(ValueError, "2000 rows take 250"):
                self.graph.filter(wrong)
        with self.assertRaisesRegex(ValueError, "not bytes"):
            self.graph.filter(array.array("f", [0.0] * 250))
        small = elanus_index.build("FLAT", matrix(self.values[: 3 * DIM]))
        ids, keys = room(QUERIES, 10)
        with self.assertRaisesRegex(ValueError, "another index"):
            small.search(self.queries, 10, small.params(), 1, ids, keys, self.graph.filter(bytes(250)))
        # The bits past the last row count for nothing.
        ids, _ = room(1, 5)
        small.search(self.rows[:1], 5, small.params(), 1, ids, room(1, 5)[1], small.filter(b"\xff"))
        self.assertEqual(sorted(ids.tolist()[0])[:3], [0, 1, 2])

    def test_rows_may_be_kept_in_half_as_many_bytes(self):
        for element in ("f16", "bf16"):
            index = elanus_index.build("HNSW", self.rows, element=element)
            self.assertEqual(index.rows_bytes(), COUNT * DIM * 2)
            ids, keys = room(QUERIES, 10)
            index.search(self.queries, 10, index.params(), 1, ids, keys)
            exact, _ = room(QUERIES, 10)
            self.flat.search(self.queries, 10, self.flat.params(), 1, exact, keys)
            found = sum(len(set(a) & set(b)) for a, b in zip(ids.tolist(), exact.tolist()))
            self.assertGreater(found, 0.9 * QUERIES * 10)
        with self.assertRaisesRegex(ValueError, "known are f32, f16, bf16"):
            elanus_index.build("HNSW", self.rows, element="f64")

    def test_save_and_open(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "index")
            self.graph.save(path)
            again = elanus_index.open("HNSW", self.rows, path, params={"M": "16", "efConstruction": "100"})
            self.assertEqual(self.search(again), self.search(self.graph))
            with self.assertRaises(ValueError):
                elanus_index.open(
                    "HNSW", matrix(self.values[: 5 * DIM]), path, params={"M": "16", "efConstruction": "100"}
                )
            with self.assertRaises(ValueError):
                elanus_index.open("FLAT", self.rows, path)

    def test_what_it_says_of_itself(self):
        self.assertEqual(len(self.graph), COUNT)
        self.assertEqual(self.graph.rows_bytes(), 4 * COUNT * DIM)
        self.assertGreater(self.graph.memory_bytes(), 4 * COUNT * 16)
        self.assertIn("HNSW", self.graph.describe())
        self.assertIn("HNSW", elanus_index.kinds())
        self.assertRegex(elanus_index.__version__, r"^\d+\.\d+\.\d+")

    def test_every_kind_builds_and_answers(self):
        for kind in elanus_index.kinds():
            ids, _ = self.search(elanus_index.build(kind, self.rows, threads=2), queries=self.rows[:1])
            self.assertEqual(ids[0][0], 0, kind)

    def test_refusals_say_why(self):
        def refusal(call):
            with self.assertRaises(ValueError) as caught:
                call()
            return str(caught.exception)

        params, (ids, keys) = self.graph.params(), room(QUERIES, 10)
        search = self.graph.search
        self.assertIn("known are FLAT", refusal(lambda: elanus_index.build("TREE", self.rows)))
        self.assertIn("metric", refusal(lambda: elanus_index.build("FLAT", self.rows, metric="NEAR")))
        self.assertIn("M is 1", refusal(lambda: elanus_index.build("HNSW", self.rows, params={"M": "1"})))
        self.assertIn("nprobe", refusal(lambda: self.graph.params({"nprobe": "1"})))
        self.assertIn("less than k", refusal(lambda: self.search(self.graph, params={"ef": "5"})))
        self.assertIn("float32", refusal(lambda: elanus_index.build("FLAT", array.array("d", [1.0]))))
        self.assertIn("float32", refusal(lambda: elanus_index.build("FLAT", [1.0])))
        self.assertIn("gaps", refusal(lambda: elanus_index.build("FLAT", memoryview(array.array("f", [1, 2, 3]))[::2])))
        self.assertIn("dimension", refusal(lambda: self.search(self.graph, queries=matrix([0.0] * 8, 8))))
        self.assertIn("room for", refusal(lambda: search(self.queries, 9, params, 1, ids, keys)))
        self.assertIn("at least 1", refusal(lambda: search(self.queries, 10, params, 0, ids, keys)))
        self.assertIn("cannot be written", refusal(lambda: search(self.queries, 10, params, 1, ids.toreadonly(), keys)))
        self.assertIn("nan", refusal(lambda: self.search(self.graph, queries=matrix([float("nan")] * DIM))).lower())
        self.assertIn("at most 1024", refusal(lambda: search(self.queries, 10, params, 1 << 40, ids, keys)))
        self.assertIn("at most 1024", refusal(lambda: elanus_index.build("FLAT", self.rows, threads=5000)))
        self.assertIn("at least 1", refusal(lambda: elanus_index.build("FLAT", self.rows, threads=0)))
        huge = 1 << 62
        self.assertIn("room for", refusal(lambda: search(self.queries, huge, params, 1, ids, keys)))

    def test_many_threads_of_python_at_once(self):
        want = self.search(self.graph, params={"ef": "64"})
        wrong = []

        def work():
            for _ in range(20):
                if self.search(self.graph, threads=2, params={"ef": "64"}) != want:
                    wrong.append(1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_others_run_meanwhile(self):
        """The interpreter's lock is released: this thread counts while another builds."""
        done = threading.Event()

        def work():
            elanus_index.build("HNSW", self.rows, params={"M": "16", "efConstruction": "200"})
            done.set()

        builder = threading.Thread(target=work)
        builder.start()
        count = 0
        while not done.is_set():
            done.wait(0.001)
            count += 1
        builder.join()
        self.assertGreater(count, 3)


if __name__ == "__main__":
    unittest.main()
