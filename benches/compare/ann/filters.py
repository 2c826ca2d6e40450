"""Conditions that rows must meet, and the true neighbours among those that do.

Every row has two numbers, each a place in an order of all rows: `chance`, an order by lot, and `direction`, the order of the
rows along a line through two of them. A condition is that one of the numbers is below a bound, so that a share of the rows
passes. By lot, what passes has nothing to do with the query. Along a line it has: queries from the half of them that
lies on the side of what passes have it near (`near`), the other half far from them (`far`).
"""

import json
import os

import numpy

SHARES = [0.001, 0.01, 0.05, 0.2, 0.5, 0.9]
# Candidates for each of the k nearest that products in float32 pick and float64 puts in order.
SPARE = 3
ROWS_AT_ONCE = 16384


def orders(base, queries, seed=1):
    """Both numbers of every row, and for each kind of case its column and its queries."""
    lot = numpy.random.default_rng(seed)
    columns = {"chance": lot.permutation(len(base)).astype(numpy.int32)}
    ends = lot.choice(len(base), 2, replace=False) if len(base) > 1 else [0, 0]
    line = base[ends[0]].astype("f8") - base[ends[1]]
    # Equal places keep the rows' order.
    along = numpy.argsort(-(base @ line.astype("f4")), kind="stable")
    columns["direction"] = numpy.empty(len(base), numpy.int32)
    columns["direction"][along] = numpy.arange(len(base), dtype=numpy.int32)
    asked = numpy.argsort(-(queries @ line), kind="stable")
    half = (len(queries) + 1) // 2
    kinds = {
        "random": ("chance", numpy.arange(len(queries))),
        "near": ("direction", numpy.sort(asked[:half])),
        "far": ("direction", numpy.sort(asked[half:])),
    }
    return columns, kinds


def nearest(base, queries, column, bounds, metric, k):
    """For each bound the k nearest of the rows whose number is below it, a row for each query, -1 where there are
    fewer. The bounds ascend."""
    by_number = numpy.argsort(column)
    best, found, begin = numpy.empty((len(queries), 0), numpy.int64), [], 0
    keys = numpy.empty((len(queries), 0), "f4")
    for bound in bounds:
        for start in range(begin, bound, ROWS_AT_ONCE):
            ids = by_number[start : min(start + ROWS_AT_ONCE, bound)]
            rows = base[ids]
            more = -(queries @ rows.T)
            if metric == "L2":
                more = 2 * more + numpy.einsum("ij,ij->i", rows, rows)
            keys = numpy.concatenate([keys, more], axis=1)
            best = numpy.concatenate([best, numpy.broadcast_to(ids, (len(queries), len(ids)))], axis=1)
            if keys.shape[1] > SPARE * k:
                kept = numpy.argpartition(keys, SPARE * k - 1, axis=1)[:, : SPARE * k]
                keys, best = numpy.take_along_axis(keys, kept, 1), numpy.take_along_axis(best, kept, 1)
        begin = bound
        found.append(in_order(base, queries, best, metric, k))
    return found


def in_order(base, queries, candidates, metric, k):
    """The k nearest of each query's candidates, by sums in float64; of equally near rows the lower number first."""
    found = numpy.full((len(queries), k), -1, numpy.int64)
    for query, ids, places in zip(queries.astype("f8"), numpy.sort(candidates, axis=1), found):
        rows = base[ids].astype("f8")
        keys = ((rows - query) ** 2).sum(axis=1) if metric == "L2" else -(rows @ query)
        order = numpy.argsort(keys, kind="stable")[:k]
        places[: len(order)] = ids[order]
    return found


def make(folder, shares, k, query_count, path):
    """Writes all cases to a folder and returns what is known of each: its name, kind, share, and how many rows pass."""
    base, queries = folder.base(), folder.queries(query_count)
    columns, kinds = orders(base, queries)
    cases, arrays = [], dict(columns)
    bounds = sorted({max(1, round(share * len(base))) for share in shares})
    for kind, (column, asked) in kinds.items():
        if not len(asked):
            continue
        arrays[f"queries-{kind}"] = asked
        for bound, ids in zip(bounds, nearest(base, queries[asked], columns[column], bounds, folder.metric, k)):
            name = f"{kind} {100 * bound / len(base):.3g} %"
            cases.append({"name": name, "kind": kind, "column": column, "bound": bound, "share": bound / len(base)})
            arrays[f"truth-{name}"] = ids
    os.makedirs(path, exist_ok=True)
    numpy.savez(os.path.join(path, "filters.npz"), **arrays)
    with open(os.path.join(path, "cases.json"), "w", encoding="utf-8") as out:
        json.dump(cases, out, indent=1)
    return cases


class Cases:
    """What `make` wrote, as a worker needs it."""

    def __init__(self, path):
        arrays = numpy.load(os.path.join(path, "filters.npz"))
        with open(os.path.join(path, "cases.json"), encoding="utf-8") as file:
            self.by_name = {case["name"]: case for case in json.load(file)}
        self.columns = {name: arrays[name] for name in ("chance", "direction")}
        self.queries = {case["kind"]: arrays[f"queries-{case['kind']}"] for case in self.by_name.values()}
        self.truths = {name: arrays[f"truth-{name}"] for name in self.by_name}

    def mask(self, name):
        """Which rows pass."""
        case = self.by_name[name]
        return self.columns[case["column"]] < case["bound"]


def judge(found, truth, mask, k):
    """Recall, which counts the neighbours that exist, and the share of queries that got as many rows as could be had."""
    if found.max(initial=-1) >= len(mask) or not mask[found[found >= 0]].all():
        raise ValueError("rows were returned that do not pass")
    hits = sum(len(set(a) & set(b) - {-1}) for a, b in zip(found[:, :k].tolist(), truth[:, :k].tolist()))
    there = int((truth[:, :k] >= 0).sum())
    full = ((found[:, :k] >= 0).sum(axis=1) >= (truth[:, :k] >= 0).sum(axis=1)).mean()
    return {"recall": hits / max(1, there), "full": float(full)}
