"""Writes: visible at once, counted exactly, complete in every type, with NULLs and defaults."""

import json

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient, MilvusException

import data

DIM = 4


def vector(number: float) -> list[float]:
    return [float(number), 1.0, 0.0, 0.0]


def rows(*numbers, n=None):
    return [{"id": key, "n": key if n is None else n, "v": vector(key)} for key in numbers]


@pytest.fixture
def collection(client, raw, fresh):
    """An empty loaded collection that reads Strong."""
    name = fresh("writes")
    client.create_collection(name, schema=data.plain_schema(DIM), consistency_level="Strong")
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.load_collection(name)
    return name


def stored(client, name, **options):
    return {one["id"]: one["n"] for one in client.query(name, filter="id >= -1000000", output_fields=["n"], **options)}


def counts(client, raw, name):
    """The three ways to ask for the number of rows."""
    return raw.count(name), client.get_collection_stats(name)["row_count"], len(stored(client, name))


def test_upsert_replaces_and_inserts(client, raw, collection):
    client.insert(collection, rows(1, 2, 3))
    result = client.upsert(collection, rows(2, 3, 4, n=77))
    assert result["upsert_count"] == 3
    assert result["ids"] == [2, 3, 4]
    assert stored(client, collection) == {1: 1, 2: 77, 3: 77, 4: 77}
    assert counts(client, raw, collection) == (4, 4, 4)
    client.flush(collection)
    client.upsert(collection, rows(1, n=88))
    assert stored(client, collection) == {1: 88, 2: 77, 3: 77, 4: 77}
    assert counts(client, raw, collection) == (4, 4, 4)


def test_upsert_replaces_vectors(client, collection):
    client.insert(collection, rows(1, 2, 3))
    client.upsert(collection, [{"id": 2, "n": 2, "v": vector(500)}])
    hits = client.search(collection, [vector(500)], limit=3)[0]
    assert [hit["id"] for hit in hits] == [2, 3, 1]
    assert hits[0]["distance"] == 0.0


def test_delete_by_ids_and_by_filter(client, raw, collection):
    client.insert(collection, rows(*range(20)))
    assert client.delete(collection, ids=[3, 5, 7]) == {"delete_count": 3, "cost": 0}
    assert client.delete(collection, ids=[3, 5, 999])["delete_count"] == 0
    assert client.delete(collection, filter="n >= 10 and n % 2 == 0")["delete_count"] == 5
    left = {0, 1, 2, 4, 6, 8, 9, 11, 13, 15, 17, 19}
    assert set(stored(client, collection)) == left
    assert counts(client, raw, collection) == (12, 12, 12)
    assert client.delete(collection, filter="n in {gone}", filter_params={"gone": [0, 1]})["delete_count"] == 2
    hits = client.search(collection, [vector(0)], limit=100)[0]
    assert {hit["id"] for hit in hits} == left - {0, 1}


def test_deleted_rows_are_invisible_at_once(client, collection):
    """Each delete is followed at once by a search that would have found the row."""
    client.insert(collection, rows(*range(60)))
    client.flush(collection)
    client.insert(collection, rows(*range(60, 100)))
    for key in data.rng("invisible").permutation(100)[:50].tolist():
        client.delete(collection, ids=[key])
        hits = client.search(collection, [vector(key)], limit=1, consistency_level="Strong")[0]
        assert hits[0]["id"] != key
        assert client.query(collection, ids=[key], output_fields=["n"]) == []


def test_inserted_rows_are_visible_at_once(client, collection):
    for key in range(50):
        client.insert(collection, rows(key))
        hits = client.search(collection, [vector(key)], limit=1, consistency_level="Strong")[0]
        assert (hits[0]["id"], hits[0]["distance"]) == (key, 0.0)


def test_a_key_that_was_deleted_can_come_back(client, raw, collection):
    for turn in range(5):
        client.insert(collection, rows(1, 2, n=turn))
        assert stored(client, collection) == {1: turn, 2: turn}
        if turn % 2:
            client.flush(collection)
        assert client.delete(collection, ids=[1, 2])["delete_count"] == 2
        assert counts(client, raw, collection) == (0, 0, 0)


