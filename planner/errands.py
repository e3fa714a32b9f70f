"""What an instruction to carry things plainly says: where they are to be in the end, which are meant, which are excluded, how many.

    "Throw away the pepsi and bring me a tea."     a pepsi at the trash; then a tea at the user
    "Take the 7up and the apple to the counter."   each of them at the counter
    "Bring me a soda that is not a coke."          one of the sodas at the user, no coke can
    "That sponge has had its day. Bin it."         a sponge at the trash

Read by the verbs and words that the skill file states ([[errands]], [words]). What "something salty" is stays for the language model to
say. An instruction of which a part is not understood is not read, and the language model decides alone, as in plain SayCan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from seesay.planner.clauses import FROM, GOAL, VAGUE, Clause, Passage
from seesay.planner.phrases import COUNTS
from seesay.planner.skills import Library
from seesay.planner.vocabulary import Ends, Verb
from seesay.planner.wording import Hit, Mention

_NOT = re.compile(
    r"\b(?:not|isn't|aren't|no|without|except|apart from|but not|(?:everything|anything|all|every)(?:\s[a-z']+){0,4}?\sbut|allergic to"
    r"|don't|doesn't|do not|never|with one exception|instead of|rather than|other than|hate|dislike|neither|sworn off|given up|sick of"
    r"|tired of|fed up with)\b"
)
_POINTING = re.compile(r"\b(?:it|them|that one|this one|those|these|that|this|one|ones|the)\b")
_ALL = re.compile(
    r"\b(?:all|every|each|everything|any and all)\b(?:\s+(?:of|the|my|your|those|these|that|single))*(?:\s+[a-z'-]+){0,2}\s*$"
)
_ALL_OF_THEM = re.compile(r"\b(?:all|each|both) of (?:it|them)\b")
_LANDMARK = re.compile(
    r"\b(?:next to|beside|near|behind|under|like|than|similar to|instead of|in place of)\s+(?:the|a|an|my|your|that|this)?\s*$"
)
_TOWARDS = re.compile(r"\b(?:to|into|onto|towards?)\s+(?:the|my|your|our|that|this)?\s*$")
_IN_HAND = re.compile(r"(?<!nothing )(?<!thing )(?<!object )\bin (?:your|the) (?:gripper|hand)\b")
_IN_IT = re.compile(r"\b(?:it|them|that|this|hand|gripper)\b")
_HEAD = re.compile(r"^(?:[\s,;:.!?-]|\d+[.)]\s|(?:and|then|but|so|plus)\s)+", re.IGNORECASE)
_PLAIN = re.compile(
    r"(?:all|every|each|of|the|my|your|any|other|old|empty|remaining|leftover|left|used|those|these|both|single|last|me|us|away|out|up|off"
    r"|over|to|some|a|an|down|them|and|our)$"
)
"""Words that do not narrow down which things of a kind are meant."""


@dataclass(frozen=True)
class Errand:
    """One end to bring about, `text` as a plain instruction. things: those that are meant, () for any; without: those excluded.
    place: "" for none or any. source: place where the things are now, "" if it is not said. times: how many, None for all there are.
    one_by_one: the words for each of several things, with {thing}, where nothing but their kind says which; "" otherwise."""

    text: str
    ends: Ends
    place: str = ""
    things: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    times: int | None = 1
    source: str = ""
    one_by_one: str = ""


def read_errands(text: str, library: Library) -> tuple[Errand, ...]:
    """The errands of an instruction in their order; () where one of its parts is not understood."""
    words = library.vocabulary
    own = {name.lower(): name for name in (*library.prompts(), *library.places)}
    words = replace(words, names={**own, **words.names})
    plain = _read(Passage(text, words, tuple(library.places)), words.verbs)
    return plain or _read(Passage(text, words, tuple(library.places), wishes=True), words.verbs)


def way_to(place: str, verbs: Sequence[Verb]) -> Errand:
    """The errand to go to a place."""
    plain = next((verb.plain for verb in verbs if verb.ends == "near"), "")
    return Errand(plain.format(thing="", place=place), "near", place)


def _read(passage: Passage, verbs: Sequence[Verb]) -> tuple[Errand, ...]:
    found: list[list[Errand]] = []
    for clause in passage.clauses():
        errands = _Reader(passage, clause, verbs, found[-1][-1] if found else None).errands()
        if not errands:
            return ()
        lead = passage.line[clause.start : clause.hits[0].start]
        found.insert(len(found) - (1 if found and re.search(r"\bafter (?:you\s+)?$", lead) else 0), errands)
    if len(found) > 1 and re.match(r"\W*before\b", passage.line):
        found[:2] = found[1::-1]
    return tuple(errand for errands in found for errand in errands)


class _Reader:
    """One clause of a passage. before: the last errand of the clause before, for what "it" is."""

    def __init__(self, passage: Passage, clause: Clause, verbs: Sequence[Verb], before: Errand | None) -> None:
        self._passage, self._clause, self._verbs, self._before = passage, clause, verbs, before
        self._line = passage.line
        self._denied = self._excluded()

    def errands(self) -> list[Errand]:
        """What the clause asks for, by its last verb that fits; [] if none does."""
        clause = self._clause
        if not clause.hits[0].verbs:
            return self._by(self._any_of("at"), clause.hits[0])
        for hit in reversed(clause.hits):
            for verb in self._likely_first(hit):
                found = self._by(verb, hit)
                if found:
                    return [*found, *self._ways_after(clause.hits)] if found[0].ends == "held" else found
        return []

    def _likely_first(self, hit: Hit) -> list[Verb]:
        """What a verb may ask for. "The tea goes to the table" is about the tea, "go to the table" about the robot."""
        start = max(self._clause.start, self._passage.sentence(hit.start)[0])
        pronoun = re.search(r"\b(?:it|they|that|which|them|one)\s+(?:\w+\s+)?$", self._line[self._clause.start : hit.start])
        order = ("at", "near") if self._passage.things(start, hit.start) or pronoun else ("near", "at")
        return sorted(hit.verbs, key=lambda verb: order.index(verb.ends) if verb.ends in order else len(order))

    def _ways_after(self, hits: Iterable[Hit]) -> list[Errand]:
        """Where the robot is to go with what it holds."""
        ends = [hit.end for hit in hits if any(verb.ends == "near" for verb in hit.verbs)]
        return [way for end in ends for way in self._ways(end, self._clause.end)]

    def _any_of(self, ends: Ends) -> Verb:
        """A verb of these ends that names no place of its own."""
        return next((verb for verb in self._verbs if verb.ends == ends and not verb.place), Verb(ends, ()))

    def _by(self, verb: Verb, hit: Hit) -> list[Errand]:
        """The errands by one of the verbs; [] if it does not fit."""
        stop = min(self._passage.sentence(hit.start)[1], self._clause.end)
        if verb.ends == "near" and self._is_carried(hit, stop):
            verb = self._any_of("at")
        if verb.ends == "near":
            return self._ways(hit.end, stop)
        place, source = self._where(verb, hit, stop)
        if verb.ends == "at" and not verb.place and _IN_HAND.search(self._line[hit.end : stop]):
            verb, place = self._any_of("held"), ""
        asked = self._asked(verb, hit, stop)
        if place is None or (verb.ends == "down" and not asked and not _IN_IT.search(self._line[hit.start : stop])):
            return []
        ends: Ends = "at" if verb.ends == "down" and place else verb.ends
        things = self._before.things if asked is None and self._before else ()
        denied = dict.fromkeys(name for each in self._denied if each not in (asked or []) for name in each.names)
        without = tuple(name for name in denied if name not in things)
        text = _sentence(_HEAD.sub("", self._passage.text[self._clause.start : self._clause.end]))
        errand = Errand(text, ends, place, things, without, source=source)
        groups = self._groups(asked or [])
        return [self._about(errand, group, groups, verb, hit, stop) for group in groups] or [self._about_any(errand, verb, hit, stop)]

    def _is_carried(self, hit: Hit, stop: int) -> bool:
        """Whether it is not the robot alone that goes: "park the tea at the counter"."""
        spots = [spot.start for spot in self._passage.spots(hit.end, stop)]
        return bool(spots and self._passage.things(hit.end, spots[0]))

    def _about_any(self, errand: Errand, verb: Verb, hit: Hit, stop: int) -> Errand:
        start = self._clause.start if verb.alone else hit.end
        every = verb.ends == "off" or re.search(r"\b(?:everything|all|both)\b", self._line[start:stop])
        one_by_one = self._plain(errand.ends, errand.place) if every and not self._is_qualified(hit.end) else ""
        return replace(errand, times=None if every else 1, one_by_one=one_by_one)

    def _plain(self, ends: Ends, place: str) -> str:
        """Plain words for an end, with {thing}: those of the verbs for this very place, or else of those for any; "" if there are none."""
        fitting = [verb for verb in self._verbs if verb.ends == ends and verb.plain and verb.place in ("", place)]
        return max(fitting, key=lambda verb: len(verb.place)).plain.format(thing="{thing}", place=place) if fitting else ""

    def _about(self, errand: Errand, group: list[Mention], groups: list[list[Mention]], verb: Verb, hit: Hit, stop: int) -> Errand:
        """The errand for one of several groups of things."""
        names = tuple(dict.fromkeys(name for each in group for name in each.names))
        without = tuple(name for name in errand.without if (name,) != names)
        names = tuple(name for name in names if name not in without)
        behind = min((other[0].start for other in groups if other[0].start > group[-1].end), default=stop)
        goals = [each.names[0] for each in self._passage.spots(group[-1].end, behind) if GOAL.search(self._line[: each.start])]
        place = goals[-1] if goals and behind != stop and not verb.place and verb.ends == "at" else errand.place
        times, plain = self._times(group[0], stop if len(groups) == 1 else group[0].end), self._plain(errand.ends, place)
        if times == 1:
            said = f"the {names[0]}" if len(names) == 1 else self._said(group)
            text = plain.format(thing=said) if plain and (len(groups) > 1 or len(names) == 1) else errand.text
            return replace(errand, text=text, place=place, things=names, without=without)
        single = len(names) == 1 or (times is None and not self._is_qualified(hit.end, group[0].start, group[-1].end))
        return replace(errand, place=place, things=names, without=without, times=times, one_by_one=plain if single else "")

    def _said(self, group: list[Mention]) -> str:
        """The words for things of a kind, with their article and what stands between."""
        before = re.split(r"\band\b|,", self._line[: group[0].start])[-1]
        head = re.search(r"\b(?:a|an|the|some|any|another|one|my|your)\s+(?:[a-z'-]+\s+){0,3}$", before)
        return self._passage.text[group[0].start - (len(head[0]) if head else 0) : group[-1].end]

    def _ways(self, end: int, stop: int) -> list[Errand]:
        spots = [each.names[0] for each in self._passage.spots(end, stop) if not FROM.search(self._line[: each.start])]
        return [way_to(spot, self._verbs) for spot in spots]

    def _excluded(self) -> list[Mention]:
        """Things after a "not", up to the end of its part of the sentence."""
        line = self._line[: self._clause.end]
        found: dict[Mention, None] = {}
        for match in _NOT.finditer(line, self._clause.start):
            if any(hit.start <= match.start() < hit.end for hit in self._clause.hits):
                continue   # "i wouldn't say no to"
            until = re.compile(r"[.!?;:,]|\b(?:but|so)\b").search(line, match.end())
            found |= dict.fromkeys(self._passage.things(match.end(), until.start() if until else len(line)))
        return list(found)

    def _asked(self, verb: Verb, hit: Hit, stop: int) -> list[Mention] | None:
        """What the verb is about, [] for anything, None for what the clause before is about."""
        about, ahead = self._line[hit.end : stop], self._passage.things(self._clause.start, hit.start)
        allowed = [each for each in ahead if each not in self._denied]
        subject = [each for each in allowed if each.start >= self._passage.sentence(hit.start)[0]]
        if verb.alone and not verb.place and subject:
            return subject
        behind = [each for each in self._passage.things(hit.end, stop) if each not in self._denied]
        behind = [each for each in behind if not _LANDMARK.search(self._line[hit.end : each.start])]
        if behind:
            return behind
        if VAGUE.search(about) and not re.search(r"\b(?:it|them|that one)\b", about):
            return []
        pointing = _POINTING.search(about) or not re.search(r"[a-z]", re.sub(r"\b(?:away|out|over|up|down|back|please|now)\b", "", about))
        if ahead and (pointing or verb.alone):
            return allowed or (ahead if re.search(r"\b(?:it|them)\b", self._line[ahead[-1].end : stop]) else [])
        return None if pointing and not re.search(r"\bthe\b", about) else []

    def _groups(self, asked: list[Mention]) -> list[list[Mention]]:
        """Mentions of the same thing, or of things one of which is wanted ("or"), together."""
        groups: list[list[Mention]] = []
        for each in asked:
            between = self._line[groups[-1][-1].end : each.start] if groups else ""
            if groups and any(set(each.names) & set(other.names) for other in groups[-1]):
                groups[-1] = [min((each, *groups[-1]), key=lambda one: len(one.names) or len(self._line))]
            elif groups and (re.search(r"\bor\b", between) or not re.search(r"\b(?:and|plus|then|also|as well as|with)\b|[,&]", between)):
                groups[-1].append(each)
            else:
                groups.append([each])
        return groups

    def _times(self, mention: Mention, stop: int) -> int | None:
        """How many, None for all."""
        start = self._clause.start
        before = self._line[start : mention.start]
        count = re.search(rf"\b({'|'.join(COUNTS)}|\d)\s+(?:[a-z'-]+\s+){{0,2}}$", before)
        if re.search(r"\bone of (?:the|those|these|your|my)\s+(?:[a-z'-]+\s+){0,3}$", before):
            return 1
        if count and (mention.plural or re.search(r"\w+s\b", self._line[start + count.end(1) : mention.end])):
            return COUNTS.get(count[1]) or int(count[1])
        if mention.plural and re.search(r"\bboth\b(?:\s+(?:of|the|my))*\s*$", before):
            return 2
        if _ALL.search(before) or _ALL_OF_THEM.search(self._line[mention.end : stop]):
            return None
        return None if mention.plural and not re.search(r"\b(?:some|any|a|an|one)\s+(?:[a-z'-]+\s+){0,2}$", before) else 1

    def _is_qualified(self, end: int, start: int | None = None, behind: int = 0) -> bool:
        """Whether words that are not known say which ones are meant: "all the salty snacks", "everything that has caffeine".

        start, behind: of what is named, None for "everything" alone; end: of the verb.
        """
        before = re.findall(r"[a-z'-]+", self._line[end : end if start is None else start])
        everything = re.compile(r"\b(?:everything|all(?: of (?:it|them))?)\b").search(self._line, end) if start is None else None
        after = self._line[everything.end() if everything else max(end, behind) :]
        after = re.sub(r"^\s+(?:that\s+)?(?:you (?:can )?(?:find|see)|we have|there (?:is|are))\b", "", after)
        relative = re.match(r"\s+(?:that|which|who|with|without|you|i|we|containing|having|made)\b", after)
        lies = re.match(r"\s+(?:that|which)(?:'s| is| are)?(?:\s+[a-z]+)?\s+(?:on|at|in|by)\b", after)
        return not all(map(_PLAIN.match, before[-3:])) or (relative is not None and lies is None)

    def _where(self, verb: Verb, hit: Hit, stop: int) -> tuple[str | None, str]:
        """Where the thing is to be, "" for no place, None where one is needed and not named; and where it is now, "" if it is not said."""
        spots = self._passage.spots(hit.end, stop)
        ahead = self._passage.spots(max(self._clause.start, self._passage.sentence(hit.start)[0]), hit.start)
        if verb.ends == "at" and not verb.place and not spots and not verb.alone:
            spots = self._passage.spots(self._clause.start, self._clause.end)
        leave = [each.names[0] for each in spots if FROM.search(self._line[: each.start])]
        reach = [each for each in spots if not FROM.search(self._line[: each.start]) and GOAL.search(self._line[: each.start])]
        sure = [each.names[0] for each in reach if _TOWARDS.search(self._line[: each.start])]
        goals = sure or [each.names[0] for each in reach]
        if verb.ends == "off":
            off = next(iter((*leave, *(each.names[0] for each in spots))), None)
            return off, off or ""
        if verb.ends == "held":
            return "", next(iter((*leave, *goals)), "")
        if verb.place:
            others = [name for name in (goals if verb.alone else sure) if name != verb.place]
            goals = others[-1:] or [verb.place]
        elif verb.alone and not goals:   # "the counter would be better for it"
            goals = [each.names[0] for each in ahead if not GOAL.search(self._line[: each.start])]
        goal = goals[-1] if goals else ("" if verb.ends == "down" else None)
        leave += [each.names[0] for each in ahead if FROM.search(self._line[: each.start]) or (verb.alone and not verb.place)]
        return goal, next((name for name in (*leave, *(each.names[0] for each in reach)) if name != goal), "")


def _sentence(text: str) -> str:
    text = text.strip(" ,;")
    return (text[:1].upper() + text[1:]) + ("" if text.endswith((".", "?", "!")) else ".")
