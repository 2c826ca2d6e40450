"""Data with known answers: seeded vectors, images, exact neighbours, rows of every served type."""

import gzip
import os
from pathlib import Path

import numpy as np
from pymilvus import CollectionSchema, DataType, MilvusClient
from pymilvus.client.prepare import Prepare

SEED = int(os.environ.get("ELANUS_WIRE_SEED", "20260101"))
IMAGES = Path(__file__).resolve().parents[2] / "datasets" / "data"
IDX_HEADER_BYTES = 16


def rng(name: str) -> np.random.Generator:
    """Random numbers that depend on the seed and on who asks, not on the order of the tests."""
    return np.random.default_rng([SEED, *name.encode()])


def clustered(name: str, rows: int, dim: int, clusters: int = 64) -> np.ndarray:
    """Vectors around random centres, as real ones are."""
    random = rng(name)
    centres = random.normal(size=(clusters, dim)).astype(np.float32)
    noise = random.normal(scale=0.35, size=(rows, dim)).astype(np.float32)
    return centres[random.integers(0, clusters, rows)] + noise


def images(name: str) -> np.ndarray:
    """The bundled images of that file: one row of 784 bytes each, scaled to 0..1."""
    raw = gzip.decompress((IMAGES / name).read_bytes())
    magic, count, height, width = np.frombuffer(raw[:IDX_HEADER_BYTES], ">u4")
    assert magic == 2051, f"{name} holds no images"
    pixels = np.frombuffer(raw[IDX_HEADER_BYTES:], np.uint8)
    return pixels.reshape(count, height * width).astype(np.float32) / 255


def scores(metric: str, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Scores of every query against every row, in double precision."""
    queries, rows = queries.astype(np.float64), rows.astype(np.float64)
    products = queries @ rows.T
    if metric == "IP":
        return products
    if metric == "COSINE":
        norms = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(rows, axis=1)[None, :]
        return products / np.where(norms == 0, 1, norms)
    assert metric == "L2", metric
    squares = (queries**2).sum(axis=1)[:, None] + (rows**2).sum(axis=1)[None, :]
    return np.maximum(squares - 2 * products, 0)


def nearest(metric: str, queries: np.ndarray, rows: np.ndarray, k: int, keep: np.ndarray | None = None) -> np.ndarray:
    """Positions of the k nearest rows of each query, nearest first."""
    table = scores(metric, queries, rows)
    table = table if metric == "L2" else -table
    if keep is not None:
        table = np.where(keep[None, :], table, np.inf)
        k = min(k, int(keep.sum()))
    best = np.argpartition(table, k - 1, axis=1)[:, :k]
    order = np.take_along_axis(table, best, axis=1).argsort(axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def recall(found: list[list[int]], truth: np.ndarray) -> float:
    """Share of the true neighbours that were found."""
    hits = sum(len(set(ids) & set(true.tolist())) for ids, true in zip(found, truth, strict=True))
    return hits / truth.size


def ids_of(result) -> list[list[int]]:
    """Primary keys of each query's hits."""
    return [[hit["id"] for hit in hits] for hits in result]


def plain_schema(dim: int, *, dynamic: bool = False, auto_id: bool = False) -> CollectionSchema:
    """A key, a number and a vector."""
    schema = MilvusClient.create_schema(auto_id=auto_id, enable_dynamic_field=dynamic)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("n", DataType.INT64)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=dim)
    return schema


def schema_message(name: str, schema: CollectionSchema):
    """A schema as the client sends it."""
    return Prepare.get_schema_from_collection_schema(name, schema)


def wire_schema(name: str, schema: CollectionSchema) -> bytes:
    """The bytes of a schema as the client sends it."""
    return schema_message(name, schema).SerializeToString()


# Every served scalar type: name of the field, type, further parameters, default.
SCALARS = [
    ("b", DataType.BOOL, {}, True),
    ("i8", DataType.INT8, {}, -8),
    ("i16", DataType.INT16, {}, -16),
    ("i32", DataType.INT32, {}, -32),
    ("i64", DataType.INT64, {}, -(2**40)),
    ("f", DataType.FLOAT, {}, 0.5),
    ("d", DataType.DOUBLE, {}, 0.1),
    ("s", DataType.VARCHAR, {"max_length": 64}, "default"),
]


def full_schema(dim: int, half_dim: int) -> CollectionSchema:
    """A field of every served type, each one once required, once nullable, once with a default."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True, description="every type")
    schema.add_field("id", DataType.INT64, is_primary=True, description="the key")
    for name, kind, params, default in SCALARS:
        schema.add_field(name, kind, **params)
        schema.add_field(f"{name}_null", kind, nullable=True, **params)
        schema.add_field(f"{name}_default", kind, default_value=default, **params)
    schema.add_field("j", DataType.JSON)
    schema.add_field("j_null", DataType.JSON, nullable=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=dim)
    schema.add_field("h", DataType.FLOAT16_VECTOR, dim=half_dim)
    schema.add_field("v_null", DataType.FLOAT_VECTOR, dim=dim, nullable=True)
    schema.add_field("h_null", DataType.FLOAT16_VECTOR, dim=half_dim, nullable=True)
    return schema
