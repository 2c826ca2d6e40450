"""Collections: what is asked for is what is described; names, aliases, partitions, properties and their limits."""

import pytest
from pymilvus import DataType, MilvusClient, MilvusException
from pymilvus.client.types import LoadState
from pymilvus.grpc_gen import common_pb2, milvus_pb2

import data
from raw_call import status_of


def fields_of(client, name):
    return {field["name"]: field for field in client.describe_collection(name)["fields"]}


def test_every_type_is_described_as_it_was_made(client, fresh):
    name = fresh()
    schema = data.full_schema(6, 10)
    client.create_collection(name, schema=schema, consistency_level="Session", properties={"mark": "of the maker"})
    described = client.describe_collection(name)
    assert described["collection_name"] == name
    assert described["description"] == "every type"
    assert described["consistency_level_name"] == "Session"
    assert described["enable_dynamic_field"] is True
    assert described["properties"]["mark"] == "of the maker"
    assert described["num_partitions"] == 1
    assert described["num_shards"] == 1
    assert described["aliases"] == []
    assert described["created_timestamp"] > 0
    got = {field["name"]: field for field in described["fields"]}
    assert list(got) == [field.name for field in schema.fields]
    ids = [field["field_id"] for field in described["fields"]]
    assert len(set(ids)) == len(ids) and min(ids) >= 100
    for field in schema.fields:
        one = got[field.name]
        assert one["type"] == field.dtype, field.name
        assert bool(one.get("nullable", False)) == bool(field.nullable), field.name
        assert one.get("description", "") == field.description
        for key, value in field.params.items():
            assert one["params"][key] == value, (field.name, key)
    assert got["id"]["is_primary"] is True


def test_defaults_are_described(raw, client, fresh):
    name = fresh()
    client.create_collection(name, schema=data.full_schema(4, 4))
    reply = raw.must("DescribeCollection", milvus_pb2.DescribeCollectionRequest(collection_name=name))
    told = {field.name: field for field in reply.schema.fields}
    for field, kind, _params, default in data.SCALARS:
        value = told[f"{field}_default"].default_value
        slot = value.WhichOneof("data")
        got = getattr(value, slot)
        assert got == (pytest.approx(default) if kind == DataType.FLOAT else default), field
        assert told[field].default_value.WhichOneof("data") is None
    assert "$meta" not in told


def test_fast_create_makes_indexes_and_loads(client, fresh):
    name = fresh()
    client.create_collection(name, dimension=8)
    described = client.describe_collection(name)
    assert [field["name"] for field in described["fields"]] == ["id", "vector"]
    assert described["enable_dynamic_field"] is True
    assert client.get_load_state(name)["state"] == LoadState.Loaded
    index = client.describe_index(name, client.list_indexes(name)[0])
    assert index["index_type"] == "AUTOINDEX"
    assert index["metric_type"] == "COSINE"
    client.insert(name, [{"id": 1, "vector": [1.0] * 8, "colour": "red"}])
    assert list(client.query(name, ids=[1], output_fields=["colour"])) == [{"id": 1, "colour": "red"}]


def test_fast_create_with_string_keys_and_auto_id(client, fresh):
    name = fresh()
    client.create_collection(name, dimension=4, id_type="string", max_length=32, auto_id=True, metric_type="L2")
    result = client.insert(name, [{"vector": [0.0, 0.0, 0.0, 1.0]}, {"vector": [1.0, 0.0, 0.0, 0.0]}])
    assert result["insert_count"] == 2
    assert all(isinstance(key, str) for key in result["ids"]) and len(set(result["ids"])) == 2
    hits = client.search(name, [[1.0, 0.0, 0.0, 0.0]], limit=2, consistency_level="Strong")[0]
    assert [hit["id"] for hit in hits] == result["ids"][::-1]
    assert [hit["distance"] for hit in hits] == [0.0, 2.0]


def test_has_list_rename_drop(client, fresh):
    one, other = fresh(), fresh()
    assert not client.has_collection(one)
    client.create_collection(one, schema=data.plain_schema(4))
    assert client.has_collection(one)
    assert one in client.list_collections()
    client.rename_collection(one, other)
    assert not client.has_collection(one)
    assert client.has_collection(other)
    assert other in client.list_collections()
    client.drop_collection(other)
    assert not client.has_collection(other)
    client.drop_collection(other)
    with pytest.raises(MilvusException, match=other) as caught:
        client.describe_collection(other)
    assert caught.value.code == 100


