"""The server's side of services and actions, without a transport: a bounded queue, one handler at a time, nothing run twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from seesay.actions import ActionClient, Goal
from seesay.calls import ALIVE_NS, FOREVER_NS, CallHead, Client, Kind, encode_bounded
from seesay.codec import Part, decode
from seesay.errors import BusError, SeeSayError, WireError
from seesay.services import Action, Service

Q = TypeVar("Q")
R = TypeVar("R")
G = TypeVar("G")
F = TypeVar("F")

_log = logging.getLogger(__name__)
_JOIN_S = 0.7
_QUICK_NS = 5_000_000
_QUICK_RUNS = 3


@dataclass(frozen=True, slots=True)
class ServerStats:
    """Of one server. answered: handlers that returned; failed: that raised; busy: refused because the queue was full; expired: dropped
    because the caller had given up; repeated: sent again while they waited or ran; invalid: no request of this service; lost: answers
    that no caller was there to take."""

    answered: int
    failed: int
    busy: int
    expired: int
    repeated: int
    invalid: int
    lost: int


@dataclass(slots=True, eq=False)
class _Job:
    peer: Hashable
    head: CallHead
    parts: Sequence[Part]
    cancelled: threading.Event | None

    def cancel(self) -> None:
        if self.cancelled is not None:
            self.cancelled.set()


class Server(Generic[Q, R]):
    """Answers one service, in a thread of its own that starts with the first request. Made by a bus."""

    def __init__(
        self,
        service: Service[Q, R],
        handler: Callable[[Any], R],
        reply: Callable[[Hashable, list[Part]], None],
        action: Action[Q, Any, R] | None = None,
    ) -> None:
        """handler: takes the request, or the `Goal` if there is an `action`. reply: sends parts to a caller, and may be called anywhere."""
        self.service = service
        self._handler = handler
        self._reply = reply
        self._action = action
        self._lock = threading.Lock()
        self._jobs: dict[bytes, _Job] = {}
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._due_ns = FOREVER_NS
        self._quick_runs = 0
        self._answered = self._failed = self._busy = self._expired = self._repeated = self._invalid = self._lost = 0

    @property
    def stats(self) -> ServerStats:
        return ServerStats(self._answered, self._failed, self._busy, self._expired, self._repeated, self._invalid, self._lost)

    def receive(self, peer: Hashable, frames: Sequence[Part], here: bool = False) -> None:
        """For a transport: something came from the caller `peer`; what is no request is dropped and counted.

        here: this thread may run the handler, if that has been quick lately (under 5 ms) and nothing waits; otherwise this never waits.
        """
        try:
            head = CallHead.unpack(bytes(frames[0]))
        except (WireError, IndexError):
            self._invalid += 1
            return
        with self._lock:
            known = self._jobs.get(head.id)
            if head.kind is Kind.CANCEL:
                if known is not None and known.peer == peer:
                    known.cancel()
                return
            if head.kind is not Kind.REQUEST or self._closed:
                self._invalid += head.kind is not Kind.REQUEST
                return
            if known is not None or (head.attempt > 1 and not self.service.idempotent):
                self._repeated += 1
                return
            full = len(self._jobs) >= self.service.depth
            here = here and not self._jobs and self._quick_runs >= _QUICK_RUNS and self._action is None
            if full:
                self._busy += 1
            else:
                job = self._jobs[head.id] = _Job(peer, head, frames[1:], None if self._action is None else threading.Event())
                if not here:
                    self._enqueue(job)
        if full:
            self._send(peer, head.id, Kind.BUSY)
        elif here:
            self._run(job)

    def lost(self, peer: Hashable) -> None:
        """For a transport: the caller is gone. Its goals are cancelled."""
        with self._lock:
            self._lost += 1
            for job in self._jobs.values():
                if job.peer == peer:
                    job.cancel()

    @property
    def due_ns(self) -> int:
        """For a transport: when to call `tick` next (CLOCK_MONOTONIC)."""
        return self._due_ns

    def tick(self, now_ns: int) -> None:
        """For a transport: say that a goal is still being worked on."""
        if now_ns < self._due_ns:
            return
        with self._lock:
            jobs = list(self._jobs.values())
            self._due_ns = now_ns + ALIVE_NS if jobs else FOREVER_NS
        for job in jobs:
            self._send(job.peer, job.head.id, Kind.ALIVE)

    def end(self) -> None:
        """For a transport: take no more requests and cancel the goal that runs."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                job.cancel()
        self._queue.put(None)

    def join(self, seconds: float) -> None:
        """For a transport, after `end`: give the handler that runs some time to return."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _enqueue(self, job: _Job) -> None:
        self._queue.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"service-{self.service.name}", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None and not self._closed:
            self._run(job)

    def _run(self, job: _Job) -> None:
        begun_ns, answer = time.monotonic_ns(), None
        if begun_ns >= job.head.deadline_ns:
            self._expired += 1
        else:
            answer = self._answer(job)
            self._quick_runs = self._quick_runs + 1 if time.monotonic_ns() - begun_ns < _QUICK_NS else 0
        with self._lock:
            del self._jobs[job.head.id]
        if answer is not None:
            self._reply(job.peer, answer)

    def _answer(self, job: _Job) -> list[Part]:
        id_, name = job.head.id, self.service.name
        try:
            message = decode(job.parts, self.service.request)
            result = self._handler(message if self._action is None else self._goal(message, job, self._action))
            if not isinstance(result, self.service.response):
                raise BusError(f"the handler returned {type(result).__name__} instead of {self.service.response.__name__}")
            parts = encode_bounded(result, "the answer")
            self._answered += 1
            return [CallHead(Kind.RESULT, id_).pack(), *parts]
        except SeeSayError as error:
            sentence = str(error)
        except Exception as error:
            _log.exception("service %s: the handler failed", name)
            sentence = f"{type(error).__name__}: {error}"
        self._failed += 1
        return [CallHead(Kind.ERROR, id_, text=f"service {name}: {sentence}").pack()]

    def _goal(self, message: Q, job: _Job, action: Action[Q, Any, R]) -> Goal[Q, Any]:
        self._due_ns = time.monotonic_ns() + ALIVE_NS
        self._send(job.peer, job.head.id, Kind.ALIVE)
        send = partial(self._send, job.peer, job.head.id, Kind.FEEDBACK)
        return Goal(message, action, job.cancelled or threading.Event(), send)

    def _send(self, peer: Hashable, id_: bytes, kind: Kind, parts: Sequence[Part] = ()) -> None:
        self._reply(peer, [CallHead(kind, id_).pack(), *parts])


def end_all(servers: Iterable[Server[Any, Any]]) -> None:
    """For a transport: end the servers and give those of their handlers that run 0.7 s, all together, to return."""
    ending = list(servers)
    for server in ending:
        server.end()
    until = time.monotonic() + _JOIN_S
    for server in ending:
        server.join(max(0.0, until - time.monotonic()))


class ServiceBus(Protocol):
    """The half of `seesay.bus.AnyBus` that has to do with services and actions."""

    def service(self, service: Service[Q, R], handler: Callable[[Q], R]) -> Server[Q, R]:
        """Answer `service` until the bus is closed. The handler runs in a thread of its own, one request at a time; what it raises is the
        caller's ServiceError. Raises BusError if somebody serves it already."""
        ...

    def client(self, service: Service[Q, R]) -> Client[Q, R]:
        """Return this node's client of a service, always the same one. Its server may come later, or go and come back."""
        ...

    def action_server(self, action: Action[G, F, R], handler: Callable[[Goal[G, F]], R]) -> Server[G, R]:
        """Serve `action` until the bus is closed: the handler is given one goal at a time, and returns its result."""
        ...

    def action_client(self, action: Action[G, F, R]) -> ActionClient[G, F, R]:
        """Return a client of an action."""
        ...

    def clients(self) -> list[str]:
        """Return the names of the services that this node has a client of, in order."""
        ...

    def services(self) -> list[tuple[str, str]]:
        """Return (service, node) of every server, for some seconds also of one that was killed."""
        ...
