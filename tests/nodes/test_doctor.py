"""`seesay doctor` and `topic info` where something is wrong: what they find, and the cure that they name."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seesay import keys
from seesay.bus import Bus
from seesay.graph import describe_ends
from seesay.messages import Header, LinkStatus, Objects
from seesay.nodes.commands import doctor_system
from seesay.nodes.commands.check import Check
from seesay.nodes.commands.graph_verbs import topic_info
from seesay.services import GRAPH
from seesay.topics import LINK_STATUS, OBJECTS

LONG = 30.0

pytestmark = pytest.mark.usefixtures("own_directories")


@pytest.fixture
def own_directories(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions and keys of this test alone."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(session / "config"))
    monkeypatch.delenv("SEESAY_SESSION", raising=False)


@pytest.fixture
def here(session: Path) -> Path:
    """The directory of the session `here`."""
    (session / "seesay").mkdir(mode=0o700)
    return session / "seesay" / "here"


@pytest.fixture
def grounding(here: Path) -> Iterator[Bus]:
    with Bus(here, "grounding") as bus:
        bus.service(GRAPH.of(node="grounding"), lambda request: describe_ends(bus, "grounding"))
        bus.publisher(OBJECTS)
        yield bus


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def look(subject: str) -> Check:
    """What doctor says of `subject` in the session."""
    return {check.name: check for check in doctor_system.session_checks("here")}[f"here: {subject}"]


def test_ends_that_differ_are_found_by_doctor_and_topic_info(here: Path, grounding: Bus, capsys: pytest.CaptureFixture[str]) -> None:
    assert look("quality of service") == Check("here: quality of service", True, "all ends agree", look("quality of service").cure)
    with Bus(here, "planner") as planner:
        planner.subscriber(replace(OBJECTS, reliable=True, deadline_s=0.5))
        until(lambda: bool(grounding.mismatches()))
        found = look("quality of service")
        assert not found.ok
        difference = "objects: as publisher, planner: reliability reliable there, best-effort here, deadline 0.5s there, 5s here"
        assert found.found == f"grounding: {difference}"
        assert "run the same version of SeeSay on both ends" in found.cure
        topic_info("objects", False, False, "here")
        shown = capsys.readouterr()
        assert f"WARNING: quality of service differs: {difference}" in shown.err
        assert shown.out == "Type: Objects\nPublisher count: 1\nSubscription count: 0\n"   # the tool that subscribes does not answer


def test_a_node_that_does_not_answer_is_named(here: Path, grounding: Bus) -> None:
    free = threading.Event()
    assert look("nodes").found == "1 nodes answer"
    with Bus(here, "stuck") as bus:
        bus.service(GRAPH.of(node="stuck"), lambda request: (free.wait(LONG), describe_ends(bus))[1])
        found = look("nodes")
        free.set()
    assert (found.ok, found.found) == (False, "no answer from stuck")
    assert found.cure == f"see the logs in {here / 'logs'}"


def test_a_consumer_that_loses_is_named(here: Path, grounding: Bus) -> None:
    subscriber, publisher = grounding.subscriber(OBJECTS), grounding.publisher(OBJECTS)
    assert publisher.wait_for_subscribers(1, LONG)
    for sequence in (1, 100):
        publisher.sequence = sequence
        publisher.send(Objects(Header(1), ()))
        until(lambda sequence=sequence: (last := subscriber.latest()) is not None and last.sequence == sequence + 1)   # type: ignore[misc]
    found = look("losses")
    assert (found.ok, found.found) == (False, "grounding lost 98 of 100 on objects")
    assert "seesay top" in found.cure


@pytest.mark.parametrize(("run", "good"), [("gateway", True), ("camera", False)])
def test_a_port_off_loopback_is_a_gateways_only(here: Path, run: str, good: bool) -> None:
    with Bus(here, "my_gateway") as bus, socket.socket() as server:
        bus.service(GRAPH.of(node="my_gateway"), lambda request: describe_ends(bus, run))
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert look("ports").found == f"my_gateway at 127.0.0.1:{server.getsockname()[1]}"
        with socket.socket() as wild:
            wild.bind(("0.0.0.0", 0))
            wild.listen()
            found = look("ports")
            assert found.ok == good
            assert ("off loopback: my_gateway at 0.0.0.0:" in found.found) != good
            assert "they ask for keys" in found.cure


@pytest.mark.parametrize(
    ("status", "good", "words"),
    [
        (LinkStatus(Header(1), "robot", "up", 1_250_000_000, 300_000), True, "up, +1250.0 ms from ours, known to 0.3 ms"),
        (LinkStatus(Header(1), "robot", "up", -2_000_000, 1_500_000_000), False, "up, -2.0 ms from ours, known to 1500.0 ms"),
        (LinkStatus(Header(1), "robot", "refused"), False, "refused"),
    ],
)
def test_the_clock_of_another_host(here: Path, grounding: Bus, status: LinkStatus, good: bool, words: str) -> None:
    grounding.publisher(LINK_STATUS).send(status)
    found = look("clock of robot")
    assert (found.ok, found.found) == (good, words)
    assert "see that robot runs and the network is fast" in found.cure


def test_key_files_that_are_open_or_damaged(session: Path) -> None:
    def checks() -> dict[str, Check]:
        return {check.name: check for check in doctor_system.host_checks()}

    assert checks()["keys"].found.startswith("none; seesay keys new NAME")
    secret, public = keys.new("robot", keys.folder())
    assert (checks()["key robot"].ok, checks()["allowed keys"].ok) == (True, True)
    secret.chmod(0o644)
    assert not (found := checks()["key robot"]).ok
    assert "0600" in found.found
    assert found.cure == f"move {secret} away and run seesay keys new robot"
    secret.chmod(0o600)
    (keys.folder() / "allowed" / "base.public").write_text("public = 3\n")
    assert not (found := checks()["allowed keys"]).ok
    assert "base" in found.found
    assert found.cure == "copy these files from their hosts again"
    os.remove(keys.folder() / "allowed" / "base.public")
    assert checks()["allowed keys"].ok
    assert public.is_file()
