"""Loading: what may be searched, what is told of it, and what is refused before."""

import pytest
from pymilvus import MilvusException
from pymilvus.client.types import LoadState
from pymilvus.grpc_gen import common_pb2, milvus_pb2

import data

DIM = 4


@pytest.fixture
def collection(client, raw, fresh):
    """A collection with an index, two partitions and 20 rows, not loaded."""
    name = fresh("load")
    client.create_collection(name, schema=data.plain_schema(DIM))
    client.create_partition(name, "red")
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    rows = [{"id": n, "n": n, "v": [float(n), 0.0, 0.0, 0.0]} for n in range(20)]
    client.insert(name, rows[:10])
    client.insert(name, rows[10:], partition_name="red")
    return name


def state(client, name, partition=""):
    return client.get_load_state(name, partition_name=partition)["state"]


def test_load_search_release(client, collection):
    assert state(client, collection) == LoadState.NotLoad
    client.load_collection(collection)
    assert state(client, collection) == LoadState.Loaded
    client.load_collection(collection)
    hits = client.search(collection, [[3.0, 0.0, 0.0, 0.0]], limit=1, consistency_level="Strong")
    assert data.ids_of(hits) == [[3]]
    client.refresh_load(collection)
    client.release_collection(collection)
    assert state(client, collection) == LoadState.NotLoad
    client.release_collection(collection)


def test_reads_of_what_is_not_loaded_are_refused(client, collection):
    reads = [
        lambda: client.search(collection, [[0.0] * DIM], limit=1),
        lambda: client.query(collection, filter="n > 0"),
        lambda: client.query(collection, output_fields=["count(*)"]),
        lambda: client.get(collection, [1]),
    ]
    for read in reads:
        with pytest.raises(MilvusException, match=collection) as caught:
            read()
        assert caught.value.code == 101


def test_writes_need_no_load(client, collection):
    assert client.delete(collection, ids=[0, 1])["delete_count"] == 2
    assert client.delete(collection, filter="n == 2")["delete_count"] == 1
    client.upsert(collection, [{"id": 3, "n": 33, "v": [0.0] * DIM}])
    assert client.get_collection_stats(collection)["row_count"] == 17
    client.load_collection(collection)
    assert client.query(collection, ids=[3], output_fields=["n"], consistency_level="Strong")[0]["n"] == 33


def test_load_without_an_index_is_refused_and_says_so(client, fresh):
    name = fresh()
    client.create_collection(name, schema=data.plain_schema(DIM))
    with pytest.raises(MilvusException, match="v") as caught:
        client.load_collection(name)
    assert caught.value.code == 700
    assert state(client, name) == LoadState.NotLoad


def test_partitions_are_loaded_one_by_one(client, raw, collection):
    client.load_partitions(collection, ["red"])
    assert state(client, collection, "red") == LoadState.Loaded
    assert state(client, collection, "_default") == LoadState.NotLoad
    assert raw.count(collection, ("red",)) == 10
    assert raw.count(collection) == 10
    with pytest.raises(MilvusException, match="_default"):
        client.query(collection, filter="n >= 0", partition_names=["_default"])
    client.load_partitions(collection, ["_default"])
    assert raw.count(collection) == 20
    client.release_partitions(collection, ["red"])
    assert raw.count(collection) == 10
    assert state(client, collection, "red") == LoadState.NotLoad
    client.release_partitions(collection, ["_default"])
    assert state(client, collection) == LoadState.NotLoad


def test_states_of_what_does_not_exist(client, raw, collection):
    assert state(client, "no_such_collection") == LoadState.NotExist
    assert state(client, collection, "no_such") == LoadState.NotExist
    with pytest.raises(MilvusException, match="no_such") as caught:
        client.load_partitions(collection, ["no_such"])
    assert caught.value.code == 200
    with pytest.raises(MilvusException, match="no_such_collection") as caught:
        client.load_collection("no_such_collection")
    assert caught.value.code == 100


def test_progress(raw, client, collection):
    ask = milvus_pb2.GetLoadingProgressRequest(collection_name=collection)
    reply = raw.call("GetLoadingProgress", ask)
    assert reply.status.code == 101 or reply.progress == 0
    client.load_collection(collection)
    reply = raw.must("GetLoadingProgress", ask)
    assert (reply.progress, reply.refresh_progress) == (100, 100)
    shown = raw.must("ShowCollections", milvus_pb2.ShowCollectionsRequest(type=milvus_pb2.ShowType.InMemory))
    assert collection in shown.collection_names
    parts = raw.must("ShowPartitions", milvus_pb2.ShowPartitionsRequest(collection_name=collection))
    assert set(parts.partition_names) == {"_default", "red"}


def test_rows_inserted_after_the_load_are_found(client, collection):
    client.load_collection(collection)
    client.insert(collection, [{"id": 100, "n": 100, "v": [50.0, 0.0, 0.0, 0.0]}])
    hits = client.search(collection, [[50.0, 0.0, 0.0, 0.0]], limit=1, consistency_level="Strong")[0]
    assert (hits[0]["id"], hits[0]["distance"]) == (100, 0.0)


@pytest.mark.parametrize("feature", ["load_fields", "skip_load_dynamic_field"])
def test_partial_loads_are_refused_by_name_or_hold_everything(raw, collection, feature):
    request = milvus_pb2.LoadCollectionRequest(collection_name=collection)
    if feature == "load_fields":
        request.load_fields.extend(["id", "v"])
    else:
        request.skip_load_dynamic_field = True
    status = raw.call("LoadCollection", request)
    assert isinstance(status, common_pb2.Status)
    if status.code != 0:
        assert feature in status.reason
    else:
        assert raw.count(collection) == 20
