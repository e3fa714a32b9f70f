"""A plan of a PDDL engine, executed by the simulator's arm."""

from __future__ import annotations

from seesay.messages import Header
from seesay.planner.binding import bind
from seesay.planner.pddl import scene_problem, solve
from tests.tabletop_robot import tabletop


def test_a_plan_from_an_engine_is_executed_by_the_same_executor() -> None:
    with tabletop("put the red block in the green bowl") as robot:
        first = {"blue block": "red block"}   # in the way of the task: the engine has to take it off again
        for number, goals in enumerate((first, {"red block": "green bowl"})):
            for step, option in enumerate(solve(scene_problem(robot.library, robot.look(), goals))):
                goal = bind(option, robot.library, robot.look(), Header(robot.clock.now_ns(), clock="sim"), f"{number}/{step}")
                assert robot.act(goal).outcome == "succeeded", option.phrase
        assert (number, step) == (1, 1)
        assert robot.verdict().success
