"""Decisions for `ask_for_help`: the two halves share no words, what is right is possible, and the figures follow from the sets."""

from __future__ import annotations

from pathlib import Path

from benchmarks.ask_for_help import TARGETS, figures
from benchmarks.help_scenes import KINDS, Decided, Decision, Half, decisions, words
from benchmarks.kept_scores import KeptScores
from scripts.calibrate_help import calibrate
from seesay.planner.language import ScriptedScorer


def test_the_halves_share_no_words() -> None:
    one, other = words("calibration"), words("test")
    for field in ("colours", "things", "containers", "verbs", "sentences", "amounts"):
        assert not set(getattr(one, field)) & set(getattr(other, field))


def test_what_is_right_is_possible_and_the_same_each_time() -> None:
    some = list(decisions("test", 3 * len(KINDS)))
    assert [each.instruction for each in some] == [each.instruction for each in decisions("test", 3 * len(KINDS))]
    for decision in some:
        decided = decision.decide(ScriptedScorer({}, -5.0))
        assert all(decided.step.candidates[i].affordance > 0.0 for right in decided.meanings for i in right)
        assert (len(decided.meanings) > 1) is decision.kind.startswith(("which", "how"))


def knowing(half: Half, n: int) -> list[Decided]:
    """Decisions with a language model that finds all that may be meant equally likely, and nothing else."""

    def decide(decision: Decision) -> Decided:
        meant = {phrase for right in decision.meanings for phrase in right}
        return decision.decide(ScriptedScorer(lambda context, phrase: -1.0 if phrase in meant else -20.0))

    return [decide(decision) for decision in decisions(half, n)]


def test_a_model_that_knows_asks_where_it_is_unclear() -> None:
    calibration = calibrate(knowing("calibration", 160), "scripted", "sum", "")
    assert calibration.n == 120
    assert calibration.limit(0.5) < calibration.limit(0.9)
    got = figures(knowing("test", 80), calibration)
    assert got["target"] == list(TARGETS)
    assert got["coverage"] == sorted(got["coverage"])
    assert got["coverage"][-1] > 0.9
    assert (got["by_kind"]["plain"]["help_rate"], got["by_kind"]["plain"]["success_with_help"]) == (0.0, 1.0)
    for kind in ("which thing", "which place", "which corner"):
        assert got["by_kind"][kind]["success_without_help"] == 0.5
        assert got["by_kind"][kind]["success_with_help"] > 0.5
    assert got["success_with_help_by_target"][-1] > 0.9
    assert got["success_with_help"] > got["success_without_help"]
    unseen = got["coverage_of_unseen_kind"]
    assert unseen["plain"] == 1.0 > got["coverage"][TARGETS.index(0.8)] - 1e-9
    assert min(unseen.values()) < 0.8   # nothing promises coverage on kinds of decisions that the calibration lacks


def test_scores_are_asked_once(tmp_path: Path) -> None:
    model = ScriptedScorer({"a": -1.0}, -2.0)
    for _ in range(2):
        kept = KeptScores("model", lambda: model, tmp_path / "scores.jsonl")
        assert [kept.score("1. ", ["a", "b"]), kept.score("1. ", ["a", "b"]), kept.score("2. ", ["a"])] == [[-1.0, -2.0]] * 2 + [[-1.0]]
    assert len(model.calls) == 2
    assert KeptScores("other", lambda: model, tmp_path / "scores.jsonl").score("2. ", ["a"]) == [-1.0]
    assert len(model.calls) == 3
