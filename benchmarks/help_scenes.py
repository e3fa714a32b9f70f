"""Decisions in which it may or may not be clear what a person means, on symbolic tables, for `ask_for_help` and its calibration.

Two halves of one pool of words, drawn apart once at random: colours, nouns, verbs and sentences of the half `calibration` never occur in
the half `test`, nor in the examples of the planner's prompt. Kinds follow KnowNo (arXiv:2307.01928): attributes, numbers, places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from seesay.messages import Header, Instruction, Object, Objects, PlanStep, Source
from seesay.planner.language import LanguageScorer
from seesay.planner.prompt import StepRecord
from seesay.planner.saycan import SayCan
from seesay.planner.skills import Library, load_library
from seesay.planner.task import Act, End, Task

Half = Literal["calibration", "test"]
Kind = Literal["plain", "named place", "which thing", "which place", "which corner", "how many", "any", "finished"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NOW_NS = 100_000_000_000

_COLOURS = (
    "red", "blue", "green", "yellow", "cyan", "silver", "gold", "violet", "teal", "maroon", "beige", "turquoise", "crimson", "olive",
    "navy", "amber",
)  # fmt: skip
_THINGS = (
    "block", "bottle", "book", "toy", "mug", "jar", "brick", "spoon", "key", "pen", "apple", "lemon", "candle", "sponge", "pear", "marble",
    "duck", "car", "ring", "shell", "button", "stone", "egg", "fork",
)  # fmt: skip
_CONTAINERS = (
    "bowl", "plate", "basket", "bin", "pot", "pan", "drawer", "bucket", "dish", "bag", "tin", "case", "saucer", "hat", "tub", "chest",
)  # fmt: skip
_VERBS = ("put", "place", "move", "bring", "lay", "take", "drop", "transfer", "carry", "shift", "push", "get")
_REQUESTS = (
    "{verb} {a} {to} {b}", "please {verb} {a} {to} {b}", "could you {verb} {a} {to} {b}", "{verb} {a} {to} {b} for me",
    "I want you to {verb} {a} {to} {b}", "can you {verb} {a} {to} {b}?", "would you {verb} {a} {to} {b}", "grab {a} and {verb} it {to} {b}",
)  # fmt: skip
_WISHES = (
    "I would like to see {a} {to} {b}", "{a} should be {to} {b}", "I need {a} {to} {b}", "{a} belongs {to} {b}",
    "it would be nice to have {a} {to} {b}", "make sure that {a} is {to} {b}", "try to {verb} {a} {to} {b}", "my wish is {a} {to} {b}",
)  # fmt: skip
"""Requests are within the planner's grammar, wishes go to the language model as they are; each half has as many of both."""
_AMOUNTS = ("a few of the", "some of the", "several of the", "a couple of the", "a number of the", "more than one of the")


@dataclass(frozen=True)
class Words:
    """One half of the pool."""

    colours: tuple[str, ...]
    things: tuple[str, ...]
    containers: tuple[str, ...]
    verbs: tuple[str, ...]
    sentences: tuple[str, ...]
    amounts: tuple[str, ...]


@dataclass(frozen=True)
class Decided:
    """A decision that the planner has made. meanings: indices of the candidates that would be right, for each thing that may be meant."""

    kind: Kind
    step: PlanStep
    meanings: tuple[frozenset[int], ...]
    meant: int


@dataclass(frozen=True)
class Decision:
    """One decision. meanings: what the person may mean, equally likely, each the phrases that would be right; `meant`: which one it is."""

    kind: Kind
    instruction: str
    library: Library
    objects: Objects
    history: tuple[StepRecord, ...]
    meanings: tuple[frozenset[str], ...]
    meant: int

    def decide(self, scorer: LanguageScorer) -> Decided:
        """What the planner makes of it: reading, affordances and language model as in the running system."""
        saycan = SayCan(self.library, scorer)
        instruction = Instruction(Header(NOW_NS), "help", self.instruction)
        move = Task(instruction, saycan, NOW_NS, max_steps=8, patience_s=0.0, history=self.history).advance(self.objects, NOW_NS)
        if not isinstance(move, Act | End) or move.step is None:
            raise AssertionError(f"no decision: {self.instruction!r}: {move}")
        number = {candidate.phrase: i for i, candidate in enumerate(move.step.candidates)}
        return Decided(self.kind, move.step, tuple(frozenset(number[each] for each in right) for right in self.meanings), self.meant)


