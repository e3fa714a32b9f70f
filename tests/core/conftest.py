"""Buses that belong to the test: closed after it, and failing it if a thread or a file remains."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seesay.bus import AnyBus, Bus, MemoryBus, make_session_directory


@pytest.fixture
def session() -> Iterator[Path]:
    """A session directory with a path short enough for sockets."""
    directory = make_session_directory()
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(params=["zmq", "memory"])
def open_bus(request: pytest.FixtureRequest, session: Path) -> Iterator[Callable[[str], AnyBus]]:
    """`open_bus(node)` opens one more end of one bus; every test runs on both kinds."""
    buses: list[AnyBus] = []
    root = MemoryBus("root")

    def open_one(node: str) -> AnyBus:
        bus: AnyBus = Bus(session, node) if request.param == "zmq" else root.join(node)
        buses.append(bus)
        return bus

    yield open_one
    for bus in buses:
        bus.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("bus-")] == []
    assert list(session.iterdir()) == []
