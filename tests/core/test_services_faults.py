"""Services whose server is killed or frozen, and what is no request at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.services import concurrent
from seesay._bus_callers import Line
from seesay.actions import Goal
from seesay.bus import Bus
from seesay.calls import CallHead, Client, Kind
from seesay.codec import encode
from seesay.errors import BusError, ServiceTimeout, WireError
from seesay.messages import Header, Instruction, SkillFeedback, SkillGoal, SkillResult, TaskResult
from seesay.services import Action, Service
from seesay.serving import Server

LONG = 30.0
ONCE = Service("once", Instruction, TaskResult, depth=1000)
AGAIN = Service("again", Instruction, TaskResult, depth=1000, idempotent=True)
MOVE = Action("move", SkillGoal, SkillFeedback, SkillResult)
Start = Callable[[], "subprocess.Popen[bytes]"]


def ask(text: str) -> Instruction:
    return Instruction(Header(1), text, text)


def until(condition: Callable[[], bool]) -> bool:
    """Wait until `condition` holds; tell whether it does."""
    end = time.monotonic() + LONG
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


@pytest.fixture
def start(session: Path, tmp_path: Path) -> Iterator[Start]:
    """`start()` runs serve_forever.py; whatever still runs after the test is killed."""
    started: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def start_one() -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("serve_forever.py")
        started.append(subprocess.Popen([sys.executable, str(program), str(session), str(tmp_path / "runs")], env=environment))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def test_calls_through_the_deaths_of_their_server(session: Path, start: Start, tmp_path: Path) -> None:
    """Every call ends; no answer is another call's; what is not idempotent is run at most once; what is, is answered in the end."""
    answered: list[str] = []
    timed_out: list[str] = []
    wrong: list[str] = []
    done = threading.Event()

    def work(client: Client[Instruction, TaskResult], name: str, timeout_s: float) -> None:
        count = 0
        while not done.is_set():
            text, count = f"{name}.{count}", count + 1
            try:
                reply = client.call(ask(text), timeout_s)
                (answered if reply.instruction_id == text else wrong).append(text)
            except ServiceTimeout:
                timed_out.append(text)

    with Bus(session, "client") as bus:
        threads = [threading.Thread(target=work, args=(bus.client(ONCE), f"once{i}", 0.3)) for i in range(3)]
        threads += [threading.Thread(target=work, args=(bus.client(AGAIN), f"again{i}", LONG)) for i in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            process = start()
            for name in ("once", "again"):
                known = len(answered)
                assert until(lambda name=name, known=known: any(text.startswith(name) for text in answered[known:])), name  # type: ignore[misc]
            process.kill()
            process.wait()
        start()
        done.set()
        for thread in threads:
            thread.join(2 * LONG)
            assert not thread.is_alive()
    assert wrong == []
    assert [text for text in timed_out if text.startswith("again")] == []
    runs = (tmp_path / "runs").read_text().split()
    assert len(runs) == len(set(runs))
    assert {text for text in answered if text.startswith("once")} <= set(runs)


def test_a_frozen_server_costs_a_timeout_and_does_not_run_what_is_too_late(session: Path, start: Start, tmp_path: Path) -> None:
    process = start()
    with Bus(session, "client") as bus:
        once, again = bus.client(ONCE), bus.client(AGAIN)
        assert once.call(ask("warm"), LONG).message == again.call_async(ask("warm"), LONG).result(LONG).message
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)   # returns when it has stopped
        with pytest.raises(ServiceTimeout, match="it may have been carried out"):
            once.call(ask("frozen"), 0.3)
        future = again.call_async(ask("patient"), LONG)
        assert until(lambda: again.stats.retries > 0)
        process.send_signal(signal.SIGCONT)
        assert future.result(LONG).message == "patient"
        assert once.call(ask("thawed"), LONG).message == "thawed"
        assert once.stats.timeouts == 1
    assert (tmp_path / "runs").read_text().split() == ["warm", "thawed"]


