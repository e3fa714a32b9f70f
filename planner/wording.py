"""What stands where in the text of an instruction: verbs of errands, things, kinds of things, places. Slips of the pen are mended first."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from seesay.planner.vocabulary import Verb, Vocabulary

Role = Literal["thing", "kind", "place"]

_LEAST_LETTERS = 5
"""Shorter words are not mended: too many others are one slip away."""
_SUBJECTS = frozenset({"who", "that", "which", "he", "she", "they", "someone", "somebody", "i", "we", "people"})
_BEFORE_NOUNS = frozenset(
    {"the", "your", "my", "our", "their", "his", "her", "its", "a", "an", "same", "this", "in", "into", "onto", "at", "by", "near", "of"}
)
_WITH_SUBJECT = (
    "i ", "i'", "we ", "would ", "should ", "could ", "ought ", "is ", "are ", "go", "belong", "live", "need", "has ", "have ", "must ",
)  # fmt: skip
_BLANK = r"\s+(?:(?:please|just|also|maybe|kindly|really)\s+)?"


@dataclass(frozen=True)
class Mention:
    """text[start:end] names a thing or place, or things of a kind (`names`, () for all). plural: whether it has the plural's s."""

    start: int
    end: int
    role: Role
    names: tuple[str, ...]
    plural: bool = False


@dataclass(frozen=True)
class Hit:
    """text[start:end] is a verb. verbs: what it may ask for."""

    start: int
    end: int
    verbs: tuple[Verb, ...]


def mentions(line: str, words: Vocabulary, places: Container[str], hits: Sequence[Hit] = ()) -> list[Mention]:
    """Things, kinds and places in the order of the text, in lower case; of two in one place the longer, so that "far counter" is not
    "counter". What is a verb (`hits`) is no noun."""
    known: dict[str, tuple[Role, tuple[str, ...]]] = {noun: ("kind", members) for noun, members in words.kinds.items()}
    known |= {said: ("place" if name in places else "thing", (name,)) for said, name in words.names.items()}
    for hit in hits:
        line = line[: hit.start] + "_" * (hit.end - hit.start) + line[hit.end :]
    found = _any_of(tuple(known)).finditer(line) if known else ()
    return [Mention(*match.span(), *known[_said(match)], plural=bool(match[2])) for match in found]


def verb_hits(line: str, words: Vocabulary) -> list[Hit]:
    """Verbs in the order of the text, in lower case; of two in one place the longer."""
    forms: dict[str, list[Verb]] = {}
    for verb in words.verbs:
        for word in verb.words:
            for form in (word, *_gerunds(word)):
                forms.setdefault(form, []).append(verb)
    plain = {word for verb in words.verbs for word in verb.words}
    hits = []
    for match in _any_of(tuple(forms)).finditer(line) if forms else ():
        form = _said(match)
        if not match[2] and _is_verb(line, *match.span(), form, form in plain, words.names):
            hits.append(Hit(*match.span(), tuple(forms[form])))
    return hits


@lru_cache(maxsize=8)
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """One of the words, the longest first, as group 1, and the s of the plural as group 2."""
    longest = sorted(words, key=len, reverse=True)
    return re.compile(r"(?<![\w-])(" + "|".join(re.escape(word).replace(r"\ ", _BLANK) for word in longest) + r")(e?s)?\b")


def _said(match: re.Match[str]) -> str:
    """The words without what stood between them."""
    return re.sub(_BLANK, " ", match[1])


def _is_verb(line: str, start: int, end: int, form: str, plain: bool, names: Container[str]) -> bool:
    """Whether what looks like a verb is one: "bin it", "would you mind binning it", not "in the bin" or "the people who put it there"."""
    last = next(iter(line[:start].split()[-1:]), "").strip("\"'(")
    if not plain:
        return re.search(r"\b(?:mind|about|begin by|start by)(?:\s+\w+ly)?\s+$", line[:start]) is not None
    if form in names and last == "to":
        return re.match(r"\s+(?:the|a|an|my|that|this|it|them|all|every)\b", line[end:]) is not None
    subject = last in _SUBJECTS and not re.search(r"\bafter that\s+$", line[:start])
    return last not in _BEFORE_NOUNS and (not subject or form.startswith(_WITH_SUBJECT))


def _gerunds(word: str) -> tuple[str, ...]:
    first, _, rest = word.partition(" ")
    stem = first[:-1] if first.endswith("e") else first
    tail = f" {rest}" if rest else ""
    return (f"{stem}ing{tail}", f"{stem}{stem[-1]}ing{tail}") if first.isalpha() and len(first) > 2 else ()


def mended(text: str, words: Vocabulary) -> str:
    """The text with misspelt words of the vocabulary as they are written: "brign me the graepfruit soda"."""
    verbs = [word for verb in words.verbs for word in verb.words]
    vocabulary = {part for said in (*words.names, *words.kinds, *verbs) for part in said.split()}
    content = {*(part for said in (*words.names, *words.kinds) for part in said.split()), *(verb for verb in verbs if " " not in verb)}
    long = sorted(word for word in content if len(word) >= _LEAST_LETTERS)

    def mend(match: re.Match[str]) -> str:
        said = match[0].lower()
        if said in vocabulary or said.rstrip("s") in vocabulary:
            return match[0]
        meant = _meant(said, long)
        if meant is None and said.endswith("s") and (one := _meant(said[:-1], long)):
            meant = f"{one}s"
        return match[0] if meant is None else (meant.capitalize() if match[0][0].isupper() else meant)

    return re.sub(r"[^\W\d_]{4,}", mend, re.sub(r"([a-z])\1{2,}", r"\1", text))


def _meant(said: str, words: Iterable[str]) -> str | None:
    return next((word for word in words if is_slip(said, word)), None)


def is_slip(said: str, meant: str) -> bool:
    """Whether a word is another with two neighbouring letters exchanged or an inner one missing; in longer words, one too many or wrong.

    Most other words that look alike begin with another letter or differ in a way that is excluded ("later", "apply").
    """
    if said[:1] != meant[:1]:
        return False
    if len(said) == len(meant):
        apart = [i for i, (a, b) in enumerate(zip(said, meant, strict=True)) if a != b]
        swapped = len(apart) == 2 and apart[1] == apart[0] + 1 and said[apart[0]] == meant[apart[1]] and said[apart[1]] == meant[apart[0]]
        return swapped or (len(apart) == 1 and len(meant) > 6 and apart[0] < len(meant) - 1)
    if said[-1:] != meant[-1:]:
        return False
    if len(said) == len(meant) - 1:
        return any(meant[:i] + meant[i + 1 :] == said for i in range(1, len(meant) - 1))
    extra = [i for i in range(1, len(said) - 1) if said[:i] + said[i + 1 :] == meant]
    return len(said) == len(meant) + 1 and any(len(meant) > 5 or said[i] in (said[i - 1], said[i + 1]) for i in extra)
