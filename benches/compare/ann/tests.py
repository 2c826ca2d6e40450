"""Tests of the comparison itself; they need numpy alone.

    python3 benches/compare/ann/tests.py

With ELANUS_INDEX_MODULE set to the module of index-py, a whole comparison is run as well.
"""

import io
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import redirect_stdout

import numpy

import compare
import files
import filters
import kept
import peers
import plan
import process
import summary
import summary_filtered
import worker
from child import HERE, Child, Failed


def write(path, rows, kind):
    with open(path, "wb") as out:
        numpy.array(rows.shape, "<u4").tofile(out)
        rows.astype(kind).tofile(out)


def made_up(folder, metric="L2", rows=400, queries=30, dim=8, known=20):
    """A set with its true neighbours."""
    chance = numpy.random.default_rng(1)
    base = chance.normal(size=(rows, dim)).astype("f4")
    asked = chance.normal(size=(queries, dim)).astype("f4")
    wide, far = base.astype("f8"), asked.astype("f8")
    if metric == "COSINE":
        wide /= numpy.linalg.norm(wide, axis=1)[:, None]
    keys = -far @ wide.T if metric != "L2" else ((far[:, None] - wide[None]) ** 2).sum(2)
    write(f"{folder}/base.fbin", base, "<f4")
    write(f"{folder}/queries.fbin", asked, "<f4")
    write(f"{folder}/truth.ibin", keys.argsort(axis=1)[:, :known], "<i4")
    with open(f"{folder}/set.json", "w", encoding="utf-8") as out:
        json.dump({"name": "made up", "metric": metric}, out)


class Plans(unittest.TestCase):
    def test_thinning_keeps_both_ends(self):
        self.assertEqual(plan.thin(list(range(10)), 20), list(range(10)))
        self.assertEqual(plan.thin(list(range(10)), 2), [0, 9])
        self.assertEqual(plan.thin(list(range(11)), 3), [0, 5, 10])
        self.assertEqual(plan.thin([1, 2, 3], 1), [2])

    def test_time_is_met_by_rounds_first_and_then_by_settings(self):
        costs = [[1.0] * 10, [1.0] * 10]
        self.assertEqual(plan.fit(costs, 5, None), (1.0, 5))
        self.assertEqual(plan.fit(costs, 5, 1000), (1.0, 5))
        share, rounds = plan.fit(costs, 5, 30)
        self.assertEqual((share, rounds), (1.0, 2))
        share, rounds = plan.fit(costs, 5, 15)
        self.assertEqual((share, rounds), (0.5, 2))
        share, rounds = plan.fit(costs, 5, 0.3)
        self.assertAlmostEqual(share, 0.01)
        group = [("a", i) for i in range(10)] + [("b", 0)]
        left = plan.thinned(group, lambda task: task[0], share)
        self.assertEqual(left, [("a", 0), ("a", 4), ("a", 9), ("b", 0)])

    def test_turns_alternate_and_go_back(self):
        forth = plan.in_turns(["a", "b"], [1, 2], False)
        self.assertEqual(forth, ["a", 1, "b", 2])
        self.assertEqual(plan.in_turns(["a", "b"], [1, 2], True), forth[::-1])
        merged = plan.in_turns(["a"], [1, 2, 3], False)
        self.assertEqual(sorted(map(str, merged)), ["1", "2", "3", "a"])

    def test_contenders_are_near_the_fastest_of_a_target(self):
        points = [
            {"id": "fast", "recall": 0.8, "qps": 100},
            {"id": "good", "recall": 0.95, "qps": 50},
            {"id": "near", "recall": 0.99, "qps": 40},
            {"id": "slow", "recall": 0.99, "qps": 20},
        ]
        self.assertEqual(plan.contenders(points, [0.9, 0.98]), {"good", "near"})
        self.assertEqual(plan.contenders(points, [0.999]), set())


