"""A message at the receiving end: what a mailbox holds, and what is taken from it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from seesay._ring import SlotView
from seesay.codec import Envelope, Part, decode

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A message with its publisher (node name), the publisher's sequence number, and both ends' CLOCK_MONOTONIC in nanoseconds."""

    message: M
    publisher: str
    sequence: int
    sent_ns: int
    received_ns: int
    _place: SlotView | None = None

    def intact(self) -> bool:
        """Whether what was read so far of a message taken with `view=True` is what was sent; ask after reading. True for a copy."""
        return self._place is None or self._place.intact()


class Item(Generic[M]):
    """What lies in a mailbox: a message, or where to find its pixels in a publisher's memory."""

    __slots__ = ("_opened", "_place", "_received_ns", "_type", "head")

    def __init__(self, type_: type[M], head: Envelope, buffers: Sequence[Part], place: SlotView | None) -> None:
        self.head = head
        self._type = type_
        self._place = place
        self._received_ns = time.monotonic_ns()
        self._opened = self._receive(decode([head.header, *buffers], type_)) if place is None else None

    def open(self, view: bool = False) -> Received[M] | None:
        """Return the message, with a copy of its pixels unless `view`; None if they have been written over. Raises WireError."""
        if self._opened is not None or self._place is None:
            return self._opened
        if view:
            message = decode([self.head.header, *self._place.parts()], self._type, views=True)
            return self._receive(message, self._place) if self._place.intact() else None
        copy = self._place.copy()
        if copy is not None:
            self._opened = self._receive(decode([self.head.header, *copy], self._type))
        return self._opened

    def _receive(self, message: M, place: SlotView | None = None) -> Received[M]:
        head = self.head
        return Received(message, head.node, head.sequence, head.sent_ns, self._received_ns, place)
