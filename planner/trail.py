"""What the steps of a plan that succeeded have led to, by their skills' effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seesay.planner.prompt import StepRecord
from seesay.planner.skills import DONE, Library, Option


@dataclass(frozen=True)
class Trail:
    """What steps that succeeded have led to, by their skills' effects.

    spot: the named place where the robot is, "" if it is not known. held: the thing in the gripper, "" for none that was picked up.
    placed: (thing, spot) of what was put down. visited: spots, in order. found: the thing that was gone to last and not tried in vain to
    be picked up, "" for none.
    """

    spot: str = ""
    held: str = ""
    placed: tuple[tuple[str, str], ...] = ()
    visited: tuple[str, ...] = ()
    found: str = ""

    @classmethod
    def of(cls, history: Sequence[StepRecord], library: Library) -> Trail:
        options = {option.phrase: option for option in library.candidates()}
        trail = cls()
        for record in history:
            option = options.get(record.phrase)
            if option is None or option.skill == DONE:
                continue
            if record.succeeded:
                trail = trail._after(option, library)
            elif trail.found in option.arguments.values():
                trail = replace(trail, found="")
        return trail

    def _after(self, option: Option, library: Library) -> Trail:
        spot, held, placed, visited, found = self.spot, self.held, self.placed, self.visited, self.found
        skill = library.skill(option.skill)
        for effect in skill.effects:
            name = option.arguments.get(effect.name, effect.name)
            if effect.verb == "near":
                spot, found = (name, "") if name in library.places else ("", name)
                visited += (spot,)
            elif effect.verb == "held":
                held, found = name, ""
            elif effect.verb == "empty":
                put = next((option.arguments.get(need.name, need.name) for need in skill.needs if need.verb == "held"), held)
                held, placed = "", (*placed, (put, spot))
        return Trail(spot, held, placed, visited, found)
