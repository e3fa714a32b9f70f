"""Simulator, executor and judge as processes on a real bus: a goal is run by the arm, and the true state has the last word."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import pytest

from seesay import topics
from seesay.bus import Bus
from seesay.config import Launch, NodeSpec
from seesay.messages import EmergencyStop, Header, Instruction, Objects, SkillGoal, SkillResult, Target, TaskResult
from seesay.nodes.supervisor import Supervisor

TASK = "put the red block in the green bowl"
NODES = (
    NodeSpec("simulator", "simulator", threads=1, parameters={"task": TASK, "seed": 1}),
    NodeSpec("seer", "tests.nodes.seer", threads=1, parameters={"task": TASK, "seed": 1}),
    NodeSpec("executor", "executor", threads=1),
)


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    launch = Launch("test", clock="sim", nodes=NODES)
    with (
        tempfile.TemporaryDirectory(prefix="ss-") as session,   # a short one, since the path of a socket is limited
        Supervisor(launch, session) as supervisor,
    ):
        supervisor.wait_ready(100)
        yield supervisor


@pytest.fixture(scope="module")
def bus(supervisor: Supervisor) -> Iterator[Bus]:
    with Bus(supervisor.session, "test") as bus:
        yield bus


def goal(bus: Bus, objects: Objects, name: str) -> SkillGoal:
    def target(label: str) -> Target:
        (thing,) = [thing for thing in objects.objects if thing.label == label]
        return Target(label, thing.id, thing.position, thing.extent, thing.last_seen_ns, yaw=thing.yaw)

    header = Header(objects.header.stamp_ns, frame_id="world", clock="sim")
    return SkillGoal(header, name, "pick_and_place", TASK, {"object": target("red block"), "place": target("green bowl")})


def run(bus: Bus, name: str) -> SkillResult:
    results, objects = bus.subscriber(topics.SKILL_RESULT), bus.subscriber(topics.OBJECTS)
    publisher = bus.publisher(topics.SKILL_GOAL)
    assert publisher.wait_for_subscribers(2, 30)
    seen = objects.take(30)
    assert seen is not None
    publisher.send(goal(bus, seen.message, name))
    while (result := results.take(90)) is not None:
        if result.message.goal_id == name:
            return result.message
    raise AssertionError("no result")


def test_the_simulator_publishes_what_its_cameras_see(bus: Bus) -> None:
    image = bus.subscriber(topics.IMAGE.of(camera="side")).take(30)
    depth = bus.subscriber(topics.DEPTH.of(camera="side")).take(30)
    info = bus.subscriber(topics.CAMERA_INFO.of(camera="side")).take(30)
    transform = bus.subscriber(topics.TRANSFORMS).take(30)
    assert image is not None
    assert depth is not None
    assert info is not None
    assert transform is not None
    assert image.message.data.shape == (240, 320, 3)
    assert image.message.header.clock == "sim"
    assert image.message.header.source is not None
    assert image.message.header.source.camera == "side"
    assert np.nanmedian(depth.message.data) < 1.5
    assert transform.message.header.frame_id == "world"


@pytest.mark.timeout(300)
def test_a_goal_is_run_judged_and_stopped(bus: Bus, supervisor: Supervisor) -> None:
    instructions, ends = bus.publisher(topics.INSTRUCTION), bus.publisher(topics.TASK_RESULT)
    verdicts, stops = bus.subscriber(topics.TASK_VERDICT), bus.publisher(topics.EMERGENCY_STOP)
    assert all(publisher.wait_for_subscribers(1, 30) for publisher in (instructions, ends))
    assert stops.wait_for_subscribers(2, 30)
    instructions.send(Instruction(Header(time.monotonic_ns()), "i", TASK))

    first = run(bus, "g1")
    assert (first.outcome, first.message) == ("succeeded", "picked up the red block and placed it in the green bowl")
    ends.send(TaskResult(Header(0), "i", "done", "done after one step", 1))
    verdict = verdicts.take(30)
    assert verdict is not None
    assert (verdict.message.success, verdict.message.message) == (True, "red block in the green bowl")

    stops.send(EmergencyStop(Header(0), True, "a person is near"))
    second = run(bus, "g2")
    assert second.outcome == "stopped"
    assert "a person is near" in second.message

    executor = supervisor.nodes()[2]
    os.kill(executor.pid, signal.SIGKILL)
    states = bus.subscriber(topics.LAUNCH_STATUS)
    while (state := states.take(30)) is not None:
        if (state.message.processes[2].state, state.message.processes[2].restarts) == ("ready", 1):
            break
    third = run(bus, "g3")
    assert third.outcome == "stopped"
    assert "a person is near" in third.message
    stops.send(EmergencyStop(Header(0), False))