def test_the_goal_of_a_killed_caller_is_cancelled(session: Path) -> None:
    program = (
        "import sys; from seesay.bus import Bus; from seesay.messages import *; from seesay.services import Action\n"
        "bus = Bus(sys.argv[1], 'caller')\n"
        "client = bus.action_client(Action('move', SkillGoal, SkillFeedback, SkillResult))\n"
        "client.send_goal(SkillGoal(Header(0), '1', 'pick', 'pick', {}), 30).result()\n"
    )
    running, cancelled = threading.Event(), threading.Event()

    def move(goal: Goal[SkillGoal, SkillFeedback]) -> SkillResult:
        running.set()
        if goal.wait(LONG):
            cancelled.set()
        return SkillResult(Header(0), goal.message.id, "cancelled", "the caller is gone")

    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with Bus(session, "arm") as bus:
        bus.action_server(MOVE, move)
        with subprocess.Popen([sys.executable, "-c", program, str(session)], env=environment) as process:
            assert running.wait(LONG)
            process.kill()
        assert cancelled.wait(LONG)


def test_a_goal_ends_when_its_server_is_killed(session: Path) -> None:
    program = (
        "import sys; from seesay.bus import Bus; from seesay.messages import *; from seesay.services import Action\n"
        "def move(goal):\n"
        "    goal.feedback(SkillFeedback(Header(0), '1', 'going', 0)); goal.wait(1000)\n"
        "bus = Bus(sys.argv[1], 'arm')\n"
        "bus.action_server(Action('move', SkillGoal, SkillFeedback, SkillResult), move); sys.stdin.read()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(session)]
    with Bus(session, "planner") as bus, subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:
        handle = bus.action_client(MOVE).send_goal(SkillGoal(Header(0), "1", "pick", "pick", {}), LONG)
        assert next(handle.feedback()).phase == "going"
        process.kill()
        with pytest.raises(ServiceTimeout, match="its server has fallen silent"):
            handle.result(LONG)


def test_raw_peers_cannot_disturb_a_server(session: Path) -> None:
    context: zmq.Context[Any] = zmq.Context()
    raw = context.socket(zmq.DEALER)
    try:
        with Bus(session, "server") as bus:   # the ids differ: one that waits is not taken in twice
            server = bus.service(ONCE, lambda request: TaskResult(request.header, request.id, "done", request.text))
            raw.connect(f"ipc://{session / 'once.srv'}")
            head = CallHead(Kind.REQUEST, bytes(16), 2**62).pack()
            other = CallHead(Kind.REQUEST, bytes(range(16)), 2**62).pack()
            for frames in ([b""], [b"x"], [b"SSRV"] * 50, [head], [other, b"\xc1"], [head[:-1]], [CallHead(Kind.RESULT, bytes(16)).pack()]):
                raw.send_multipart(frames)
            assert bus.client(ONCE).call(ask("well"), LONG).message == "well"
            assert until(lambda: server.stats.invalid == 4 and server.stats.failed == 2), server.stats
            raw.send_multipart([head, bytes(9 << 20)])   # beyond the limit: the peer is cut off, before the part is taken in
            assert bus.client(ONCE).call(ask("still well"), LONG).message == "still well"
    finally:
        raw.close(0)
        context.term()


def test_ten_thousand_calls_at_once_get_their_own_answers() -> None:
    figures = concurrent(10_000)
    assert (figures["concurrent_calls"], figures["mismatched"], figures["unanswered"]) == (10_000, 0, 0)


def test_a_caller_with_thousands_of_calls_loses_no_answer_while_it_is_slow_to_read(session: Path) -> None:
    calls, wide = 10_000, Service("wide", Instruction, TaskResult, depth=10_000)
    context: zmq.Context[Any] = zmq.Context()
    raw = context.socket(zmq.DEALER)
    try:
        with Bus(session, "server") as bus:
            server = bus.service(wide, lambda request: TaskResult(request.header, request.id, "done", ""))
            raw.connect(f"ipc://{session / 'wide.srv'}")
            body = encode(ask("x"))
            for number in range(calls):
                raw.send_multipart([CallHead(Kind.REQUEST, number.to_bytes(16, "little"), 2**62).pack(), *body])
            assert until(lambda: server.stats.answered == calls), server.stats
            answered: set[bytes] = set()
            while len(answered) < calls and raw.poll(int(LONG * 1000)):
                answered.add(CallHead.unpack(raw.recv_multipart()[0]).id)
            assert (len(answered), server.stats.lost) == (calls, 0)
    finally:
        raw.close(0)
        context.term()


class Silent:
    """A socket that takes everything and never answers; `waits` are the milliseconds that it was told to wait."""

    def __init__(self) -> None:
        self.waits: list[int] = []

    def setsockopt(self, option: int, value: int) -> None:
        assert option == zmq.RCVTIMEO
        self.waits.append(value)

    def send_multipart(self, parts: list[Any], flags: int) -> None:
        pass

    def recv_multipart(self) -> list[bytes]:
        time.sleep(self.waits[-1] / 1000)
        raise zmq.Again


def test_a_caller_never_waits_past_its_deadline() -> None:
    silent: Any = Silent()
    with pytest.raises(ServiceTimeout):
        Line(Client(ONCE, "client", lambda: None), silent).call(ask("x"), 0.03)
    assert 0 < max(silent.waits) <= 30


def test_a_forked_child_is_told_to_spawn(session: Path) -> None:
    with Bus(session, "parent") as bus:
        client = bus.client(ONCE)
        child = os.fork()
        if child == 0:   # pragma: no cover
            caught = 0
            for attempt in (lambda: client.call(ask("x"), 1), lambda: client.call_async(ask("x"), 1), lambda: bus.client(AGAIN)):
                try:
                    attempt()
                except BusError as error:
                    caught += "forked process" in str(error)
            os._exit(caught)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


@given(st.binary(max_size=80))
def test_heads_decode_or_are_refused(data: bytes) -> None:
    for candidate in (data, b"SSRV\x01" + data):
        try:
            head = CallHead.unpack(candidate)
        except WireError:
            continue
        assert CallHead.unpack(head.pack()) == head


@given(st.sampled_from(Kind), st.binary(min_size=16, max_size=16), st.integers(-(2**63), 2**63 - 1), st.integers(0, 255), st.text())
def test_heads_survive_the_wire(kind: Kind, id_: bytes, deadline_ns: int, attempt: int, text: str) -> None:
    text = text.encode("utf-8", "ignore").decode() * 50
    head = CallHead.unpack(CallHead(kind, id_, deadline_ns, attempt, text).pack())
    assert (head.kind, head.id, head.deadline_ns, head.attempt) == (kind, id_, deadline_ns, attempt)
    assert text.startswith(head.text)
    assert len(head.text.encode()) >= min(len(text.encode()), 997)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_frames_are_dropped_or_answered(data: st.DataObject) -> None:
    """Neither side raises whatever comes; a caller that waits is given an answer, an error or nothing."""
    answers: list[list[Any]] = []
    server = Server(ONCE, lambda request: TaskResult(request.header, request.id, "done", ""), lambda peer, parts: answers.append(parts))
    client = Client(ONCE, "client", lambda: None)
    call, sent = client.begin(ask("x"), 10), list[list[Any]]()

    def send(parts: list[Any]) -> bool:
        sent.append(parts)
        return True

    client.flush(send)

    def damaged(frames: list[Any]) -> list[bytes]:
        parts = [bytearray(frame) for frame in frames]
        for _ in range(data.draw(st.integers(0, 3))):
            part = parts[data.draw(st.integers(0, len(parts) - 1))]
            if part:
                part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
        return [bytes(part) for part in parts][: data.draw(st.integers(0, len(parts)))]

    server._quick_runs = 1000   # run the handler in this thread
    for frames in (damaged(sent[0]), sent[0]):
        server.receive("peer", frames, here=True)
    for answer in list(answers):
        client.receive(damaged(answer))
    stats = client.stats
    assert call.future.done() or stats.invalid + stats.late + len(answers) > 0
    if call.future.done() and call.future.exception() is not None:
        assert isinstance(call.future.exception(), BusError)
