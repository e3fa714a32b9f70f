"""A node that stands in for perception: it knows where things lay at first and believes in every skill that succeeds.

For tests of everything after perception.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seesay import topics
from seesay.messages import Header, Object, Objects, SkillGoal, Source
from seesay.nodes.runtime import Node
from seesay.sim.tasks import demo_task


@dataclass(frozen=True)
class Config:
    """The same task and seed as the simulator's."""

    task: str = "put the red block in the green bowl"
    seed: int = 0


def run(node: Node, config: Config) -> None:
    things = demo_task(config.task, config.seed).scene.objects
    places = {thing.name: np.array(thing.position) for thing in things}
    clock, goals, results = node.subscribe(topics.CLOCK), node.subscribe(topics.SKILL_GOAL), node.subscribe(topics.SKILL_RESULT)
    known: dict[str, SkillGoal] = {}
    node.ready()
    for tick in node.messages(clock):
        known |= {goal.message.id: goal.message for goal in goals.take_all()}
        for result in results.take_all():
            if result.message.outcome == "succeeded":
                targets = known[result.message.goal_id].targets
                places[targets["object"].label] = targets["place"].position + np.array([0.0, 0.0, 0.02])
        stamp = tick.message.header.stamp_ns
        source = Source("front", tick.sequence, stamp)
        seen = [
            Object(
                number, thing.name, 0.9, np.zeros(4, np.float32), places[thing.name], np.eye(3) * 1e-6,
                np.array([*[2 * thing.radius / (1.4144 if thing.shape == "block" else 1)] * 2, thing.height]), stamp, source, yaw=thing.yaw,
            )
            for number, thing in enumerate(things, 1)
        ]
        node.publish(topics.OBJECTS, Objects(Header(stamp, tick.sequence, "world", "sim", source), tuple(seen)))
