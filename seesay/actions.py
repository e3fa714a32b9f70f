"""Actions: goals with feedback, cancel and a result. A goal is a call whose server keeps giving signs of life."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from seesay.calls import Client, encode_bounded
from seesay.codec import Part, decode
from seesay.errors import BusError, ServiceTimeout
from seesay.services import Action

R = TypeVar("R")
G = TypeVar("G")
F = TypeVar("F")

_FEEDBACK_DEPTH = 100


class ActionClient(Generic[G, F, R]):
    """Sends goals to one action. Made by a bus."""

    def __init__(self, action: Action[G, F, R], client: Client[G, R]) -> None:
        self.action = action
        self._client = client

    def send_goal(self, goal: G, timeout_s: float = 5.0) -> GoalHandle[F, R]:
        """Send a goal and return at once. timeout_s: how long until the server's first sign of life; later silence ends it after 2.5 s.

        Raises BusError for another type than the action's.
        """
        return GoalHandle(self.action, self._client, goal, timeout_s)


class GoalHandle(Generic[F, R]):
    """A goal under way. Its server cancels it when this process ends."""

    def __init__(self, action: Action[Any, F, R], client: Client[Any, R], goal: Any, timeout_s: float) -> None:
        self._action = action
        self._client = client
        self._heard: SimpleQueue[Sequence[Part] | None] = SimpleQueue()
        self._call = client.begin(goal, timeout_s, self._hear)
        self._call.future.add_done_callback(lambda _: self._heard.put(None))

    def feedback(self) -> Iterator[F]:
        """Yield the feedback as it comes, until the goal has ended. For one reader; of what is unread, the last 100 are kept."""
        while (parts := self._heard.get()) is not None:
            yield decode(parts, self._action.feedback)

    def cancel(self) -> None:
        """Ask the server to end the goal; `result` says how it did."""
        self._client.cancel(self._call)

    @property
    def done(self) -> bool:
        """Whether the goal has ended."""
        return self._call.future.done()

    def result(self, timeout_s: float | None = None) -> R:
        """Wait for the result. Raises ServiceTimeout when `timeout_s` is over (the goal goes on), else what `Client.call` raises."""
        try:
            return self._call.future.result(timeout_s)
        except TimeoutError:
            raise ServiceTimeout(f"action {self._action.name}: no result within {timeout_s:g} s; the goal goes on") from None

    def _hear(self, parts: Sequence[Part]) -> None:
        while self._heard.qsize() >= _FEEDBACK_DEPTH:
            self._heard.get_nowait()
        self._heard.put(parts)


class Goal(Generic[G, F]):
    """What the handler of an action is given: the goal's `message`, a way to send feedback, and whether it shall end."""

    def __init__(self, message: G, action: Action[G, F, Any], cancelled: threading.Event, send: Callable[[list[Part]], None]) -> None:
        self.message = message
        self._action = action
        self._cancelled = cancelled
        self._send = send

    @property
    def cancelled(self) -> bool:
        """Whether the caller has cancelled the goal or is gone, or the bus is closing: return a result soon."""
        return self._cancelled.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but not past a cancel; tell whether that has come."""
        return self._cancelled.wait(seconds)

    def feedback(self, message: F) -> None:
        """Send feedback to the caller. Raises BusError for another type than the action's."""
        if not isinstance(message, self._action.feedback):
            raise BusError(f"action {self._action.name}: expected {self._action.feedback.__name__}, got {type(message).__name__}")
        self._send(encode_bounded(message, f"action {self._action.name}"))
