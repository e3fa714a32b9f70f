"""What can be done, from what is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from seesay.messages import Alternative, ArmState, Header, Objects
from seesay.planner.affordance import Affordance, AffordanceModel
from seesay.planner.calibration import Calibration
from seesay.planner.prompt import StepRecord
from seesay.planner.relations import find, holds
from seesay.planner.skills import Option, load_library
from tests.planner.things import S, scene, thing

LIBRARY = replace(load_library(), calibration=None)
OPTIONS = {option.phrase: option for option in LIBRARY.candidates()}


def option(block: str, place: str) -> Option:
    return next(o for o in OPTIONS.values() if o.arguments == {"object": block, "place": place})


def can(
    chosen: Option, objects: Objects, at_s: float = 10.0, gripper: ArmState | None = None, history: Sequence[StepRecord] = ()
) -> Affordance:
    return AffordanceModel().estimate(chosen, LIBRARY, objects, int(at_s * S), gripper, history)


def test_all_clear(table: Objects) -> None:
    affordance = can(option("red block", "green bowl"), table)
    assert affordance == Affordance(0.9, (), 10 * S)


def test_a_calibration_is_of_evidence_and_what_stands_in_the_way_multiplies(table: Objects) -> None:
    """Raw 0.9 is fitted to 0.98 and raw 0.45 to 0.8: a place that is taken takes its share off either."""
    fitted = replace(LIBRARY, calibration=Calibration({"pick_and_place": ((0.45, 0.9), (0.8, 0.98))}))
    chosen = option("red block", "top left corner")
    crowded = scene(*table.objects, thing(5, "yellow block", -0.16, 0.11))
    unsure = scene(thing(1, "red block", 0, 0, score=0.25))

    def fit(objects: Objects, at_s: float = 10.0) -> float:
        return AffordanceModel().estimate(chosen, fitted, objects, int(at_s * S), None, ()).probability

    assert [fit(table), fit(unsure), fit(crowded)] == pytest.approx([0.98, 0.8, 0.3 * 0.98])
    assert fit(table, 41) == 0.0


def test_never_seen(table: Objects) -> None:
    assert can(option("green block", "green bowl"), table) == Affordance(0.0, ("green block not seen",))
    assert can(option("red block", "blue bowl"), table).reasons == ("blue bowl not seen",)


def test_age_lowers_and_then_refuses(table: Objects) -> None:
    chosen = option("red block", "green bowl")
    ages = [can(chosen, table, at_s).probability for at_s in (10, 12, 14.2, 20, 41)]
    assert ages[0] == ages[1] > ages[2] > ages[3] > ages[4] == 0.0
    assert "red block last seen 4.2 s ago" in can(chosen, table, 14.2).reasons
    assert can(chosen, table, 14.2).evidence_ns == 10 * S


def test_sureness_status_and_reach() -> None:
    bowl = thing(2, "green bowl", 0, 0.1, size=0.12)
    chosen = option("red block", "green bowl")
    unsure = can(chosen, scene(thing(1, "red block", 0, 0, score=0.25), bowl))
    assert unsure.probability == pytest.approx(0.45)
    assert unsure.reasons == ("red block seen with score 0.25 only",)
    hidden = can(chosen, scene(thing(1, "red block", 0, 0, status="occluded"), bowl))
    lost = can(chosen, scene(thing(1, "red block", 0, 0, status="lost"), bowl))
    assert 0.0 < lost.probability < hidden.probability < 0.9
    assert lost.reasons == ("red block is lost",)
    far = can(chosen, scene(thing(1, "red block", 0.3, 0), bowl))
    assert far == Affordance(0.0, ("red block out of reach",), 10 * S)


def test_places_that_are_taken(table: Objects) -> None:
    corner, bowl, block = (option("red block", place) for place in ("top left corner", "green bowl", "blue block"))
    more = [*table.objects, thing(5, "yellow block", -0.16, 0.11), thing(6, "green block", 0.05, 0.08)]
    more.append(thing(7, "ball", 0.1, -0.05, 0.07))
    crowded = scene(*more)
    assert can(corner, table).probability > can(corner, crowded).probability
    assert can(corner, crowded).reasons == ("yellow block is at the top left corner",)
    assert can(bowl, crowded).reasons == ("green block is in the green bowl",)
    assert can(block, crowded).reasons == ("ball stands on the blue block",)
    assert can(option("blue block", "green bowl"), crowded).reasons[0] == "ball stands on the blue block"


def test_on_itself_is_impossible(table: Objects) -> None:
    affordance = can(option("red block", "red block"), table)
    assert affordance.probability == 0.0
    assert "the red block cannot be put on itself" in affordance.reasons


def test_gripper(table: Objects) -> None:
    holding = ArmState(Header(10 * S), np.zeros(3), 0.0, 0.04, 6.0, 0.0)
    affordance = can(option("red block", "green bowl"), table, gripper=holding)
    assert affordance.reasons == ("the gripper holds something",)
    assert 0.0 < affordance.probability < 0.1


def test_effects_are_recognised() -> None:
    bowl, block = thing(2, "green bowl", 0, 0.1, size=0.12), thing(3, "blue block", 0.1, 0)
    inside = scene(thing(1, "red block", 0.01, 0.1, 0.03), bowl, block)
    stacked = scene(thing(1, "red block", 0.1, 0.005, 0.066), bowl, block)
    corner = scene(thing(1, "red block", -0.16, 0.13), bowl, block)
    for place, state in (("green bowl", inside), ("blue block", stacked), ("top left corner", corner)):
        chosen = option("red block", place)
        assert [holds(chosen, LIBRARY, each) for each in (inside, stacked, corner)] == [each is state for each in (inside, stacked, corner)]
        assert can(chosen, state).reasons == ("already there",)
    assert holds(option("red block", "green bowl"), LIBRARY, scene(bowl)) is None
    doubtful = scene(thing(1, "red block", 0.06, 0.12, 0.03), bowl)
    assert holds(option("red block", "green bowl"), LIBRARY, doubtful) is None


def test_done_follows_the_last_step() -> None:
    chosen = option("red block", "green bowl")
    done = OPTIONS["done"]
    bowl = thing(2, "green bowl", 0, 0.1, size=0.12)
    inside, elsewhere = scene(thing(1, "red block", 0, 0.1, 0.03), bowl), scene(thing(1, "red block", 0.1, 0), bowl)
    step = StepRecord(chosen.phrase)
    assert can(done, inside, history=[step]) == Affordance(LIBRARY.done_affordance)
    assert can(done, scene(bowl), history=[step]) == Affordance(LIBRARY.done_affordance)
    for history, objects in (([], inside), ([step], elsewhere), ([replace(step, succeeded=False)], inside)):
        lowered = can(done, objects, history=history)
        assert 0.0 < lowered.probability < LIBRARY.done_affordance
        assert lowered.reasons


def test_a_step_that_was_done_is_not_done_again() -> None:
    """Also where its object is hidden in the bowl by now."""
    chosen = option("red block", "green bowl")
    hidden = scene(thing(1, "red block", 0, 0, status="occluded"), thing(2, "green bowl", 0, 0.1, size=0.12))
    assert "already done" in can(chosen, hidden, history=[StepRecord(chosen.phrase)]).reasons
    assert "already done" not in can(chosen, hidden, history=[StepRecord(chosen.phrase, False)]).reasons


def test_names_and_alternatives() -> None:
    cup = replace(thing(1, "red cup", 0, 0, score=0.6), alternatives=(Alternative("red block", 0.4),))
    block = thing(2, "red block", 0.1, 0, score=0.3)
    assert find(scene(cup), "red block") is cup
    assert find(scene(cup, block), "red block") is block
    fainter = replace(block, id=3, score=0.2)
    assert find(scene(replace(block, status="lost"), fainter), "red block") is fainter
    assert find(scene(replace(cup, alternatives=(Alternative("red block", 0.1),))), "red block") is None


def test_what_is_seen_now_goes_before_what_was_known_at_its_old_place() -> None:
    """A thing that was carried away may stand in the list twice, the old one under the lower id."""
    old, new = thing(1, "red block", 0.1, 0.1, seen_s=2.0), thing(2, "red block", -0.1, 0.1, score=0.6)
    assert find(scene(old, new), "red block") is new
    assert find(scene(old, replace(new, status="lost")), "red block") is old
