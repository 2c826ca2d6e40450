"""A small collection that hostile requests are aimed at, and columns of writes to it."""

import struct

from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from raw_call import int_column, pairs, placeholder, status_of, vector_column

DIM = 4
ROWS = 10
LIMIT_MAX = 16384
DEPTH = 100_000
NAN = float("nan")


class Target:
    """A small loaded collection that must look the same after every case."""

    def __init__(self, client, raw, name):
        self.client = client
        self.raw = raw
        self.name = name

    def check(self):
        rows = self.client.query(self.name, filter="id >= 0", output_fields=["n"], consistency_level="Strong")
        found = {one["id"]: one["n"] for one in rows}
        if len(found) > ROWS:
            # So that the fault of one case is not reported by all that follow.
            self.client.delete(self.name, filter=f"id >= {ROWS}")
        assert found == {n: n for n in range(ROWS)}
        assert status_of(self.search()).code == 0

    def search(self, vectors=None, *, fields=None, group=None, nq=None, **changes):
        """A search that is right but for the changes."""
        vectors = [[1.0, 0.0, 0.0, 0.0]] if vectors is None else vectors
        rows = [struct.pack(f"<{len(one)}f", *one) for one in vectors]
        params = {"anns_field": "v", "topk": 3, "metric_type": "L2", "params": {}} | changes.pop("params", {})
        params = {key: value for key, value in params.items() if value is not None}
        request = milvus_pb2.SearchRequest(
            collection_name=self.name,
            placeholder_group=placeholder(rows) if group is None else group,
            nq=len(vectors) if nq is None else nq,
            dsl_type=common_pb2.DslType.BoolExprV1,
            search_params=pairs(**params),
            output_fields=fields or [],
            consistency_level=common_pb2.Strong,
        )
        for key, value in changes.items():
            if isinstance(value, list):
                getattr(request, key).extend(value)
            else:
                setattr(request, key, value)
        return self.raw.call("Search", request)

    def query(self, expr, **changes):
        params = changes.pop("params", {"limit": 10})
        request = milvus_pb2.QueryRequest(
            collection_name=self.name,
            expr=expr,
            output_fields=["id"],
            query_params=pairs(**params),
            consistency_level=common_pb2.Strong,
        )
        for key, value in changes.items():
            if isinstance(value, list):
                del getattr(request, key)[:]
                getattr(request, key).extend(value)
            else:
                setattr(request, key, value)
        return self.raw.call("Query", request)


def make_target(client, raw, name) -> Target:
    """The collection: half of the rows in a segment, half in memory, one graph and one exact index."""
    schema = MilvusClient.create_schema(enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("n", DataType.INT64)
    schema.add_field("tiny", DataType.INT8)
    schema.add_field("s", DataType.VARCHAR, max_length=10)
    schema.add_field("j", DataType.JSON, nullable=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=DIM)
    schema.add_field("h", DataType.FLOAT16_VECTOR, dim=DIM)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    lines = [
        {"id": n, "n": n, "tiny": n, "s": f"s{n}", "j": {"k": n}, "v": [float(n)] * DIM, "h": [float(n)] * DIM}
        for n in range(ROWS)
    ]
    client.insert(name, lines[:5])
    client.flush(name)
    client.insert(name, lines[5:])
    raw.create_index(name, "v", index_type="HNSW", metric_type="L2", M=8, efConstruction=32)
    raw.create_index(name, "h", index_type="FLAT", metric_type="IP")
    client.load_collection(name)
    return Target(client, raw, name)


def refused(reply, code, *words):
    """Checks that a reply is a refusal with that code, and that its message names those words."""
    status = status_of(reply)
    assert status.code == code, f"{status.code}: {status.reason}"
    assert status.error_code != 0
    assert not status.retriable
    assert len(status.reason) < 2000
    for word in words:
        assert str(word) in status.reason, status.reason


def text_column(name, values):
    scalars = schema_pb2.ScalarField(string_data=schema_pb2.StringArray(data=values))
    return schema_pb2.FieldData(type=schema_pb2.VarChar, field_name=name, scalars=scalars)


def json_column(name, values):
    scalars = schema_pb2.ScalarField(json_data=schema_pb2.JSONArray(data=values))
    return schema_pb2.FieldData(type=schema_pb2.JSON, field_name=name, scalars=scalars)


def small_column(name, values, kind=schema_pb2.Int8):
    scalars = schema_pb2.ScalarField(int_data=schema_pb2.IntArray(data=values))
    return schema_pb2.FieldData(type=kind, field_name=name, scalars=scalars)


def half_column(name, dim, body):
    vectors = schema_pb2.VectorField(dim=dim, float16_vector=body)
    return schema_pb2.FieldData(type=schema_pb2.Float16Vector, field_name=name, vectors=vectors)


def columns(**changes):
    """Two right rows, with some columns changed, left out (None) or added."""
    right = {
        "id": int_column("id", [1000, 1001]),
        "n": int_column("n", [1, 2]),
        "tiny": small_column("tiny", [1, 2]),
        "s": text_column("s", ["a", "b"]),
        "j": json_column("j", [b"{}", b"1"]),
        "v": vector_column("v", DIM, [0.0] * (2 * DIM)),
        "h": half_column("h", DIM, b"\0" * (4 * DIM)),
    }
    right |= changes
    return [column for column in right.values() if column is not None]


def valid(column, flags):
    column.valid_data.extend(flags)
    return column


def dynamic(column):
    column.is_dynamic = True
    return column


def without_data(name, kind):
    return schema_pb2.FieldData(type=kind, field_name=name)
