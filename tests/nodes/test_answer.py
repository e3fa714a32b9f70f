"""`seesay answer` on a planner that runs: an instruction that may mean two blocks, the question, a person's reply, and the plan goes on."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import seesay.planner
from seesay import topics
from seesay.bus import Bus, Subscriber
from seesay.config import Launch, NodeSpec
from seesay.errors import ServiceError
from seesay.messages import (
    Header,
    Instruction,
    Object,
    Objects,
    ObjectsRequest,
    PlanStep,
    Question,
    SkillGoal,
    SkillResult,
    Source,
    TaskResult,
)
from seesay.nodes import cli
from seesay.nodes.supervisor import Supervisor
from seesay.planner.conformal import HelpCalibration, help_file, prompt_mark, save_help
from seesay.planner.skills import load_library
from seesay.services import OBJECTS
from tests.planner.things import thing

LONG = 60.0
FOLDER = Path(__file__).parent
RED, BLUE = (f"pick up the {colour} block and place it in the green bowl" for colour in ("red", "blue"))
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def session() -> Iterator[Path]:
    """A planner that asks, with a scripted language model; `XDG_RUNTIME_DIR` points beside its directory."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ss-") as runtime:
        patch.syspath_prepend(str(FOLDER))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])]))
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.delenv("SEESAY_SESSION", raising=False)
        skills = Path(runtime) / "skills.toml"
        shutil.copy(Path(seesay.planner.__file__).parent / "libraries" / "tabletop.toml", skills)
        calibration = HelpCalibration("scripted", "sum", prompt_mark(load_library(skills)), 100, 1.0, {"0.80": 0.85})
        save_help(calibration, help_file(skills))
        directory = Path(runtime) / "seesay" / "live"
        directory.parent.mkdir(mode=0o700)
        planner = NodeSpec("planner", "sample_nodes.scripted_planner", threads=1, parameters={"library": str(skills), "ask": 0.8})
        with Supervisor(Launch("live", nodes=(planner,)), directory) as supervisor:
            supervisor.wait_ready(LONG)
            yield directory


@pytest.fixture
def seesay_(session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`seesay_("answer", "2")` is `seesay answer 2`: exit status, output, errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["seesay", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


class Surroundings:
    """What a planner has around it: a person who orders, eyes, and an arm that does what it is told."""

    def __init__(self, bus: Bus) -> None:
        self.questions: Subscriber[Question] = bus.subscriber(topics.QUESTION)
        self.steps: Subscriber[PlanStep] = bus.subscriber(topics.PLAN_STEP)
        self.goals: Subscriber[SkillGoal] = bus.subscriber(topics.SKILL_GOAL)
        self.ends: Subscriber[TaskResult] = bus.subscriber(topics.TASK_RESULT)
        self._orders, self._eyes, self._arm = (
            bus.publisher(topics.INSTRUCTION), bus.publisher(topics.OBJECTS), bus.publisher(topics.SKILL_RESULT)
        )  # fmt: skip
        assert all(each.wait_for_subscribers(1, LONG) for each in (self._orders, self._eyes, self._arm))
        self._places = {"red block": (-0.1, -0.05), "blue block": (0.1, -0.05), "green bowl": (0.05, 0.08)}
        began, told = time.monotonic_ns(), 0
        while told < began:   # the planner knows this table, not none or that of the test before
            self.look()
            with suppress(ServiceError):
                told = bus.client(OBJECTS).call(ObjectsRequest(Header(0)), LONG).header.stamp_ns

    def order(self, text: str, number: str) -> None:
        self._orders.send(Instruction(Header(time.monotonic_ns()), number, text))

    def look(self) -> None:
        now = time.monotonic_ns()
        source = Source("front", 1, now)
        things: list[Object] = [
            thing(number, name, x, y, seen_s=now / 1e9, size=0.12 if "bowl" in name else 0.045)
            for number, (name, (x, y)) in enumerate(self._places.items(), start=1)
        ]
        self._eyes.send(Objects(Header(now, 1, "world", "monotonic", source), tuple(things)))

    def act(self, goal: SkillGoal) -> None:
        self._places[goal.targets["object"].label] = self._places[goal.targets["place"].label]
        self._arm.send(SkillResult(Header(time.monotonic_ns()), goal.id, "succeeded", "well"))

    def end(self, number: str) -> TaskResult:
        """The end of a task, during which the eyes are open."""
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            self.look()
            found = self.ends.take(0.2)
            if found is not None and found.message.instruction_id == number:
                return found.message
        raise AssertionError("no end")

    def asked(self, number: str, answered: bool = False) -> Question:
        """A question of a task, during which the eyes are open."""
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            self.look()
            found = self.questions.take(0.2)
            if found is not None and found.message.instruction_id == number and bool(found.message.answer) is answered:
                return found.message
        raise AssertionError("no such question")


@pytest.fixture
def around(session: Path) -> Iterator[Surroundings]:
    with Bus(session, "around") as bus:
        yield Surroundings(bus)


def test_a_question_is_shown_answered_and_the_plan_goes_on(seesay_: Call, around: Surroundings) -> None:
    assert seesay_("answer") == (1, "no question is open\n", "")
    assert seesay_("answer", "--json") == (1, "null\n", "")
    around.order("put the block in the green bowl", "a")
    question = around.asked("a")
    assert question.options == (RED, BLUE)
    status, shown, _ = seesay_("answer")
    assert (status, shown.splitlines()[0]) == (0, "put the block in the green bowl: which of these?")
    assert f"  2  {BLUE}  (" in shown
    listed = json.loads(seesay_("answer", "--json")[1])
    assert (listed["id"], listed["options"], listed["answer"]) == (question.id, [RED, BLUE], "")

    for reply in ("3", "the green one", "perhaps"):
        status, shown, said = seesay_("answer", reply)
        assert (status, shown) == (2, "")
        assert said.startswith("seesay: service answer: expected a number, words of one option, or `none`, got")
    assert seesay_("answer", "2") == (0, f"answered: a person: {BLUE}\n", "")
    assert around.asked("a", answered=True).id == question.id

    goal, step = around.goals.take(LONG), around.steps.take(LONG)
    assert goal is not None
    assert step is not None
    assert goal.message.phrase == BLUE
    assert (step.message.asked, step.message.answer) == ((RED, BLUE), f"a person: {BLUE}")
    around.act(goal.message)
    end = around.end("a")
    assert (end.outcome, end.steps) == ("done", 1)
    assert seesay_("answer", "1") == (1, "no question is open\n", "")


def test_a_new_instruction_withdraws_the_question(seesay_: Call, around: Surroundings) -> None:
    around.order("put the block in the green bowl", "b")
    around.asked("b")
    around.order("put the block in the green bowl", "c")
    assert around.asked("b", answered=True).answer == "withdrawn: the task is over"
    assert around.end("b").outcome == "cancelled"
    assert around.asked("c").id == "c/question-1"
    assert seesay_("answer", "none")[0] == 0
    end = around.end("c")
    assert (end.outcome, end.message) == ("cancelled", "asked what to do next, a person: none of them")
