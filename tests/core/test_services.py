"""The contract of services and actions, run on sockets and in memory alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay.actions import Goal
from seesay.bus import AnyBus, Bus
from seesay.errors import BusError, ConfigError, ServiceBusy, ServiceError, ServiceTimeout, WireError
from seesay.messages import Header, Image, Instruction, SkillFeedback, SkillGoal, SkillResult, TaskResult
from seesay.services import PARAMETERS, Action, Service, find

OpenBus = Callable[[str], AnyBus]
LONG = 30.0
SHORT = 0.3

ECHO = Service("echo", Instruction, TaskResult, depth=4)
SAFE_ECHO = Service("safe_echo", Instruction, TaskResult, idempotent=True)
MOVE = Action("arm/move", SkillGoal, SkillFeedback, SkillResult)


def ask(text: str) -> Instruction:
    return Instruction(Header(1), text, text)


def echo(request: Instruction) -> TaskResult:
    return TaskResult(request.header, request.id, "done", request.text)


class Gated:
    """A handler that waits for `gate`, and remembers what it ran."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.started = threading.Event()
        self.ran: list[str] = []

    def __call__(self, request: Instruction) -> TaskResult:
        self.ran.append(request.id)
        self.started.set()
        assert self.gate.wait(LONG)
        return echo(request)


def until(condition: Callable[[], bool]) -> bool:
    """Wait until `condition` holds; tell whether it does."""
    end = time.monotonic() + LONG
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def test_a_call_is_answered(open_bus: OpenBus) -> None:
    server = open_bus("server").service(ECHO, echo)
    client = open_bus("client").client(ECHO)
    assert client.call(ask("hello"), LONG) == TaskResult(Header(1), "hello", "done", "hello")
    assert [f.result(LONG).message for f in [client.call_async(ask(str(i)), LONG) for i in range(3)]] == ["0", "1", "2"]
    assert (server.stats.answered, client.stats.calls, client.stats.late, client.stats.invalid) == (4, 4, 0, 0)


def test_a_node_may_call_itself_and_clients_are_made_once(open_bus: OpenBus) -> None:
    bus = open_bus("both")
    bus.service(ECHO, echo)
    assert bus.client(ECHO) is bus.client(ECHO)
    assert bus.client(ECHO).call(ask("me"), LONG).message == "me"


def test_the_server_may_come_after_the_call(open_bus: OpenBus) -> None:
    future = open_bus("client").client(ECHO).call_async(ask("early"), LONG)
    assert not future.done()
    open_bus("server").service(ECHO, echo)
    assert future.result(LONG).message == "early"


def test_without_a_server_a_call_ends_in_time(open_bus: OpenBus) -> None:
    client = open_bus("client").client(ECHO)
    begun = time.monotonic()
    with pytest.raises(ServiceTimeout, match=r"service echo: no answer within 0\.3 s \(nobody serves it"):
        client.call(ask("x"), SHORT)
    assert SHORT <= time.monotonic() - begun < LONG
    assert client.stats.timeouts == 1


def test_a_name_is_served_once(open_bus: OpenBus) -> None:
    first, second = open_bus("first"), open_bus("second")
    first.service(ECHO, echo)
    for bus in (first, second):
        with pytest.raises(BusError, match="service echo: 'first' serves it already"):
            bus.service(ECHO, echo)
    assert second.services() == [("echo", "first")]


def test_a_full_server_says_busy_at_once(open_bus: OpenBus) -> None:
    handler = Gated()
    server = open_bus("server").service(ECHO, handler)
    client = open_bus("client").client(ECHO)
    futures = [client.call_async(ask(str(i)), LONG) for i in range(ECHO.depth)]
    with pytest.raises(ServiceBusy, match="takes 4 at a time"):
        client.call_async(ask("too many"), LONG).result(LONG)
    handler.gate.set()
    assert [future.result(LONG).message for future in futures] == ["0", "1", "2", "3"]
    assert server.stats.busy == 1


