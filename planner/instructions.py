"""What an instruction names, checked before anything moves."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from seesay.errors import SkillError
from seesay.planner.prompt import StepRecord, clean_instruction
from seesay.planner.skills import Library

COLOURS = frozenset(
    ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "white", "black", "gray", "grey", "brown", "gold", "silver"]
)
_NOT_THINGS = frozenset(["one", "ones", "thing", "things", "object", "objects", "corner", "corners", "side", "sides", "and", "or"])
_EXCEPTIONS = frozenset(["not", "no", "except", "without", "but", "nothing", "never"])


def check_instruction(text: str, library: Library) -> str:
    """The cleaned instruction. Raises SkillError if it names nothing that the library has, or a coloured thing that it has not.

    A robot that can search takes all words: what "something fizzy" means is for the language model to say.
    """
    line = clean_instruction(text)
    if searchable(library):
        return line
    words = _words(line)
    known = {word for name in library.prompts() for word in name.split()} | {name.split()[-1] for name in library.places}
    things = ", ".join(library.prompts())
    for colour, noun in itertools.pairwise(words):
        name = f"{colour} {_singular(noun)}"
        if colour in COLOURS and noun not in _NOT_THINGS and noun not in COLOURS and name not in library.prompts():
            raise SkillError(f"the skills of {library.name} know no {name!r}: name one of {things}")
    if not known.intersection(map(_singular, words)):
        raise SkillError(f"the instruction {line!r} names nothing that the skills of {library.name} know: name one of {things}")
    return line


def searchable(library: Library) -> frozenset[str]:
    """Names of what a skill can search for, which therefore need not be seen."""
    searches = {skill.name: skill.searches for skill in library.skills}
    found = (option.arguments.get(searches.get(option.skill, "")) for option in library.candidates())
    return frozenset(name for name in found if name)


def named_objects(text: str, library: Library) -> tuple[str, ...]:
    """Objects of the library that the instruction names in full and asks for; none where it speaks of exceptions."""
    words = _words(text)
    if _EXCEPTIONS.intersection(words):
        return ()
    line = " ".join(map(_singular, words))
    return tuple(name for name in library.prompts() if re.search(rf"\b{re.escape(name)}\b", line))


def still_named(text: str, library: Library, history: Sequence[StepRecord]) -> list[str]:
    """Objects that the instruction names and no successful step has dealt with: what is in a bowl need not be seen any more."""
    succeeded = {record.phrase for record in history if record.succeeded}
    handled = {name for option in library.candidates() if option.phrase in succeeded for name in option.arguments.values()}
    return [name for name in named_objects(text, library) if name not in handled]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
