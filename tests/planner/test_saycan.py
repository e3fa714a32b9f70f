"""The decision: terms, choice, and reasons."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.errors import SkillError
from seesay.messages import Objects
from seesay.planner.affordance import Affordance, AffordanceModel
from seesay.planner.language import ScriptedScorer
from seesay.planner.prompt import StepRecord
from seesay.planner.saycan import Mode, SayCan, options_by_score
from seesay.planner.skills import load_library
from tests.planner.things import S, order, scene, thing

LIBRARY = replace(load_library(), calibration=None)
STEP = "pick up the red block and place it in the green bowl"
UNSEEN = "pick up the green block and place it in the green bowl"
ORDER = order("put the red block in the green bowl")


def test_product_of_language_and_affordance(table: Objects) -> None:
    scorer = ScriptedScorer({STEP: -1.0, UNSEEN: -0.5, "done": -3.0})
    step = SayCan(LIBRARY, scorer).decide(ORDER, [], table, 10 * S)
    assert len(step.candidates) == 53
    assert step.choice is not None
    chosen = step.candidates[step.choice]
    assert chosen.phrase == STEP
    assert chosen.log_score == pytest.approx(-1.0 + math.log(0.9))
    assert chosen.why_not == ""
    assert sum(candidate.probability for candidate in step.candidates) == pytest.approx(1.0)
    unseen = next(candidate for candidate in step.candidates if candidate.phrase == UNSEEN)
    assert (unseen.log_p_language, unseen.log_score, unseen.affordance) == (None, -math.inf, 0.0)
    assert unseen.why_not == "green block not seen"
    assert all(candidate.why_not for candidate in step.candidates if candidate is not chosen)
    assert step.header.stamp_ns == 10 * S
    assert step.header.source == table.header.source
    assert UNSEEN not in scorer.calls[0][1]


def test_losers_name_the_term_that_decided(table: Objects) -> None:
    other = "pick up the red block and place it in the yellow bowl"
    scores = {STEP: -1.0, other: -1.0 - math.log(20), "done": -1.0}
    step = SayCan(LIBRARY, ScriptedScorer(scores)).decide(ORDER, [], table, 10 * S)
    why = {candidate.phrase: candidate.why_not for candidate in step.candidates}
    assert why[other] == "the language model finds it 20 times less probable"
    assert why["done"] == "nothing has been done yet (45 times less likely to succeed)"
    assert options_by_score(step)[0].phrase == STEP


def test_modes(table: Objects) -> None:
    scorer = ScriptedScorer({STEP: -1.0, UNSEEN: -0.5})
    language = SayCan(LIBRARY, scorer, mode="language_only").decide(ORDER, [], table, 10 * S)
    assert language.choice is not None
    assert language.candidates[language.choice].phrase == UNSEEN
    assert len(scorer.calls[-1][1]) == 53
    affordance = SayCan(LIBRARY, scorer, mode="affordance_only").decide(ORDER, [], table, 10 * S)
    assert affordance.choice is not None
    assert affordance.candidates[affordance.choice].affordance == max(candidate.affordance for candidate in affordance.candidates)
    assert affordance.choice == min(i for i, c in enumerate(affordance.candidates) if c.affordance == 0.9)
    assert all(candidate.log_p_language is None for candidate in affordance.candidates)
    assert len(scorer.calls) == 1
    everything = SayCan(LIBRARY, scorer, score_all=True).decide(ORDER, [], table, 10 * S)
    assert everything.candidates[everything.choice or 0].phrase == STEP
    assert all(candidate.log_p_language is not None for candidate in everything.candidates)
    with pytest.raises(SkillError, match="expected a mode"):
        SayCan(LIBRARY, scorer, mode="both")  # type: ignore[arg-type]


def test_very_improbable_phrases_do_not_underflow(table: Objects) -> None:
    step = SayCan(LIBRARY, ScriptedScorer({STEP: -2000.0}, default=-2010.0)).decide(ORDER, [], table, 10 * S)
    assert step.choice is not None
    assert step.candidates[step.choice].phrase == STEP
    assert 0.99 < step.candidates[step.choice].probability <= 1.0


def test_nothing_is_feasible() -> None:
    from dataclasses import replace

    step = SayCan(replace(LIBRARY, done_affordance=0.0), ScriptedScorer({})).decide(ORDER, [], scene(), 10 * S)
    assert step.choice is None
    assert all(candidate.probability == 0.0 for candidate in step.candidates)
    assert all(candidate.why_not for candidate in step.candidates)


@pytest.mark.parametrize("bad", [math.nan, 0.5])
def test_scorer_that_gives_no_log_probabilities(table: Objects, bad: float) -> None:
    with pytest.raises(SkillError, match="scripted"):
        SayCan(LIBRARY, ScriptedScorer({STEP: bad})).decide(ORDER, [], table, 10 * S)


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.2])
def test_affordance_out_of_range_is_refused(table: Objects, bad: float) -> None:
    class Broken(AffordanceModel):
        def estimate(self, *_: object) -> Affordance:
            return Affordance(bad)

    with pytest.raises(SkillError, match="within 0 and 1"):
        SayCan(LIBRARY, ScriptedScorer({}), affordances=Broken()).decide(ORDER, [], table, 10 * S)


@given(st.lists(st.floats(-50, 0), min_size=53, max_size=53), st.sampled_from(["combined", "language_only", "affordance_only"]))
def test_choice_is_the_maximum_and_shares_sum_to_one(values: list[float], mode: Mode) -> None:
    table = scene(thing(1, "red block", -0.1, 0), thing(2, "green bowl", 0.1, 0.05, size=0.12))
    table_of_scores = {option.phrase: value for option, value in zip(LIBRARY.candidates(), values, strict=True)}
    step = SayCan(LIBRARY, ScriptedScorer(table_of_scores), mode=mode).decide(ORDER, [], table, 10 * S)
    scores = [candidate.log_score for candidate in step.candidates]
    assert step.choice == scores.index(max(scores))
    assert sum(candidate.probability for candidate in step.candidates) == pytest.approx(1.0)


def test_goal_carries_what_was_perceived(table: Objects) -> None:
    saycan = SayCan(LIBRARY, ScriptedScorer({STEP: -1.0}))
    step = saycan.decide(ORDER, [], table, 11 * S)
    goal = saycan.goal(step, table)
    block, bowl = goal.targets["object"], goal.targets["place"]
    assert (goal.skill, goal.phrase, goal.id) == ("pick_and_place", STEP, "t1/1")
    assert (block.label, block.object_id, block.stamp_ns, block.yaw) == ("red block", 1, 10 * S, 0.3)
    assert block.position.tolist() == table.objects[0].position.tolist()
    assert bowl.extent.tolist() == [0.12] * 3
    assert goal.header.frame_id == "world"
    assert step.evidence_age_ms == pytest.approx(1000.0)


def test_goal_at_a_named_place(table: Objects) -> None:
    phrase = "pick up the red block and place it in the middle"
    saycan = SayCan(LIBRARY, ScriptedScorer({phrase: -1.0}))
    place = saycan.goal(saycan.decide(ORDER, [], table, 11 * S), table).targets["place"]
    assert (place.label, place.object_id, place.position.tolist(), place.stamp_ns) == ("middle", 0, [0.0, 0.0, 0.0], 11 * S)


def test_no_goal_for_done_or_for_what_is_not_seen(table: Objects) -> None:
    saycan = SayCan(LIBRARY, ScriptedScorer({"done": -0.1}))
    with pytest.raises(SkillError, match="done"):
        saycan.goal(saycan.decide(ORDER, [StepRecord(STEP)], table, 10 * S), table)
    blind = SayCan(LIBRARY, ScriptedScorer({UNSEEN: -0.1}), mode="language_only")
    with pytest.raises(SkillError, match="green block not seen"):
        blind.goal(blind.decide(ORDER, [], table, 10 * S), table)


def test_warm_runs_the_fixed_part() -> None:
    warmed = []

    class Scorer(ScriptedScorer):
        def warm(self, context: str) -> None:
            warmed.append(context)

    saycan = SayCan(LIBRARY, Scorer({}))
    saycan.warm()
    assert warmed == [saycan.dialogue.base()]