def test_a_key_inserted_twice(client, raw, collection):
    """Insert does not look for the key: rows are counted as inserted, reads give the latest of each key."""
    client.insert(collection, rows(1, 2, n=1))
    client.insert(collection, rows(1, n=2))
    assert raw.count(collection) == client.get_collection_stats(collection)["row_count"] == 3
    assert stored(client, collection) == {1: 2, 2: 1}
    hits = client.search(collection, [vector(1)], limit=10)[0]
    assert sorted(hit["id"] for hit in hits) == [1, 2]
    assert client.delete(collection, ids=[1])["delete_count"] >= 1
    assert stored(client, collection) == {2: 1}
    assert counts(client, raw, collection) == (1, 1, 1)
    client.insert(collection, rows(5, n=1) + rows(5, n=2))
    client.upsert(collection, rows(5, n=3))
    assert stored(client, collection) == {2: 1, 5: 3}
    assert counts(client, raw, collection) == (2, 2, 2)


def test_counts_after_many_random_writes(client, raw, collection):
    random = data.rng("counts")
    model: dict[int, int] = {}
    for turn in range(120):
        keys = random.choice(200, size=int(random.integers(1, 20)), replace=False).tolist()
        kind = int(random.integers(0, 4))
        if kind == 0:
            keys = [key for key in keys if key not in model]
            if keys:
                client.insert(collection, rows(*keys, n=turn))
            model.update(dict.fromkeys(keys, turn))
        elif kind == 1:
            client.upsert(collection, rows(*keys, n=turn))
            model.update(dict.fromkeys(keys, turn))
        elif kind == 2:
            count = sum(key in model for key in keys)
            assert client.delete(collection, ids=keys)["delete_count"] == count
            model = {key: n for key, n in model.items() if key not in keys}
        else:
            bound = int(random.integers(0, turn + 1))
            victims = {key for key, n in model.items() if n == bound}
            assert client.delete(collection, filter=f"n == {bound}")["delete_count"] == len(victims)
            model = {key: n for key, n in model.items() if key not in victims}
        if turn % 25 == 10:
            client.flush(collection)
        assert raw.count(collection) == len(model), f"turn {turn}"
    assert stored(client, collection) == model
    assert counts(client, raw, collection) == (len(model),) * 3
    job = client.compact(collection)
    deadline = 200
    while client.get_compaction_state(job) != "Completed" and deadline:
        deadline -= 1
        client.get_collection_stats(collection)
    assert stored(client, collection) == model
    assert counts(client, raw, collection) == (len(model),) * 3


def test_auto_ids(client, raw, fresh):
    name = fresh("auto")
    client.create_collection(name, schema=data.plain_schema(DIM, auto_id=True), consistency_level="Strong")
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.load_collection(name)
    made = []
    for turn in range(4):
        result = client.insert(name, [{"n": turn * 10 + n, "v": vector(n)} for n in range(10)])
        assert len(result["ids"]) == result["insert_count"] == 10
        made += result["ids"]
    assert len(set(made)) == 40
    assert stored(client, name) == {key: n for n, key in enumerate(made)}
    client.upsert(name, [{"id": made[0], "n": 1000, "v": vector(0)}])
    after = stored(client, name)
    assert sorted(after.values()) == [*range(1, 40), 1000]
    assert client.delete(name, ids=made[1:5])["delete_count"] == 4
    assert raw.count(name) == 36


def test_string_keys(client, raw, fresh):
    name = fresh("strings")
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.VARCHAR, max_length=40, is_primary=True)
    schema.add_field("n", DataType.INT64)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=DIM)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    client.load_collection(name)
    keys = ["b", "a", "it's", 'a "quote"', "back\\slash", "\u00fcnic\u00f6de", "new\nline", "10", "9", "a b"]
    client.insert(name, [{"id": key, "n": n, "v": vector(n)} for n, key in enumerate(keys)])
    got = client.query(name, filter='id != ""', output_fields=["n"])
    assert [one["id"] for one in got] == sorted(keys, key=lambda key: key.encode())
    assert {one["id"]: one["n"] for one in got} == {key: n for n, key in enumerate(keys)}
    for number, key in enumerate(keys):
        asks = [{"filter": f"id == {json.dumps(key)}"}, {"filter": "id in {keys}", "filter_params": {"keys": [key]}}]
        for ask in asks:
            assert [one["n"] for one in client.query(name, output_fields=["n"], **ask)] == [number], key
        assert client.search(name, [vector(number)], limit=1)[0][0]["id"] == key
    client.upsert(name, [{"id": "10", "n": 100, "v": vector(100)}])
    assert client.get(name, ["10"])[0]["n"] == 100
    assert client.delete(name, ids=["a", "b", "nobody"])["delete_count"] == 2
    quoted = {"keys": ["it's", 'a "quote"']}
    assert client.delete(name, filter="id in {keys}", filter_params=quoted)["delete_count"] == 2
    assert raw.count(name) == 6


