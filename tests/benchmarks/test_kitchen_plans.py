"""The kitchen benchmark with a scripted language model: verdicts, conditions, figures, and scores that are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.greedy_lines import MOST_TOKENS, GreedyLines, KeptLines
from benchmarks.kept_scores import KeptScores
from benchmarks.keyword_planner import keyword_plan
from benchmarks.kitchen_choosers import CONDITIONS, chooser
from benchmarks.kitchen_figures import LEAST, distribution, figures, mcnemar, overrides
from benchmarks.kitchen_plans import DATA, evaluate
from benchmarks.kitchen_runs import Choice, Episode, NextStep, act, next_steps, run
from seesay.errors import ConfigError
from seesay.planner.language import ScriptedScorer
from seesay.planner.skills import load_library
from seesay.sim.kitchen import Kitchen
from seesay.sim.kitchen_scenes import KitchenScene, read_classes, read_scenes
from tests.planner.tiny import tiny_gemma, tiny_tokenizer

LIBRARY = load_library("kitchen")
PHRASES = [option.phrase for option in LIBRARY.candidates()]
CLASSES = {"soda": ("coke can", "pepsi", "7up")}


def soda(kind: str, number: int = 1) -> KitchenScene:
    """Any soda is asked for, and there is one kind, with a distractor."""
    plan = (f"find a {kind}", f"pick up the {kind}", "bring it to you", f"put down the {kind}", "done")
    things = {kind: "table", "sponge": "counter"}
    return KitchenScene(f"{kind} {number}", "nouns", "Bring me a soda.", "counter", things, ["delivered", "soda"], CLASSES, (plan,))


def say(context: str, phrase: str) -> float:
    """A model that knows how to bring things, tries again what failed, and slightly prefers coke."""
    lines = context.rpartition("Human: ")[2].split("\n")[1:-1]
    steps = [line.partition(". ")[2] for line in lines if not line.endswith("(failed)")]
    named = next((kind for kind in CLASSES["soda"] if steps and kind in steps[0]), None)
    if named is None:
        return -1.0 if phrase == "find a coke can" else -2.0 if phrase in ("find a pepsi", "find a 7up") else -12.0
    plan = [f"find a {named}", f"pick up the {named}", "bring it to you", f"put down the {named}", "done"]
    return -0.1 if phrase == plan[min(len(steps), 4)] else -12.0


class Words(ScriptedScorer):
    """Tells tokens too, a phrase's words."""

    def score_tokens(self, context: str, phrases: Sequence[str], terminator: str = "\n") -> list[tuple[float, ...]]:
        sizes = [len(phrase.split()) for phrase in phrases]
        return [(log_p / size,) * size for log_p, size in zip(self.score(context, phrases), sizes, strict=True)]


def write(context: str) -> str:
    """What the model says by itself: the phrase that it finds best, in words of its own."""
    return max(PHRASES, key=lambda phrase: say(context, phrase)).replace("find a", "Find me a") + "."


def test_affordances_choose_what_is_there_and_foreign_ones_do_not() -> None:
    scenes = [soda("pepsi" if n < 4 else "7up", n) for n in range(8)]
    got = figures(evaluate(scenes, LIBRARY, Words(say), write))
    shares = {name: got["conditions"][name]["plan_success"] for name in CONDITIONS}
    assert shares["oracle_perception"] == 1.0
    assert shares["language_only"] == 0.0
    assert shares["combined"] >= 0.75
    assert shares["foreign_affordance"] <= 0.5
    assert got["gain_combined_over_language"] == shares["combined"]
    assert got["p_value_combined_vs_language"] < 0.05
    assert got["conditions"]["oracle_perception"]["top1"] == 1.0
    assert got["conditions"]["language_only"]["top1"] == 0.8
    assert got["conditions"]["generative"]["top1"] == 0.8
    assert shares["closed_loop"] > shares["open_loop"]
    assert got["gain_closed_over_open_loop"] == shares["closed_loop"] - shares["open_loop"]
    assert {name for name, each in got["conditions"].items() if each["nll"] is None} == {
        "generative", "closed_loop", "open_loop", "random_feasible", "keyword",
    }  # fmt: skip
    assert got["conditions"]["language_only"]["top3"] == 1.0
    assert got["conditions"]["combined"]["override_right"] >= 0.15
    assert got["conditions"]["oracle_perception"]["goal_recall"] == 1.0


