"""The supervisor with real processes: started, killed, restarted, stopped, and none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from seesay.bus import Bus
from seesay.config import Launch, NodeSpec
from seesay.errors import BusError, ConfigError, UserError
from seesay.nodes.supervisor import LOOK_S, STOP_S, Supervisor
from seesay.topics import INSTRUCTION, LAUNCH_STATUS, NODE_STATUS

LONG = 60.0
BUSY_S = 10.0
TALKER = NodeSpec("talker", "sample_nodes.talker", threads=1, parameters={"word": "salut"})
Gone = Callable[[list[int]], bool]

pytestmark = pytest.mark.usefixtures("sample_nodes")


def launch(*specs: NodeSpec) -> Launch:
    return Launch("test", nodes=specs, path="test.toml")


def difficult(how: str, restart: Literal["on-failure", "always", "never"] = "on-failure", **keys: Any) -> NodeSpec:
    return NodeSpec("difficult", "sample_nodes.difficult", restart=restart, parameters={"how": how}, **keys)


def until_failed(supervisor: Supervisor) -> str:
    with pytest.raises((UserError, BusError)) as caught:
        supervisor.wait_ready(LONG)
    return str(caught.value)


def test_nodes_start_talk_and_stop(session: Path, gone: Gone) -> None:
    supervisor = Supervisor(launch(TALKER, difficult("short")), session)
    with supervisor, Bus(session, "test") as bus:
        words, statuses = bus.subscriber(INSTRUCTION), bus.subscriber(NODE_STATUS)
        supervisor.wait_ready(LONG)
        assert (received := words.take(LONG)) is not None
        assert (received.publisher, received.message.text) == ("talker", "salut")
        talker, short = supervisor.nodes()
        assert (talker.state, talker.message, talker.restarts) == ("ready", "talking", 0)
        assert short.state == "stopped"
        states = set()
        while ("talker", "ready") not in states:
            status = statuses.take(LONG)
            assert status is not None
            states.add((status.message.node, status.message.state))
        supervisor.check()
    assert gone([talker.pid])
    assert sorted(path.name for path in session.iterdir()) == ["logs"]
    assert [node.state for node in supervisor.nodes()] == ["stopped", "stopped"]
    supervisor.stop()


def test_a_killed_node_comes_back_with_new_data(session: Path, gone: Gone) -> None:
    with Supervisor(launch(TALKER), session) as supervisor, Bus(session, "test") as bus:
        words = bus.subscriber(INSTRUCTION)
        supervisor.wait_ready(LONG)
        assert words.take(LONG) is not None
        first = supervisor.nodes()[0].pid
        os.kill(first, signal.SIGKILL)
        while words.stats.restarts == 0:
            assert words.take(LONG) is not None
        assert gone([first])
        supervisor.wait_ready(LONG)
        again = supervisor.nodes()[0]
        assert again.restarts == 1
        assert again.pid != first
    assert gone([again.pid])


def test_a_node_that_is_stopped_is_told_as_silent_until_it_goes_on(session: Path) -> None:
    with Supervisor(launch(TALKER), session) as supervisor, Bus(session, "test") as bus:
        states = bus.subscriber(LAUNCH_STATUS, keep="all", depth=1000)
        supervisor.wait_ready(LONG)

        def until(said: Callable[[str], bool]) -> tuple[str, str]:
            while (received := states.take(LONG)) is not None:
                if said((one := received.message.processes[0]).message):
                    return one.state, one.message
            raise AssertionError("no status of the launch comes")

        os.kill(supervisor.nodes()[0].pid, signal.SIGSTOP)
        state, first = until(lambda text: text.startswith("silent for "))
        assert state == "ready"
        assert int(first.split()[2]) >= 2
        until(lambda text: text.startswith("silent for ") and int(text.split()[2]) > int(first.split()[2]))
        os.kill(supervisor.nodes()[0].pid, signal.SIGCONT)
        assert until(lambda text: not text.startswith("silent")) == ("ready", "talking")


def test_an_error_of_the_user_is_told_in_the_nodes_own_sentence(session: Path) -> None:
    with Supervisor(launch(TALKER, difficult("user error")), session) as supervisor:
        assert until_failed(supervisor) == "node difficult: model: expected a local folder, got 'nowhere'; download it first"
        assert supervisor.nodes()[1].restarts == 0
    assert "Traceback" not in (session / "logs" / "difficult.log").read_text()


def test_a_missing_package_is_named_with_the_cure(session: Path) -> None:
    with Supervisor(launch(difficult("missing")), session) as supervisor:
        assert "needs the Python package 'torch', which is not installed; run pip install" in until_failed(supervisor)


def test_a_node_that_keeps_dying_fails_for_good(session: Path) -> None:
    with Supervisor(launch(difficult("crash", max_restarts=1)), session) as supervisor:
        assert "ended 2 times in 300 s, the last time with exit status 7" in until_failed(supervisor)
        assert (supervisor.nodes()[0].restarts, supervisor.nodes()[0].exit_status) == (1, 7)


def test_the_rest_lives_on_when_a_node_that_is_not_required_keeps_dying(session: Path) -> None:
    with Supervisor(launch(TALKER, difficult("crash", max_restarts=1, required=False)), session) as supervisor, Bus(session, "x") as bus:
        words, states = bus.subscriber(INSTRUCTION), bus.subscriber(LAUNCH_STATUS, keep="all", depth=1000)
        seen = []
        while "failed" not in seen:
            received = states.take(LONG)
            assert received is not None
            assert received.message.launch == "test"
            seen += [one.state for one in received.message.processes if one.node == "difficult"]
        assert [state for state, before in zip(seen, ["", *seen], strict=False) if state != before] == ["starting", "restarting", "failed"]
        supervisor.wait_ready(LONG)
        words.take_all()
        assert words.take(LONG) is not None
        assert [node.state for node in supervisor.nodes()] == ["ready", "failed"]


def test_always_starts_again_what_has_ended_well(session: Path) -> None:
    with Supervisor(launch(difficult("short", restart="always", max_restarts=1)), session) as supervisor:
        assert "ended 2 times in 300 s, the last time with exit status 0" in until_failed(supervisor)


def test_what_worked_once_is_started_again_after_an_error_of_the_world(session: Path) -> None:
    with Supervisor(launch(difficult("unplugged", max_restarts=1)), session) as supervisor, Bus(session, "test") as bus:
        states = bus.subscriber(LAUNCH_STATUS, keep="all", depth=1000)
        while (received := states.take(LONG)) is not None and received.message.processes[0].state != "failed":
            pass
        with pytest.raises(UserError, match="node difficult: source: the camera is gone"):
            supervisor.check()
        assert supervisor.nodes()[0].restarts == 1


def test_environment_namespace_and_remapping_reach_the_node(session: Path) -> None:
    spec = replace(TALKER, namespace="left", environment={"SEESAY_LOG_FORMAT": "json"})
    other = NodeSpec("other", TALKER.run, remap={"instruction": "orders"})
    with Supervisor(launch(spec, other), session) as supervisor, Bus(session, "test") as bus:
        for name in ("left/instruction", "orders"):
            assert bus.subscriber(replace(INSTRUCTION, name=name)).take(LONG) is not None
        supervisor.wait_ready(LONG)
    with pytest.raises(ConfigError, match="variable"):
        replace(TALKER, environment={"A=B": "c"})


def test_a_bug_leaves_its_traceback_in_the_log(session: Path) -> None:
    with Supervisor(launch(difficult("bug", restart="never")), session) as supervisor:
        message = until_failed(supervisor)
    log = session / "logs" / "difficult.log"
    assert "ZeroDivisionError: a bug" in message
    assert str(log) in message
    assert "Traceback" in log.read_text()


def test_a_deaf_node_and_its_children_are_ended_by_force(session: Path, gone: Gone) -> None:
    with Supervisor(launch(difficult("parent")), session) as supervisor:
        supervisor.wait_ready(LONG)
        node = supervisor.nodes()[0]
    assert gone([node.pid, int(node.message)])


def test_what_takes_no_signal_is_killed_within_the_promised_two_seconds(session: Path, gone: Gone) -> None:
    with Supervisor(launch(TALKER, replace(TALKER, name="other")), session) as supervisor:
        supervisor.wait_ready(LONG)
        frozen, other = (node.pid for node in supervisor.nodes())
        os.kill(frozen, signal.SIGSTOP)
        begun = time.monotonic()
        supervisor.stop()
        took_s = time.monotonic() - begun
    assert gone([frozen, other])
    assert STOP_S + LOOK_S <= 2
    assert STOP_S <= took_s < 2 + BUSY_S


def test_the_end_of_a_long_log_is_read_without_the_rest(session: Path) -> None:
    (session / "logs").mkdir()
    with (session / "logs" / "difficult.log").open("wb") as log:
        log.truncate(1 << 40)
    with Supervisor(launch(difficult("crash", max_restarts=0)), session) as supervisor:
        assert "with exit status 7" in until_failed(supervisor)


def test_wrong_parameters_are_found_before_anything_starts(session: Path) -> None:
    with pytest.raises(ConfigError, match=r"test.toml \[nodes.talker\]: expected the keys word, got 'wrod'; did you mean 'word'\?"):
        Supervisor(launch(NodeSpec("talker", "sample_nodes.talker", parameters={"wrod": "x"})), session)
    with pytest.raises(ConfigError, match=r"run: expected one of .*detector.* got 'detectr'"):
        Supervisor(launch(NodeSpec("x", "detectr")), session)
    assert list(session.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_node_outlives_the_supervisor(session: Path, tmp_path: Path, gone: Gone, end: signal.Signals) -> None:
    file = tmp_path / "two.toml"
    file.write_text(
        '[launch]\nname = "two"\n[nodes.a]\nrun = "sample_nodes.talker"\n'
        '[nodes.b]\nrun = "sample_nodes.difficult"\nhow = "deaf"\n'
    )
    program = [sys.executable, str(Path(__file__).with_name("run_supervisor.py")), str(file), str(session)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        process.send_signal(end)
        process.wait(LONG)
    assert gone(pids)
