"""Every verb on a system that runs, as a ROS 2 user would type it: what it prints, its --json, and what it says to bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from seesay.bus import Bus
from seesay.config import Launch, NodeSpec
from seesay.graph import serve_graph
from seesay.nodes import cli
from seesay.nodes.commands import doctor, meters, telling
from seesay.nodes.node import Node
from seesay.nodes.supervisor import Supervisor
from seesay.services import PARAMETERS
from seesay.topics import INSTRUCTION, OBJECTS

LONG = 60.0
FOLDER = Path(__file__).parent
NODES = (
    NodeSpec("tunable", "sample_nodes.tunable", threads=1, parameters={"word": "salut"}),
    NodeSpec("listener", "sample_nodes.listener", threads=1),
    NodeSpec("painter", "sample_nodes.painter", threads=1),
    NodeSpec("other", "sample_nodes.talker", threads=1, namespace="left", remap={"instruction": "orders"}),
)


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON: one value, or the first of many lines."""
        return json.loads(self.out.splitlines()[0])


Call = Callable[..., Said]


@pytest.fixture(scope="module")
def session() -> Iterator[Path]:
    """The directory of a running system; `XDG_RUNTIME_DIR` points beside it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ss-") as runtime:
        patch.syspath_prepend(str(FOLDER))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])]))
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.delenv("SEESAY_SESSION", raising=False)
        directory = Path(runtime) / "seesay" / "live"
        directory.parent.mkdir(mode=0o700)
        with Supervisor(Launch("live", nodes=NODES), directory) as supervisor:
            supervisor.wait_ready(LONG)
            yield directory


@pytest.fixture
def call(session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("topic", "list")` is `seesay topic list` in this process."""

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["seesay", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return Said(int(ended.value.code or 0), shown.out, shown.err)

    return run


def test_topic_list(call: Call) -> None:
    names = ["camera/front/image", "instruction", "launch_status", "left/orders", "node_status"]
    assert call("topic", "list").out.splitlines() == names
    assert "camera/front/image [Image]" in call("topic", "list", "-t").out.splitlines()
    assert call("topic", "list", "-c").out == "5\n"
    rows = {row["name"]: row for row in call("topic", "list", "--json").json}
    assert rows["instruction"] == {"name": "instruction", "type": "Instruction", "rate_hz": 0.0, "latched": True,
                                   "publishers": ["tunable"], "subscribers": ["listener"]}  # fmt: skip
    assert rows["left/orders"]["type"] == "Instruction"


def test_what_is_only_subscribed_to_is_listed_and_clients_are_told(call: Call, session: Path) -> None:
    with Bus(session, "watcher") as bus:
        serve_graph(bus)
        bus.subscriber(OBJECTS)
        bus.client(PARAMETERS.of(node="tunable"))
        assert "objects [Objects]" in call("topic", "list", "-t").out.splitlines()
        rows = {row["name"]: row for row in call("topic", "list", "--json").json}
        assert (rows["objects"]["publishers"], rows["objects"]["subscribers"]) == ([], ["watcher"])
        assert call("topic", "find", "Objects").out == "objects\n"
        kind = "ParameterRequest -> ParameterReply"
        assert call("node", "info", "watcher").out.endswith(f"  Service Clients:\n    tunable/parameters: {kind}\n")
        assert call("node", "info", "watcher", "--json").json["service_clients"] == {"tunable/parameters": kind}


def test_find_by_type(call: Call) -> None:
    assert call("topic", "find", "Instruction").out == "instruction\nleft/orders\n"
    assert call("topic", "find", "sensor_msgs/msg/Image", "--json").json == ["camera/front/image"]
    assert call("topic", "find", "Masks").out == ""
    assert call("topic", "find", "Instruction", "-c").out == "2\n"
    cycles = [f"{name}/lifecycle" for name in ("listener", "other", "painter", "tunable")]
    assert call("service", "find", "LifecycleRequest", "--json").json == cycles
    assert call("service", "find", "LifecycleRequest", "-c").out == "4\n"


def test_topic_echo(call: Call) -> None:
    said = call("topic", "echo", "/instruction", "--once")
    assert said.out.endswith("\n---\n")
    assert yaml.safe_load(said.out.removesuffix("---\n"))["text"].startswith("salut")
    assert call("topic", "echo", "instruction", "-n", "2", "--json", "--field", "id").out == '"1"\n"1"\n'
    assert call("topic", "echo", "camera/front/image", "--once", "--json").json["data"] == {"shape": [48, 64, 3], "dtype": "uint8"}
    assert len(call("topic", "echo", "camera/front/image", "--once", "--json", "-f", "--field", "data").json) == 48
    assert "<array of shape [48, 64, 3], uint8>" in call("topic", "echo", "camera/front/image", "--once", "--no-arr").out
    assert call("topic", "echo", "left/orders", "--once", "--field", "text").out == "hello\n---\n"
    assert call("topic", "echo", "left/orders", "--once", "--csv").out.endswith(",1,hello\n")
    assert call("topic", "echo", "left/orders", "--once", "--csv", "--field", "text").out == "hello\n"
    assert call("topic", "echo", "camera/front/image", "--once", "--csv").out.endswith(',rgb8,"<array of shape [48, 64, 3], uint8>"\n')
    assert "does not appear to be published yet" in (silent := call("topic", "echo", "objects", "--timeout", "0.2")).err
    assert (silent.status, "nothing came within 0.2 s" in silent.err) == (1, True)


def test_ask_needs_a_memory_and_a_time(call: Call) -> None:
    assert (said := call("ask", "a cup")).status == 2
    assert 'expected a node memory in live, got none; add [nodes.memory] run = "memory"' in said.err
    assert (said := call("ask", "a cup", "--since", "soon")).status == 2
    assert "--since: expected a time such as 30s, 5m or 1h, got 'soon'" in said.err


def test_topic_hz_bw_and_delay(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "LOOK_S", 0.4)
    assert call("topic", "hz", "camera/front/image", "-n", "1").out.startswith("average rate: ")
    rate = call("topic", "hz", "camera/front/image", "-n", "1", "-w", "50", "--json").json
    assert rate["rate_hz"] > 1
    assert (rate["expected_hz"], rate["alive"]) == (5.0, True)
    assert "Message size mean: 9." in call("topic", "bw", "camera/front/image", "-n", "1").out
    assert call("topic", "bw", "camera/front/image", "-n", "1", "--json").json["mean_bytes"] == pytest.approx(48 * 64 * 3, abs=400)
    assert call("topic", "delay", "camera/front/image", "-n", "1").out.startswith("average delay: ")
    assert 0 <= call("topic", "delay", "camera/front/image", "-n", "1", "--json").json["delay_s"] < LONG
    assert call("topic", "hz", "objects", "-n", "1", "--json").json["rate_hz"] is None


def test_topic_info_and_type(call: Call) -> None:
    assert call("topic", "type", "/camera/front/image").out == "Image\n"
    assert call("topic", "type", "objects", "--json").json == "Objects"
    assert call("topic", "info", "instruction").out == "Type: Instruction\nPublisher count: 1\nSubscription count: 1\n"
    verbose = call("topic", "info", "-v", "instruction").out
    assert {"Node name: tunable", "Node name: listener", "  Reliability: RELIABLE", "  Durability: TRANSIENT_LOCAL",
            "Endpoint type: SUBSCRIPTION", "Age when taken (median, 99th percentile):"} < set(verbose.splitlines())  # fmt: skip
    assert "  Durability: TRANSIENT_LOCAL" in verbose.partition("Endpoint type: SUBSCRIPTION")[2].splitlines()
    found = call("topic", "info", "instruction", "--json").json
    assert [end["node"] for end in found["publishers"] + found["subscriptions"]] == ["tunable", "listener"]
    assert found["subscriptions"][0]["received"] > 0
    assert found["subscriptions"][0]["stamp_age_p50_ms"] > 0
    assert found["mismatches"] == []


def test_topic_pub(call: Call, session: Path) -> None:
    with Bus(session, "hearer") as bus:
        heard = bus.subscriber(INSTRUCTION)
        said = call("topic", "pub", "--once", "-w", "2", "instruction", "Instruction", "{id: '7', text: dance}")
        assert said.out.startswith("publishing #1: ")
        twice = call("topic", "pub", "-t", "2", "-w", "2", "-r", "50", "--json", "instruction", '{"id": "8", "text": "sing"}')
        assert twice.out.count("sing") == 2
        texts: list[str] = []
        while texts.count("sing") < 2:
            received = heard.take(LONG)
            assert received is not None
            texts.append(received.message.text)
        assert texts.count("dance") == 1
    nobody = call("topic", "pub", "--once", "--timeout", "0.1", "arm/command", "{position: [0, 0, 0.1], yaw: 0, opening: 0.05}")
    assert (nobody.status, "expected 1 subscribers within 0.1 s, got 0" in nobody.err) == (1, True)


def test_node_verbs(call: Call) -> None:
    nodes = ["listener", "other", "painter", "supervisor", "tunable"]
    assert call("node", "list").out.splitlines() == nodes
    assert call("node", "list", "--json").json == nodes
    assert call("node", "list", "-c").out == "5\n"
    said = call("node", "info", "/listener").out
    assert said.startswith("listener\n  Subscribers:\n    instruction: Instruction\n  Publishers:\n    node_status: NodeStatus\n")
    found = call("node", "info", "listener", "--json").json
    assert found["subscribers"][0]["publishers"]["tunable"] is True
    assert found["service_servers"]["listener/lifecycle"] == "LifecycleRequest -> NodeStatus"


def test_service_verbs(call: Call) -> None:
    assert "tunable/parameters" in call("service", "list").out.splitlines()
    assert "tunable/parameters [ParameterRequest -> ParameterReply]" in call("service", "list", "-t").out.splitlines()
    assert {"name": "tunable/graph", "type": "GraphRequest -> GraphReply", "node": "tunable"} in call("service", "list", "--json").json
    assert call("service", "type", "/tunable/lifecycle").out == "LifecycleRequest -> NodeStatus\n"
    said = call("service", "call", "/listener/lifecycle", "LifecycleRequest", "{}").out
    assert yaml.safe_load(said.partition("response:\n")[2])["state"] == "ready"
    assert call("service", "call", "listener/lifecycle", "--json").json["node"] == "listener"
    refused = call("service", "call", "tunable/parameters", "{values: {gain: '99'}}")
    assert (refused.status, "gain: expected float <= 10" in refused.err) == (1, True)


def test_param_verbs(call: Call) -> None:
    assert call("param", "list", "tunable").out == "  word\n  gain\n  mode\n  cameras\n  folder\n"
    assert "other:\n  word\n" in call("param", "list").out
    assert call("param", "list", "tunable", "--json").json["tunable"]["mode"] == "slow"
    assert call("param", "get", "/tunable", "word").out == "String value is: salut\n"
    assert call("param", "set", "tunable", "gain", "2.5").out == "Set parameter successful\n"
    assert call("param", "get", "tunable", "gain").out == "Double value is: 2.5\n"
    assert call("param", "get", "tunable", "gain", "--json").json["maximum"] == 10
    assert "configured again" in call("param", "set", "tunable", "mode", "fast").out
    assert call("param", "get", "tunable", "mode").out == 'Value is: "slow" (next configured: "fast")\n'
    assert call("param", "set", "tunable", "cameras", "[front, side]", "--json").json["pending"] == ["front", "side"]
    assert "    Max value: 10\n" in call("param", "describe", "tunable", "gain").out
    assert '[nodes.tunable]\nword = "salut"\ngain = 2.5\n' in call("param", "dump", "tunable").out


def test_param_load_sets_what_dump_printed_or_nothing(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "tunable.toml"
    call("param", "set", "tunable", "gain", "1.5")
    file.write_text(call("param", "dump", "tunable").out)
    call("param", "set", "tunable", "gain", "3.0")
    assert "Set parameter gain successful\n" in call("param", "load", "tunable", str(file)).out
    assert call("param", "get", "tunable", "gain").out == "Double value is: 1.5\n"
    file.write_text('[nodes.tunable]\ngain = 4.0\n')
    (one,) = call("param", "load", "tunable", str(file), "--json").json
    assert (one["name"], one["value"]) == ("gain", 4.0)
    for text, sentence in (
        ("[nodes.tunable]\ngain = 5.0\nmode = 3\n", "mode: expected"),
        ("[nodes.other]\n", "expected a table [nodes.tunable]"),
        ("nodes = 3\n", "expected a table"),
        ("gain: 3\n", "expected TOML as seesay param dump prints it"),
    ):
        file.write_text(text)
        refused = call("param", "load", "tunable", str(file))
        assert (refused.status, refused.out) == (2, "")
        assert sentence in refused.err
    assert call("param", "get", "tunable", "gain").out == "Double value is: 4.0\n"
    assert "No such file" in call("param", "load", "tunable", str(tmp_path / "nowhere.toml")).err


def test_lifecycle_verbs(call: Call, session: Path) -> None:
    assert call("lifecycle", "nodes").out == "listener\nother\npainter\ntunable\n"
    assert (call("lifecycle", "nodes", "-c").out, call("lifecycle", "nodes", "--json").json[0]) == ("4\n", "listener")
    assert "- deactivate\n\tStart: active\n\tGoal: inactive\n" in call("lifecycle", "list", "/tunable").out
    assert call("lifecycle", "get", "tunable").out == "active (ready)\n"
    assert call("lifecycle", "set", "tunable", "deactivate").out == "Transitioning successful\n"
    assert call("lifecycle", "get", "tunable", "--json").json["state"] == "inactive"
    assert call("lifecycle", "list", "tunable", "--json").json[0] == {"transition": "activate", "start": "inactive", "goal": "active"}
    assert call("lifecycle", "set", "tunable", "activate", "--json").json["state"] == "ready"


def test_a_program_with_a_bus_of_its_own_is_seen(call: Call, session: Path) -> None:
    with Bus(session, "mine") as bus:
        serve_graph(bus)
        subscriber = bus.subscriber(INSTRUCTION)
        assert subscriber.take(30) is not None
        assert "  Subscribers:\n    instruction: Instruction\n" in call("node", "info", "mine").out
        found = call("topic", "info", "instruction", "--json").json
        assert {end["node"] for end in found["subscriptions"]} == {"listener", "mine"}
        topics = {topic["name"]: topic for topic in call("top", "--once", "--json", "-i", "0.2").json["topics"]}
        assert {consumer["node"] for consumer in topics["instruction"]["consumers"]} == {"listener", "mine"}


def test_top(call: Call) -> None:
    seen = call("top", "--once", "--json", "-i", "1").json
    topics = {topic["name"]: topic for topic in seen["topics"]}
    assert topics["instruction"]["rate_hz"] > 1
    (consumer,) = topics["instruction"]["consumers"]
    assert (consumer["node"], consumer["alive"], consumer["age_p50_ms"] > 0) == ("listener", True, True)
    assert consumer["stamp_age_p50_ms"] >= consumer["age_p50_ms"]
    nodes = {node["name"]: node for node in seen["nodes"]}
    assert all(nodes[name]["memory_mb"] > 5 and nodes[name]["answers"] for name in nodes)
    assert (nodes["painter"]["state"], nodes["painter"]["restarts"]) == ("ready", 0)
    table = call("top", "--once", "-i", "0.2").out
    assert "camera/front/image" in table
    assert {"answers", "yes"} <= set(table.split())


def test_doctor_looks_at_the_running_system(call: Call, session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROBE", "")
    checks = {check["name"]: check for check in call("doctor", "--json").json["checks"]}
    assert checks["live: nodes"]["found"] == "5 nodes answer"
    assert checks["live: quality of service"]["ok"]
    assert checks["shared memory"]["ok"]
    assert checks["live: ports"]["found"] == "no node listens on the network"
    left = session.parent / "left"
    left.mkdir(mode=0o700)
    (left / "objects~grounding").touch()
    (left / "emergency_stop").write_text("a person")
    checks = {check["name"]: check for check in call("doctor", "--json").json["checks"]}
    assert (checks["sessions"]["ok"], checks["sessions"]["cure"]) == (False, f"rm -r {left}")
    assert "seesay stop --release" in checks["emergency stop"]["cure"]
    for file in left.iterdir():
        file.unlink()
    left.rmdir()


def test_stop_without_an_executor_is_kept(call: Call, session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "FIND_S", 0.1)
    said = call("stop", "--reason", "a person is near")
    assert (said.status, "the stop is kept for those that start" in said.err) == (1, True)
    assert (session / "emergency_stop").read_text() == "a person is near"
    call("stop", "--release")
    assert not (session / "emergency_stop").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("topic echo nothing", "expected one of camera/{camera}/image"),
        ("topic echo instruction --once --field txt", "field txt: expected one of header, id, text, got 'txt'"),
        ("topic echo instruction --once --field text[0", "expected a path such as"),
        ("topic hz nothing", "expected one of"),
        ("topic bw no/such", "expected one of"),
        ("topic delay a-b!", "expected one of"),
        ("topic info nothing", "expected one of"),
        ("topic find Nothing", "type: expected one of ArmCommand"),
        ("topic echo instruction --csv --json", "expected one of them, got both"),
        ("service find Nothing", "type: expected one of AffordancesRequest"),
        ("param load nobody x.toml", "node: expected one of"),
        ("lifecycle list nobody", "node: expected one of"),
        ("topic type nothing", "expected one of"),
        ("topic pub --once instruction {text:3", "expected YAML or JSON"),
        ("topic pub --once instruction {id:&a", "YAML without anchors"),
        ("topic pub --once instruction [1]", "expected the fields of Instruction"),
        ("topic pub --once instruction {txet:1}", "expected YAML or JSON|expected the keys header, id, text, got"),
        ("topic pub --once instruction String {}", "type: expected Instruction, got 'String'"),
        ("topic pub --once arm/command {}", "position"),
        ("node info nobody", "node: expected one of listener, other, painter, supervisor, tunable, got 'nobody'"),
        ("service call nothing", "service: expected one of"),
        ("service call nobody/lifecycle", "service: expected one that is served"),
        ("service call tunable/lifecycle {transition:", "expected YAML or JSON"),
        ("service type nothing", "service: expected one of"),
        ("param list nobody", "node: expected one of listener, other, painter, tunable, got 'nobody'"),
        ("param get tunable nothing", "expected one of the parameters word, gain"),
        ("param get nobody word", "node: expected one of"),
        ("param set tunable gain 99", "gain: expected float <= 10"),
        ("param set tunable gain high", "gain: expected float, got str"),
        ("param set tunable nothing 1", "expected one of the parameters"),
        ("param describe tunable nothing", "expected one of the parameters"),
        ("param dump nobody", "node: expected one of"),
        ("lifecycle set tunable sleep", "transition: expected one of configure"),
        ("lifecycle get nobody", "node: expected one of"),
        ("top --once --session nobody", "expected one that runs"),
        ("do ?!", "say what to do"),
        ("run tunabel", "expected one of"),
        ("run detector -r nonsense", "expected FROM:=TO"),
    ],
)
def test_bad_input_is_one_line_and_status_2(call: Call, line: str, sentence: str) -> None:
    said = call(*line.split())
    assert said.status == 2, said
    assert said.err.splitlines()[-1].startswith("seesay: ")
    assert "Traceback" not in said.err
    assert any(part in said.err for part in sentence.split("|"))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("{position: [0, 0, a], yaw: 0, opening: 0}", "expected lists of numbers"),
        ("{position: [0, 0], yaw: 0, opening: 0}", "ArmCommand.position: expected (3) float64, got (2,) float64"),
        ("{position: [0, 0, .nan], yaw: 0, opening: 0}", "expected finite numbers"),
        ("{position: {}, yaw: 0, opening: 0}", "expected lists of numbers"),
        ("{position: [0, 0, 0], yaw: high, opening: 0}", "yaw: expected float, got str"),
        ("{position: [0, 0, 0], yaw: 0, opening: 0, header: {stamp: 3}}", "header: expected the keys stamp_ns"),
    ],
)
def test_a_message_is_checked_before_it_is_published(call: Call, values: str, sentence: str) -> None:
    said = call("topic", "pub", "--once", "arm/command", values)
    assert (said.status, said.out) == (2, "")
    assert sentence in said.err


