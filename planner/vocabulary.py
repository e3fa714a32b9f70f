"""Words of a skill file by which instructions are read: verbs of errands, and what people call things and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from seesay.planner.toml_lines import Misplaced
from seesay.planner.toml_values import known, typed

Ends = Literal["at", "held", "near", "off"]


@dataclass(frozen=True)
class Verb:
    """`words` that ask for a thing to be at a place in the end (`place` where none is named, "" for none), to be held, to be off a place,
    or for the robot to be near one."""

    ends: Ends
    words: tuple[str, ...]
    place: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """verbs: of errands; without any, no errand is read. names: what people say -> the thing or place. nouns: words for kinds of things, in
    the singular."""

    verbs: tuple[Verb, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    nouns: tuple[str, ...] = ()


def read_verb(entry: Any) -> Verb:
    """One of [[errands]]; raises SkillError for what is none."""
    known("an errand", entry, {"ends", "words", "place"})
    ends, words = typed(entry, "ends", str), tuple(map(str, typed(entry, "words", list)))
    if ends not in get_args(Ends):
        raise Misplaced(f"expected ends to be {', '.join(get_args(Ends))}, got {ends!r}: correct it", ("ends",))
    if not words:
        raise Misplaced("expected words that ask for the errand, got none: add some", ("words",))
    return Verb(ends, tuple(word.lower() for word in words), typed(entry, "place", str, ""))


def read_words(table: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The names and nouns of [words]."""
    known("words", table, {"names", "nouns"})
    names = {str(said).lower(): str(name) for said, name in typed(table, "names", dict, {}).items()}
    return names, tuple(str(noun).lower() for noun in typed(table, "nouns", list, []))


def check_vocabulary(words: Vocabulary, things: tuple[str, ...], places: Mapping[str, object]) -> None:
    """Raise SkillError unless all names are those of things and places."""
    for said, name in words.names.items():
        if name not in places and name not in things:
            raise Misplaced(f"expected {said!r} to stand for a thing or a place, got {name!r}: correct the name", ("words", "names", said))
    for number, verb in enumerate(words.verbs):
        if verb.place and verb.place not in places:
            raise Misplaced(f"expected a name from [places], got {verb.place!r}: correct it", ("errands", number, "place"))