def test_late_answers_are_dropped_and_expired_requests_not_run(open_bus: OpenBus) -> None:
    handler = Gated()
    server = open_bus("server").service(ECHO, handler)
    client = open_bus("client").client(ECHO)
    first = client.call_async(ask("first"), SHORT)
    assert handler.started.wait(LONG)
    second = client.call_async(ask("second"), SHORT)
    for future in (first, second):
        with pytest.raises(ServiceTimeout, match="it may have been carried out"):
            future.result(LONG)
    third = client.call_async(ask("third"), LONG)
    handler.gate.set()
    assert third.result(LONG).message == "third"
    assert handler.ran == ["first", "third"]
    assert (client.stats.late, server.stats.expired) == (1, 1)


def test_an_idempotent_call_is_repeated_but_not_run_twice_at_once(open_bus: OpenBus) -> None:
    handler = Gated()
    server = open_bus("server").service(SAFE_ECHO, handler)
    client = open_bus("client").client(SAFE_ECHO)
    future = client.call_async(ask("again"), LONG)
    assert until(lambda: server.stats.repeated > 0)
    handler.gate.set()
    assert future.result(LONG).message == "again"
    assert handler.ran == ["again"]
    assert client.stats.retries >= 1


def test_errors_of_the_handler_come_back_as_one_sentence(open_bus: OpenBus, caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: Instruction) -> Any:
        if request.text == "refuse":
            raise ConfigError("threshold: expected 0 to 1, got 3")
        if request.text == "long":
            raise ConfigError("é" * 5000)
        if request.text == "wrong":
            return request
        raise ZeroDivisionError("division by zero")

    open_bus("server").service(ECHO, fail)
    client = open_bus("client").client(ECHO)
    for text, sentence in {
        "refuse": r"^service echo: threshold: expected 0 to 1, got 3$",
        "long": r"^service echo: é{400}",
        "wrong": "the handler returned Instruction instead of TaskResult",
        "crash": r"^service echo: ZeroDivisionError: division by zero$",
    }.items():
        with pytest.raises(ServiceError, match=sentence):
            client.call(ask(text), LONG)
    assert "Traceback" in caplog.text


def test_types_and_sizes_are_checked(open_bus: OpenBus) -> None:
    server = open_bus("server").service(ECHO, lambda request: TaskResult(request.header, "", "done", "x" * (9 << 20)))
    other = Service("echo", SkillGoal, SkillResult)
    client, liar = open_bus("client").client(ECHO), open_bus("liar").client(other)
    wrong: Any = SkillGoal(Header(0), "1", "pick", "pick it", {})
    with pytest.raises(BusError, match="expected Instruction, got SkillGoal"):
        client.call(wrong)
    with pytest.raises(WireError, match="header of at most"):
        client.call(ask("x" * (2 << 20)))
    pictures = open_bus("camera").client(Service("pictures", Image, TaskResult))
    with pytest.raises(BusError, match="message of at most 8388608 bytes"):
        pictures.call(Image(Header(0), "mono8", np.zeros((3000, 3000), np.uint8)))
    with pytest.raises(BusError, match="expected a timeout above 0"):
        client.call(ask("x"), 0)
    with pytest.raises(ServiceError, match="service echo: expected Instruction of schema 1, got 'SkillGoal'"):
        liar.call(wrong, LONG)
    with pytest.raises(ServiceError, match="header of at most"):
        client.call(ask("x"), LONG)
    assert (server.stats.failed, server.stats.answered) == (2, 0)


@pytest.mark.parametrize("end", ["interrupt", "close"])
def test_calls_end_with_the_bus(open_bus: OpenBus, end: str) -> None:
    bus = open_bus("client")
    client = bus.client(ECHO)
    future = client.call_async(ask("x"), 1000)
    getattr(bus, end)()
    with pytest.raises(BusError, match=r"interrupted|closed"):
        future.result(LONG)
    with pytest.raises(BusError, match=r"interrupted|closed"):
        client.call(ask("x"), 1000)
    bus.close()
    with pytest.raises(BusError, match=r"interrupted|closed"):
        bus.client(Service("other", Instruction, TaskResult)).call(ask("x"), 1000)