def words(half: Half) -> Words:
    """The words of one half."""
    rng = np.random.default_rng(5)

    def part(pool: tuple[str, ...]) -> tuple[str, ...]:
        mixed = [str(word) for word in rng.permutation(pool)]
        middle = len(mixed) // 2
        return tuple(mixed[:middle] if half == "calibration" else mixed[middle:])

    sentences = part(_REQUESTS) + part(_WISHES)
    return Words(part(_COLOURS), part(_THINGS), part(_CONTAINERS), part(_VERBS), sentences, part(_AMOUNTS))


def decisions(half: Half, n: int) -> Iterator[Decision]:
    """`n` decisions, always the same, all kinds in turn."""
    known = words(half)
    for index in range(n):
        yield _decision(np.random.default_rng([index, len(half)]), KINDS[index % len(KINDS)], known)


def _decision(rng: np.random.Generator, kind: Kind, known: Words) -> Decision:
    noun, other = _some(rng, known.things, 2)
    holder, holder_2 = _some(rng, known.containers, 2)
    colours, holder_colours = _some(rng, known.colours, 3), _some(rng, known.colours, 2)
    match kind:
        case "which thing" | "any":
            nouns = [noun, noun]
        case "how many":
            nouns = [noun, noun, noun]
        case _:
            nouns = [noun, other]
    things = [f"{colour} {one}" for colour, one in zip(colours, nouns, strict=False)]
    holders = [f"{holder_colours[0]} {holder}", f"{holder_colours[1]} {holder if kind == 'which place' else holder_2}"]
    library = load_library("tabletop").with_objects(blocks=things, bowls=holders)
    corners = library.place_groups["corners"]
    a, b, into = f"the {things[0]}", f"the {holders[0]}", str(rng.choice(["in", "into", "inside"]))
    right = [{(things[0], holders[0])}]
    done: list[tuple[str, str]] = []
    match kind:
        case "named place":
            place = str(rng.choice([*corners, "middle"]))
            b, into, right = f"the {place}", "in", [{(things[0], place)}]
        case "which thing":
            a, right = f"the {noun}", [{(thing, holders[0])} for thing in things]
        case "which place":
            b, right = f"the {holder}", [{(things[0], place)} for place in holders]
        case "which corner":
            side = str(rng.choice(["top", "bottom", "left", "right"]))
            b, into, right = f"the {side} corner", "in", [{(things[0], corner)} for corner in corners if side in corner.split()]
        case "how many":
            a, done = f"{rng.choice(known.amounts)} {noun}s", [(thing, holders[0]) for thing in things[:2]]
            right = [{(things[2], holders[0])}, set()]
        case "any":
            a, right = f"any of the {noun}s", [{(thing, holders[0]) for thing in things}]
        case "finished":
            done, right = [(things[0], holders[0])], [set()]
    sentence = str(rng.choice(known.sentences)).format(verb=rng.choice(known.verbs), a=a, to=into, b=b)
    phrases = {(option.arguments.get("object"), option.arguments.get("place")): option.phrase for option in library.candidates()}
    return Decision(
        kind, sentence, library, _table(rng, things, holders, dict(done)), tuple(StepRecord(phrases[pair]) for pair in done),
        tuple(frozenset(phrases[pair] for pair in pairs) or frozenset([library.done_phrase]) for pairs in right),
        int(rng.integers(len(right))),
    )  # fmt: skip


def _some(rng: np.random.Generator, pool: tuple[str, ...], n: int) -> list[str]:
    return [str(word) for word in rng.choice(pool, n, replace=False)]


def _table(rng: np.random.Generator, things: list[str], holders: list[str], lying_in: dict[str, str]) -> Objects:
    """Things as perception reports them: somewhere apart from each other, seen more or less surely, some seconds ago."""
    header = Header(NOW_NS, 1, "world", "sim", Source("front", 1, NOW_NS))
    spots: dict[str, tuple[float, float]] = {}
    while len(spots) < len(things) + len(holders):
        x, y = rng.uniform(-0.17, 0.17), rng.uniform(-0.12, 0.12)
        if all(np.hypot(x - u, y - v) > 0.07 for u, v in spots.values()):
            spots[[*holders, *things][len(spots)]] = (float(x), float(y))
    found = []
    for number, name in enumerate([*things, *holders], start=1):
        x, y = spots[lying_in.get(name, name)]
        position = np.array([x, y, 0.03 if name in lying_in else 0.02])
        size = np.full(3, 0.12 if name in holders else 0.04)
        seen = NOW_NS - (0 if name in lying_in else int(1e9 * rng.uniform(0, 4)))
        box, spread = np.zeros(4, np.float32), np.eye(3) * 1e-4
        found.append(Object(number, name, float(rng.uniform(0.35, 0.98)), box, position, spread, size, seen, Source("front", 1, seen)))
    return Objects(header, tuple(found))
