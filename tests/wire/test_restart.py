"""Restarts: after SIGTERM and after SIGKILL everything is there, and one directory has one server."""

import signal
import threading

import pytest
from pymilvus import MilvusClient
from pymilvus.client.types import LoadState

import data
from raw_call import Raw
from server_process import Refused, ServerProcess

DIM = 12
ROWS = 1500


def fill(process: ServerProcess) -> None:
    """Databases, collections, aliases, partitions, indexes, rows in memory and in segments, deletes, upserts."""
    client, raw = process.client(), Raw(process.address)
    vectors = data.clustered("restart", ROWS, DIM, 6)
    client.create_database("other", properties={"mark": "x"})
    schema = data.plain_schema(DIM, dynamic=True)
    client.create_collection("main", schema=schema, consistency_level="Strong", properties={"who": "me"})
    client.create_partition("main", "red")
    client.create_partition("main", "empty")
    rows = [{"id": n, "n": n % 9, "v": vectors[n], "extra": f"e{n}"} for n in range(ROWS)]
    client.insert("main", rows[:600])
    client.insert("main", rows[600:800], partition_name="red")
    client.flush("main")
    raw.create_index("main", "v", index_type="HNSW", metric_type="L2", M=8, efConstruction=50)
    client.load_collection("main")
    client.insert("main", rows[800:1200])
    client.insert("main", rows[1200:], partition_name="red")
    client.delete("main", ids=list(range(0, ROWS, 11)))
    client.delete("main", filter="n == 4")
    client.upsert("main", [rows[n] | {"n": 1000} for n in range(1, 60, 7)])
    client.create_alias("main", "alias_one")
    client.create_alias("main", "alias_two")
    client.create_collection("renamed_from", schema=data.plain_schema(4))
    client.rename_collection("renamed_from", "renamed_to")
    client.insert("renamed_to", [{"id": 1, "n": 1, "v": [1.0] * 4}])
    client.create_collection("dropped", schema=data.plain_schema(4))
    client.insert("dropped", [{"id": 1, "n": 1, "v": [1.0] * 4}])
    client.drop_collection("dropped")
    client.create_collection("cleared", schema=data.plain_schema(4))
    client.insert("cleared", [{"id": 1, "n": 1, "v": [1.0] * 4}])
    client.truncate_collection("cleared")
    client.create_collection("auto", schema=data.plain_schema(4, auto_id=True))
    client.insert("auto", [{"n": 1, "v": [1.0] * 4}] * 5)
    client.use_database("other")
    client.create_collection("main", schema=data.plain_schema(4))
    client.use_database("default")
    raw.close()
    client.close()


def picture(process: ServerProcess) -> dict:
    """Everything that can be asked."""
    client, raw = process.client(), Raw(process.address)
    told: dict = {"databases": {name: client.describe_database(name) for name in client.list_databases()}}
    for name in sorted(client.list_collections()):
        stats = {part: client.get_partition_stats(name, part)["row_count"] for part in client.list_partitions(name)}
        indexes = {}
        for index in client.list_indexes(name):
            raw.wait_for_index(name, index)
            indexes[index] = client.describe_index(name, index)
        told[name] = {
            "described": client.describe_collection(name),
            "partitions": stats,
            "indexes": indexes,
            "loaded": client.get_load_state(name)["state"],
            "count": client.get_collection_stats(name)["row_count"],
        }
    told["aliases"] = sorted(client.list_aliases("main")["aliases"])
    for one in client.query("main", filter="id >= 0", output_fields=["*"]):
        told.setdefault("rows", {})[one.pop("id")] = one
    queries = data.clustered("restart", ROWS, DIM, 6)[:20].tolist()
    hits = client.search("main", queries, limit=10, search_params={"params": {"ef": 400}})
    told["hits"] = [[(hit["id"], round(hit["distance"], 3)) for hit in found] for found in hits]
    client.use_database("other")
    told["other"] = client.describe_collection("main")
    raw.close()
    client.close()
    return told


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_everything_is_there_after_a_restart(own_server, how):
    process = own_server().start()
    fill(process)
    before = picture(process)
    assert before["main"]["loaded"] == LoadState.Loaded
    assert before["main"]["count"] == len(before["rows"]) > 1000
    assert "dropped" not in before and before["cleared"]["count"] == 0
    for _ in range(2):
        getattr(process, how)()
        process.start()
        assert picture(process) == before
    client = process.client()
    made = client.insert("auto", [{"n": 2, "v": [2.0] * 4}] * 5)["ids"]
    assert len(set(made)) == 5
    assert client.get_collection_stats("auto")["row_count"] == 10
    client.delete("main", ids=[made[0], 1, 2, 3])
    client.close()
    getattr(process, how)()
    process.start()
    client = process.client()
    assert {one["id"] for one in client.query("main", filter="id in [1, 2, 3, 5]")} == {5}
    client.close()
    process.stop()


