"""What an instruction to carry things plainly says: where they are to be in the end, which are named, which are excluded, how many.

    "Throw away the pepsi and bring me a tea."     a pepsi at the trash; then a tea at the user
    "Take the 7up and the apple to the counter."   each of them at the counter
    "Bring me a soda that is not a coke."          something at the user, no coke can

Read by the verbs and words that the skill file states ([[errands]], [words]). What "a soda" or "something salty" is stays for the language
model to say. An instruction without one of the verbs is not read, and the language model decides alone, as in plain SayCan.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from seesay.planner.phrases import COUNTS
from seesay.planner.skills import Library
from seesay.planner.vocabulary import Ends, Verb, Vocabulary

_POLITE = r"(?:then\s+|also\s+|please\s+|(?:can|could|would|will)\s+(?:you|i)\s+)*"
_JOIN = rf"(?:\s*,\s*and\s+|\s*[,;]\s*|\s+and\s+then\s+|\s+and\s+|[.!?]\s+){_POLITE}"
_NOT = re.compile(
    r"\b(?:not|isn't|aren't|no|without|except|but|allergic to|don't|doesn't|instead of|rather than|other than|hate|dislike)\b"
)
_PRONOUN = re.compile(r"\s*(?:it|them|that one)\b")
_ARTICLE = r"(?:the|a|an|some|another|one|two|three|four|five|six|my|your|that|this|any)"
_BEHIND = r"(?:to|into|onto|on|in|for|from|at|off|over|by|away|out|please|back|up|down)"


@dataclass(frozen=True)
class Errand:
    """One end to bring about, `text` as a plain instruction. things: named ones that are asked for, () for any; without: those excluded.
    place: "" for none. times: how many, None for all there are."""

    text: str
    ends: Ends
    place: str = ""
    things: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    times: int | None = 1


def read_errands(text: str, library: Library) -> tuple[Errand, ...]:
    """The errands of an instruction in their order; () where one of its parts is not understood."""
    words = library.vocabulary
    own = {name: name for name in (*library.prompts(), *library.places)}
    words = replace(words, names={**own, **words.names})
    errands: list[Errand] = []
    for clause in _clauses(text.strip(), words):
        found = [_errand(part, words, library.places) for part in _shares(clause, words)]
        if None in found:
            return ()
        errands += [errand for errand in found if errand is not None]
    return tuple(errands)


def _verbs(text: str, words: Vocabulary) -> list[tuple[int, int, Verb]]:
    """(start, end, verb) of each verb in the order of the text; of two in one place the longer."""
    hits = [
        (match.start(), match.end(), verb)
        for verb in words.verbs
        for word in verb.words
        for match in re.finditer(rf"(?<!\bthe )(?<!\byour )(?<!\bmy )(?<!\ba )\b{re.escape(word)}\b", text.lower())
        if verb.ends != "off" or re.search(r"\b(?:off|from)\b", text[match.end() :].lower())
    ]
    kept: list[tuple[int, int, Verb]] = []
    for hit in sorted(hits, key=lambda hit: (hit[0], -hit[1])):
        if not kept or hit[0] >= kept[-1][1]:
            kept.append(hit)
    return kept


def _clauses(text: str, words: Vocabulary) -> list[str]:
    """Parts with an order each: before a verb that follows "and", a comma or a full stop, and has things of its own."""
    cuts = [0]
    verbs = _verbs(text, words)
    for (_, end, _), (start, after, _) in itertools.pairwise(verbs):
        joined = re.search(_JOIN + r"$", text[:start], re.IGNORECASE)
        about = text[end : joined.start()].lower() if joined else ""
        if joined and re.search(r"\w", about) and not _PRONOUN.fullmatch(about) and not _PRONOUN.match(text[after:].lower()):
            cuts.append(joined.start())
    parts = [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    return [_sentence(re.sub(rf"^{_JOIN}", "", part, flags=re.IGNORECASE)) for part in parts]


def _shares(clause: str, words: Vocabulary) -> Iterator[str]:
    """A clause about several things as one clause for each: "bring me a tea and the apple" -> "bring me a tea", "bring me the apple"."""
    verbs = _verbs(clause, words)
    if not verbs:
        yield clause
        return
    start = verbs[-1][1]
    start += re.match(r"(?:\s+(?:away|out|over|off|up|down|me|us|to))*\s*", clause[start:], re.IGNORECASE).end()  # type: ignore[union-attr]
    tail = clause[start:].rstrip(" .!?")
    items = re.split(r"\s*,\s*and\s+|\s*,\s*|\s+and\s+", tail, flags=re.IGNORECASE)
    behind = re.search(rf"\s+{_BEHIND}\b.*$", items[-1], re.IGNORECASE)
    suffix = behind[0] if behind else ""
    items[-1] = items[-1][: len(items[-1]) - len(suffix)]
    known = "|".join(re.escape(word) for word in sorted({*words.names, *words.nouns}, key=len, reverse=True))
    item = re.compile(rf"(?:(?:{_ARTICLE})\s+.*\b)?(?:{known})(?:e?s)?", re.IGNORECASE)
    if len(items) < 2 or _NOT.search(tail.lower()) or not all(item.fullmatch(each.strip()) for each in items):
        yield clause
        return
    for each in items:
        yield _sentence(clause[:start] + each.strip() + suffix)


def _errand(text: str, words: Vocabulary, places: Container[str]) -> Errand | None:
    verbs = _verbs(text, words)
    if not verbs:
        return None
    verb = verbs[-1][2]
    line = text.lower()
    named = _named(line, words)
    denied = _NOT.search(line)
    things = [(at, name) for at, name in named if name not in places]
    excluded = [name for at, name in things if denied and at > denied.start() and not re.search(r"[.!?;,]", line[denied.end() : at])]
    asked_for = [name for _, name in things if name not in excluded]
    errand = Errand(text, verb.ends, verb.place, tuple(dict.fromkeys(asked_for)), tuple(dict.fromkeys(excluded)))
    count = re.search(rf"\b({'|'.join(COUNTS)}|\d)\b\s+(?=\w+s\b)", line)
    if count:
        errand = replace(errand, times=COUNTS.get(count[1]) or int(count[1]))
    elif re.search(r"\b(?:all|every|each|everything|both)\b", line) or re.search(rf"\b(?:{'|'.join(words.nouns)})s\b", line):
        errand = replace(errand, times=None)
    return _placed(errand, verb, line, [spot for spot in named if spot[1] in places])


def _placed(errand: Errand, verb: Verb, line: str, named: Sequence[tuple[int, str]]) -> Errand | None:
    """The errand with its place, None where it needs one that is not named."""
    if re.search(r"\bin (?:your|the) (?:gripper|hand)\b", line):
        return replace(errand, ends="held", place="")
    if verb.ends == "held":
        return errand
    spots = [(line[:at].split()[-2:], name) for at, name in named]
    off = [name for before, name in spots if {"off", "from", "of"} & set(before)]
    goals = [name for before, name in spots if not {"off", "from", "of"} & set(before)]
    if verb.ends == "off":
        return replace(errand, place=off[0]) if off and errand.things else None
    if verb.ends == "at" and verb.place and (re.search(r"\b(?:me|us)\b", line) or verb.place == "trash" or not goals):
        return errand
    if not goals:
        return None
    return replace(errand, place=goals[-1])


def _named(line: str, words: Vocabulary) -> list[tuple[int, str]]:
    """(position, name) of what is named, longest words first, so that "far counter" is not "counter"."""
    found: list[tuple[int, str]] = []
    for word in sorted(words.names, key=len, reverse=True):
        for match in re.finditer(rf"\b{re.escape(word)}(?:e?s)?\b", line):
            found.append((match.start(), words.names[word]))
            line = line[: match.start()] + "_" * len(match[0]) + line[match.end() :]
    return sorted(found)


def _sentence(text: str) -> str:
    text = text.strip(" ,;")
    return (text[:1].upper() + text[1:]) + ("" if text.endswith((".", "?", "!")) else ".")
