"""A decision that leaves several options open, and the person who is asked which one is meant. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from seesay.errors import SkillError
from seesay.messages import Header, PlanStep, Question, WithoutAnswer
from seesay.planner.conformal import HelpCalibration, confidences, prediction_set
from seesay.planner.prompt import LONGEST_INSTRUCTION

NO_OPTION = ("none", "stop")
MOST_OPTIONS = 9
_FILLERS = frozenset(["the", "a", "an", "one", "that", "this", "it", "please", "and"])


@dataclass(frozen=True)
class Help:
    """When a task asks, and what it does without an answer.

    The one option that is as confident as `target` needs is run; where there are several or none, a person is asked. Without an answer
    within timeout_s seconds the task takes the surest option, stops, or waits as long as it may last.
    """

    calibration: HelpCalibration
    target: float
    timeout_s: float = 60.0
    otherwise: WithoutAnswer = "best"

    def __post_init__(self) -> None:
        """Raises SkillError for a target that help is not calibrated for, a time of 0, or an unknown policy."""
        self.calibration.limit(self.target)
        if self.otherwise not in get_args(WithoutAnswer) or not self.timeout_s > 0.0:
            got = f"{self.otherwise!r} after {self.timeout_s:g} s"
            raise SkillError(f"without an answer: expected {', '.join(get_args(WithoutAnswer))} after more than 0 s, got {got}: correct it")

    def options(self, step: PlanStep) -> list[tuple[int, float]]:
        """Index and confidence of the candidates left open, surest first; the best three where none is as confident as it takes."""
        shares = confidences(step, self.calibration.temperature)
        some = prediction_set(shares, self.calibration.limit(self.target)) or prediction_set(shares, 1.0)[:3]
        return [(i, float(shares[i])) for i in some[:MOST_OPTIONS]]


class Asking:
    """The decisions of one task on their way through a person's hands, one at a time. help: None to ask never.

    question: the newest, open as long as it has no answer. insisted: the phrase that a person has chosen last, "" for none.
    """

    def __init__(self, help: Help | None) -> None:
        self.question: Question | None = None
        self._help = help
        self._step: PlanStep | None = None
        self._asked = 0
        self.insisted = ""

    @property
    def pending(self) -> bool:
        """Whether a decision waits for `settled`."""
        return self._step is not None

    def consider(self, step: PlanStep, header: Header, failed: str = "") -> None:
        """Take in a decision, and open a question about it where it takes one.

        failed: the phrase of the last step if it failed; a person who has chosen it is not asked again.
        """
        self._step = step
        options = self._help.options(step) if self._help else []
        if self._help is None or not options:
            return
        again = [i for i, _ in options if failed and failed == self.insisted == step.candidates[i].phrase]
        if again or len(options) == 1:
            why = "a person has chosen another" if again else "less sure when the language model is taken to be less sure of itself"
            self._step = _chosen(step, (again or [options[0][0]])[0], why)
            return
        self._asked += 1
        wait = self._help.otherwise == "wait"
        self.question = Question(
            header=header,
            id=f"{step.instruction_id}/question-{self._asked}",
            instruction_id=step.instruction_id,
            instruction=step.instruction,
            options=tuple(step.candidates[i].phrase for i, _ in options),
            confidences=tuple(share for _, share in options),
            until_ns=0 if wait else header.stamp_ns + int(self._help.timeout_s * 1e9),
            otherwise=self._help.otherwise,
        )

    def answer(self, question_id: str, text: str) -> Question:
        """Take a person's answer and return the question with it. Raises SkillError if it is no answer to the open question."""
        question, step = self.question, self._step
        if question is None or step is None or question.answer:
            raise SkillError("no question is open: nothing was taken from the answer")
        if question_id and question_id != question.id:
            raise SkillError("expected an answer to the question that is open, got one to another: look at it and answer again")
        phrase = read_answer(text, question.options, [each.phrase for each in step.candidates if each.affordance > 0.0])
        self.insisted = phrase or ""
        return self._close(question, step, phrase, f"a person: {phrase or 'none of them'}")

    def settled(self, now_ns: int) -> PlanStep | None:
        """The decision, once: as it was, as it was answered, or as the time without an answer has it. None while a question is open.

        Its choice is None if the task shall stop.
        """
        question, step = self.question, self._step
        if step is not None and question is not None and not question.answer:
            if not question.until_ns or now_ns < question.until_ns:
                return None
            best = question.options[0] if question.otherwise == "best" else None
            self._close(question, step, best, f"nobody in time: {'the best one was taken' if best else 'stopped'}")
        step, self._step = self._step, None
        return step

    def withdraw(self) -> None:
        """The task is over: nobody need answer any more."""
        if self.question is not None and not self.question.answer:
            self.question = replace(self.question, answer="withdrawn: the task is over")
        self._step = None

    def _close(self, question: Question, step: PlanStep, phrase: str | None, answer: str) -> Question:
        """Keep the answer in the question and in the decision."""
        phrases = [each.phrase for each in step.candidates]
        chosen = _chosen(step, None if phrase is None else phrases.index(phrase), f"not what came of asking ({answer})")
        self._step, self.question = replace(chosen, asked=question.options, answer=answer), replace(question, answer=answer)
        return self.question


def read_answer(text: str, options: Sequence[str], others: Sequence[str] = ()) -> str | None:
    """The phrase that an answer means, None for none of them.

    A number from 1 on counts the options; other words must fit exactly one of them, or else exactly one of `others`.
    Raises SkillError that lists the options for anything else.
    """
    words = " ".join(text.split()).casefold()
    if words in NO_OPTION:
        return None
    if words.isdecimal() and 1 <= int(words[:4]) <= len(options) and len(words) < 4:
        return options[int(words) - 1]
    found = [] if words.isdecimal() or len(words) > LONGEST_INSTRUCTION else _fitting(words, options) or _fitting(words, others)
    if len(found) == 1:
        return found[0]
    listed = "; ".join(f"{number} {option}" for number, option in enumerate(options, start=1))
    got = f"{text[:60]!r}" + (f", which {len(found)} options fit" if found else "")
    raise SkillError(f"expected a number, words of one option, or `none`, got {got}: choose from {listed}")


def _fitting(words: str, phrases: Sequence[str]) -> list[str]:
    """Phrases that hold all of the words; the one that is just these words before others."""
    wanted = set(re.findall(r"\w+", words)) - _FILLERS
    held = [phrase for phrase in phrases if wanted and wanted <= set(re.findall(r"\w+", phrase.casefold()))]
    return [phrase for phrase in held if phrase.casefold() == words] or held


def _chosen(step: PlanStep, choice: int | None, instead: str) -> PlanStep:
    """The decision with another choice. instead: why the choice that it had was not taken."""
    losers = {i: instead if i == step.choice else each.why_not for i, each in enumerate(step.candidates) if i != choice}
    candidates = tuple(replace(each, why_not=losers.get(i, "")) for i, each in enumerate(step.candidates))
    return replace(step, choice=choice, candidates=candidates)
