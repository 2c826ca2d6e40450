"""Hostile and mistaken reads: each gets Milvus's code and a message that names the thing; the server stays whole."""

import math
import time

import numpy as np
import pytest
from pymilvus import MilvusException
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

import data
from raw_call import pairs, placeholder, status_of
from target import DEPTH, DIM, LIMIT_MAX, NAN, ROWS, refused

SEARCHES = {
    "dimension 3": ({"vectors": [[1.0, 2.0, 3.0]]}, 1100, ["v", 4, 3]),
    "dimension 0": ({"vectors": [[]]}, 1100, []),
    "two dimensions": ({"vectors": [[1.0] * 4, [1.0] * 5]}, 1100, [4, 5]),
    "not a number": ({"vectors": [[1.0, NAN, 0.0, 0.0]]}, 1100, ["NaN"]),
    "infinite": ({"vectors": [[1.0, math.inf, 0.0, 0.0]]}, 1100, ["infinite"]),
    "no query": ({"vectors": []}, 1100, []),
    "bytes that are no group": ({"group": b"\xff\xff\xff"}, 1100, ["queries"]),
    "a group cut short": ({"group": placeholder([b"\0" * 16])[:-3]}, 1100, ["queries"]),
    "no group": ({"group": b""}, 1100, []),
    "half a float": ({"group": placeholder([b"\0" * 15])}, 1100, [15]),
    "binary query": ({"group": placeholder([b"\0"], common_pb2.BinaryVector)}, 10, ["BinaryVector"]),
    "sparse query": ({"group": placeholder([b"\0" * 8], common_pb2.SparseFloatVector)}, 10, ["SparseFloatVector"]),
    "text query": ({"group": placeholder([b"abc"], common_pb2.PlaceholderType.VarChar)}, 10, ["VarChar"]),
    "unknown query type": ({"group": placeholder([b"abc"], 99)}, 1100, [99]),
    "halves for floats": ({"group": placeholder([b"\0" * 8], common_pb2.Float16Vector)}, 1100, ["v"]),
    "nq says more": ({"nq": 5}, 1100, ["nq", 5, 1]),
    "nq says a giant": ({"nq": 2**62}, 1100, ["nq", 2**62]),
    "too many queries": ({"vectors": [[0.0] * DIM] * (LIMIT_MAX + 1)}, 1100, ["nq", LIMIT_MAX + 1, LIMIT_MAX]),
    "too many results": ({"vectors": [[0.0] * DIM] * LIMIT_MAX, "params": {"topk": LIMIT_MAX}}, 1100, [LIMIT_MAX]),
    "limit 0": ({"params": {"topk": 0}}, 1100, ["topk", 0]),
    "limit too large": ({"params": {"topk": LIMIT_MAX + 1}}, 1100, ["topk", LIMIT_MAX + 1, LIMIT_MAX]),
    "limit negative": ({"params": {"topk": -1}}, 1100, ["topk", -1]),
    "limit giant": ({"params": {"topk": 2**70}}, 1100, ["topk", 2**70]),
    "limit no number": ({"params": {"topk": "many"}}, 1100, ["topk", "many"]),
    "limit missing": ({"params": {"topk": None}}, 1101, ["topk"]),
    "offset too far": ({"params": {"offset": LIMIT_MAX}}, 1100, ["offset", LIMIT_MAX]),
    "offset giant": ({"params": {"offset": 2**63}}, 1100, [2**63]),
    "offset greatest": ({"params": {"offset": 2**64 - 1}}, 1100, [2**64 - 1]),
    "offset negative": ({"params": {"offset": -1}}, 1100, ["offset", -1]),
    "unknown parameter": ({"params": {"params": {"nprobe": 8}}}, 1100, ["nprobe"]),
    "unknown outer parameter": ({"params": {"wat": 1}}, 1100, ["wat"]),
    "ef below limit": ({"params": {"params": {"ef": 2}}}, 1100, ["ef", 2, 3]),
    "ef 0": ({"params": {"params": {"ef": 0}}}, 1100, ["ef", 0]),
    "ef giant": ({"params": {"params": {"ef": 2**40}}}, 1100, ["ef", 2**40]),
    "ef no number": ({"params": {"params": {"ef": "many"}}}, 1100, ["ef", "many"]),
    "other metric": ({"params": {"metric_type": "IP"}}, 1100, ["L2", "IP"]),
    "unknown metric": ({"params": {"metric_type": "EARTH_MOVER"}}, 1100, ["EARTH_MOVER"]),
    "twice": ({"params": {"params": {"metric_type": "IP"}}}, 1100, ["metric_type"]),
    "params no object": ({"params": {"params": "[1]"}}, 1100, ["params"]),
    "params deep": ({"params": {"params": "[" * DEPTH}}, 1100, ["params"]),
    "unknown vector field": ({"params": {"anns_field": "nofield"}}, 1700, ["nofield"]),
    "scalar as vector field": ({"params": {"anns_field": "n"}}, 1100, ["n", "Int64"]),
    "no vector field": ({"params": {"anns_field": None}}, 1100, ["anns_field"]),
    "unknown output field": ({"fields": ["nofield"]}, 1700, ["nofield"]),
    "unknown partition": ({"partition_names": ["nopart"]}, 200, ["nopart"]),
    "unknown collection": ({"collection_name": "nocoll"}, 100, ["nocoll"]),
    "unknown database": ({"db_name": "nodb"}, 800, ["nodb"]),
    "bad filter": ({"dsl": "n >"}, 1100, ["position 3"]),
    "radius not a number": ({"params": {"params": {"radius": "nan"}}}, 1100, ["radius"]),
    "radius missing": ({"params": {"params": {"range_filter": 1.0}}}, 1100, ["radius"]),
    "radius inside": ({"params": {"params": {"radius": 1.0, "range_filter": 2.0}}}, 1100, ["radius", "range_filter"]),
    "rounding": ({"params": {"round_decimal": 99}}, 1100, ["round_decimal", 99]),
    "forged token": (
        {"params": {"search_iter_v2": True, "search_iter_id": "mine", "iterator": True, "search_iter_batch_size": 2}},
        1100,
        ["search_iter_id", "mine"],
    ),
    "another collection's iterator": ({"params": {"collection_id": 77}}, 100, [77]),
    "future": ({"guarantee_timestamp": 2**63, "consistency_level": common_pb2.Session}, 1100, ["timestamp"]),
    "unknown level": ({"consistency_level": 9}, 1100, [9]),
    "travel": ({"travel_timestamp": 5}, 10, ["travel_timestamp"]),
    "namespace": ({"namespace": "x"}, 10, ["namespace"]),
}


