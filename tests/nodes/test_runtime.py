"""What a node is given, and its process run by hand."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest

from seesay import topics
from seesay.bus import Bus, MemoryBus
from seesay.clock import ManualClock, SimClock
from seesay.errors import ConfigError
from seesay.messages import ClockTick, Header, Instruction, Source
from seesay.nodes import logs
from seesay.nodes.names import Names
from seesay.nodes.runtime import Node, load_node, node_names
from seesay.services import Service
from seesay.topics import CLOCK, INSTRUCTION, NODE_STATUS

LONG = 60.0


def test_a_node_in_memory() -> None:
    bus = MemoryBus("talker")
    node, listener = Node("talker", bus, ManualClock(5)), bus.join("listener")
    words, statuses = listener.subscriber(INSTRUCTION), listener.subscriber(NODE_STATUS)
    node.ready("well")
    node.publish(INSTRUCTION, Instruction(node.header("world", Source("front", 1, 2)), "1", "hello"))
    assert (word := words.take(0)) is not None
    assert word.message.header == Header(5, frame_id="world", clock="sim", source=Source("front", 1, 2))
    assert (status := statuses.take(0)) is not None
    assert (status.message.node, status.message.state, status.message.message) == ("talker", "ready", "well")
    assert status.message.pid == os.getpid()


def test_messages_end_when_the_node_is_stopped() -> None:
    bus = MemoryBus("a")
    node = Node("a", bus)
    mailbox = node.subscribe(INSTRUCTION)
    for text in ("one", "two", "three"):
        node.publish(INSTRUCTION, Instruction(Header(0), text, text))
    heard = []
    for received in node.messages(mailbox):
        heard.append(received.message.text)
        if len(heard) == 2:
            node.stop.set()
    assert heard == ["one", "two"]
    assert node.stopping
    assert list(node.every(1000)) == []


def test_a_timer_follows_simulated_time_through_jumps() -> None:
    clock, node = ManualClock(1_000_000_000), Node("a", MemoryBus("a"))
    node.clock = clock
    beats: Queue[int] = Queue()

    def count() -> None:
        for _ in node.every(0.1):
            beats.put(clock.now_ns())

    thread = threading.Thread(target=count)
    thread.start()
    assert beats.get(timeout=LONG) == 1_000_000_000
    for _ in range(2):
        clock.advance(0.1)
        assert beats.get(timeout=LONG) == clock.now_ns()
    clock.advance(60)   # beats that were missed are left out
    assert beats.get(timeout=LONG) == clock.now_ns()
    clock.set(5_000)    # the simulation starts anew
    clock.wait(clock.now_ns(), node.stop)
    while beats.empty():
        clock.advance(0.1)
        time.sleep(0.01)
    assert clock.now_ns() < 60_000_000_000
    node.end()
    thread.join(LONG)
    assert not thread.is_alive()


def test_simulated_time_is_waited_for() -> None:
    bus = MemoryBus("a")
    clock, ticks, stop = SimClock(bus.subscriber(CLOCK)), bus.join("sim").publisher(CLOCK), threading.Event()
    assert clock.now_ns() == 0
    thread = threading.Thread(target=clock.wait, args=(10, stop))
    thread.start()
    ticks.send(ClockTick(Header(10, clock="sim")))
    thread.join(LONG)
    assert not thread.is_alive()
    assert clock.now_ns() == 10
    clock.wait(5, stop)   # at once
    ticks.send(ClockTick(Header(3, clock="sim")))
    assert clock.now_ns() == 3


def test_logs_as_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.LogRecord("seesay.node.a", logging.WARNING, "a.py", 1, "it is %s\n", ("late",), None)
    line = logs.JsonLines().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    wanted = ("WARNING", "seesay.node.a", "it is late\n", os.getpid())
    assert (entry["level"], entry["logger"], entry["message"], entry["process"]) == wanted
    for name, value in {"SEESAY_LOG_FORMAT": "xml", "SEESAY_LOG": "LOUD"}.items():
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=name):
            logs.set_up()


def test_names_are_resolved() -> None:
    names = Names("left", {"camera/front/image": "camera/top/image", "objects": "/objects", "clock": "/other/clock"})
    wanted = {
        "camera/front/image": "left/camera/top/image", "masks": "left/masks", "objects": "objects", "clock": "other/clock",
        "emergency_stop": "emergency_stop", "node_status": "node_status",
    }  # fmt: skip
    assert {name: names.resolve(name) for name in wanted} == wanted
    assert Names().resolve("masks") == "masks"
    assert topics.find("left/camera/top/image").type is topics.IMAGE.type
    with pytest.raises(ConfigError, match="namespace and remap"):
        Names("a b")
    with pytest.raises(ConfigError, match="namespace and remap"):
        Names(remap={"a": "../b"})


def test_a_node_speaks_under_its_resolved_names() -> None:
    bus = MemoryBus("a")
    node = Node("a", bus, names=Names("left"))
    words, said = node.subscribe(INSTRUCTION), bus.join("b").subscriber(replace(INSTRUCTION, name="left/instruction"))
    node.publish(INSTRUCTION, Instruction(node.header(), "1", "hello"))
    assert words.take(0) is not None
    assert said.take(0) is not None
    node.bus.service(Service("ask", Instruction, Instruction), lambda request: request)
    assert bus.services() == [("left/ask", "a")]
    assert node.bus.client(Service("ask", Instruction, Instruction)).call(Instruction(node.header(), "1", "?"), LONG).text == "?"
    bus.close()


def test_nodes_are_found_by_name() -> None:
    assert "detector" in node_names()
    assert "runtime" not in node_names()
    assert load_node("detector").Config().model
    with pytest.raises(ConfigError, match="expected a module with Config and run"):
        load_node("runtime")
    with pytest.raises(ConfigError, match=r"got 'nowhere\.node'"):
        load_node("nowhere.node")


@pytest.mark.usefixtures("sample_nodes")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_node_by_hand_stops_cleanly(session: Path, end: signal.Signals) -> None:
    command = [sys.executable, "-m", "seesay.nodes.runtime", "sample_nodes.talker", "--session", str(session)]
    with Bus(session, "test") as bus, subprocess.Popen([*command, "--clock", "sim", "--config", '{"word": "hi"}']) as process:
        words, statuses = bus.subscriber(INSTRUCTION), bus.subscriber(NODE_STATUS)
        ticks = bus.publisher(CLOCK)
        assert ticks.wait_for_subscribers(1, LONG)
        while (word := words.take(LONG)) is not None and word.message.header.stamp_ns == 0:
            ticks.send(ClockTick(Header(77_000_000_000, clock="sim")))
        assert word is not None
        assert (word.message.header.stamp_ns, word.message.header.clock, word.message.text) == (77_000_000_000, "sim", "hi")
        process.send_signal(end)
        assert process.wait(LONG) == 0
        states: list[str] = []
        while not states or states[-1] != "stopped":
            status = statuses.take(LONG)
            assert status is not None
            states.append(status.message.state)
    assert list(session.iterdir()) == []


@pytest.mark.usefixtures("sample_nodes")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample_nodes.difficult", "--config", '{"how": "user error"}'], "model: expected a local folder"),
        (["sample_nodes.talker", "--config", '{"wrod": 1}'], "node talker: expected the keys word, got 'wrod'; did you mean 'word'?"),
        (["nowhere"], "run: expected one of"),
    ],
)
def test_an_error_of_the_user_is_one_line_and_status_2(session: Path, arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "seesay.nodes.runtime", *arguments, "--session", str(session)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.usefixtures("sample_nodes")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_node_that_prepares_is_interrupted_without_complaint(session: Path, end: signal.Signals) -> None:
    command = [sys.executable, "-m", "seesay.nodes.runtime", "sample_nodes.difficult", "--session", str(session)]
    command += ["--config", '{"how": "slow"}']
    with Bus(session, "test") as bus, subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        statuses = bus.subscriber(NODE_STATUS)
        status = statuses.take(LONG)
        assert status is not None
        assert status.message.state == "starting"
        process.send_signal(end)
        _, output = process.communicate(timeout=LONG)
        assert process.returncode == 130
        assert [line.partition(" INFO ")[2] for line in output.splitlines()] == ["seesay.node.difficult: stopped before it was ready"]
        while status is not None and status.message.state == "starting":
            status = statuses.take(LONG)
        assert status is not None
        assert status.message.state == "stopped"
    assert list(session.iterdir()) == []


@pytest.mark.usefixtures("sample_nodes")
def test_a_deaf_node_ends_by_force_with_its_stack_in_the_log(session: Path) -> None:
    command = [sys.executable, "-m", "seesay.nodes.runtime", "sample_nodes.difficult", "--session", str(session)]
    with Bus(session, "test") as bus, subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        statuses = bus.subscriber(NODE_STATUS)
        while (status := statuses.take(LONG)) is not None and status.message.state != "ready":
            pass
        process.terminate()
        _, output = process.communicate(timeout=LONG)
    assert process.returncode == 3
    assert "ended by force" in output
    assert "difficult.py" in output
