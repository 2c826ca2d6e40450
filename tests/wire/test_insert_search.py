"""Insert, index, search and filter: recall against exact neighbours, scores against numpy, filters against Python."""

import json
import os

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient, MilvusException

import data

ROWS = int(os.environ.get("ELANUS_WIRE_ROWS", "6000"))
DIM = 784
BATCH = 1000
QUERIES = 100
COLOURS = ["red", "green", "blue", "cyan", "black"]


def row(number: int, vector) -> dict:
    """A row whose other values follow from its number."""
    return (
        {
            "id": number,
            "n": number % 100,
            "x": number / 7,
            "s": f"{COLOURS[number % 5]} {number % 13:02}",
            "flag": number % 3 == 0,
            "j": {"k": number % 10, "deep": {"list": [number % 4, "a", number % 6]}, "t": f"t{number % 9}"},
            "v": vector,
            "colour": COLOURS[number % 5],
            "only_even": number,
        }
        if number % 2 == 0
        else {
            "id": number,
            "n": number % 100,
            "x": number / 7,
            "s": f"{COLOURS[number % 5]} {number % 13:02}",
            "flag": number % 3 == 0,
            "j": {"k": str(number % 10)},
            "v": vector,
            "colour": COLOURS[number % 5],
        }
    )


class Loaded:
    """A collection with its rows and queries."""

    def __init__(self, name, vectors, queries, rows):
        self.name = name
        self.vectors = vectors
        self.queries = queries
        self.rows = rows


@pytest.fixture(scope="module")
def full(client, raw, module_fresh):
    """The large collection: HNSW over rows that were inserted in batches, the last batches not flushed."""
    name = module_fresh("full")
    schema = MilvusClient.create_schema(enable_dynamic_field=True)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("n", DataType.INT64)
    schema.add_field("x", DataType.DOUBLE)
    schema.add_field("s", DataType.VARCHAR, max_length=64)
    schema.add_field("flag", DataType.BOOL)
    schema.add_field("j", DataType.JSON)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=DIM)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    vectors = data.clustered("full", ROWS + QUERIES, DIM)
    vectors, queries = vectors[:ROWS], vectors[ROWS:]
    rows = [row(number, vectors[number]) for number in range(ROWS)]
    kept = max(ROWS - 2 * BATCH, BATCH)
    for start in range(0, ROWS, BATCH):
        if start == kept:
            client.flush(name)
        result = client.insert(name, rows[start : start + BATCH])
        assert result["insert_count"] == len(rows[start : start + BATCH])
    raw.create_index(name, "v", index_type="HNSW", metric_type="L2", M=16, efConstruction=200)
    client.load_collection(name)
    return Loaded(name, vectors, queries, rows)


def search(client, loaded, queries, limit, **options):
    params = options.pop("search_params", {"metric_type": "L2", "params": {"ef": max(128, 2 * limit)}})
    return client.search(loaded.name, list(queries), limit=limit, search_params=params, **options)


def test_every_row_is_counted_and_returned(client, raw, full):
    assert raw.count(full.name) == ROWS
    assert client.get_collection_stats(full.name)["row_count"] == ROWS
    number = ROWS - 3
    got = client.query(full.name, ids=[number], output_fields=["*"])[0]
    want = dict(full.rows[number])
    assert got.pop("v") == pytest.approx(want.pop("v").tolist(), abs=0)
    assert got == want


def test_recall_of_the_graph(client, full):
    truth = data.nearest("L2", full.queries, full.vectors, 10)
    found = data.ids_of(search(client, full, full.queries, 10))
    assert all(len(ids) == len(set(ids)) == 10 for ids in found)
    assert data.recall(found, truth) >= 0.95


def test_scores_of_the_graph_are_distances(client, full):
    hits = search(client, full, full.queries[:10], 10)
    for query, found in zip(full.queries[:10], hits, strict=True):
        want = data.scores("L2", query[None, :], full.vectors[[hit["id"] for hit in found]])[0]
        assert [hit["distance"] for hit in found] == pytest.approx(want.tolist(), rel=1e-4)
        assert [hit["distance"] for hit in found] == sorted(hit["distance"] for hit in found)


