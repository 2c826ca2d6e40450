"""Hostile and mistaken writes: each is refused by name, and no row of it is stored."""

import json
import math
import struct
import time

import pytest
from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

import data
from raw_call import int_column, status_of, vector_column
from target import (
    DIM,
    NAN,
    ROWS,
    columns,
    dynamic,
    half_column,
    json_column,
    refused,
    small_column,
    text_column,
    valid,
    without_data,
)

HALF_NAN = struct.pack("<e", NAN) + b"\0" * (4 * DIM - 2)
INSERTS = {
    "field missing": ({"n": None}, 1100, ["n"]),
    "key missing": ({"id": None}, 1100, ["id"]),
    "vector missing": ({"v": None}, 1100, ["v"]),
    "unknown field": ({"more": int_column("more", [1, 2])}, 1700, ["more"]),
    "field twice": ({"more": int_column("n", [1, 2])}, 1100, ["n", "twice"]),
    "too few values": ({"n": int_column("n", [1])}, 1100, ["n", 1, 2]),
    "too many values": ({"n": int_column("n", [1, 2, 3])}, 1100, ["n", 3, 2]),
    "text for a number": ({"n": text_column("n", ["a", "b"])}, 1100, ["n", "Int64", "VarChar"]),
    "text in the slot of numbers": (
        {
            "n": schema_pb2.FieldData(
                type=schema_pb2.Int64,
                field_name="n",
                scalars=schema_pb2.ScalarField(string_data=schema_pb2.StringArray(data=["1", "2"])),
            )
        },
        1100,
        ["n"],
    ),
    "no data": ({"n": without_data("n", schema_pb2.Int64)}, 1100, ["n"]),
    "unknown type": ({"n": without_data("n", 77)}, 1100, ["n", 77]),
    "unserved type": ({"n": without_data("n", schema_pb2.SparseFloatVector)}, 10, ["n", "SparseFloatVector"]),
    "vector in a scalar": ({"n": vector_column("n", DIM, [0.0] * 8)}, 1100, ["n"]),
    "dimension": ({"v": vector_column("v", 3, [0.0] * 6)}, 1100, ["v", 4, 3]),
    "dimension 0": ({"v": vector_column("v", 0, [0.0] * 8)}, 1100, ["v", 4, 0]),
    "dimension negative": ({"v": vector_column("v", -4, [0.0] * 8)}, 1100, ["v", -4]),
    "dimension giant": ({"v": vector_column("v", 2**62, [0.0] * 8)}, 1100, ["v", 2**62]),
    "half a vector": ({"v": vector_column("v", DIM, [0.0] * 7)}, 1100, ["v", 7]),
    "one vector of two": ({"v": vector_column("v", DIM, [0.0] * 4)}, 1100, ["v", 1, 2]),
    "vector with NaN": ({"v": vector_column("v", DIM, [0.0] * 6 + [NAN, 0.0])}, 1100, ["v", "row 1", "NaN"]),
    "vector with infinity": ({"v": vector_column("v", DIM, [math.inf] + [0.0] * 7)}, 1100, ["v", "row 0"]),
    "half vector with NaN": ({"h": half_column("h", DIM, HALF_NAN)}, 1100, ["h", "row 0"]),
    "half vector out of range": (
        {
            "h": schema_pb2.FieldData(
                type=schema_pb2.Float16Vector,
                field_name="h",
                vectors=schema_pb2.VectorField(dim=DIM, float_vector=schema_pb2.FloatArray(data=[1e6] * 8)),
            )
        },
        1100,
        ["h", "row 0"],
    ),
    "odd bytes of a half vector": ({"h": half_column("h", DIM, b"\0" * 15)}, 1100, ["h"]),
    "number too large for its type": ({"tiny": small_column("tiny", [1, 300])}, 1100, ["tiny", 300]),
    "text too long": ({"s": text_column("s", ["a", "12345678901"])}, 1100, ["s", "row 1", 11, 10]),
    "text too long in bytes": ({"s": text_column("s", ["\u00e9" * 6, "b"])}, 1100, ["s", "row 0", 12, 10]),
    "json that is none": ({"j": json_column("j", [b"{}", b"{'a': 1}"])}, 1100, ["j", "row 1"]),
    "json cut short": ({"j": json_column("j", [b"{}", b'{"a": '])}, 1100, ["j", "row 1"]),
    "json not utf-8": ({"j": json_column("j", [b"{}", b'"\xff\xfe"'])}, 1100, ["j"]),
    "json too long": ({"j": json_column("j", [b"{}", json.dumps("x" * 70_000).encode()])}, 1100, ["j", "row 1", 65536]),
    "json too deep": ({"j": json_column("j", [b"{}", b"[" * 30_000 + b"]" * 30_000])}, 1100, ["j", "row 1"]),
    "null where none may be": ({"n": valid(int_column("n", [1]), [True, False])}, 1100, ["n", "row 1"]),
    "null key": ({"id": valid(int_column("id", [1]), [True, False])}, 1100, ["id"]),
    "validity of another length": ({"j": valid(json_column("j", [b"1", b"2"]), [True])}, 1100, ["j", 1, 2]),
    "validity against the data": ({"j": valid(json_column("j", [b"1", b"2"]), [True, False])}, 1100, ["j", 2, 1]),
    "dynamic key": ({"m": dynamic(json_column("$meta", [b"{}", b"{}"]))}, 1100, ["dynamic"]),
}


