"""The errands of one instruction: which one the next step serves, whether it is over, and which options plainly do not serve it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seesay.messages import Objects
from seesay.planner.agenda import Agenda, Subtask
from seesay.planner.errands import Errand, read_errands
from seesay.planner.prompt import LONGEST_INSTRUCTION, StepRecord
from seesay.planner.reading import read
from seesay.planner.skills import DONE, Library, Option


@dataclass(frozen=True)
class Trail:
    """What steps that succeeded have led to, by their skills' effects.

    spot: the named place where the robot is, "" if it is not known. held: the thing in the gripper, "" for none that was picked up.
    placed: (thing, spot) of what was put down. visited: spots, in order.
    """

    spot: str = ""
    held: str = ""
    placed: tuple[tuple[str, str], ...] = ()
    visited: tuple[str, ...] = ()

    @classmethod
    def of(cls, history: Sequence[StepRecord], library: Library) -> Trail:
        options = {option.phrase: option for option in library.candidates()}
        trail = cls()
        for record in history:
            option = options.get(record.phrase)
            if record.succeeded and option is not None and option.skill != DONE:
                trail = trail._after(option, library)
        return trail

    def _after(self, option: Option, library: Library) -> Trail:
        spot, held, placed, visited = self.spot, self.held, self.placed, self.visited
        skill = library.skill(option.skill)
        for effect in skill.effects:
            name = option.arguments.get(effect.name, effect.name)
            if effect.verb == "near":
                spot = name if name in library.places else ""
                visited += (spot,)
            elif effect.verb == "held":
                held = name
            elif effect.verb == "empty":
                put = next((option.arguments.get(need.name, need.name) for need in skill.needs if need.verb == "held"), held)
                held, placed = "", (*placed, (put, spot))
        return Trail(spot, held, placed, visited)


class Pursuit:
    """Errands in their order, one after the other, with the steps that each has had."""

    def __init__(self, errands: Sequence[Errand], library: Library) -> None:
        self._errands, self._library = tuple(errands), library
        self._before: tuple[StepRecord, ...] = ()
        self._own: list[StepRecord] = []
        self._at = 0

    @property
    def current(self) -> Errand | None:
        """The errand that is not over, None when all are."""
        return self._errands[self._at] if not self._over() else None

    def update(self, objects: Objects) -> None:
        """Nothing to learn from what is seen: errands name kinds of things."""

    def settle(self, option: Option) -> bool:
        """An errand is not replaced by one option."""
        return False

    def next(self, objects: Objects, verify: bool = True) -> Subtask:
        """The first errand that is not over; the last one, as done, when all are."""
        while self._over() and self._at < len(self._errands) - 1:
            self._step_on()
        errand, own = self._errands[self._at], tuple(self._own)
        done = self._library.done_rule.probability(self._over())
        return Subtask(errand.text, own, None, done, "" if self._over() else _missing(errand), dict(self._idle(objects)), self._then)

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
        later._before, later._own, later._at = self._before, [*self._own, record], self._at
        return later.next(objects)

    def _step_on(self) -> None:
        self._before += tuple(self._own)
        self._own = []
        self._at += 1

    def _over(self) -> bool:
        errand, trail = self._errands[self._at], Trail.of([*self._before, *self._own], self._library)
        placed = [spot for thing, spot in trail.placed[len(Trail.of(self._before, self._library).placed) :] if _wants(errand, thing)]
        match errand.ends:
            case "at":
                return placed.count(errand.place) >= (errand.times or 1)
            case "off":
                return len(placed) - placed.count(errand.place) >= (errand.times or 1)
            case "held":
                return trail.held != "" and _wants(errand, trail.held)
            case "near":
                return errand.place in trail.visited[len(Trail.of(self._before, self._library).visited) :]

    def _idle(self, objects: Objects) -> Iterator[tuple[str, str]]:
        """Phrases of options that plainly do not serve the errand, with the reason."""
        errand, over = self._errands[self._at], self._over()
        trail = Trail.of([*self._before, *self._own], self._library)
        held = trail.held or next((thing.label for thing in objects.objects if thing.status == "held"), "")
        carried = held if held and _wants(errand, held) else ""
        for option in self._library.candidates():
            if option.skill == DONE or (over and errand.times is None):
                continue
            reason = "what was asked for is done" if over else self._why_idle(option, errand, trail, carried)
            if reason:
                yield option.phrase, reason

    def _why_idle(self, option: Option, errand: Errand, trail: Trail, carried: str) -> str:
        """carried: the thing in the gripper, if it is one that is wanted."""
        for effect in self._library.skill(option.skill).effects:
            name = option.arguments.get(effect.name, effect.name)
            goes_to = name if effect.verb == "near" and name in self._library.places else ""
            puts_down_at = trail.spot if effect.verb == "empty" else None
            match errand.ends:
                case "near" if goes_to != errand.place:
                    return f"the robot is to go to the {errand.place}"
                case "held" if carried:
                    return f"the {carried} is to be held"
                case "at" if carried and errand.place not in (goes_to, puts_down_at):
                    return f"the {carried} is to be at the {errand.place}"
                case "at" if effect.verb == "held" and any(spot == trail.spot == errand.place for _, spot in trail.placed):
                    return f"the {name} is at the {errand.place} already"
                case "off" if carried and (goes_to or puts_down_at or "") == errand.place:
                    return f"the {carried} is to be off the {errand.place}"
            if effect.verb in ("held", "near") and not goes_to and not _wants(errand, name):
                return f"the {name} was not asked for"
        return ""


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


def _missing(errand: Errand) -> str:
    what = "the " + " or ".join(errand.things) if errand.things else "something"
    match errand.ends:
        case "held":
            return f"{what} not yet held"
        case "near":
            return f"the robot was not at the {errand.place} yet"
    return f"{what} not yet put down {'at' if errand.ends == 'at' else 'off'} the {errand.place}"
