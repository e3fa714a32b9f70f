"""Perception and planner cannot tell a recording from a camera: the same processes, first fed by one, then by the recording of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay import topics
from seesay.bus import Bus, Subscriber
from seesay.messages import ClockTick, Detections, Header, Instruction, Masks, Objects, PlanStep, PromptSet
from seesay.sim.cameras import Cameras, View
from seesay.sim.tasks import lay
from seesay.sim.world import World
from tests.bag.test_commands import LONG, await_state, running
from tests.bag.things import read
from tests.planner.tiny import tiny_gemma, tiny_tokenizer

THINGS = ["red block", "green bowl"]
STEP_NS = 200_000_000
INSTRUCTION = Instruction(Header(1, clock="sim"), "1", "put the red block in the green bowl")


@contextmanager
def node(name: str, session: Path, **config: Any) -> Iterator[None]:
    """A node on simulated time."""
    with running("seesay.nodes.runtime", name, "--session", str(session), "--clock", "sim", "--config", json.dumps(config)):
        yield


def look(count: int) -> list[View]:
    """What the front camera of the simulator sees of two things on the table."""
    world = World(lay(THINGS, 3))
    with Cameras(world) as cameras:
        views = []
        for _ in range(count):
            world.step(STEP_NS / 1e9)
            views.append(cameras.look("front"))
    return views


class Heard:
    """What the nodes say, by the stamp of its picture; the planner's one decision may be about an earlier or a later picture."""

    def __init__(self, bus: Bus) -> None:
        self._inputs: list[Subscriber[Any]] = [
            bus.subscriber(topic, "all", 1000) for topic in (topics.DETECTIONS, topics.MASKS, topics.OBJECTS, topics.PLAN_STEP)
        ]
        self._bus = bus
        self.lap: dict[tuple[type[Any], int], Any] = {}

    def wait_for_publishers(self) -> None:
        """Wait until those have been found whose first messages would be lost."""
        while not self._inputs[2].stats.publishers:
            assert self._bus.wait([], 0.1) == []

    def wait(self, kind: type[Any], stamp: int) -> Any:
        """Wait for the first message of that kind about a picture that is not older."""
        while not (found := [message for (one, at), message in self.lap.items() if one is kind and at >= stamp]):
            ready = self._bus.wait(self._inputs, LONG)
            assert ready, f"no {kind.__name__} came"
            for received in (received for mailbox in ready for received in mailbox.take_all()):
                message, header = received.message, received.message.header
                about = 0 if isinstance(message, PlanStep) else header.source.stamp_ns if header.source else header.stamp_ns
                self.lap[type(message), about] = message
        return found[0]


@pytest.mark.timeout(300)   # four processes that load torch
def test_perception_and_planner_run_from_a_recording_as_from_a_camera(tmp_path: Path, session: Path) -> None:
    pytest.importorskip("transformers")
    tiny_gemma().save_pretrained(tmp_path / "lm")
    tiny_tokenizer().save_pretrained(tmp_path / "lm")
    views = look(3)
    last = views[-1].image.header.stamp_ns
    prompts = PromptSet(Header(1, clock="sim"), 1, ("a red block", "a green bowl"))
    with Bus(session, "camera") as bus, ExitStack() as nodes:
        clock, words, instruct = bus.publisher(topics.CLOCK), bus.publisher(topics.PROMPTS), bus.publisher(topics.INSTRUCTION)
        images, depths = bus.publisher(topics.IMAGE.of(camera="front")), bus.publisher(topics.DEPTH.of(camera="front"))
        infos, poses = bus.publisher(topics.CAMERA_INFO.of(camera="front")), bus.publisher(topics.TRANSFORMS)
        heard = Heard(bus)
        for name, config in (("detector", {}), ("segmenter", {}), ("grounding", {}), ("planner", {"lm": str(tmp_path / "lm")})):
            nodes.enter_context(node(name, session, **config))
        for name in ("detector", "segmenter", "grounding", "planner"):
            await_state(bus, name, "ready")

        def tick(at_ns: int) -> None:
            clock.send(ClockTick(Header(at_ns, clock="sim")))

        heard.wait_for_publishers()
        tick(STEP_NS)
        chosen = ["camera/*", "transforms", "prompts", "instruction"]
        with node("record", session, path=str(tmp_path / "bag"), topics=chosen):
            await_state(bus, "record", "ready")
            assert images.wait_for_subscribers(3, LONG)
            assert depths.wait_for_subscribers(2, LONG)
            words.send(prompts)
            for view in views:
                tick(view.image.header.stamp_ns)
                poses.send(view.transform), infos.send(view.info), depths.send(view.depth), images.send(view.image)
                heard.wait(Objects, view.image.header.stamp_ns)
            tick(last + STEP_NS)
            instruct.send(INSTRUCTION)
            heard.wait(PlanStep, 0)
            tick(last + 5 * STEP_NS)
            words.send(prompts)   # the recording goes on to here
        live = heard.lap
        assert sum(one.topic == images.topic.name for one in read(tmp_path / "bag")) == len(views)
        with node("play", session, path=str(tmp_path / "bag"), clock=True, topics=chosen, rate=0.4, loop=True):
            again = a_whole_lap(heard, live)
    for key, message in live.items():
        compare(message, again[key])


def a_whole_lap(heard: Heard, live: dict[Any, Any]) -> dict[Any, Any]:
    """Wait for a round in which no picture was passed over; on a busy machine a network may."""
    while True:
        heard.lap = {}
        heard.wait(PlanStep, 0)
        if heard.lap.keys() == live.keys():
            return heard.lap


def compare(live: Any, again: Any) -> None:
    if isinstance(live, Detections):
        assert len(live.boxes)
        np.testing.assert_array_equal(live.boxes, again.boxes)
        np.testing.assert_array_equal(live.scores, again.scores)
        np.testing.assert_array_equal(live.prompt_indices, again.prompt_indices)
    elif isinstance(live, Masks):
        np.testing.assert_array_equal(live.counts, again.counts)
        np.testing.assert_array_equal(live.scores, again.scores)
    elif isinstance(live, Objects):
        assert [seen.label for seen in live.objects] == [seen.label for seen in again.objects] != []
        for seen, same in zip(live.objects, again.objects, strict=True):
            np.testing.assert_allclose(seen.position, same.position, atol=1e-5)   # a pose between two stamps is rounded otherwise
    else:
        assert isinstance(live, PlanStep)
        assert live.choice == again.choice
        for candidate, same in zip(live.candidates, again.candidates, strict=True):
            assert candidate.phrase == same.phrase
            assert (candidate.log_p_language is None) == (same.log_p_language is None)
            assert math.isclose(candidate.log_p_language or 0, same.log_p_language or 0, abs_tol=1e-3)   # other texts were cached before
            assert math.isclose(candidate.affordance, same.affordance, abs_tol=0.05)   # the evidence may be a little older
