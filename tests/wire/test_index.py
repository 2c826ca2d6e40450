"""Indexes: parameters in both spellings, defaults, what is described, what is refused."""

import json

import pytest
from pymilvus import DataType, MilvusClient, MilvusException
from pymilvus.grpc_gen import common_pb2, milvus_pb2

import data
from raw_call import pairs, status_of

DIM = 8


@pytest.fixture
def collection(client, fresh):
    """A collection with 200 rows and no index."""
    name = fresh("index")
    client.create_collection(name, schema=data.plain_schema(DIM))
    vectors = data.clustered("index", 200, DIM, 4)
    client.insert(name, [{"id": n, "n": n, "v": vectors[n].tolist()} for n in range(200)])
    return name


def make(client, name, field="v", index_name="", **params):
    index = MilvusClient.prepare_index_params()
    index.add_index(field_name=field, index_name=index_name, **params)
    client.create_index(name, index)


def create(raw, name, field="v", index_name="", **params):
    request = milvus_pb2.CreateIndexRequest(
        collection_name=name, field_name=field, index_name=index_name, extra_params=pairs(**params)
    )
    return status_of(raw.call("CreateIndex", request))


def test_flat_parameters_as_the_client_sends_them(client, collection):
    make(client, collection, index_type="HNSW", metric_type="L2", M=8, efConstruction=40)
    assert client.list_indexes(collection) == ["v"]
    told = client.describe_index(collection, "v")
    assert told["index_type"] == "HNSW"
    assert told["metric_type"] == "L2"
    assert told["M"] == "8"
    assert told["efConstruction"] == "40"
    assert told["field_name"] == "v"
    assert told["state"] == "Finished"
    assert (told["total_rows"], told["indexed_rows"], told["pending_index_rows"]) == (200, 200, 0)


def test_nested_parameters_as_older_clients_send_them(client, raw, collection):
    nested = {"M": 12, "efConstruction": 50}
    assert create(raw, collection, index_type="HNSW", metric_type="IP", params=nested).code == 0
    raw.wait_for_index(collection, "v")
    told = client.describe_index(collection, "v")
    assert told["metric_type"] == "IP"
    assert told["M"] == "12"
    assert {key: str(value) for key, value in told["params"].items()} == {"M": "12", "efConstruction": "50"}
    # The same, spelled the other way, is the same index.
    assert create(raw, collection, index_type="HNSW", metric_type="IP", M=12, efConstruction=50).code == 0
    assert client.list_indexes(collection) == ["v"]


def test_without_a_type_it_is_autoindex_with_cosine(client, collection):
    make(client, collection)
    told = client.describe_index(collection, "v")
    assert told["index_type"] == "AUTOINDEX"
    assert told["metric_type"] == "COSINE"
    client.load_collection(collection)
    hits = client.search(collection, data.clustered("index", 1, DIM, 4).tolist(), limit=3, consistency_level="Strong")
    assert len(hits[0]) == 3


def test_index_names_are_kept_and_found(client, raw, collection):
    make(client, collection, index_name="my_index", index_type="FLAT", metric_type="L2")
    assert client.list_indexes(collection) == ["my_index"]
    by_name = client.describe_index(collection, "my_index")
    assert by_name["index_name"] == "my_index"
    assert client.describe_index(collection, "v") == by_name
    assert client.describe_index(collection, "nobody") is None
    reply = raw.call("DescribeIndex", milvus_pb2.DescribeIndexRequest(collection_name=collection, index_name="nobody"))
    assert reply.status.code == 700 and reply.status.error_code == common_pb2.IndexNotExist
    assert "nobody" in reply.status.reason


def test_the_same_again_is_no_error_and_another_is(client, raw, collection):
    make(client, collection, index_type="FLAT", metric_type="L2")
    make(client, collection, index_type="FLAT", metric_type="L2")
    for other in ({"metric_type": "IP"}, {"index_type": "HNSW"}, {"index_name": "second"}):
        params = {"index_type": "FLAT", "metric_type": "L2", **other}
        status = create(raw, collection, **params)
        assert status.code == 702, other
        assert status.error_code != 0
        assert "v" in status.reason
    assert client.list_indexes(collection) == ["v"]


def test_rows_that_come_later_are_indexed_too(client, raw, collection):
    raw.create_index(collection, "v", index_type="HNSW", metric_type="L2", M=8, efConstruction=40)
    vectors = data.clustered("index later", 300, DIM, 4)
    client.insert(collection, [{"id": 1000 + n, "n": n, "v": vectors[n].tolist()} for n in range(300)])
    client.flush(collection)
    raw.wait_for_index(collection, "v")
    told = client.describe_index(collection, "v")
    assert (told["total_rows"], told["indexed_rows"], told["state"]) == (500, 500, "Finished")
    client.load_collection(collection)
    hits = client.search(collection, vectors[:20].tolist(), limit=1, consistency_level="Strong")
    assert data.ids_of(hits) == [[1000 + n] for n in range(20)]


