"""The libraries that are compared, one file each."""

import importlib

# In the order in which they are run and listed. `elanus` is run against each of the others.
NAMES = [
    "elanus",
    "hnswlib",
    "faiss_hnsw",
    "faiss_ivfpq",
    "usearch",
    "svs",
    "scann",
    "vsag",
    "ngt",
    "diskann",
    "zvec",
    "lancedb",
    "exact",
]

# Those that are run when none is named.
USUAL = [name for name in NAMES if name not in ("elanus", "exact")]


def peer_class(name):
    """The class of a peer. Its library is only imported when one is made and loaded."""
    if name not in NAMES:
        raise ValueError(f"unknown peer {name!r}: known are {', '.join(NAMES)}")
    return importlib.import_module(f"peers.{name}").Peer