def test_timestamps_and_keys_never_repeat(own_server):
    process = own_server()
    stamps, keys = [], []
    for turn in range(3):
        process.start()
        client, raw = process.client(), Raw(process.address)
        if turn == 0:
            client.create_collection("auto", schema=data.plain_schema(4, auto_id=True))
        for _ in range(3):
            keys += client.insert("auto", [{"n": 1, "v": [1.0] * 4}] * 3)["ids"]
        stamps.append(client.describe_collection("auto")["created_timestamp"])
        raw.close()
        client.close()
        process.kill()
    assert keys == sorted(set(keys))
    assert len(set(stamps)) == 1


def test_a_second_server_on_the_directory_is_refused(own_server, tmp_path):
    process = own_server().start()
    second = ServerProcess(process.data, tmp_path / "second")
    with pytest.raises(Refused) as caught:
        second.start()
    assert caught.value.code not in (0, 101) and caught.value.code > 0
    assert str(process.data) in caught.value.output
    assert "panicked" not in caught.value.output
    process.check()
    process.kill()
    third = ServerProcess(process.data, tmp_path / "third").start()
    third.stop()


def test_a_taken_port_is_refused_by_name(own_server, tmp_path):
    process = own_server().start()
    second = ServerProcess(tmp_path / "elsewhere", tmp_path / "second")
    second.pinned = process.port
    with pytest.raises(Refused) as caught:
        second.start()
    assert process.address in caught.value.output
    assert caught.value.code > 0
    process.stop()


def test_a_directory_that_cannot_be_one_is_refused_by_name(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a directory")
    with pytest.raises(Refused) as caught:
        ServerProcess(file, tmp_path / "logs").start()
    assert str(file) in caught.value.output
    assert "panicked" not in caught.value.output


def test_a_stop_waits_for_running_writes(own_server):
    """Writes under way when SIGTERM comes are either answered and kept, or not answered."""
    process = own_server().start()
    client = process.client()
    client.create_collection("main", schema=data.plain_schema(4))
    client.close()
    acknowledged, started = [], threading.Event()

    def write(base: int) -> None:
        one = MilvusClient(uri=process.uri, dedicated=True)
        try:
            for number in range(100_000):
                key = base + number
                one.insert("main", [{"id": key, "n": key, "v": [1.0] * 4}], timeout=1)
                acknowledged.append(key)
                if len(acknowledged) > 20:
                    started.set()
        except Exception:  # the server goes away in the middle
            pass

    threads = [threading.Thread(target=write, args=(base * 10**6,)) for base in range(4)]
    for thread in threads:
        thread.start()
    assert started.wait(30)
    assert process.process is not None
    process.process.send_signal(signal.SIGTERM)
    code = process.process.wait(60)
    process.process = None
    for thread in threads:
        thread.join(60)
    assert code == 0, process.output()
    process.start()
    raw = Raw(process.address)
    raw.create_index("main", "v", index_type="FLAT", metric_type="L2")
    client = process.client()
    client.load_collection("main")
    kept = {
        one["id"] for one in client.query("main", filter="id >= 0", output_fields=["n"], consistency_level="Strong")
    }
    assert set(acknowledged) <= kept
    raw.close()
    client.close()
    process.stop()