class Summaries(unittest.TestCase):
    def test_best_is_at_or_above_and_within_its_threads(self):
        points = [
            {"recall": 0.9, "qps": 10, "within_threads": True},
            {"recall": 0.91, "qps": 30, "within_threads": False},
            {"recall": 0.89, "qps": 50, "within_threads": True},
        ]
        self.assertEqual(summary.best(points, 0.9)["qps"], 10)
        self.assertIsNone(summary.best(points, 0.95))

    def test_rounds_become_medians(self):
        rounds = [
            {
                "recall": 0.9,
                "passes": 1,
                "qps": qps,
                "p50_us": qps,
                "p99_us": 1,
                "queries": 1,
                "cpu_seconds": 1,
                "within_threads": inside,
                "busy_threads": 1,
            }
            for qps, inside in [(1, True), (5, False), (3, True)]
        ]
        point = summary.condense(rounds)
        self.assertEqual((point["qps"], point["p50_us"], point["rounds"], point["within_threads"]), (3, 3, 3, True))

    def test_ratios_are_of_one_session(self):
        def point(peer, qps):
            about = {"peer": peer, "k": 10, "mode": "one", "threads": 1, "recall": 0.95, "within_threads": True}
            return {**about, "qps": qps}

        sessions = [
            {"points": [point("elanus", 200), point("x", 100)]},
            {"points": [point("elanus", 100), point("y", 90)]},
        ]
        [(_, lines)] = summary.rows_of(sessions, 10, "one", 1, [0.9])
        self.assertEqual(
            [(line["peer"], line["ratio"]) for line in lines], [("elanus", None), ("x", 2.0), ("y", 100 / 90)]
        )


class Measures(unittest.TestCase):
    def test_recall_counts_each_neighbour_once(self):
        truth = numpy.array([[1, 2, 3], [4, 5, 6]])
        self.assertEqual(worker.recall(numpy.array([[2, 1], [9, 4]]), truth, 2), 0.75)
        self.assertEqual(worker.recall(numpy.array([[1, 1], [-1, -1]]), truth, 2), 0.25)

    def test_percentiles(self):
        values = list(range(1, 101))
        self.assertEqual((worker.percentile(values, 50), worker.percentile(values, 99)), (50, 99))
        self.assertEqual(worker.percentile([7], 99), 7)

    def test_processor_time_is_seen(self):
        watch = process.Watch()
        watch.start()
        while watch.stop()["cpu_seconds"] < 0.05:
            pass
        measured = watch.stop()
        self.assertGreaterEqual(measured["busy_threads"], 1)
        self.assertTrue(process.within(measured, 1))
        self.assertFalse(process.within({**measured, "cpu_seconds": measured["seconds"] * 2 + 1}, 1))

    def test_resident_memory_is_that_of_what_is_held(self):
        before = process.memory_bytes()[0]
        block = bytearray(os.urandom(1 << 20) * 32)
        self.assertGreater(process.memory_bytes()[0] - before, 30 << 20)
        del block
        process.give_back()
        self.assertLess(process.memory_bytes()[0] - before, 8 << 20)


class Files(unittest.TestCase):
    def test_a_short_file_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            write(f"{folder}/a.fbin", numpy.ones((3, 2)), "<f4")
            self.assertEqual(files.read_bin(f"{folder}/a.fbin", "<f4").shape, (3, 2))
            with open(f"{folder}/a.fbin", "r+b") as file:
                file.truncate(20)
            with self.assertRaises(ValueError):
                files.read_bin(f"{folder}/a.fbin", "<f4")

    def test_unit_length_leaves_zero_alone(self):
        rows = files.unit(numpy.array([[3, 4], [0, 0]], "f4"))
        self.assertEqual(rows.tolist(), [[numpy.float32(0.6), numpy.float32(0.8)], [0, 0]])


class KeptIndexes(unittest.TestCase):
    def test_only_the_same_build_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            made_up(folder)
            data = files.Folder(folder)
            place = kept.Kept(f"{folder}/kept", "peer", "1", {"m": 1}, data)
            self.assertIsNone(place.measured())
            with self.assertRaises(ZeroDivisionError):
                place.write(lambda path: 1 / 0, {"seconds": 1})
            self.assertIsNone(place.measured(), "what broke off is not found")
            place.write(lambda path: write(path, numpy.zeros((1, 1)), "<f4"), {"seconds": 2})
            again = kept.Kept(f"{folder}/kept", "peer", "1", {"m": 1}, data)
            self.assertEqual((again.measured(), again.index), ({"seconds": 2}, place.index))
            for other in [("peer", "2", {"m": 1}), ("peer", "1", {"m": 2}), ("other", "1", {"m": 1})]:
                self.assertIsNone(kept.Kept(f"{folder}/kept", *other, data).measured(), other)
            made_up(folder, rows=401)
            self.assertIsNone(kept.Kept(f"{folder}/kept", "peer", "1", {"m": 1}, files.Folder(folder)).measured())