def test_scenes_without_plans_have_no_top1() -> None:
    got = figures(evaluate([replace(soda("pepsi"), plans=())], LIBRARY, Words(say), write))
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
    got = run(replace(soda("pepsi"), plans=()), soda("7up"), "oracle", LIBRARY, lambda _: Choice(next(rest)))
    assert got.success is success


def test_failed_steps_are_told_and_counted() -> None:
    rest = iter(["pick up the pepsi", "done"])
    got = run(replace(soda("pepsi"), plans=()), soda("7up"), "oracle", LIBRARY, lambda _: Choice(next(rest)))
    assert got.steps == ("pick up the pepsi (failed: there is no pepsi at the counter)",)


def test_some_steps_fail_the_same_ones_each_time() -> None:
    def failed(number: int) -> list[bool]:
        steps = iter(["find a pepsi", "go to the table"] * 5)
        got = run(replace(soda("pepsi", number), plans=()), soda("7up"), "oracle", LIBRARY, lambda _: Choice(next(steps)), 0.2)
        return ["the skill did not work" in step for step in got.steps]

    runs = [failed(number) for number in range(40)]
    assert runs == [failed(number) for number in range(40)]
    assert sum(map(sum, runs)) / 400 == pytest.approx(0.2, abs=0.06)


def test_a_step_that_fails_changes_nothing_but_the_time() -> None:
    episode = Episode(soda("pepsi"), soda("7up"), "oracle", LIBRARY, fails=1.0)
    before = episode.kitchen.state
    episode.attempt("go to the table")
    assert (episode.kitchen.state, episode.kitchen.time_ns > 0, episode.history[0].succeeded) == (before, True, False)


def test_what_is_planned_in_mind_happens_nowhere() -> None:
    """In mind all steps succeed, though none would; the open loop then runs them as they stand and hears of nothing."""
    episode = Episode(soda("pepsi"), soda("7up"), "oracle", LIBRARY, fails=1.0)
    mind = episode.imagined()
    choose = chooser(CONDITIONS["combined"], LIBRARY, ScriptedScorer(say), write)
    assert act(mind, choose)
    assert [str(record) for record in mind.history] == list(soda("pepsi").plans[0][:-1])
    held = [thing.label for thing in mind.look().objects if thing.status == "held"]
    assert held == []
    assert (episode.history, episode.kitchen.state) == ([], soda("pepsi").start())
    blind = chooser(CONDITIONS["open_loop"], LIBRARY, ScriptedScorer(say), write)
    assert act(episode, blind)
    assert [record.phrase for record in episode.history] == list(soda("pepsi").plans[0][:-1])
    assert not any(record.succeeded for record in episode.history)


def test_figures_of_next_steps_by_hand() -> None:
    steps = [NextStep("a", True, 1, 0.8, 0.8), NextStep("b", False, 4, 0.0, 0.6), NextStep(None, False)]
    got = distribution(steps)
    assert got["top3"] == 0.5
    assert got["nll"] == pytest.approx((-math.log(0.8) - math.log(LEAST)) / 2)
    assert got["brier"] == pytest.approx((0.2**2 + 0.6**2) / 2)
    assert got["ece"] == pytest.approx((0.2 + 0.6) / 2)
    assert distribution([NextStep("a", True)]) == {"top3": None, "nll": None, "ece": None, "brier": None}
    other = [NextStep("c", False), NextStep("b", False), NextStep("d", True)]
    assert overrides(steps, other) == {"override": 2 / 3, "override_right": 1 / 3, "override_wrong": 1 / 3}


def test_of_several_right_steps_the_best_scored_counts() -> None:
    plans = (("find a pepsi", "done"), ("find a sponge", "done"))
    shares = {"find a tea": 0.5, "find a sponge": 0.3, "find a pepsi": 0.2}
    got = run(replace(soda("pepsi"), plans=plans), soda("7up"), "oracle", LIBRARY, lambda _: Choice("find a tea", {**shares, "done": 0.0}))
    assert got.next_steps[0] == NextStep("find a tea", False, 2, 0.3, 0.5)


def test_a_goal_that_holds_in_part() -> None:
    both = {"all": [["at", "pepsi", "table"], {"all": [["holding", "sponge"], ["robot_at", "counter"]]}]}
    rest = iter(["pick up the sponge", "done"])
    got = run(replace(soda("pepsi"), goal=both, plans=()), soda("7up"), "oracle", LIBRARY, lambda _: Choice(next(rest)))
    assert got.success
    rest = iter(["find a pepsi", "pick up the pepsi", "done"])
    got = run(replace(soda("pepsi"), goal=both, plans=()), soda("7up"), "oracle", LIBRARY, lambda _: Choice(next(rest)))
    assert (got.success, got.goal_recall) == (False, 0.0)
    rest = iter(["go to the table", "done"])
    got = run(replace(soda("pepsi"), goal=both, plans=()), soda("7up"), "oracle", LIBRARY, lambda _: Choice(next(rest)))
    assert got.goal_recall == pytest.approx(1 / 3)


