"""One instruction through the whole loop in one process, on simulated time: pixels, objects, decisions, physics, verdict."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.oracle import OracleEyes
from seesay.executor import Report, SafeExecutor, Workspace
from seesay.geometry import rigid
from seesay.messages import Header, Instruction, Objects, PlanStep, Question, SkillGoal
from seesay.perception import Detector, Segmenter
from seesay.perception.grounding import View
from seesay.perception.pipeline import Perceiver
from seesay.planner.asking import Help
from seesay.planner.language import LanguageScorer
from seesay.planner.saycan import Mode, SayCan
from seesay.planner.skills import Library
from seesay.planner.task import Act, End, Task
from seesay.sim.cameras import Cameras
from seesay.sim.cameras import View as CameraView
from seesay.sim.drive import SimArm, WorldClock, run_goal
from seesay.sim.executor import ArmExecutor
from seesay.sim.goals import Atom, Goal, Judge
from seesay.sim.places import PLACES
from seesay.sim.tasks import Task as Assignment
from seesay.sim.world import World

MISPLACED = 0.025
"""Error in x and y, in metres, from which on a failed grasp or placing counts as a failure of perception."""
PAUSE_S = 1.0
MOST_STEPS = 5
"""As in SayCan's notebook."""


Hand = Callable[[World, SkillGoal, Report], None]


@dataclass(frozen=True)
class Episode:
    """How one episode went. `cause` of a failure: perception, planning, grasp or timeout; empty on success."""

    seed: int
    mode: str
    instruction: str
    success: bool
    cause: str
    outcome: str
    message: str
    steps: int
    simulated_s: float
    choices: tuple[str, ...]


def to_view(view: CameraView) -> View:
    """A simulated camera's picture as perception takes it."""
    return View(view.image, view.depth, view.info, rigid(view.transform.translation, view.transform.rotation))


def run_episode(
    assignment: Assignment,
    seed: int,
    mode: Mode,
    detector: Detector | None,
    segmenter: Segmenter | None,
    library: Library,
    scorer: LanguageScorer,
    *,
    max_steps: int = MOST_STEPS,
    expand: bool = True,
    feedback: bool = True,
    hand: Hand | None = None,
    lookahead: int = 0,
    help: Help | None = None,
    person: Callable[[Question], str] | None = None,
) -> Episode:
    """Run one assignment to its end and judge it by the simulator's true state. Without a detector, true boxes and masks take its place.

    expand: whether the planner reads quantifiers and sequences; without, plain SayCan. With `language_only`, perception says neither what
    is possible nor what has been reached. feedback: without, every step counts as a success and nothing is verified (open loop, though
    positions are fresh). hand: told of every report of a running skill, it may move things. lookahead: see SayCan. help: when to ask a
    person, whose answers `person` gives; without one, nobody answers.
    """
    assert assignment.goal is not None
    world = World(assignment.scene)
    clock = WorldClock(world)
    executor = SafeExecutor(ArmExecutor(SimArm(world), clock), Workspace(), 60.0, 30.0, clock)
    judge = Judge(world, assignment.goal)
    instruction = Instruction(Header(world.time_ns, clock="sim"), str(seed), assignment.instruction)
    saycan = SayCan(library, scorer, mode=mode, lookahead=lookahead)
    verify = feedback and mode != "language_only"
    task = Task(instruction, saycan, world.time_ns, max_steps=max_steps, verify=verify, expand=expand, help=help)
    choices: list[str] = []
    notes: list[str] = []
    with Cameras(world) as cameras, contextlib.ExitStack() as eyes:
        oracle = eyes.enter_context(OracleEyes(world)) if detector is None else None
        perceiver = Perceiver(oracle or detector, oracle or segmenter, library.prompts())  # type: ignore[arg-type]
        while True:
            objects = perceiver.look([to_view(cameras.look(name)) for name in cameras.names])
            move = task.advance(objects, world.time_ns, world.arm_state())
            if isinstance(move, End):
                break
            if isinstance(move, Act):
                notes.append(_blame(assignment.goal, move.step, objects, world))
                watch = partial(hand, world, move.goal) if hand else None
                result = run_goal(world, move.goal, executor, watch=watch)
                choices.append(f"{move.goal.phrase}: {result.outcome}")
                judge.watch()
                task.report(result if feedback else replace(result, outcome="succeeded"), world.time_ns)
            else:
                if person and task.question and not task.question.answer:
                    task.answer(task.question.id, person(task.question))
                world.step(PAUSE_S)
    world.step(0.5)
    verdict = judge.verdict()
    outcome = move.result.outcome
    success = verdict.success and outcome == "done"
    cause = "" if success else _cause(notes, outcome)
    message = move.result.message if success else f"{verdict.message}; {move.result.message}"
    seconds = round(world.time_ns / 1e9, 1)
    return Episode(seed, mode, assignment.instruction, success, cause, outcome, message, len(choices), seconds, tuple(choices))


def _blame(goal: Goal, step: PlanStep, objects: Objects, world: World) -> str:
    """What was already wrong when a step was chosen: "planning", "perception" or nothing. Only goals of one step tell."""
    if not isinstance(goal, Atom) or goal.relation not in ("in", "on", "at"):
        return ""
    chosen = step.candidates[step.choice] if step.choice is not None else None
    if chosen is None or tuple(chosen.arguments.values()) != goal.names:
        return "planning" if _located(goal, objects, world) else "perception"
    return "" if _located(goal, objects, world) else "perception"


def _located(goal: Atom, objects: Objects, world: World) -> bool:
    """Whether the goal's things are known by name, each where it truly is."""
    truth = world.truth()
    for name in goal.names:
        if name not in PLACES:
            known = [thing for thing in objects.objects if thing.label == name and thing.status != "lost"]
            if not any(float(np.hypot(*(thing.position - truth[name].position)[:2])) < MISPLACED for thing in known):
                return False
    return True


def _cause(notes: list[str], outcome: str) -> str:
    for cause in ("perception", "planning"):
        if cause in notes:
            return cause
    if outcome == "refused" or (not notes and outcome != "done"):
        return "perception"
    if outcome == "timeout":
        return "timeout"
    return "grasp" if notes and outcome != "done" else "planning"


def as_row(episode: Episode) -> dict[str, Any]:
    return asdict(episode)
