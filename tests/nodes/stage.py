"""A node that shows the simulated tabletop to two cameras, and takes an object off the table when an instruction names it."""

from __future__ import annotations

from dataclasses import dataclass

from seesay import topics
from seesay.messages import ClockTick, TaskResult
from seesay.nodes.runtime import Node
from seesay.sim.cameras import Cameras
from seesay.sim.tasks import demo_task
from seesay.sim.world import World


@dataclass(frozen=True)
class Config:
    task: str
    seed: int = 1


def run(node: Node, config: Config) -> None:
    world = World(demo_task(config.task, config.seed).scene)
    orders = node.subscribe(topics.INSTRUCTION)
    with Cameras(world) as cameras:
        node.ready()
        while not node.stop.wait(0.1):
            for order in orders.take_all():
                joint = world.model.body(order.message.text).jntadr[0]
                start = world.model.jnt_qposadr[joint]
                world.data.qpos[start : start + 3] = 5.0, 5.0, 0.1
                node.publish(topics.TASK_RESULT, TaskResult(world.header(), order.message.id, "done", "taken away"))
            world.step(0.1)
            node.publish(topics.CLOCK, ClockTick(world.header()))
            for camera in cameras.names:
                view = cameras.look(camera)
                node.publish(topics.TRANSFORMS, view.transform)
                node.publish(topics.CAMERA_INFO.of(camera=camera), view.info)
                node.publish(topics.DEPTH.of(camera=camera), view.depth)
                node.publish(topics.IMAGE.of(camera=camera), view.image)