def test_the_same_schema_again_is_no_error_and_another_one_is(client, fresh):
    name = fresh()
    client.create_collection(name, schema=data.plain_schema(4))
    before = client.describe_collection(name)["collection_id"]
    client.create_collection(name, schema=data.plain_schema(4))
    assert client.describe_collection(name)["collection_id"] == before
    with pytest.raises(MilvusException, match=name):
        client.create_collection(name, schema=data.plain_schema(5))


def test_rename_to_a_taken_name_is_refused(client, fresh):
    one, other = fresh(), fresh()
    client.create_collection(one, schema=data.plain_schema(4))
    client.create_collection(other, schema=data.plain_schema(4))
    with pytest.raises(MilvusException, match=other):
        client.rename_collection(one, other)
    with pytest.raises(MilvusException, match="no_such") as caught:
        client.rename_collection("no_such", "whatever")
    assert caught.value.code == 100


def test_truncate_empties_and_keeps_everything_else(client, raw, fresh):
    name = fresh()
    client.create_collection(name, schema=data.plain_schema(4), properties={"mark": "1"})
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.create_partition(name, "part")
    client.load_collection(name)
    rows = [{"id": n, "n": n, "v": [n, 0.0, 0.0, 1.0]} for n in range(100)]
    client.insert(name, rows[:60])
    client.flush(name)
    client.insert(name, rows[60:], partition_name="part")
    assert raw.count(name) == 100
    client.truncate_collection(name)
    assert raw.count(name) == 0
    assert client.get_collection_stats(name)["row_count"] == 0
    assert set(client.list_partitions(name)) == {"_default", "part"}
    assert client.list_indexes(name) == ["v"]
    assert client.describe_collection(name)["properties"]["mark"] == "1"
    client.insert(name, rows[:3])
    assert raw.count(name) == 3
    hits = client.search(name, [[1.0, 0.0, 0.0, 1.0]], limit=5, consistency_level="Strong")[0]
    assert [hit["id"] for hit in hits][:1] == [1] and len(hits) == 3


def test_properties_are_set_altered_and_dropped(client, fresh):
    name = fresh()
    client.create_collection(name, schema=data.plain_schema(4))
    client.alter_collection_properties(name, {"mmap.enabled": True, "mark": "first"})
    assert client.describe_collection(name)["properties"]["mark"] == "first"
    client.alter_collection_properties(name, {"mark": "second"})
    told = client.describe_collection(name)["properties"]
    assert told["mark"] == "second" and told["mmap.enabled"] == "True"
    client.drop_collection_properties(name, ["mark"])
    assert "mark" not in client.describe_collection(name)["properties"]


def test_aliases_stand_for_a_collection(client, raw, fresh):
    one, other = fresh(), fresh()
    client.create_collection(one, schema=data.plain_schema(4))
    client.create_collection(other, schema=data.plain_schema(4))
    client.create_alias(one, "alias_a")
    client.create_alias(one, "alias_b")
    assert sorted(client.list_aliases(one)["aliases"]) == ["alias_a", "alias_b"]
    assert client.list_aliases(one)["db_name"] == "default"
    told = client.describe_alias("alias_a")
    assert (told["collection_name"], told["db_name"], told["alias"]) == (one, "default", "alias_a")
    flushed = raw.must("Flush", milvus_pb2.FlushRequest(collection_names=[one]))
    assert flushed.db_name == "default"
    assert sorted(client.describe_collection(one)["aliases"]) == ["alias_a", "alias_b"]
    assert client.describe_collection("alias_a")["collection_id"] == client.describe_collection(one)["collection_id"]
    client.insert("alias_a", [{"id": 1, "n": 1, "v": [1.0] * 4}])
    assert client.get_collection_stats(one)["row_count"] == 1
    client.alter_alias(other, "alias_a")
    assert client.get_collection_stats("alias_a")["row_count"] == 0
    with pytest.raises(MilvusException, match="alias_b"):
        client.create_alias(other, "alias_b")
    with pytest.raises(MilvusException, match=other):
        client.create_alias(one, other)
    with pytest.raises(MilvusException, match="alias_b"):
        client.drop_collection("alias_b")
    with pytest.raises(MilvusException, match="nobody") as caught:
        client.describe_alias("nobody")
    assert caught.value.code == 1600
    with pytest.raises(MilvusException, match="nobody") as caught:
        client.alter_alias(one, "nobody")
    assert caught.value.code == 1600
    client.drop_alias("alias_b")
    assert client.list_aliases(one)["aliases"] == []
    client.drop_collection(other)
    assert not client.has_collection("alias_a")
    client.create_alias(one, "alias_a")
    client.drop_collection(one)


