"""Indexes for a device: they answer as FLAT does, whoever computes, over restarts; the page about devices is right."""

import re
import shlex
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from pymilvus import MilvusClient, MilvusException

import data
import server_process
from raw_call import Raw
from server_process import Refused, ServerProcess

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gpu.md").read_text()
COMMAND = "cargo run --release -- "
DIM, ROWS = 16, 3000


def commands() -> list[list[str]]:
    """The arguments of the program in each command of the page."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(line.startswith((COMMAND, "cargo build ")) for line in lines), lines
    return [shlex.split(line.removeprefix(COMMAND)) for line in lines if line.startswith(COMMAND)]


def devices() -> str:
    command = [str(server_process.binary()), "devices"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def make(client: MilvusClient, name: str, metric: str) -> np.ndarray:
    vectors = data.clustered("gpu", ROWS, DIM, 8)
    client.create_collection(name, schema=data.plain_schema(DIM), consistency_level="Strong")
    client.insert(name, [{"id": n, "n": n % 10, "v": vectors[n].tolist()} for n in range(ROWS)])
    client.flush(name)
    index = MilvusClient.prepare_index_params()
    index.add_index(field_name="v", index_type="GPU_BRUTE_FORCE", metric_type=metric)
    client.create_index(name, index)
    client.load_collection(name)
    return vectors


def check(client: MilvusClient, name: str, metric: str, vectors: np.ndarray) -> None:
    queries = vectors[:30]
    got = data.ids_of(client.search(name, queries.tolist(), limit=10))
    assert got == data.nearest(metric, queries, vectors, 10).tolist()
    keep = np.arange(ROWS) % 10 == 3
    got = data.ids_of(client.search(name, queries.tolist(), limit=10, filter="n == 3"))
    assert got == data.nearest(metric, queries, vectors, 10, keep).tolist()


@pytest.mark.parametrize("metric", ["L2", "IP", "COSINE"])
def test_it_answers_as_numpy_does(client, fresh, metric):
    name = fresh("gpu")
    vectors = make(client, name, metric)
    check(client, name, metric, vectors)
    told = client.describe_index(name, "v")
    assert (told["index_type"], told["metric_type"], told["state"]) == ("GPU_BRUTE_FORCE", metric, "Finished")
    assert re.match(r"cpu \(.+\)|(cuda|wgpu):\d+ \(.+\)", told["device"]), told["device"]


def test_ranges_and_iterators_work(client, fresh):
    name = fresh("gpu")
    vectors = make(client, name, "L2")
    scores = data.scores("L2", vectors[:1], vectors)[0]
    radius = float(np.sort(scores)[49:51].mean())
    hits = client.search(
        name, vectors[:1].tolist(), limit=100, search_params={"params": {"radius": radius, "range_filter": 0.0}}
    )
    assert len(hits[0]) == 50
    iterator = client.search_iterator(name, vectors[:1].tolist(), batch_size=500, limit=2000)
    seen = []
    while page := iterator.next():
        seen += [hit["id"] for hit in page]
    assert len(seen) == len(set(seen)) == 2000


def test_without_a_device_the_cpu_serves_and_says_so(own_server):
    process = own_server(options=("--gpu", "off")).start()
    client = process.client()
    vectors = make(client, "c", "L2")
    for _ in range(2):
        check(client, "c", "L2", vectors)
        assert client.describe_index("c", "v")["device"] == "cpu (no device is to be used)"
        assert "elanus_gpu_searches_total 0" in process.page("/metrics")
        client.close()
        assert "WARN" not in process.stop()
        process.start()
        client = process.client()
    client.close()
    process.stop()


def test_foreign_parameters_are_refused_by_name(client, raw, fresh):
    name = fresh("gpu")
    client.create_collection(name, schema=data.plain_schema(DIM))
    for key in ("nlist", "cache_dataset_on_device", "M"):
        index = MilvusClient.prepare_index_params()
        index.add_index(field_name="v", index_type="GPU_BRUTE_FORCE", metric_type="L2", **{key: 8})
        with pytest.raises(MilvusException, match=key):
            client.create_index(name, index)


def test_what_is_found_is_told():
    told = devices()
    assert told.startswith("no device") or re.match(r"(cuda|wgpu):\d+ ", told), told
    if told.startswith("no device found (looked for cuda, wgpu)"):
        assert told in PAGE, "the page shows it as it is"


def test_the_commands_of_the_page_do_what_it_says(own_server, tmp_path):
    given = commands()
    assert ["devices"] in given and len(given) == 4
    found = devices()
    for number, (_, *options) in enumerate(one for one in given if one[0] == "serve"):
        process = own_server(f"data{number}", options=tuple(options))
        named = [option for option in options if ":" in option]
        if all(f"{name} " in found for name in named):
            process.start().stop()
            continue
        with pytest.raises(Refused) as caught:
            process.start()
        assert caught.value.code == 1
        assert f"there is no device {named[0]}" in caught.value.output or "no backend" in caught.value.output
    with pytest.raises(Refused) as caught:
        ServerProcess(tmp_path / "x", tmp_path / "logs", options=("--gpu", "card")).start()
    assert "names no device" in caught.value.output and "cuda:0" in caught.value.output


def test_the_lines_of_the_page_work(server, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert "http://127.0.0.1:19530" in code
    exec(compile(code.replace("http://127.0.0.1:19530", server.uri), "gpu.md", "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    server.client().drop_collection("on_a_device")
    hits, device = printed.strip().splitlines()[0], printed.strip().splitlines()[-1]
    assert "'id': 7" in hits and re.match(r"(cpu|cuda|wgpu)", device), printed


def test_the_start_is_as_fast_with_such_an_index(own_server):
    """The device is opened beside the start, not before it."""
    process = own_server().start()
    client = process.client()
    make(client, "c", "L2")
    client.close()
    process.stop()
    began = time.monotonic()
    process.start()
    assert time.monotonic() - began < 5
    raw = Raw(process.address)
    raw.wait_for_index("c", "v")
    raw.close()
    process.stop()
