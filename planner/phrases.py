"""Noun phrases of instructions: "all the blocks except the red one", "the bowl that is not green", "different corners".

A phrase says which things or named places are meant, without saying which there are: `planner.expansion` looks at the scene for that.
The nouns and attributes are those of the skill library ("red block" is a block with the attribute red, "top left corner" a corner with
the attributes top and left), so that a library with other things needs no other grammar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from seesay.planner.skills import Library

SYNONYMS = {
    "cube": "block", "brick": "block", "dish": "bowl", "container": "bowl", "center": "middle", "centre": "middle", "upper": "top",
    "lower": "bottom", "coloured": "colored", "colour": "color", "hue": "color", "every": "each", "anticlockwise": "counterclockwise",
    "item": "thing", "object": "thing", "everything": "all thing", "isn't": "is not", "aren't": "is not", "are": "is", "which": "that",
    "non": "not", "corresponding": "matching", "matched": "matching", "respective": "matching", "separate": "different",
    "distinct": "different", "own": "different", "individual": "different", "remaining": "other", "grey": "gray", "pile": "stack",
    "tower": "stack", "others": "other",
}  # fmt: skip
"""Words that are read as another, singular each. One that the library itself uses stays as it is."""
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
LIGHTNESS = {
    "white": 1.0, "yellow": 0.93, "cyan": 0.79, "pink": 0.63, "silver": 0.53, "orange": 0.48, "gold": 0.45, "gray": 0.22, "red": 0.21,
    "green": 0.15, "blue": 0.07, "purple": 0.06, "brown": 0.05, "black": 0.0,
}  # fmt: skip
"""Relative luminance of colours by name (sRGB, Rec. 709), for "light colored" and "dark"."""
_GENERIC = ("thing", "one")


class Unreadable(Exception):
    """The words are beyond the grammar."""


@dataclass(frozen=True)
class Word:
    """One word of an instruction: `text` in the singular, and whether it stood in the plural."""

    text: str
    plural: bool = False


@dataclass(frozen=True)
class NounPhrase:
    """Which things or places are meant.

    noun: "block", "corner"; "" for a thing of any kind, None while it must be taken from the next phrase ("the red and the blue block").
    attributes: all of them hold. without: none of them holds. shade: "light" or "dark" among several. number: how many, None for all.
    definite: said with "the", so that it must be clear which. share: how several things share several places. other: apart from
    what was named before. but: exceptions. pronoun: what was moved last.
    """

    noun: str | None = ""
    attributes: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    shade: Literal["", "light", "dark"] = ""
    number: int | None = 1
    definite: bool = True
    share: Literal["", "same", "different", "matching"] = ""
    other: bool = False
    but: tuple[NounPhrase, ...] = ()
    pronoun: bool = False


class Words:
    """An instruction as words, with a position that a parser moves along."""

    def __init__(self, text: str, library: Library) -> None:
        names = [name.split() for name in (*library.prompts(), *library.places)]
        self.nouns = {name[-1] for name in names}
        self.attributes = {word for name in names for word in name[:-1]} | set(LIGHTNESS)
        known = self.nouns | self.attributes
        self._words = [word for raw in re.findall(r"[a-z']+|\d+|[,;.]", text.lower()) for word in _normal(raw, known)]
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        """The word `ahead` of the position, "" behind the end."""
        return self._words[self.at + ahead].text if self.at + ahead < len(self._words) else ""

    @property
    def plural(self) -> bool:
        return self.at < len(self._words) and self._words[self.at].plural

    def accept(self, *choices: str) -> str:
        """Step over the first of `choices`, each one or several words, that stands here; "" if none does."""
        for choice in choices:
            parts = choice.split()
            if all(self.peek(i) == part for i, part in enumerate(parts)):
                self.at += len(parts)
                return choice
        return ""

    def expect(self, *choices: str) -> str:
        """`accept`, or Unreadable."""
        found = self.accept(*choices)
        if not found:
            raise Unreadable(f"expected {' or '.join(choices)}, got {self.peek()!r}")
        return found

    def attempt(self, parse: Callable[[], list[NounPhrase]]) -> list[NounPhrase]:
        """What `parse` reads here; nothing, and the position unchanged, if it is unreadable."""
        start = self.at
        try:
            return parse()
        except Unreadable:
            self.at = start
            return []


def read_things(words: Words, until: tuple[str, ...] = (), exceptions: bool = True) -> list[NounPhrase]:
    """Noun phrases joined by commas and "and". A phrase without a noun takes that of the next.

    until: words before which a further phrase belongs to the next clause ("in the bowl and the blue block in ..."). exceptions: whether
    phrases may have some; those of exceptions may not, which keeps the work for any text small.
    """
    phrases = [read_phrase(words, exceptions)]
    while words.peek() in (",", "and", "or"):
        start = words.at
        words.accept(",")
        words.accept("and", "or")
        following = words.attempt(lambda: [read_phrase(words, exceptions)])
        if not following or words.peek() in until:
            words.at = start
            break
        phrases += following
    if phrases[-1].noun is None:
        raise Unreadable("expected a noun")
    for index in reversed(range(len(phrases) - 1)):
        if phrases[index].noun is None:
            phrases[index] = replace(phrases[index], noun=phrases[index + 1].noun)
    return phrases


def read_phrase(words: Words, exceptions: bool = True) -> NounPhrase:
    """One noun phrase with its determiner, attributes and what follows the noun. Raises Unreadable."""
    if words.accept("it", "them", "that one") or words.accept("that"):
        return NounPhrase(pronoun=True)
    start = words.at
    number, definite = _determiner(words)
    phrase = _attributes(words, NounPhrase(None, number=number, definite=definite))
    if words.peek() in words.nouns or words.peek() in _GENERIC:
        plural = words.plural
        noun = words.accept(words.peek())
        everything = plural and number == 1
        phrase = replace(phrase, noun="" if noun in _GENERIC else noun, number=None if everything else number)
    elif phrase.other and not phrase.attributes:
        phrase = replace(phrase, noun="", number=None)
    elif not (phrase.attributes or phrase.shade or phrase.without):
        words.at = start
        raise Unreadable(f"expected a thing or a place, got {words.peek()!r}")
    return _afterwards(words, phrase, exceptions)


def _determiner(words: Words) -> tuple[int | None, bool]:
    """(number, definite); number None for all."""
    if words.accept("all of", "all", "each of", "each", "both of", "both", "the rest of"):
        words.accept("the", "these", "those", "their", "your", "my")
        if words.peek() in COUNTS and words.peek(1) in words.nouns | words.attributes:
            words.accept(words.peek())
        return None, True
    if words.accept("any of the", "any"):
        return 1, False
    if words.accept("one of the", "one of", "a", "an"):
        return 1, False
    article = words.accept("the", "their", "its", "these", "those", "this", "my")
    count = words.peek()
    if count.isdigit() or (count in COUNTS and not (count == "one" and words.peek(1) not in words.nouns | words.attributes)):
        words.accept(count)
        return (int(count) if count.isdigit() else COUNTS[count]), bool(article)
    return 1, True


def _attributes(words: Words, phrase: NounPhrase) -> NounPhrase:
    """What stands before the noun."""
    while True:
        if words.accept("same color", "same colored", "matching color", "matching colored", "matching"):
            phrase = replace(phrase, share="matching")
        elif words.accept("same", "single"):
            phrase = replace(phrase, share="same")
        elif words.accept("different color", "different colored"):
            raise Unreadable("different colors")
        elif words.accept("different"):
            phrase = replace(phrase, share="different")
        elif words.accept("other"):
            phrase = replace(phrase, other=True)
        elif words.accept("light", "lightest", "lighter"):
            phrase = replace(phrase, shade="light")
        elif words.accept("dark", "darkest", "darker"):
            phrase = replace(phrase, shade="dark")
        elif words.peek() == "not" and words.peek(1) in words.attributes:
            words.accept("not")
            phrase = replace(phrase, without=phrase.without | {words.accept(words.peek())})
        elif words.peek() in words.attributes:
            phrase = replace(phrase, attributes=phrase.attributes | {words.accept(words.peek())})
        else:
            return phrase
        words.accept("colored", "color")


def _afterwards(words: Words, phrase: NounPhrase, exceptions: bool) -> NounPhrase:
    """What stands behind the noun: relative clauses, "of the same color", exceptions."""
    while True:
        start = words.at
        if words.accept("of", "with", "that is of", "that has", "that match", "matching"):
            words.accept("the", "their", "its", "a")
            words.accept("same", "matching", "different")
            if words.accept("color"):
                phrase = replace(phrase, share="matching")
                continue
            words.at = start
        if words.accept("that is", "that"):
            negated = bool(words.accept("not"))
            words.accept("a")
            qualities = _attributes(words, NounPhrase())
            if qualities == NounPhrase():
                words.at = start
                return phrase
            told = qualities.attributes
            if negated and words.accept("or", "nor"):
                told |= _attributes(words, NounPhrase()).attributes
            phrase = replace(phrase, without=phrase.without | told) if negated else replace(phrase, attributes=phrase.attributes | told)
        elif exceptions and words.accept("except for", "except", "but not", "other than", "apart from", "besides", "without", "but"):
            phrase = replace(phrase, but=tuple(read_things(words, exceptions=False)))
        else:
            return phrase


def _normal(raw: str, known: Iterable[str]) -> list[Word]:
    """A raw word in the singular, by its synonym if it has one; some words become two."""
    known = set(known)
    singular = raw if raw in known or not raw.endswith("s") or raw.endswith(("ss", "'s", "us", "is")) or len(raw) < 4 else raw[:-1]
    if raw in ("its", "this", "these", "those", "besides", "across", "towards", "afterwards"):
        singular = raw
    plural = singular != raw
    if singular in known:
        return [Word(singular, plural)]
    parts = SYNONYMS.get(raw, SYNONYMS.get(singular, singular)).split()
    return [Word(part, plural or raw == "everything") for part in parts]
