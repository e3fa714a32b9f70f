"""Two steps seen ahead over expected effects."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from seesay.messages import Objects
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
    then = expected(option, LIBRARY, table)
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
