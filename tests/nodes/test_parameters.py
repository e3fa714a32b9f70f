"""Parameters and the life-cycle: of a node in this process's memory, and of a real one from outside."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seesay.bus import Bus, MemoryBus
from seesay.config import from_mapping
from seesay.errors import ConfigError, ServiceTimeout
from seesay.messages import Instruction, NodeStatus
from seesay.nodes.lifecycle import Lifecycle, change_state
from seesay.nodes.node import Node
from seesay.nodes.parameters import Parameters, get_parameter, list_parameters, set_parameter, set_parameters
from seesay.nodes.runtime import load_node
from seesay.pubsub import Subscriber
from seesay.topics import INSTRUCTION, NODE_STATUS

LONG = 60.0


@pytest.fixture
def served(sample_nodes: Path) -> Any:
    """A node called tunable, with its Config but without its loop, and the bus of somebody else."""
    bus = MemoryBus("tunable")
    node = Node("tunable", bus)
    node.parameters = Parameters(load_node("sample_nodes.tunable").Config(), "node tunable")
    Lifecycle(node, bus)
    other = bus.join("other")
    yield node, other
    other.close()
    bus.close()


def test_parameters_are_the_fields_of_the_config(served: Any) -> None:
    _, bus = served
    listed = {p.name: (p.type, p.value, p.minimum, p.maximum, p.live, p.pending) for p in list_parameters(bus, "tunable")}
    assert listed == {
        "word": ("str", '"hello"', None, None, False, ""),
        "gain": ("float", "1.0", 0, 10, True, ""),
        "mode": ("Literal['slow', 'fast']", '"slow"', None, None, False, ""),
        "cameras": ("tuple[str, ...]", '["front"]', None, None, False, ""),
        "folder": ("Path", '"runs"', None, None, False, ""),
    }


def test_a_live_parameter_changes_at_once_and_its_callback_may_refuse(served: Any) -> None:
    node, bus = served
    seen: list[float] = []

    def apply(config: Any) -> None:
        if config.gain > 5:
            raise ConfigError("gain: above 5 the arm shakes")
        seen.append(config.gain)

    node.on_change(apply)
    assert set_parameter(bus, "tunable", "gain", 2.5).value == "2.5"
    with pytest.raises(ConfigError, match=r"^gain: above 5 the arm shakes$"):
        set_parameter(bus, "tunable", "gain", 6)
    assert (seen, get_parameter(bus, "tunable", "gain").value, node.parameters.config.gain) == ([2.5], "2.5", 2.5)
    late: list[float] = []
    node.on_change(lambda config: late.append(config.gain))
    assert late == [2.5]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"gain": 11}, r"^node tunable: gain: expected float <= 10"),
        ({"gain": "much"}, r"^node tunable: gain: expected float, got str$"),
        ({"mode": "medium"}, "node tunable: mode: invalid enum value 'medium'"),
        ({"gian": 1}, "expected the keys word, gain, mode, cameras, folder, got 'gian'; did you mean 'gain'"),
        ({"word": "other", "gain": -1}, r"expected float >= 0"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_changed(served: Any, values: dict[str, Any], sentence: str) -> None:
    _, bus = served
    before = list_parameters(bus, "tunable")
    with pytest.raises(ConfigError, match=sentence):
        set_parameters(bus, "tunable", values)
    assert list_parameters(bus, "tunable") == before


def test_other_parameters_wait_for_the_next_configuring(served: Any) -> None:
    node, bus = served
    waiting = set_parameters(bus, "tunable", {"mode": "fast", "cameras": ["front", "side"], "gain": 3})
    assert {p.name: (p.value, p.pending) for p in waiting if p.pending} == {
        "mode": ('"slow"', '"fast"'), "cameras": ('["front"]', '["front", "side"]'),
    }  # fmt: skip
    again = from_mapping(load_node("sample_nodes.tunable").Config, node.parameters.next_config, "node tunable")
    assert (again.mode, again.cameras, again.gain, again.folder) == ("fast", ("front", "side"), 3.0, Path("runs"))


def test_names_and_nodes_that_are_not_there(served: Any) -> None:
    _, bus = served
    with pytest.raises(ConfigError, match="node tunable: expected one of the parameters word, gain, mode, cameras, folder, got 'x'"):
        get_parameter(bus, "tunable", "x")
    with pytest.raises(ServiceTimeout, match="nobody serves it"):
        list_parameters(bus, "nobody", timeout_s=0.1)


def test_a_deactivated_node_says_nothing_but_its_state(served: Any) -> None:
    node, bus = served
    words, states = bus.subscriber(INSTRUCTION), bus.subscriber(NODE_STATUS)
    with pytest.raises(ConfigError, match="node tunable: deactivate: expected the node to be ready or inactive, got starting"):
        change_state(bus, "tunable", "deactivate")
    node.ready("well")
    assert change_state(bus, "tunable", "deactivate").state == "inactive"
    node.publish(INSTRUCTION, Instruction(node.header(), "1", "lost"))
    assert change_state(bus, "tunable", "activate").state == "ready"
    node.publish(INSTRUCTION, Instruction(node.header(), "2", "heard"))
    assert change_state(bus, "tunable").state == "ready"
    assert [received.message.text for received in words.take_all()] == ["heard"]
    assert [received.message.state for received in states.take_all()] == ["ready", "inactive", "ready"]


def test_configuring_again_ends_this_run(served: Any) -> None:
    node, bus = served
    node.ready()
    change_state(bus, "tunable", "deactivate")
    assert change_state(bus, "tunable", "configure").state == "starting"
    assert node.stopping
    assert list(node.every(1000)) == []
    with pytest.raises(ConfigError, match="configure: expected the node to be ready or inactive, got starting"):
        change_state(bus, "tunable", "configure")


def heard(words: Subscriber[Instruction], text: str) -> bool:
    """Wait for an instruction of this text."""
    while (received := words.take(LONG)) is not None:
        if received.message.text == text:
            return True
    return False


def reached(statuses: Subscriber[NodeStatus], state: str, message: str) -> bool:
    """Wait for a state with a message."""
    while (received := statuses.take(LONG)) is not None:
        if (received.message.state, received.message.message) == (state, message):
            return True
    return False


@pytest.mark.usefixtures("sample_nodes")
def test_a_running_node_is_tuned_paused_configured_and_shut_down(session: Path) -> None:
    command = [sys.executable, "-m", "seesay.nodes.runtime", "sample_nodes.tunable", "--session", str(session), "--namespace", "left"]
    with Bus(session, "test") as bus, subprocess.Popen([*command, "--remap", '{"instruction": "said"}']) as process:
        words = bus.subscriber(INSTRUCTION.__class__("left/said", Instruction, keep="all", depth=100))
        statuses = bus.subscriber(NODE_STATUS)
        assert heard(words, "hello 1")
        set_parameters(bus, "tunable", {"gain": 4, "word": "bye"}, LONG)
        assert heard(words, "hello 4")
        with pytest.raises(ConfigError, match="gain: 7 is not possible today"):
            set_parameter(bus, "tunable", "gain", 7, LONG)
        change_state(bus, "tunable", "deactivate", LONG)
        assert reached(statuses, "inactive", "hello")
        words.take_all()
        change_state(bus, "tunable", "configure", LONG)
        assert reached(statuses, "ready", "bye")
        assert heard(words, "bye 4")
        assert bus.services() == [("tunable/graph", "tunable"), ("tunable/lifecycle", "tunable"), ("tunable/parameters", "tunable")]
        change_state(bus, "tunable", "shutdown", LONG)
        assert process.wait(LONG) == 0
        assert reached(statuses, "stopped", "")
    assert list(session.iterdir()) == []


@pytest.mark.usefixtures("sample_nodes")
def test_a_paused_node_stops_cleanly(session: Path) -> None:
    command = [sys.executable, "-m", "seesay.nodes.runtime", "sample_nodes.tunable", "--session", str(session)]
    with Bus(session, "test") as bus, subprocess.Popen(command) as process:
        assert reached(bus.subscriber(NODE_STATUS), "ready", "hello")
        change_state(bus, "tunable", "deactivate", LONG)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG) == 0
