"""Conditions that skills state as data: what must hold before, and what holds afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from seesay.errors import SkillError

Verb = Literal["near", "held", "empty", "full"]


@dataclass(frozen=True)
class Condition:
    """`near X`, `held X`, `empty` or `full`; X is an argument of the skill or a named place. The last two are the gripper's."""

    verb: Verb
    name: str = ""

    @classmethod
    def read(cls, text: object) -> Condition:
        """A condition from a skill file; raises SkillError for anything else."""
        verb, _, name = str(text).strip().partition(" ")
        if verb not in get_args(Verb) or bool(name) != (verb in ("near", "held")):
            raise SkillError(f"expected a condition such as 'near object', 'held object', 'empty' or 'full', got {text!r}: correct it")
        return cls(verb, name)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.verb} {self.name}".strip()
