"""What of a reliable topic is lost between two hosts is counted and said aloud."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from seesay._link import Flow, head
from seesay.messages import Header, LinkStatus, SkillGoal
from seesay.pubsub import Received
from seesay.remote import Gateway
from seesay.topics import SKILL_FEEDBACK, SKILL_GOAL

if TYPE_CHECKING:
    from tests.security.conftest import Host

LONG = 30.0
Pair = tuple["Host", "Host"]


def until(condition: Callable[[], bool], seconds: float = LONG) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def links(gateway: Gateway) -> list[LinkStatus]:
    return [row for row in gateway.status(Header(0)) if row.state == "up"]


def goal(number: int) -> SkillGoal:
    return SkillGoal(Header(number), str(number), "pick", "pick", {})


def test_what_is_sent_while_the_link_is_down(pair_of_hosts: Pair, caplog: pytest.LogCaptureFixture) -> None:
    robot, laptop = pair_of_hosts
    address = robot.listen([SKILL_GOAL])
    (listening,), goals = robot.gateways, robot.bus.publisher(SKILL_GOAL)
    first = laptop.dial(address, robot, accept=["*"])
    seen = laptop.bus.subscriber(SKILL_GOAL)
    assert until(lambda: bool(links(first) and links(listening)))
    goals.send(goal(1))
    assert seen.take(LONG) is not None
    first.close()
    assert until(lambda: not links(listening))
    for number in (2, 3, 4):
        goals.send(goal(number))
    (mailbox,) = listening._bus.ends()[1]
    assert until(lambda: not mailbox.unread)
    second = laptop.dial(address, robot, accept=["*"])
    assert until(lambda: bool(links(second) and links(listening)))
    assert links(listening)[0].dropped == 3
    assert "topic skill_goal: 3 messages did not reach laptop while the link was down" in caplog.text
    goals.send(goal(5))
    received = seen.take(LONG)
    assert received is not None
    assert received.message.id == "5"


def test_what_cannot_be_sent(pair_of_hosts: Pair, caplog: pytest.LogCaptureFixture) -> None:
    robot, laptop = pair_of_hosts
    gateway = laptop.dial(robot.listen(), robot, offer=[SKILL_GOAL, SKILL_FEEDBACK])
    assert until(lambda: bool(links(gateway)))
    gateway.lost(b"", [head(b"A", 1, "skill_goal")])
    assert links(gateway)[0].dropped == 0
    gateway.lost(b"", [head(b"M", 1, "skill_feedback"), b""])
    assert "was lost" not in caplog.text
    gateway.lost(b"", [head(b"M", 2, "skill_goal"), b""])
    assert links(gateway)[0].dropped == 2
    assert "topic skill_goal: a message was lost: it could not be sent to robot" in caplog.text


def test_what_comes_faster_than_it_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    flow = Flow(SKILL_GOAL)
    for number in range(SKILL_GOAL.depth + 1):
        flow.offer(Received(goal(number), "planner", number + 1, 0, 0))
    assert (flow.dropped, flow.pending) == (1, SKILL_GOAL.depth)
    assert caplog.text.count("topic skill_goal: a message was lost: the other host takes them too slowly") == 1
