"""The kitchen benchmark with a scripted language model: verdicts, conditions, figures, and scores that are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.kept_scores import KeptScores
from benchmarks.keyword_planner import keyword_plan
from benchmarks.kitchen_plans import CONDITIONS, DATA, evaluate, figures, mcnemar
from benchmarks.kitchen_runs import Episode, run
from seesay.planner.language import ScriptedScorer
from seesay.planner.skills import load_library
from seesay.sim.kitchen_scenes import KitchenScene, read_classes, read_scenes

LIBRARY = load_library("kitchen")
PHRASES = [option.phrase for option in LIBRARY.candidates()]
CLASSES = {"soda": ("coke can", "pepsi", "7up")}


def soda(kind: str, number: int = 1) -> KitchenScene:
    """Any soda is asked for, and there is one kind, with a distractor."""
    plan = (f"find a {kind}", f"pick up the {kind}", "bring it to you", f"put down the {kind}", "done")
    things = {kind: "table", "sponge": "counter"}
    return KitchenScene(f"{kind} {number}", "nouns", "Bring me a soda.", "counter", things, ["delivered", "soda"], CLASSES, (plan,))


def say(context: str, phrase: str) -> float:
    """A model that knows how to bring things and slightly prefers coke."""
    steps = [line.partition(". ")[2] for line in context.rpartition("Human: ")[2].split("\n")[1:-1]]
    named = next((kind for kind in CLASSES["soda"] if steps and kind in steps[0]), None)
    if named is None:
        return -1.0 if phrase == "find a coke can" else -2.0 if phrase in ("find a pepsi", "find a 7up") else -12.0
    plan = [f"find a {named}", f"pick up the {named}", "bring it to you", f"put down the {named}", "done"]
    return -0.1 if phrase == plan[min(len(steps), 4)] else -12.0


def test_affordances_choose_what_is_there_and_foreign_ones_do_not() -> None:
    scenes = [soda("pepsi" if n < 4 else "7up", n) for n in range(8)]
    got = figures(evaluate(scenes, LIBRARY, ScriptedScorer(say)))
    shares = {name: got["conditions"][name]["plan_success"] for name in CONDITIONS}
    assert shares["oracle_perception"] == 1.0
    assert shares["language_only"] == 0.0
    assert shares["combined"] >= 0.75
    assert shares["foreign_affordance"] <= 0.5
    assert got["gain_combined_over_language"] == shares["combined"]
    assert got["p_value_combined_vs_language"] < 0.05
    assert got["conditions"]["oracle_perception"]["top1"] == 1.0
    assert got["conditions"]["language_only"]["top1"] == 0.8


def test_scenes_without_plans_have_no_top1() -> None:
    got = figures(evaluate([replace(soda("pepsi"), plans=())], LIBRARY, ScriptedScorer(say)))
    assert {each["top1"] for each in got["conditions"].values()} == {None}
    assert got["top1_gain_combined_over_language"] is None
    assert got["conditions"]["oracle_perception"]["n"] == 1


@pytest.mark.parametrize(
    ("steps", "success"),
    [
        (["find a pepsi", "pick up the pepsi", "bring it to you", "done"], True),
        (["find a pepsi", "pick up the pepsi", "done"], False),
        (["find a pepsi", "pick up the pepsi", "bring it to you"] + ["go to the table"] * 7 + ["done"], False),
        (["done"], False),
    ],
)
def test_success_is_the_goal_and_done(steps: list[str], success: bool) -> None:
    rest = iter(steps)
    got = run(replace(soda("pepsi"), plans=()), soda("7up"), "oracle", LIBRARY, lambda _: next(rest))
    assert got.success is success


def test_failed_steps_are_told_and_counted() -> None:
    rest = iter(["pick up the pepsi", "done"])
    got = run(replace(soda("pepsi"), plans=()), soda("7up"), "oracle", LIBRARY, lambda _: next(rest))
    assert got.steps == ("pick up the pepsi (failed: there is no pepsi at the counter)",)


def test_what_each_condition_sees() -> None:
    def labels(eyes: str) -> set[str]:
        return {thing.label for thing in Episode(soda("pepsi"), soda("7up"), eyes, LIBRARY).look().objects}  # type: ignore[arg-type]

    assert labels("oracle") == {"pepsi", "sponge"}
    assert labels("foreign") == {"7up", "sponge"}
    scenes = [replace(soda("pepsi"), id=str(n)) for n in range(200)]
    looks = [{thing.label for thing in Episode(each, each, "noisy", LIBRARY).look().objects} for each in scenes]
    missed = sum(thing not in look for look in looks for thing in ("pepsi", "sponge")) / 400
    false = sum(len(look - {"pepsi", "sponge"}) for look in looks) / (200 * 16)
    assert missed == pytest.approx(0.05, abs=0.03)
    assert false == pytest.approx(0.02, abs=0.01)


def test_an_empty_kitchen_can_be_looked_at() -> None:
    empty = replace(soda("pepsi"), objects={})
    looks = [Episode(replace(empty, id=str(n)), empty, "noisy", LIBRARY).look().objects for n in range(30)]
    assert {len(look) for look in looks} >= {0, 1}


def test_the_noise_is_the_same_in_every_run() -> None:
    one, other = (Episode(soda("pepsi"), soda("7up"), "noisy", LIBRARY).look() for _ in range(2))
    assert [thing.label for thing in one.objects] == [thing.label for thing in other.objects]


def test_keyword_planner() -> None:
    bring = ["find a coke can", "pick up the coke can", "bring it to you", "put down the coke can", "done"]
    assert keyword_plan("Bring me a coke.") == bring
    assert keyword_plan("Throw away the tea.")[2] == "go to the trash"
    assert keyword_plan("Put the apple on the far counter.")[2] == "go to the far counter"
    assert keyword_plan("Go to the table.") == ["go to the table", "done"]
    assert keyword_plan("I am thirsty.") == ["done"]


def test_scores_are_kept_between_runs(tmp_path: Path) -> None:
    keep = tmp_path / "scores.jsonl"
    model = ScriptedScorer(say)
    first = KeptScores("model", lambda: model, keep, PHRASES).score("Human: x.\nRobot: 1. ", PHRASES[:3])
    with keep.open("a") as file:
        file.write('{"key": "cut o')
    again = KeptScores("model", lambda: model, keep, PHRASES)
    assert again.score("Human: x.\nRobot: 1. ", PHRASES[2:3]) == first[2:]
    assert (len(model.calls), again.asked) == (1, 0)
    other = again.score("Human: y.\nRobot: 1. ", PHRASES[:1])
    assert (len(model.calls), again.asked) == (2, 1)
    assert KeptScores("model", lambda: model, keep, PHRASES).score("Human: y.\nRobot: 1. ", PHRASES[:1]) == other
    assert len(model.calls) == 2


def test_mcnemar_by_hand() -> None:
    assert mcnemar([True] * 6, [False] * 6) == pytest.approx(2 / 64)
    assert mcnemar([True, False], [True, False]) == 1.0
    assert mcnemar([True, False, True], [False, True, True]) == 1.0


def test_bundled_plans_speak_of_the_61_phrases() -> None:
    classes = read_classes(DATA / "classes.json")
    plans = [plan for name in ("development.json", "test.json") for scene in read_scenes(DATA / name, classes) for plan in scene.plans]
    assert {phrase for plan in plans for phrase in plan} <= set(PHRASES)
