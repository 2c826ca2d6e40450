"""Start-up: from the start of the process to the first answered search, and idle memory.

    python benches/compare/start_up.py --program target/release/elanus [--rows 60000]

Needs pymilvus and numpy (tests/wire/requirements.txt). Makes a database of `rows` x 784 with an HNSW index in a
temporary folder, stops the server, then starts it again several times and asks one search each time.
"""

import argparse
import pathlib
import signal
import socket
import statistics
import subprocess
import tempfile
import time

import numpy
from pymilvus import DataType, MilvusClient

DIM = 784
TRIES = 7


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One run of the program on a folder."""

    def __init__(self, program: str, folder: str) -> None:
        self.port, http = free_port(), free_port()
        arguments = ["serve", "--data", folder, "--listen", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{http}"]
        self.begun = time.perf_counter()
        self.process = subprocess.Popen([program, *arguments, "--log", "error"])

    def client(self) -> MilvusClient:
        """Connects as soon as the port answers."""
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return MilvusClient(f"http://127.0.0.1:{self.port}", dedicated=True)
            except OSError:
                time.sleep(0.001)
        raise SystemExit("the server ended before it answered")

    def resident_mb(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def fill(client: MilvusClient, rows: int) -> numpy.ndarray:
    """A clustered set by a fixed seed; returns one query."""
    rng = numpy.random.default_rng(7)
    centres = rng.normal(size=(100, DIM)).astype("float32")
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=DIM)
    index = client.prepare_index_params()
    index.add_index("v", index_type="HNSW", metric_type="L2", M=16, efConstruction=200)
    client.create_collection("c", schema=schema)
    for begin in range(0, rows, 5_000):
        count = min(5_000, rows - begin)
        vectors = centres[rng.integers(0, 100, count)] + rng.normal(size=(count, DIM)).astype("float32") * 0.3
        client.insert("c", [{"id": begin + at, "v": vectors[at]} for at in range(count)])
    client.flush("c")
    client.create_index("c", index)
    client.load_collection("c")
    return centres[0]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--rows", type=int, default=60_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(options.program, f"{folder}/idle")
        server.client()
        time.sleep(1)
        print(f"idle without a collection: {server.resident_mb():.1f} MB resident")
        server.stop()
        server = Server(options.program, f"{folder}/data")
        query = fill(server.client(), options.rows)
        server.stop()
        times = []
        for _ in range(TRIES):
            server = Server(options.program, f"{folder}/data")
            client = server.client()
            hits = client.search("c", data=[query], limit=10, search_params={"params": {"ef": 64}})
            times.append((time.perf_counter() - server.begun) * 1000)
            assert len(hits[0]) == 10
            resident = server.resident_mb()
            server.stop()
        print(f"start to first answered search, {options.rows} rows x {DIM}: median {statistics.median(times):.0f} ms")
        print(f"  all tries, in ms: {', '.join(f'{one:.0f}' for one in times)}; {resident:.0f} MB resident after it")


if __name__ == "__main__":
    main()
