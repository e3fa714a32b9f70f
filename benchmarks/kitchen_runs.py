"""Plans in the symbolic kitchen: what the robot sees under each condition, one run to its end, and next steps along a known plan."""

from __future__ import annotations

import copy
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from seesay.messages import Objects
from seesay.planner.agenda import Agenda
from seesay.planner.prompt import StepRecord
from seesay.planner.pursuit import Pursuit
from seesay.planner.skills import DONE, Library
from seesay.sim.kitchen import KINDS, PLACES, Kitchen, State
from seesay.sim.kitchen_scenes import KitchenScene, fewest_steps

Eyes = Literal["oracle", "noisy", "foreign"]
MISSED, FALSE_ALARM = 0.05, 0.02
"""Shares of things that noisy eyes miss at one look, and of absent kinds that they take for there."""
ERRAND = 5
"""Steps of an errand, `done` among them. A goal may be reached by less: what hangs in the gripper is off the counter too."""
UNKNOWN = 6
"""Taken for the length of the shortest plan where it is not known."""


@dataclass(frozen=True)
class Run:
    """One scene under one condition. steps: phrases as chosen, failed ones marked. next_steps: whether each choice along the scene's first
    plan is one that a plan of the scene goes on with from there."""

    success: bool
    said_done: bool
    steps: tuple[str, ...]
    next_steps: tuple[bool, ...]


class Episode:
    """A scene in motion: its kitchen, and the foreign one that the control looks at while the same steps are attempted there."""

    def __init__(self, scene: KitchenScene, foreign: KitchenScene, eyes: Eyes, library: Library) -> None:
        self.scene = scene
        self.kitchen = Kitchen(scene.start())
        self.history: list[StepRecord] = []
        self.agenda: Agenda | Pursuit | None = None
        self._other = Kitchen(foreign.start())
        self._eyes = eyes
        self._options = {option.phrase: option for option in library.candidates()}

    def is_done(self, phrase: str) -> bool:
        return self._options[phrase].skill == DONE

    def attempt(self, phrase: str) -> None:
        """Carry a step out, and write down how it ended."""
        option = self._options[phrase]
        argument = next(iter(option.arguments.values()), "")
        self._other.attempt(option.skill, argument)
        outcome, message = self.kitchen.attempt(option.skill, argument)
        self.history.append(StepRecord(phrase, outcome == "succeeded", message))
        if self.agenda:
            self.agenda.record(self.history[-1])

    def look(self) -> Objects:
        """The things of the whole kitchen as the condition's eyes have them."""
        return self._noisy() if self._eyes == "noisy" else self.body.truth()

    @property
    def body(self) -> Kitchen:
        """Whose gripper and place the planner is told."""
        return self._other if self._eyes == "foreign" else self.kitchen

    def _noisy(self) -> Objects:
        """The truth with things missed and false ones seen, anew at each look; what the gripper holds is felt."""
        truth = self.kitchen.truth()
        rng = random.Random(zlib.crc32(f"{self.scene.id}/{len(self.history)}".encode()))
        seen = [thing for thing in truth.objects if thing.status == "held" or rng.random() >= MISSED]
        absent = [kind for kind in KINDS if kind not in {thing.label for thing in truth.objects}]
        false = tuple((kind, rng.choice(list(PLACES))) for kind in absent if rng.random() < FALSE_ALARM)
        ghosts = Kitchen(State(self.kitchen.state.robot, false)).truth().objects
        seen += [replace(ghost, id=1000 + ghost.id, last_seen_ns=self.kitchen.time_ns) for ghost in ghosts]
        return replace(truth, objects=tuple(seen))


Choose = Callable[[Episode], str | None]
"""The phrase of the next step; None where nothing can be done."""


def run(scene: KitchenScene, foreign: KitchenScene, eyes: Eyes, library: Library, choose: Choose) -> Run:
    """Plan and act until `done`, or until twice the length of the shortest plan (of an errand at least) is over.

    Success: `done` was said while the goal holds.
    """
    episode = Episode(scene, foreign, eyes, library)
    fewest = fewest_steps(scene)
    said_done = False
    for _ in range(2 * max(ERRAND, UNKNOWN if fewest is None else fewest + 1)):
        phrase = choose(episode)
        said_done = phrase is not None and episode.is_done(phrase)
        if phrase is None or said_done:
            break
        episode.attempt(phrase)
    success = said_done and scene.solved(episode.kitchen.state)
    return Run(success, said_done, tuple(map(str, episode.history)), tuple(next_steps(scene, foreign, eyes, library, choose)))


def next_steps(scene: KitchenScene, foreign: KitchenScene, eyes: Eyes, library: Library, choose: Choose) -> list[bool]:
    """Whether the choice at each step of the scene's first plan is right, the plan's own steps being done before it."""
    episode = Episode(scene, foreign, eyes, library)
    plan: Sequence[str] = scene.plans[0] if scene.plans else ()
    right = []
    for number, step in enumerate(plan):
        good = {other[number] for other in scene.plans if len(other) > number and other[:number] == plan[:number]}
        agenda = copy.deepcopy(episode.agenda)
        right.append(choose(episode) in good)
        episode.agenda = agenda   # what was chosen is not done
        if not episode.is_done(step):
            episode.attempt(step)
    return right
