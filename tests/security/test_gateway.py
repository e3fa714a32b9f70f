"""What two gateways carry: pictures and small messages in both directions, the newest first, with stamps of the right clock."""

from __future__ import annotations

import socket as sockets
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from seesay import _link
from seesay.codec import Part
from seesay.messages import Detections, EmergencyStop, Header, Image, LinkStatus, Object, Objects, PromptSet, Source
from seesay.remote import SILENCE_S, Gateway
from seesay.topics import DEPTH, DETECTIONS, EMERGENCY_STOP, IMAGE, OBJECTS, PROMPTS, Topic

if TYPE_CHECKING:
    from tests.security.conftest import Host

LONG = 30.0
FRONT = IMAGE.of(camera="front")
Pair = tuple["Host", "Host"]


def until(condition: Callable[[], bool], seconds: float = LONG) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def status(gateway: Gateway) -> LinkStatus:
    (row,) = gateway.status(Header(0))
    return row


def is_up(gateway: Gateway) -> bool:
    return [row.state for row in gateway.status(Header(0))] == ["up"]


def picture(number: int, height: int = 48, width: int = 64) -> Image:
    rows = np.linspace(0, 255, height, dtype=np.float32)[:, None, None]
    data = np.broadcast_to(rows, (height, width, 3)).astype(np.uint8).copy()
    stamp = time.monotonic_ns()
    return Image(Header(stamp, number, "front_optical", source=Source("front", number, stamp)), "rgb8", data)


