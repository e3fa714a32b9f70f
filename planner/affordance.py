"""What can be done now: p(success) of a skill from the objects as they are seen, with reasons. The `can` of SayCan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seesay.messages import ArmState, Object, Objects
from seesay.planner.prompt import StepRecord
from seesay.planner.relations import above, find, full, holds, inside, moved, near, satisfied, score_of
from seesay.planner.skills import DONE, Library, Option, Skill


@dataclass(frozen=True)
class Affordance:
    """p(success) in [0, 1], what lowered it, and the stamp of the oldest evidence behind it (None for none)."""

    probability: float
    reasons: tuple[str, ...] = ()
    evidence_ns: int | None = None

    def lowered(self, factor: float, reason: str | None) -> Affordance:
        """The same times a factor, where there is a reason."""
        return self if reason is None else replace(self, probability=factor * self.probability, reasons=(*self.reasons, reason))


@dataclass(frozen=True)
class AffordanceModel:
    """How evidence turns into probability.

    The skill's own success and the factors of evidence (how surely and how freshly things are seen) multiply to a raw estimate, which the
    library's calibration turns into a probability. Factors of how things stand (out of reach, covered, taken, gripper full) and of use (the
    effect holds already, the step before would be undone) multiply that. Each factor below 1 gives a reason.

    sure_score: detection score from which on an object is taken as surely seen, below it the factor falls in proportion. fresh_s: age
    until which evidence counts in full; beyond it the factor halves every half_life_s; older than max_age_s is refused (0).
    unmet: factor of a condition that is seen not to hold. unseen: factor of searching for what is not seen.
    """

    sure_score: float = 0.5
    fresh_s: float = 2.0
    half_life_s: float = 5.0
    max_age_s: float = 30.0
    unmet: float = 0.02
    unseen: float = 0.3

    def estimate(
        self, option: Option, library: Library, objects: Objects, now_ns: int, gripper: ArmState | None, history: Sequence[StepRecord]
    ) -> Affordance:
        """p(success) of an option now. objects: in the world frame. gripper: None where its state is not known."""
        if option.skill == DONE:
            return self._done(library, objects, history)
        skill = library.skill(option.skill)
        evidence = self.evidence(option, library, objects, now_ns)
        factors: list[tuple[float, str]] = []
        stamps = []
        for argument, name in option.arguments.items():
            if name in library.places:
                factors += self._place(name, argument == skill.goes_to, option, library, objects)
                continue
            thing = find(objects, name)
            if argument == skill.searches and (thing is None or self._too_old(thing, now_ns)):
                factors.append((self.unseen, f"{name} not seen so far" if thing is None else f"{name} not seen for long"))
                continue
            if thing is None:
                return Affordance(0.0, (f"{name} not seen",))
            stamps.append(thing.last_seen_ns)
            factors += self._status(name, thing)
            factors += self._reach(name, thing.position, library)
            if argument == skill.picks:
                factors += self._uncovered(name, thing, objects)
            if argument == skill.goes_to:
                factors += self._free(thing, name, option, library, objects)
        if skill.picks and skill.goes_to and option.arguments[skill.picks] == option.arguments[skill.goes_to]:
            factors.append((0.0, f"the {option.arguments[skill.picks]} cannot be put on itself"))
        factors += self._gripper(skill.gripper, gripper)
        for need in skill.needs:
            if satisfied(need, option.arguments, library.places, objects, gripper) is False:
                factors.append((self.unmet, f"not {need.verb}: {option.arguments.get(need.name, need.name)}"))
        factors += self._use(option, skill, library, objects, gripper, history)
        raw = skill.success * math.prod(factor for factor, _ in evidence)
        sure = library.calibration.probability(skill.name, raw) if library.calibration else raw
        reasons = tuple(reason for factor, reason in (*evidence, *factors) if factor < 1.0)
        return Affordance(sure * math.prod(factor for factor, _ in factors), reasons, min(stamps, default=None))

    def evidence(self, option: Option, library: Library, objects: Objects, now_ns: int) -> list[tuple[float, str]]:
        """How surely and how freshly what an option needs is seen: factors in [0, 1] with reasons, none for what is not seen."""
        searches = library.skill(option.skill).searches
        factors: list[tuple[float, str]] = []
        for argument, name in option.arguments.items():
            thing = None if name in library.places else find(objects, name)
            if thing is not None and not (argument == searches and self._too_old(thing, now_ns)):
                factors += self._seen(name, thing, now_ns)
        return factors

    def _use(
        self, option: Option, skill: Skill, library: Library, objects: Objects, gripper: ArmState | None, history: Sequence[StepRecord]
    ) -> list[tuple[float, str]]:
        """What makes a step useless though it may succeed."""
        held = holds(option, library, objects) if option.relation else None
        aims = [effect for effect in skill.effects if effect.verb in ("near", "held")]
        effects = [satisfied(aim, option.arguments, library.places, objects, gripper, by_all=True) for aim in aims]
        if held is True or (effects and all(effects)):
            return [(0.1, "already there" if held else "already so")]
        if held is None and option.relation and any(record.succeeded and record.phrase == option.phrase for record in history):
            return [(0.1, "already done")]
        last = next((o.skill for o in library.candidates() if history and o.phrase == history[-1].phrase), None) if skill.undoes else None
        if last is not None and last == skill.undoes and history[-1].succeeded:
            return [(0.1, "would only undo the last step")]
        wanting = [each for each in skill.useful if satisfied(each, option.arguments, library.places, objects, gripper) is False]
        return [(0.1, f"of little use unless {wanting[0]}")] if wanting else []

    def _done(self, library: Library, objects: Objects, history: Sequence[StepRecord]) -> Affordance:
        """How often tasks end after such a step, lowered where it failed or its effect is seen not to hold."""
        after = library.done_rule.after
        if not history:
            return Affordance(after.get("", 0.1 * library.done_affordance), ("nothing has been done yet",))
        last = history[-1]
        option = next((o for o in library.candidates() if o.phrase == last.phrase), None)
        base = after.get(option.skill, library.done_affordance) if option else library.done_affordance
        if not last.succeeded:
            return Affordance(0.1 * base, ("the last step failed",))
        if option is not None and option.relation and holds(option, library, objects) is False:
            return Affordance(0.1 * base, ("the last step is seen to have had no effect",))
        return Affordance(base)

    def _seen(self, name: str, thing: Object, now_ns: int) -> list[tuple[float, str]]:
        """How surely and how freshly an object is seen."""
        score = score_of(thing, name)
        age = max(0.0, (now_ns - thing.last_seen_ns) * 1e-9)
        fresh = 1.0 if age <= self.fresh_s else 0.5 ** ((age - self.fresh_s) / self.half_life_s)
        return [
            (min(1.0, score / self.sure_score), f"{name} seen with score {score:.2f} only"),
            (0.0 if age > self.max_age_s else fresh, f"{name} last seen {age:.1f} s ago"),
        ]

    def _status(self, name: str, thing: Object) -> list[tuple[float, str]]:
        return [({"visible": 1.0, "held": 1.0, "occluded": 0.7, "lost": 0.05}[thing.status], f"{name} is {thing.status}")]

    def _too_old(self, thing: Object, now_ns: int) -> bool:
        return thing.status == "lost" or (now_ns - thing.last_seen_ns) * 1e-9 > self.max_age_s

    def _reach(self, name: str, position: NDArray[np.float64], library: Library) -> list[tuple[float, str]]:
        x, y = float(position[0]), float(position[1])
        x_low, y_low, x_high, y_high = library.reach
        return [(float(x_low <= x <= x_high and y_low <= y <= y_high), f"{name} out of reach")]

    def _uncovered(self, name: str, thing: Object, objects: Objects, moving: Object | None = None) -> list[tuple[float, str]]:
        """Whether nothing stands on an object, apart from the one that is about to move."""
        on_top = [other for other in _others(objects, thing, moving) if above(other, thing)]
        return [(0.3, f"{on_top[0].label} stands on the {name}")] if on_top else []

    def _free(self, thing: Object, name: str, option: Option, library: Library, objects: Objects) -> list[tuple[float, str]]:
        """Whether an object can take another one: nothing on it; a container may hold something and take more."""
        moving = moved(option, library, objects)
        if option.relation != "in":
            return self._uncovered(name, thing, objects, moving)
        within = [other for other in _others(objects, thing, moving) if inside(other, thing)]
        return [(0.8, f"{within[0].label} is in the {name}")] if within else []

    def _place(self, name: str, goes_to: bool, option: Option, library: Library, objects: Objects) -> list[tuple[float, str]]:
        """Whether a named place is within reach and free."""
        position = np.array(library.places[name])
        taken = [other for other in _others(objects, moved(option, library, objects)) if near(other, position)]
        factors = self._reach(name, position, library)
        return factors + ([(0.3, f"{taken[0].label} is at the {name}")] if goes_to and taken else [])

    def _gripper(self, wanted: str, gripper: ArmState | None) -> list[tuple[float, str]]:
        is_full = full(gripper)
        if wanted == "empty" and is_full is True:
            return [(0.1, "the gripper holds something")]
        if wanted == "full" and is_full is False:
            return [(0.05, "the gripper is empty")]
        return []


def _others(objects: Objects, *but: Object | None) -> list[Object]:
    """Objects that lie somewhere, without those given."""
    known = {thing.id for thing in but if thing is not None}
    return [other for other in objects.objects if other.id not in known and other.status not in ("lost", "held")]