@pytest.mark.parametrize("case", SEARCHES)
def test_search(target, case):
    changes, code, words = SEARCHES[case]
    refused(target.search(**changes), code, *words)


def test_search_by_keys_that_are_not_there(target):
    request = milvus_pb2.SearchRequest(
        collection_name=target.name,
        ids=schema_pb2.IDs(int_id=schema_pb2.LongArray(data=[1, 424242])),
        nq=2,
        search_params=pairs(anns_field="v", topk=3),
    )
    refused(target.raw.call("Search", request), 1100, 424242)
    request.ids.CopyFrom(schema_pb2.IDs(str_id=schema_pb2.StringArray(data=["one"])))
    request.nq = 1
    status = status_of(target.raw.call("Search", request))
    assert status.code == 1100, status.reason
    request.ids.CopyFrom(schema_pb2.IDs())
    assert status_of(target.raw.call("Search", request)).code == 1101


def test_search_by_the_same_key_a_million_times(target):
    request = milvus_pb2.SearchRequest(
        collection_name=target.name,
        ids=schema_pb2.IDs(int_id=schema_pb2.LongArray(data=[1] * 1_000_000)),
        nq=1_000_000,
        search_params=pairs(anns_field="v", topk=3),
    )
    begun = time.monotonic()
    refused(target.raw.call("Search", request), 1100, "nq", 1_000_000, LIMIT_MAX)
    assert time.monotonic() - begun < 5


def test_more_searches_of_one_request_than_allowed(target):
    request = milvus_pb2.HybridSearchRequest(
        collection_name=target.name, requests=[milvus_pb2.SearchRequest()] * 1025, rank_params=pairs(limit=3)
    )
    refused(target.raw.call("HybridSearch", request), 1100, 1025, 1024)


