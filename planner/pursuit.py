"""The errands of one instruction: which one the next step serves, whether it is over, and which options plainly do not serve it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from seesay.messages import Object, Objects
from seesay.planner.agenda import Agenda, Subtask
from seesay.planner.errands import Errand, read_errands, way_to
from seesay.planner.prompt import LONGEST_INSTRUCTION, StepRecord
from seesay.planner.reading import read
from seesay.planner.relations import ROBOT_REACH, apart, evidence_ns
from seesay.planner.skills import DONE, Library, Option
from seesay.planner.trail import Trail


class Pursuit:
    """Errands in their order, one after the other, with the steps that each has had.

    "All" there are is told from what is seen: one thing after the other is pursued, as an errand of its own, until no more is seen at this
    look and the one before.
    """

    def __init__(self, errands: Sequence[Errand], library: Library) -> None:
        self._errands, self._library = tuple(errands), library
        self._before: tuple[StepRecord, ...] = ()
        self._own: list[StepRecord] = []
        self._at = 0
        self._looks: list[tuple[int, dict[str, set[str]]]] = []

    @property
    def current(self) -> Errand | None:
        """The errand that is not over, None when all are."""
        return self._errands[self._at] if not self._over() else None

    def update(self, objects: Objects) -> None:
        """Nothing to learn before there are pictures of what is done: errands name kinds of things."""

    def settle(self, option: Option) -> bool:
        """An errand is not replaced by one option."""
        return False

    def next(self, objects: Objects, verify: bool = True) -> Subtask:
        """The first errand that is not over; the last one, as done, when all are."""
        self._look(objects)
        while self._over() and self._at < len(self._errands) - 1:
            self._step_on()
        errand, own, over = self._errands[self._at], tuple(self._own), self._over()
        held = self._trail().held or next((thing.label for thing in objects.objects if thing.status == "held"), "")
        if not over and (errand.times or 2) > 1 and errand.one_by_one:
            errand, own = self._single(errand, held), self._since_put_down()
        if not over and not (held and _wants(errand, held)) and self._is_elsewhere(errand):
            errand, own = way_to(errand.source, self._library.vocabulary.verbs), ()
        done = self._library.done_rule.probability(over)
        idle = dict(self._idle(errand, over, held))
        return Subtask(errand.text, own, None, done, "" if over else _missing(errand), idle, self._then)

    def wanted(self, objects: Objects, verify: bool = True) -> list[str]:
        """Nothing must be seen: things can be searched for."""
        return []

    def record(self, record: StepRecord) -> None:
        """A step for the current errand has ended."""
        self._own.append(record)

    def correct(self, record: StepRecord) -> None:
        """The last step is seen to have failed."""
        if self._own and self._own[-1].phrase == record.phrase:
            self._own[-1] = record

    def finish(self) -> bool:
        """`done` was chosen: the current errand is not pursued any more. True if it was the last."""
        if self._at == len(self._errands) - 1:
            return True
        self._step_on()
        return False

    def _then(self, record: StepRecord, objects: Objects) -> Subtask:
        """What the step after one more step would serve."""
        later = Pursuit(self._errands, self._library)
        later._before, later._own, later._at, later._looks = self._before, [*self._own, record], self._at, list(self._looks)
        return later.next(objects)

    def _step_on(self) -> None:
        self._before += tuple(self._own)
        self._own = []
        self._at += 1

    def _trail(self) -> Trail:
        return Trail.of([*self._before, *self._own], self._library)

    def _trail_before(self) -> Trail:
        """What the errands before this one have led to."""
        return Trail.of(self._before, self._library)

    def _look(self, objects: Objects) -> None:
        """Remember where things are seen, at the last two looks."""
        seen: dict[str, set[str]] = {}
        for thing in objects.objects:
            if thing.status != "lost":
                seen.setdefault(thing.label, set()).add("held" if thing.status == "held" else self._spot(thing))
        stamp = evidence_ns(objects)
        self._looks = [*[look for look in self._looks if look[0] < stamp][-1:], (stamp, seen)]

    def _spot(self, thing: Object) -> str:
        """The named place where a thing is, "" for none."""
        away = {name: apart(thing, np.array(position)) for name, position in self._library.places.items()}
        nearest = min(away, key=lambda name: away[name], default="")
        return nearest if nearest and away[nearest] <= ROBOT_REACH else ""

    def _left(self, errand: Errand) -> list[str]:
        """What is wanted and was seen, at one of the last two looks, where it is not to stay."""
        placed = {thing for thing, _ in self._placed()}
        left: dict[str, None] = {}
        for number, (_, seen) in enumerate(reversed(self._looks)):
            for thing, spots in seen.items():
                forgotten = number > 0 and (thing in placed or thing in self._looks[-1][1])
                if _wants(errand, thing) and not forgotten and any(_is_away(spot, errand) for spot in spots):
                    left[thing] = None
        return list(left)

    def _placed(self) -> list[tuple[str, str]]:
        """(thing, spot) of what was put down for the current errand."""
        return list(self._trail().placed[len(self._trail_before().placed) :])

    def _single(self, errand: Errand, held: str) -> Errand:
        """An errand about several things as one about the next of them."""
        left = self._left(errand)
        if not left and errand.times is None:
            return errand
        named = errand.things if len(errand.things) == 1 else ()
        thing = held if held and _wants(errand, held) else (named or tuple(left) or ("",))[0]
        if not thing:
            return errand
        return replace(errand, text=errand.one_by_one.format(thing=f"the {thing}"), things=(thing,), times=1)

    def _since_put_down(self) -> tuple[StepRecord, ...]:
        """The steps since a thing of the current errand was last put down."""
        steps, count = [*self._before, *self._own], len(self._trail().placed)
        starts = range(len(self._before), len(steps))
        last = next((start for start in starts if len(Trail.of(steps[:start], self._library).placed) == count), len(steps))
        return tuple(steps[last:])

    def _over(self) -> bool:
        errand, trail = self._errands[self._at], self._trail()
        placed = [spot for thing, spot in self._placed() if _wants(errand, thing)]
        if errand.times is None and errand.one_by_one and self._left(errand):
            return False
        match errand.ends:
            case "at":
                return placed.count(errand.place) >= (errand.times or 1)
            case "off":
                return len(placed) - placed.count(errand.place) >= (errand.times or 1)
            case "down":
                return len(placed) >= (errand.times or 1)
            case "held":
                return trail.held != "" and _wants(errand, trail.held)
            case "near":
                return errand.place in (trail.spot, *trail.visited[len(self._trail_before().visited) :])

    def _idle(self, errand: Errand, over: bool, held: str) -> Iterator[tuple[str, str]]:
        """Phrases of options that plainly do not serve the errand, with the reason."""
        trail = self._trail()
        halfway = [thing for thing in (held, trail.found) if thing and _wants(errand, thing)]
        if halfway and not over:
            yield self._library.done_phrase, f"the {halfway[0]} is on its way"
        for option in self._library.candidates():
            if option.skill == DONE or (over and errand.times is None and not errand.one_by_one):
                continue
            reason = "what was asked for is done" if over else self._why_idle(option, errand, trail, held)
            if reason:
                yield option.phrase, reason

    def _why_idle(self, option: Option, errand: Errand, trail: Trail, held: str) -> str:
        """held: the thing in the gripper, "" for none."""
        carried = held if held and _wants(errand, held) else ""
        effects = self._library.skill(option.skill).effects
        if held and not carried and errand.ends != "near" and all(effect.verb != "empty" for effect in effects):
            return f"the gripper holds the {held}"
        for effect in effects:
            name = option.arguments.get(effect.name, effect.name)
            goes_to = name if effect.verb == "near" and name in self._library.places else ""
            if errand.ends != "near" and not held and (effect.verb == "empty" or goes_to not in ("", errand.source)):
                return "the gripper holds nothing"
            puts_down_at = trail.spot if effect.verb == "empty" else None
            match errand.ends:
                case "near" if goes_to != errand.place:
                    return f"the robot is to go to the {errand.place}"
                case "held" if carried:
                    return f"the {carried} is to be held"
                case "down" if carried and effect.verb != "empty":
                    return f"the {carried} is to be put down"
                case "at" if carried and errand.place not in (goes_to, puts_down_at):
                    return f"the {carried} is to be at the {errand.place}"
                case "at" if effect.verb == "held" and any(spot == trail.spot == errand.place for _, spot in trail.placed):
                    return f"the {name} is at the {errand.place} already"
                case "off" if carried and (goes_to or puts_down_at or "") == errand.place:
                    return f"the {carried} is to be off the {errand.place}"
            if effect.verb in ("held", "near") and not goes_to:
                if not _wants(errand, name):
                    return f"the {name} was not asked for"
                if trail.found not in ("", name) and _wants(errand, trail.found):
                    return f"the {trail.found} has been found for it"
        return ""

    def _is_elsewhere(self, errand: Errand) -> bool:
        """Whether the robot is not yet where the thing is that is meant, while there is another one like it."""
        trail = self._trail()
        last = trail.visited[-2:-1] if trail.found else (trail.spot,)
        if not errand.source or last == (errand.source,):
            return False
        seen = {thing: spots - {"held"} for thing, spots in self._looks[-1][1].items() if _wants(errand, thing)}
        return any(errand.source in spots and spots - {errand.source, errand.place} for spots in seen.values())


def agenda_of(text: str, library: Library) -> Agenda | Pursuit | None:
    """What an instruction asks for, one thing after the other, None where neither grammar reads it or it is too long to be followed.

    Where errands have words, they are read; otherwise what lies where.
    """
    if len(text) > LONGEST_INSTRUCTION:
        return None
    if library.vocabulary.verbs:
        errands = read_errands(text, library)
        return Pursuit(errands, library) if errands else None
    clauses = read(text, library)
    return Agenda(clauses, library) if clauses else None


def _wants(errand: Errand, thing: str) -> bool:
    return thing not in errand.without and (not errand.things or thing in errand.things)


def _is_away(spot: str, errand: Errand) -> bool:
    """Whether a thing that is there is still to be carried."""
    if spot == "held":
        return True
    return spot == errand.place if errand.ends == "off" else spot != errand.place and errand.source in ("", spot)


def _missing(errand: Errand) -> str:
    what = "the " + " or ".join(errand.things) if errand.things else "something"
    match errand.ends:
        case "held":
            return f"{what} not yet held"
        case "near":
            return f"the robot was not at the {errand.place} yet"
        case "down":
            return f"{what} not yet put down"
    return f"{what} not yet put down {'at' if errand.ends == 'at' else 'off'} the {errand.place}"