def test_partitions_hold_their_rows_apart(client, raw, fresh):
    name = fresh()
    client.create_collection(name, schema=data.plain_schema(4))
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.create_partition(name, "red")
    client.create_partition(name, "red")
    client.create_partition(name, "blue")
    assert set(client.list_partitions(name)) == {"_default", "red", "blue"}
    assert client.has_partition(name, "red") and not client.has_partition(name, "green")
    assert client.describe_collection(name)["num_partitions"] == 3
    client.load_collection(name)
    for start, part in [(0, "red"), (10, "blue"), (20, "")]:
        rows = [{"id": n, "n": n, "v": [float(n), 0.0, 0.0, 0.0]} for n in range(start, start + 10)]
        client.insert(name, rows, partition_name=part)
    assert client.get_partition_stats(name, "red")["row_count"] == 10
    assert raw.count(name, ("red", "blue")) == 20
    found = client.query(name, filter="n >= 0", partition_names=["blue"], consistency_level="Strong")
    assert [row["id"] for row in found] == list(range(10, 20))
    hits = client.search(name, [[0.0] * 4], limit=100, partition_names=["blue"], consistency_level="Strong")[0]
    assert sorted(hit["id"] for hit in hits) == list(range(10, 20))
    assert client.delete(name, filter="n >= 0", partition_name="red")["delete_count"] == 10
    assert raw.count(name) == 20
    client.release_collection(name)
    client.drop_partition(name, "blue")
    client.load_collection(name)
    assert raw.count(name) == 10
    assert client.get_collection_stats(name)["row_count"] == 10
    with pytest.raises(MilvusException, match="blue") as caught:
        client.insert(name, [{"id": 1, "n": 1, "v": [0.0] * 4}], partition_name="blue")
    assert caught.value.code == 200
    with pytest.raises(MilvusException, match="default"):
        client.drop_partition(name, "_default")


def test_a_loaded_partition_is_not_dropped(client, raw, fresh):
    name = fresh()
    client.create_collection(name, schema=data.plain_schema(4))
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.create_partition(name, "red")
    client.load_collection(name)
    with pytest.raises(MilvusException, match="red"):
        client.drop_partition(name, "red")
    assert client.has_partition(name, "red")


BAD_NAMES = ["1first", "with-dash", "with space", "dot.ted", "$meta", 'quo"te', "a" * 256, "\u00e9clair", "semi;colon"]


@pytest.mark.parametrize("bad", BAD_NAMES)
def test_bad_names_are_refused_by_name(client, raw, fresh, bad):
    shown = bad if len(bad) < 200 else bad[:50]
    good = fresh()
    client.create_collection(good, schema=data.plain_schema(4))
    body = data.plain_schema(4)
    create = milvus_pb2.CreateCollectionRequest(
        collection_name=bad, schema=data.wire_schema(bad, body), consistency_level=common_pb2.Strong
    )
    calls = [
        ("CreateCollection", create),
        ("CreateDatabase", milvus_pb2.CreateDatabaseRequest(db_name=bad)),
        ("CreatePartition", milvus_pb2.CreatePartitionRequest(collection_name=good, partition_name=bad)),
        ("CreateAlias", milvus_pb2.CreateAliasRequest(collection_name=good, alias=bad)),
        ("RenameCollection", milvus_pb2.RenameCollectionRequest(oldName=good, newName=bad)),
        ("CreateIndex", milvus_pb2.CreateIndexRequest(collection_name=good, field_name="v", index_name=bad)),
    ]
    for rpc, request in calls:
        status = status_of(raw.call(rpc, request))
        assert status.code != 0, rpc
        assert status.error_code != 0, rpc
        escaped = shown.encode("unicode_escape").decode()
        assert any(text in status.reason for text in (shown, escaped, shown.replace('"', '\\"'))), (rpc, status.reason)
    assert client.has_collection(good)


@pytest.mark.parametrize("bad", ["1first", "with-dash", "", "a" * 256])
def test_bad_field_names_are_refused(raw, fresh, bad):
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=4)
    wire = data.schema_message("x", schema)
    wire.fields[1].name = bad
    name = fresh()
    request = milvus_pb2.CreateCollectionRequest(collection_name=name, schema=wire.SerializeToString())
    status = status_of(raw.call("CreateCollection", request))
    assert status.code == 105
    assert bad[:50] in status.reason


