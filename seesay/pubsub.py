"""Publishers and subscribers without a transport: sequence numbers, mailboxes and health.

`seesay.bus.Bus` adds sockets and shared memory, `seesay.memory_bus.MemoryBus` works inside one process. Both give the same promises: at
most once; the newest message of a keep-latest topic and the last `depth` unread ones of a keep-all topic, with everything lost counted;
the last value of a latched topic for whoever comes late; no picture that is half one and half another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from seesay._health import Stats
from seesay._publisher import Publisher
from seesay._received import Received
from seesay._subscriber import Gate, Subscriber
from seesay.serving import ServiceBus
from seesay.topics import Keep, Topic

__all__ = ["AnyBus", "Gate", "Mismatch", "Publisher", "Received", "Stats", "Subscriber", "find_mismatches"]

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Two ends of a topic that take it for different things: this node's `role` and what is different, in words."""

    topic: str
    role: str
    difference: str


def find_mismatches(publishers: Iterable[Publisher[Any]], subscribers: Iterable[Subscriber[Any]]) -> list[Mismatch]:
    """Return what the given ends of topics have found to differ from the other ends."""
    ends = [("publisher", end.topic, end.differences) for end in publishers]
    ends += [("subscriber", end.topic, end.differences) for end in subscribers]
    return [Mismatch(topic.name, role, text) for role, topic, known in ends for text in list(known.values()) if text]


class AnyBus(ServiceBus, Protocol):
    """What a node needs of a bus: `seesay.bus.Bus` between processes, `MemoryBus` inside one."""

    node: str

    def publisher(self, topic: Topic[M]) -> Publisher[M]:
        """Return this node's publisher of a topic, always the same one."""
        ...

    def subscriber(self, topic: Topic[M], keep: Keep | None = None, depth: int | None = None) -> Subscriber[M]:
        """Return a new subscription, with its own mailbox; `keep` and `depth` override the topic's."""
        ...

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None = None) -> list[Subscriber[Any]]:
        """Wait until one of `subscribers` has something unread; return those that have (none: time is up, interrupted or closed)."""
        ...

    def endpoints(self) -> list[tuple[str, str]]:
        """Return (topic, node) of every publisher there is."""
        ...

    def ends(self) -> tuple[list[Publisher[Any]], list[Subscriber[Any]]]:
        """Return all publishers and subscribers of this node."""
        ...

    def mismatches(self) -> list[Mismatch]:
        """Return where this node and another take a topic for different things."""
        ...

    def interrupt(self) -> None:
        """From now on no call waits; unread messages can still be taken."""
        ...

    def close(self) -> None:
        """Stop sending and receiving. May be called twice."""
        ...
