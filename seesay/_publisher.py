"""The sending end of a topic, without a transport."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from seesay._ring import Slot
from seesay._terms import Terms, compare
from seesay.codec import DTYPES, Envelope, Part, encode
from seesay.errors import BusError, MessageError
from seesay.messages import MAX_PICTURE_PIXELS, PIXELS, Encoding, Header, Image
from seesay.topics import Topic

M = TypeVar("M")


class Transmitter(Protocol):
    """What a bus does for a publisher."""

    def reserve(self, size: int) -> Slot | None:
        """Return a place for a message's one array buffer of `size` bytes, or None if arrays travel otherwise."""
        ...

    def transmit(self, head: Envelope, parts: Sequence[Part], slot: Slot | None) -> None:
        """Send a message. With a slot, its array buffer is there already, and the slot is committed."""
        ...

    def tell_life(self) -> None:
        """Tell subscribers at once whether the publisher lives."""
        ...


class Publisher(Generic[M]):
    """Sends the messages of one topic; any thread may call it. Made by a bus."""

    def __init__(self, topic: Topic[M], node: str, condition: threading.Condition, transmitter: Transmitter) -> None:
        self.topic = topic
        self.instance = os.urandom(16)
        self.sequence = 0
        self.subscribers = 0
        self.node = node
        self.lives = True
        self.differences: dict[str, str] = {}
        self._condition = condition
        self._transmitter = transmitter
        self._lock = threading.Lock()

    def send(self, message: M) -> int:
        """Send and return the sequence number. The message's large arrays may not be copied: do not change them afterwards.

        Raises BusError for another type than the topic's, and WireError for what cannot be encoded.
        """
        if not isinstance(message, self.topic.type):
            raise BusError(f"topic {self.topic.name}: expected {self.topic.type.__name__}, got {type(message).__name__}")
        key = str(getattr(message, self.topic.key))[:256] if self.topic.key else ""
        return self._send(key, encode(message), None)

    def loan(self, height: int, width: int, encoding: Encoding, header: Header) -> Loan:
        """Lend an array for a picture to be written in place: `(H, W, 3)` or `(H, W)`, its dtype by `encoding` as in `Image.data`.

        What it holds at first is not defined. It is sent at the end of the block, without a copy, unless the block raises.

        >>> with publisher.loan(480, 640, "rgb8", header) as pixels:                  # doctest: +SKIP
        ...     camera.retrieve(pixels)

        Raises BusError if the topic is not one of images or too many loans are under way, MessageError for an impossible picture.
        """
        if self.topic.type is not Image:
            raise BusError(f"topic {self.topic.name}: expected a topic of images for a loan, it carries {self.topic.type.__name__}")
        if encoding not in PIXELS or height < 1 or width < 1 or height * width > MAX_PICTURE_PIXELS:
            raise MessageError(f"loan: expected 1 to {MAX_PICTURE_PIXELS} pixels of {', '.join(PIXELS)}, got {height}x{width} {encoding!r}")
        return Loan(self._transmitter, self._send, height, width, encoding, header)

    def pass_on_life(self, lives: bool) -> None:
        """For who publishes what comes from elsewhere: subscribers count this publisher as alive only while the origin `lives`."""
        if lives != self.lives:
            self.lives = lives
            self._transmitter.tell_life()

    def wait_for_subscribers(self, count: int = 1, timeout: float | None = None) -> bool:
        """Wait until `count` subscribers are there; tell whether they are."""
        with self._condition:
            return self._condition.wait_for(lambda: self.subscribers >= count, timeout)

    def count_subscriber(self, change: int) -> None:
        """For a transport: a subscriber came (1) or went (-1)."""
        with self._condition:
            self.subscribers = max(0, self.subscribers + change)
            self._condition.notify_all()

    def meet(self, terms: Terms) -> None:
        """For a transport: a subscriber says what it takes the topic for."""
        compare("publisher", self.topic, self.differences, Terms.of(self.node, self.topic), terms)

    def envelope(self, key: str = "", flags: int = 0) -> Envelope:
        """For a transport: an envelope stamped now."""
        return Envelope(self.node, self.instance, self.sequence, time.monotonic_ns(), key, flags)

    def _send(self, key: str, parts: Sequence[Part], slot: Slot | None) -> int:
        with self._lock:
            self.sequence += 1
            self._transmitter.transmit(self.envelope(key), parts, slot)
            return self.sequence


class Loan:
    """A picture that is being written. What can be done before it is written is done then, so that it leaves at once."""

    def __init__(
        self,
        transmitter: Transmitter,
        send: Callable[[str, Sequence[Part], Slot | None], int],
        height: int,
        width: int,
        encoding: Encoding,
        header: Header,
    ) -> None:
        self._transmitter = transmitter
        self._send = send
        self._shape = (height, width, 3) if PIXELS[encoding][1] == 3 else (height, width)
        self._encoding: Encoding = encoding
        self._header = header

    def __enter__(self) -> NDArray[Any]:
        dtype = DTYPES[PIXELS[self._encoding][0]]
        self._slot = self._transmitter.reserve(math.prod(self._shape) * dtype.itemsize)
        try:
            pixels: NDArray[Any] = np.ndarray(self._shape, dtype, self._slot.pixels if self._slot else None)
            self._pixels = pixels
            self._parts = encode(Image(self._header, self._encoding, pixels))
        except BaseException:
            self._discard()
            raise
        return pixels

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._discard()
            return
        self._send("", self._parts, self._slot)
        if self._slot is not None:
            self._pixels.flags.writeable = False

    def _discard(self) -> None:
        if self._slot is not None:
            self._slot.discard()
