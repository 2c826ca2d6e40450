"""Bytes that are no requests, connections that misbehave, calls that are given up: the server stays whole."""

import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from pymilvus import MilvusException
from pymilvus.grpc_gen import milvus_pb2

import data
from raw_call import Raw, pairs, placeholder
from target import DIM, ROWS

SERVED = [
    "Connect",
    "GetVersion",
    "CheckHealth",
    "AllocTimestamp",
    "GetComponentStates",
    "CreateDatabase",
    "DropDatabase",
    "ListDatabases",
    "DescribeDatabase",
    "AlterDatabase",
    "CreateCollection",
    "DropCollection",
    "HasCollection",
    "DescribeCollection",
    "BatchDescribeCollection",
    "ShowCollections",
    "AlterCollection",
    "RenameCollection",
    "TruncateCollection",
    "GetCollectionStatistics",
    "CreatePartition",
    "DropPartition",
    "HasPartition",
    "ShowPartitions",
    "GetPartitionStatistics",
    "CreateAlias",
    "DropAlias",
    "AlterAlias",
    "DescribeAlias",
    "ListAliases",
    "CreateIndex",
    "DescribeIndex",
    "GetIndexState",
    "GetIndexBuildProgress",
    "GetIndexStatistics",
    "DropIndex",
    "LoadCollection",
    "ReleaseCollection",
    "LoadPartitions",
    "ReleasePartitions",
    "GetLoadingProgress",
    "GetLoadState",
    "Insert",
    "Upsert",
    "Delete",
    "Search",
    "HybridSearch",
    "Query",
    "Flush",
    "GetFlushState",
    "GetFlushAllState",
    "ManualCompaction",
    "GetCompactionState",
    "GetCompactionStateWithPlans",
    "GetPersistentSegmentInfo",
    "GetQuerySegmentInfo",
]


@pytest.mark.parametrize("rpc", SERVED)
def test_garbage_and_empty_requests(target, rpc):
    """Bytes that are no message fail; messages without a field are answered, with an error where one is due."""
    random = data.rng(f"garbage {rpc}")
    answered = 0
    for length in (1, 7, 64, 1000):
        body = random.bytes(length)
        try:
            target.raw.bytes(rpc, body)
            answered += 1
        except grpc.RpcError as error:
            # Clients send the request again and again for most of the other numbers.
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    assert answered < 4, "random bytes passed for messages"
    target.raw.bytes(rpc, b"")


def test_requests_larger_than_allowed(target):
    with pytest.raises(grpc.RpcError) as caught:
        target.raw.bytes("Insert", bytes(260 << 20), timeout=60)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(256 << 20) in caught.value.details()


def test_the_client_does_not_repeat_what_is_too_large(target):
    """It tries for minutes if it takes the answer for a fault of the server."""
    begun = time.monotonic()
    with pytest.raises((MilvusException, grpc.RpcError)) as caught:
        target.client.query(target.name, filter="s == '" + "x" * (257 << 20) + "'")
    assert "RESOURCE_EXHAUSTED" in str(caught.value)[:10_000] or str(256 << 20) in str(caught.value)[:10_000]
    assert time.monotonic() - begun < 30


def test_more_requests_than_there_is_room_for(own_server):
    """Large requests wait for each other before they are read, and all of them are answered."""
    server = own_server(options=("--concurrency", "2", "--queue", "1", "--request-memory", "4"))
    server.start()
    raw = Raw(server.address)
    try:
        body = milvus_pb2.InsertRequest(collection_name="x" * (3 << 20)).SerializeToString()
        with ThreadPoolExecutor(40) as pool:
            replies = list(pool.map(lambda _: raw.bytes("Insert", body, timeout=120), range(40)))
        codes = {milvus_pb2.MutationResult.FromString(reply).status.code for reply in replies}
        assert codes <= {100, 8} and 100 in codes
        page = server.page("/metrics")
        assert "elanus_requests_held 0" in page and "elanus_request_bytes 0" in page
        server.check()
    finally:
        raw.close()


def test_bytes_that_are_no_protocol(target, server):
    random = data.rng("sockets")
    bodies = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + random.bytes(500),
        random.bytes(2000),
        b"",
    ]
    for port in (server.port, server.http_port):
        for body in bodies:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
                try:
                    one.sendall(body)
                    one.shutdown(socket.SHUT_WR)
                    while one.recv(4096):
                        pass
                except TimeoutError:
                    raise AssertionError(f"port {port} kept a connection open after {body[:20]!r}") from None
                except OSError:
                    # The server hung up first.
                    continue


def test_connections_that_say_nothing(target, server):
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(200)]
    try:
        target.check()
    finally:
        for one in idle:
            one.close()


def test_calls_that_are_given_up(target):
    """Calls whose caller does not wait, of which some are under way when it leaves."""
    rows = [struct.pack("<4f", *one) for one in data.rng("given up").normal(size=(2000, DIM))]
    request = milvus_pb2.SearchRequest(
        collection_name=target.name,
        placeholder_group=placeholder(rows),
        nq=len(rows),
        search_params=pairs(anns_field="v", topk=ROWS, metric_type="L2"),
    )
    given_up = 0
    for turn in range(60):
        try:
            # From 10 microseconds, in which nothing can be answered, to 20 milliseconds.
            target.raw.call("Search", request, timeout=1e-5 * 2 ** (turn % 12))
        except grpc.RpcError as error:
            # The deadline travels with the call, so that either side may be the first to give up.
            assert error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
            given_up += 1
    assert given_up > 0
