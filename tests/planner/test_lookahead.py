"""Two steps seen ahead over expected effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from seesay.messages import ArmState, Header, Objects
from seesay.planner.effects import expected
from seesay.planner.language import Best, ScriptedScorer
from seesay.planner.relations import holds
from seesay.planner.saycan import SayCan
from seesay.planner.skills import Option, load_library
from tests.planner.things import S, order, scene, thing

LIBRARY = load_library()
ORDER = order("put the red block on the blue block in some way")


@pytest.mark.parametrize("option", [o for o in LIBRARY.candidates() if o.arguments.get("object") == "red block"], ids=lambda o: o.phrase)
def test_the_expected_effect_of_an_option_holds_after_it(option: Option, table: Objects) -> None:
    then, _ = expected(option, LIBRARY, table)
    place = option.arguments["place"]
    seen = place in LIBRARY.places or place in ("blue block", "green bowl", "yellow bowl")
    assert holds(option, LIBRARY, then) is (True if seen else None)
    assert [thing.label for thing in then.objects] == [thing.label for thing in table.objects]


def test_a_step_that_opens_the_way_wins_over_one_that_closes_it() -> None:
    """Red and yellow are to end on blue, red below: yellow on blue first looks a little better, but then red finds blue covered."""
    yellow, red = "pick up the yellow block and place it on the blue block", "pick up the red block and place it on the blue block"
    tower = "pick up the yellow block and place it on the red block"
    objects = scene(thing(1, "red block", -0.1, 0), thing(2, "yellow block", 0.1, 0), thing(3, "blue block", 0, 0.05))

    def says(context: str, phrase: str) -> float:
        steps = context.rpartition("Robot: ")[2]
        if red in steps:
            return -0.1 if phrase == tower else -9.0
        return {yellow: -0.9, red: -1.0}.get(phrase, -9.0)

    plain = SayCan(LIBRARY, ScriptedScorer(says)).decide(ORDER, [], objects, 10 * S)
    ahead = SayCan(LIBRARY, ScriptedScorer(says), lookahead=3).decide(ORDER, [], objects, 10 * S)
    assert plain.choice is not None
    assert ahead.choice is not None
    assert (plain.candidates[plain.choice].phrase, ahead.candidates[ahead.choice].phrase) == (yellow, red)
    why = next(candidate.why_not for candidate in ahead.candidates if candidate.phrase == yellow)
    assert why.startswith("with the step after it, it is ")


def test_without_it_the_language_model_is_asked_once(table: Objects) -> None:
    once, more = ScriptedScorer({}), ScriptedScorer({})
    SayCan(LIBRARY, once).decide(ORDER, [], table, 10 * S)
    SayCan(LIBRARY, more, lookahead=2).decide(ORDER, [], table, 10 * S)
    assert (len(once.calls), len(more.calls)) == (1, 3)


class Searching(ScriptedScorer):
    """Counts what it is asked to search."""

    searched = 0

    def best(self, context: str, phrases: Sequence[str], log_weights: Sequence[float], terminator: str = "\n") -> Best:
        self.searched += 1
        totals = [log_p + weight for log_p, weight in zip(self.score(context, phrases), log_weights, strict=True)]
        return Best(totals.index(max(totals)), tuple(self.score(context, phrases)), (True,) * len(phrases))


def test_the_step_after_is_searched_not_scored(table: Objects) -> None:
    """Of the second step only the best is wanted."""
    says = {"pick up the red block and place it on the blue block": -1.0, "done": -3.0}
    plain, searching = ScriptedScorer(says), Searching(says)
    steps = [SayCan(LIBRARY, scorer, lookahead=3).decide(ORDER, [], table, 10 * S) for scorer in (plain, searching)]
    assert steps[0].choice == steps[1].choice
    assert searching.searched == 2  # of the three best options, done is followed by nothing


SHIPPED = load_library("kitchen")
assert SHIPPED.calibration is not None
KITCHEN = replace(SHIPPED, calibration=replace(SHIPPED.calibration, temperature=2.0))   # whatever the fitted one is
X, Y, Z = KITCHEN.places["table"]


def at_table(*, holding: bool) -> tuple[Objects, ArmState]:
    """A tea, in the gripper or beside it, and a coke can on the table, where the robot stands."""
    things = scene(thing(1, "tea", X, Y, Z, status="held" if holding else "visible"), thing(2, "coke can", X + 0.2, Y, Z))
    return things, ArmState(Header(10 * S), np.array([X, Y, Z]), 0.0, 0.04, 5.0 if holding else 0.0, 0.0)


@pytest.mark.parametrize("phrase", ["find a coke can", "find a sponge", "pick up the coke can", "go to the trash", "put down the tea",
                                    "bring it to you"])  # fmt: skip
def test_the_effects_that_a_skill_states_hold_after_it(phrase: str) -> None:
    option = next(each for each in KITCHEN.candidates() if each.phrase == phrase)
    objects, gripper = at_table(holding=option.skill in ("put_down", "bring"))
    then, hand = expected(option, KITCHEN, objects, gripper)
    assert holds(option, KITCHEN, objects, gripper) is (phrase == "find a coke can")   # it is near already
    assert holds(option, KITCHEN, then, hand) is True


def test_what_is_held_goes_where_the_robot_goes() -> None:
    objects, gripper = at_table(holding=True)
    then, hand = expected(next(each for each in KITCHEN.candidates() if each.phrase == "go to the trash"), KITCHEN, objects, gripper)
    assert hand is not None
    assert hand.position.tolist() == list(KITCHEN.places["trash"]) == then.objects[0].position.tolist()
    assert then.objects[1] is objects.objects[1]


def test_without_the_state_of_the_gripper_it_stays_unknown() -> None:
    objects, _ = at_table(holding=True)
    for option in KITCHEN.candidates()[:-1]:
        assert expected(option, KITCHEN, objects)[1] is None


def test_put_down_before_pick_up() -> None:
    """The gripper is full: to pick up at once looks better by itself, and worse with what can come after it."""
    objects, gripper = at_table(holding=True)

    def says(context: str, phrase: str) -> float:
        return {"pick up the coke can": -0.5, "put down the tea": -6.0, "bring it to you": -8.0}.get(phrase, -20.0)

    scorer, wish = ScriptedScorer(says), order("bring me the coke can")
    plain, ahead = (SayCan(KITCHEN, scorer, lookahead=n).decide(wish, [], objects, 10 * S, gripper) for n in (0, 3))
    assert plain.choice is not None
    assert ahead.choice is not None
    assert (plain.candidates[plain.choice].phrase, ahead.candidates[ahead.choice].phrase) == ("pick up the coke can", "put down the tea")


def test_the_temperature_counts_in_the_step_after_too() -> None:
    objects, gripper = at_table(holding=True)
    scorer = ScriptedScorer(lambda context, phrase: {"put down the tea": -1.0, "pick up the coke can": -3.0}.get(phrase, -9.0))
    saycan, wish = SayCan(KITCHEN, scorer), order("bring me the coke can")
    decided = saycan.decide(wish, [], objects, 10 * S, gripper)
    assert KITCHEN.calibration is not None
    assert KITCHEN.calibration.temperature == 2.0
    best = saycan._best(wish.text, [], objects, 10 * S, gripper, None)
    assert best == pytest.approx(max(candidate.log_score for candidate in decided.candidates))
