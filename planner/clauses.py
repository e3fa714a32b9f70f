"""An instruction taken apart: sentences, and in them clauses, the words of one errand each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seesay.planner.vocabulary import Vocabulary
from seesay.planner.wording import Hit, Mention, mended, mentions, verb_hits

_NEXT = r"(?:then|after that|afterwards|next|finally|lastly|meanwhile|at the (?:very )?end)\b"
_SENTENCE = re.compile(rf"[.!?;:]+(?=\s|$)|\n|\s(?=\d[.)]\s)|,\s+(?=(?:and\s+)?{_NEXT})")
_LEAD = (
    r"(?:(?:then|also|please|pls|kindly|just|next|finally|lastly|first|afterwards?|after that|later|now|only then|last of all|to start with"
    r"|meanwhile|at the (?:very )?end|and|to|so|(?:when|once|after) (?:that is|that's|it's|you're|that) (?:done|dealt with)|step \w+"
    r"|\d+[.)]|(?:can|could|would|will|might|may|should) (?:you|u|i|we)|you (?:can|could|should|may|must|need to|have to)"
    r"|(?:i'd like|i want|i need|i would like) you|would you mind|do you mind|be so kind (?:as to|and)"
    r"|(?:don't forget|make sure|remember|be sure|try) to|go and|help me|let's|(?:before|after) you)[\s,:]+)*"
)
_JOIN = re.compile(
    rf"(?:^|[.!?;:,]\s+|\s+-+\s+|\s+(?:(?:and|then|but|so|plus)\s+|(?=(?:before|after) you\b))|\n|\s\d+[.)]\s*){_LEAD}$"
)
"""What may stand between two clauses, or before the verb of the first one, at the end of a text."""
_DENIED = re.compile(
    r"\b(?:don't|do not|never|not|no need to|without|didn't|won't|can't|cannot|nobody|wouldn't)(?:\s+(?:want|need|have|you)\s+to)?\s+$"
)
_LEFT_ALONE = re.compile(r"leave\s+(?:it|them|that|those|these)\s*(?:alone\b|there\b|be\b|as\b|where\b|[.,!;?]|$)")
_FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|been|left|laid|likes?|wants?|needs?|keeps|am|knows?|thinks?|saw|found|can|can't|cannot|will|won't|would"
    r"|could|should|must|do|don't|does|doesn't|did|didn't|\w{2,}ed)\b|\w'(?:s|m|re|ll|ve)\b"
)
VAGUE = re.compile(r"\b(?:something|anything|what|whatever|whichever|some|any|stuff|everything)\b")
"""Words for things that are not named."""
_POINTS_BACK = re.compile(
    r"\s*(?:(?:up|down|away|out|over|back|off|me)\s+)?(?:(?:it|them|that one|those|these)\b|one(?=\W|\s(?:over|to|from|for|back)))"
)
GOAL = re.compile(
    r"\b(?:to|into|onto|towards?|in|on|at|by|upon|over|around|next to|beside|near|with)\s+(?:top\s+of\s+)?"
    r"(?:the|my|your|our|that|this)?\s*$"
)
"""What stands before the place where something is to be, at the end of a text."""
FROM = re.compile(
    r"(?:\b(?:from|off|out of|of|away from)|\b(?:that|which|who)(?:'s| is| are|'re|'ve been)(?:\s+[a-z]+)?\s+(?:on|at|in|by)"
    r"|(?<!be )\b(?:lying|sitting|standing|left|laying|resting)\s+(?:there\s+)?(?:on|at|in|by))\s+(?:the|my|your|our|that|this)?\s*$"
)
"""What stands before the place where something is now."""


@dataclass(frozen=True)
class Clause:
    """text[start:end] of a passage, with the verbs of one errand; an empty one without meaning before "THING to the PLACE"."""

    start: int
    end: int
    hits: tuple[Hit, ...]


class Passage:
    """The text of an instruction, `line` in lower case, with what is named in it."""

    def __init__(self, text: str, words: Vocabulary, places: Sequence[str], wishes: bool = False) -> None:
        """wishes: whether only verbs that count alone are looked at."""
        self.text = mended(text.strip().replace("\u2019", "'"), words)
        self.line = self.text.lower()
        if len(self.line) != len(self.text):   # letters whose small ones are two
            self.text = self.line
        hits = [hit for hit in verb_hits(self.line, words) if not wishes or _is_wish(hit, self.line)]
        self._mentions = mentions(self.line, words, places, hits)
        self._sentences = self._split(hits)
        self._hits = [hit for start, end in self._sentences for hit in self._asking(hits, start, end)]

    def things(self, start: int, end: int) -> list[Mention]:
        """Things and kinds of things that are named between two positions."""
        return [each for each in self._mentions if each.role != "place" and start <= each.start < end]

    def spots(self, start: int, end: int) -> list[Mention]:
        """Places that are named between two positions."""
        return [each for each in self._mentions if each.role == "place" and start <= each.start < end]

    def sentence(self, at: int) -> tuple[int, int]:
        """Start and end of the sentence around a position."""
        return next(span for span in self._sentences if span[0] <= at < span[1])

    def clauses(self) -> list[Clause]:
        """The clauses in their order; what asks for nothing belongs to the one before, or to the first one."""
        heads: list[tuple[int, list[Hit]]] = []
        for start, end in self._sentences:
            hits = [hit for hit in self._hits if start <= hit.start < end]
            if not hits and self._is_bare(start, end):
                heads.append((start, [Hit(start, start, ())]))
            for hit in hits:
                joined = _JOIN.search(self.line[: hit.start])
                cut = max(start, joined.start()) if joined else start
                if heads and heads[-1][1][-1].verbs and self._goes_on(heads[-1][1][-1], hit, cut):
                    heads[-1][1].append(hit)
                else:
                    heads.append((cut, [hit]))
        starts = [0, *(start for start, _ in heads[1:]), len(self.line)]
        return [Clause(starts[i], starts[i + 1], tuple(hits)) for i, (_, hits) in enumerate(heads)]

    def _split(self, hits: Sequence[Hit]) -> list[tuple[int, int]]:
        """Sentences; and what follows ", then", if it has a verb or a thing."""
        ends = list[int]()
        cuts = [(match.end(), match[0][0]) for match in _SENTENCE.finditer(self.line)]
        for (end, mark), (then, _) in itertools.pairwise([*cuts, (len(self.line), "")]):
            if mark != "," or self.things(end, then) or any(end <= hit.start < then for hit in hits):
                ends.append(end)
        return [(a, b) for a, b in zip([0, *ends], [*ends, len(self.line)], strict=True) if self.line[a:b].strip()]

    def _asking(self, hits: Sequence[Hit], start: int, end: int) -> Iterator[Hit]:
        """The verbs of a sentence that ask for something: its first one, and those that are joined to it."""
        hits = [hit for hit in hits if start <= hit.start < end and not _DENIED.search(self.line[start : hit.start])]
        hits = [hit for hit in hits if not _LEFT_ALONE.match(self.line, hit.start)]
        sure = [hit for hit in hits if not _is_alone(hit)]
        last: Hit | None = None
        for hit in hits if sure else hits[:1]:
            joined = _JOIN.search(self.line[start : hit.start]) is not None
            if sure and hit not in sure and not (last and joined and self.things(hit.end, end)):
                continue
            if last is None or joined or not self.line[last.end : hit.start].strip():
                last = hit
                yield hit

    def _goes_on(self, last: Hit, hit: Hit, cut: int) -> bool:
        """Whether a verb is about what the one before it is about."""
        start, stop = self.sentence(hit.start)
        subject = self.things(max(start, last.end), hit.start) if _is_alone(hit) else []
        named = [*subject, *self.things(hit.end, stop), *self.spots(hit.end, stop)]
        if not named and not VAGUE.search(self.line[hit.end : stop]):
            return True
        about = self.line[self.sentence(last.start)[0] if _is_alone(last) else last.end : max(cut, last.end)]
        if not re.search(r"\w", about):
            return True
        if last.verbs[0].ends == "near":
            return False
        return bool(_POINTS_BACK.match(self.line[hit.end : stop]) or re.fullmatch(r"\s*(?:it|them|that one)\W*", about))

    def _is_bare(self, start: int, end: int) -> bool:
        """Whether a sentence without a verb says where something is to be."""
        about = self.things(start, end) or re.search(r"\b(?:it|them|that one|those)\b", self.line[start:end])
        before = [self.line[start : spot.start] for spot in self.spots(start, end)]
        goals = [text for text in before if GOAL.search(text) and not FROM.search(text)]
        return bool(about and goals) and not _FINITE.search(self._unnamed(start, end))

    def _unnamed(self, start: int, end: int) -> str:
        """What is said between two positions beside names, without "where ..." at the end."""
        text = self.line
        for each in self._mentions:
            text = text[: each.start] + "_" * (each.end - each.start) + text[each.end :]
        return re.sub(r"\b(?:where|which|who)\b.*$", "", text[start:end])


def _is_alone(hit: Hit) -> bool:
    return all(verb.alone for verb in hit.verbs)


def _is_wish(hit: Hit, line: str) -> bool:
    """Whether a verb asks for something by itself, not "i want you to"."""
    return _is_alone(hit) and not re.match(r"\s+you\b", line[hit.end :])
