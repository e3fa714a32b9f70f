"""The whole loop in SayCan's kitchen: what is named lies elsewhere, and is searched for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seesay.messages import Outcome, SkillResult
from seesay.planner.language import ScriptedScorer
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from seesay.planner.task import Act, End, Task
from seesay.sim.kitchen import Kitchen, KitchenExecutor, State
from tests.planner.things import order

PLAN = ("find a coke can", "pick up the coke can", "bring it to you", "put down the coke can", "done")


def says(context: str, phrase: str) -> float:
    """Wants the first step of the plan that does not stand in the dialogue as done."""
    lines = context.rpartition("Robot: ")[2].splitlines()
    done = {line.partition(". ")[2] for line in lines}
    return -0.1 if phrase == next(step for step in PLAN if step not in done) else -12.0


def carries(context: str, phrase: str) -> float:
    """Wants to find a thing, pick it up, carry it to the trash and put it down, again and again: which one is not its affair."""
    if context.rpartition("Human: ")[2].startswith("Go to the table."):
        return -0.1 if phrase == "go to the table" else -6.0
    skills = ("find a ", "pick up the ", "go to the trash", "put down the ")
    lines = context.rpartition("Robot: ")[2].splitlines()
    done = len([line for line in lines if line.partition(". ")[2]])
    return -0.1 if phrase.startswith(skills[done % 4]) else -6.0


def run(
    text: str, kitchen: Kitchen, most: int = 20, wants: Callable[[str, str], float] = says, sees_all: bool = False
) -> tuple[End, list[str]]:
    """The end of the task, and its steps."""
    executor = KitchenExecutor(kitchen)
    task = Task(order(text), SayCan(load_library("kitchen"), ScriptedScorer(wants)), kitchen.time_ns, max_steps=most)
    steps = list[str]()
    for _ in range(2 * most):
        move = task.advance(kitchen.truth() if sees_all else kitchen.look(), kitchen.time_ns, kitchen.arm_state())
        if isinstance(move, End):
            return move, steps
        if isinstance(move, Act):
            executor.start(move.goal)
            result = executor.poll()
            assert isinstance(result, SkillResult)
            steps.append(move.goal.phrase)
            task.report(result, kitchen.time_ns)
        else:
            kitchen.time_ns += 1_000_000_000
    pytest.fail("the task did not end")


@pytest.mark.parametrize("text", ["Bring me the coke can.", "Bring me something fizzy.", "move the coke can to the user"])
def test_what_lies_elsewhere_is_found_and_brought(text: str) -> None:
    kitchen = Kitchen(State("table", (("coke can", "far counter"), ("apple", "table"))))
    end, steps = run(text, kitchen)
    assert (end.result.outcome, end.result.message, steps) == ("done", "done after 4 steps", list(PLAN[:4]))
    assert kitchen.state.where["coke can"] == "user"


def test_all_the_fruit_on_the_table_and_nothing_else_is_carried_off() -> None:
    things = {"apple#1": "table", "apple#2": "counter", "banana": "table", "tea": "table", "orange": "table"}
    kitchen = Kitchen(State("counter", tuple(things.items())))
    end, steps = run("Bin all the fruit that's on the table, but not the orange.", kitchen, wants=carries, sees_all=True)
    assert end.result.outcome == "done"
    assert kitchen.state.where == things | {"apple#1": "trash", "banana": "trash"}
    assert len(steps) == 8


def test_what_is_nowhere_ends_after_failures_in_a_row() -> None:
    end, steps = run("Bring me the coke can.", Kitchen(State("table", (("apple", "table"),))))
    assert (end.result.outcome, steps) == ("failed", ["find a coke can"] * 3)
    assert "there is no coke can anywhere" in end.result.message


def test_a_robot_that_only_claims_to_have_picked_up_is_not_believed() -> None:
    """The skill states `held`, and the can is seen to stand where it stood."""
    kitchen = Kitchen(State("table", (("coke can", "table"),)))
    attempt, claims = kitchen.attempt, ["pick"]

    def claim(skill: str, argument: str = "") -> tuple[Outcome, str]:
        if skill in claims:
            claims.remove(skill)
            return "succeeded", "pick"
        return attempt(skill, argument)

    kitchen.attempt = claim  # type: ignore[method-assign]
    end, steps = run("Bring me the coke can.", kitchen)
    assert steps == [PLAN[0], PLAN[1], *PLAN[1:4]]
    assert end.result.outcome == "done"
    assert end.step is not None
    assert end.step.history[1] == f"{PLAN[1]} (failed: its effect is not seen)"


@pytest.mark.parametrize("text", ["", "...", "x" * 500])
def test_words_that_are_none_are_refused(text: str) -> None:
    end, steps = run(text, Kitchen(State("table", (("apple", "table"),))))
    assert (end.result.outcome, steps) == ("refused", [])
