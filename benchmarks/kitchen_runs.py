"""Plans in the symbolic kitchen: what the robot sees under each condition, one run to its end, and next steps along a known plan."""

from __future__ import annotations

import copy
import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from seesay.messages import ArmState, Objects
from seesay.planner.agenda import Agenda
from seesay.planner.effects import expected
from seesay.planner.prompt import StepRecord
from seesay.planner.pursuit import Pursuit, agenda_of
from seesay.planner.skills import DONE, Library
from seesay.sim.kitchen import KINDS, PLACES, STEP_NS, Kitchen, State
from seesay.sim.kitchen_scenes import KitchenScene, fewest_steps

Eyes = Literal["oracle", "noisy", "foreign"]
MISSED, FALSE_ALARM = 0.05, 0.02
"""Shares of things that noisy eyes miss at one look, and of absent kinds that they take for there."""
ERRAND = 5
"""Steps of an errand, `done` among them. A goal may be reached by less: what hangs in the gripper is off the counter too."""
UNKNOWN = 6
"""Taken for the length of the shortest plan where it is not known."""


@dataclass(frozen=True)
class Choice:
    """The next step; None where nothing can be done. shares: the probability that the condition gives each phrase, empty where it gives
    none."""

    phrase: str | None
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class NextStep:
    """A choice along a known plan. right: whether a plan of the scene goes on with it. Where the condition has shares: rank: place of the
    best right phrase among them, 1 for the first; p_right: its share; confidence: share of the choice."""

    phrase: str | None
    right: bool
    rank: int | None = None
    p_right: float | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Run:
    """One scene under one condition. steps: phrases as chosen, failed ones marked. next_steps: the choices along the scene's first plan.
    goal_recall: share of the goal's conditions that hold in the end."""

    success: bool
    said_done: bool
    steps: tuple[str, ...]
    next_steps: tuple[NextStep, ...]
    goal_recall: float


class Episode:
    """A scene in motion: its kitchen, and the foreign one that the control looks at while the same steps are attempted there."""

    def __init__(
        self, scene: KitchenScene, foreign: KitchenScene, eyes: Eyes, library: Library, fails: float = 0.0, reads: bool = False
    ) -> None:
        """fails: share of the steps that fail whatever they are, the same steps by their number under every condition. reads: whether
        errands are read, which are then the `agenda`."""
        self.scene = scene
        self.plan: Sequence[str] = ()
        self.agenda: Agenda | Pursuit | None = agenda_of(scene.instruction, library) if reads else None
        self.kitchen = Kitchen(scene.start())
        self.history: list[StepRecord] = []
        self._other = Kitchen(foreign.start())
        self._eyes = eyes
        self._fails = fails
        self._library = library
        self._belief: tuple[Objects, ArmState | None] | None = None
        self._options = {option.phrase: option for option in library.candidates()}

    def is_done(self, phrase: str) -> bool:
        return self._options[phrase].skill == DONE

    def attempt(self, phrase: str) -> None:
        """Carry a step out, and write down how it ended."""
        option = self._options[phrase]
        argument = next(iter(option.arguments.values()), "")
        if self._belief is not None:
            self._belief = expected(option, self._library, *self._belief)
            record = StepRecord(phrase)
        elif self._rng("fails").random() < self._fails:
            self.kitchen.time_ns += STEP_NS
            record = StepRecord(phrase, False, "the skill did not work")
        else:
            self._other.attempt(option.skill, argument)
            outcome, message = self.kitchen.attempt(option.skill, argument)
            record = StepRecord(phrase, outcome == "succeeded", message)
        self.history.append(record)
        if self.agenda:
            self.agenda.record(record)

    def imagined(self) -> Episode:
        """The same from here on in the robot's mind: every step succeeds and changes what was seen last as it is expected to."""
        mind = copy.copy(self)
        mind.history, mind.agenda = list(self.history), copy.deepcopy(self.agenda)
        mind._belief = (self.look(), self.arm_state())
        return mind

    def look(self) -> Objects:
        """The things of the whole kitchen as the condition's eyes have them."""
        if self._belief is not None:
            return self._belief[0]
        return self._noisy() if self._eyes == "noisy" else self._body.truth()

    def arm_state(self) -> ArmState | None:
        """The gripper and the place that the planner is told."""
        return self._belief[1] if self._belief is not None else self._body.arm_state()

    @property
    def _body(self) -> Kitchen:
        """Whose gripper and place the planner is told."""
        return self._other if self._eyes == "foreign" else self.kitchen

    def _noisy(self) -> Objects:
        """The truth with things missed and false ones seen, anew at each look; what the gripper holds is felt."""
        truth = self.kitchen.truth()
        rng = self._rng()
        seen = [thing for thing in truth.objects if thing.status == "held" or rng.random() >= MISSED]
        absent = [kind for kind in KINDS if kind not in {thing.label for thing in truth.objects}]
        false = tuple((kind, rng.choice(list(PLACES))) for kind in absent if rng.random() < FALSE_ALARM)
        ghosts = Kitchen(State(self.kitchen.state.robot, false)).truth().objects
        seen += [replace(ghost, id=1000 + ghost.id, last_seen_ns=self.kitchen.time_ns) for ghost in ghosts]
        return replace(truth, objects=tuple(seen))

    def _rng(self, what: str = "") -> random.Random:
        """Chance at this step of this scene, alike under every condition."""
        return random.Random(zlib.crc32(f"{self.scene.id}/{what}{len(self.history)}".encode()))


