"""Hybrid search: fused scores as numpy computes them from the routes."""

import math

import pytest
from pymilvus import AnnSearchRequest, DataType, MilvusClient, MilvusException, RRFRanker, WeightedRanker

import data

ROWS = 600
DIMS = {"a": 12, "b": 20}
METRICS = {"a": "L2", "b": "IP"}


@pytest.fixture(scope="module")
def collection(client, raw, module_fresh):
    """Two vector fields with different metrics, searched exactly."""
    name = module_fresh("hybrid")
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("n", DataType.INT64)
    for field, dim in DIMS.items():
        schema.add_field(field, DataType.FLOAT_VECTOR, dim=dim)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    vectors = {field: data.clustered(f"hybrid {field}", ROWS + 3, dim, 8) for field, dim in DIMS.items()}
    lines = [{"id": n, "n": n % 10, "a": vectors["a"][n], "b": vectors["b"][n]} for n in range(ROWS)]
    client.insert(name, lines[:400])
    client.flush(name)
    client.insert(name, lines[400:])
    for field, metric in METRICS.items():
        raw.create_index(name, field, index_type="FLAT", metric_type=metric)
    client.load_collection(name)
    return name, {f: v[:ROWS] for f, v in vectors.items()}, {f: v[ROWS:] for f, v in vectors.items()}


def routes(queries, limits=(30, 40), exprs=("", "")):
    return [
        AnnSearchRequest(
            data=[query.tolist() for query in queries[field]],
            anns_field=field,
            param={"metric_type": METRICS[field]},
            limit=limit,
            expr=expr or None,
        )
        for field, limit, expr in zip(DIMS, limits, exprs, strict=True)
    ]


def hits_of(client, name, queries, limits=(30, 40), exprs=("", "")):
    """Each route by itself: ids and scores of every query."""
    found = {}
    for field, limit, expr in zip(DIMS, limits, exprs, strict=True):
        rows = [query.tolist() for query in queries[field]]
        params = {"metric_type": METRICS[field]}
        found[field] = client.search(name, rows, anns_field=field, limit=limit, filter=expr, search_params=params)
    return found


def ranked(scores: dict[int, float], limit: int) -> list[float]:
    return sorted(scores.values(), reverse=True)[:limit]


@pytest.mark.parametrize("k", [60, 1, 100])
def test_reciprocal_rank_fusion(client, collection, k):
    name, _vectors, queries = collection
    parts = hits_of(client, name, queries)
    result = client.hybrid_search(name, routes(queries), RRFRanker(k), limit=25, output_fields=["n"])
    assert len(result) == 3
    for number, found in enumerate(result):
        scores: dict[int, float] = {}
        for field in DIMS:
            for rank, hit in enumerate(parts[field][number], start=1):
                scores[hit["id"]] = scores.get(hit["id"], 0) + 1 / (k + rank)
        assert [hit["distance"] for hit in found] == pytest.approx(ranked(scores, 25), rel=1e-5)
        assert all(hit["distance"] == pytest.approx(scores[hit["id"]], rel=1e-5) for hit in found)
        assert all(hit["entity"]["n"] == hit["id"] % 10 for hit in found)
        assert len({hit["id"] for hit in found}) == 25


def similar(metric, score, norm):
    if metric == "L2":
        return 1 - 2 * math.atan(score) / math.pi
    return 0.5 + math.atan(score) / math.pi if norm else score


@pytest.mark.parametrize("norm", [True, False])
def test_weighted_sums(client, collection, norm):
    name, _vectors, queries = collection
    parts = hits_of(client, name, queries)
    weights = {"a": 0.7, "b": 0.2}
    ranker = WeightedRanker(*weights.values(), norm_score=norm)
    result = client.hybrid_search(name, routes(queries), ranker, limit=25)
    for number, found in enumerate(result):
        scores: dict[int, float] = {}
        for field in DIMS:
            for hit in parts[field][number]:
                part = weights[field] * similar(METRICS[field], hit["distance"], norm)
                scores[hit["id"]] = scores.get(hit["id"], 0) + part
        assert [hit["distance"] for hit in found] == pytest.approx(ranked(scores, 25), rel=1e-4, abs=1e-5)
        assert all(hit["distance"] == pytest.approx(scores[hit["id"]], rel=1e-4, abs=1e-5) for hit in found)


def test_filters_of_the_routes_count(client, collection):
    name, _vectors, queries = collection
    result = client.hybrid_search(name, routes(queries, exprs=("n < 3", "n == 5")), RRFRanker(), limit=50)
    parts = hits_of(client, name, queries, exprs=("n < 3", "n == 5"))
    for number, found in enumerate(result):
        want = {hit["id"] for field in DIMS for hit in parts[field][number]}
        assert {hit["id"] for hit in found} <= want
        assert len(found) == min(50, len(want))
        assert all(hit["id"] % 10 in (0, 1, 2, 5) for hit in found)


def test_pages_and_rounding(client, collection):
    name, _vectors, queries = collection
    whole = client.hybrid_search(name, routes(queries), RRFRanker(), limit=30)
    page = client.hybrid_search(name, routes(queries), RRFRanker(), limit=10, offset=10)
    assert data.ids_of(page) == [ids[10:20] for ids in data.ids_of(whole)]
    rounded = client.hybrid_search(name, routes(queries), RRFRanker(), limit=10, round_decimal=3)
    assert all(hit["distance"] == pytest.approx(round(hit["distance"], 3), abs=1e-6) for hit in rounded[0])


REFUSED = {
    "weights for another number of routes": (WeightedRanker(0.5), 10, "weight"),
    "weight out of range": (WeightedRanker(0.5, 0.5), 10, "weight"),
    "limit 0": (RRFRanker(), 0, "limit"),
    "limit too large": (RRFRanker(), 20_000, "20000"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_requests_are_refused_by_name(client, collection, case):
    name, _vectors, queries = collection
    ranker, limit, word = REFUSED[case]
    if case == "weight out of range":
        ranker._weights = [0.5, 1.5]
    with pytest.raises(MilvusException, match=word):
        client.hybrid_search(name, routes(queries), ranker, limit=limit)


def test_the_failing_route_is_named(client, collection):
    name, _vectors, queries = collection
    with pytest.raises(MilvusException, match="nofield"):
        client.hybrid_search(name, routes(queries, exprs=("", "nofield > 3")), RRFRanker(), limit=5)
    other = {"a": queries["a"], "b": queries["b"][:2]}
    with pytest.raises(MilvusException, match="quer"):
        client.hybrid_search(name, routes(other), RRFRanker(), limit=5)


def test_grouping_is_refused_by_name(client, collection):
    name, _vectors, queries = collection
    with pytest.raises(MilvusException, match="group_by_field") as caught:
        client.hybrid_search(name, routes(queries), RRFRanker(), limit=5, group_by_field="n")
    assert caught.value.code == 10
