"""Tasks on the table: an instruction, the scene it is given in, and the goal that judges it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seesay.errors import SkillError
from seesay.sim.goals import All, Atom, Goal, Not, read_goal
from seesay.sim.places import CORNERS, PLACES
from seesay.sim.scene import COLOURS, PICKABLE, SHAPES, Scene, SceneObject, dress, move, random_object, scatter

BLOCKS = ("blue block", "red block", "green block", "yellow block")
BOWLS = ("blue bowl", "red bowl", "green bowl", "yellow bowl")
TARGETS = (*BLOCKS, *BOWLS, "top left corner", "top right corner", "middle", "bottom left corner", "bottom right corner")
"""The 13 places of SayCan's tabletop (google-research/saycan, Apache-2.0): with 4 blocks to pick, its 52 options beside `done`."""

_SAYINGS: dict[str, tuple[str, ...]] = {
    "in": ("put the {a} in the {b}.", "place the {a} in the {b}.", "move the {a} into the {b}."),
    "on": ("put the {a} on the {b}.", "stack the {a} on top of the {b}.", "place the {a} on the {b}."),
    "at": ("put the {a} in the {b}.", "move the {a} to the {b}.", "place the {a} at the {b}."),
}
_THING = rf"(?:{'|'.join(COLOURS)}) (?:{'|'.join(SHAPES)})"
_ALL = r"(?:all (?:of )?the|all|every|each) blocks?"
_THINGS = rf"(?:the )?{_THING}(?:(?:, | and |, and )(?:the )?{_THING})*"
_STEP = re.compile(
    r"(?:please )?(?:put|move|place|stack|bring|pick up|pick|grab|set|drop) "
    rf"(?P<a>{_ALL}|{_THINGS})"
    r"(?: and (?:put|place|set|drop|move|stack) (?:it|them))? (?:in|into|inside|on|onto|on top of|to|at) (?:the )?"
    rf"(?P<b>{_THING}|{'|'.join(PLACES)})"
)
_STACK = re.compile(r"stack all (?:of )?the blocks|(?:make|build) (?:a|the highest) (?:block )?(?:stack|tower).*")
_SPREAD = re.compile(rf"(?:put|move|place) (?P<a>{_ALL}|{_THINGS}) (?:in|to|into) (?:different|separate) corners")
_MATCH = re.compile(
    rf"(?:put|move|place|sort) {_ALL} (?:in|into|to|on) (?:the |their )?(?:bowls of the same colou?r|matching (?:colou?r )?bowls)"
)
_NAME = re.compile(rf"\b({'|'.join(COLOURS)})(?:-| )({'|'.join(SHAPES)})s?\b")
_SPLIT = re.compile(r",? and then |,? then |[.;] |,? and (?=(?:put|move|place|stack) the)")


@dataclass(frozen=True)
class Task:
    """An instruction, the scene it is given in and its goal (None where the words are beyond `parse_goal`)."""

    scene: Scene
    instruction: str
    goal: Goal | None


def named_things(instruction: str) -> tuple[tuple[str, str], ...]:
    """(colour, shape) of the things that an instruction names, each once, in order."""
    return tuple(dict.fromkeys((colour, shape) for colour, shape in _NAME.findall(instruction.lower())))


def parse_goal(instruction: str, on_table: Sequence[str] = ()) -> Goal | None:
    """The goal of a plain instruction, None for any other.

    Plain: pick-and-place steps ("put the red block in the green bowl, then ..."), several things to one place, and, given the names
    `on_table`, all blocks to a place, to different corners, into the bowls of their colours or into a stack.
    """
    text = " ".join(instruction.lower().replace("first ", "").split()).rstrip(".! ")
    blocks = tuple(name for name in on_table if name.endswith(" block"))
    if len(blocks) > 1 and _STACK.fullmatch(text):
        return Atom("one_stack", blocks)
    spread = _SPREAD.fullmatch(text)
    if spread and len(_meant(spread["a"], blocks)) > 1:
        return Atom("distinct_corners", _meant(spread["a"], blocks))
    if _MATCH.fullmatch(text):
        pairs = [(block, block.replace("block", "bowl")) for block in blocks if block.replace("block", "bowl") in on_table]
        return All(tuple(Atom("in", pair) for pair in pairs)) if pairs else None
    atoms: list[Goal] = []
    for part in _SPLIT.split(text):
        found = _STEP.fullmatch(part.strip(" ,"))
        if not found:
            return None
        things = _meant(found["a"], blocks)
        if not things or found["b"] in things or any(thing.split()[1] not in PICKABLE for thing in things):
            return None
        atoms += [Atom(_relation(found["b"]), (thing, found["b"])) for thing in things]
    return atoms[0] if len(atoms) == 1 else All(tuple(atoms))


def _meant(words: str, blocks: tuple[str, ...]) -> tuple[str, ...]:
    """Names in "all the blocks" or in a list of things."""
    return blocks if re.fullmatch(_ALL, words) else tuple(colour + " " + shape for colour, shape in _NAME.findall(words))


