"""Skills without physics: what they command, and how they end, by the arm's sensors alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from seesay.messages import SkillGoal, SkillResult
from seesay.sim.gripper import HOME, TIP
from seesay.sim.skills import run_skill
from tests.sim.fake_arm import FakeArm, goal, target

BLOCK, BOWL = target("red block", 0.1, -0.05, yaw=0.4), target("green bowl", -0.1, 0.05, number=2)


def run(arm: FakeArm, wanted: SkillGoal) -> tuple[SkillResult, list[str]]:
    skill = run_skill(wanted, arm.state())
    motion = next(skill)
    phases: list[str] = []
    while True:
        if motion.phase not in phases:
            phases.append(motion.phase)
        arm.command(motion.command)
        try:
            motion = skill.send(arm.state())
        except StopIteration as end:
            return end.value, phases


def test_pick_and_place_goes_where_the_goal_says() -> None:
    arm = FakeArm(width=0.046)
    result, phases = run(arm, goal(object=BLOCK, place=BOWL))
    assert result.outcome == "succeeded"
    assert result.message == "picked up the red block and placed it in the green bowl"
    assert phases == ["go above the object", "go down to the object", "close", "lift", "carry", "lower", "let go", "go home"]
    closing = next(c for c in arm.commands if c.opening == 0.0)
    assert closing.position[:2] == pytest.approx(BLOCK.position[:2])
    assert closing.yaw == pytest.approx(0.4)
    assert arm.position == pytest.approx(HOME)


def test_fingers_never_go_below_the_table() -> None:
    arm = FakeArm(width=0.03)
    run(arm, goal(object=target("red ball", 0.0, 0.0, size=0.02), place=BOWL))
    assert min(c.position[2] for c in arm.commands) > TIP


def test_closing_on_nothing_is_tried_twice_and_told() -> None:
    arm = FakeArm(width=0.0)
    result, phases = run(arm, goal(object=BLOCK, place=BOWL))
    assert (result.outcome, result.message) == ("grasp_failed", "the gripper closed on nothing where the red block was seen")
    assert phases[-1] == "go home"
    yaws = {round(c.yaw, 3) for c in arm.commands if c.opening == 0.0}
    assert len(yaws) == 2
    assert np.ptp(list(yaws)) == pytest.approx(np.pi / 2, abs=1e-3)


def test_an_object_that_slips_is_dropped() -> None:
    result, _ = run(FakeArm(width=0.046, slips_above=0.2), goal(object=BLOCK, place=BOWL))
    assert (result.outcome, result.message) == ("dropped", "the red block slipped out of the gripper while it was lifted")


def test_place_needs_something_held() -> None:
    result, _ = run(FakeArm(), goal("place", place=BOWL))
    assert (result.outcome, result.message) == ("failed", "the gripper holds nothing to place")


def test_go_home_keeps_what_is_held() -> None:
    arm = FakeArm(width=0.046)
    run(arm, goal("pick", object=BLOCK))
    result, _ = run(arm, goal("go_home"))
    assert result.outcome == "succeeded"
    assert arm.state().grip_force > 0


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (goal("dance"), "the arm knows pick, place, pick_and_place, push, approach, go_home, not 'dance'"),
        (goal("pick"), "the skill pick needs a target 'object'"),
    ],
)
def test_a_goal_that_makes_no_sense_fails(wanted: SkillGoal, message: str) -> None:
    result, _ = run(FakeArm(), wanted)
    assert (result.outcome, result.message) == ("failed", message)


def test_a_blocked_arm_gives_up() -> None:
    arm = FakeArm()
    arm.position, arm.stuck = np.array([0.2, 0.0, 0.3]), True
    result, _ = run(arm, goal("go_home"))
    assert (result.outcome, result.message) == ("failed", "the arm could not finish the phase 'go home': something is in its way")


def test_a_robot_needs_no_simulator_for_the_skills() -> None:
    code = "import sys, seesay.sim.executor; sys.exit('mujoco' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
