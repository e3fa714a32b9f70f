"""Gateways with keys of their own on real sockets; whatever remains of them fails the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from seesay import keys
from seesay.bus import MemoryBus
from seesay.remote import Gateway
from seesay.topics import Topic

ANY_PORT = "tcp://127.0.0.1:0"


@dataclass
class Host:
    """A host with its bus and key pair, and its gateway once it listens or dials."""

    name: str
    folder: Path
    bus: MemoryBus
    pair: keys.KeyPair
    gateways: list[Gateway] = field(default_factory=list)

    def let_in(self, other: Host) -> None:
        text = (other.folder / f"{other.name}.public").read_text()
        (self.folder / "allowed" / f"{other.name}.public").write_text(text)

    def listen(self, offer: Sequence[Topic[Any]] = (), accept: Sequence[str] = (), **options: Any) -> str:
        self.gateways.append(Gateway(self.bus.join("gateway"), offer, accept, **options))
        return self.gateways[-1].listen(ANY_PORT, self.pair, lambda: keys.allowed(self.folder / "allowed")[0])

    def dial(self, address: str, other: Host, offer: Sequence[Topic[Any]] = (), accept: Sequence[str] = (), **options: Any) -> Gateway:
        self.gateways.append(Gateway(self.bus.join("gateway"), offer, accept, **options))
        self.gateways[-1].dial(address, self.pair, other.name, other.pair.public)
        return self.gateways[-1]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Callable[[str], Host]]:
    """`host(name)` makes a host that lets nobody in yet."""
    hosts: list[Host] = []

    def make(name: str) -> Host:
        secret, _ = keys.new(name, tmp_path / name)
        hosts.append(Host(name, tmp_path / name, MemoryBus(name), keys.load_pair(secret)))
        return hosts[-1]

    yield make
    for made in hosts:
        for gateway in made.gateways:
            gateway.close()
        made.bus.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("bus-")] == []


@pytest.fixture
def pair_of_hosts(host: Callable[[str], Host]) -> tuple[Host, Host]:
    """A robot and a laptop that know each other."""
    robot, laptop = host("robot"), host("laptop")
    robot.let_in(laptop)
    return robot, laptop