@pytest.mark.parametrize("verb", [["topic", "echo", "instruction"], ["top"], ["topic", "pub", "instruction", "{id: a, text: b}"]])
def test_ctrl_c_ends_with_130_and_no_traceback(session: Path, verb: list[str]) -> None:
    command = [sys.executable, "-m", "seesay.nodes.cli", *verb, *(["--json"] if verb == ["top"] else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(LONG, process.kill)
        guard.start()
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(2)
        _, err = process.communicate()
        guard.cancel()
    assert process.returncode == 130, err
    assert "Traceback" not in err


def test_the_first_line_of_a_stream_can_be_all_that_is_wanted(session: Path) -> None:
    command = f"{sys.executable} -m seesay.nodes.cli topic echo instruction --json | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=LONG, check=False)
    assert json.loads(done.stdout)["id"] == "1"
    assert "Traceback" not in done.stderr


def test_a_node_in_memory_tells_its_ends() -> None:
    from seesay.bus import MemoryBus
    from seesay.nodes.graph import ask_graph
    from seesay.nodes.lifecycle import Lifecycle

    bus = MemoryBus("a")
    node = Node("a", bus)
    Lifecycle(node, bus)
    node.ready()
    node.subscribe(INSTRUCTION)
    other = bus.join("b")
    reply = ask_graph(other, ["a", "nobody"], 0.5)
    assert reply["nobody"] is None
    assert reply["a"] is not None
    assert [end.topic for end in reply["a"].publishers] == ["node_status"]
    assert [(end.topic, end.depth, end.age_p50_ms) for end in reply["a"].subscribers] == [("instruction", 16, None)]
    other.close()
    bus.close()
