"""SayCan (arXiv:2204.01691): the next step is the option with the greatest p(phrase | instruction, history) x p(success | objects)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar, get_args

import numpy as np

from seesay.errors import ContextError, SkillError
from seesay.messages import ArmState, Candidate, Header, Instruction, Objects, PlanStep, SkillGoal
from seesay.planner.affordance import Affordance, AffordanceModel
from seesay.planner.agenda import Subtask
from seesay.planner.binding import bind
from seesay.planner.calibration import Calibration
from seesay.planner.effects import expected
from seesay.planner.explain import times
from seesay.planner.language import LanguageScorer, best_of
from seesay.planner.prompt import Dialogue, StepRecord
from seesay.planner.skills import DONE, Library, Option

T = TypeVar("T")
Mode = Literal["combined", "language_only", "affordance_only"]


class SayCan:
    """Decides the next step.

    Options of affordance 0 never reach the language model in the combined mode; `score_all` scores them too, for reports.
    `language_only` leaves the affordances out of the choice, `affordance_only` the language model. What the language model says counts by
    the temperature of the library's calibration: `log p / temperature + log affordance`, 1 without one.
    """

    def __init__(
        self,
        library: Library,
        scorer: LanguageScorer,
        *,
        affordances: AffordanceModel | None = None,
        mode: Mode = "combined",
        score_all: bool = False,
        lookahead: int = 0,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """lookahead: how many of the best options are judged by the best step after them too, over their expected effects (0: none).
        timer: seconds, for `decision_ms`. Raises SkillError for an unknown mode."""
        if mode not in get_args(Mode):
            raise SkillError(f"expected a mode of {', '.join(get_args(Mode))}, got {mode!r}: correct the planner's settings")
        self.library = library
        self.dialogue = Dialogue(library)
        self.affordances = affordances or AffordanceModel()
        self.mode = mode
        self._scorer = scorer
        self._score_all = score_all or mode == "language_only"
        self._temperature = library.calibration.temperature if library.calibration else 1.0
        self._lookahead = lookahead
        self._timer = timer
        self._options = library.candidates()

    def warm(self) -> None:
        """Run the prompt's fixed part through the language model, so that the first decision is as quick as the later ones."""
        if self.mode != "affordance_only":
            self._scorer.warm(self.dialogue.base())

    def decide(
        self,
        instruction: Instruction,
        history: Sequence[StepRecord],
        objects: Objects,
        now_ns: int,
        gripper: ArmState | None = None,
        subtask: Subtask | None = None,
    ) -> PlanStep:
        """All options with every term of their scores, and the choice; None where nothing is feasible.

        objects: newest perception, in the world frame; now_ns: on the clock of its stamps; gripper: None if not known. subtask: the part of
        the instruction that the step serves: its words and steps stand in the language model's context, and it says how likely `done` is.
        Ties go to the option that comes first in the library. Raises SkillError for an empty or overlong instruction,
        ContextError if the prompt is too long even without its examples.
        """
        started = self._timer()
        text, steps = (subtask.text, subtask.history) if subtask else (instruction.text, history)
        say, can, scores = self._scores(text, steps, objects, now_ns, gripper, subtask)
        choice = int(np.argmax(scores)) if max(scores) > -math.inf else None
        ahead: dict[int, float] = {}
        if self._lookahead and choice is not None:
            ahead = self._ahead(scores, text, steps, objects, now_ns, gripper, subtask)
            choice = max(ahead, key=lambda i: ahead[i])
        evidence = None if choice is None else can[choice].evidence_ns
        return PlanStep(
            header=Header(now_ns, len(history), objects.header.frame_id, objects.header.clock, objects.header.source),
            instruction_id=instruction.id,
            instruction=instruction.text,
            step=len(history) + 1,
            candidates=tuple(self._explain(say, can, scores, choice, ahead)),
            choice=choice,
            history=tuple(map(str, history)),
            subtask=subtask.text if subtask else "",
            decision_ms=1e3 * (self._timer() - started),
            evidence_age_ms=0.0 if evidence is None else max(0.0, 1e-6 * (now_ns - evidence)),
        )

    def _scores(
        self, text: str, steps: Sequence[StepRecord], objects: Objects, now_ns: int, gripper: ArmState | None, subtask: Subtask | None
    ) -> tuple[list[float | None], list[Affordance], list[float]]:
        """log p(phrase), affordance and combined score of each option."""
        can = self._can(steps, objects, now_ns, gripper, subtask)
        say = self._language(text, steps, can)
        return say, can, [self._combine(log_p, affordance.probability) for log_p, affordance in zip(say, can, strict=True)]

    def _best(
        self, text: str, steps: Sequence[StepRecord], objects: Objects, now_ns: int, gripper: ArmState | None, subtask: Subtask | None
    ) -> float:
        """The greatest combined score, which a scorer may find without scoring every option."""
        can = self._can(steps, objects, now_ns, gripper, subtask)
        if self.mode == "affordance_only":
            return max(self._combine(None, affordance.probability) for affordance in can)
        weights = [self._temperature * self._combine(0.0, affordance.probability) for affordance in can]
        phrases, end = [option.phrase for option in self._options], self.dialogue.terminator
        found = self._fitting(text, steps, lambda context: best_of(self._scorer, context, phrases, weights, end))
        return -math.inf if found.index is None else self._combine(found.log_p[found.index], can[found.index].probability)

    def _can(
        self, steps: Sequence[StepRecord], objects: Objects, now_ns: int, gripper: ArmState | None, subtask: Subtask | None
    ) -> list[Affordance]:
        can = [self.affordances.estimate(option, self.library, objects, now_ns, gripper, steps) for option in self._options]
        if subtask:
            can[-1] = Affordance(subtask.done, (subtask.reason,) if subtask.reason else ())
            idle = self.library.calibration.idle if self.library.calibration else Calibration.idle
            can = [each.lowered(idle, subtask.idle.get(option.phrase)) for option, each in zip(self._options, can, strict=True)]
        for option, affordance in zip(self._options, can, strict=True):
            if not 0.0 <= affordance.probability <= 1.0:
                raise SkillError(f"expected the affordance of {option.phrase!r} within 0 and 1, got {affordance.probability}: correct it")
        return can

    def _ahead(
        self, scores: Sequence[float], text: str, steps: Sequence[StepRecord], objects: Objects, now_ns: int, gripper: ArmState | None,
        subtask: Subtask | None,
    ) -> dict[int, float]:  # fmt: skip
        """Score of each of the best options together with the best step after it; `done` is followed by nothing."""
        best = sorted((i for i, score in enumerate(scores) if score > -math.inf), key=lambda i: -scores[i])[: self._lookahead]
        totals = {}
        for i in best:
            option = self._options[i]
            if option.skill == DONE:
                totals[i] = scores[i]
                continue
            record, (then, hand) = StepRecord(option.phrase), expected(option, self.library, objects, gripper)
            later = subtask.after(record, then, self.library) if subtask else None
            totals[i] = scores[i] + self._best(text, [*steps, record], then, now_ns, hand, later)
        return totals

    def goal(self, step: PlanStep, objects: Objects, goal_id: str = "") -> SkillGoal:
        """The chosen step as a goal: positions and stamps as perceived, named places from the library.

        Raises SkillError if nothing was chosen, the choice is `done`, or an object is not seen.
        """
        if step.choice is None or step.candidates[step.choice].skill == DONE:
            raise SkillError("expected a step that moves something: nothing is feasible, or the task is done")
        chosen = step.candidates[step.choice]
        return bind(chosen, self.library, objects, step.header, goal_id or f"{step.instruction_id}/{step.step}")

    def score(self, instruction: str, history: Sequence[StepRecord], phrases: Sequence[str]) -> list[float]:
        """log p of each phrase as the next step in the planner's dialogue; see `LanguageScorer.score`.

        Raises SkillError for an empty or overlong instruction, ContextError if the prompt is too long even without its examples.
        """
        return self._fitting(instruction, history, lambda context: self._scorer.score(context, phrases, self.dialogue.terminator))

    def _language(self, text: str, steps: Sequence[StepRecord], can: Sequence[Affordance]) -> list[float | None]:
        """log p of each option's phrase, None where it is not needed."""
        self.dialogue.context(text, steps)   # the instruction is checked in every mode
        if self.mode == "affordance_only":
            return [None] * len(self._options)
        wanted = [i for i, affordance in enumerate(can) if self._score_all or affordance.probability > 0.0]
        phrases, end = [self._options[i].phrase for i in wanted], self.dialogue.terminator
        got = self._fitting(text, steps, lambda context: self._scorer.score(context, phrases, end)) if wanted else []
        for i, value in zip(wanted, got, strict=True):
            if math.isnan(value) or value > 0.0:
                phrase = self._options[i].phrase
                raise SkillError(f"expected log-probabilities from {self._scorer.name}, got {value} for {phrase!r}: change the model")
        say: list[float | None] = [None] * len(self._options)
        for i, value in zip(wanted, got, strict=True):
            say[i] = value
        return say

    def _fitting(self, text: str, steps: Sequence[StepRecord], ask: Callable[[str], T]) -> T:
        """`ask` of the context. One that is too long for the model loses examples, first ones first, as few as possible."""
        for drop in range(len(self.library.examples)):
            try:
                return ask(self.dialogue.context(text, steps, drop))
            except ContextError:
                continue
        return ask(self.dialogue.context(text, steps, len(self.library.examples)))

    def _combine(self, log_p: float | None, affordance: float) -> float:
        log_affordance = math.log(affordance) if affordance > 0.0 else -math.inf
        if self.mode == "affordance_only":
            return log_affordance
        if log_p is None:
            return -math.inf
        return log_p if self.mode == "language_only" else log_p / self._temperature + log_affordance

    def _explain(
        self, say: Sequence[float | None], can: Sequence[Affordance], scores: Sequence[float], choice: int | None, ahead: dict[int, float]
    ) -> list[Candidate]:
        top = max(scores)
        weights = [math.exp(score - top) if top > -math.inf else 0.0 for score in scores]
        total = sum(weights) or 1.0
        return [
            Candidate(
                phrase=option.phrase,
                skill=option.skill,
                arguments=dict(option.arguments),
                log_p_language=say[i],
                affordance=can[i].probability,
                log_score=scores[i],
                probability=weights[i] / total,
                reasons=can[i].reasons,
                why_not="" if i == choice else self._why_not(i, choice, say, can, ahead),
            )
            for i, option in enumerate(self._options)
        ]

    def _why_not(
        self, loser: int, choice: int | None, say: Sequence[float | None], can: Sequence[Affordance], ahead: dict[int, float]
    ) -> str:
        """The term that decided against an option."""
        reasons = ", ".join(can[loser].reasons)
        if self.mode != "language_only" and can[loser].probability == 0.0:
            return reasons or "not possible"
        if choice is None:
            return "nothing is feasible"
        if loser in ahead and ahead[choice] > ahead[loser]:
            return f"with the step after it, it is {times(ahead[choice] - ahead[loser])} less probable"
        lost_say, won_say = say[loser], say[choice]
        say_gap = 0.0 if lost_say is None or won_say is None else won_say - lost_say
        can_gap = 0.0 if self.mode == "language_only" else math.log(can[choice].probability / can[loser].probability)
        if say_gap <= 0.0 and can_gap <= 0.0:
            return "equal to the choice, which comes first"
        if say_gap / self._temperature >= can_gap:
            return f"the language model finds it {times(say_gap)} less probable"
        return f"{reasons or 'less likely to succeed'} ({times(can_gap)} less likely to succeed)"


def options_by_score(step: PlanStep) -> list[Candidate]:
    """The candidates of a decision, best first, for tables and charts."""
    return sorted(step.candidates, key=lambda candidate: -candidate.log_score)


__all__ = ["Mode", "Option", "SayCan", "options_by_score"]
