"""A task is cancelled while its skill runs: real planner, executor, simulator and command line; eyes and language model are stand-ins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seesay import topics
from seesay.bus import Bus, Subscriber
from seesay.config import Launch, NodeSpec
from seesay.messages import Header, Instruction, SkillFeedback, SkillResult, TaskResult
from seesay.nodes import cli
from seesay.nodes.supervisor import Supervisor

TEXT = "put the red block in the green bowl"
LONG = 90.0
NODES = (
    NodeSpec("simulator", "simulator", threads=1, parameters={"task": TEXT, "seed": 1}),
    NodeSpec("seer", "tests.nodes.seer", threads=1, parameters={"task": TEXT, "seed": 1}),
    NodeSpec("planner", "tests.nodes.sample_nodes.scripted_planner", threads=1),
    NodeSpec("executor", "executor", threads=1),
)


class Watch:
    """A person's view of the system."""

    def __init__(self, bus: Bus) -> None:
        self.feedback: Subscriber[SkillFeedback] = bus.subscriber(topics.SKILL_FEEDBACK)
        self.results: Subscriber[SkillResult] = bus.subscriber(topics.SKILL_RESULT)
        self.ends: Subscriber[TaskResult] = bus.subscriber(topics.TASK_RESULT)
        self._orders = bus.publisher(topics.INSTRUCTION)
        assert self._orders.wait_for_subscribers(1, LONG)

    def order(self, number: str) -> None:
        self._orders.send(Instruction(Header(time.monotonic_ns()), number, TEXT))

    def moving(self) -> str:
        """The id of the goal that the arm has begun: it is on its way, and has grasped nothing yet."""
        self.feedback.take_all()
        began = self.feedback.take(LONG)
        assert began is not None
        return began.message.goal_id

    def result(self, goal: str) -> str:
        while (found := self.results.take(LONG)) is not None:
            if found.message.goal_id == goal:
                return found.message.outcome
        raise AssertionError("no result")

    def end(self, number: str) -> tuple[str, str]:
        while (found := self.ends.take(LONG)) is not None:
            if found.message.instruction_id == number:
                return found.message.outcome, found.message.message
        raise AssertionError("no end")


@pytest.fixture(scope="module")
def session() -> Iterator[Path]:
    launch = Launch("test", clock="sim", nodes=NODES)
    with tempfile.TemporaryDirectory(prefix="ss-") as runtime, Supervisor(launch, Path(runtime) / "s") as supervisor:
        supervisor.wait_ready(LONG)
        yield supervisor.session


@pytest.fixture
def watch(session: Path) -> Iterator[Watch]:
    with Bus(session, "watch") as bus:
        yield Watch(bus)


@pytest.mark.timeout(300)
def test_a_task_is_cancelled_in_mid_skill_from_the_command_line(
    session: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cancel() -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["seesay", "cancel", "--reason", "not that one", "--session", str(session)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    watch.order("a")
    goal = watch.moving()
    assert cancel() == (0, "cancelled: not that one\n", "")
    assert watch.end("a") == ("cancelled", "not that one")
    assert watch.result(goal) == "cancelled"
    assert cancel() == (2, "", "seesay: service cancel: no such task runs: nothing was cancelled\n")


@pytest.mark.timeout(300)
def test_ctrl_c_cancels_what_do_has_begun(session: Path, watch: Watch) -> None:
    command = [sys.executable, "-m", "seesay.nodes.cli", "do", TEXT, "--session", str(session)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as do:
        goal = watch.moving()
        os.kill(do.pid, signal.SIGINT)
        assert do.wait(LONG) == 130
        assert do.stderr is not None
        assert "seesay: cancelled" in do.stderr.read()
    assert watch.result(goal) == "cancelled"


@pytest.mark.timeout(300)
def test_a_second_order_in_mid_skill_waits_for_the_arm_and_succeeds(watch: Watch) -> None:
    watch.order("b")
    first = watch.moving()
    watch.order("c")
    assert watch.end("b") == ("cancelled", "a new instruction came")
    assert watch.result(first) == "cancelled"
    assert watch.result(watch.moving()) == "succeeded"
    assert watch.end("c") == ("done", "done after one step")
