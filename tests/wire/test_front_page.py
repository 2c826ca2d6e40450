"""The front page's example runs as it stands there, and the demo's lines of Python answer."""

import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import server_process

ROOT = Path(__file__).resolve().parents[2]


def wait_until_healthy(page: str) -> None:
    deadline = time.monotonic() + server_process.START_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(page, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    raise AssertionError(f"{page} does not answer")


def test_the_example_finds_what_it_promises(server, capsys):
    page = (ROOT / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "http://127.0.0.1:19530" in code
    exec(compile(code.replace("http://127.0.0.1:19530", server.uri), "README.md", "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    server.client().drop_collection("things")
    # Cosine of [7, 1, 0, 2] with rows of the other colour only: the row itself is the nearest.
    assert "'id': 7" in printed and "blue" in printed and "red" not in printed


def test_the_lines_that_the_demo_prints_answer():
    grpc, http = (f"127.0.0.1:{port}" for port in server_process.free_ports(2))
    command = [str(server_process.binary()), "demo", "--listen", grpc, "--http", http]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        while "print(client.search" not in (line := demo.stdout.readline()):
            assert line, "the demo ended early"
            lines.append(line)
        code = "".join(lines[-2:]) + line
        wait_until_healthy(f"http://{http}/healthz")
        found = {}
        exec(compile(code, "demo", "exec"), {"print": lambda answer: found.update(answer=answer)})  # noqa: S102
        hits = found["answer"][0]
        assert [hit["id"] for hit in hits][0] == 0 and len(hits) == 3, hits
    finally:
        demo.terminate()
        assert demo.wait(30) == 0