FULL_DIM, HALF_DIM = 6, 10


def full_row(key: int) -> dict:
    """A row with a value in every field that has no default and is not nullable."""
    return {
        "id": key,
        "b": key % 2 == 0,
        "i8": key - 128,
        "i16": key * 100 - 30_000,
        "i32": key * 10**7 - 2 * 10**9,
        "i64": key * 10**17 - 9 * 10**18,
        "f": key / 4,
        "d": key / 3,
        "s": f"text {key}",
        "j": {"key": key, "list": [key, None, "x"], "null": None},
        "v": np.arange(FULL_DIM, dtype=np.float32) + key,
        "h": (np.arange(HALF_DIM) + key).astype(np.float16),
    }


def optional(key: int) -> dict:
    """Values for the nullable fields."""
    plain = full_row(key)
    names = [name for name, *_rest in data.SCALARS] + ["j"]
    return {f"{name}_null": plain[name] for name in names} | {
        "v_null": plain["v"] * 2,
        "h_null": plain["h"] * np.float16(2),
    }


def same(got, want) -> bool:
    """Whether a returned value is what was sent."""
    if isinstance(want, np.ndarray):
        raw_bytes = got[0] if isinstance(got, list) and got and isinstance(got[0], bytes) else got
        if isinstance(raw_bytes, bytes):
            return raw_bytes == want.tobytes()
        return np.array_equal(np.asarray(got, want.dtype), want)
    if isinstance(want, dict):
        return (json.loads(got) if isinstance(got, str) else got) == want
    return got == want and type(got) is type(want)


@pytest.fixture(scope="module")
def every_type(client, raw, module_fresh):
    """Rows in which optional values are there or missing in every pattern: none, all, some, explicit None."""
    name = module_fresh("types")
    client.create_collection(name, schema=data.full_schema(FULL_DIM, HALF_DIM), consistency_level="Strong")
    for field in ("v", "h", "v_null", "h_null"):
        raw.create_index(name, field, index_type="FLAT", metric_type="L2")
    client.load_collection(name)
    sent = {}
    for batch in range(6):
        lines = []
        for key in range(batch * 8, batch * 8 + 8):
            one = full_row(key)
            given = optional(key)
            if batch == 0:
                given = {}
            elif batch == 2:
                given = {field: value for n, (field, value) in enumerate(given.items()) if (key >> (n % 3)) % 2}
            elif batch == 3:
                given = {field: value if (key + n) % 3 else None for n, (field, value) in enumerate(given.items())}
            elif batch == 4:
                given = dict.fromkeys(given)
            if batch == 5:
                given |= {f"{field}_default": one[field] for field, *_rest in data.SCALARS if key % 2}
            one |= given | {"extra": key} if key % 3 == 0 else given
            lines.append(one)
            sent[key] = one
        client.insert(name, lines)
        if batch == 2:
            client.flush(name)
    return name, sent


def test_every_type_comes_back(client, every_type):
    name, sent = every_type
    got = client.query(name, filter="id >= 0", output_fields=["*"])
    assert [one["id"] for one in got] == sorted(sent)
    for one in got:
        want = sent[one["id"]]
        for field in full_row(0):
            assert same(one[field], want[field]), (one["id"], field, one[field])
        for field in optional(0):
            expected = want.get(field)
            if expected is None:
                assert one.get(field) is None, (one["id"], field, one[field])
            else:
                assert same(one[field], expected), (one["id"], field, one[field])
        for field, kind, _params, default in data.SCALARS:
            expected = want.get(f"{field}_default", default)
            if kind == DataType.FLOAT:
                expected = float(np.float32(expected))
            assert same(one[f"{field}_default"], expected), (one["id"], field)
        assert one.get("extra") == want.get("extra")


