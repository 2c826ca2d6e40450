"""Connecting, versions, databases, and RPCs that are not served."""

import grpc
import pytest
from pymilvus import MilvusClient, MilvusException
from pymilvus.grpc_gen import common_pb2, milvus_pb2

import data
from raw_call import status_of


def test_version_begins_with_the_protocol_and_tells_the_mode(client):
    assert client.get_server_version().startswith("3.0.0")
    details = client.get_server_version(detail=True)
    assert "elanus" in str(details)
    assert "STANDALONE" in str(details).upper()


def test_connect_gives_each_client_its_own_identifier(raw):
    info = common_pb2.ClientInfo(sdk_type="Python", sdk_version="3.0.2", user="", host="here")
    replies = [raw.must("Connect", milvus_pb2.ConnectRequest(client_info=info)) for _ in range(3)]
    assert len({reply.identifier for reply in replies}) == 3
    assert all(reply.server_info.build_tags for reply in replies)


def test_health_timestamp_and_components(raw, server):
    assert raw.must("CheckHealth", milvus_pb2.CheckHealthRequest()).isHealthy
    stamps = [raw.must("AllocTimestamp", milvus_pb2.AllocTimestampRequest()).timestamp for _ in range(3)]
    assert stamps == sorted(set(stamps))
    state = raw.must("GetComponentStates", milvus_pb2.GetComponentStatesRequest()).state
    assert state.state_code == common_pb2.StateCode.Healthy
    assert server.page("/healthz") == "OK"


def test_metrics_count_requests(client, server):
    client.list_collections()
    text = server.page("/metrics")
    assert text.endswith("# EOF\n")
    assert "ListDatabases" in text or "ShowCollections" in text


@pytest.mark.parametrize("rpc", ["CreateRole", "Import", "CreateSnapshot", "GetMetrics", "RunAnalyzer", "BackupRBAC"])
def test_unserved_rpc_is_unimplemented_and_named(raw, rpc):
    with pytest.raises(grpc.RpcError) as caught:
        raw.bytes(rpc, b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert rpc in caught.value.details()


def test_unknown_rpc_and_service_are_unimplemented(raw):
    for path in ["/milvus.proto.milvus.MilvusService/NoSuchCall", "/no.such.Service/Call"]:
        call = raw.channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert path.rsplit("/", maxsplit=1)[1] in caught.value.details()


def test_client_reports_unserved_rpc_at_once(client):
    with pytest.raises((MilvusException, grpc.RpcError), match="CreateRole"):
        client.create_role("nobody")


def test_databases_are_made_described_altered_listed_dropped(client):
    client.create_database("db_connect", properties={"database.max.collections": 7})
    try:
        assert {"default", "db_connect"} <= set(client.list_databases())
        described = client.describe_database("db_connect")
        assert described["name"] == "db_connect"
        assert described["database.max.collections"] == "7"
        client.alter_database_properties("db_connect", {"timezone": "UTC"})
        assert client.describe_database("db_connect")["timezone"] == "UTC"
        client.drop_database_properties("db_connect", ["timezone"])
        assert "timezone" not in client.describe_database("db_connect")
        with pytest.raises(MilvusException, match="db_connect") as caught:
            client.create_database("db_connect")
        assert caught.value.code == 802
    finally:
        client.drop_database("db_connect")
    assert "db_connect" not in client.list_databases()


def test_a_database_is_a_namespace(server, client):
    client.create_database("db_space")
    other = MilvusClient(uri=server.uri, db_name="db_space", dedicated=True)
    try:
        assert other.list_collections() == []
        client.create_collection("same_name", schema=data.plain_schema(4))
        other.create_collection("same_name", schema=data.plain_schema(8))
        dims = [one.describe_collection("same_name")["fields"][2]["params"]["dim"] for one in (client, other)]
        assert dims == [4, 8]
        with pytest.raises(MilvusException, match="db_space"):
            client.drop_database("db_space")
        other.use_database("default")
        assert other.describe_collection("same_name")["fields"][2]["params"]["dim"] == 4
        other.use_database("db_space")
        other.drop_collection("same_name")
        assert other.list_collections() == []
        assert client.has_collection("same_name")
    finally:
        client.drop_collection("same_name")
        other.close()
        client.drop_database("db_space")


def test_rename_moves_a_collection_to_another_database(server, client, fresh):
    client.create_database("db_move")
    other = MilvusClient(uri=server.uri, db_name="db_move", dedicated=True)
    try:
        name = fresh()
        client.create_collection(name, schema=data.plain_schema(4))
        client.rename_collection(name, "moved", target_db="db_move")
        assert other.list_collections() == ["moved"]
        assert not client.has_collection(name)
        other.drop_collection("moved")
    finally:
        other.close()
        client.drop_database("db_move")


def test_unknown_database_is_named(client, raw):
    for ask in (client.describe_database, client.use_database):
        with pytest.raises(MilvusException, match="nowhere") as caught:
            ask("nowhere")
        assert caught.value.code == 800
    reply = raw.call("ShowCollections", milvus_pb2.ShowCollectionsRequest(), dbname="nowhere")
    assert status_of(reply).code == 800
    # The field of the request comes before the header.
    raw.must("ShowCollections", milvus_pb2.ShowCollectionsRequest(db_name="default"))
    reply = raw.call("ShowCollections", milvus_pb2.ShowCollectionsRequest(db_name="nowhere"), dbname="default")
    assert status_of(reply).code == 800


def test_the_default_database_stays(client):
    with pytest.raises(MilvusException, match="default"):
        client.drop_database("default")
    assert "default" in client.list_databases()