GRAPHS = {
    "HNSW": ({"M": 8, "efConstruction": 60}, {"ef": 50}),
    "HNSW for a recall": ({"M": 8}, {"recall": 0.95}),
    "HNSW_SQ": ({"sq_type": "SQ6", "refine": True, "refine_type": "FP16"}, {"ef": 50, "refine_k": 2}),
    "HNSW_PQ": ({"m": 4, "nbits": 6}, {"ef": 50, "refine_k": 4}),
    "HNSW_PRQ": ({"m": 2, "nrq": 2, "nbits": 6}, {"ef": 50, "refine_k": 4}),
    "DISKANN": ({}, {"search_list": 50}),
    "AISAQ": ({"max_degree": 24, "inline_pq": 12}, {"search_list": 50, "vectors_beamwidth": 4}),
    "AUTOINDEX": ({}, {"recall": 0.95}),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_every_kind_of_graph_finds_rows_by_themselves(client, raw, fresh, case):
    build, search = GRAPHS[case]
    kind, name, rows = case.split()[0], fresh("graph"), 1500
    client.create_collection(name, schema=data.plain_schema(DIM))
    vectors = data.clustered("graph", rows, DIM, 12)
    client.insert(name, [{"id": n, "n": n, "v": vectors[n].tolist()} for n in range(rows)])
    client.flush(name)
    raw.create_index(name, "v", index_type=kind, metric_type="L2", **build)
    told = client.describe_index(name, "v")
    assert (told["index_type"], told["state"], told["indexed_rows"]) == (kind, "Finished", rows)
    client.load_collection(name)
    hits = client.search(name, vectors[:40].tolist(), limit=5, search_params={"params": search})
    assert sum(found[0]["id"] == n and found[0]["distance"] == 0.0 for n, found in enumerate(hits)) >= 39
    assert all(len(found) == 5 for found in hits)
    hits = client.search(name, vectors[:40].tolist(), limit=5, filter="n >= 700", search_params={"params": search})
    assert all(len(found) == 5 and min(one["id"] for one in found) >= 700 for found in hits)


def test_drop_needs_release(client, raw, collection):
    raw.create_index(collection, "v", index_type="FLAT", metric_type="L2")
    client.load_collection(collection)
    with pytest.raises(MilvusException, match="release"):
        client.drop_index(collection, "v")
    client.release_collection(collection)
    client.drop_index(collection, "v")
    assert client.list_indexes(collection) == []
    assert client.describe_index(collection, "v") is None
    client.drop_index(collection, "v")
    make(client, collection, index_type="HNSW", metric_type="COSINE", M=4, efConstruction=16)
    assert client.describe_index(collection, "v")["metric_type"] == "COSINE"


@pytest.fixture
def scalars(client, fresh):
    """A collection with a field of every scalar type and 20 rows, without an index."""
    schema = data.plain_schema(DIM)
    for name, kind, params, _ in data.SCALARS:
        schema.add_field(name, kind, **params)
    schema.add_field("j", DataType.JSON)
    name = fresh("scalar_index")
    client.create_collection(name, schema=schema)
    values = {"b": True, "i8": 1, "i16": 2, "i32": 3, "i64": 4, "f": 0.5, "d": 0.25, "s": "x", "j": {"a": 1}}
    client.insert(name, [{"id": n, "n": n, "v": [float(n)] * DIM} | values for n in range(20)])
    return name


SCALAR_INDEXES = [
    ("n", None),
    ("n", "AUTOINDEX"),
    ("j", "AUTOINDEX"),
    ("id", "INVERTED"),
    ("b", "INVERTED"),
    ("f", "INVERTED"),
    ("s", "INVERTED"),
    ("i8", "STL_SORT"),
    ("d", "STL_SORT"),
    ("s", "STL_SORT"),
    ("b", "BITMAP"),
    ("i64", "BITMAP"),
    ("s", "BITMAP"),
    ("s", "TRIE"),
    ("s", "Trie"),
]


@pytest.mark.parametrize(("field", "index_type"), SCALAR_INDEXES)
def test_indexes_of_scalar_fields_are_described_as_given(client, raw, scalars, field, index_type):
    """Filters scan columns: such an index changes no answer, and it is there at once."""
    make(client, scalars, field=field, **({"index_type": index_type} if index_type else {}))
    told = client.describe_index(scalars, field)
    assert told["index_type"] == (index_type or "AUTOINDEX")
    assert (told["field_name"], told["state"]) == (field, "Finished")
    assert (told["total_rows"], told["indexed_rows"], told["pending_index_rows"]) == (20, 20, 0)
    client.flush(scalars)
    assert client.describe_index(scalars, field)["state"] == "Finished"
    raw.create_index(scalars, "v", index_type="FLAT", metric_type="L2")
    client.load_collection(scalars)
    found = client.query(scalars, filter="n >= 10 and b and s == 'x'", output_fields=["id"], consistency_level="Strong")
    assert sorted(one["id"] for one in found) == list(range(10, 20))


SCALAR_REFUSED = {
    "bitmap of fractions": ("f", {"index_type": "BITMAP"}, 1100, ["BITMAP", "f", "Float"]),
    "bitmap of long fractions": ("d", {"index_type": "BITMAP"}, 1100, ["BITMAP", "d", "Double"]),
    "bitmap of keys": ("id", {"index_type": "BITMAP"}, 1100, ["BITMAP", "id"]),
    "trie of numbers": ("i32", {"index_type": "TRIE"}, 1100, ["TRIE", "i32", "Int32"]),
    "sort of JSON": ("j", {"index_type": "STL_SORT"}, 1100, ["STL_SORT", "j", "JSON"]),
    "sort of flags": ("b", {"index_type": "STL_SORT"}, 1100, ["STL_SORT", "b", "Bool"]),
    "path into JSON": ("j", {"index_type": "AUTOINDEX", "json_path": "j['a']"}, 1100, ["json_path", "j"]),
    "cast of JSON": ("j", {"index_type": "AUTOINDEX", "json_cast_type": "double"}, 1100, ["json_cast_type", "j"]),
    "unknown parameter": ("n", {"index_type": "INVERTED", "wat": 1}, 1100, ["wat", "n"]),
    "unknown type": ("n", {"index_type": "NO_SUCH"}, 10, ["NO_SUCH", "n"]),
    "type of vectors": ("n", {"index_type": "HNSW"}, 10, ["HNSW", "n"]),
    "scalar type on a vector": ("v", {"index_type": "INVERTED", "metric_type": "L2"}, 10, ["INVERTED"]),
}


@pytest.mark.parametrize("case", SCALAR_REFUSED)
def test_indexes_that_do_not_fit_a_scalar_field_are_refused_by_name(client, raw, scalars, case):
    field, params, code, words = SCALAR_REFUSED[case]
    status = create(raw, scalars, field=field, **params)
    assert status.code == code, status.reason
    for word in words:
        assert word in status.reason, status.reason
    assert client.list_indexes(scalars) == []


REFUSED = {
    "unknown type": ({"index_type": "NO_SUCH"}, 10, "NO_SUCH"),
    "type of Milvus": ({"index_type": "IVF_FLAT", "nlist": 8}, 10, "IVF_FLAT"),
    "unknown metric": ({"index_type": "FLAT", "metric_type": "NO_METRIC"}, 1100, "NO_METRIC"),
    "metric of binary vectors": ({"index_type": "FLAT", "metric_type": "HAMMING"}, 1100, "HAMMING"),
    "unknown parameter": ({"index_type": "HNSW", "metric_type": "L2", "nlist": 8}, 1100, "nlist"),
    "unknown nested parameter": ({"index_type": "HNSW", "metric_type": "L2", "params": {"wat": 8}}, 1100, "wat"),
    "M too small": ({"index_type": "HNSW", "metric_type": "L2", "M": 1}, 1100, "M"),
    "M too large": ({"index_type": "HNSW", "metric_type": "L2", "M": 4096}, 1100, "4096"),
    "M no number": ({"index_type": "HNSW", "metric_type": "L2", "M": "many"}, 1100, "many"),
    "efConstruction 0": ({"index_type": "HNSW", "metric_type": "L2", "efConstruction": 0}, 1100, "efConstruction"),
    "twice": ({"index_type": "HNSW", "metric_type": "L2", "M": 8, "params": {"M": 9}}, 1100, "M"),
    "parts that do not divide": ({"index_type": "HNSW_PQ", "metric_type": "L2", "m": 3}, 1100, "m"),
    "refined by less": ({"index_type": "HNSW_SQ", "metric_type": "L2", "refine_type": "SQ6"}, 1100, "refine_type"),
    "params no object": ({"index_type": "HNSW", "metric_type": "L2", "params": [1, 2]}, 1100, "params"),
    "params no json": ({"index_type": "HNSW", "metric_type": "L2", "params": "{"}, 1100, "params"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_parameters_are_refused_by_name(raw, client, collection, case):
    params, code, word = REFUSED[case]
    status = create(raw, collection, **params)
    assert word in status.reason, status.reason
    assert status.code == code, status.reason
    assert client.list_indexes(collection) == []


def test_unknown_fields_and_collections_are_named(raw, collection):
    status = create(raw, collection, field="nofield", index_type="FLAT")
    assert status.code == 1700 and "nofield" in status.reason
    status = create(raw, "no_such_collection", index_type="FLAT")
    assert status.code == 100 and "no_such_collection" in status.reason


def test_progress_calls_agree(client, raw, collection):
    raw.create_index(collection, "v", index_type="FLAT", metric_type="L2")
    state = raw.must("GetIndexState", milvus_pb2.GetIndexStateRequest(collection_name=collection, field_name="v"))
    assert state.state == common_pb2.Finished
    ask = milvus_pb2.GetIndexBuildProgressRequest(collection_name=collection, field_name="v")
    progress = raw.must("GetIndexBuildProgress", ask)
    assert (progress.indexed_rows, progress.total_rows) == (200, 200)
    ask = milvus_pb2.GetIndexStatisticsRequest(collection_name=collection)
    told = raw.must("GetIndexStatistics", ask).index_descriptions
    assert [(one.index_name, one.total_rows) for one in told] == [("v", 200)]
    assert json.loads(json.dumps(client.describe_index(collection, "v")))["index_type"] == "FLAT"