def test_a_stored_vector_finds_itself(client, full):
    some = list(range(0, ROWS, max(1, ROWS // 50)))
    hits = search(client, full, full.vectors[some], 1)
    assert data.ids_of(hits) == [[number] for number in some]


def number_of(one):
    """What JSON key k is, if it is a number."""
    value = one["j"]["k"]
    return value if isinstance(value, int) else None


def deep(one, *path):
    value = one["j"]
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


FILTERS = {
    "n == 7": lambda r: r["n"] == 7,
    "n != 7": lambda r: r["n"] != 7,
    "n < 3 or n >= 98": lambda r: r["n"] < 3 or r["n"] >= 98,
    "10 < n <= 20": lambda r: 10 < r["n"] <= 20,
    "20 >= n > 10": lambda r: 20 >= r["n"] > 10,
    "n in [1, 5, 99, 1000]": lambda r: r["n"] in (1, 5, 99, 1000),
    "n not in [1, 5, 99]": lambda r: r["n"] not in (1, 5, 99),
    "not (n > 10)": lambda r: not r["n"] > 10,
    "n % 10 == 3 && id > 100": lambda r: r["n"] % 10 == 3 and r["id"] > 100,
    "n + 5 < 10 || n * 2 > 190": lambda r: r["n"] + 5 < 10 or r["n"] * 2 > 190,
    "x > 100.5": lambda r: r["x"] > 100.5,
    "x >= 10 and x < 20.25": lambda r: 10 <= r["x"] < 20.25,
    "flag": lambda r: r["flag"],
    "flag == false and n == 1": lambda r: not r["flag"] and r["n"] == 1,
    's == "red 05"': lambda r: r["s"] == "red 05",
    's like "red%"': lambda r: r["s"].startswith("red"),
    's like "%07"': lambda r: r["s"].endswith("07"),
    's like "%n 1_"': lambda r: r["s"][:-1].endswith("n 1"),
    's > "green" and s < "red"': lambda r: "green" < r["s"] < "red",
    's in ["red 05", "blue 12"]': lambda r: r["s"] in ("red 05", "blue 12"),
    'colour == "cyan"': lambda r: r["colour"] == "cyan",
    'colour in ["cyan", "black"] and n < 50': lambda r: r["colour"] in ("cyan", "black") and r["n"] < 50,
    "only_even < 100": lambda r: r.get("only_even", 10**9) < 100,
    "exists only_even": lambda r: "only_even" in r,
    "not exists only_even": lambda r: "only_even" not in r,
    'j["k"] == 4': lambda r: number_of(r) == 4,
    'j["k"] == "5"': lambda r: r["j"]["k"] == "5",
    'j["k"] > 6': lambda r: number_of(r) is not None and number_of(r) > 6,
    'j["k"] in [1, 2, "3"]': lambda r: r["j"]["k"] in (1, 2, "3"),
    'j["t"] == "t4"': lambda r: deep(r, "t") == "t4",
    'j["deep"]["list"][0] == 2': lambda r: deep(r, "deep", "list", 0) == 2,
    'json_contains(j["deep"]["list"], 5)': lambda r: 5 in (deep(r, "deep", "list") or []),
    'json_contains_any(j["deep"]["list"], [5, 3])': lambda r: bool({5, 3} & set(deep(r, "deep", "list") or [])),
    'json_contains_all(j["deep"]["list"], ["a", 2])': lambda r: {"a", 2} <= set(deep(r, "deep", "list") or []),
    'exists j["t"]': lambda r: "t" in r["j"],
    "id in [3, 1, 4, 1, 5, 9, 2, 6]": lambda r: r["id"] in (1, 2, 3, 4, 5, 6, 9),
    "id == 77": lambda r: r["id"] == 77,
    "id < 0": lambda r: False,
}


@pytest.mark.parametrize("expression", FILTERS)
def test_filters_mean_what_python_says(client, full, expression):
    want = [one["id"] for one in full.rows if FILTERS[expression](one)]
    counted = client.query(full.name, filter=expression, output_fields=["count(*)"])
    assert list(counted) == [{"count(*)": len(want)}]
    found = client.query(full.name, filter=expression, output_fields=["id"], limit=16384)
    assert [one["id"] for one in found] == want[:16384]


SEARCH_FILTERS = {
    "n < 50": lambda r: r["n"] < 50,
    "id < 40": lambda r: r["id"] < 40,
    'colour == "cyan" and n < 20': lambda r: r["colour"] == "cyan" and r["n"] < 20,
} | {text: FILTERS[text] for text in ("n == 7", "x > 100.5", 'j["k"] == 4', "id in [3, 1, 4, 1, 5, 9, 2, 6]", "id < 0")}


@pytest.mark.parametrize("expression", SEARCH_FILTERS)
def test_filtered_searches_find_the_nearest_that_pass(client, full, expression):
    keep = np.array([SEARCH_FILTERS[expression](one) for one in full.rows])
    passing = set(np.flatnonzero(keep).tolist())
    queries = full.queries[:20]
    found = data.ids_of(search(client, full, queries, 10, filter=expression))
    assert all(set(ids) <= passing for ids in found)
    assert all(len(ids) == min(10, len(passing)) for ids in found)
    if passing:
        truth = data.nearest("L2", queries, full.vectors, 10, keep)
        assert data.recall(found, truth) >= 0.95


def test_filter_templates(client, full):
    cases = [
        ("n in {list}", {"list": [1, 5]}, lambda r: r["n"] in (1, 5)),
        ("n < {bound} and flag == {yes}", {"bound": 30, "yes": True}, lambda r: r["n"] < 30 and r["flag"]),
        ("s == {text}", {"text": "red 05"}, lambda r: r["s"] == "red 05"),
        ("s in {texts}", {"texts": ["red 05", "blue 12"]}, lambda r: r["s"] in ("red 05", "blue 12")),
        ("x > {bound}", {"bound": 100.5}, lambda r: r["x"] > 100.5),
    ]
    for expression, params, predicate in cases:
        want = sum(1 for one in full.rows if predicate(one))
        got = client.query(full.name, filter=expression, filter_params=params, output_fields=["count(*)"])
        assert got[0]["count(*)"] == want, expression
        hits = search(client, full, full.queries[:2], 10, filter=expression, filter_params=params)
        assert all(predicate(full.rows[hit["id"]]) for found in hits for hit in found)


def test_output_fields(client, full):
    hits = search(client, full, full.queries[:3], 5, output_fields=["n", "j", "colour"])
    for hit in (hit for found in hits for hit in found):
        want = full.rows[hit["id"]]
        assert dict(hit["entity"]) == {key: want[key] for key in ("n", "j", "colour")}
    hits = search(client, full, full.queries[:2], 3, output_fields=["*"])
    for hit in (hit for found in hits for hit in found):
        want = dict(full.rows[hit["id"]])
        entity = dict(hit["entity"])
        entity.pop("id", None)
        want.pop("id")
        assert np.array_equal(np.asarray(entity.pop("v"), np.float32), want.pop("v"))
        assert entity == want
    hits = search(client, full, full.queries[:1], 3)
    assert all(not dict(hit["entity"]) for hit in hits[0])


def test_dynamic_keys_of_which_some_rows_have_none(client, full):
    got = client.query(full.name, filter="id in [10, 11]", output_fields=["only_even"])
    assert [one["id"] for one in got] == [10, 11]
    assert got[0]["only_even"] == 10
    assert got[1].get("only_even") is None


def test_pages_join_to_the_whole(client, full):
    query = full.queries[:1]
    whole = data.ids_of(search(client, full, query, 60))[0]
    paged = []
    for offset in range(0, 60, 15):
        params = {"metric_type": "L2", "params": {"ef": 128}}
        hits = client.search(full.name, list(query), limit=15, search_params=params, offset=offset)
        paged += data.ids_of(hits)[0]
    assert paged == whole
    rows = [one["id"] for one in client.query(full.name, filter="n == 7", output_fields=["id"], limit=40)]
    paged = []
    for offset in range(0, 40, 10):
        page = client.query(full.name, filter="n == 7", output_fields=["id"], limit=10, offset=offset)
        paged += [one["id"] for one in page]
    assert paged == rows[:40]


def test_an_offset_past_the_end_gives_nothing(client, full):
    assert client.query(full.name, filter="n == 7", output_fields=["id"], limit=10, offset=16000) == []
    hits = client.search(
        full.name, list(full.queries[:1]), filter="id < 5", limit=10, offset=100, search_params={"metric_type": "L2"}
    )
    assert data.ids_of(hits) == [[]]


def test_a_search_by_keys_is_a_search_by_their_vectors(client, full):
    ids = [5, 17, ROWS - 1]
    params = {"metric_type": "L2", "params": {"ef": 128}}
    by_ids = client.search(full.name, ids=ids, limit=10, search_params=params)
    by_vectors = search(client, full, full.vectors[ids], 10, search_params=params)
    assert data.ids_of(by_ids) == data.ids_of(by_vectors)
    assert [found[0] for found in data.ids_of(by_ids)] == ids


def test_scores_are_rounded(client, full):
    hits = search(client, full, full.queries[:2], 10, round_decimal=2)[0]
    plain = search(client, full, full.queries[:2], 10)[0]
    assert [hit["distance"] for hit in hits] == pytest.approx([round(hit["distance"], 2) for hit in plain], abs=0.006)
    assert all(abs(hit["distance"] * 100 - round(hit["distance"] * 100)) < 1e-2 for hit in hits)


def test_range_search(client, full):
    query = full.queries[0]
    exact = data.scores("L2", query[None, :], full.vectors)[0]
    ordered = np.sort(exact)
    low, high = float(ordered[4]) * 1.00001, float(ordered[40]) * 1.00001
    params = {"metric_type": "L2", "params": {"ef": 512, "radius": high, "range_filter": low}}
    hits = client.search(full.name, [query], limit=100, search_params=params)[0]
    found = {hit["id"] for hit in hits}
    want = set(np.flatnonzero((exact >= low) & (exact < high)).tolist())
    assert all(low * 0.9999 <= hit["distance"] < high for hit in hits)
    assert len(found & want) >= 0.95 * len(want)
    assert found <= set(np.flatnonzero((exact >= low * 0.9999) & (exact <= high * 1.0001)).tolist())


def test_many_queries_at_once_answer_as_each_alone(client, full):
    together = data.ids_of(search(client, full, full.queries, 10))
    alone = [data.ids_of(search(client, full, query[None, :], 10))[0] for query in full.queries[:10]]
    assert together[:10] == alone


@pytest.mark.parametrize("parameter", ["group_by_field", "group_size", "strict_group_size", "order_by_fields"])
def test_what_is_not_served_is_refused_by_name(client, full, parameter):
    value = {"group_by_field": "n", "group_size": 2, "strict_group_size": True, "order_by_fields": "n:asc"}[parameter]
    with pytest.raises(MilvusException, match=parameter) as caught:
        params = {"metric_type": "L2", parameter: value}
        client.search(full.name, list(full.queries[:1]), limit=5, search_params=params)
    assert caught.value.code == 10


# Small collections, one for each metric and element type.
SMALL = 1200
SMALL_DIM = 24


@pytest.fixture(scope="module", params=["L2", "IP", "COSINE"])
def metric(request):
    return request.param


@pytest.fixture(scope="module")
def small(client, raw, module_fresh, metric):
    """Two vector fields with the same numbers: 32-bit floats with FLAT, 16-bit floats with HNSW."""
    name = module_fresh(f"small_{metric}")
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=SMALL_DIM)
    schema.add_field("h", DataType.FLOAT16_VECTOR, dim=SMALL_DIM)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    vectors = data.clustered("small", SMALL + 20, SMALL_DIM, 12)
    vectors = vectors.astype(np.float16).astype(np.float32)
    vectors, queries = vectors[:SMALL], vectors[SMALL:]
    half = SMALL // 2
    as_halves = vectors.astype(np.float16)
    # 16-bit vectors come as such, or as the numbers that they are.
    first = [{"id": n, "v": vectors[n].tolist(), "h": as_halves[n]} for n in range(half)]
    second = [{"id": n, "v": vectors[n].tolist(), "h": vectors[n].tolist()} for n in range(half, SMALL)]
    client.insert(name, first)
    client.flush(name)
    client.insert(name, second)
    raw.create_index(name, "v", index_type="FLAT", metric_type=metric)
    raw.create_index(name, "h", index_type="HNSW", metric_type=metric, M=16, efConstruction=100)
    client.load_collection(name)
    return Loaded(name, vectors, queries, None)


def test_flat_is_exact_and_scores_are_numpys(client, small, metric):
    hits = client.search(small.name, small.queries.tolist(), anns_field="v", limit=20)
    truth = data.nearest(metric, small.queries, small.vectors, 20)
    table = data.scores(metric, small.queries, small.vectors)
    for number, found in enumerate(hits):
        want = table[number][truth[number]]
        assert [hit["distance"] for hit in found] == pytest.approx(want.tolist(), rel=1e-4, abs=1e-4)
        assert data.recall([[hit["id"] for hit in found]], truth[number][None, :]) >= 0.95


def test_half_floats_are_found_by_either_kind_of_query(client, small, metric):
    truth = data.nearest(metric, small.queries, small.vectors, 10)
    params = {"metric_type": metric, "params": {"ef": 200}}
    as_floats = client.search(small.name, small.queries.tolist(), anns_field="h", limit=10, search_params=params)
    halves = list(small.queries.astype(np.float16))
    as_halves = client.search(small.name, halves, anns_field="h", limit=10, search_params=params)
    assert data.ids_of(as_floats) == data.ids_of(as_halves)
    assert data.recall(data.ids_of(as_floats), truth) >= 0.95
    table = data.scores(metric, small.queries, small.vectors)
    for number, found in enumerate(as_halves):
        want = table[number][[hit["id"] for hit in found]]
        assert [hit["distance"] for hit in found] == pytest.approx(want.tolist(), rel=2e-3, abs=2e-3)


def test_half_floats_come_back_as_they_were(client, small):
    got = client.query(small.name, filter=f"id in [0, {SMALL - 1}]", output_fields=["h", "v"])
    for one, number in zip(got, (0, SMALL - 1), strict=True):
        halves = np.frombuffer(as_bytes(one["h"]), np.float16)
        assert np.array_equal(halves, small.vectors[number].astype(np.float16))
        assert np.array_equal(np.asarray(one["v"], np.float32), small.vectors[number])


def as_bytes(value) -> bytes:
    """A 16-bit vector as clients give it: bytes, or a list of one value of bytes, or an array."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return value[0] if isinstance(value, list) else value


def test_ranges_by_metric(client, small, metric):
    """radius is the outer bound and exclusive, range_filter the inner one and inclusive."""
    query = small.queries[0]
    exact = data.scores(metric, query[None, :], small.vectors)[0]
    ordered = np.sort(exact) if metric == "L2" else -np.sort(-exact)
    inner, outer = float(ordered[3] + ordered[4]) / 2, float(ordered[30] + ordered[31]) / 2
    params = {"metric_type": metric, "params": {"radius": outer, "range_filter": inner}}
    hits = client.search(small.name, [query.tolist()], anns_field="v", limit=200, search_params=params)[0]
    between = (exact >= inner) & (exact < outer) if metric == "L2" else (exact > outer) & (exact <= inner)
    assert {hit["id"] for hit in hits} == set(np.flatnonzero(between).tolist())
    swapped = {"metric_type": metric, "params": {"radius": inner, "range_filter": outer}}
    with pytest.raises(MilvusException, match="radius"):
        client.search(small.name, [query.tolist()], anns_field="v", limit=10, search_params=swapped)


def test_a_collection_of_images(client, raw, fresh):
    """Bundled images, AUTOINDEX, cosine: as a first user would do it."""
    name = fresh("images")
    base = data.images("t10k-images-idx3-ubyte.gz")[: min(ROWS, 10_000) // 3]
    queries = data.images("train-500-images-idx3-ubyte.gz")[:50]
    client.create_collection(name, dimension=base.shape[1], consistency_level="Strong")
    for start in range(0, len(base), BATCH):
        batch = base[start : start + BATCH]
        client.insert(name, [{"id": start + n, "vector": one} for n, one in enumerate(batch)])
    client.flush(name)
    raw.wait_for_index(name, "vector")
    truth = data.nearest("COSINE", queries, base, 10)
    found = data.ids_of(client.search(name, list(queries), limit=10))
    assert data.recall(found, truth) >= 0.95


def test_large_values_travel_unharmed(client, raw, fresh):
    """Rows near the greatest sizes: 65,535 bytes of text, JSON of 60 kB."""
    name = fresh("large")
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("s", DataType.VARCHAR, max_length=65535)
    schema.add_field("j", DataType.JSON)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=32768)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    vector = data.rng("large").normal(size=(3, 32768)).astype(np.float32)
    text = "".join(chr(33 + n % 90) for n in range(65535))
    blob = {"list": list(range(10_000))}
    client.insert(name, [{"id": n, "s": text[n:], "j": blob, "v": vector[n]} for n in range(3)])
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.load_collection(name)
    got = client.query(name, filter="id == 1", output_fields=["*"])[0]
    assert got["s"] == text[1:]
    assert (json.loads(got["j"]) if isinstance(got["j"], str) else got["j"]) == blob
    assert np.array_equal(np.asarray(got["v"], np.float32), vector[1])
    assert data.ids_of(client.search(name, list(vector), limit=1)) == [[0], [1], [2]]
