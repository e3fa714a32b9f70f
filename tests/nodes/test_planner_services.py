"""What other planners ask of the planner node: objects, affordances, scores, a plan."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

from seesay import topics
from seesay.bus import AnyBus
from seesay.clock import ManualClock
from seesay.errors import ServiceError
from seesay.memory_bus import MemoryBus
from seesay.messages import AffordancesRequest, Header, Objects, ObjectsRequest, PlanRequest, ScoreRequest
from seesay.nodes.node import Node
from seesay.nodes.planner_services import MOST_PHRASES, PlannerServices
from seesay.planner.language import ScriptedScorer
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from seesay.services import AFFORDANCES, OBJECTS, PLAN, SCORE
from tests.planner.things import S, scene, thing

LIMIT_S = 30
NOW = Header(0)
RED_GREEN = "pick up the red block and place it in the green bowl"
TABLE = scene(thing(1, "red block", -0.1, -0.05), thing(3, "green bowl", 0.05, 0.08, size=0.12))


@pytest.fixture
def bus() -> Iterator[AnyBus]:
    """Another node's bus beside a planner that has seen a red block and a green bowl."""
    with MemoryBus("planner") as own, own.join("asker") as asker:
        saycan = SayCan(replace(load_library(), calibration=None), ScriptedScorer({RED_GREEN: -1.0, "done": -1.5}))
        node = Node("planner", own, ManualClock(10 * S))
        PlannerServices(node, saycan, own.subscriber(topics.OBJECTS), own.subscriber(topics.ARM_STATE))
        yield asker


def show(bus: AnyBus, objects: Objects = TABLE) -> None:
    bus.publisher(topics.OBJECTS).send(objects)


def test_before_the_first_picture_the_answer_says_so(bus: AnyBus) -> None:
    with pytest.raises(ServiceError, match="got none yet: start the camera"):
        bus.client(OBJECTS).call(ObjectsRequest(NOW), LIMIT_S)


def test_objects_by_name(bus: AnyBus) -> None:
    show(bus)
    ask = bus.client(OBJECTS)
    assert [seen.label for seen in ask.call(ObjectsRequest(NOW), LIMIT_S).objects] == ["red block", "green bowl"]
    assert [seen.id for seen in ask.call(ObjectsRequest(NOW, "green bowl"), LIMIT_S).objects] == [3]
    assert ask.call(ObjectsRequest(NOW, "blue bowl"), LIMIT_S).objects == ()


def test_affordances_come_with_goals_that_run(bus: AnyBus) -> None:
    show(bus)
    options = {each.phrase: each for each in bus.client(AFFORDANCES).call(AffordancesRequest(NOW), LIMIT_S).affordances}
    assert len(options) == 53
    possible = options[RED_GREEN]
    assert possible.probability == pytest.approx(0.9)
    assert possible.goal is not None
    assert possible.goal.targets["object"].object_id == 1
    assert len({each.goal.id for each in options.values() if each.goal}) == sum(1 for each in options.values() if each.goal)
    missing = options["pick up the blue block and place it in the green bowl"]
    assert (missing.probability, missing.goal, missing.reasons) == (0.0, None, ("blue block not seen",))
    assert options["done"].goal is None


def test_scores_of_phrases_and_of_all_options(bus: AnyBus) -> None:
    ask = bus.client(SCORE)
    assert ask.call(ScoreRequest(NOW, "tidy up", ("sing", RED_GREEN)), LIMIT_S).log_p == (-20.0, -1.0)
    everything = ask.call(ScoreRequest(NOW, "tidy up"), LIMIT_S)
    assert len(everything.log_p) == len(everything.phrases) == 53
    assert all(math.isfinite(value) for value in everything.log_p)
    with pytest.raises(ServiceError, match=f"at most {MOST_PHRASES} phrases"):
        ask.call(ScoreRequest(NOW, "tidy up", ("sing",) * (MOST_PHRASES + 1)), LIMIT_S)
    with pytest.raises(ServiceError, match="expected an instruction in words"):
        ask.call(ScoreRequest(NOW, ""), LIMIT_S)


def test_a_plan_is_one_step_from_how_things_stand(bus: AnyBus) -> None:
    show(bus)
    ask = bus.client(PLAN)
    plan = ask.call(PlanRequest(NOW, "put the red block in the green bowl"), LIMIT_S)
    assert plan.goal is not None
    assert (plan.message, plan.goal.phrase, plan.result) == (RED_GREEN, RED_GREEN, None)
    assert plan.step is not None
    assert len(plan.step.candidates) == 53
    again = ask.call(PlanRequest(NOW, "put the red block in the green bowl"), LIMIT_S)
    assert again.goal is not None
    assert again.goal.id != plan.goal.id


def test_a_plan_ends_when_the_goal_is_seen_to_hold(bus: AnyBus) -> None:
    show(bus, scene(thing(1, "red block", 0.05, 0.08, 0.04), thing(3, "green bowl", 0.05, 0.08, size=0.12)))
    plan = bus.client(PLAN).call(PlanRequest(NOW, "put the red block in the green bowl", (RED_GREEN,)), LIMIT_S)
    assert plan.goal is None
    assert plan.result is not None
    assert plan.result.outcome == "done"


def test_what_cannot_be_done_is_refused_with_a_reason(bus: AnyBus) -> None:
    show(bus)
    ask = bus.client(PLAN)
    plan = ask.call(PlanRequest(NOW, "put the blue block in the green bowl"), LIMIT_S)
    assert plan.result is not None
    assert plan.result.outcome == "refused"
    assert "blue block, which is not seen" in plan.message
    with pytest.raises(ServiceError, match="expected phrases of the skill library, got 'sing'"):
        ask.call(PlanRequest(NOW, "put the red block in the green bowl", ("sing",)), LIMIT_S)
