"""Many threads at once: no acknowledged write is lost, no deleted row is seen, no reply is malformed."""

import itertools
import os
import threading
import time

from pymilvus.exceptions import MilvusException, SchemaMismatchRetryableException

import data
from raw_call import Raw

SECONDS = float(os.environ.get("ELANUS_WIRE_SECONDS", "6"))
WRITERS = 5
DIM = 8
SPAN = 1_000_000


def vector(key: int, value: int) -> list[float]:
    """Whatever reads a row can tell whether its parts belong together."""
    return [float(key % 1000), float(key // 1000), float(value), 1.0, 2.0, 3.0, 4.0, 5.0]


class Failures(list):
    """What went wrong in threads."""

    def run(self, work, *args) -> None:
        try:
            work(*args)
        except BaseException as error:  # reported by the test
            self.append(error)


def write(server, number: int, until: float, model: dict[int, int]) -> None:
    """Inserts, upserts and deletes in a range of its own, and reads each write back at once."""
    client = server.client()
    random = data.rng(f"writer {number}")
    fresh = itertools.count(number * SPAN)
    for value in itertools.count(1):
        if time.monotonic() > until:
            break
        kind = int(random.integers(0, 10))
        if kind < 4 or not model:
            changed = dict.fromkeys(itertools.islice(fresh, int(random.integers(1, 30))), value)
            rows = [{"id": key, "n": value, "v": vector(key, value)} for key in changed]
            assert client.insert("busy", rows)["insert_count"] == len(rows)
            model |= changed
        elif kind < 7:
            keys = random.choice(list(model), size=min(len(model), 10), replace=False).tolist()
            client.upsert("busy", [{"id": key, "n": value, "v": vector(key, value)} for key in keys])
            changed = dict.fromkeys(keys, value)
            model |= changed
        else:
            keys = random.choice(list(model), size=min(len(model), 8), replace=False).tolist()
            assert client.delete("busy", ids=keys)["delete_count"] == len(keys)
            for key in keys:
                del model[key]
            changed = dict.fromkeys(keys)
        probe = list(changed)[:10]
        got = client.query("busy", ids=probe, output_fields=["n"], consistency_level="Strong")
        seen = {one["id"]: one["n"] for one in got}
        assert seen == {key: model[key] for key in probe if key in model}
    client.close()


def search(server, number: int, until: float) -> None:
    """Searches and checks that every hit is one row, not parts of several."""
    client = server.client()
    random = data.rng(f"searcher {number}")
    while time.monotonic() < until:
        query = vector(
            int(random.integers(0, WRITERS)) * SPAN + int(random.integers(0, 500)), int(random.integers(1, 200))
        )
        hits = client.search("busy", [query], limit=20, output_fields=["n", "v"], consistency_level="Strong")[0]
        assert len({hit["id"] for hit in hits}) == len(hits)
        distances = [hit["distance"] for hit in hits]
        assert distances == sorted(distances)
        for hit in hits:
            assert list(hit["entity"]["v"]) == vector(hit["id"], hit["entity"]["n"])
        count = client.query("busy", output_fields=["count(*)"], consistency_level="Strong")[0]["count(*)"]
        assert count >= 0
    client.close()


def maintain(server, until: float) -> None:
    """Flushes, compacts, and makes and drops collections beside."""
    client, raw = server.client(), Raw(server.address)
    for turn in itertools.count():
        if time.monotonic() > until:
            break
        client.flush("busy")
        client.compact("busy")
        name = f"beside_{turn}"
        client.create_collection(name, schema=data.plain_schema(DIM))
        client.insert(name, [{"id": n, "n": n, "v": vector(n, 1)} for n in range(50)])
        raw.create_index(name, "v", index_type="HNSW", metric_type="L2", M=8, efConstruction=20)
        client.load_collection(name)
        assert raw.count(name) == 50
        client.drop_collection(name)
    raw.close()
    client.close()


def test_no_acknowledged_write_is_lost(server, client, raw):
    client.drop_collection("busy")
    client.create_collection("busy", schema=data.plain_schema(DIM), consistency_level="Strong")
    raw.create_index("busy", "v", index_type="HNSW", metric_type="L2", M=8, efConstruction=40)
    client.load_collection("busy")
    failures, models = Failures(), [{} for _ in range(WRITERS)]
    until = time.monotonic() + SECONDS
    jobs = [(write, server, number, until, models[number]) for number in range(WRITERS)]
    jobs += [(search, server, number, until) for number in range(2)] + [(maintain, server, until)]
    threads = [threading.Thread(target=failures.run, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 120)
        assert not thread.is_alive(), "a thread hangs"
    assert not failures, failures
    want = {key: value for model in models for key, value in model.items()}
    assert sum(len(model) for model in models) == len(want) > 100
    got = {one["id"]: one["n"] for one in client.query("busy", filter="id >= 0", output_fields=["n"])}
    assert got == want
    assert raw.count("busy") == client.get_collection_stats("busy")["row_count"] == len(want)
    client.drop_collection("busy")


def test_creates_and_drops_of_one_name_end_in_one_state(server, client, fresh):
    """Eight threads make and drop the same collection: every answer is a success or a clear error."""
    name = fresh("fought")
    failures = Failures()

    def fight(number: int) -> None:
        own = server.client()
        for turn in range(15):
            try:
                if (turn + number) % 2:
                    own.create_collection(name, schema=data.plain_schema(DIM))
                    own.insert(name, [{"id": number, "n": turn, "v": vector(1, 1)}])
                else:
                    own.drop_collection(name)
            except SchemaMismatchRetryableException:
                # Another thread made the collection anew between the description and the insert, twice in a row: the
                # client tries once more by itself and then tells its caller.
                pass
            except MilvusException as error:
                assert error.code == 100, error
        own.close()

    threads = [threading.Thread(target=failures.run, args=(fight, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    assert not failures, failures
    client.drop_collection(name)
    assert not client.has_collection(name)
    client.create_collection(name, schema=data.plain_schema(DIM))
    assert client.get_collection_stats(name)["row_count"] == 0


def test_many_clients_at_once(server, client, fresh):
    """More connections and calls at the same time than the server runs together."""
    name = fresh("crowd")
    client.create_collection(name, dimension=DIM, metric_type="L2", consistency_level="Strong")
    client.insert(name, [{"id": n, "vector": vector(n, 1)} for n in range(500)])
    raws = [Raw(server.address) for _ in range(20)]
    failures = Failures()

    def ask(raw: Raw) -> None:
        for _ in range(10):
            assert raw.count(name) == 500

    threads = [threading.Thread(target=failures.run, args=(ask, raw)) for raw in raws for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    for raw in raws:
        raw.close()
    assert not failures, failures
