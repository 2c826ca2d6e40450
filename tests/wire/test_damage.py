"""Damaged files: a server on a damaged directory names the file, or serves right data; it never dies of one or lies."""

import shutil
from pathlib import Path

import pytest
from pymilvus import MilvusException

import data
from raw_call import Raw
from server_process import PANIC, Refused, ServerProcess

DIM = 8
BATCHES = 12
BATCH_ROWS = 25
LOST = "without the last writes:"
CATALOG = "catalog.redb"


def rows(batch: int) -> list[dict]:
    start = batch * BATCH_ROWS
    return [
        {"id": n, "n": n, "v": [float(n), float(batch)] + [0.5] * (DIM - 2)} for n in range(start, start + BATCH_ROWS)
    ]


# Those deleted before the flush go into a file of the segment, the others into the log.
EARLY, LATE = [3, 77], [30, 120]


def prefixes() -> list[set[int]]:
    """The keys that there were after each write, from the flush on."""
    keys = {one["id"] for batch in range(BATCHES // 2) for one in rows(batch)} - set(EARLY)
    states = [keys, keys - set(LATE)]
    for batch in range(BATCHES // 2, BATCHES):
        states.append(states[-1] | {one["id"] for one in rows(batch)})
    return states


STATES = prefixes()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A directory that holds every kind of file: log, catalog, segment data, tombstones, index."""
    folder = tmp_path_factory.mktemp("damage")
    process = ServerProcess(folder / "data", folder / "logs").start()
    client, raw = process.client(), Raw(process.address)
    client.create_collection("main", schema=data.plain_schema(DIM), consistency_level="Strong")
    raw.create_index("main", "v", index_type="HNSW", metric_type="L2", M=8, efConstruction=40)
    client.load_collection("main")
    for batch in range(BATCHES // 2):
        client.insert("main", rows(batch))
    client.delete("main", ids=EARLY)
    client.flush("main")
    raw.wait_for_index("main", "v")
    client.delete("main", ids=LATE)
    client.flush("main")
    for batch in range(BATCHES // 2, BATCHES):
        client.insert("main", rows(batch))
    raw.close()
    client.close()
    process.stop()
    yield folder / "data"
    shutil.rmtree(folder)


def found(process: ServerProcess) -> set[int]:
    """The keys that a served directory holds, after checking that rows and hits are right."""
    client = process.client()
    try:
        got = client.query("main", filter="id >= 0", output_fields=["n", "v"])
        for one in got:
            key = one["id"]
            assert one["n"] == key
            assert list(one["v"]) == [float(key), float(key // BATCH_ROWS)] + [0.5] * (DIM - 2)
        keys = {one["id"] for one in got}
        assert len(got) == len(keys)
        for key in sorted(keys)[::13]:
            query = [float(key), float(key // BATCH_ROWS)] + [0.5] * (DIM - 2)
            hit = client.search("main", [query], limit=1, search_params={"params": {"ef": 300}})[0][0]
            assert (hit["id"], hit["distance"]) == (key, 0.0)
        return keys
    finally:
        client.close()


def kinds(folder: Path) -> dict[str, list[Path]]:
    """Files by kind, which is the first folder, or the name of files that lie above."""
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            parts = path.relative_to(folder).parts
            files.setdefault(parts[0], []).append(path.relative_to(folder))
    return files


def is_log(path: Path) -> bool:
    return path.parts[0] == "wal"


def flip(body: bytearray, where: int) -> None:
    body[where] ^= 0x10


def check_damaged(original: Path, place: Path, path: Path, edit) -> str:
    """Serves a copy of the directory with one file edited; returns how that ended."""
    shutil.copytree(original, place / "data")
    file = place / "data" / path
    body = bytearray(file.read_bytes())
    edit(body)
    file.write_bytes(bytes(body))
    process = ServerProcess(place / "data", place / "logs")
    try:
        return outcome_of(process, path)
    finally:
        process.discard()
        shutil.rmtree(place)


def outcome_of(process: ServerProcess, path: Path) -> str:
    """Starts a server on a directory in which that file is damaged, and reads everything."""
    try:
        process.start()
    except Refused as error:
        panics = [line for line in error.output.splitlines() if PANIC in line]
        # The storage engine of the catalog panics on some damage; that is caught, and told as what it is.
        assert all("/redb-" in line for line in panics), error.output
        assert not panics or (path.name == CATALOG and "is corrupt" in error.output), error.output
        assert error.code > 0, error
        assert path.name in error.output or ("catalog" in error.output and not is_log(path)), error.output
        return "refused"
    try:
        keys = found(process)
    except MilvusException as error:
        assert error.code == 1001, error
        assert path.name in str(error), error
        return "read refused"
    finally:
        process.check()
        process.stop()
    if keys == STATES[-1]:
        return "whole"
    assert is_log(path), f"{path}: {len(keys)} rows of {len(STATES[-1])}, and nothing was said"
    assert keys in STATES, f"{path}: {len(keys)} rows, which no series of the writes leaves"
    return f"{LOST} {len(STATES) - 1 - STATES.index(keys)}"


def test_the_original_is_right(original, tmp_path):
    files = kinds(original)
    assert "wal" in files and len(files) >= 3, files
    assert check_damaged(original, tmp_path / "same", files["wal"][0], lambda body: None) == "whole"


def places(size: int, name: str) -> list[int]:
    """Offsets to damage: the ends, and some between."""
    random = data.rng(f"damage {name}")
    inner = random.integers(0, size, 6).tolist()
    return sorted({0, min(9, size - 1), size // 2, size - 1, *inner})


def test_flipped_bits(original, tmp_path):
    """Of every file, one bit flipped at several places. What the log loses may only be its very end."""
    outcomes = {}
    for path in (path for paths in kinds(original).values() for path in paths):
        size = (original / path).stat().st_size
        if size == 0:
            continue
        for where in places(size, str(path)):
            outcome = check_damaged(original, tmp_path / "case", path, lambda body, where=where: flip(body, where))
            outcomes[f"{path} at {where} of {size}"] = outcome
    lost = {case: outcome for case, outcome in outcomes.items() if outcome.startswith(LOST)}
    # A flip in the last record looks like an append that never finished.
    assert all(outcome == f"{LOST} 1" for outcome in lost.values()), lost
    assert "refused" in outcomes.values(), outcomes
    print("\n".join(f"{case}: {outcome}" for case, outcome in outcomes.items()))


def test_truncated_files(original, tmp_path):
    """Of every file, a part of the end gone. A log that was cut is whole up to the cut."""
    outcomes = {}
    for path in (path for paths in kinds(original).values() for path in paths):
        size = (original / path).stat().st_size
        for keep in sorted({0, size // 3, size // 2, max(size - 1, 0)}):
            if keep == size:
                continue
            outcome = check_damaged(
                original, tmp_path / "case", path, lambda body, keep=keep: body.__delitem__(slice(keep, None))
            )
            outcomes[f"{path} cut to {keep} of {size}"] = outcome
    assert "refused" in outcomes.values(), outcomes
    print("\n".join(f"{case}: {outcome}" for case, outcome in outcomes.items()))


def test_missing_files(original, tmp_path):
    """Segment and index files that are gone are named."""
    for path in (path for kind, paths in kinds(original).items() if kind not in ("wal", "lock") for path in paths):
        place = tmp_path / "case"
        shutil.copytree(original, place / "data")
        (place / "data" / path).unlink()
        process = ServerProcess(place / "data", place / "logs")
        try:
            process.start()
        except Refused as error:
            assert PANIC not in error.output and error.code > 0
            assert path.name in error.output, error.output
        else:
            assert len(path.parts) == 1, f"{path} is gone and nothing was said"
            process.check()
            process.stop()
        shutil.rmtree(place)


def test_strange_files_in_the_directory(original, tmp_path):
    """Files of others do no harm, or are named."""
    for name in ("notes.txt", "wal/readme", "wal/zzzz.log", "objects/stray"):
        place = tmp_path / "case"
        shutil.copytree(original, place / "data")
        stray = place / "data" / name
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(b"hello")
        process = ServerProcess(place / "data", place / "logs")
        try:
            process.start()
        except Refused as error:
            assert PANIC not in error.output and stray.name in error.output, error.output
        else:
            assert found(process) == STATES[-1]
            process.stop()
        shutil.rmtree(place)
