"""The scene as a PDDL problem (extra `pddl`), planned by an engine of unified-planning, and its plan as options that executors know.

>>> goals = {"red block": "green bowl", "blue block": "red block"}       # thing -> where it shall lie in the end
>>> for option in solve(scene_problem(library, robot.look(), goals)):    # doctest: +SKIP
...     robot.act(bind(option, library, robot.look(), header, goal_id))

Unlike SayCan it needs goals instead of words, and finds what has to be moved out of the way. STRIPS with typing: `lies` says where each
thing is, `clear` that nothing lies there; a thing goes `into` what holds several, and `onto` what is clear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from unified_planning.engines.results import POSITIVE_OUTCOMES
from unified_planning.environment import Environment
from unified_planning.io import PDDLWriter
from unified_planning.model import Fluent, InstantaneousAction, Problem

from seesay.errors import SkillError
from seesay.messages import Object, Objects
from seesay.planner.relations import above, find, inside, near
from seesay.planner.scene import Scene
from seesay.planner.skills import Library, Option

ELSEWHERE = "table"
ENGINE = "pyperplan"


@dataclass(frozen=True)
class SceneProblem:
    """A problem of unified-planning, for any of its engines. options: what moves the first name to the second."""

    problem: Any
    options: Mapping[tuple[str, str], Option]

    def pddl(self) -> tuple[str, str]:
        """Domain and problem as PDDL text, for planners outside of Python."""
        writer = PDDLWriter(self.problem)
        return writer.get_domain(), writer.get_problem()


def scene_problem(library: Library, objects: Objects, goals: Mapping[str, str]) -> SceneProblem:
    """How the things that are seen lie, what the skills can move where, and the goals: thing -> object or named place.

    objects: in the world frame; lost ones are left out. Raises SkillError for a goal that names what is not seen or no skill brings about.
    """
    scene = Scene(library, objects, library.prompts())
    seen = {name: thing for name in library.prompts() if (thing := find(objects, name)) is not None and thing.status != "lost"}
    known = {*seen, *library.places}
    options = {pair: option for pair, option in scene.options.items() if known.issuperset(pair) and pair[0] != pair[1]}
    for goal in goals.items():
        text = " -> ".join(goal)
        if unseen := [name for name in goal if name not in known]:
            raise SkillError(f"goal {text}: expected things that are seen, got {unseen[0]!r}; seen are {', '.join(seen)}")
        if goal not in options:
            raise SkillError(f"goal {text}: expected what a skill of {library.name} brings about, got what none does; choose another place")
    return SceneProblem(_problem(library, seen, options, goals), options)


def solve(scene: SceneProblem, engine: str = ENGINE) -> tuple[Option, ...]:
    """The options of a plan in their order; none if the goals hold already. Raises SkillError if the engine finds none or is not there."""
    factory = scene.problem.environment.factory
    if engine not in factory.engines:
        raise SkillError(f"engine: expected one that is installed ({', '.join(factory.engines)}), got {engine!r}")
    with factory.OneshotPlanner(name=engine) as planner:
        result = planner.solve(scene.problem)
    if result.status not in POSITIVE_OUTCOMES:
        raise SkillError(f"{engine} finds no plan ({result.status.name.lower()}): ask for less, or move what is in the way")
    names = {_symbol(name): name for pair in scene.options for name in pair}
    steps = (tuple(names[str(step.actual_parameters[index])] for index in (0, 2)) for step in result.plan.actions)
    return tuple(scene.options[thing, place] for thing, place in steps)


def _problem(library: Library, seen: Mapping[str, Object], options: Mapping[tuple[str, str], Option], goals: Mapping[str, str]) -> Problem:
    world = Environment()
    world.credits_stream = None
    kind = world.type_manager.UserType("thing")
    problem = Problem(_symbol(library.name), world)
    facts = {"lies": ("what", "where"), "clear": ("what",), "into": ("what", "where"), "onto": ("what", "where")}
    lies, clear, into, onto = (
        problem.add_fluent(Fluent(name, None, None, world, **dict.fromkeys(parameters, kind)), default_initial_value=False)
        for name, parameters in facts.items()
    )
    for name, fits in (("put_into", into), ("put_onto", onto)):
        action = InstantaneousAction(name, None, world, what=kind, source=kind, where=kind)
        what, source, where = (action.parameter(each) for each in ("what", "source", "where"))
        for fact in (lies(what, source), clear(what), fits(what, where)):
            action.add_precondition(fact)
        for fact, value in ((lies(what, source), False), (clear(source), True), (lies(what, where), True)):
            action.add_effect(fact, value)
        if fits is onto:
            action.add_precondition(clear(where))
            action.add_effect(clear(where), False)
        problem.add_action(action)
    items = {name: problem.add_object(_symbol(name), kind) for name in (*seen, *library.places, ELSEWHERE)}
    for (thing, place), option in options.items():
        problem.set_initial_value((into if option.relation == "in" else onto)(items[thing], items[place]), True)
    supports = {thing: _support(thing, seen, options, library) for thing in dict.fromkeys(thing for thing, _ in options)}
    for thing, place in supports.items():
        problem.set_initial_value(lies(items[thing], items[place]), True)
    taken = [place for place, position in library.places.items() if any(near(thing, np.array(position)) for thing in seen.values())]
    for name in items.keys() - {*supports.values(), *taken}:
        problem.set_initial_value(clear(items[name]), True)
    for thing, place in goals.items():
        problem.add_goal(lies(items[thing], items[place]))
    return problem


def _support(name: str, seen: Mapping[str, Object], options: Mapping[tuple[str, str], Option], library: Library) -> str:
    """What a thing lies on, in or at: another thing, a named place, or the table."""
    thing = seen[name]
    for other, lower in seen.items():
        if lower.id != thing.id and above(thing, lower) and (name, other) in options and options[name, other].relation != "in":
            return other
    for other, container in seen.items():
        if container.id != thing.id and inside(thing, container) and (name, other) in options and options[name, other].relation == "in":
            return other
    return next((place for place, position in library.places.items() if near(thing, np.array(position))), ELSEWHERE)


def _symbol(name: str) -> str:
    """A name as PDDL takes it."""
    return re.sub(r"\W+", "_", name.strip().lower())