@pytest.mark.parametrize("rpc", ["Insert", "Upsert"])
@pytest.mark.parametrize("case", INSERTS)
def test_write(target, case, rpc):
    changes, code, words = INSERTS[case]
    kind = milvus_pb2.InsertRequest if rpc == "Insert" else milvus_pb2.UpsertRequest
    request = kind(collection_name=target.name, fields_data=columns(**changes), num_rows=2)
    refused(target.raw.call(rpc, request), code, *words)


WRITES = {
    "no rows": ({"num_rows": 0}, 1100, ["num_rows", 0]),
    "fewer rows than values": ({"num_rows": 1}, 1100, [2, 1]),
    "more rows than values": ({"num_rows": 3}, 1100, [2, 3]),
    "giant rows": ({"num_rows": 2**32 - 1}, 1100, [2**32 - 1]),
    "unknown partition": ({"partition_name": "nopart"}, 200, ["nopart"]),
    "unknown collection": ({"collection_name": "nocoll"}, 100, ["nocoll"]),
    "unknown database": ({"db_name": "nodb"}, 800, ["nodb"]),
    "old schema": ({"schema_timestamp": 5}, 109, []),
    "namespace": ({"namespace": "x"}, 10, ["namespace"]),
}


@pytest.mark.parametrize("case", WRITES)
def test_write_request(target, case):
    changes, code, words = WRITES[case]
    fields = {"collection_name": target.name, "fields_data": columns(), "num_rows": 2} | changes
    refused(target.raw.call("Insert", milvus_pb2.InsertRequest(**fields)), code, *words)


def test_upsert_with_a_key_twice(target):
    twice = columns(id=int_column("id", [5, 5]))
    request = milvus_pb2.UpsertRequest(collection_name=target.name, fields_data=twice, num_rows=2)
    refused(target.raw.call("Upsert", request), 1100, 5, "twice")


def test_keys_that_the_database_makes_may_not_be_sent(raw, client, fresh):
    name = fresh("auto")
    client.create_collection(name, schema=data.plain_schema(DIM, auto_id=True))
    fields = [int_column("id", [1]), int_column("n", [1]), vector_column("v", DIM, [0.0] * DIM)]
    request = milvus_pb2.InsertRequest(collection_name=name, fields_data=fields, num_rows=1)
    refused(raw.call("Insert", request), 1100, "id")
    assert client.get_collection_stats(name)["row_count"] == 0


def quickly(call, *args):
    """The reply of a call that must not take long, since there is nothing to be done for it."""
    begun = time.monotonic()
    reply = call(*args)
    assert time.monotonic() - begun < 5
    return reply


