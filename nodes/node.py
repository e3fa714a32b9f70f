"""What every node is given: its name, bus, clock, log and stop event."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from seesay.bus import AnyBus, Bus, Subscriber
from seesay.clock import MonotonicClock, NodeClock
from seesay.messages import Header, NodeStatus, Source
from seesay.nodes.names import NamedBus, Names
from seesay.nodes.parameters import Parameters
from seesay.pubsub import Received
from seesay.topics import NODE_STATUS, Keep, Topic

M = TypeVar("M")
C = TypeVar("C")
State = Literal["starting", "ready", "inactive", "failed", "stopped"]


class Node:
    """A node's name, bus, clock, log and stop event, and short ways to use them.

    >>> for image in node.messages(node.subscribe(IMAGE.of(camera="front"))):      # doctest: +SKIP
    ...     node.publish(DETECTIONS, detector.detect(image.message, prompts))

    active: whether the node may speak; cleared while it is deactivated. prepares: whether it has not been ready yet. names: what the
    names of its topics and services mean. session: the directory of the bus, None in memory.
    """

    def __init__(self, name: str, bus: AnyBus, clock: NodeClock | None = None, names: Names | None = None) -> None:
        self.name = name
        self.session: Path | None = bus.directory if isinstance(bus, Bus) else None
        self.bus: AnyBus = NamedBus(bus, names) if names else bus
        self.clock: NodeClock = clock or MonotonicClock()
        self.stop = threading.Event()
        self.active = threading.Event()
        self.active.set()
        self.log = logging.getLogger(f"seesay.node.{name}")
        self.parameters: Parameters | None = None
        self.prepares = True
        self._status: tuple[State, str] = ("starting", "")

    @property
    def stopping(self) -> bool:
        """Whether the node shall return."""
        return self.stop.is_set()

    def publish(self, topic: Topic[M], message: M) -> None:
        """Send a message; the first call opens the publisher. Large arrays are not copied: do not change them afterwards.

        What a deactivated node publishes is lost, but for its status.
        """
        publisher = self.bus.publisher(topic)
        if self.active.is_set() or topic is NODE_STATUS:
            publisher.send(message)

    def subscribe(self, topic: Topic[M], keep: Keep | None = None, depth: int | None = None) -> Subscriber[M]:
        """Return a new mailbox of the topic; `keep` and `depth` override the topic's."""
        return self.bus.subscriber(topic, keep, depth)

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None = None) -> list[Subscriber[Any]]:
        """Wait until one of `subscribers` has something unread, and as long as the node is deactivated; return those that have."""
        self.active.wait()
        return self.bus.wait(subscribers, timeout)

    def messages(self, subscriber: Subscriber[M]) -> Iterator[Received[M]]:
        """Yield what comes, as it comes, until the node is stopped."""
        while not self.stop.is_set():
            self.active.wait()
            received = subscriber.take(0.5)
            if received is not None:
                yield received

    def every(self, seconds: float) -> Iterator[None]:
        """Yield at a fixed rate of the node's clock until the node is stopped; beats that were missed are left out.

        When a simulated clock jumps back, the next beat is one period after the jump.
        """
        period_ns = int(seconds * 1e9)
        beat = self.clock.now_ns()
        while not self.stop.is_set():
            self.active.wait()
            yield
            beat = max(beat + period_ns, self.clock.now_ns())
            while (now := self.clock.now_ns()) < beat and not self.stop.is_set():
                beat = min(beat, now + period_ns)
                self.clock.wait(beat, self.stop)

    def on_change(self, apply: Callable[[C], None]) -> None:
        """Call `apply` with the new Config whenever a parameter that is LIVE changes; a SeeSayError that it raises refuses the change.

        The calls come from another thread.
        """
        if self.parameters is not None:
            self.parameters.on_change(apply)

    def end(self) -> None:
        """Ask the node to return: set `stop` and let nothing wait any more."""
        self.stop.set()
        self.active.set()
        self.bus.interrupt()

    def header(self, frame_id: str = "", source: Source | None = None) -> Header:
        """Return a header stamped now by the node's clock; `source` is the picture behind the message."""
        return Header(self.clock.now_ns(), frame_id=frame_id, clock=self.clock.name, source=source)

    def ready(self, message: str = "") -> None:
        """Tell the supervisor that the node works, with a word on what it uses.

        From here on a stop only sets `stop`, and `run` returns by itself; before, KeyboardInterrupt is raised wherever it is.
        """
        self.prepares = False
        self.report("ready", message)

    def report(self, state: State, message: str = "") -> None:
        """Publish the state; it is repeated once a second and latched."""
        self._status = (state, message)
        self.beat()

    def beat(self) -> None:
        """Publish the state once more."""
        self.publish(NODE_STATUS, self.status())

    def status(self) -> NodeStatus:
        """Return how the node stands."""
        state, message = self._status
        return NodeStatus(self.header(), self.name, state, os.getpid(), message)
