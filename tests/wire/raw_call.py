"""Calls below the client: any request as it is, with the status as it came."""

import json
import time

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

SERVICE = "/milvus.proto.milvus.MilvusService/"
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
INDEX_SECONDS = 600


def pairs(**values) -> list[common_pb2.KeyValuePair]:
    """Key-value pairs as requests carry them; objects become JSON."""

    def text(value) -> str:
        return json.dumps(value) if isinstance(value, (dict, list)) else str(value)

    return [common_pb2.KeyValuePair(key=key, value=text(value)) for key, value in values.items()]


def status_of(reply) -> common_pb2.Status:
    """The status of a reply, which some replies are themselves."""
    return reply if isinstance(reply, common_pb2.Status) else reply.status


class Raw:
    """A gRPC channel to a server."""

    def __init__(self, address: str):
        self.channel = grpc.insecure_channel(address, options=UNLIMITED)
        self.stub = milvus_pb2_grpc.MilvusServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def call(self, rpc: str, request, timeout: float = 60, **metadata):
        """Calls an RPC; a failure comes back in the reply's status."""
        return getattr(self.stub, rpc)(request, timeout=timeout, metadata=tuple(metadata.items()))

    def must(self, rpc: str, request, timeout: float = 60):
        """Calls an RPC that must succeed."""
        reply = self.call(rpc, request, timeout)
        status = status_of(reply)
        assert (status.code, status.error_code) == (0, 0), f"{rpc}: {status.code} {status.reason}"
        return reply

    def bytes(self, rpc: str, body: bytes, timeout: float = 30) -> bytes:
        """Calls an RPC with bytes that need not be a message."""
        call = self.channel.unary_unary(
            SERVICE + rpc, request_serializer=lambda value: value, response_deserializer=lambda value: value
        )
        return call(body, timeout=timeout)

    def create_index(self, collection: str, field: str, **params) -> None:
        """Makes an index and waits for it without the half second that the client sleeps first."""
        request = milvus_pb2.CreateIndexRequest(
            collection_name=collection, field_name=field, extra_params=pairs(**params)
        )
        self.must("CreateIndex", request)
        self.wait_for_index(collection, field)

    def wait_for_index(self, collection: str, field: str) -> None:
        """Waits until every row has its index."""
        deadline = time.monotonic() + INDEX_SECONDS
        request = milvus_pb2.DescribeIndexRequest(collection_name=collection, field_name=field)
        while True:
            one = self.must("DescribeIndex", request).index_descriptions[0]
            assert one.state != common_pb2.Failed, one.index_state_fail_reason
            if one.state == common_pb2.Finished:
                return
            assert time.monotonic() < deadline, f"no index after {INDEX_SECONDS} s: {one}"
            time.sleep(0.02)

    def count(self, collection: str, partitions: tuple[str, ...] = ()) -> int:
        """count(*) under Strong."""
        request = milvus_pb2.QueryRequest(
            collection_name=collection,
            output_fields=["count(*)"],
            partition_names=partitions,
            consistency_level=common_pb2.Strong,
        )
        return self.must("Query", request).fields_data[0].scalars.long_data.data[0]


def int_column(name: str, values) -> schema_pb2.FieldData:
    """A column of 64-bit integers."""
    data = schema_pb2.ScalarField(long_data=schema_pb2.LongArray(data=values))
    return schema_pb2.FieldData(type=schema_pb2.Int64, field_name=name, scalars=data)


def vector_column(name: str, dim: int, values) -> schema_pb2.FieldData:
    """A column of 32-bit float vectors, their components in one run."""
    vectors = schema_pb2.VectorField(dim=dim, float_vector=schema_pb2.FloatArray(data=values))
    return schema_pb2.FieldData(type=schema_pb2.FloatVector, field_name=name, vectors=vectors)


def placeholder(rows: list[bytes], kind=common_pb2.PlaceholderType.FloatVector, tag: str = "$0") -> bytes:
    """The queries of a search as they travel."""
    value = common_pb2.PlaceholderValue(tag=tag, type=kind, values=rows)
    return common_pb2.PlaceholderGroup(placeholders=[value]).SerializeToString()
