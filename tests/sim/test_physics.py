"""The arm in the physics: it holds by contact and friction only, and its skills do what the true state confirms."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from seesay.executor import SafeExecutor, Workspace
from seesay.geometry import invert, project, transform_points
from seesay.messages import ArmCommand, ArmState, SkillFeedback, SkillGoal, SkillResult
from seesay.sim import oracle
from seesay.sim.drive import SimArm, WorldClock, run_goal
from seesay.sim.executor import ArmExecutor
from seesay.sim.goals import Atom, is_at
from seesay.sim.gripper import HOME
from seesay.sim.mjcf import HEIGHT, WIDTH
from seesay.sim.render import intrinsics, optical_pose
from seesay.sim.scene import random_scene
from seesay.sim.tasks import lay
from seesay.sim.world import World

SIGMA = 0.004


def table(*names: str, seed: int = 1) -> World:
    return World(lay(names, seed, free=["middle"]))


class LateArm(SimArm):
    """An arm whose commands and states arrive 100 ms late each, as over a slow network."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._commands: deque[ArmCommand | None] = deque([None] * 5)
        self._states = deque([world.arm_state()] * 5)

    def command(self, command: ArmCommand) -> None:
        self._commands.append(command)
        late = self._commands.popleft()
        if late is not None:
            super().command(late)

    def state(self) -> ArmState:
        self._states.append(super().state())
        return self._states.popleft()


def pick_and_place(world: World, thing: str, place: str, seed: int = 0) -> SkillResult:
    return run_goal(world, oracle.skill_goal(world, "pick_and_place", np.random.default_rng(seed), SIGMA, object=thing, place=place))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("relation", "thing", "place"),
    [
        ("in", "red block", "green bowl"),
        ("on", "red block", "blue block"),
        ("at", "red block", "middle"),
        ("in", "pink ball", "green bowl"),
        ("in", "cyan can", "green bowl"),
        ("in", "white cup", "green bowl"),
        ("on", "white cup", "black plate"),
    ],
)
def test_pick_and_place(relation: str, thing: str, place: str, seed: int) -> None:
    names = [thing, *([] if place == "middle" else [place]), "yellow block", "orange can"]
    world = table(*names, seed=seed)
    result = pick_and_place(world, thing, place, seed)
    assert result.outcome == "succeeded", result.message
    verdict = oracle.judge(world, Atom(relation, (thing, place)))
    assert verdict.success, verdict.message
    assert world.arm_state().position == pytest.approx(HOME, abs=0.005)


def test_pick_then_place_holds_in_between() -> None:
    world = table("red can", "green bowl")
    rng = np.random.default_rng(0)
    assert run_goal(world, oracle.skill_goal(world, "pick", rng, SIGMA, object="red can")).outcome == "succeeded"
    held = world.truth()["red can"].position - world.arm_state().position
    world.step(10)
    slipped = world.truth()["red can"].position - world.arm_state().position - held
    assert np.linalg.norm(slipped) < 0.002
    assert run_goal(world, oracle.skill_goal(world, "place", rng, SIGMA, place="middle")).outcome == "succeeded"
    assert oracle.judge(world, Atom("at", ("red can", "middle"))).success


def test_without_friction_nothing_is_lifted() -> None:
    world = table("red block", "green bowl")
    world.model.geom_friction[:, 0] = 0.01
    result = pick_and_place(world, "red block", "green bowl")
    assert result.outcome in ("grasp_failed", "dropped")
    assert not oracle.judge(world, Atom("in", ("red block", "green bowl"))).success


def test_late_states_and_commands_are_not_taken_for_contacts() -> None:
    world = table("red block", "blue block")
    goal = oracle.skill_goal(world, "pick_and_place", np.random.default_rng(0), SIGMA, object="red block", place="blue block")
    result = run_goal(world, goal, ArmExecutor(LateArm(world), WorldClock(world)))
    assert result.outcome == "succeeded", result.message
    assert oracle.judge(world, Atom("on", ("red block", "blue block"))).success


def test_push_moves_it_along_the_table() -> None:
    world = table("red block")
    result = run_goal(world, oracle.skill_goal(world, "push", np.random.default_rng(0), SIGMA, object="red block", place="middle"))
    assert result.outcome == "succeeded", result.message
    assert is_at(world.truth()["red block"], "middle")


