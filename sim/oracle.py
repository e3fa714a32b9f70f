"""Goals made from the true state, with the errors that perception makes: for tests and benchmarks of the skills alone."""

from __future__ import annotations

import mujoco
import numpy as np

from seesay.messages import SkillGoal, Target
from seesay.sim.goals import Goal, Judge, Verdict
from seesay.sim.places import PLACES
from seesay.sim.world import World

Z_SIGMA, SIZE_SIGMA, YAW_SIGMA = 0.002, 0.05, 0.06
"""Standard deviations of height (metres), of size (relative) and of yaw (radians)."""


def target(world: World, name: str, rng: np.random.Generator, sigma: float) -> Target:
    """A thing as perceived with `sigma` metres of error on x and on y each, or a named place without error."""
    if name in PLACES:
        return Target(name, 0, np.array([*PLACES[name], 0.0]), np.zeros(3), world.time_ns)
    pose = world.truth()[name]
    thing = pose.thing
    number = [known.name for known in world.scene.objects].index(name) + 1
    position = pose.position + rng.normal(0, [sigma, sigma, Z_SIGMA])
    yaw, width = 0.0, 2 * thing.size[0]
    if thing.shape == "block":
        yaw = float((pose.yaw + rng.normal(0, YAW_SIGMA) + np.pi / 4) % (np.pi / 2) - np.pi / 4)
        width = thing.size[0] * float(abs(np.cos(yaw)) + abs(np.sin(yaw)))
    extent = np.array([width, width, thing.height]) * rng.normal(1, SIZE_SIGMA, 3)
    return Target(name, number, position, extent, world.time_ns, yaw)


def skill_goal(world: World, skill: str, rng: np.random.Generator, sigma: float, **arguments: str) -> SkillGoal:
    """A goal whose targets are perceived with `sigma` metres of error: `skill_goal(world, "pick", rng, 0.003, object="red block")`."""
    targets = {argument: target(world, name, rng, sigma) for argument, name in arguments.items()}
    phrase = " ".join([skill.replace("_", " "), *arguments.values()])
    return SkillGoal(world.header(), f"{skill}-{world.time_ns}", skill, phrase, targets)


def free_spot(world: World, rng: np.random.Generator, name: str) -> tuple[float, float]:
    """A place on the table, within the arm's reach and off all other things, where `name` could lie. Random by `rng`."""
    truth = world.truth()
    own = truth[name].thing.radius
    while True:
        x, y = rng.uniform(-0.16, 0.16), rng.uniform(-0.11, 0.11)
        gaps = [np.hypot(*(pose.position[:2] - (x, y))) - pose.thing.radius for other, pose in truth.items() if other != name]
        if min(gaps, default=1.0) > own + 0.015:
            return float(x), float(y)


def move_by_hand(world: World, name: str, spot: tuple[float, float]) -> None:
    """Put a thing flat on the table at `spot`, at once, as a person does behind the robot's back."""
    joint = world.model.body(name).jntadr[0]
    at, speed = world.model.jnt_qposadr[joint], world.model.jnt_dofadr[joint]
    world.data.qpos[at : at + 7] = [*spot, world.truth()[name].thing.height / 2 + 0.001, 1, 0, 0, 0]
    world.data.qvel[speed : speed + 6] = 0
    mujoco.mj_forward(world.model, world.data)


def judge(world: World, goal: Goal, settle_s: float = 0.5) -> Verdict:
    """The verdict on a goal after things have come to rest."""
    world.step(settle_s)
    return Judge(world, goal).verdict()
