"""A server process of its own: started on free loopback ports, watched, stopped or killed by its own id."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from pymilvus import MilvusClient

START_SECONDS = 60
STOP_SECONDS = 60
PANIC = "panicked at"


def binary() -> Path:
    """The program under test, named by the variable ELANUS_BIN."""
    value = os.environ.get("ELANUS_BIN")
    if not value:
        raise RuntimeError("set ELANUS_BIN to the path of the elanus binary")
    path = Path(value).resolve()
    if not path.is_file():
        raise RuntimeError(f"ELANUS_BIN is {value}, and there is no such file")
    return path


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Refused(Exception):
    """The server ended before it served."""

    def __init__(self, code: int, output: str):
        super().__init__(f"the server ended with {code}: {output}")
        self.code = code
        self.output = output


class ServerProcess:
    """One data directory and the process that serves it, if any."""

    def __init__(self, data: Path, logs: Path, options: tuple[str, ...] = ()):
        self.data = data
        self.logs = logs
        self.options = options
        self.process: subprocess.Popen | None = None
        self.starts = 0
        self.read = 0
        self.pinned: int | None = None
        self.port = self.http_port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        return f"http://{self.address}"

    @property
    def log(self) -> Path:
        return self.logs / f"{self.data.name}-{self.starts}.log"

    def spawn(self) -> None:
        """Starts the process without waiting for it."""
        assert self.process is None, "the server runs already"
        # Fresh ports for every process: a channel that has lost a server would wait before it tries the same again.
        self.port, self.http_port = free_ports(2)
        self.port = self.pinned or self.port
        self.starts += 1
        self.read = 0
        self.logs.mkdir(parents=True, exist_ok=True)
        command = [str(binary()), "serve", "--data", str(self.data), "--listen", self.address]
        command += ["--http", f"127.0.0.1:{self.http_port}", *self.options]
        environment = dict(os.environ, NO_COLOR="1", RUST_BACKTRACE="0")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    def start(self) -> "ServerProcess":
        """Starts the process and waits until it serves; Refused if it ends instead."""
        self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while not self.is_healthy():
            code = self.process.poll()
            if code is not None:
                self.process = None
                raise Refused(code, self.output())
            assert time.monotonic() < deadline, f"not healthy after {START_SECONDS} s: {self.output()}"
            time.sleep(0.01)
        return self

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/healthz", timeout=5) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def page(self, path: str) -> str:
        """The text of an HTTP page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as reply:
            return reply.read().decode()

    def client(self, **options) -> MilvusClient:
        """A client with a connection of its own."""
        return MilvusClient(uri=self.uri, dedicated=True, **options)

    def output(self) -> str:
        """What the latest process has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def check(self) -> None:
        """Fails if the process ended, or panicked since the last check."""
        assert self.process is not None and self.process.poll() is None, f"the server is gone: {self.output()}"
        self.check_log()

    def check_log(self) -> None:
        """Fails if a panic was printed since the last check."""
        printed = self.output()
        recent, self.read = printed[self.read :], len(printed)
        assert PANIC not in recent, recent

    def stop(self) -> str:
        """Ends the process with SIGTERM, checks that it ended well, and returns what it printed."""
        if self.process is None:
            return self.output()
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"still running {STOP_SECONDS} s after SIGTERM: {self.output()}") from None
        self.check_log()
        assert code == 0, f"ended with {code}: {self.output()}"
        return self.output()

    def kill(self) -> None:
        """Ends the process with SIGKILL: no code of the server runs any more."""
        process, self.process = self.process, None
        process.kill()
        process.wait()
        self.check_log()

    def discard(self) -> None:
        """Ends the process, whatever its state is."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
