"""`seesay ask`: simulator, detector and memory as processes on a real bus; a block is seen, taken away, and asked for."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import pytest

from seesay import topics
from seesay.bus import Bus
from seesay.config import Launch, NodeSpec
from seesay.errors import ConfigError, ServiceError, ServiceTimeout
from seesay.messages import AskRequest, Header, Instruction, Sighting, Sightings
from seesay.nodes.commands.ask import run_ask, seconds
from seesay.nodes.lifecycle import change_state
from seesay.nodes.supervisor import Supervisor
from seesay.services import ASK
from seesay.sim.tasks import demo_task
from seesay.sim.world import World

TASK, SEED, CAMERAS = "put the red block in the green bowl", 1, ["front", "side"]
LONG, S = 30.0, 10**9
NODES = (
    NodeSpec("stage", "tests.nodes.stage", threads=1, parameters={"task": TASK, "seed": SEED}),
    NodeSpec("vocabulary", "vocabulary", parameters={"prompts": ["a blue bowl"]}),
    NodeSpec("detector", "detector", threads=1, parameters={"cameras": CAMERAS}),
)


@pytest.fixture(scope="module")
def bus() -> Iterator[Bus]:
    """A table with a red block that has been seen for a while and was then taken away."""
    with (
        tempfile.TemporaryDirectory(prefix="ss-") as session,
        tempfile.TemporaryDirectory() as folder,
        Supervisor(Launch("test", clock="sim", nodes=(*NODES, memory(folder))), session) as supervisor,
        Bus(supervisor.session, "test") as bus,
    ):
        supervisor.wait_ready(100)
        wait_for_pictures(bus, 2 * S)
        orders, results = bus.publisher(topics.INSTRUCTION), bus.subscriber(topics.TASK_RESULT)
        assert orders.wait_for_subscribers(1, LONG)
        orders.send(Instruction(Header(0), "i", "red block"))
        gone = results.take(LONG)
        assert gone is not None
        wait_for_pictures(bus, gone.message.header.stamp_ns + S)
        yield bus


def memory(folder: str) -> NodeSpec:
    return NodeSpec("memory", "memory", threads=1, parameters={"cameras": CAMERAS, "folder": folder})


def wait_for_pictures(bus: Bus, stamp_ns: int) -> None:
    """Wait until both cameras' pictures since that stamp are remembered."""
    end = time.monotonic() + 2 * LONG
    while not all(seen_since(bus, camera, stamp_ns) for camera in CAMERAS):
        assert time.monotonic() < end
        time.sleep(0.1)


def seen_since(bus: Bus, camera: str, stamp_ns: int) -> bool:
    return any(seen.source.stamp_ns >= stamp_ns for seen in ask(bus, "a green bowl", camera=camera, limit=1).sightings)


def ask(bus: Bus, *prompts: str, within_s: float = 0.0, camera: str = "", limit: int = 3) -> Sightings:
    return bus.client(ASK).call(AskRequest(Header(0), prompts, within_s, camera, limit), LONG)


@pytest.mark.timeout(200)
def test_what_is_gone_was_last_seen_where_it_lay(bus: Bus) -> None:
    truth = World(demo_task(TASK, SEED).scene).truth()["red block"].position
    answer = ask(bus, "a red block")
    assert answer.searched >= 4
    assert 1 <= len({seen.source for seen in answer.sightings}) <= 3
    newest = answer.sightings[0]
    assert newest.position is not None
    assert np.linalg.norm(newest.position - truth) < 0.02
    assert newest.age_s > 0.9
    bowl = ask(bus, "a green bowl").sightings[0]
    assert bowl.source.stamp_ns > newest.source.stamp_ns


def test_the_answer_holds_what_was_asked_for(bus: Bus) -> None:
    everything, one = ask(bus, "a red block", "a green bowl", limit=50), ask(bus, "a red block", camera="side", limit=1)
    assert {seen.prompt for seen in everything.sightings} == {"a red block", "a green bowl"}
    assert {seen.source.camera for seen in one.sightings} == {"side"}
    assert len({seen.source for seen in one.sightings}) == 1
    assert one.searched < everything.searched
    ages = [seen.age_s for seen in everything.sightings if seen.prompt == "a red block"]
    assert ages == sorted(ages)
    late = ask(bus, "a red block", within_s=1e-3)
    assert late.searched < everything.searched


def test_bad_questions_are_refused_with_a_sentence(bus: Bus) -> None:
    for prompts, limit, sentence in (((), 3, "1 to 100 prompts"), (("cup",), 0, "limit of 1 to 1000"), (("cup " * 99,), 3, "tokens")):
        with pytest.raises(ServiceError, match=sentence):
            ask(bus, *prompts, limit=limit)


def test_the_command_tells_people_and_programs(bus: Bus, capsys: pytest.CaptureFixture[str]) -> None:
    session = str(bus.directory)
    assert run_ask(["a red block"], "10m", "", 1, False, session) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a red block"
    place = r"at \(-?\d\.\d{3}, -?\d\.\d{3}, -?\d\.\d{3}\) m"
    assert re.fullmatch(rf" +\d+\.\d s ago  (front|side), score 0\.\d\d, {place}, box \d+, \d+, \d+, \d+", lines[1])
    assert run_ask(["a red block"], "", "front", 2, True, session) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["sightings"][0]["position"]) == 3
    assert told["sightings"][0]["source"]["camera"] == "front"
    assert run_ask(["a red block"], "0.001s", "side", 1, False, session) == 1
    told_nothing = r"a red block: not seen in the [01] pictures of side of the last 0\.001s that are remembered\n"
    assert re.fullmatch(told_nothing, capsys.readouterr().out)


def test_what_is_remembered_survives_the_death_of_the_node(bus: Bus) -> None:
    (before,) = ask(bus, "a red block", camera="front", limit=1).sightings[:1]
    os.kill(change_state(bus, "memory").pid, signal.SIGKILL)
    end = time.monotonic() + 2 * LONG
    after: tuple[Sighting, ...] = ()
    while not after:
        assert time.monotonic() < end
        with contextlib.suppress(ServiceTimeout):
            after = ask(bus, "a red block", camera="front", limit=1).sightings
    assert after[0].source == before.source
    np.testing.assert_array_equal(after[0].position, before.position)


@pytest.mark.parametrize(("text", "value"), [("", 0.0), ("30", 30.0), ("30s", 30.0), ("1.5 m", 90.0), ("2h", 7200.0)])
def test_since_in_words(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["soon", "-3s", "0s", "3 days", "nan"])
def test_since_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--since: expected a time such as 30s"):
        seconds(text)
