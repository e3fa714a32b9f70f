"""`seesay ask`: simulator, detector and memory as processes on a real bus; a block is seen, taken away, and asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np
import pytest

from seesay import topics
from seesay.bus import Bus
from seesay.config import Launch, NodeSpec
from seesay.messages import AskRequest, Header, Instruction, Sightings
from seesay.nodes.supervisor import Supervisor
from seesay.services import ASK
from seesay.sim.tasks import demo_task
from seesay.sim.world import World

TASK, SEED, CAMERAS = "put the red block in the green bowl", 1, ["front", "side"]
LONG = 30.0
NODES = (
    NodeSpec("stage", "tests.nodes.stage", threads=1, parameters={"task": TASK, "seed": SEED}),
    NodeSpec("vocabulary", "vocabulary", parameters={"prompts": ["a blue bowl"]}),
    NodeSpec("detector", "detector", threads=1, parameters={"cameras": CAMERAS}),
    NodeSpec("memory", "memory", threads=1, parameters={"cameras": CAMERAS}),
)


@pytest.fixture(scope="module")
def bus() -> Iterator[Bus]:
    """A table with a red block that has been seen for a while and was then taken away."""
    with (
        tempfile.TemporaryDirectory(prefix="ss-") as session,
        Supervisor(Launch("test", clock="sim", nodes=NODES), session) as supervisor,
        Bus(supervisor.session, "test") as bus,
    ):
        supervisor.wait_ready(100)
        wait_for_pictures(bus, 6)
        orders = bus.publisher(topics.INSTRUCTION)
        assert orders.wait_for_subscribers(1, LONG)
        orders.send(Instruction(Header(0), "i", "red block"))
        wait_for_pictures(bus, 8)
        yield bus


def wait_for_pictures(bus: Bus, count: int) -> None:
    codes = bus.subscriber(topics.EMBEDDINGS)
    for _ in range(count):
        assert codes.take(LONG) is not None


def ask(bus: Bus, *prompts: str, within_s: float = 0.0, camera: str = "", limit: int = 3) -> Sightings:
    return bus.client(ASK).call(AskRequest(Header(0), prompts, within_s, camera, limit), LONG)


@pytest.mark.timeout(200)
def test_what_is_gone_was_last_seen_where_it_lay(bus: Bus) -> None:
    truth = World(demo_task(TASK, SEED).scene).truth()["red block"].position
    answer = ask(bus, "a red block")
    assert answer.searched >= 12
    assert 1 <= len({seen.source for seen in answer.sightings}) <= 3
    newest = answer.sightings[0]
    assert newest.position is not None
    assert np.linalg.norm(newest.position - truth) < 0.02
    assert newest.age_s > 0.2
    bowl = ask(bus, "a green bowl").sightings[0]
    assert bowl.source.stamp_ns > newest.source.stamp_ns
