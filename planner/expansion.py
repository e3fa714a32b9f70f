"""From what an instruction asks for to the goals that it means here: which object goes where, in which order.

The planner's loop pursues one goal after the other; the language model chooses the step to each of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

from seesay.messages import Objects
from seesay.planner.phrases import LIGHTNESS, NounPhrase
from seesay.planner.reading import Clause, Order
from seesay.planner.relations import AT_PLACE, DOUBT, above, find, inside
from seesay.planner.scene import FREE, Goal, Scene, Unclear, names_of
from seesay.planner.skills import Library


class Unseen(Exception):
    """Nothing of what is meant is seen; the text names it."""


def expand(clauses: Sequence[Clause], library: Library, objects: Objects, names: Iterable[str]) -> tuple[Goal, ...]:
    """The goals of all clauses, in order. names: the objects that count as here, for "all" and "the other".

    Raises Unclear where the words leave open what is meant ("the block" with two of them here) and Unseen where nothing of it is here.
    """
    scene = Scene(library, objects, names)
    goals: list[Goal] = []
    left: list[str] = []
    for clause in clauses:
        named = [*left, *names_of(goals, library.places)]
        if clause.kind == "leave":
            left += _things(clause, scene, named)
        else:
            goals += _goals(clause, scene, named)
    return tuple(dict.fromkeys(goals))


def _goals(clause: Clause, scene: Scene, named: Sequence[str]) -> list[Goal]:
    match clause.kind:
        case "clear":
            return _clear(clause, scene)
        case "gather":
            return _gather(clause, scene, named)
    if any(phrase.share == "matching" for phrase in clause.target):
        return _match(clause, scene, named)
    targets = _targets(clause, scene, named)
    things = [name for name in _things(clause, scene, named) if clause.kind == "stack" or name not in targets]
    if clause.kind == "stack":
        return _stack(things, targets, scene)
    share = {phrase.share for phrase in clause.target}
    whole = len(clause.target) > 1 or any(phrase.number is None for phrase in clause.target)
    if len(targets) == 1:
        if targets[0] in scene.movable and len(things) > 1:
            return _stack(things, targets, scene)
        return [scene.goal(thing, targets[0]) for thing in things]
    if "different" in share or (whole and len(things) > 1):
        return _spread(things, targets, scene)
    if "same" in share or not whole:
        target = min(targets, key=lambda place: sum(scene.distance(thing, place) for thing in things))
        return [scene.goal(thing, target) for thing in things]
    if all(not phrase.definite and phrase.number == 1 for phrase in clause.things):
        several = _resolve(NounPhrase(clause.things[0].noun, number=None), scene.movable, scene, named)
        if len(several) < len(targets):
            raise Unclear(f"{len(several)} things, one for each of {len(targets)} places")
        return _spread(several[: len(targets)], targets, scene)
    return [scene.goal(things[0], place, passing=True) for place in _round(things[0], targets, clause.order, scene)]


def _things(clause: Clause, scene: Scene, named: Sequence[str]) -> list[str]:
    found: list[str] = []
    for phrase in clause.things:
        found += _resolve(phrase, scene.movable, scene, [*named, *found])
    return list(dict.fromkeys(found))


def _targets(clause: Clause, scene: Scene, named: Sequence[str]) -> list[str]:
    """Where things go. A place of which there are several, said without "all", stands for the free ones among them."""
    found: list[str] = []
    for phrase in clause.target:
        several = phrase.share in ("different", "same") or not phrase.definite
        wanted = NounPhrase(phrase.noun, phrase.attributes, phrase.without, phrase.shade, None, but=phrase.but, other=phrase.other)
        these = _resolve(wanted if several else phrase, scene.targets, scene, [*named, *found])
        places = [name for name in these if name in scene.library.places]
        found += [name for name in these if name not in places or scene.free(name, scene.movable)] if several and places else these
    return list(dict.fromkeys(found))


def _resolve(phrase: NounPhrase, pool: Sequence[str], scene: Scene, named: Sequence[str]) -> list[str]:
    """Names that a phrase means. One that is the only one of its kind in the whole library need not be seen."""
    excluded = [NounPhrase(other.noun or phrase.noun, other.attributes, other.without) for other in phrase.but]
    exceptions = {name for other in excluded for name in _matching(other, pool)}
    fits = [name for name in _matching(phrase, pool) if name not in exceptions]
    if phrase.other:
        fits = [name for name in fits if name not in named]
    what = " ".join([*sorted(phrase.attributes), phrase.noun or "thing"])
    if not fits:
        raise Unclear(f"no skill of {scene.library.name} is about a {what}")
    if len(fits) == 1 and not phrase.shade:
        return fits
    here = [name for name in fits if name in scene.library.places or name in scene.here]
    if phrase.shade and here:
        here = _shaded(here, phrase)
    if not here:
        raise Unseen(what)
    if phrase.number is None:
        return here
    if phrase.number > len(here):
        raise Unseen(f"{phrase.number} of {what}")
    if phrase.number < len(here) and phrase.definite:
        raise Unclear(f"which {what} is meant: {', '.join(here)}")
    return here[: phrase.number]


def _matching(phrase: NounPhrase, pool: Sequence[str]) -> list[str]:
    chosen = []
    for name in pool:
        *attributes, noun = name.split()
        if phrase.noun in ("", noun) and phrase.attributes.issubset(attributes) and not phrase.without.intersection(attributes):
            chosen.append(name)
    return chosen


def _shaded(names: Sequence[str], phrase: NounPhrase) -> list[str]:
    """The lightest or the darkest one; several when the phrase speaks of several: all on that side of the middle."""
    sign = 1 if phrase.shade == "light" else -1
    light = {name: sign * max((LIGHTNESS[word] for word in name.split() if word in LIGHTNESS), default=0.5) for name in names}
    if phrase.number is not None:
        return sorted(names, key=lambda name: -light[name])[: phrase.number]
    middle = (max(light.values()) + min(light.values())) / 2
    return [name for name in names if light[name] >= middle]


def _match(clause: Clause, scene: Scene, named: Sequence[str]) -> list[Goal]:
    """Each thing to the place of its own attributes; things without such a place stay."""
    nouns = {phrase.noun for phrase in clause.target}
    targets = [name for name in scene.targets if name in scene.here and name.split()[-1] in nouns]
    goals = [
        scene.goal(thing, target)
        for thing in _things(clause, scene, named)
        for target in targets
        if target != thing and target.split()[:-1] == thing.split()[:-1]
    ]
    if not goals:
        raise Unseen("things of one color")
    return goals


def _spread(things: Sequence[str], targets: Sequence[str], scene: Scene) -> list[Goal]:
    """One thing to each place, with the least way in all; what is at one of the places already stays."""
    if len(things) > len(targets):
        raise Unclear(f"{len(things)} things for {len(targets)} places")
    if len(things) > 6 or len(targets) > 8:
        raise Unclear("too many things to share out")
    way = {(thing, place): min(scene.distance(thing, place), 10.0) for thing in things for place in targets}
    cost = {pair: -10.0 if length < AT_PLACE else length for pair, length in way.items()}
    shares = itertools.permutations(targets, len(things))
    best = min(shares, key=lambda places: sum(cost[pair] for pair in zip(things, places, strict=True)))
    return [scene.goal(thing, place) for thing, place in zip(things, best, strict=True)]


def _stack(things: Sequence[str], targets: Sequence[str], scene: Scene) -> list[Goal]:
    """A tower of the things: on the target; else on the one that stands best, what already stands on it first."""
    if len(targets) > 1 or len(things) + len(targets) < 2:
        raise Unclear("a stack of what")
    goals: list[Goal] = []
    order = [name for name in things if name not in targets]
    if targets and targets[0] in scene.movable:
        below = targets[0]
    else:
        middle = np.mean([scene.library.places[place] for place in scene.library.places], axis=0) if scene.library.places else np.zeros(3)

        def unfit(name: str) -> tuple[bool, int, float]:
            where = scene.position(name)
            perched = any(scene.lies_on(name, other) for other in scene.movable if other != name)
            load = sum(scene.lies_on(other, name) for other in order if other != name)
            return perched or _contained(name, scene), -load, math.inf if where is None else float(np.hypot(*(where - middle)[:2]))

        below = min(order, key=unfit)
        order.remove(below)
        goals += [scene.goal(below, place) for place in targets]
    while order:
        upper = next((name for name in order if scene.lies_on(name, below)), order[0])
        goals.append(scene.goal(upper, below))
        order.remove(upper)
        below = upper
    return goals


def _contained(name: str, scene: Scene) -> bool:
    thing = find(scene.objects, name)
    containers = {place for (_, place), option in scene.options.items() if option.relation == "in"}
    return thing is not None and any(inside(thing, other) for other in scene.objects.objects if other.label in containers)


def _round(thing: str, targets: Sequence[str], order: Order, scene: Scene) -> list[str]:
    """The places in the order of a round, seen from above, from the nearest on; where the thing is already comes last."""
    places = {name: position for name in targets if (position := scene.position(name)) is not None}
    if len(places) < 2 or scene.position(thing) is None:
        raise Unseen(thing)
    centre = np.mean(list(places.values()), axis=0)
    sign = 1 if order == "counterclockwise" else -1
    turn = sorted(places, key=lambda name: sign * math.atan2(*(places[name] - centre)[1::-1]))
    start = min(range(len(turn)), key=lambda i: scene.distance(thing, turn[i]))
    if scene.distance(thing, turn[start]) < AT_PLACE + DOUBT:
        start += 1
    return [turn[(start + i) % len(turn)] for i in range(len(turn))]


def _clear(clause: Clause, scene: Scene) -> list[Goal]:
    """What is at the places, or in or on the things, each to a free place of its own."""
    goals: list[Goal] = []
    for name in [name for phrase in clause.target for name in _resolve(phrase, scene.targets, scene, ())]:
        holder = find(scene.objects, name)
        for thing in scene.movable:
            seen = find(scene.objects, thing)
            if seen is None or thing not in scene.here or thing == name:
                continue
            there = scene.distance(thing, name) < FREE if holder is None else inside(seen, holder) or above(seen, holder)
            if there:
                taken = {goal.place for goal in goals} | {name}
                places = [place for place in scene.targets if place in scene.library.places and (thing, place) in scene.options]
                free = [place for place in places if place not in taken and scene.free(place)]
                if not free:
                    raise Unclear("no free place to put things")
                goals.append(scene.goal(thing, min(free, key=lambda place: scene.distance(thing, place))))
    return goals


def _gather(clause: Clause, scene: Scene, named: Sequence[str]) -> list[Goal]:
    """Into the one container among the things, else onto one of them."""
    phrases = clause.things
    things = _things(clause, scene, named)
    containers = {place for (_, place), option in scene.options.items() if option.relation == "in"}
    among = [name for name in containers if name in scene.here and any(name in _matching(phrase, [name]) for phrase in phrases)]
    if len(among) == 1:
        return [scene.goal(thing, among[0]) for thing in things]
    return _stack(things, (), scene)
