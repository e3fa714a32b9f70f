"""Plans in the symbolic kitchen: what the robot sees under each condition, one run to its end, and next steps along known plans."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seesay.messages import Header, Instruction, Object, Objects, PlanStep
from seesay.planner.language import LanguageScorer
from seesay.planner.prompt import StepRecord
from seesay.planner.saycan import Mode, SayCan
from seesay.planner.skills import DONE, Library, Option
from seesay.sim.kitchen import KINDS, PLACES, Kitchen
from seesay.sim.kitchen_scenes import KitchenScene, fewest_steps

Eyes = Literal["oracle", "noisy", "memory", "foreign"]
MISSED, FALSE_ALARM = 0.05, 0.02
"""Shares of things that noisy eyes miss at one look, and of absent kinds that they take for there."""
LONGEST = 12
"""Steps allowed where the shortest plan is not known."""


@dataclass(frozen=True)
class Run:
    """One scene under one condition. steps: phrases as chosen, failed ones marked."""

    success: bool
    said_done: bool
    steps: tuple[str, ...]
    refused: int
    """Steps that the kitchen could not carry out."""


class Scene:
    """A scene with the kitchens that one run needs: its own, and the foreign one that the control looks at."""

    def __init__(self, scene: KitchenScene, foreign: KitchenScene, eyes: Eyes) -> None:
        self.scene = scene
        self.kitchen = Kitchen(scene.start())
        self._other = Kitchen(foreign.start())
        self._eyes = eyes
        self._memory: dict[int, Object] = {}
        self._looks = 0

    def attempt(self, option: Option) -> StepRecord:
        """Carry a step out, in the foreign kitchen too."""
        argument = next(iter(option.arguments.values()), "")
        self._other.attempt(option.skill, argument)
        outcome, message = self.kitchen.attempt(option.skill, argument)
        return StepRecord(option.phrase, outcome == "succeeded", message)

    def look(self) -> Objects:
        """The objects as the condition's eyes have them."""
        self._looks += 1
        match self._eyes:
            case "foreign":
                return self._other.truth()
            case "noisy":
                return self._noisy()
            case "memory":
                seen = self.kitchen.look()
                self._memory |= {thing.id: thing for thing in seen.objects}
                return replace(seen, objects=tuple(self._memory.values()))
        return self.kitchen.truth()

    @property
    def body(self) -> Kitchen:
        """Whose gripper and place the planner is told."""
        return self._other if self._eyes == "foreign" else self.kitchen

    def _noisy(self) -> Objects:
        truth = self.kitchen.truth()
        rng = random.Random(zlib.crc32(f"{self.scene.id}/{self._looks}".encode()))
        seen = [thing for thing in truth.objects if thing.status == "held" or rng.random() >= MISSED]
        ghost = truth.objects[0]
        for number, kind in enumerate(KINDS, start=100):
            if kind not in [thing.label for thing in truth.objects] and rng.random() < FALSE_ALARM:
                where = np.array(PLACES[rng.choice(list(PLACES))])
                seen.append(replace(ghost, id=number, label=kind, position=where, status="visible"))
        return replace(truth, objects=tuple(seen))


Choose = Callable[[Scene, Sequence[StepRecord]], PlanStep | str | None]
"""The next step: a decision, a phrase, or None for nothing."""


def saycan_chooser(library: Library, scorer: LanguageScorer, mode: Mode) -> Choose:
    """The planner itself."""
    saycan = SayCan(library, scorer, mode=mode)

    def choose(scene: Scene, history: Sequence[StepRecord]) -> PlanStep:
        order = Instruction(Header(scene.kitchen.time_ns, clock="sim"), scene.scene.id, scene.scene.instruction)
        return saycan.decide(order, history, scene.look(), scene.kitchen.time_ns, scene.body.arm_state())

    return choose


def phrase_of(step: PlanStep | str | None) -> str | None:
    if isinstance(step, PlanStep):
        return None if step.choice is None else step.candidates[step.choice].phrase
    return step


def run(scene: KitchenScene, foreign: KitchenScene, eyes: Eyes, library: Library, choose: Choose) -> Run:
    """Plan and act until `done`, or until twice the length of the shortest plan is over. Success: `done` was said while the goal holds."""
    options = {option.phrase: option for option in library.candidates()}
    world = Scene(scene, foreign, eyes)
    fewest = fewest_steps(scene)
    history: list[StepRecord] = []
    for _ in range(2 * (LONGEST // 2 if fewest is None else fewest + 1)):
        phrase = phrase_of(choose(world, history))
        if phrase is None:
            break
        if options[phrase].skill == DONE:
            return Run(scene.solved(world.kitchen.state), True, tuple(map(str, history)), _failed(history))
        history.append(world.attempt(options[phrase]))
    return Run(False, False, tuple(map(str, history)), _failed(history))


def next_steps(scene: KitchenScene, foreign: KitchenScene, eyes: Eyes, library: Library, choose: Choose) -> list[bool]:
    """Along the scene's first plan: whether the choice at each step is one that a plan of the scene goes on with from there."""
    options = {option.phrase: option for option in library.candidates()}
    world = Scene(scene, foreign, eyes)
    history: list[StepRecord] = []
    right = []
    for number, step in enumerate(scene.plans[0] if scene.plans else ()):
        before = tuple(scene.plans[0][:number])
        good = {plan[number] for plan in scene.plans if len(plan) > number and tuple(plan[:number]) == before}
        right.append(phrase_of(choose(world, history)) in good)
        if options[step].skill != DONE:
            history.append(world.attempt(options[step]))
    return right


def _failed(history: Sequence[StepRecord]) -> int:
    return sum(not record.succeeded for record in history)
