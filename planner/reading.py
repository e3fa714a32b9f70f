"""What an instruction asks for, read by a small grammar: quantifiers, orders, places, sequences. None where the grammar ends.

    instruction  clause { ("then" | "and" | "," | ".") clause }
    clause       [order] put-verb things preposition target [order]     "clockwise, move the block through all the corners"
               | things preposition target                              after a put-clause: "... and the blue block in the bowl"
               | "leave" things                                         so that "the others" are the others
               | "stack" things ["on" target]                           "stack all the blocks except the red one"
               | "build" ["a"] "tower" ["of" things] ["in" target]
               | ("clear" | "empty") target
               | ("group" | "gather") things "together" | "sort" things ["by color"] "into" target
    things       phrase { ("," | "and") phrase }                        see `seesay.planner.phrases`

An instruction is read whole or not at all: one unknown word, and the language model alone decides, as in plain SayCan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from seesay.planner.phrases import NounPhrase, Unreadable, Words, read_phrase, read_things
from seesay.planner.skills import Library

Kind = Literal["put", "stack", "clear", "gather", "leave"]
Order = Literal["", "clockwise", "counterclockwise"]

_PUT = (
    "put", "place", "move", "bring", "set", "lay", "take", "carry", "drop", "transfer", "shift", "get", "push", "distribute", "spread",
    "return", "send", "sort", "arrange",
)  # fmt: skip
_STACK = ("stack up", "stack")
_BUILD = ("build", "make", "create", "form")
_CLEAR = ("clear", "empty", "free up", "free")
_GATHER = ("group", "gather", "collect", "assemble")
_PREPOSITIONS = (
    "on top of", "on to", "onto", "on", "in to", "into", "inside of", "inside", "in", "at", "to", "through", "around", "over", "across",
    "among", "between", "toward", "towards", "via", "by",
)  # fmt: skip
_FIRST = tuple({phrase.split()[0] for phrase in _PREPOSITIONS})
_POLITE = (
    "please", "could you", "can you", "would you", "will you", "i want you to", "i would like you to", "you should", "now", "first", "just",
    "next", "finally", "kindly", "robot",
)  # fmt: skip
_ON_EACH_OTHER = ("on each other", "on one another", "on top of each other", "on top of one another", "in a stack", "into a stack")
_JOINS = ("and then", "then", "after that", "afterwards", "next", "finally", "and", ",", ".", ";")


@dataclass(frozen=True)
class Clause:
    """One thing to be done: `things` moved to `target`, stacked (on `target`), gathered, or `target` cleared of what is there."""

    kind: Kind
    things: tuple[NounPhrase, ...] = ()
    target: tuple[NounPhrase, ...] = ()
    order: Order = ""


def read(text: str, library: Library) -> tuple[Clause, ...] | None:
    """The clauses of an instruction in their order, None if the grammar does not take all of its words."""
    words = Words(text, library)
    clauses: list[Clause] = []
    try:
        _skip(words, _POLITE)
        while words.peek():
            clauses.append(_clause(words, after_put=bool(clauses) and clauses[-1].kind == "put"))
            _skip(words, ("please", "for me", "now"))
            if words.peek() and not _skip(words, (*_JOINS, *_POLITE)):
                return None
        return tuple(_linked(clauses)) or None
    except Unreadable:
        return None


def _skip(words: Words, choices: tuple[str, ...]) -> bool:
    """Step over all of these that stand here; whether there was one."""
    start = words.at
    while words.accept(*choices) or (words.at > start and words.accept(",")):
        pass
    return words.at > start


def _clause(words: Words, after_put: bool) -> Clause:
    order = _order(words)
    words.accept(",")
    clause = _main(words, after_put)
    later = _order(words)
    words.accept("one by one", "in turn", "one after the other", "together")
    return replace(clause, order=later or clause.order or order)


def _main(words: Words, after_put: bool) -> Clause:
    if words.accept("leave"):
        return Clause("leave", tuple(read_things(words)))
    if words.accept("pick up", "pick", "grab", "grasp"):
        things = tuple(read_things(words))
        words.accept("up")
        words.expect("and")
        words.accept("then")
        verb = words.expect(*_PUT, *_STACK)
        words.expect("it", "them")
        return Clause("stack" if verb in _STACK else "put", things, _target(words))
    if words.accept(*_STACK):
        things = tuple(read_things(words))
        words.accept("up")
        words.accept(*_ON_EACH_OTHER, "together")
        return Clause("stack", things, _target(words) if words.peek() in _FIRST else ())
    if words.accept(*_BUILD):
        return _build(words)
    if words.accept(*_CLEAR):
        return Clause("clear", target=tuple(read_things(words)))
    if words.accept(*_GATHER):
        things = tuple(read_things(words))
        words.accept("together")
        return Clause("put", things, _target(words)) if words.peek() in _FIRST else Clause("gather", things)
    if not words.accept(*_PUT) and not after_put:
        raise Unreadable(f"expected a verb, got {words.peek()!r}")
    things = tuple(read_things(words))
    if words.accept("together"):
        return Clause("gather", things)
    words.accept("by color", "each")
    if words.accept(*_ON_EACH_OTHER):
        return Clause("stack", things)
    order = _order(words)
    return Clause("put", things, _target(words), order)


def _build(words: Words) -> Clause:
    """ "build the highest tower (of the red and the blue block) (in the middle)"; a tower of nothing in particular is one of all blocks."""
    words.accept("a", "the", "one")
    while words.accept("highest", "tallest", "high", "tall", "big", "biggest", "possible", "single", "large"):
        pass
    noun = words.peek()
    if noun in words.nouns:
        words.accept(noun)
    else:
        noun = ""
    words.expect("stack")
    words.accept("possible", "you can")
    things: tuple[NounPhrase, ...] = (NounPhrase(noun, number=None),)
    if words.accept("of", "with", "from", "out of", "using"):
        things = tuple(read_things(words))
    return Clause("stack", things, _target(words) if words.peek() in _FIRST else ())


def _target(words: Words) -> tuple[NounPhrase, ...]:
    words.expect(*_PREPOSITIONS)
    return tuple(read_things(words, _FIRST)) if words.peek() not in ("it", "them") else (read_phrase(words),)


def _order(words: Words) -> Order:
    start = words.at
    words.accept("in", "going", "moving")
    words.accept("a")
    found = words.accept("clockwise", "counterclockwise")
    if not found:
        words.at = start
        return ""
    words.accept("order", "direction")
    return "clockwise" if found == "clockwise" else "counterclockwise"


def _linked(clauses: list[Clause]) -> list[Clause]:
    """Pronouns and "the other blocks" by what they point to: the things of the clause before."""
    linked: list[Clause] = []
    for clause in clauses:
        before = linked[-1] if linked else None
        linked.append(replace(clause, things=_point(clause.things, before), target=_point(clause.target, before)))
    return linked


def _point(phrases: tuple[NounPhrase, ...], before: Clause | None) -> tuple[NounPhrase, ...]:
    pointed: list[NounPhrase] = []
    for phrase in phrases:
        if phrase.pronoun:
            if before is None:
                raise Unreadable("a pronoun that points to nothing")
            pointed += before.things
        else:
            pointed.append(phrase)
    return tuple(pointed)