def edited(edit):
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("s", DataType.VARCHAR, max_length=10)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=4)
    message = data.schema_message("x", schema)
    edit(message)
    return message.SerializeToString()


def set_param(field, key, value):
    def edit(message):
        for pair in message.fields[field].type_params:
            if pair.key == key:
                pair.value = value

    return edit


def drop_fields(*keep):
    def edit(message):
        kept = [message.fields[position] for position in keep]
        copies = [type(field).FromString(field.SerializeToString()) for field in kept]
        del message.fields[:]
        message.fields.extend(copies)

    return edit


def many_fields(message):
    for number in range(70):
        message.fields.add(name=f"more_{number}", data_type=5)


def twin(message):
    message.fields.add(name="s", data_type=5)


def two_keys(message):
    message.fields[1].is_primary_key = True


def nullable_key(message):
    message.fields[0].nullable = True


def float_key(message):
    message.fields[0].data_type = 10


def many_vectors(message):
    for number in range(20):
        field = message.fields.add(name=f"v{number}", data_type=101)
        field.type_params.add(key="dim", value="4")


def wrong_default(message):
    message.fields[1].default_value.long_data = 7


def long_default(message):
    message.fields[1].default_value.string_data = "longer than ten bytes"


def unknown_type(message):
    message.fields[1].data_type = 77


def array_type(message):
    message.fields[1].data_type = 22


def partition_key(message):
    message.fields[1].is_partition_key = True


def with_function(message):
    message.functions.add(name="bm", type=1)


BAD_SCHEMAS = {
    "dim 1": (set_param(2, "dim", "1"), 105, ["v", "1"]),
    "dim 40000": (set_param(2, "dim", "40000"), 105, ["v", "40000"]),
    "dim no number": (set_param(2, "dim", "many"), 1100, ["v", "dim", "many"]),
    "max_length 0": (set_param(1, "max_length", "0"), 105, ["s"]),
    "max_length 70000": (set_param(1, "max_length", "70000"), 105, ["s", "70000"]),
    "no key": (drop_fields(1, 2), 105, ["primary"]),
    "two keys": (two_keys, 105, ["primary"]),
    "nullable key": (nullable_key, 105, ["id"]),
    "float key": (float_key, 105, ["id"]),
    "no vector": (drop_fields(0, 1), 105, ["vector"]),
    "many vectors": (many_vectors, 105, ["vector", "21"]),
    "many fields": (many_fields, 105, ["73", "64"]),
    "twin": (twin, 105, ["s"]),
    "wrong default": (wrong_default, 105, ["s", "default"]),
    "long default": (long_default, 105, ["s", "default"]),
    "unknown type": (unknown_type, 1100, ["s", "77"]),
    "array": (array_type, 10, ["s", "Array"]),
    "partition key": (partition_key, 10, ["s", "partition key"]),
    "function": (with_function, 10, ["function"]),
}


@pytest.mark.parametrize("case", BAD_SCHEMAS)
def test_bad_schemas_are_refused_by_name(raw, fresh, case):
    edit, code, words = BAD_SCHEMAS[case]
    request = milvus_pb2.CreateCollectionRequest(collection_name=fresh(), schema=edited(edit))
    status = status_of(raw.call("CreateCollection", request))
    assert status.code == code, status.reason
    for word in words:
        assert word in status.reason, status.reason


def test_batch_describe_and_show_tell_the_same(client, raw, fresh):
    names = [fresh(), fresh()]
    for name in names:
        client.create_collection(name, schema=data.plain_schema(4))
    reply = raw.must("BatchDescribeCollection", milvus_pb2.BatchDescribeCollectionRequest(collection_name=names))
    assert [one.collection_name for one in reply.responses] == names
    shown = raw.must("ShowCollections", milvus_pb2.ShowCollectionsRequest())
    told = dict(zip(shown.collection_names, shown.collection_ids, strict=True))
    assert [told[name] for name in names] == [one.collectionID for one in reply.responses]
    by_id = milvus_pb2.DescribeCollectionRequest(collectionID=told[names[0]])
    assert raw.must("DescribeCollection", by_id).collection_name == names[0]
    has = raw.must("HasCollection", milvus_pb2.HasCollectionRequest(collection_name=names[0]))
    assert has.value
    assert not raw.must("HasCollection", milvus_pb2.HasCollectionRequest(collection_name="no_such")).value
