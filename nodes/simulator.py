"""The simulated tabletop, seen from the bus: cameras, an arm's driver and a clock. Its truth leaves it as `task_verdict` only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from seesay import topics
from seesay.messages import ClockTick
from seesay.nodes.runtime import Node
from seesay.nodes.stop_orders import StopOrders

BEHIND_S = 0.2   # a simulation that is further behind its pace than this gives up catching up


@dataclass(frozen=True)
class Config:
    """task: what it names lies on the table. seed: how. speed: simulated seconds a second. Rates: in simulated time, of each camera."""

    task: str = "put the red block in the green bowl"
    seed: int = 0
    speed: float = 1.0
    image_hz: float = 4.0
    state_hz: float = 50.0


def run(node: Node, config: Config) -> None:
    from seesay.nodes.judge import TaskJudge
    from seesay.sim.cameras import Cameras
    from seesay.sim.tasks import demo_task
    from seesay.sim.world import World

    world = World(demo_task(config.task, config.seed).scene)
    judge, stops = TaskJudge(node, world), StopOrders(node)
    commands, engaged = node.subscribe(topics.ARM_COMMAND), False
    with Cameras(world) as cameras:
        pictures = _rounds(cameras.names, config.image_hz)
        due_s, camera = next(pictures)
        node.ready(f"seed {config.seed}")
        for _ in _paced(node, 1 / config.state_hz, config.speed):
            for order in stops.news():
                engaged = order.engaged
            if engaged:
                world.hold()
            command = commands.take(0)
            if command is not None and not engaged:
                world.command(command.message)
            world.step(1 / config.state_hz)
            node.publish(topics.CLOCK, ClockTick(world.header()))
            node.publish(topics.ARM_STATE, world.arm_state())
            if world.time_ns >= due_s * 1e9:
                view = cameras.look(camera)
                node.publish(topics.TRANSFORMS, view.transform)
                node.publish(topics.CAMERA_INFO.of(camera=camera), view.info)
                node.publish(topics.DEPTH.of(camera=camera), view.depth)
                node.publish(topics.IMAGE.of(camera=camera), view.image)
                due_s, camera = next(pictures)
            judge.look()


def _rounds(cameras: tuple[str, ...], rate_hz: float) -> Iterator[tuple[float, str]]:
    """When, in simulated seconds, to take a picture with which camera: each at `rate_hz`, in turns."""
    count = 0
    while True:
        yield count / (rate_hz * len(cameras)), cameras[count % len(cameras)]
        count += 1


def _paced(node: Node, period_s: float, speed: float) -> Iterator[None]:
    """Yield once every `period_s` simulated seconds at `speed` until the node is stopped."""
    due = time.monotonic()
    while not node.stop.wait(max(0.0, due - time.monotonic())):
        yield
        due = max(due + period_s / speed, time.monotonic() - BEHIND_S)