def test_every_type_comes_back_from_a_search(client, every_type):
    name, sent = every_type
    fields = [*full_row(0), *optional(0), "extra"]
    hits = client.search(name, [full_row(20)["v"]], anns_field="v", limit=48, output_fields=fields)[0]
    assert len(hits) == 48
    for hit in hits:
        want = sent[hit["id"]]
        for field in fields[1:]:
            expected = want.get(field)
            value = hit["entity"].get(field)
            assert value is None if expected is None else same(value, expected), (hit["id"], field, value)


def test_null_vectors_are_never_hits(client, every_type):
    name, sent = every_type
    for field, query in (("v_null", full_row(3)["v"]), ("h_null", full_row(3)["h"])):
        present = {key for key, one in sent.items() if one.get(field) is not None}
        assert 0 < len(present) < len(sent)
        hits = client.search(name, [query], anns_field=field, limit=100)[0]
        assert {hit["id"] for hit in hits} == present


NULL_FILTERS = {
    "{f} is null": lambda value, probe: value is None,
    "{f} is not null": lambda value, probe: value is not None,
    "{f} == {p}": lambda value, probe: value is not None and value == probe,
    "{f} != {p}": lambda value, probe: value is not None and value != probe,
    "not ({f} == {p})": lambda value, probe: value is not None and value != probe,
    "{f} in [{p}]": lambda value, probe: value is not None and value == probe,
    "{f} not in [{p}]": lambda value, probe: value is not None and value != probe,
}


@pytest.mark.parametrize("pattern", NULL_FILTERS)
@pytest.mark.parametrize("field", ["b", "i8", "i16", "i32", "i64", "f", "d", "s"])
def test_null_is_neither_equal_nor_unequal(client, every_type, field, pattern):
    name, sent = every_type
    probe = full_row(20)[field]
    if field == "d":
        probe = full_row(24)["d"]
    literal = json.dumps(probe)
    expression = pattern.replace("{f}", f"{field}_null").replace("{p}", literal)
    want = sorted(key for key, one in sent.items() if NULL_FILTERS[pattern](one.get(f"{field}_null"), probe))
    got = client.query(name, filter=expression, output_fields=["id"], limit=100)
    assert [one["id"] for one in got] == want, expression


def test_a_missing_value_without_default_is_refused(client, every_type):
    name, _sent = every_type
    broken = full_row(5) | {"id": 1000}
    del broken["i32"]
    with pytest.raises(MilvusException, match="i32"):
        client.insert(name, [broken])
    assert client.query(name, ids=[1000]) == []


def test_upsert_with_nulls_replaces_the_whole_row(client, every_type):
    name, sent = every_type
    key = 8
    assert sent[key]["s_null"] is not None
    client.upsert(name, [full_row(key)])
    got = client.query(name, ids=[key], output_fields=["*"])[0]
    assert got.get("s_null") is None and got.get("v_null") is None
    client.upsert(name, [sent[key]])
    assert client.query(name, ids=[key], output_fields=["s_null"])[0]["s_null"] == sent[key]["s_null"]


def test_upsert_into_another_partition_moves_the_row(client, raw, collection):
    client.create_partition(collection, "other")
    client.load_collection(collection)
    client.insert(collection, rows(1, 2, 3))
    client.upsert(collection, rows(2, n=22), partition_name="other")
    assert stored(client, collection)[2] == 22
    in_other = client.query(collection, filter="id >= 0", partition_names=["other"], output_fields=["n"])
    assert [one["id"] for one in in_other] == [2]


def test_delete_in_one_partition_leaves_the_others(client, raw, collection):
    client.create_partition(collection, "other")
    client.load_collection(collection)
    client.insert(collection, rows(1, 2, 3))
    client.insert(collection, rows(11, 12, 13), partition_name="other")
    assert client.delete(collection, filter="id > 0", partition_name="other")["delete_count"] == 3
    assert set(stored(client, collection)) == {1, 2, 3}
    assert counts(client, raw, collection) == (3, 3, 3)


def test_partial_updates_are_refused_by_name(client, collection):
    client.insert(collection, rows(1))
    with pytest.raises(MilvusException, match="partial_update"):
        client.upsert(collection, [{"id": 1, "n": 5}], partial_update=True)
    assert stored(client, collection) == {1: 1}