FILTERS = {
    "nothing to compare with": ("n ==", ["position 4"]),
    "unknown operator": ("n = 1", ["position 2"]),
    "two expressions": ("n == 1 n == 2", ["position 7"]),
    "misspelled and": ("n == 1 andd n == 2", ["position 7", "andd"]),
    "mixed case": ("n == 1 And n == 2", ["position 7", "And"]),
    "unknown field": ("n == 1 and nofield > 3", ["nofield", "position 11"]),
    "string against number": ('n == "one"', ["n", "position"]),
    "number against string": ("s > 5", ["s", "position"]),
    "list of another type": ('n in ["a", "b"]', ["n", "position"]),
    "list with one of another type": ('n in [1, "a"]', ["n", "position"]),
    "fraction in a list of integers": ("n in [1.5]", ["1.5", "position"]),
    "list not closed": ("n in [1, 2", ["position 10"]),
    "no list": ("n in 5", ["position 5"]),
    "unterminated string": ('s == "abc', ["position 5"]),
    "unknown escape": (r's == "\q"', ["position"]),
    "template missing": ("n == {lost}", ["lost", "position 5"]),
    "text_match": ('text_match(s, "x")', ["text_match", "position 0"]),
    "phrase_match": ('phrase_match(s, "x")', ["phrase_match", "position 0"]),
    "random_sample": ("random_sample(0.5)", ["random_sample", "position 0"]),
    "geometry": ("st_within(s, 'POINT (1 1)')", ["st_within", "position 0"]),
    "unknown function": ("wat(n)", ["wat", "position 0"]),
    "empty range": ("10 < n < 5", ["position"]),
    "division by zero": ("n / 0 == 1", ["position"]),
    "remainder of zero": ("n % 0 == 1", ["position"]),
    "integer too large": ("n == 99999999999999999999", ["99999999999999999999", "position 5"]),
    "like a number": ("s like 5", ["position 7"]),
    "like on a number": ('n like "1%"', ["n", "position"]),
    "json path cut short": ('j["k"', ["position"]),
    "json path on a number": ('n["k"] == 1', ["n", "position"]),
    "vector compared": ("v == 1", ["v", "position"]),
    "pattern cut short": ('s =~ "("', ["position"]),
    "pattern too large": ('s =~ "(((a{1000}){1000}){1000})"', ["position"]),
    "not a boolean": ("n", ["n", "position"]),
    "number as condition": ("n == 1 and 5", ["position"]),
    "control character": ("n == \x00 1", ["position 5"]),
    "other script": ("n == \u0661", ["position 5"]),
    "deep parentheses": ("(" * DEPTH + "n == 1" + ")" * DEPTH, ["position", "deep"]),
    "deep parentheses not closed": ("(" * DEPTH, ["position"]),
    "deep not": ("not " * DEPTH + "n == 1", ["position", "deep"]),
    "deep minus": ("n == " + "-" * DEPTH + "1", ["position"]),
    "deep lists": ("json_contains(j, " + "[" * DEPTH + "]" * DEPTH + ")", ["position"]),
    "deep power": ("n == " + "2 ** " * DEPTH + "2", ["position"]),
    "too long": ("n == 1 or " * 1_000_000 + "n == 1", ["bytes"]),
}


@pytest.mark.parametrize("case", FILTERS)
def test_filter(target, case):
    text, words = FILTERS[case]
    refused(target.query(text), 1100, *words)
    refused(target.search(dsl=text), 1100, *words)
    request = milvus_pb2.DeleteRequest(collection_name=target.name, expr=text)
    refused(target.raw.call("Delete", request), 1100, *words)


def test_long_but_fair_filters_work(target):
    many = ", ".join(str(n) for n in range(-20_000, 20_000))
    assert len(target.query(f"id in [{many}]", params={"limit": 100}).fields_data[0].scalars.long_data.data) == ROWS
    wide = " or ".join(f"n == {n}" for n in range(2_000))
    assert len(target.query(wide, params={"limit": 100}).fields_data[0].scalars.long_data.data) == ROWS
    path = "j" + '["a"]' * DEPTH + " == 1"
    assert list(target.query(path).fields_data[0].scalars.long_data.data) == []
    nested = "(" * 100 + "n == 3" + ")" * 100
    assert list(target.query(nested).fields_data[0].scalars.long_data.data) == [3]


WORDS = [
    "n",
    "s",
    "j",
    "id",
    "v",
    "nofield",
    "==",
    "!=",
    "<",
    ">=",
    "and",
    "or",
    "not",
    "in",
    "like",
    "is null",
    "exists",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    '"a"',
    "'b'",
    "1",
    "-1",
    "1.5",
    "0x1f",
    "true",
    'j["k"]',
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "&",
    "|",
    "^",
    "~",
    "json_contains",
    "array_length",
    "$meta",
    "\\",
    '"',
    "'",
    "=~",
    "!~",
    "1e999",
    ".",
    "@",
]


