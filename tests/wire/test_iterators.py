"""Iterators: every row once, in order, at the time of the first page, whatever is written meanwhile."""

import pytest
from pymilvus import DataType, MilvusClient, MilvusException

import data

DIM = 8
ROWS = 2500


@pytest.fixture(scope="module")
def collection(client, raw, module_fresh):
    """Rows half sealed and half growing, with duplicates of vectors so that scores tie."""
    name = module_fresh("iterated")
    client.create_collection(name, schema=data.plain_schema(DIM, dynamic=True), consistency_level="Strong")
    vectors = data.clustered("iterated", ROWS, DIM, 10)
    vectors[: ROWS // 5] = vectors[0]
    lines = [{"id": n * 3 - 1000, "n": n % 50, "v": vectors[n], "extra": n} for n in range(ROWS)]
    client.insert(name, lines[: ROWS // 2])
    client.flush(name)
    client.insert(name, lines[ROWS // 2 :])
    raw.create_index(name, "v", index_type="HNSW", metric_type="L2", M=8, efConstruction=60)
    client.load_collection(name)
    return name, lines, vectors


def pages(iterator):
    """All pages of an iterator."""
    try:
        while True:
            page = iterator.next()
            if not page:
                return
            yield list(page)
    finally:
        iterator.close()


@pytest.mark.parametrize("batch", [1, 7, 1000, 16384])
def test_query_iterator_gives_every_row_once_in_order(client, collection, batch):
    name, lines, _vectors = collection
    wanted = [one["id"] for one in lines]
    if batch == 1:
        wanted = wanted[:60]
    filter_text = "" if batch != 1 else f"id < {wanted[-1] + 1}"
    found = list(pages(client.query_iterator(name, batch_size=batch, filter=filter_text, output_fields=["extra"])))
    assert all(len(page) == batch for page in found[:-1])
    assert [one["id"] for page in found for one in page] == wanted
    assert all(one["extra"] == (one["id"] + 1000) // 3 for page in found for one in page)


def test_query_iterator_with_filter_and_limit(client, collection):
    name, lines, _vectors = collection
    want = [one["id"] for one in lines if one["n"] == 7 or one["id"] < 0]
    found = pages(client.query_iterator(name, batch_size=13, filter="n == 7 or id < 0", output_fields=["n"]))
    assert [one["id"] for page in found for one in page] == want
    found = pages(client.query_iterator(name, batch_size=13, filter="n == 7 or id < 0", limit=30))
    assert [one["id"] for page in found for one in page] == want[:30]
    found = pages(client.query_iterator(name, batch_size=10, filter="n < 10", offset=25))
    assert [one["id"] for page in found for one in page] == [one["id"] for one in lines if one["n"] < 10][25:]


def test_query_iterator_over_nothing(client, collection):
    name, _lines, _vectors = collection
    assert list(pages(client.query_iterator(name, batch_size=10, filter="n == 12345"))) == []


@pytest.mark.parametrize(("batch", "expression"), [(100, ""), (17, "n < 25"), (1000, "id >= 0")])
def test_search_iterator_gives_every_row_once_nearest_first(client, collection, batch, expression):
    name, lines, vectors = collection
    iterator = client.search_iterator(
        name, [vectors[0].tolist()], batch_size=batch, filter=expression, output_fields=["n"], search_params={}
    )
    assert type(iterator).__name__ == "SearchIteratorV2"
    hits = [hit for page in pages(iterator) for hit in page]
    keep = {"": lambda one: True, "n < 25": lambda one: one["n"] < 25, "id >= 0": lambda one: one["id"] >= 0}
    want = {one["id"] for one in lines if keep[expression](one)}
    got = [hit["id"] for hit in hits]
    assert len(got) == len(set(got)), "a row came twice"
    assert set(got) == want
    distances = [hit["distance"] for hit in hits]
    assert distances == sorted(distances)


def test_search_iterator_with_limit(client, collection):
    name, _lines, vectors = collection
    iterator = client.search_iterator(name, [vectors[-1].tolist()], batch_size=20, limit=50)
    hits = [hit["id"] for page in pages(iterator) for hit in page]
    best = client.search(name, [vectors[-1].tolist()], limit=50, search_params={"params": {"ef": 1000}})[0]
    assert len(hits) == 50
    assert hits[0] == best[0]["id"]


@pytest.mark.parametrize("metric", ["IP", "COSINE"])
def test_search_iterator_by_similarity(client, raw, fresh, metric):
    name = fresh("similar")
    client.create_collection(name, schema=data.plain_schema(DIM), consistency_level="Strong")
    vectors = data.clustered("similar", 400, DIM, 5)
    client.insert(name, [{"id": n, "n": n, "v": vectors[n]} for n in range(400)])
    raw.create_index(name, "v", index_type="FLAT", metric_type=metric)
    client.load_collection(name)
    hits = [hit for page in pages(client.search_iterator(name, [vectors[3].tolist()], batch_size=37)) for hit in page]
    assert sorted(hit["id"] for hit in hits) == list(range(400))
    distances = [hit["distance"] for hit in hits]
    assert distances == sorted(distances, reverse=True)
    want = data.scores(metric, vectors[3:4], vectors)[0]
    assert distances == pytest.approx([want[hit["id"]] for hit in hits], rel=1e-3, abs=1e-3)


@pytest.fixture
def changing(client, raw, fresh):
    """A collection to be written to while it is read: 600 rows."""
    name = fresh("changing")
    client.create_collection(name, schema=data.plain_schema(DIM), consistency_level="Strong")
    vectors = data.clustered("changing", 2000, DIM, 5)
    client.insert(name, [{"id": n, "n": n % 7, "v": vectors[n]} for n in range(600)])
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.load_collection(name)
    return name, vectors


def write_meanwhile(client, name, vectors, turn):
    """Deletes old rows, inserts new ones before, among and after, replaces some, and flushes now and then."""
    client.delete(name, ids=[turn * 20 + n for n in range(5)])
    client.insert(name, [{"id": 1000 + turn, "n": 1, "v": vectors[1000 + turn]}])
    client.insert(name, [{"id": -1 - turn, "n": 1, "v": vectors[1100 + turn]}])
    client.upsert(name, [{"id": 599 - turn * 7, "n": 100, "v": vectors[1200 + turn]}])
    if turn % 5 == 2:
        client.flush(name)


def test_query_iterator_reads_at_its_own_time(client, changing):
    name, vectors = changing
    found = []
    for turn, page in enumerate(pages(client.query_iterator(name, batch_size=40, output_fields=["n"]))):
        found += [(one["id"], one["n"]) for one in page]
        write_meanwhile(client, name, vectors, turn)
    assert found == [(n, n % 7) for n in range(600)]


def test_search_iterator_reads_at_its_own_time(client, changing):
    name, vectors = changing
    found = []
    iterator = client.search_iterator(name, [vectors[5].tolist()], batch_size=40, output_fields=["n"])
    for turn, page in enumerate(pages(iterator)):
        found += [(hit["id"], hit["entity"]["n"]) for hit in page]
        write_meanwhile(client, name, vectors, turn)
        # The first page sets the time: the client asks for it before anything is written.
    assert sorted(found) == [(n, n % 7) for n in range(600)]


def test_an_iterator_ends_when_its_collection_is_another(client, raw, fresh):
    name = fresh("gone")

    def make():
        client.create_collection(name, schema=data.plain_schema(DIM), consistency_level="Strong")
        client.insert(name, [{"id": n, "n": n, "v": [float(n)] * DIM} for n in range(100)])
        raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
        client.load_collection(name)

    make()
    iterator = client.query_iterator(name, batch_size=10, output_fields=["n"])
    assert [one["id"] for one in iterator.next()] == list(range(10))
    client.drop_collection(name)
    make()
    with pytest.raises(MilvusException, match="iterator"):
        for _ in range(100):
            if not iterator.next():
                break


def test_iterators_over_string_keys(client, raw, fresh):
    name = fresh("string_keys")
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.VARCHAR, max_length=20, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=DIM)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    vectors = data.clustered("string keys", 300, DIM, 3)
    keys = [f"k{n:05}" for n in data.rng("string keys").permutation(300)]
    client.insert(name, [{"id": key, "v": vector} for key, vector in zip(keys, vectors, strict=True)])
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.load_collection(name)
    found = [one["id"] for page in pages(client.query_iterator(name, batch_size=16)) for one in page]
    assert found == sorted(keys)
    found = [
        hit["id"] for page in pages(client.search_iterator(name, [vectors[0].tolist()], batch_size=16)) for hit in page
    ]
    assert sorted(found) == sorted(keys)
