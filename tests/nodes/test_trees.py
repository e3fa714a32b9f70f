"""py_trees behaviours on the simulator's arm."""

from __future__ import annotations

import pytest
from py_trees.common import Status
from py_trees.composites import Sequence

from seesay.errors import SkillError
from seesay.messages import SkillResult
from seesay.planner.trees import Act, Approach, Check, Find
from seesay.sim.drive import PERIOD_S
from tests.tabletop_robot import TabletopRobot, tabletop

TOLD = "put the red block in the green bowl"
PHRASE = "pick up the red block and place it in the green bowl"


def drive(robot: TabletopRobot, tree: Sequence, ticks: int = 5000) -> Status:
    for _ in range(ticks):
        tree.tick_once()
        if tree.status is not Status.RUNNING:
            break
        robot.world.step(PERIOD_S)
    return tree.status


def test_a_tree_does_a_task_and_sees_that_it_is_done() -> None:
    with tabletop(TOLD) as robot:
        approach = Approach(robot, "red block")
        tree = Sequence("task", memory=True, children=[Find(robot, "red block"), approach, Act(robot, PHRASE), Check(robot, PHRASE)])
        assert not robot.verdict().success
        assert drive(robot, tree) is Status.SUCCESS, [child.feedback_message for child in tree.children]
        assert approach.feedback_message == "the tool is above the red block"
        assert robot.verdict().success


def test_an_approach_ends_above_the_thing() -> None:
    with tabletop(TOLD) as robot:
        assert drive(robot, Sequence("task", memory=True, children=[Approach(robot, "red block")])) is Status.SUCCESS
        tool, block = robot.world.arm_state().position, robot.world.truth()["red block"].position
        assert tool[:2] == pytest.approx(block[:2], abs=0.02)
        assert tool[2] > block[2] + 0.05


def test_what_is_not_there_fails_and_what_does_not_hold_fails() -> None:
    absent = "pick up the yellow block and place it in the yellow bowl"
    with tabletop(TOLD) as robot:
        for behaviour in (Find(robot, "purple cow", looks=2), Check(robot, PHRASE)):
            assert drive(robot, Sequence("task", memory=True, children=[behaviour])) is Status.FAILURE
        act = Act(robot, absent)
        assert drive(robot, Sequence("task", memory=True, children=[act])) is Status.FAILURE
        assert act.feedback_message == "yellow bowl not seen"
        with pytest.raises(SkillError, match="got 'juggle'"):
            Act(robot, "juggle")


def test_an_interrupted_act_cancels_its_goal() -> None:
    with tabletop(TOLD) as robot:
        act = Act(robot, PHRASE)
        assert drive(robot, Sequence("task", memory=True, children=[act]), ticks=20) is Status.RUNNING
        act.stop(Status.INVALID)
        reports = []
        for _ in range(100):
            robot.world.step(PERIOD_S)
            reports.append(robot.executor.poll())
        (end,) = [report for report in reports if isinstance(report, SkillResult)]
        assert end.outcome == "cancelled"
