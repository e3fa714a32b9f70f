"""Namespaces and remapping: a node says `camera/front/image`, and its launch entry decides which topic that is.

    namespace = "left"                                      # the topic is left/camera/front/image
    [nodes.detector.remap]
    "camera/front/image" = "camera/top/image"               # the topic is left/camera/top/image; "/camera/top/image" leaves `left` out
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from seesay.actions import ActionClient, Goal
from seesay.bus import AnyBus, Mismatch, Publisher, Subscriber
from seesay.calls import Client
from seesay.errors import BusError, ConfigError
from seesay.services import Action, Service
from seesay.serving import Server
from seesay.topics import CLOCK, EMERGENCY_STOP, NODE_STATUS, Keep, Topic, check_name

M = TypeVar("M")
Q = TypeVar("Q")
R = TypeVar("R")
G = TypeVar("G")
F = TypeVar("F")

ONE_FOR_ALL = frozenset({CLOCK.name, EMERGENCY_STOP.name, NODE_STATUS.name})


@dataclass(frozen=True)
class Names:
    """What the names of one node mean. Clock, emergency stop and status are the same for all nodes unless they are remapped by name."""

    namespace: str = ""
    remap: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            for name in filter(None, [self.namespace, *self.remap, *(target.removeprefix("/") for target in self.remap.values())]):
                check_name("topic", name)
        except BusError as error:
            raise ConfigError(f"namespace and remap: {error}") from error

    def resolve(self, name: str) -> str:
        """Return the name on the bus of what the node calls `name`."""
        target = self.remap.get(name, f"/{name}" if name in ONE_FOR_ALL else name)
        return target.removeprefix("/") if target.startswith("/") or not self.namespace else f"{self.namespace}/{target}"


class NamedBus:
    """A bus as a node with `Names` sees it: everything is passed on under its resolved name."""

    def __init__(self, bus: AnyBus, names: Names) -> None:
        self.node = bus.node
        self._bus = bus
        self._names = names

    def publisher(self, topic: Topic[M]) -> Publisher[M]:
        return self._bus.publisher(replace(topic, name=self._names.resolve(topic.name)))

    def subscriber(self, topic: Topic[M], keep: Keep | None = None, depth: int | None = None) -> Subscriber[M]:
        return self._bus.subscriber(replace(topic, name=self._names.resolve(topic.name)), keep, depth)

    def service(self, service: Service[Q, R], handler: Callable[[Q], R]) -> Server[Q, R]:
        return self._bus.service(replace(service, name=self._names.resolve(service.name)), handler)

    def client(self, service: Service[Q, R]) -> Client[Q, R]:
        return self._bus.client(replace(service, name=self._names.resolve(service.name)))

    def action_server(self, action: Action[G, F, R], handler: Callable[[Goal[G, F]], R]) -> Server[G, R]:
        return self._bus.action_server(replace(action, name=self._names.resolve(action.name)), handler)

    def action_client(self, action: Action[G, F, R]) -> ActionClient[G, F, R]:
        return self._bus.action_client(replace(action, name=self._names.resolve(action.name)))

    def clients(self) -> list[str]:
        return self._bus.clients()

    def services(self) -> list[tuple[str, str]]:
        return self._bus.services()

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None = None) -> list[Subscriber[Any]]:
        return self._bus.wait(subscribers, timeout)

    def ends(self) -> tuple[list[Publisher[Any]], list[Subscriber[Any]]]:
        return self._bus.ends()

    def mismatches(self) -> list[Mismatch]:
        return self._bus.mismatches()

    def endpoints(self) -> list[tuple[str, str]]:
        """The publishers of the namespace and of the topics that are one for all, under the names that the node would use."""
        prefix = f"{self._names.namespace}/" if self._names.namespace else ""
        return [
            (name.removeprefix(prefix), node)
            for name, node in self._bus.endpoints()
            if name.startswith(prefix) or name in ONE_FOR_ALL
        ]

    def interrupt(self) -> None:
        self._bus.interrupt()

    def close(self) -> None:
        self._bus.close()