class Filters(unittest.TestCase):
    def test_true_neighbours_are_those_of_the_rows_that_pass(self):
        for metric in ("L2", "IP", "COSINE"):
            with tempfile.TemporaryDirectory() as folder:
                made_up(folder, metric)
                data = files.Folder(folder)
                known = filters.make(data, [0.9, 0.01, 0.2], 10, 25, f"{folder}/filters")
                cases, base, queries = filters.Cases(f"{folder}/filters"), data.base(), data.queries(25)
                self.assertEqual([case["bound"] for case in known], [4, 80, 360] * 3)
                for case in known:
                    passing = numpy.flatnonzero(cases.mask(case["name"]))
                    self.assertEqual(len(passing), case["bound"])
                    asked, truth = queries[cases.queries[case["kind"]]], cases.truths[case["name"]]
                    rows, far = base[passing].astype("f8"), asked.astype("f8")
                    keys = -far @ rows.T if metric != "L2" else ((far[:, None] - rows[None]) ** 2).sum(2)
                    want = passing[keys.argsort(axis=1)[:, :10]]
                    self.assertEqual(truth[:, : want.shape[1]].tolist(), want.tolist(), case["name"])
                    self.assertTrue((truth[:, want.shape[1] :] == -1).all())

    def test_near_queries_have_what_passes_near(self):
        with tempfile.TemporaryDirectory() as folder:
            made_up(folder)
            data = files.Folder(folder)
            filters.make(data, [0.2], 10, 30, f"{folder}/filters")
            cases, truth = filters.Cases(f"{folder}/filters"), data.truth(30)
            passing = {
                kind: cases.mask(f"{kind} 20 %")[truth[cases.queries[kind], :10]].mean() for kind in cases.queries
            }
            self.assertTrue(passing["far"] < 0.1 < passing["random"] < 0.3 < passing["near"], passing)
            self.assertEqual(sorted([*cases.queries["near"], *cases.queries["far"]]), list(range(30)))

    def test_what_is_judged(self):
        mask = numpy.array([True, True, True, False, True])
        truth = numpy.array([[0, 1, 2], [4, 2, -1]])
        found = numpy.array([[1, 0, 4], [2, -1, -1]])
        self.assertEqual(filters.judge(found, truth, mask, 3), {"recall": 0.6, "full": 0.5})
        for wrong in (3, 5):
            with self.assertRaisesRegex(ValueError, "do not pass"):
                filters.judge(numpy.array([[0, 1, wrong]]), truth[:1], mask, 3)

    def test_tables_say_what_is_not_reached(self):
        def point(peer, case, recall, qps, full=1.0):
            about = {"peer": peer, "case": case, "k": 10, "mode": "one", "threads": 1, "within_threads": True}
            return {**about, "recall": recall, "qps": qps, "full": full}

        sessions = [
            {"points": [point("elanus", "a", 0.95, 50), point("x", "a", 0.7, 100, 0.75)]},
            {"points": [point("elanus", "b", 0.95, 200), point("x", "b", 0.95, 100)]},
        ]
        here = summary_filtered.of_case(sessions, "a")
        self.assertEqual(summary_filtered.lead(here, 0.9), "alone")
        best = summary_filtered.best_of(here, "x", 0.9)
        self.assertEqual(summary_filtered.cell(best, 0.9), "(recall 0.70), 25 % short")
        here = summary_filtered.of_case(sessions, "b")
        self.assertEqual(summary_filtered.lead(here, 0.9), "2.00")
        self.assertEqual(summary_filtered.cell(summary_filtered.best_of(here, "x", 0.9), 0.9), "100")
        self.assertEqual(summary_filtered.lead(here, 0.99), "-")


class Texts(unittest.TestCase):
    """The script that makes text-384, as far as it goes without the model."""

    def setUp(self):
        sys.path.insert(0, os.path.dirname(HERE))
        self.addCleanup(sys.path.remove, os.path.dirname(HERE))
        import make_text_384

        self.script = make_text_384

    def test_passages_of_a_dictionary(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = {
                "noun": "  1 The licence.\n00001740 05 n 02 dog 0 domestic_dog 0 001 @ 2 n 0000 | a barking pet  \n",
                "verb": "00001740 29 v 01 bark 0 000 01 + 02 00 | make a noise; \"dogs bark\"\n",
                "adj": "00001740 00 a 01 alone(p) 0 000 | by itself\n" * 2,
                "adv": "",
            }
            for part, text in lines.items():
                with open(f"{folder}/data.{part}", "w", encoding="utf-8") as out:
                    out.write(text)
            found = self.script.passages(folder)
        want = {"dog, domestic dog: a barking pet": 5, 'bark: make a noise; "dogs bark"': 29, "alone: by itself": 0}
        self.assertEqual(dict(found), want)
        self.assertEqual(len(found), 3)

    def test_the_share_of_a_normal_distribution(self):
        values = numpy.linspace(-6, 6, 241).astype("f4")
        want = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in values.tolist()]
        self.assertLess(numpy.abs(self.script.gelu(values) - want).max(), 2e-6)


