"""Services between two processes: the price of a round trip over bare ZeroMQ's, 10,000 calls at once, and calls whose server is killed.

    python -m benchmarks.services --json                  # about a minute
    python -m benchmarks.services --calls 1000 --kills 1

The bare echo is a pyzmq DEALER and a ROUTER on a Unix socket that send the same bytes to and fro; it and the service take turns. Killed
calls are not idempotent: each must end within its timeout, with its own answer or none, and its handler must have run once at most.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from benchmarks.common import show
from seesay.bus import Bus, make_session_directory
from seesay.codec import encode
from seesay.errors import ServiceTimeout
from seesay.messages import Header, Instruction, TaskResult
from seesay.services import Service

ECHO = Service("echo", Instruction, TaskResult, depth=20_000)
REQUEST = Instruction(Header(1), "0123456789abcdef", "put the red block in the green bowl, then the blue one beside it" * 2)
HEAD_BYTES = 40
WARM_UP = 200
TIMEOUT_S = 0.5
CALLERS = 4
BARS = {
    "service_over_bare_zmq": ("<=", 2.5), "mismatched": ("<=", 0), "unanswered": ("<=", 0),
    "killed_mismatched": ("<=", 0), "killed_run_twice": ("<=", 0), "killed_late_max_ms": ("<=", 100),
}  # fmt: skip


def serve(session: str, runs: str) -> None:
    """Answer until killed; the ids of what was run go to the file `runs`."""
    file = os.open(runs, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if runs else -1

    def answer(request: Instruction) -> TaskResult:
        if file >= 0:
            os.write(file, f"{request.id}\n".encode())
        return TaskResult(request.header, request.id, "done", request.text)

    with Bus(session, "server") as bus:
        bus.service(ECHO, answer)
        sys.stdin.read()


def serve_bare(path: str) -> None:
    """Send everything back until killed."""
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind(f"ipc://{path}")
    while True:
        socket.send_multipart(socket.recv_multipart())


def round_trips(calls: int, repeats: int) -> dict[str, float]:
    """Medians over interleaved repeats of `calls` round trips each, in microseconds, and their ratio."""
    with _session() as session, _process("server", str(session), ""), _process("bare", str(session / "bare")), Bus(session, "me") as bus:
        client, parts = bus.client(ECHO), [bytes(HEAD_BYTES), *encode(REQUEST)]
        context: zmq.Context[Any] = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.connect(f"ipc://{session / 'bare'}")

        def bare() -> None:
            socket.send_multipart(parts)
            socket.recv_multipart()

        ways: dict[str, Callable[[], object]] = {"bare": bare, "service": lambda: client.call(REQUEST, 30)}
        times: dict[str, list[list[float]]] = {"bare": [], "service": []}
        for way in ways.values():
            for _ in range(WARM_UP):
                way()
        for _ in range(repeats):
            for name, way in ways.items():
                times[name].append(sorted(_seconds(way) for _ in range(calls)))
        socket.close(0)
        context.term()
    p50 = {name: statistics.median(run[len(run) // 2] for run in runs) for name, runs in times.items()}
    p99 = {name: statistics.median(run[len(run) * 99 // 100] for run in runs) for name, runs in times.items()}
    figures = {f"{name}_{mark}_us": 1e6 * value[name] for mark, value in (("p50", p50), ("p99", p99)) for name in times}
    ratio = statistics.median(s[len(s) // 2] / b[len(b) // 2] for s, b in zip(times["service"], times["bare"], strict=True))
    return figures | {"service_over_bare_zmq": ratio}


def concurrent(calls: int) -> dict[str, float]:
    """`calls` calls under way at the same time."""
    with _session() as session, _process("server", str(session), ""), Bus(session, "client") as bus:
        client = bus.client(ECHO)
        client.call_async(REQUEST, 30).result()
        begun = time.monotonic()
        futures = [client.call_async(Instruction(Header(1), str(number), "x"), 120) for number in range(calls)]
        errors = [future.exception() for future in futures]
        wrong = sum(f.result().instruction_id != str(n) for n, f in enumerate(futures) if f.exception() is None)
        seconds = time.monotonic() - begun
    return {"concurrent_calls": calls, "mismatched": wrong, "unanswered": calls - errors.count(None), "concurrent_s": seconds}


def killed(calls: int, kills: int) -> dict[str, float]:
    """`calls` calls by four threads while their server is killed and started again `kills` times."""
    late_s: list[float] = []
    count: Counter[str] = Counter()

    def work(client: Any, name: str) -> None:
        for number in range(calls // CALLERS):
            text, begun = f"{name}.{number}", time.monotonic()
            try:
                answer = client.call(Instruction(Header(1), text, "x"), TIMEOUT_S)
                count["answered" if answer.instruction_id == text else "mismatched"] += 1
            except ServiceTimeout:
                late_s.append(time.monotonic() - begun - TIMEOUT_S)
            time.sleep(0.0005)

    with _session() as session, Bus(session, "client") as bus:
        runs = session / "runs.txt"
        threads = [threading.Thread(target=work, args=(bus.client(ECHO), str(k))) for k in range(CALLERS)]
        for thread in threads:
            thread.start()
        for life in range(kills + 1):
            with _process("server", str(session), str(runs)):
                until = count["answered"] + calls * (life + 1) // (2 * kills + 2)
                while any(thread.is_alive() for thread in threads) and (life == kills or count["answered"] < until):
                    time.sleep(0.02)
        for thread in threads:
            thread.join()
        ran = Counter(runs.read_text().split())
    return {
        "killed_calls": calls // CALLERS * CALLERS, "kills": kills, "killed_answered": count["answered"], "killed_timeouts": len(late_s),
        "killed_mismatched": count["mismatched"], "killed_run_twice": sum(times > 1 for times in ran.values()),
        "killed_late_max_ms": 1e3 * max(late_s, default=0.0),
    }  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextmanager
def _session() -> Iterator[Path]:
    session = make_session_directory()
    yield session
    shutil.rmtree(session)


@contextmanager
def _process(*arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.services", *arguments], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    if sys.argv[1:2] == ["server"]:
        serve(*sys.argv[2:])
    elif sys.argv[1:2] == ["bare"]:
        serve_bare(*sys.argv[2:])
    else:
        parser = argparse.ArgumentParser(prog="python -m benchmarks.services", description=(__doc__ or "").split("\n")[0])
        parser.add_argument("--calls", type=int, default=10_000, help="calls at once, and calls through kills")
        parser.add_argument("--kills", type=int, default=10)
        parser.add_argument("--trips", type=int, default=3000, help="round trips in each repeat")
        parser.add_argument("--repeats", type=int, default=3)
        parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
        options = parser.parse_args()
        figures = round_trips(options.trips, options.repeats) | concurrent(options.calls) | killed(options.calls, options.kills)
        show("services", figures, options.json, BARS)


if __name__ == "__main__":
    main()
