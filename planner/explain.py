"""Why one candidate of a decision was chosen and not another, from the terms of their scores."""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from seesay.errors import UserError
from seesay.messages import Candidate, PlanStep
from seesay.planner.skills import DONE, Option


@dataclass(frozen=True)
class Why:
    """Two candidates of one decision compared. Gaps are natural logs of ratios, `one` over `other`; above 0 they speak for `one`.

    language_gap: of p(phrase | instruction, history); None if either was not scored. affordance_gap: of p(success); infinite if the
    other is impossible, None if both are. gap: of the combined scores, None if both are impossible. decided_by: the term that pulls
    harder towards the better one. sentences: the same in words, in which A is `one` and B is `other`.
    """

    one: Candidate
    other: Candidate
    language_gap: float | None
    affordance_gap: float | None
    gap: float | None
    decided_by: str
    sentences: tuple[str, ...]


def ranking(step: PlanStep) -> list[tuple[int, Candidate]]:
    """All candidates with their index, best first: by combined score, then language, then affordance, then library order."""

    def key(item: tuple[int, Candidate]) -> tuple[bool, float, float, float, int]:
        index, candidate = item
        language = -math.inf if candidate.log_p_language is None else candidate.log_p_language
        return index != step.choice, -candidate.log_score, -language, -candidate.affordance, index

    return sorted(enumerate(step.candidates), key=key)


def shown(step: PlanStep, rows: int) -> list[tuple[int, Candidate]]:
    """The first `rows` of the ranking; the last of them gives way to the language model's favourite where that is not among them."""
    ranked = ranking(step)
    scored = [(index, candidate.log_p_language) for index, candidate in ranked if candidate.log_p_language is not None]
    favourite = max(scored, key=lambda item: item[1])[0] if scored else None
    if favourite is None or rows < 2 or any(index == favourite for index, _ in ranked[:rows]):
        return ranked[:rows]
    return [*ranked[: rows - 1], (favourite, step.candidates[favourite])]


def find_candidate(step: PlanStep, words: str) -> Candidate:
    """The candidate whose phrase is `words`, or the only one whose phrase holds them. Raises UserError otherwise."""
    found = [candidate for candidate in step.candidates if candidate.phrase == words]
    found = found or [candidate for candidate in step.candidates if words.casefold() in candidate.phrase.casefold()]
    if len(found) != 1 or not words.strip():
        some = ", ".join(repr(candidate.phrase) for candidate in (found or step.candidates)[:4])
        raise UserError(f"expected words of one candidate of step {step.step}, got {words!r} which {len(found)} have; such as {some}")
    return found[0]


def compare(step: PlanStep, one: str = "", other: str = "") -> Why:
    """Why `one` and not `other`; by default the choice (the first in the ranking where there is none) and the best of the rest.

    one, other: phrases of candidates, or words that only one phrase holds. Raises UserError for others, or fewer than two candidates.
    """
    ranked = [candidate for _, candidate in ranking(step)]
    if len(ranked) < 2:
        raise UserError(f"expected a step of at least two candidates to compare, got {len(ranked)}")
    first = find_candidate(step, one) if one else ranked[0]
    second = find_candidate(step, other) if other else next(candidate for candidate in ranked if candidate is not first)
    if first is second:
        raise UserError(f"expected two candidates, got {first.phrase!r} twice; name another")
    language = _gap(first.log_p_language, second.log_p_language)
    affordance = _gap(_log(first.affordance), _log(second.affordance))
    gap = _gap(first.log_score, second.log_score)
    decided = _decided_by(language, affordance, gap)
    return Why(first, second, language, affordance, gap, decided, (
        f"Language: {_language(first, second, language)}",
        f"Affordance: {_affordance(first, second, affordance)}",
        f"Together: {_together(gap, decided)}",
    ))  # fmt: skip


def closest(step: PlanStep, option: Option | None, here: AbstractSet[str]) -> str:
    """Why nothing can be done: at most four reasons against `option`, or where there is none, against skills with what is `here` first."""
    skills = [each for each in step.candidates if each.skill != DONE]
    wanted = [each for each in skills if option and each.phrase == option.phrase]
    wanted = wanted or sorted(skills, key=lambda each: -len(here & set(each.arguments.values())))
    reasons = dict.fromkeys(reason for candidate in wanted for reason in candidate.reasons)
    return ", ".join(list(reasons)[:4]) or "no options"


def times(log_ratio: float) -> str:
    """A ratio of probabilities in words, from its natural log (at least 0)."""
    if log_ratio > math.log(1e6):
        return "over a million times"
    return f"{math.exp(log_ratio):.3g} times" if log_ratio < math.log(1000) else f"{math.exp(log_ratio):.0f} times"


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0.0 else -math.inf


def _gap(one: float | None, other: float | None) -> float | None:
    if one is None or other is None or one == other == -math.inf:
        return None
    return one - other


def _decided_by(language: float | None, affordance: float | None, gap: float | None) -> str:
    """The term that pulls harder towards the better of the two."""
    if gap is None or gap == 0.0:
        return "neither"
    towards = {
        "language": 0.0 if language is None else math.copysign(1.0, gap) * language,
        "affordance": 0.0 if affordance is None else math.copysign(1.0, gap) * affordance,
    }
    return max(towards, key=towards.__getitem__) if max(towards.values()) > 0.0 else "neither"


def _language(one: Candidate, other: Candidate, gap: float | None) -> str:
    first, second = (_number(candidate.log_p_language) for candidate in (one, other))
    return f"log p is {first} for A, {second} for B" + ("" if gap is None else f": {_better(gap, 'probable')}")


def _affordance(one: Candidate, other: Candidate, gap: float | None) -> str:
    first, second = (f"{c.affordance:.3f}" + (f" ({'; '.join(c.reasons)})" if c.reasons else "") for c in (one, other))
    verdict = "both are impossible" if gap is None else _better(gap, "likely to succeed")
    return f"p(success) is {first} for A, {second} for B: {verdict}"


def _together(gap: float | None, decided: str) -> str:
    if gap is None:
        return "neither is possible"
    if gap == 0.0:
        return "equal, and the one that stands first among the candidates wins"
    return _better(gap, "good") + ("" if decided == "neither" else f"; {decided} decided")


def _better(gap: float, adjective: str) -> str:
    if gap == 0.0:
        return "equal"
    better = "A" if gap > 0.0 else "B"
    return f"only {better} is possible" if math.isinf(gap) else f"{better} is {times(abs(gap))} as {adjective}"


def _number(log_p: float | None) -> str:
    return "not scored" if log_p is None else f"{log_p:.2f}"
