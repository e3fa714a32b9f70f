"""Words of a skill file by which instructions are read: verbs of errands, and what people call things, kinds of things and places."""

from __future__ import annotations

import string
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from seesay.planner.toml_lines import Misplaced, part
from seesay.planner.toml_values import known, typed

Ends = Literal["at", "held", "near", "off", "down"]


@dataclass(frozen=True)
class Verb:
    """`words` that ask for a thing to be at a place in the end (`place` where none is named, "" for none), to be held, to be off a place,
    to be out of the gripper, or for the robot to be near a place.

    alone: whether they count only in a sentence without another verb, as wishes ("i need") and states ("belongs") do.
    plain: the errand in plain words, with {thing} and {place} where it has them; "" for the words that were said.
    """

    ends: Ends
    words: tuple[str, ...]
    place: str = ""
    alone: bool = False
    plain: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """verbs: of errands; without any, no errand is read. names: what people say -> the thing or place. kinds: words for kinds of things, in
    the singular -> the things of that kind, () for all things."""

    verbs: tuple[Verb, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def over(self, there: Container[str]) -> Vocabulary:
        """The words for what is there; a kind of which nothing is there has no word."""
        names = {said: name for said, name in self.names.items() if name in there}
        kinds = {noun: tuple(name for name in members if name in there) for noun, members in self.kinds.items()}
        return replace(self, names=names, kinds={noun: left for noun, left in kinds.items() if left or not self.kinds[noun]})


def read_verb(entry: Any) -> Verb:
    """One of [[errands]]; raises SkillError for what is none."""
    known("an errand", entry, {"ends", "words", "place", "alone", "plain"})
    ends, words = typed(entry, "ends", str), tuple(map(str, typed(entry, "words", list)))
    if ends not in get_args(Ends):
        raise Misplaced(f"expected ends to be {', '.join(get_args(Ends))}, got {ends!r}: correct it", ("ends",))
    if not words:
        raise Misplaced("expected words that ask for the errand, got none: add some", ("words",))
    alone, plain = entry.get("alone", False), typed(entry, "plain", str, "")
    if not isinstance(alone, bool):
        raise Misplaced(f"alone: expected true or false, got {alone!r}: correct it", ("alone",))
    _check_plain(plain)
    return Verb(ends, tuple(word.lower() for word in words), typed(entry, "place", str, ""), alone, plain)


def read_words(table: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """The names and kinds of [words]."""
    known("words", table, {"names", "kinds"})
    names = {str(said).lower(): str(name) for said, name in typed(table, "names", dict, {}).items()}
    kinds = typed(table, "kinds", dict, {})
    with part("words", "kinds"):
        return names, {str(noun).lower(): tuple(map(str, typed(kinds, noun, list))) for noun in kinds}


def check_vocabulary(words: Vocabulary, things: tuple[str, ...], places: Mapping[str, object]) -> None:
    """Raise SkillError unless all names are those of things and places."""
    for said, name in words.names.items():
        if name not in places and name not in things:
            raise Misplaced(f"expected {said!r} to stand for a thing or a place, got {name!r}: correct the name", ("words", "names", said))
    for noun, members in words.kinds.items():
        for name in members:
            if name not in things:
                raise Misplaced(f"expected things of the kind {noun!r}, got {name!r}: correct the name", ("words", "kinds", noun))
    for number, verb in enumerate(words.verbs):
        if verb.place and verb.place not in places:
            raise Misplaced(f"expected a name from [places], got {verb.place!r}: correct it", ("errands", number, "place"))


def _check_plain(plain: str) -> None:
    try:
        fields = {(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(plain) if name is not None}
    except ValueError as error:
        raise Misplaced(f"plain {plain!r}: {error}: correct the braces", ("plain",)) from error
    if not fields <= {("thing", "", None), ("place", "", None)}:
        raise Misplaced(f"plain: expected no fields but {{thing}} and {{place}}, got {plain!r}: correct it", ("plain",))