def test_what_an_interrupted_skill_left_in_the_gripper_is_put_down() -> None:
    world = table("red block", "blue block", "green bowl")
    goal = oracle.skill_goal(world, "pick_and_place", np.random.default_rng(0), 0.0, object="red block", place="green bowl")
    executor = ArmExecutor(SimArm(world), WorldClock(world))

    def interrupt(report: SkillFeedback | SkillResult) -> None:
        if isinstance(report, SkillFeedback) and report.phase == "carry":
            executor.cancel("interrupted")

    assert run_goal(world, goal, executor, watch=interrupt).outcome == "cancelled"
    assert world.arm_state().grip_force > 1
    result = pick_and_place(world, "blue block", "green bowl")
    assert result.outcome == "succeeded", result.message
    assert world.truth()["red block"].position[2] > 0


def test_a_target_off_the_table_is_refused_before_any_motion() -> None:
    world = table("red block")
    goal = oracle.skill_goal(world, "pick", np.random.default_rng(0), 0.0, object="red block")
    goal.targets["object"].position[0] = 0.4
    clock = WorldClock(world)
    result = run_goal(world, goal, SafeExecutor(ArmExecutor(SimArm(world), clock), Workspace(), 30.0, 10.0, clock))
    assert result.outcome == "unreachable"
    assert world.arm_state().position == pytest.approx(HOME, abs=0.001)


def test_a_goal_that_takes_too_long_is_stopped() -> None:
    world = table("red block")
    goal = oracle.skill_goal(world, "pick", np.random.default_rng(0), 0.0, object="red block")
    assert run_goal(world, goal, limit_s=1.0).outcome == "stopped"


def test_the_same_seed_gives_the_same_course() -> None:
    def course() -> tuple[float, ...]:
        world = table("red block", "green bowl", "pink ball")
        pick_and_place(world, "red block", "green bowl")
        return (world.time_ns, *(float(x) for pose in world.truth().values() for x in pose.position))

    assert course() == course()


def test_the_arm_holds_when_commands_stop_coming() -> None:
    world = World(lay(["red block"], 1))
    world.command(ArmCommand(world.header(), np.array([0.0, 0.0, 0.3]), 0.0, 0.05))
    world.step(0.8)
    where = world.arm_state().position
    assert np.abs(where - [0.0, 0.0, 0.3]).max() > 0.02
    world.step(2.0)
    assert world.arm_state().position == pytest.approx(where, abs=0.02)


def test_hold_stops_the_arm_at_once() -> None:
    world = World(lay(["red block"], 1))
    world.command(ArmCommand(world.header(), np.array([0.0, 0.0, 0.3]), 0.0, 0.05))
    world.step(0.4)
    world.hold()
    where = world.arm_state().position
    world.step(2.0)
    assert world.arm_state().position == pytest.approx(where, abs=0.03)
    assert np.abs(world.arm_state().position - HOME).max() > 0.02


def test_steps_shorter_than_a_control_period_add_up() -> None:
    world = World(lay(["red block"], 1))
    for _ in range(100):
        world.step(0.0033)
    assert world.time_ns == 330_000_000


@pytest.mark.parametrize("seed", range(6))
def test_the_parked_arm_is_in_no_picture(seed: int) -> None:
    world = World(random_scene(seed, "test", (4, 4)))
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    for index in range(world.model.ngeom):
        if not world.model.geom(index).name.startswith("arm_"):
            continue
        geom = world.data.geom(index)
        size = world.model.geom_aabb[index, 3:]
        points = geom.xpos + (corners * size) @ geom.xmat.reshape(3, 3).T
        for name, pose in world.scene.cameras.items():
            camera = world.data.camera(name)
            seen = transform_points(invert(optical_pose(camera.xpos, camera.xmat)), points)
            pixels = project(seen, intrinsics(pose.fovy))
            assert (pixels[:, 1] < 0).all() or (seen[:, 2] < 0).all(), f"{name} sees {world.model.geom(index).name}"
    assert WIDTH > HEIGHT


def test_goals_of_the_oracle_carry_what_perception_would() -> None:
    world = table("red block", "green bowl")
    goal: SkillGoal = oracle.skill_goal(world, "pick", np.random.default_rng(0), SIGMA, object="red block")
    thing = world.truth()["red block"]
    assert np.abs(goal.targets["object"].position - thing.position).max() < 0.02
    assert -np.pi / 4 <= goal.targets["object"].yaw < np.pi / 4
