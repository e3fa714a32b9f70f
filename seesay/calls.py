"""The caller's side of services and actions, without a transport: ids, deadlines, retries, late answers.

A call ends in time whatever happens to its server: with the answer, or with the exception that says why there is none. Every call has
an id of 16 random bytes, which the answer repeats, so that no answer can be taken for another's. Only calls of idempotent services are
sent again. `seesay.bus.Bus` adds sockets, `seesay.memory_bus.MemoryBus` works inside one process.
"""

from __future__ import annotations

import operator
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar

from seesay.codec import Part, decode, encode
from seesay.errors import BusError, ServiceBusy, ServiceError, ServiceTimeout, WireError
from seesay.services import Service

Q = TypeVar("Q")
R = TypeVar("R")

MAX_MESSAGE_BYTES = 8 << 20
MAX_TEXT_BYTES = 1000
MAX_CALLS = 20_000
MAX_TIMEOUT_S = 3600.0
RETRY_NS = 500_000_000
ALIVE_NS = 500_000_000
LOST_NS = 2_500_000_000
FOREVER_NS = 2**62

Hear = Callable[[Sequence[Part]], None]

_HEAD = struct.Struct("<4sBB16sqB")
_MAGIC, _VERSION = b"SSRV", 1


class Kind(IntEnum):
    """What a part of a call says: the first two come from the caller, the others from the server."""

    REQUEST = 1
    CANCEL = 2
    RESULT = 3
    ERROR = 4
    BUSY = 5
    FEEDBACK = 6
    ALIVE = 7


_KINDS = {int(kind): kind for kind in Kind}


@dataclass(slots=True)
class CallHead:
    """First part of everything that belongs to a call, before the message's own parts.

    id: 16 random bytes of the call. deadline_ns: CLOCK_MONOTONIC, when the caller gives up. attempt: 1, 2, ... text: the server's sentence
    in an error. On the wire: "SSRV", version u8, kind u8, id, deadline i64, attempt u8, text in UTF-8.
    """

    kind: Kind
    id: bytes
    deadline_ns: int = 0
    attempt: int = 1
    text: str = ""

    def pack(self) -> bytes:
        head = _HEAD.pack(_MAGIC, _VERSION, self.kind, self.id, self.deadline_ns, self.attempt)
        return head + self.text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore").encode() if self.text else head

    @classmethod
    def unpack(cls, data: bytes) -> CallHead:
        """Raises WireError unless `data` is a head of this version."""
        if not _HEAD.size <= len(data) <= _HEAD.size + MAX_TEXT_BYTES:
            raise WireError(f"call: expected {_HEAD.size} to {_HEAD.size + MAX_TEXT_BYTES} bytes, got {len(data)}")
        magic, version, kind, id_, deadline_ns, attempt = _HEAD.unpack_from(data)
        if magic != _MAGIC or version != _VERSION:
            raise WireError(f"call: expected version {_VERSION} of SSRV, got {magic!r} {version}")
        try:
            return cls(_KINDS[kind], id_, deadline_ns, attempt, data[_HEAD.size :].decode())
        except (KeyError, UnicodeDecodeError) as error:
            raise WireError(f"call: {error!r}") from error


@dataclass(frozen=True, slots=True)
class CallStats:
    """Of one client: calls begun, timeouts, retries; late: answers to calls that had ended; invalid: what was no answer at all."""

    calls: int
    timeouts: int
    retries: int
    late: int
    invalid: int

    def __add__(self, other: CallStats) -> CallStats:
        return CallStats(*map(operator.add, astuple(self), astuple(other)))


@dataclass(slots=True, eq=False)
class Call(Generic[R]):
    """A call under way, as its client keeps it."""

    id: bytes
    parts: list[Part]
    timeout_s: float
    deadline_ns: int
    future: Future[R]
    hear: Hear | None = None
    attempt: int = 1
    resend_ns: int = FOREVER_NS
    sent: bool = False
    heard: bool = False


