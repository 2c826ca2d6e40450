"""The orchestrator's end of a worker: start, ask, wait no longer than allowed, end."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time

import process

HERE = os.path.dirname(os.path.abspath(__file__))

# How libraries are told the number of threads before they start.
THREAD_VARIABLES = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
]


class Failed(Exception):
    """A worker answered with an error, ended, or did not answer in time."""


class Child:
    """A worker process with one index."""

    def __init__(self, peer, threads, environment, log):
        self.peer = peer
        variables = {name: str(threads) for name in THREAD_VARIABLES}
        # Waiting threads that spin would count as work.
        variables["OMP_WAIT_POLICY"] = "passive"
        self.log = open(log, "ab")
        self.log_path = log
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "worker.py"), peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, **variables, **environment},
            start_new_session=True,
        )
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.pending = b""
        # Processor time that was used while nothing was asked, since the first answer.
        self.idle_cpu_seconds = 0.0
        self.answered_at = None

    def ask(self, what, seconds, **order):
        """Sends an order and waits for its answer."""
        if self.process.stdin.closed:
            raise Failed(f"{what}: the process was ended before")
        self._count_idle()
        try:
            self.process.stdin.write(json.dumps({"do": what, **order}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self._ending(what)) from None
        deadline = time.monotonic() + seconds
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not self.selector.select(left):
                self.end(at_once=True)
                raise Failed(f"{what} took more than {seconds:.0f} s")
            part = os.read(self.process.stdout.fileno(), 1 << 16)
            if not part:
                raise Failed(self._ending(what))
            self.pending += part
        line, _, self.pending = self.pending.partition(b"\n")
        answer = json.loads(line)
        self.answered_at = process.process_seconds(self.process.pid)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def _count_idle(self):
        try:
            if self.answered_at is not None:
                self.idle_cpu_seconds += process.process_seconds(self.process.pid) - self.answered_at
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended, which whoever asks next is told
        self.answered_at = None

    def _ending(self, what):
        code = self.process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        with open(self.log_path, "rb") as log:
            said = log.read()[-2000:].decode(errors="replace").strip().splitlines()
        return f"{what}: the process ended with {how}" + (f": {said[-1]}" if said else "")

    def end(self, at_once=False):
        """Ends the process: by closing its input, or with a signal to it alone."""
        if not at_once:
            try:
                self.process.stdin.close()
                self.process.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                at_once = True
        if at_once:
            self.process.kill()
            self.process.wait()
        self.selector.close()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except OSError:
            pass  # what was still to be sent has no reader
        self.log.close()
