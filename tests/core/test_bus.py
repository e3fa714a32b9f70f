"""The contract of a bus, run on sockets and in memory alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from seesay.bus import AnyBus, Publisher, Received, Subscriber
from seesay.errors import BusError
from seesay.messages import Header, Image, Instruction, NodeStatus, Objects, SkillResult, Transform
from seesay.topics import IMAGE, INSTRUCTION, NODE_STATUS, OBJECTS, SKILL_RESULT, TRANSFORMS

M = TypeVar("M")
OpenBus = Callable[[str], AnyBus]
LONG = 30.0
FRONT = IMAGE.of(camera="front")


def picture(value: int, side: int = 64) -> Image:
    return Image(Header(value, value, "front_optical"), "rgb8", np.full((side, side, 3), value % 256, np.uint8))


def instruction(text: str) -> Instruction:
    return Instruction(Header(0), text, text)


def transform(child: str, x: float) -> Transform:
    return Transform(Header(0, frame_id="world"), child, np.array([x, 0.0, 0.0]), np.array([0.0, 0, 0, 1]), static=True)


def connect(publisher: Publisher[Any], count: int = 1) -> None:
    assert publisher.wait_for_subscribers(count, LONG)


def taken(subscriber: Subscriber[M]) -> Received[M]:
    received = subscriber.take(LONG)
    assert received is not None
    return received


def newest_sequence(subscriber: Subscriber[Any]) -> int:
    newest = subscriber.latest()
    return newest.sequence if newest else 0


def until(condition: Callable[[], bool], seconds: float = LONG) -> bool:
    """Wait until `condition` holds; tell whether it does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def test_a_message_arrives_whole(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(FRONT), open_bus("detector").subscriber(FRONT)
    connect(publisher)
    sent = picture(7)
    assert publisher.send(sent) == 1
    received = taken(subscriber)
    assert (received.publisher, received.sequence) == ("camera", 1)
    assert received.message.header == sent.header
    np.testing.assert_array_equal(received.message.data, sent.data)
    assert received.sent_ns <= received.received_ns


def test_a_slow_consumer_of_a_keep_latest_topic_gets_the_newest(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(FRONT), open_bus("detector").subscriber(FRONT)
    connect(publisher)
    publisher.send(picture(1))
    assert taken(subscriber).sequence == 1
    for _ in range(3):
        for _ in range(200):
            publisher.send(picture(publisher.sequence + 1, side=256))
        while not until(lambda: newest_sequence(subscriber) == publisher.sequence, 0.5):
            publisher.send(picture(publisher.sequence + 1, side=256))
        received = taken(subscriber)
        assert received.sequence == received.message.header.sequence == publisher.sequence
        assert subscriber.take(0) is None
    stats = subscriber.stats
    assert stats.received + stats.gaps == publisher.sequence
    assert stats.dropped == stats.received - 4


def test_a_keep_all_topic_keeps_all_in_order_and_then_drops_the_oldest(open_bus: OpenBus) -> None:
    publisher = open_bus("planner").publisher(INSTRUCTION)
    everything, two = (bus.subscriber(INSTRUCTION, depth=depth) for bus, depth in ((open_bus("a"), 20), (open_bus("b"), 2)))
    connect(publisher, 2)
    for i in range(16):
        publisher.send(instruction(str(i)))
    assert [taken(everything).message.text for _ in range(16)] == [str(i) for i in range(16)]
    assert until(lambda: newest_sequence(two) == 16)
    assert [item.message.text for item in two.take_all()] == ["14", "15"]
    assert two.stats.dropped == 14
    assert everything.stats.dropped == everything.stats.gaps == 0


def test_a_latched_value_reaches_whoever_comes_late_once(open_bus: OpenBus) -> None:
    publisher, first = open_bus("person").publisher(INSTRUCTION), open_bus("first").subscriber(INSTRUCTION)
    connect(publisher)
    publisher.send(instruction("old"))
    publisher.send(instruction("new"))
    assert [taken(first).message.text for _ in range(2)] == ["old", "new"]
    early = open_bus("early").subscriber(INSTRUCTION)
    assert taken(early).message.text == "new"
    late = open_bus("late").subscriber(INSTRUCTION)
    assert taken(late).message.text == "new"
    publisher.send(instruction("next"))
    assert taken(early).message.text == taken(late).message.text == "next"
    assert taken(first).message.text == "next"
    assert first.take(0) is early.take(0) is late.take(0) is None
    assert (first.stats.received, early.stats.received, late.stats.received) == (3, 2, 2)


def test_latched_values_are_kept_per_key_and_per_publisher(open_bus: OpenBus) -> None:
    front, side = open_bus("front").publisher(TRANSFORMS), open_bus("side").publisher(TRANSFORMS)
    first = open_bus("first").subscriber(TRANSFORMS)
    connect(front)
    connect(side)
    front.send(transform("front_optical", 0))
    front.send(transform("tool", 1))
    front.send(transform("front_optical", 2))
    side.send(transform("side_optical", 3))
    for _ in range(4):
        taken(first)
    late = open_bus("grounding").subscriber(TRANSFORMS)
    got = {item.message.child_frame_id: item.message.translation[0] for item in (taken(late) for _ in range(3))}
    assert got == {"tool": 1, "front_optical": 2, "side_optical": 3}
    assert late.take(0) is None


def test_what_is_not_latched_is_not_repeated(open_bus: OpenBus) -> None:
    publisher, early = open_bus("grounding").publisher(OBJECTS), open_bus("view").subscriber(OBJECTS)
    connect(publisher)
    publisher.send(Objects(Header(1), ()))
    taken(early)
    late = open_bus("planner").subscriber(OBJECTS)
    connect(publisher, 2)
    publisher.send(Objects(Header(2), ()))
    assert taken(late).message.header.stamp_ns == 2


def test_the_first_words_of_a_new_publisher_reach_those_who_wait_for_it(open_bus: OpenBus) -> None:
    subscribers = [open_bus(name).subscriber(SKILL_RESULT) for name in ("planner", "view")]
    publisher = open_bus("executor").publisher(SKILL_RESULT)
    for i in range(5):
        publisher.send(SkillResult(Header(i), str(i), "succeeded", "well"))
    for subscriber in subscribers:
        assert [taken(subscriber).message.goal_id for _ in range(5)] == ["0", "1", "2", "3", "4"]
        assert subscriber.stats.gaps == 0


def test_one_wait_for_several_mailboxes(open_bus: OpenBus) -> None:
    sender, receiver = open_bus("a"), open_bus("b")
    subscribers: list[Subscriber[Any]] = [receiver.subscriber(INSTRUCTION), receiver.subscriber(NODE_STATUS)]
    assert receiver.wait(subscribers, 0) == []
    sender.publisher(NODE_STATUS).send(NodeStatus(Header(0), "a", "ready", 1))
    assert receiver.wait(subscribers, LONG) == [subscribers[1]]


def test_all_who_wait_for_a_mailbox_hear_of_it(open_bus: OpenBus) -> None:
    sender, receiver = open_bus("a"), open_bus("b")
    first, shared, last = [receiver.subscriber(topic) for topic in (INSTRUCTION, NODE_STATUS, OBJECTS)]
    found: list[list[Subscriber[Any]]] = []
    waiting: list[list[Subscriber[Any]]] = [[first, shared], [shared, last]]
    threads = [threading.Thread(target=lambda some=some: found.append(receiver.wait(some, LONG))) for some in waiting]
    for thread in threads:
        thread.start()
    sender.publisher(NODE_STATUS).send(NodeStatus(Header(0), "a", "ready", 1))
    for thread in threads:
        thread.join(LONG)
    assert found == [[shared], [shared]]
    sender.publisher(INSTRUCTION).send(instruction("go"))   # what one of them received for the other is received by the bus again
    assert taken(first).message.text == "go"


def test_health_counts_what_never_came(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("camera").publisher(FRONT), open_bus("detector").subscriber(FRONT)
    assert subscriber.stats.age_s is None
    connect(publisher)
    publisher.send(picture(1))
    taken(subscriber)
    publisher.sequence += 5
    publisher.send(picture(7))
    taken(subscriber)
    stats = subscriber.stats
    assert (stats.received, stats.gaps, stats.dropped, stats.invalid, stats.restarts) == (2, 5, 0, 0, 0)
    assert stats.alive


def test_the_type_of_a_topic_is_checked(open_bus: OpenBus) -> None:
    publisher: Publisher[Any] = open_bus("a").publisher(SKILL_RESULT)
    with pytest.raises(BusError, match="expected SkillResult, got Instruction"):
        publisher.send(instruction("x"))


@pytest.mark.parametrize("end", ["interrupt", "close"])
def test_nobody_waits_on_an_interrupted_or_closed_bus(open_bus: OpenBus, end: str) -> None:
    bus = open_bus("a")
    subscriber, others = bus.subscriber(INSTRUCTION), [bus.subscriber(topic) for topic in (NODE_STATUS, OBJECTS)]
    threads = [threading.Thread(target=subscriber.take), threading.Thread(target=bus.wait, args=(others,))]
    for thread in threads:
        thread.start()
    getattr(bus, end)()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive()
    assert subscriber.take() is None
    assert bus.wait([subscriber]) == []
    bus.close()


def test_what_was_sent_last_arrives_although_the_sender_closes(open_bus: OpenBus) -> None:
    sender = open_bus("planner")
    publisher, subscriber = sender.publisher(INSTRUCTION), open_bus("view").subscriber(INSTRUCTION)
    connect(publisher)
    publisher.send(instruction("last words"))
    sender.close()
    assert taken(subscriber).message.text == "last words"


def test_any_thread_may_send(open_bus: OpenBus) -> None:
    publisher, subscriber = open_bus("a").publisher(INSTRUCTION), open_bus("b").subscriber(INSTRUCTION, depth=100)
    connect(publisher)
    threads = [threading.Thread(target=publisher.send, args=(instruction(str(i)),)) for i in range(8)]
    for thread in threads:
        thread.start()
    received = [taken(subscriber) for _ in threads]
    for thread in threads:
        thread.join(LONG)
    assert [item.sequence for item in received] == list(range(1, 9))
    assert {item.message.text for item in received} == {str(i) for i in range(8)}


@pytest.mark.parametrize("name", ["", "a b", "../x", "a~b", "x" * 65])
def test_names_that_cannot_be_files_are_refused(open_bus: OpenBus, name: str) -> None:
    with pytest.raises(BusError, match="node name"):
        open_bus(name)