class Peers(unittest.TestCase):
    def test_every_peer_has_variants_and_sweeps_without_its_library(self):
        for name in peers.NAMES:
            kind = peers.peer_class(name)
            for metric in kind.METRICS:
                for rows, dim in [(1000, 17), (10_000, 384), (1_000_000, 128)]:
                    for variant, build in kind.variants(rows, dim, metric).items():
                        json.dumps(build)
                        for k in (10, 100):
                            sweep = kind.sweep(build, k, rows)
                            texts = [summary.setting_text(setting) for setting in sweep]
                            self.assertEqual(len(texts), len(set(texts)), f"{name} {variant}: settings twice")

    def test_own_indexes_are_read_with_all_that_is_tried(self):
        from peers.elanus import Peer, parse

        _, build = parse("HNSW_SQ:M=16,sq_type=SQ8:ef=5,20,40;refine_k=1,2")
        self.assertEqual((build["kind"], build["params"]), ("HNSW_SQ", {"M": "16", "sq_type": "SQ8"}))
        pairs = [(one["ef"], one["refine_k"]) for one in Peer.sweep(build, 10, 1000)]
        self.assertEqual(pairs, [("20", "1"), ("20", "2"), ("40", "1"), ("40", "2")])
        self.assertEqual(set(Peer.sweep(parse("DISKANN")[1], 10, 1000)[0]), {"search_list"})
        self.assertEqual(Peer.sweep(parse("FLAT")[1], 10, 1000), [{}])

    def test_an_unknown_peer_is_named(self):
        with self.assertRaisesRegex(ValueError, "known are elanus"):
            peers.peer_class("nobody")


class Workers(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.data, self.log = self.place.name, f"{self.place.name}/log"
        made_up(self.data)
        self.child = Child("exact", 1, {}, self.log)
        self.addCleanup(self.place.cleanup)
        self.addCleanup(self.child.end, at_once=True)

    def test_an_index_is_built_and_asked(self):
        self.child.ask("load", 60, cpus=[], threads=1, data=self.data, query_count=20)
        facts = self.child.ask("build", 60, threads=1, build={}, scratch=None, setting={}, k=10)
        self.assertEqual(facts["row_bytes"], 400 * 8 * 4)
        for mode in ("one", "batch"):
            answer = self.child.ask("point", 60, k=10, mode=mode, threads=1, setting={}, least_seconds=0.01)
            self.assertEqual(answer["recall"], 1.0)
            self.assertGreater(answer["qps"], 0)
        self.assertLess(self.child.idle_cpu_seconds, 0.1)
        self.assertIn("p99_us", self.child.ask("point", 60, k=5, mode="one", threads=1, setting={}, least_seconds=0))

    def test_errors_come_back_and_the_worker_lives(self):
        with self.assertRaisesRegex(Failed, "FileNotFoundError"):
            self.child.ask("load", 60, cpus=[], threads=1, data="/absent", query_count=1)
        self.child.ask("load", 60, cpus=[], threads=1, data=self.data, query_count=1)

    def test_a_worker_that_dies_or_hangs_is_told_from_one_that_answers(self):
        self.child.ask("load", 60, cpus=[], threads=1, data=self.data, query_count=1)
        self.child.process.send_signal(signal.SIGSTOP)
        with self.assertRaisesRegex(Failed, "more than"):
            self.child.ask("build", 0.2, threads=1, build={}, scratch=None, setting={}, k=10)
        with self.assertRaises(Failed):
            self.child.ask("build", 1, threads=1, build={}, scratch=None, setting={}, k=10)


class Orphans(unittest.TestCase):
    def test_a_worker_ends_with_its_parent(self):
        """Even one that is stopped in the middle of its work."""
        with tempfile.TemporaryDirectory() as folder:
            made_up(folder)
            script = (
                "import os, signal, sys; from child import Child; "
                f"child = Child('exact', 1, {{}}, {folder + '/log'!r}); "
                f"child.ask('load', 60, cpus=[], threads=1, data={folder!r}, query_count=1); "
                "child.process.send_signal(signal.SIGSTOP); print(child.process.pid, flush=True); os._exit(1)"
            )
            told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=HERE)
            place = f"/proc/{int(told.stdout)}/stat"
            for _ in range(100):
                try:
                    with open(place, encoding="ascii", errors="replace") as file:
                        state = file.read().rpartition(")")[2].split()[0]
                except (FileNotFoundError, ProcessLookupError):
                    return
                if state == "Z":
                    return  # dead, and not yet waited for by whoever inherits it
                time.sleep(0.05)
            self.fail(f"the worker lives on in state {state}")


