"""Waiting for descriptors: of the bus's thread for all of them, of one consumer for its own."""

from __future__ import annotations

import contextlib
import os
import select
import threading


class Watch:
    """The descriptors that the bus's thread waits for. `shared`: whether another thread may take one away for a while."""

    shared = hasattr(select, "epoll")

    def __init__(self) -> None:
        self._poll = select.epoll() if self.shared else select.poll()

    def add(self, descriptor: int) -> None:
        self._poll.register(descriptor, select.POLLIN)

    def remove(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)

    def pause(self, descriptor: int) -> None:
        """Let the thread sleep whatever comes from there."""
        self._poll.modify(descriptor, 0)

    def resume(self, descriptor: int) -> None:
        self._poll.modify(descriptor, select.POLLIN)

    def wait(self, seconds: float) -> list[int]:
        """Return the descriptors that something has come from, after `seconds` at most."""
        return [descriptor for descriptor, _ in self._poll.poll(max(0.0, seconds) if self.shared else max(0, int(1000 * seconds) + 1))]

    def close(self) -> None:
        if isinstance(self._poll, select.epoll):
            self._poll.close()


class Bell:
    """Wakes a consumer that waits for a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._poll.register(self._event, select.POLLIN)
        self._lock = threading.Lock()

    def wait(self, seconds: float | None) -> None:
        """Return when the descriptor is ready, the bell was rung since the last wait, or the time is up."""
        ready = self._poll.poll(None if seconds is None else max(0, int(1000 * seconds) + 1))
        if any(descriptor == self._event for descriptor, _ in ready):
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._event)

    def ring(self) -> None:
        with self._lock:
            if self._event >= 0:
                os.eventfd_write(self._event, 1)

    def close(self) -> None:
        with self._lock:
            os.close(self._event)
            self._event = -1