def test_many_threads_of_many_clients_get_their_own_answers(open_bus: OpenBus) -> None:
    wide = Service("echo", Instruction, TaskResult, depth=2000)
    open_bus("server").service(wide, echo)
    clients = [open_bus(f"client{i}").client(wide) for i in range(4)]
    wrong: list[str] = []

    def work(k: int) -> None:
        client = clients[k % 4]
        futures: dict[str, Future[TaskResult]] = {f"{k}.{i}": client.call_async(ask(f"{k}.{i}"), LONG) for i in range(100)}
        wrong.extend(name for name, future in futures.items() if future.result(LONG).instruction_id != name)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive()
    assert wrong == []


def goal(text: str = "pick") -> SkillGoal:
    return SkillGoal(Header(1), text, text, text, {})


def test_an_action_gives_feedback_and_a_result(open_bus: OpenBus) -> None:
    def move(goal: Goal[SkillGoal, SkillFeedback]) -> SkillResult:
        for i in range(3):
            goal.feedback(SkillFeedback(goal.message.header, goal.message.id, "lift", i / 2))
        return SkillResult(goal.message.header, goal.message.id, "succeeded", "well")

    open_bus("arm").action_server(MOVE, move)
    handle = open_bus("planner").action_client(MOVE).send_goal(goal())
    assert [feedback.progress for feedback in handle.feedback()] == [0, 0.5, 1]
    assert handle.result(LONG).outcome == "succeeded"
    assert handle.done


def test_a_goal_is_cancelled_and_only_one_runs_at_a_time(open_bus: OpenBus) -> None:
    def move(goal: Goal[SkillGoal, SkillFeedback]) -> SkillResult:
        goal.feedback(SkillFeedback(Header(1), goal.message.id, "going", 0))
        cancelled = goal.wait(LONG) and goal.cancelled
        return SkillResult(Header(2), goal.message.id, "cancelled" if cancelled else "succeeded", "stopped where it was")

    open_bus("arm").action_server(MOVE, move)
    client = open_bus("planner").action_client(MOVE)
    handle = client.send_goal(goal())
    assert next(handle.feedback()).phase == "going"
    with pytest.raises(ServiceTimeout, match="the goal goes on"):
        handle.result(SHORT)
    with pytest.raises(ServiceBusy):
        client.send_goal(goal("another")).result(LONG)
    handle.cancel()
    assert handle.result(LONG).outcome == "cancelled"
    handle.cancel()
    again = client.send_goal(goal())
    again.cancel()
    assert again.result(LONG).outcome == "cancelled"


def test_a_long_goal_outlives_its_first_timeout(open_bus: OpenBus) -> None:
    def move(goal: Goal[SkillGoal, SkillFeedback]) -> SkillResult:
        assert not goal.wait(3.0)
        return SkillResult(Header(2), goal.message.id, "succeeded", "slow")

    open_bus("arm").action_server(MOVE, move)
    assert open_bus("planner").action_client(MOVE).send_goal(goal(), timeout_s=1.0).result(LONG).message == "slow"


def test_closing_the_servers_bus_cancels_its_goal(open_bus: OpenBus) -> None:
    def move(goal: Goal[SkillGoal, SkillFeedback]) -> SkillResult:
        goal.feedback(SkillFeedback(Header(1), goal.message.id, "going", 0))
        goal.wait(LONG)
        return SkillResult(Header(2), goal.message.id, "stopped", "the arm's node ends")

    arm = open_bus("arm")
    arm.action_server(MOVE, move)
    handle = open_bus("planner").action_client(MOVE).send_goal(goal(), LONG)
    assert next(handle.feedback()).phase == "going"
    arm.close()
    assert handle.result(LONG).outcome == "stopped"


def test_services_are_found_by_name() -> None:
    assert find("detector/parameters").request is PARAMETERS.request
    assert PARAMETERS.of(node="detector").name == "detector/parameters"
    with pytest.raises(BusError, match="service: expected one of"):
        find("nothing")
    with pytest.raises(BusError, match="expected a value for 'node'"):
        PARAMETERS.of()


def test_a_closed_bus_serves_nobody(session: Path) -> None:
    bus = Bus(session, "server")
    bus.close()
    with pytest.raises(BusError, match="is closed"):
        bus.service(ECHO, echo)