class Client(Generic[Q, R]):
    """Calls one service; any thread may. Made by a bus.

    >>> reply = bus.client(PARAMETERS.of(node="detector")).call(ParameterRequest(header), timeout_s=2)      # doctest: +SKIP
    """

    def __init__(
        self, service: Service[Q, R], node: str, wake: Callable[[], None], is_served: Callable[[], bool] = lambda: True
    ) -> None:
        """wake: has `flush` called soon. is_served: whether a server is known to be there or to have been there."""
        self._is_served = is_served
        self.service = service
        self.node = node
        self._wake = wake
        self._lock = threading.Lock()
        self._calls: dict[bytes, Call[R]] = {}
        self._unsent: deque[tuple[Call[R], Kind]] = deque()
        self._due_ns = FOREVER_NS
        self.ended = ""
        self._begun = self._timeouts = self._retries = self._late = self._invalid = 0

    def call(self, request: Q, timeout_s: float = 5.0) -> R:
        """Send `request` and wait for the response.

        Raises ServiceTimeout if none comes within `timeout_s` seconds of real time, ServiceBusy, ServiceError with the server's sentence,
        BusError for another type than the service's or if the bus is closed or interrupted, WireError for what cannot be encoded.
        """
        return self.call_async(request, timeout_s).result()

    def call_async(self, request: Q, timeout_s: float = 5.0) -> Future[R]:
        """Send `request`; the future ends as `call` does, in time too. Its callbacks run in a thread of the bus and must not wait."""
        return self.begin(request, timeout_s).future

    @property
    def stats(self) -> CallStats:
        return CallStats(self._begun, self._timeouts, self._retries, self._late, self._invalid)

    def begin(self, request: Q, timeout_s: float, hear: Hear | None = None) -> Call[R]:
        """For actions: a call that may be cancelled, and whose feedback goes to `hear`; its server's signs of life move its deadline."""
        name = self.service.name
        if not isinstance(request, self.service.request):
            raise BusError(f"service {name}: expected {self.service.request.__name__}, got {type(request).__name__}")
        if not 0 < timeout_s <= MAX_TIMEOUT_S:
            raise BusError(f"service {name}: expected a timeout above 0 and at most {MAX_TIMEOUT_S:g} s, got {timeout_s:g}")
        parts = encode_bounded(request, f"service {name}")
        future: Future[R] = Future()
        future.set_running_or_notify_cancel()   # from here on it ends by its answer or its deadline only
        call = Call(os.urandom(16), parts, timeout_s, time.monotonic_ns() + int(timeout_s * 1e9), future, hear)
        with self._lock:
            if self.ended:
                raise BusError(self.ended)
            if len(self._calls) >= MAX_CALLS:
                raise BusError(f"service {name}: expected at most {MAX_CALLS} calls at a time; wait for some of them")
            self._begun += 1
            self._calls[call.id] = call
            self._unsent.append((call, Kind.REQUEST))
            self._due_ns = min(self._due_ns, call.deadline_ns)
        self._wake()
        return call

    def forget(self, call: Call[R]) -> None:
        """For a transport: nobody waits for this call any more."""
        with self._lock:
            self._calls.pop(call.id, None)

    def cancel(self, call: Call[R]) -> None:
        """For actions: ask the server to end the call. No harm if it has ended."""
        with self._lock:
            self._unsent.append((call, Kind.CANCEL))
        self._wake()

    def flush(self, send: Callable[[list[Part]], bool]) -> bool:
        """For a transport: send what waits as long as `send` takes it; tell whether all is sent."""
        while True:
            with self._lock:
                if not self._unsent:
                    return True
                call, kind = self._unsent.popleft()
                if call.id not in self._calls:
                    continue
                head = CallHead(kind, call.id, call.deadline_ns, min(call.attempt, 255)).pack()
            if not send([head, *call.parts] if kind is Kind.REQUEST else [head]):
                with self._lock:
                    self._unsent.appendleft((call, kind))
                return False
            with self._lock:
                call.sent = True
                if self.service.idempotent:
                    call.resend_ns = time.monotonic_ns() + RETRY_NS
                    self._due_ns = min(self._due_ns, call.resend_ns)

    def receive(self, frames: Sequence[Part]) -> None:
        """For a transport: something came from the server. What is no answer, or comes too late, is dropped and counted."""
        try:
            head = CallHead.unpack(bytes(frames[0]))
        except (WireError, IndexError):
            self._invalid += 1
            return
        goes_on = head.kind in (Kind.FEEDBACK, Kind.ALIVE)
        with self._lock:
            call = self._calls.get(head.id) if goes_on else self._calls.pop(head.id, None)
            if call is None:
                self._late += not goes_on
                return
            if goes_on and call.hear is not None:
                call.heard, call.deadline_ns = True, time.monotonic_ns() + LOST_NS
                self._due_ns = min(self._due_ns, call.deadline_ns)
        self._answer(call, head, frames[1:])

    @property
    def due_ns(self) -> int:
        """For a transport: when to call `tick` next (CLOCK_MONOTONIC)."""
        return self._due_ns

    def tick(self, now_ns: int) -> None:
        """For a transport: end what is over, ask for what may be sent again to be sent by `flush`."""
        if now_ns < self._due_ns:
            return
        with self._lock:
            over = [call for call in self._calls.values() if call.deadline_ns <= now_ns]
            for call in over:
                del self._calls[call.id]
            if over:
                self._unsent = deque(item for item in self._unsent if item[0].id in self._calls)
            again = [call for call in self._calls.values() if call.resend_ns <= now_ns]
            for call in again:
                call.resend_ns = now_ns + RETRY_NS
            if again and self._is_served():
                for call in again:
                    call.attempt, call.resend_ns = call.attempt + 1, FOREVER_NS
                    self._retries += 1
                    self._unsent.append((call, Kind.REQUEST))
            self._due_ns = min((min(call.deadline_ns, call.resend_ns) for call in self._calls.values()), default=FOREVER_NS)
            self._timeouts += len(over)
        for call in over:
            call.future.set_exception(self._timeout(call))

    def end(self, sentence: str) -> None:
        """For a transport: end all calls, and refuse new ones, with a BusError of this sentence."""
        with self._lock:
            self.ended = self.ended or sentence
            over = list(self._calls.values())
            self._calls.clear()
            self._unsent.clear()
        for call in over:
            call.future.set_exception(BusError(sentence))

    def _answer(self, call: Call[R], head: CallHead, parts: Sequence[Part]) -> None:
        if head.kind is Kind.FEEDBACK and call.hear is not None:
            call.hear(parts)
        elif head.kind is Kind.RESULT:
            try:
                result = decode(parts, self.service.response)
            except WireError as error:
                call.future.set_exception(ServiceError(f"service {self.service.name}: {error}"))
            else:
                call.future.set_result(result)
        elif head.kind is Kind.BUSY:
            call.future.set_exception(ServiceBusy(f"service {self.service.name}: busy, the server takes {self.service.depth} at a time"))
        elif head.kind is not Kind.ALIVE:
            call.future.set_exception(ServiceError(head.text))

    def _timeout(self, call: Call[R]) -> ServiceTimeout:
        if not call.heard and not (call.sent and self._is_served()):
            why = "nobody serves it; start the node that does"
        elif call.hear is not None:
            why = "its server has fallen silent"
        else:
            why = f"sent {call.attempt} times" if call.attempt > 1 else "it may have been carried out"
        return ServiceTimeout(f"service {self.service.name}: no answer within {call.timeout_s:g} s ({why})")


def encode_bounded(message: Any, where: str) -> list[Part]:
    """Encode a message of at most 8 MiB. Raises BusError for a larger one, WireError for what is no message."""
    parts = encode(message)
    size = sum(map(len, parts))
    if size > MAX_MESSAGE_BYTES:
        raise BusError(f"{where}: expected a message of at most {MAX_MESSAGE_BYTES} bytes, got {size}; send it on a topic")
    return parts