def test_rows_that_consist_of_their_number_alone(raw, client, fresh):
    """Every value of such a row is made by the server, so that no byte of the request bounds how many there are."""
    schema = MilvusClient.create_schema(auto_id=True)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("n", DataType.INT64, nullable=True)
    schema.add_field("s", DataType.VARCHAR, max_length=60_000, default_value="x" * 60_000)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=32_768, nullable=True)
    every = fresh("every")
    client.create_collection(every, schema=schema)
    some = fresh("some")
    client.create_collection(some, schema=data.plain_schema(DIM, auto_id=True))
    for name, code in ((every, 1102), (some, 1100)):
        for count in (2**32 - 1, 2**31, 10_000_000):
            request = milvus_pb2.InsertRequest(collection_name=name, num_rows=count)
            reply = quickly(raw.call, "Insert", request)
            status = status_of(reply)
            assert status.code in (code, 1102), f"{status.code}: {status.reason}"
            assert not status.retriable
        assert client.get_collection_stats(name)["row_count"] == 0


def test_vectors_without_a_value_that_would_fill_the_memory(raw, client, fresh):
    """A byte says that a row has no vector, and the vector that stands for it has 128 KiB."""
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=32_768, nullable=True)
    name = fresh("giant")
    client.create_collection(name, schema=schema)

    def insert(count, *more):
        fields = [int_column("id", range(count)), *more]
        request = milvus_pb2.InsertRequest(collection_name=name, fields_data=fields, num_rows=count)
        return quickly(raw.call, "Insert", request)

    count = 1_000_000
    nulls = valid(vector_column("v", 0, []), [False] * count)
    refused(insert(count, nulls), 1102, "field v", count)
    nulls = valid(vector_column("v", 32_768, [0.5] * 32_768), [True] + [False] * (count - 1))
    refused(insert(count, nulls), 1102, "field v", count)
    refused(insert(count), 1102, "field v", count)
    assert client.get_collection_stats(name)["row_count"] == 0
    assert status_of(insert(3, valid(vector_column("v", 0, []), [False] * 3))).code == 0
    assert client.get_collection_stats(name)["row_count"] == 3


def test_dynamic_values_must_be_objects_beside_the_fields(raw, client, fresh):
    name = fresh("dynamic")
    client.create_collection(name, schema=data.plain_schema(DIM, dynamic=True))
    cases = [
        (b"[1]", "object"),
        (b"5", "object"),
        (b'{"n": 1}', "n"),
        (b"{", "row 0"),
        (b'{"a": ' + b"[" * 20_000, "row 0"),
    ]
    for body, word in cases:
        fields = [
            int_column("id", [1]),
            int_column("n", [1]),
            vector_column("v", DIM, [0.0] * DIM),
            dynamic(json_column("$meta", [body])),
        ]
        request = milvus_pb2.InsertRequest(collection_name=name, fields_data=fields, num_rows=1)
        refused(raw.call("Insert", request), 1100, word)
    assert client.get_collection_stats(name)["row_count"] == 0


def test_delete_without_a_filter(target):
    for text in ("", "   "):
        refused(
            target.raw.call("Delete", milvus_pb2.DeleteRequest(collection_name=target.name, expr=text)), 1100, "filter"
        )
    request = milvus_pb2.DeleteRequest(collection_name=target.name, expr="n == 1", partition_name="nopart")
    refused(target.raw.call("Delete", request), 200, "nopart")


def test_numbers_at_the_ends_of_their_types(target):
    """Extreme but right values are stored and found."""
    ends = [-(2**63), 2**63 - 1]
    fields = columns(id=int_column("id", ends), n=int_column("n", ends), tiny=small_column("tiny", [-128, 127]))
    request = milvus_pb2.InsertRequest(collection_name=target.name, fields_data=fields, num_rows=2)
    assert status_of(target.raw.call("Insert", request)).code == 0
    try:
        for end in ends:
            assert list(target.query(f"id == {end}").fields_data[0].scalars.long_data.data) == [end]
            assert list(target.query(f"n == {end}").fields_data[0].scalars.long_data.data) == [end]
        assert list(target.query("tiny < -1000").fields_data[0].scalars.long_data.data) == []
        assert len(target.query("tiny < 1000", params={"limit": 100}).fields_data[0].scalars.long_data.data) == ROWS + 2
    finally:
        target.client.delete(target.name, ids=ends)