Choose = Callable[[Episode], Choice]


def most_steps(scene: KitchenScene) -> int:
    """Twice the length of the shortest plan, or of an errand at least."""
    fewest = fewest_steps(scene)
    return 2 * max(ERRAND, UNKNOWN if fewest is None else fewest + 1)


def run(
    scene: KitchenScene, foreign: KitchenScene, eyes: Eyes, library: Library, choose: Choose, fails: float = 0.0, reads: bool = False
) -> Run:
    """Plan and act until `done`, or until `most_steps` are over.

    Success: `done` was said while the goal holds. Where steps fail by chance there are no `next_steps`: they are those of the same
    condition without failures.
    """
    episode = Episode(scene, foreign, eyes, library, fails, reads)
    said_done = act(episode, choose)
    state = episode.kitchen.state
    judged = () if fails else tuple(next_steps(scene, foreign, eyes, library, choose, reads))
    return Run(said_done and scene.solved(state), said_done, tuple(map(str, episode.history)), judged, scene.recall(state))


def act(episode: Episode, choose: Choose) -> bool:
    """Choose and attempt until `done`, nothing is left, or `most_steps` are over: whether `done` was said."""
    for _ in range(most_steps(episode.scene)):
        phrase = choose(episode).phrase
        if phrase is None or episode.is_done(phrase):
            return phrase is not None
        episode.attempt(phrase)
    return False


def next_steps(
    scene: KitchenScene, foreign: KitchenScene, eyes: Eyes, library: Library, choose: Choose, reads: bool = False
) -> Iterator[NextStep]:
    """The choice at each step of the scene's first plan, the plan's own steps being done before it."""
    episode = Episode(scene, foreign, eyes, library, reads=reads)
    plan: Sequence[str] = scene.plans[0] if scene.plans else ()
    for number, step in enumerate(plan):
        good = {other[number] for other in scene.plans if len(other) > number and other[:number] == plan[:number]}
        if episode.agenda:
            episode.agenda.next(episode.look())   # an errand that is over is left, whatever is chosen now
        agenda = copy.deepcopy(episode.agenda)
        yield _judge(choose(episode), good)
        episode.agenda = agenda   # what was chosen is not done
        if not episode.is_done(step):
            episode.attempt(step)


def _judge(choice: Choice, good: set[str]) -> NextStep:
    right, shares = choice.phrase in good, choice.shares
    if not shares or choice.phrase is None:
        return NextStep(choice.phrase, right)
    ranked = sorted(shares, key=lambda phrase: -shares[phrase])
    best = next(phrase for phrase in ranked if phrase in good)
    return NextStep(choice.phrase, right, ranked.index(best) + 1, shares[best], shares[choice.phrase])
