"""The kitchen's skills: options, and affordances from conditions, effects and a search skill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seesay.messages import ArmState, Header, Objects
from seesay.planner.affordance import Affordance, AffordanceModel
from seesay.planner.language import ScriptedScorer
from seesay.planner.prompt import StepRecord
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from tests.planner.things import S, order, scene, thing

LIBRARY = replace(load_library("kitchen"), calibration=None)
OPTIONS = {option.phrase: option for option in LIBRARY.candidates()}
X, Y, _ = LIBRARY.places["table"]


def robot(place: str = "table", holding: bool = False) -> ArmState:
    return ArmState(Header(10 * S), np.array(LIBRARY.places[place]), 0.0, 0.04, 6.0 if holding else 0.0, 0.0)


def can(phrase: str, objects: Objects, arm: ArmState, *history: str, at_s: float = 10.0) -> Affordance:
    records = [StepRecord(step) for step in history]
    return AffordanceModel().estimate(OPTIONS[phrase], LIBRARY, objects, int(at_s * S), arm, records)


TABLE = scene(thing(1, "coke can", X + 0.2, Y), thing(2, "tea", *LIBRARY.places["counter"][:2]))
HOLDING = scene(thing(1, "coke can", X, Y, status="held"), thing(2, "tea", *LIBRARY.places["counter"][:2]))


def test_the_end_is_likeliest_after_the_step_that_plans_end_with() -> None:
    fitted = load_library("kitchen")
    assert fitted.calibration is not None

    def done(*history: StepRecord) -> float:
        return AffordanceModel().estimate(OPTIONS["done"], fitted, TABLE, 10 * S, robot(), history).probability

    after = fitted.calibration.done.after
    assert (done(), done(StepRecord("find a coke can"))) == (after[""], after["find"])
    assert after["put_down"] > 0.5 > max(share for skill, share in after.items() if skill != "put_down")
    assert done(StepRecord("put down the tea", succeeded=False)) == pytest.approx(0.1 * after["put_down"])


def test_the_61_options() -> None:
    phrases = list(OPTIONS)
    assert len(phrases) == 61
    some = {"find a apple", "pick up the coke can", "put down the sponge", "go to the far counter", "bring it to you", "done"}
    assert set(phrases) >= some


@pytest.mark.parametrize(
    ("phrase", "objects", "arm", "reason"),
    [
        ("pick up the coke can", TABLE, robot(), ""),
        ("pick up the coke can", TABLE, robot("counter"), "not near: coke can"),
        ("pick up the tea", HOLDING, robot("counter", True), "the gripper holds something"),
        ("pick up the pepsi", TABLE, robot(), "pepsi not seen"),
        ("put down the coke can", HOLDING, robot(holding=True), ""),
        ("put down the coke can", TABLE, robot(), "not held: coke can"),
        ("put down the tea", HOLDING, robot(holding=True), "not held: tea"),
        ("bring it to you", HOLDING, robot(holding=True), ""),
        ("bring it to you", TABLE, robot(), "the gripper is empty"),
        ("bring it to you", HOLDING, robot("user", True), "already so"),
        ("go to the counter", HOLDING, robot(holding=True), ""),
        ("go to the counter", TABLE, robot(), "of little use unless full"),
        ("go to the table", TABLE, robot(), "already so"),
        ("find a tea", TABLE, robot(), ""),
        ("find a coke can", TABLE, robot(), "already so"),
        ("find a pepsi", TABLE, robot(), "pepsi not seen so far"),
    ],
)
def test_conditions(phrase: str, objects: Objects, arm: ArmState, reason: str) -> None:
    affordance = can(phrase, objects, arm)
    assert affordance.reasons == ((reason,) if reason else ())
    assert (affordance.probability == 1.0) is (not reason)


def test_what_is_not_seen_can_be_searched_for() -> None:
    """Not seen lowers and never forbids a search; what was seen long ago counts as not seen, and says so."""
    assert 0.0 < can("find a pepsi", TABLE, robot()).probability < can("find a tea", TABLE, robot()).probability
    late = can("find a tea", TABLE, robot(), at_s=100.0)
    assert late.reasons == ("tea not seen for long",)
    assert late.probability > 0.0
    assert can("pick up the coke can", TABLE, robot(), at_s=100.0).probability == 0.0


def test_taking_back_the_last_step() -> None:
    undo = can("put down the coke can", HOLDING, robot(holding=True), "pick up the coke can")
    assert undo.reasons == ("would only undo the last step",)
    assert can("put down the coke can", HOLDING, robot(holding=True), "pick up the coke can", "go to the table").reasons == ()


def test_several_of_one_kind() -> None:
    """One at hand is enough to pick; a search has something to do while another is elsewhere."""
    two = scene(thing(1, "orange", *LIBRARY.places["counter"][:2]), thing(2, "orange", X, Y))
    assert can("pick up the orange", two, robot()).reasons == ()
    assert can("find a orange", two, robot()).reasons == ()


def test_a_robot_that_does_not_tell_is_not_doubted() -> None:
    affordance = AffordanceModel().estimate(OPTIONS["pick up the coke can"], LIBRARY, TABLE, 10 * S, None, [])
    assert affordance.probability == 1.0


def test_a_prefix_does_not_win_over_the_longer_phrase() -> None:
    """The terminator is part of what is scored: "pick up the sea" must not beat "pick up the sea salt chips"."""
    library = LIBRARY.with_objects(things=["coke", "coke can"])
    things = scene(thing(1, "coke", X, Y), thing(2, "coke can", X + 0.1, Y))
    scores = {"pick up the coke": -6.0, "pick up the coke can": -1.0}
    step = SayCan(library, ScriptedScorer(scores)).decide(order("pick up the coke can"), [], things, 10 * S, robot())
    assert step.choice is not None
    assert step.candidates[step.choice].phrase == "pick up the coke can"


def test_search_goal_needs_no_position() -> None:
    saycan = SayCan(LIBRARY, ScriptedScorer({"find a pepsi": -0.1}))
    goal = saycan.goal(saycan.decide(order("find a pepsi"), [], TABLE, 10 * S, robot()), TABLE)
    assert (goal.skill, goal.targets["object"].label, goal.targets["object"].object_id) == ("find", "pepsi", 0)