@unittest.skipUnless(os.environ.get("ELANUS_INDEX_MODULE"), "SKIPPED: ELANUS_INDEX_MODULE names no module")
class Whole(unittest.TestCase):
    def run_on(self, metric, *words):
        with tempfile.TemporaryDirectory() as folder:
            made_up(folder, metric)
            return self.run_in(folder, *words)

    def run_in(self, folder, *words):
        line = ["compare.py", "--data", folder, "--out", f"{folder}/out", "--k", "10", "--build-threads", "1"]
        line += ["--least-seconds", "0.01", "--no-plots", *words]
        before, sys.argv = sys.argv, line
        try:
            with redirect_stdout(io.StringIO()) as said:
                compare.main()
        finally:
            sys.argv = before
        with open(f"{folder}/out/results.json", encoding="utf-8") as file:
            return json.load(file), said.getvalue()

    def test_two_peers_end_to_end(self):
        for metric in ("L2", "IP", "COSINE"):
            results, said = self.run_on(metric, "--peers", "exact", "--variants", "1", "--rounds", "2")
            self.assertEqual(results["left_out"], [], metric)
            best = {p["peer"]: p["recall"] for s in results["sessions"] for p in s["points"]}
            self.assertGreaterEqual(best["exact"], 0.999)
            self.assertIn("Elanus / best peer (exact)", said)

    def test_a_kept_index_answers_as_the_built_one(self):
        with tempfile.TemporaryDirectory() as folder:
            made_up(folder)
            words = ["--peers", "", "--elanus", "HNSW:M=8:ef=20", "--keep", f"{folder}/kept", "--rounds", "1"]
            recalls = []
            for was_kept in (False, True):
                results, said = self.run_in(folder, *words)
                [index] = results["indexes"].values()
                self.assertEqual(index["was_kept"], was_kept)
                self.assertEqual("was built by an earlier run" in said, was_kept)
                recalls.append({point["recall"] for point in results["sessions"][0]["points"]})
            self.assertEqual(recalls[0], recalls[1])

    def test_what_fails_is_listed_and_the_rest_goes_on(self):
        results, said = self.run_on("L2", "--peers", "exact", "--elanus", "HNSW:M=1", "--elanus", "FLAT")
        self.assertEqual([line["what"] for line in results["left_out"]], ["elanus: HNSW:M=1"])
        self.assertIn("LEFT OUT elanus: HNSW:M=1: ValueError: index parameters refused", said)
        self.assertEqual(len(results["indexes"]), 2)

    def test_filtered_end_to_end(self):
        words = ["--filtered", "--shares", "0.005,0.2,0.9", "--peers", "exact,usearch", "--variants", "1", "--rounds", "2"]
        results, said = self.run_on("L2", *words)
        [left_out] = results["left_out"]
        self.assertIn("predicate", left_out["why"])
        points = [p for session in results["sessions"] for p in session["points"]]
        self.assertEqual({p["case"] for p in points}, {case["name"] for case in results["head"]["cases"]})
        for point in points:
            if point["peer"] == "exact":
                self.assertEqual((point["recall"], point["full"]), (1.0, 1.0), point["id"])
        best = {}
        for point in points:
            if point["peer"] == "elanus":
                best[point["case"]] = max(best.get(point["case"], 0), point["recall"])
        self.assertGreater(min(best.values()), 0.95)
        self.assertIn("Rows by place, queries from the other half: recall@10 >= 0.95", said)

    def test_short_time_thins_and_says_so(self):
        results, said = self.run_on(
            "L2", "--peers", "exact", "--variants", "1", "--minutes", "0.001", "--least-seconds", "0.3"
        )
        self.assertIn("time for", said)
        settings = {
            p["id"] for s in results["sessions"] for p in s["points"] if p["peer"] == "elanus" and p["mode"] == "one"
        }
        self.assertLess(len(settings), 10)


if __name__ == "__main__":
    unittest.main()
