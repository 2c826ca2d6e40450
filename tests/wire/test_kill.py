"""SIGKILL at random moments: every acknowledged write is there afterwards, and no write is there by half.

Each cycle goes on with the directory of the one before. Every writer owns a range of keys and writes one request after
the other, so that after a kill its range must be exactly what its acknowledged requests made of it, or that and the
whole of the one request that was under way. ELANUS_KILLS sets the number of cycles.
"""

import os
import threading
import time

import grpc
import numpy as np
from pymilvus.grpc_gen import common_pb2, milvus_pb2

import data
from raw_call import Raw, int_column, pairs, placeholder, status_of, vector_column
from server_process import ServerProcess

KILLS = int(os.environ.get("ELANUS_KILLS", "5"))
WRITERS = 3
DIM = 4
SPAN = 1_000_000
LIVE_MAX = 500
SIDE_ROWS = 40
GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL)


def vectors(keys, values) -> list[float]:
    """Vectors that tell key and value apart, as whole numbers that 32-bit floats hold exactly."""
    keys, values = np.asarray(keys), np.asarray(values)
    return np.stack([keys % SPAN, keys // SPAN, values, np.ones_like(keys)], axis=1).astype(np.float32).ravel().tolist()


class Range:
    """The keys of one writer: what they are, and what they would be after the request that is under way."""

    def __init__(self, number: int):
        self.number = number
        self.first = number * SPAN
        self.state: dict[int, int] = {}
        self.pending: dict[int, int] | None = None
        self.next_key = self.first
        self.next_value = 1
        self.random = data.rng(f"kill {number}")
        self.acknowledged = 0
        self.error: BaseException | None = None

    @property
    def filter(self) -> str:
        return f"id >= {self.first} and id < {self.first + SPAN}"

    def work(self, address: str) -> None:
        """Writes until the server is gone."""
        raw = Raw(address)
        try:
            while True:
                self.step(raw)
        except grpc.RpcError as error:
            if error.code() not in GONE:
                self.error = error
        except BaseException as error:  # reported by the test
            self.error = error
        finally:
            raw.close()

    def step(self, raw: Raw) -> None:
        rpc, request, after, count = self.choose()
        self.pending = after
        reply = raw.call(rpc, request, timeout=30)
        assert status_of(reply).code == 0, f"{rpc}: {reply.status.reason}"
        assert reply.insert_cnt + reply.upsert_cnt + reply.delete_cnt == count, (rpc, count, reply)
        self.state, self.pending = after, None
        self.acknowledged += 1

    def choose(self):
        """The next request, the state after it, and the count that it must report."""
        kind = int(self.random.integers(0, 10))
        live = list(self.state)
        if not live or (kind < 4 and len(live) < LIVE_MAX):
            return self.rows("Insert", self.fresh(int(self.random.integers(1, 40))))
        if kind < 7 and len(live) < LIVE_MAX:
            old = self.random.choice(live, size=min(len(live), 12), replace=False).tolist()
            return self.rows("Upsert", old + self.fresh(3))
        if kind < 9 and len(live) < LIVE_MAX:
            gone = set(self.random.choice(live, size=min(len(live), 15), replace=False).tolist())
            expr = f"id in {sorted(gone)}"
        else:
            middle = int(np.median(list(self.state.values())))
            gone = {key for key, value in self.state.items() if value <= middle}
            expr = f"{self.filter} and n <= {middle}"
        after = {key: value for key, value in self.state.items() if key not in gone}
        return "Delete", milvus_pb2.DeleteRequest(collection_name="main", expr=expr), after, len(gone)

    def fresh(self, count: int) -> list[int]:
        self.next_key += count
        return list(range(self.next_key - count, self.next_key))

    def rows(self, rpc: str, keys: list[int]):
        value = self.next_value
        self.next_value += 1
        values = [value] * len(keys)
        kind = milvus_pb2.InsertRequest if rpc == "Insert" else milvus_pb2.UpsertRequest
        fields = [int_column("id", keys), int_column("n", values), vector_column("v", DIM, vectors(keys, values))]
        request = kind(collection_name="main", fields_data=fields, num_rows=len(keys))
        return rpc, request, self.state | dict.fromkeys(keys, value), len(keys)

    def check(self, raw: Raw) -> None:
        """Compares the range with what it may be, and goes on from what it is."""
        assert self.error is None, repr(self.error)
        found = rows_of(raw, "main", self.filter)
        allowed = [self.state] if self.pending is None else [self.state, self.pending]
        assert found in allowed, difference(found, allowed)
        if found:
            probe(raw, found, self.random)
        if self.pending is not None:
            absent = (self.state.keys() | self.pending.keys()) - found.keys()
            if absent:
                assert rows_of(raw, "main", f"id in {sorted(absent)}") == {}
        self.state, self.pending = found, None


def difference(found, allowed) -> str:
    told = []
    for want in allowed:
        lost = {key: value for key, value in want.items() if key not in found}
        more = {key: value for key, value in found.items() if key not in want}
        other = {key: (value, want[key]) for key, value in found.items() if key in want and want[key] != value}
        told.append(f"lost {lost}, more {more}, other {other}")
    return " | ".join(told)


def rows_of(raw: Raw, name: str, expr: str) -> dict[int, int]:
    """Keys and values that pass a filter, after checking that each row's vector is its own and no key stands twice."""
    request = milvus_pb2.QueryRequest(
        collection_name=name, expr=expr, output_fields=["id", "n", "v"], consistency_level=common_pb2.Strong
    )
    reply = raw.must("Query", request)
    columns = {field.field_name: field for field in reply.fields_data}
    keys = list(columns["id"].scalars.long_data.data)
    values = list(columns["n"].scalars.long_data.data)
    if keys:
        assert list(columns["v"].vectors.float_vector.data) == vectors(keys, values), "a row has another's vector"
    assert len(set(keys)) == len(keys), "a key stands twice"
    return dict(zip(keys, values, strict=True))


def probe(raw: Raw, found: dict[int, int], random) -> None:
    """Some rows are found by their vectors."""
    for key in random.choice(list(found), size=min(len(found), 5), replace=False).tolist():
        body = np.asarray(vectors([key], [found[key]]), "<f4").tobytes()
        request = milvus_pb2.SearchRequest(
            collection_name="main",
            dsl=f"id == {key}",
            dsl_type=common_pb2.DslType.BoolExprV1,
            placeholder_group=placeholder([body]),
            nq=1,
            search_params=pairs(anns_field="v", topk=5, metric_type="L2"),
            consistency_level=common_pb2.Strong,
        )
        results = raw.must("Search", request).results
        assert list(results.ids.int_id.data) == [key]
        assert list(results.scores) == [0.0]


class Keeper:
    """Flushes and compacts the main collection, and makes, fills, indexes, renames and drops others beside."""

    def __init__(self):
        self.next = 0
        # Per collection: the row counts that it may have; None is for being absent.
        self.sides: dict[str, set[int | None]] = {}
        # Names of those whose index and load were acknowledged.
        self.loaded: set[str] = set()
        self.random = data.rng("keeper")
        self.error: BaseException | None = None

    def work(self, address: str) -> None:
        raw = Raw(address)
        try:
            while True:
                self.step(raw)
        except grpc.RpcError as error:
            if error.code() not in GONE:
                self.error = error
        except BaseException as error:  # reported by the test
            self.error = error
        finally:
            raw.close()

    def step(self, raw: Raw) -> None:
        raw.must("Flush", milvus_pb2.FlushRequest(collection_names=["main"]))
        kind = int(self.random.integers(0, 4))
        if kind == 0:
            raw.must("ManualCompaction", milvus_pb2.ManualCompactionRequest(collection_name="main"))
        elif kind == 1 or not self.sides:
            self.make(raw)
        elif kind == 2:
            name = next(iter(self.sides))
            self.sides[name] = self.sides[name] | {None}
            raw.must("DropCollection", milvus_pb2.DropCollectionRequest(collection_name=name))
            del self.sides[name]
        else:
            self.rename(raw)

    def make(self, raw: Raw) -> None:
        name = f"side_{self.next}"
        self.next += 1
        self.sides[name] = {None, 0}
        request = milvus_pb2.CreateCollectionRequest(
            collection_name=name, schema=data.wire_schema(name, data.plain_schema(DIM))
        )
        raw.must("CreateCollection", request)
        self.sides[name] = {0, SIDE_ROWS}
        keys = list(range(SIDE_ROWS))
        fields = [int_column("id", keys), int_column("n", keys), vector_column("v", DIM, vectors(keys, keys))]
        raw.must("Insert", milvus_pb2.InsertRequest(collection_name=name, fields_data=fields, num_rows=SIDE_ROWS))
        self.sides[name] = {SIDE_ROWS}
        raw.must("Flush", milvus_pb2.FlushRequest(collection_names=[name]))
        params = pairs(index_type="HNSW", metric_type="L2", M=4, efConstruction=16)
        index = milvus_pb2.CreateIndexRequest(collection_name=name, field_name="v", extra_params=params)
        raw.must("CreateIndex", index)
        raw.must("LoadCollection", milvus_pb2.LoadCollectionRequest(collection_name=name))
        self.loaded.add(name)

    def rename(self, raw: Raw) -> None:
        old, new = next(iter(self.sides)), f"side_{self.next}"
        self.next += 1
        counts = self.sides[old]
        # Whichever of the two is there must be whole.
        self.sides[old], self.sides[new] = counts | {None}, counts | {None}
        if old in self.loaded:
            self.loaded.add(new)
        raw.must("RenameCollection", milvus_pb2.RenameCollectionRequest(oldName=old, newName=new))
        self.sides[new] = counts
        del self.sides[old]

    def check(self, raw: Raw) -> None:
        assert self.error is None, repr(self.error)
        shown = set(raw.must("ShowCollections", milvus_pb2.ShowCollectionsRequest()).collection_names)
        assert shown <= self.sides.keys() | {"main"}, shown
        for name, allowed in list(self.sides.items()):
            count = side_count(raw, name) if name in shown else None
            assert count in allowed, f"{name} has {count}, allowed are {allowed}"
            if count is None:
                del self.sides[name]
                continue
            self.sides[name] = {count}
            if name in self.loaded:
                raw.wait_for_index(name, "v")
                assert raw.count(name) == count


def side_count(raw: Raw, name: str) -> int:
    """Rows of a collection that need not be indexed or loaded."""
    request = milvus_pb2.GetCollectionStatisticsRequest(collection_name=name)
    stats = {pair.key: pair.value for pair in raw.must("GetCollectionStatistics", request).stats}
    return int(stats["row_count"])


def prepare(process: ServerProcess) -> None:
    process.start()
    raw = Raw(process.address)
    request = milvus_pb2.CreateCollectionRequest(
        collection_name="main", schema=data.wire_schema("main", data.plain_schema(DIM))
    )
    raw.must("CreateCollection", request)
    raw.create_index("main", "v", index_type="HNSW", metric_type="L2", M=6, efConstruction=24)
    raw.must("LoadCollection", milvus_pb2.LoadCollectionRequest(collection_name="main"))
    raw.close()


def check(process: ServerProcess, ranges: list[Range], keeper: Keeper) -> None:
    raw = Raw(process.address)
    for one in ranges:
        one.check(raw)
    keeper.check(raw)
    assert raw.count("main") == sum(len(one.state) for one in ranges)
    assert side_count(raw, "main") == sum(len(one.state) for one in ranges)
    raw.close()


def test_kills(own_server):
    process = own_server()
    prepare(process)
    ranges, keeper = [Range(number) for number in range(WRITERS)], Keeper()
    random = data.rng("moments")
    halfway = 0
    for kill in range(KILLS):
        threads = [threading.Thread(target=one.work, args=(process.address,)) for one in [*ranges, keeper]]
        for thread in threads:
            thread.start()
        moment = float(random.uniform(0.02, 0.7))
        time.sleep(moment)
        process.kill()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"
        halfway += sum(one.pending is not None for one in ranges)
        began = time.monotonic()
        process.start()
        assert time.monotonic() - began < 20, "the restart took too long"
        try:
            check(process, ranges, keeper)
        except AssertionError as error:
            error.add_note(f"after kill {kill + 1}, {moment:.3f} s into it; seed {data.SEED}")
            raise
    process.stop()
    process.start()
    check(process, ranges, keeper)
    process.stop()
    print(f"{KILLS} kills, {sum(one.acknowledged for one in ranges)} writes acknowledged, {halfway} killed under way")
    assert sum(one.acknowledged for one in ranges) > KILLS