def single_task(seed: int) -> Task:
    """One of the 48 pick-and-place instructions over the 53 options that move a block elsewhere, on a table of 4 to 8 things, by seed."""
    rng = np.random.default_rng([seed, 53])
    pick = str(rng.choice(BLOCKS))
    place = str(rng.choice([target for target in TARGETS if target != pick]))
    relation = _relation(place)
    instruction = str(rng.choice(_SAYINGS[relation])).format(a=pick, b=place)
    needed = [pick] if place in PLACES else [pick, place]
    scene = lay(_with_others(rng, needed, int(rng.integers(4, 9))), seed, rng=rng, free=[place] if place in PLACES else [])
    return Task(scene, instruction, Atom(relation, (pick, place)))


def suite_task(entry: Mapping[str, Any], seed: int, start: Mapping[str, str] | None = None) -> Task:
    """A task of a suite file, `{"instruction": ..., "objects": [...], "goal": ...}`, on a table of exactly those objects, by seed.

    start: thing -> named place where it lies at first. The places that the goal speaks of are free of anything else.
    """
    goal = read_goal(entry["goal"])
    wanted = [place for place in _places_in(goal) if place not in (start or {}).values()]
    return Task(lay(entry["objects"], seed, free=wanted, start=start), entry["instruction"], goal)


def _places_in(goal: Goal) -> tuple[str, ...]:
    match goal:
        case All():
            return tuple(dict.fromkeys(place for part in goal.goals for place in _places_in(part)))
        case Not():
            return _places_in(goal.goal)
        case Atom():
            return CORNERS if "corners" in goal.relation else tuple(name for name in goal.names if name in PLACES)


def demo_task(instruction: str, seed: int) -> Task:
    """A table for any instruction: what it names lies there, with blocks and bowls in SayCan's colours and a few other things.

    Raises SkillError when the instruction names no thing, no shape and no place of the simulator.
    """
    words = instruction.lower()
    needed = [" ".join(thing) for thing in named_things(words)]
    free = [place for place in PLACES if place in words] or (list(CORNERS) if "corner" in words else [])
    if not needed and not free and not re.search(rf"\b({'|'.join(SHAPES)})s?\b", words):
        raise SkillError(
            f"expected a task about things on the table, got {instruction!r}: name them, for example 'put the red block in the green bowl'"
        )
    if len(needed) > 9:
        raise SkillError(f"expected a task of at most 9 things, got {len(needed)}: name fewer")
    rng = np.random.default_rng([seed, 99])
    scene = lay(_with_others(rng, needed, max(7, len(needed))), seed, rng=rng, free=free)
    return Task(scene, instruction, parse_goal(instruction, [thing.name for thing in scene.objects]))


def lay(
    names: Sequence[str],
    seed: int,
    *,
    rng: np.random.Generator | None = None,
    free: Sequence[str] = (),
    start: Mapping[str, str] | None = None,
) -> Scene:
    """A test-split scene of the named things ("red block") at random places.

    free: named places that nothing covers. start: thing -> named place where it lies at first. Deterministic by seed (or `rng`).
    Raises SkillError for a name that is no colour and shape, named twice, or when the things don't fit.
    """
    rng = rng or np.random.default_rng([seed, 17])
    pairs = [_pair(name) for name in names]
    if len(set(pairs)) < len(pairs):
        raise SkillError(f"expected every thing once, got {', '.join(names)}: name each once")
    start = start or {}
    for name, place in start.items():
        if name not in names or place not in PLACES:
            raise SkillError(f"expected a thing of the scene and a named place, got {name!r} at {place!r}: correct it")
    clear = [(*PLACES[place], 0.045) for place in (*free, *start.values())]
    for attempt in range(400):
        gap = 0.022 if attempt < 200 else 0.014
        objects = scatter(rng, [pair for pair, name in zip(pairs, names, strict=True) if name not in start], gap, clear)
        if objects is not None:
            return dress(rng, seed, "test", (*_at_start(rng, start), *objects))
    raise SkillError(f"expected things that fit on the table, got {', '.join(names)}: name fewer")


def _at_start(rng: np.random.Generator, start: Mapping[str, str]) -> list[SceneObject]:
    return [move(random_object(rng, *_pair(name)), PLACES[place]) for name, place in start.items()]


def _with_others(rng: np.random.Generator, needed: Sequence[str], count: int) -> list[str]:
    """`needed` and as many other things as make `count`: up to two of other shapes,
    blocks and bowls of SayCan's colours, at most 3 bowls among them."""
    names = list(needed)
    others = [str(name) for name in rng.permutation([f"{colour} {shape}" for colour in COLOURS for shape in ("cup", "can", "ball")])]
    common = [str(name) for name in rng.permutation([*BLOCKS, *BOWLS])]
    spare = [*others[: int(rng.integers(0, 3))], *common, *others[2:]]
    for name in dict.fromkeys(spare):
        bowls = sum(known.endswith(("bowl", "plate")) for known in names)
        if name not in names and len(names) < count and not (name.endswith("bowl") and bowls >= 3):
            names.append(name)
    return names


def _relation(place: str) -> str:
    if place in PLACES:
        return "at"
    return "in" if place.endswith("bowl") else "on"


def _pair(name: str) -> tuple[str, str]:
    colour, _, shape = name.partition(" ")
    if colour not in COLOURS or shape not in SHAPES:
        raise SkillError(f"expected a colour ({', '.join(COLOURS)}) and a shape ({', '.join(SHAPES)}), got {name!r}: correct the name")
    return colour, shape
