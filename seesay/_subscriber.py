"""The receiving end of a topic, without a transport: a mailbox that keeps the newest message, or the last few."""

from __future__ import annotations

import logging
import math
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from seesay._health import Health, Stats
from seesay._received import Item, Received
from seesay._ring import SlotView
from seesay._terms import Terms, compare
from seesay.codec import Envelope, Part
from seesay.errors import WireError
from seesay.topics import Keep, Topic

M = TypeVar("M")

_log = logging.getLogger(__name__)

_FEW = 8   # to take over more mailboxes from the transport costs more than waking a thread
_LONG_S = 3600.0


class Waiter(Protocol):
    """A transport by which the consumer itself can receive."""

    def begin(self) -> int | None:
        """From now on the calling consumer receives: return a descriptor that tells when something has come or the gate opens.

        None if that cannot be, for instance because another consumer does it already.
        """
        ...

    def wait(self, seconds: float | None) -> None:
        """Wait for that, `seconds` at most: cheaper than at the descriptor, for who waits for nothing else."""
        ...

    def end(self) -> None:
        """Receive what has come, and leave the rest to the transport again."""
        ...


class Subscriber(Generic[M]):
    """The mailbox of one topic. Made by a bus; any thread may take from it."""

    def __init__(self, topic: Topic[M], gate: Gate, keep: Keep | None = None, depth: int | None = None, node: str = "") -> None:
        self.topic = topic
        self.node = node
        self.differences: dict[str, str] = {}
        self.gate = gate
        self.depth = 1 if (keep or topic.keep) == "latest" else (depth or topic.depth)
        self._unread: deque[Item[M]] = deque(maxlen=self.depth)
        self._newest: Item[M] | None = None
        self._health = Health(topic)
        self.waiter: Waiter | None = None

    def take(self, timeout: float | None = None, view: bool = False) -> Received[M] | None:
        """Return the oldest unread message, which for a keep-latest topic is the newest one.

        Waits up to `timeout` seconds (None: for ever) and returns None if nothing came, or once the bus is interrupted or closed.
        view: large arrays may lie in the publisher's memory, read-only, which it will write over a few pictures later: use them at once,
        and then ask `Received.intact` whether what was used was whole. Without it they are the consumer's own.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while (item := self._next(end)) is not None:
            received = self._open(item, view)
            if received is not None:
                return received
        return None

    def take_all(self) -> list[Received[M]]:
        """Return all unread messages, oldest first, without waiting."""
        with self.gate.lock:
            unread = list(self._unread)
            self._unread.clear()
        return [received for item in unread if (received := self._open(item, False)) is not None]

    def latest(self) -> Received[M] | None:
        """Return the newest message, read or not, without taking it; None before the first, or if it is already written over."""
        newest = self._newest
        try:
            return newest.open() if newest is not None else None
        except WireError:
            return None

    @property
    def unread(self) -> int:
        return len(self._unread)

    @property
    def stats(self) -> Stats:
        with self.gate.lock:
            return self._health.stats()

    @property
    def publishers(self) -> dict[str, bool]:
        """As `stats.publishers`: who was heard of, and whether it lives."""
        with self.gate.lock:
            return self._health.publishers()

    def deliver(self, head: Envelope, buffers: Sequence[Part], place: SlotView | None = None, lease_s: float | None = None) -> None:
        """For a transport: take in one message: its envelope with its array buffers or with their `place`.

        Only a mailbox of one leaves them there: what waits longer is copied now. Raises WireError, after counting it, for what is not a
        message of the topic.
        """
        try:
            item = Item(self.topic.type, head, buffers, place)
            torn = self.depth > 1 and item.open() is None
        except WireError:
            self.refuse()
            raise
        with self.gate.lock:
            lost = self._health.arrive(head, self.topic.lease_s if lease_s is None else lease_s)
            if lost is None:
                return
            if torn:
                self._health.torn += 1
                return
            full = len(self._unread) == self.depth
            self._health.dropped += full
            self._newest = item
            self._unread.append(item)
            self.gate.wake()
        if self.topic.reliable and (lost or full):
            _log.warning("topic %s: %d messages of %s were lost, the consumer is too slow", self.topic.name, lost + full, head.node)

    def refuse(self) -> None:
        """For a transport: something came that is not a message of the topic."""
        with self.gate.lock:
            self._health.invalid += 1

    def hear(self, head: Envelope, terms: Terms, lease_s: float | None = None) -> None:
        """For a transport: a publisher gave a sign of life and said what it takes the topic for."""
        with self.gate.lock:
            self._health.hear(head, self.topic.lease_s if lease_s is None else lease_s)
        compare("subscriber", self.topic, self.differences, Terms.of(self.node, self.topic), terms)

    def catch_up(self, head: Envelope) -> None:
        """For a transport that keeps order: a publisher says up to which number it has sent; what has not come by now is lost."""
        if self.topic.reliable:
            with self.gate.lock:
                lost = self._health.catch_up(head)
            if lost:
                _log.warning("topic %s: %d messages of %s were lost on the way", self.topic.name, lost, head.node)

    def part(self, head: Envelope) -> None:
        """For a transport: a publisher ended."""
        with self.gate.lock:
            self._health.part(head)

    def tell_news(self) -> None:
        """For a transport, now and then: log what has become of the publishers and the rate."""
        with self.gate.lock:
            news = self._health.news()
        for words in news:
            _log.warning("topic %s: %s", self.topic.name, words)

    def _next(self, end: float | None) -> Item[M] | None:
        """Return the oldest unread item, waiting for it."""
        while self.gate.wait_until([self], end):
            with self.gate.lock:
                if self._unread:
                    return self._unread.popleft()
        return None

    def _open(self, item: Item[M], view: bool) -> Received[M] | None:
        try:
            received = item.open(view)
        except WireError as error:
            self.refuse()
            _log.warning("topic %s: dropped a message: %s", self.topic.name, error)
            return None
        if received is None:
            with self.gate.lock:
                self._health.torn += 1
        else:
            self._health.take(item.head, received.message)
        return received


class Gate:
    """What all mailboxes of a bus wait on. Once `open`, no call waits any more; `bells` wake those that wait elsewhere.

    `lock` guards the mailboxes; publishers wait on `condition`, which has the same lock.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.condition = threading.Condition(self.lock)
        self.open = False
        self.bells: list[Callable[[], None]] = []
        self._sleepers = 0

    def set_open(self) -> None:
        with self.lock:
            self.open = True
            self.condition.notify_all()
        for ring in list(self.bells):
            ring()

    def wake(self) -> None:
        """Something was delivered, under the lock."""
        if self._sleepers:
            self.condition.notify_all()

    def wait(self, subscribers: Iterable[Subscriber[Any]], timeout: float | None) -> list[Subscriber[Any]]:
        """Wait until one of `subscribers` has something unread; return those that have."""
        watched = list(subscribers)
        self.wait_until(watched, None if timeout is None else time.monotonic() + timeout)
        return [subscriber for subscriber in watched if subscriber.unread]

    def wait_until(self, watched: Sequence[Subscriber[Any]], end: float | None) -> bool:
        """Wait until one of `watched` has something unread, until `end` of the monotonic clock at most or until the gate opens.

        Tell whether one has.
        """
        while not _any_unread(watched):
            left = None if end is None else end - time.monotonic()
            if self.open or (left is not None and left <= 0):
                return False
            if not self._receive(watched, left):
                self._sleep(watched, left)
        return True

    def _receive(self, watched: Sequence[Subscriber[Any]], seconds: float | None) -> bool:
        """Receive in this thread, once, which saves the time of waking one thread from another; False at once if that cannot be."""
        if not 0 < len(watched) <= _FEW:
            return False
        begun: list[Waiter] = []
        descriptors: list[int] = []
        try:
            for subscriber in watched:
                waiter = subscriber.waiter
                descriptor = waiter.begin() if waiter is not None else None
                if waiter is None or descriptor is None:
                    return False
                begun.append(waiter)
                descriptors.append(descriptor)
            if not _any_unread(watched) and not self.open:
                seconds = None if seconds is None else min(seconds, _LONG_S)
                if len(begun) == 1:
                    begun[0].wait(seconds)
                else:
                    _poll(descriptors, seconds)
            return True
        finally:
            for waiter in begun:
                waiter.end()

    def _sleep(self, watched: Sequence[Subscriber[Any]], seconds: float | None) -> None:
        """Wait until something is delivered, the gate opens or the time is up."""
        with self.lock:
            self._sleepers += 1
            try:
                self.condition.wait_for(lambda: self.open or _any_unread(watched), seconds)
            finally:
                self._sleepers -= 1


def _any_unread(subscribers: Sequence[Subscriber[Any]]) -> bool:
    for subscriber in subscribers:  # noqa: SIM110 - `any` takes four calls where this takes none, several times a message
        if subscriber._unread:
            return True
    return False


def _poll(descriptors: Sequence[int], seconds: float | None) -> None:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll(None if seconds is None else math.ceil(1000 * seconds))