def test_errands_are_pursued_along_the_known_plan_too() -> None:
    """At each step the model is asked for the errand that the steps before have left open, whatever it answers."""
    plan = ("find a pepsi", "pick up the pepsi", "go to the trash", "put down the pepsi", "find a sponge", "done")
    scene = replace(soda("pepsi"), instruction="Throw away the pepsi and bring me the sponge.", plans=(plan,))
    model = ScriptedScorer({"done": -0.1})
    choose = chooser(CONDITIONS["language_sum"], LIBRARY, model, write)
    assert len(list(next_steps(scene, scene, "oracle", LIBRARY, choose, reads=True))) == 6
    turns = [context.rpartition("Human: ")[2] for context, _ in model.calls]
    first = [turn.split("\n")[0] for turn in turns if "pepsi" in turn.split("\n")[0]]
    assert len(first) == 4
    assert turns[-1].startswith("Bring me the sponge.\nRobot: 1. find a sponge\n2. ")


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


def test_kept_sums_are_divided_among_the_tokens_that_the_model_tells(tmp_path: Path) -> None:
    model = Words(say)
    known = KeptScores("model", lambda: model, tmp_path / "scores.jsonl", PHRASES)
    assert known.score_tokens("Human: x.\nRobot: 1. ", ["find a coke can"]) == [(-0.25,) * 4]
    asked = len(model.calls)
    assert known.score_tokens("Human: x.\nRobot: 1. ", ["find a tea", "done"]) == [(-4.0,) * 3, (-12.0,)]
    assert len(model.calls) == asked
    with pytest.raises(ConfigError, match="take a local one"):
        KeptScores("other", lambda: ScriptedScorer(say)).score_tokens("1. ", ["done"])


def test_lines_are_kept_between_runs(tmp_path: Path) -> None:
    asked: list[str] = []

    def model(context: str) -> str:
        asked.append(context)
        return context.upper()

    assert KeptLines("model", lambda: model, tmp_path / "lines.jsonl")("ab") == "AB"
    assert KeptLines("model", lambda: model, tmp_path / "lines.jsonl")("ab") == "AB"
    assert asked == ["ab"]


def test_greedy_lines_follow_the_most_probable_token() -> None:
    """As if each next token were looked up in the whole vocabulary; the line has no end that the tiny model could write."""
    torch = pytest.importorskip("torch")
    model, tokenizer = tiny_gemma().eval(), tiny_tokenizer()
    ids = [tokenizer.bos_token_id, *tokenizer("Human : put it down Robot : 1 .", add_special_tokens=False)["input_ids"]]
    wanted: list[int] = []
    for _ in range(MOST_TOKENS):
        with torch.inference_mode():
            wanted.append(int(model(torch.tensor([ids + wanted])).logits[0, -1].argmax()))
        if wanted[-1] == tokenizer.eos_token_id:
            break
    lines = GreedyLines(model, tokenizer)
    assert lines("Human : put it down Robot : 1 . ") == tokenizer.decode(wanted, skip_special_tokens=True)
    assert lines.tokens_forwarded == len(ids) + len(wanted) - 1


def test_mcnemar_by_hand() -> None:
    assert mcnemar([True] * 6, [False] * 6) == pytest.approx(2 / 64)
    assert mcnemar([True, False], [True, False]) == 1.0
    assert mcnemar([True, False, True], [False, True, True]) == 1.0


@pytest.mark.parametrize("name", ["development.json", "test.json", "unseen.json"])
def test_bundled_plans_reach_their_goals(name: str) -> None:
    options = {option.phrase: option for option in LIBRARY.candidates()}
    for scene in read_scenes(DATA / name, read_classes(DATA / "classes.json")):
        for plan in scene.plans:
            assert set(plan) <= set(PHRASES)
            assert plan[-1] == LIBRARY.done_phrase
            kitchen = Kitchen(scene.start())
            assert not scene.solved(kitchen.state), scene.id
            for phrase in plan[:-1]:
                option = options[phrase]
                outcome, why = kitchen.attempt(option.skill, next(iter(option.arguments.values()), ""))
                assert outcome == "succeeded", (scene.id, phrase, why)
            assert scene.solved(kitchen.state), scene.id