def test_pictures_and_words_cross_in_both_directions(pair_of_hosts: Pair) -> None:
    robot, laptop = pair_of_hosts
    address = robot.listen([FRONT], accept=["detections"])
    gateway = laptop.dial(address, robot, [DETECTIONS], accept=["camera/*/image"])
    seen, found = laptop.bus.subscriber(FRONT), robot.bus.subscriber(DETECTIONS)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    sent = picture(7)
    robot.bus.publisher(FRONT).send(sent)
    received = seen.take(LONG)
    assert received is not None
    assert (received.publisher, received.message.encoding, received.message.header.sequence) == ("gateway", "rgb8", 7)
    assert np.abs(received.message.data.astype(int) - sent.data).mean() < 3
    source = received.message.header.source
    assert source is not None
    header = Header(source.stamp_ns, source=source)
    boxes = Detections(header, 1, ("cup",), "m", 48, 64, np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
    laptop.bus.publisher(DETECTIONS).send(boxes)
    answer = found.take(LONG)
    assert answer is not None
    assert answer.message.header.source == sent.header.source
    assert status(gateway).offset_error_ns >= abs(status(gateway).offset_ns)


def test_a_late_host_is_told_what_is_latched_and_nothing_is_lost_of_what_is_kept(pair_of_hosts: Pair) -> None:
    robot, laptop = pair_of_hosts
    address = robot.listen([PROMPTS, EMERGENCY_STOP])
    robot.bus.publisher(PROMPTS).send(PromptSet(Header(1), 3, ("cup",)))
    stops = laptop.bus.subscriber(EMERGENCY_STOP, depth=100)
    gateway = laptop.dial(address, robot, accept=["*"])
    prompts = laptop.bus.subscriber(PROMPTS).take(LONG)
    assert prompts is not None
    assert prompts.message.prompts == ("cup",)
    assert until(lambda: is_up(gateway))
    for number in range(100):
        robot.bus.publisher(EMERGENCY_STOP).send(EmergencyStop(Header(number), True, str(number)))
        if number % 8 == 7:
            assert until(lambda: stops.unread == robot.bus.publisher(EMERGENCY_STOP).sequence)
    assert until(lambda: stops.unread == 100)
    assert [item.message.reason for item in stops.take_all()] == [str(number) for number in range(100)]


def test_a_slow_receiver_takes_the_newest_picture(pair_of_hosts: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver takes 200 ms a picture: what it gets is never one of those that came meanwhile, and nothing piles up."""
    robot, laptop = pair_of_hosts
    behind: list[int] = []
    unpack = _link.unpack
    newest = robot.bus.publisher(FRONT)

    def slow(parts: Sequence[Part], kind: type[Any], shift_ns: int) -> Any:
        message = unpack(parts, kind, shift_ns)
        behind.append(newest.sequence - message.header.sequence)
        time.sleep(0.2)
        return message

    monkeypatch.setattr(_link, "unpack", slow)
    gateway = laptop.dial(robot.listen([FRONT]), robot, accept=["*"])
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    for number in range(1, 151):
        newest.send(picture(number))
        time.sleep(0.01)
    (mailbox,) = robot.gateways[0]._bus.ends()[1]
    assert until(lambda: status(robot.gateways[0]).sent + status(robot.gateways[0]).dropped + mailbox.stats.dropped == 150)
    assert until(lambda: status(gateway).received + status(gateway).dropped == status(robot.gateways[0]).sent)
    assert len(behind) <= 20
    assert sorted(behind)[len(behind) // 2] <= 8


class SlowRelay(threading.Thread):
    """A network of `rate` bytes a second from one side to the other."""

    def __init__(self, address: str, rate: float) -> None:
        super().__init__(daemon=True)
        self._port, self._rate = int(address.rpartition(":")[2]), rate
        self.server = sockets.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"

    def run(self) -> None:
        near, _ = self.server.accept()
        with near, sockets.create_connection(("127.0.0.1", self._port)) as far:
            back = threading.Thread(target=self._copy, args=(near, far, 1e9))
            back.start()
            self._copy(far, near, self._rate)
            back.join()

    def _copy(self, source: sockets.socket, target: sockets.socket, rate: float) -> None:
        with suppress(OSError):
            while data := source.recv(int(min(65536, rate / 50))):
                target.sendall(data)
                time.sleep(len(data) / rate)
        with suppress(OSError):
            target.shutdown(sockets.SHUT_RDWR)


def test_a_slow_network_carries_fewer_pictures_but_no_old_ones(pair_of_hosts: Pair) -> None:
    """A picture needs 0.15 s to cross and one comes each 0.01 s: without a window hundreds would wait in the sockets."""
    robot, laptop = pair_of_hosts
    relay = SlowRelay(robot.listen([FRONT]), 200_000)
    relay.start()
    gateway = laptop.dial(relay.address, robot, accept=["*"])
    seen, newest = laptop.bus.subscriber(FRONT), robot.bus.publisher(FRONT)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    behind = []
    for number in range(1, 301):
        newest.send(Image(Header(1, number), "rgb8", noise))
        time.sleep(0.01)
        received = seen.take(0)
        if received is not None:
            behind.append(newest.sequence - received.message.header.sequence)
    robot.gateways[0].close()
    gateway.close()
    relay.join(LONG)
    relay.server.close()
    assert 3 <= len(behind) <= 100
    assert sorted(behind)[len(behind) // 2] <= 40


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a connection's bytes")
def test_a_peer_is_alive_while_a_large_message_crosses_a_slow_network(pair_of_hosts: Pair) -> None:
    robot, laptop = pair_of_hosts
    relay = SlowRelay(robot.listen([FRONT]), 40_000)
    relay.start()
    gateway = laptop.dial(relay.address, robot, accept=["*"])
    seen = laptop.bus.subscriber(FRONT)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    noise = np.random.default_rng(1).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    begin = time.monotonic()
    robot.bus.publisher(FRONT).send(Image(Header(1, 5), "rgb8", noise))
    assert seen.take(LONG) is not None
    assert time.monotonic() - begin > SILENCE_S
    assert is_up(gateway)
    robot.gateways[0].close()
    gateway.close()
    relay.join(LONG)
    relay.server.close()


def test_stamps_are_of_the_clock_of_the_host_that_reads_them(pair_of_hosts: Pair) -> None:
    """The laptop's clock is an hour ahead of the robot's."""
    robot, laptop = pair_of_hosts
    hour = 3_600_000_000_000
    address = robot.listen([FRONT, OBJECTS], accept=["objects"])
    gateway = laptop.dial(address, robot, [OBJECTS], accept=["camera/*"], now_ns=lambda: time.monotonic_ns() + hour)
    seen, objects = laptop.bus.subscriber(FRONT), robot.bus.subscriber(OBJECTS)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    sent = picture(1)
    robot.bus.publisher(FRONT).send(sent)
    received = seen.take(LONG)
    assert received is not None
    header, row = received.message.header, status(gateway)
    assert abs(row.offset_ns + hour) <= row.offset_error_ns
    assert header.stamp_ns - header.clock_offset_ns == sent.header.stamp_ns
    assert header.clock_offset_ns == -row.offset_ns
    assert header.source is not None
    assert header.source.stamp_ns == header.stamp_ns
    unit, source = np.ones(3), header.source
    cup = Object(1, "cup", 0.9, np.ones(4, np.float32), unit, np.eye(3), unit, header.stamp_ns, source)
    laptop.bus.publisher(OBJECTS).send(Objects(replace(header, source=source), (cup,)))
    answer = objects.take(LONG)
    assert answer is not None
    assert answer.message.header == sent.header
    assert answer.message.objects[0].last_seen_ns == sent.header.stamp_ns
    assert answer.message.objects[0].source == sent.header.source
    assert until(lambda: abs(status(robot.gateways[0]).offset_ns - hour) <= row.offset_error_ns)


def test_a_publisher_lives_on_the_other_host_as_long_as_it_and_the_link_do(pair_of_hosts: Pair, caplog: pytest.LogCaptureFixture) -> None:
    robot, laptop = pair_of_hosts
    address = robot.listen([FRONT])
    gateway = laptop.dial(address, robot, accept=["*"])
    seen = laptop.bus.subscriber(FRONT)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    for _ in range(2):
        camera = robot.bus.join("camera")
        camera.publisher(FRONT).send(picture(1))
        assert seen.take(LONG) is not None
        assert until(lambda: seen.stats.publishers == {"gateway": True})
        camera.close()
        assert until(lambda: seen.stats.publishers == {"gateway": False})
        late = laptop.bus.subscriber(FRONT)
        assert late.stats.publishers == {"gateway": False}
    assert "topic camera/front/image: no publisher on another host lives" in caplog.text
    robot.bus.publisher(FRONT).send(picture(2))
    assert until(lambda: seen.stats.alive)
    robot.gateways[0].close()
    assert until(lambda: not seen.stats.alive)


def test_a_picture_is_as_old_on_the_other_host_as_its_stamp_says(pair_of_hosts: Pair) -> None:
    """It was taken a second before it was sent, and the gateway over there has just sent it."""
    robot, laptop = pair_of_hosts
    gateway = laptop.dial(robot.listen([FRONT]), robot, accept=["*"])
    seen = laptop.bus.subscriber(FRONT)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    sent = picture(1)
    robot.bus.publisher(FRONT).send(replace(sent, header=replace(sent.header, stamp_ns=sent.header.stamp_ns - 1_000_000_000)))
    assert seen.take(LONG) is not None
    stats = seen.stats
    assert stats.age_p50_ms is not None
    assert stats.stamp_age_p50_ms is not None
    assert stats.stamp_age_p50_ms > 1000 - status(gateway).offset_error_ns / 1e6
    assert stats.stamp_age_p50_ms > stats.age_p50_ms + 900


@pytest.mark.parametrize("step_s", [10, -10])
def test_a_clock_that_is_stepped_is_followed_while_the_gateway_runs(pair_of_hosts: Pair, step_s: int) -> None:
    """First pictures come with equal clocks; then the laptop's is set by ten seconds."""
    robot, laptop = pair_of_hosts
    ahead = [0]
    gateway = laptop.dial(robot.listen([FRONT]), robot, accept=["*"], now_ns=lambda: time.monotonic_ns() + ahead[0])
    seen = laptop.bus.subscriber(FRONT)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    for ahead_ns in (0, step_s * 1_000_000_000):
        ahead[0] = ahead_ns
        assert until(lambda: abs(status(gateway).offset_ns + ahead[0]) <= status(gateway).offset_error_ns)
        sent = picture(1)
        robot.bus.publisher(FRONT).send(sent)
        received = seen.take(LONG)
        assert received is not None
        header = received.message.header
        assert header.stamp_ns - header.clock_offset_ns == sent.header.stamp_ns
        assert abs(header.stamp_ns - sent.header.stamp_ns - ahead_ns) <= status(gateway).offset_error_ns + 1_000_000


def test_stamps_of_a_simulation_are_left_as_they_are(pair_of_hosts: Pair) -> None:
    robot, laptop = pair_of_hosts
    gateway = laptop.dial(robot.listen([PROMPTS]), robot, accept=["*"], now_ns=lambda: time.monotonic_ns() + 10**12)
    prompts = laptop.bus.subscriber(PROMPTS)
    assert until(lambda: is_up(gateway))
    robot.bus.publisher(PROMPTS).send(PromptSet(Header(5, clock="sim"), 1, ()))
    received = prompts.take(LONG)
    assert received is not None
    assert received.message.header == Header(5, clock="sim")


def test_only_what_is_accepted_and_known_is_taken(pair_of_hosts: Pair) -> None:
    robot, laptop = pair_of_hosts
    address = robot.listen([PROMPTS, Topic("objects", PromptSet), replace(PROMPTS, name="secret_topic"), EMERGENCY_STOP])
    gateway = laptop.dial(address, robot, accept=["prompts", "objects", "secret_*"])
    prompts, stops = laptop.bus.subscriber(PROMPTS), laptop.bus.subscriber(EMERGENCY_STOP)
    assert until(lambda: is_up(gateway))
    assert "'secret_topic' is not a topic here" in status(gateway).message
    assert "objects carries PromptSet there and Objects here" in status(gateway).message
    robot.bus.publisher(EMERGENCY_STOP).send(EmergencyStop(Header(1), True))
    robot.bus.publisher(PROMPTS).send(PromptSet(Header(1), 1, ("cup",)))
    assert prompts.take(LONG) is not None
    assert stops.take(0) is None


def test_a_gateway_comes_back_after_the_other_was_gone(pair_of_hosts: Pair) -> None:
    robot, laptop = pair_of_hosts
    address = robot.listen([PROMPTS])
    gateway = laptop.dial(address, robot, accept=["*"])
    assert until(lambda: is_up(gateway))
    robot.gateways[0].close()
    assert until(lambda: not is_up(gateway))
    again = Gateway(robot.bus.join("gateway"), [PROMPTS], ())
    robot.gateways.append(again)
    again.listen(address, robot.pair, lambda: {laptop.pair.public: "laptop"})
    assert until(lambda: is_up(gateway))
    robot.bus.publisher(PROMPTS).send(PromptSet(Header(1), 9, ()))
    received = laptop.bus.subscriber(PROMPTS).take(LONG)
    assert received is not None
    assert received.message.version == 9


def test_what_a_gateway_passes_on_does_not_push_out_what_its_own_host_says(pair_of_hosts: Pair) -> None:
    """Both come on one latched topic whose readers want the newest message only."""
    robot, laptop = pair_of_hosts
    gateway = laptop.dial(robot.listen([PROMPTS]), robot, accept=["*"])
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    heard, own, passed_on = laptop.bus.subscriber(PROMPTS), robot.bus.publisher(PROMPTS), robot.bus.join("gateway").publisher(PROMPTS)
    for version in range(1, 21):
        own.send(PromptSet(Header(0), version, ()))
        passed_on.send(PromptSet(Header(0), 1000 + version, ()))
        received = heard.take(LONG)
        assert received is not None
        assert received.message.version == version
    assert robot.bus.mismatches() == []


def test_depth_survives_within_half_a_millimetre(pair_of_hosts: Pair) -> None:
    robot, laptop = pair_of_hosts
    front = DEPTH.of(camera="front")
    gateway = laptop.dial(robot.listen([front]), robot, accept=["*"])
    seen = laptop.bus.subscriber(front)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    metres = np.linspace(0.01, 60, 48 * 64, dtype=np.float32).reshape(48, 64)
    robot.bus.publisher(front).send(Image(Header(1), "32FC1", metres))
    received = seen.take(LONG)
    assert received is not None
    assert np.abs(received.message.data - metres).max() <= 0.00051


def test_a_picture_that_is_too_large_is_said_and_does_not_stop_the_others(pair_of_hosts: Pair, caplog: pytest.LogCaptureFixture) -> None:
    robot, laptop = pair_of_hosts
    gateway = laptop.dial(robot.listen([FRONT]), robot, accept=["*"])
    seen = laptop.bus.subscriber(FRONT)
    assert until(lambda: is_up(gateway) and is_up(robot.gateways[0]))
    for shape in ((4100, 4100, 3), (5000, 4000, 3)):
        robot.bus.publisher(FRONT).send(Image(Header(1), "rgb8", np.zeros(shape, np.uint8)))
        assert until(lambda: "a message is not sent" in caplog.text)
        caplog.clear()
    robot.bus.publisher(FRONT).send(picture(3))
    received = seen.take(LONG)
    assert received is not None
    assert received.message.header.sequence == 3
