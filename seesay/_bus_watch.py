"""Waiting for descriptors: of the bus's thread for all of them, of one consumer for its own."""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading


class Watch:
    """Descriptors to be waited for. `shared`: whether one may be watched for by another, and taken away from it for a while."""

    shared = hasattr(select, "epoll")

    def __init__(self) -> None:
        self._poll = select.epoll() if self.shared else select.poll()

    def fileno(self) -> int:
        """A descriptor that tells whether there is something to read from any of them; where they may be `shared`."""
        assert isinstance(self._poll, select.epoll)
        return self._poll.fileno()

    def add(self, descriptor: int) -> None:
        self._poll.register(descriptor, select.POLLIN)

    def remove(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)

    def pause(self, descriptor: int) -> None:
        """Let the thread sleep whatever comes from there."""
        self._poll.modify(descriptor, 0)

    def resume(self, descriptor: int) -> None:
        self._poll.modify(descriptor, select.POLLIN)

    def wait(self, seconds: float | None = 0.0) -> list[tuple[int, int]]:
        """Return (descriptor, event) where something has come from, after `seconds` at most (None: for ever)."""
        left = None if seconds is None else max(0.0, seconds) if self.shared else max(0, math.ceil(1000 * seconds))
        return self._poll.poll(left)

    def close(self) -> None:
        if isinstance(self._poll, select.epoll):
            self._poll.close()


class Bell:
    """A descriptor to wake a consumer with."""

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()

    def fileno(self) -> int:
        return self._event

    def ring(self) -> None:
        with self._lock:
            if self._event >= 0:
                os.eventfd_write(self._event, 1)

    def hush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event)

    def close(self) -> None:
        with self._lock:
            os.close(self._event)
            self._event = -1
