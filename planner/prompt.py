"""The dialogue that a language model continues: examples, an instruction, and what has been done so far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from seesay.errors import SkillError
from seesay.planner.skills import Library

LONGEST_INSTRUCTION = 400
NEUTRAL = "Help me."


@dataclass(frozen=True)
class StepRecord:
    """One executed step: its phrase, whether it succeeded, and what the executor said."""

    phrase: str
    succeeded: bool = True
    message: str = ""

    def __str__(self) -> str:
        """For reports: the phrase, with the reason of a failure in brackets."""
        return self.phrase if self.succeeded else f"{self.phrase} (failed: {self.message or 'no reason given'})"


@dataclass(frozen=True)
class Dialogue:
    """SayCan's dialogue prompt (arXiv:2204.01691, section 3) over a library's own examples.

    Every step stands on its own numbered line, so that `terminator`, a line break, ends each phrase.
    """

    library: Library
    terminator: str = "\n"

    def base(self, drop: int = 0) -> str:
        """What all contexts of this library start with: the introduction and the examples but the first `drop`."""
        done = self.library.done_phrase
        turns = [
            _turn(example.instruction) + _numbered([*example.steps, done], self.terminator) for example in self.library.examples[drop:]
        ]
        return "".join([f"Robot: {self.library.introduction}\n" if self.library.introduction else "", *turns])

    def context(self, instruction: str, history: Sequence[StepRecord], drop: int = 0) -> str:
        """Text after which the next step's phrase is expected. Raises SkillError for an empty or overlong instruction.

        A failed step stands in it with "(failed)" after it, as in the examples; the executor's words stay out of the prompt.
        drop: how many examples to leave out, first ones first; the introduction, the instruction and the history always stay.
        """
        steps = [record.phrase if record.succeeded else f"{record.phrase} (failed)" for record in history]
        return self.base(drop) + _turn(clean_instruction(instruction)) + _numbered(steps, self.terminator) + f"{len(steps) + 1}. "


def neutral_context(context: str) -> str:
    """A dialogue's context with an instruction in the last turn that asks for nothing, and only the last step after it.

    What a model says to it is what it says whatever is asked for. One step, so that there are few such contexts and each is scored once.
    """
    examples, turn, last = ("\n" + context).rpartition("\nHuman: ")
    if not turn:
        return "Robot: 1. "
    steps = [line.partition(". ")[2] for line in last.split("\n")[1:-1]]
    return f"{examples}{turn}{NEUTRAL}\nRobot: "[1:] + _numbered(steps[-1:], "\n") + f"{min(len(steps), 1) + 1}. "


def clean_instruction(text: str) -> str:
    """The instruction on one line, control characters and repeated blanks gone, so that it cannot pose as another turn of the dialogue.

    Raises SkillError if nothing is left or it is longer than 400 characters.
    """
    line = " ".join(re.sub(r"[^\S ]|[^\w\s.,;:!?'\"()/&%+\u2019-]", " ", text).split())
    if not re.search(r"\w", line):
        raise SkillError("expected an instruction in words, got an empty one: say what shall be done")
    if len(line) > LONGEST_INSTRUCTION:
        raise SkillError(f"expected an instruction of at most {LONGEST_INSTRUCTION} characters, got {len(line)}: shorten it")
    return line


def _turn(instruction: str) -> str:
    return f"Human: {instruction}{'' if instruction.endswith(('.', '?', '!')) else '.'}\nRobot: "


def _numbered(steps: Sequence[str], terminator: str) -> str:
    return "".join(f"{number}. {step}{terminator}" for number, step in enumerate(steps, start=1))