def test_random_filters_never_break_the_server(target):
    random = data.rng("filters")
    for _ in range(1500):
        count = int(random.integers(1, 12))
        text = " ".join(WORDS[int(n)] for n in random.integers(0, len(WORDS), count))
        reply = target.query(text)
        assert reply.status.code in (0, 1100), (text, reply.status)
    for _ in range(300):
        text = bytes(random.integers(1, 128, int(random.integers(1, 40))).tolist()).decode("ascii")
        reply = target.query(text)
        assert reply.status.code in (0, 1100), (text, reply.status)


QUERIES = {
    "limit 0": ({"params": {"limit": 0}}, 1100, ["limit", 0]),
    "limit too large": ({"params": {"limit": LIMIT_MAX + 1}}, 1100, ["limit", LIMIT_MAX + 1, LIMIT_MAX]),
    "limit negative": ({"params": {"limit": -5}}, 1100, ["limit", -5]),
    "limit no number": ({"params": {"limit": "ten"}}, 1100, ["limit", "ten"]),
    "offset too far": ({"params": {"limit": 10, "offset": LIMIT_MAX}}, 1100, ["offset", LIMIT_MAX]),
    "offset giant": ({"params": {"limit": 10, "offset": 2**64 - 1}}, 1100, ["offset"]),
    "offset negative": ({"params": {"limit": 10, "offset": -1}}, 1100, ["offset", -1]),
    "no filter and no limit": ({"params": {}, "expr": ""}, 1100, ["limit"]),
    "count beside a field": ({"params": {}, "output_fields": ["count(*)", "n"]}, 1100, ["count(*)"]),
    "count with a limit": ({"params": {"limit": 5}, "output_fields": ["count(*)"]}, 1100, ["count(*)", "limit"]),
    "unknown aggregate": ({"params": {"limit": 5}, "output_fields": ["sum(n)"]}, 1700, ["sum(n)"]),
    "unknown output field": ({"output_fields": ["nofield"]}, 1700, ["nofield"]),
    "unknown parameter": ({"params": {"limit": 5, "wat": 1}}, 1100, ["wat"]),
    "grouping": ({"params": {"limit": 5, "group_by_fields": "n"}}, 10, ["group_by_fields"]),
    "ordering": ({"params": {"limit": 5, "order_by_fields": "n:asc"}}, 10, ["order_by_fields"]),
    "unknown partition": ({"partition_names": ["nopart"]}, 200, ["nopart"]),
    "unknown collection": ({"collection_name": "nocoll"}, 100, ["nocoll"]),
    "empty collection name": ({"collection_name": ""}, 1101, ["collection"]),
    "unknown database": ({"db_name": "nodb"}, 800, ["nodb"]),
    "another collection's iterator": ({"params": {"limit": 5, "collection_id": 77}}, 100, [77]),
}


@pytest.mark.parametrize("case", QUERIES)
def test_query(target, case):
    changes, code, words = QUERIES[case]
    changes = dict(changes)
    refused(target.query(changes.pop("expr", "n >= 0"), **changes), code, *words)


def test_templates_of_another_type(target):
    with pytest.raises(MilvusException, match="position"):
        target.client.query(target.name, filter="n in {list}", filter_params={"list": ["a"]})
    with pytest.raises(MilvusException, match="list"):
        target.client.query(target.name, filter="n in {list}", filter_params={"list": 5})
    with pytest.raises(MilvusException, match="other"):
        target.client.query(target.name, filter="n == {other}", filter_params={"this": 5})


def test_search_on_a_collection_without_index_or_load(raw, client, fresh):
    name = fresh("bare")
    client.create_collection(name, schema=data.plain_schema(DIM))
    with pytest.raises(MilvusException, match="v") as caught:
        client.search(name, [[0.0] * DIM], limit=1)
    assert caught.value.code in (101, 700)
    raw.create_index(name, "v", index_type="FLAT", metric_type="L2")
    with pytest.raises(MilvusException, match=name) as caught:
        client.search(name, [[0.0] * DIM], limit=1)
    assert caught.value.code == 101


def test_the_largest_vectors_are_compared_without_overflow(target):
    big = float(np.finfo(np.float32).max)
    hits = target.search([[big, -big, big, -big]], params={"topk": ROWS})
    assert status_of(hits).code == 0
    assert len(hits.results.scores) == ROWS
    assert all(score >= 0 or math.isinf(score) for score in hits.results.scores)
