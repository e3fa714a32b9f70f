"""Records what flows on a bus: subscribes to topics as they appear, writes what comes, and counts what does not."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from seesay import __version__, topics
from seesay.bag.coder import Coder, Encoded, Pictures
from seesay.bag.reader import CONFIGURATION, LOSSES, RECORDING
from seesay.bag.writer import BagWriter
from seesay.clock import Clock
from seesay.errors import BagError, BusError, WireError
from seesay.messages import Image
from seesay.pubsub import AnyBus, Received, Subscriber
from seesay.topics import Topic

FLUSH_S = 0.5
LOOK_S = 0.2
NOTE_S = 5.0
STEP_S = 0.3
CLOSE_S = 0.5   # a node has little time to end
PICTURES_DEPTH = 30
MESSAGES_DEPTH = 1000


@dataclass(frozen=True)
class Choice:
    """Which topics: those whose names fit one of `patterns` (as in a shell), by default all that the table of topics marks as recorded;
    none that fits one of `without`."""

    patterns: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def takes(self, topic: Topic[Any]) -> bool:
        name = topic.name
        chosen = any(fnmatchcase(name, pattern) for pattern in self.patterns) if self.patterns else topic.recorded
        return chosen and not any(fnmatchcase(name, pattern) for pattern in self.without)


@dataclass
class Losses:
    """Messages of one topic that are not in the recording. dropped: came faster than they were written; gaps: never came; torn: written
    over while they were taken; invalid: came damaged; refused: could not be written as CDR."""

    dropped: int = 0
    gaps: int = 0
    torn: int = 0
    invalid: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        return self.dropped + self.gaps + self.torn + self.invalid + self.refused


class _Held(NamedTuple):
    """One message in memory."""

    entries: Sequence[Encoded]
    log_ns: int
    publish_ns: int
    latched: tuple[str, str, str] | None

    @property
    def bytes(self) -> int:
        return sum(len(entry.data) for entry in self.entries)


@dataclass
class _Memory:
    """The newest messages within `budget` bytes, and the last value of each latched topic that is older."""

    budget: int
    bytes: int = 0
    held: deque[_Held] = field(default_factory=deque)
    latched: dict[tuple[str, str, str], _Held] = field(default_factory=dict)

    def add(self, one: _Held) -> None:
        self.held.append(one)
        self.bytes += one.bytes
        while self.bytes > self.budget and len(self.held) > 1:
            old = self.held.popleft()
            self.bytes -= old.bytes
            if old.latched is not None:
                self.latched[old.latched] = old


class Recorder:
    """Records from `bus` into the folder `path`. For one thread, `ask_snapshot` excepted.

    >>> recorder = Recorder(bus, MonotonicClock(), Path("run"))      # doctest: +SKIP
    >>> while recording:
    ...     recorder.step(0.2)
    >>> print(recorder.close())

    clock: of the session; times in the file are times of day if it is monotonic, simulated times if it is simulated.
    memory_bytes: if not 0, nothing is written but kept in memory up to so many bytes, until `snapshot` writes that into a folder of its
    own. Raises BagError if the folder is there already or cannot be made, and from `step` when the disk is full or cannot be written.
    """

    def __init__(
        self,
        bus: AnyBus,
        clock: Clock,
        path: Path,
        choice: Choice | None = None,
        pictures: Pictures = "raw",
        quality: int = 90,
        max_bytes: int = 0,
        max_seconds: float = 0.0,
        memory_bytes: int = 0,
    ) -> None:
        self.path = path
        self.messages = self.snapshots = 0
        self._bus, self._clock, self._choice = bus, clock, choice or Choice()
        self._offset_ns = time.time_ns() - time.monotonic_ns() if clock.name == "monotonic" else 0
        self._coder = Coder(self._offset_ns, pictures, quality)
        self._limits = (max_bytes, max_seconds)
        self._subscribers: dict[str, Subscriber[Any]] = {}
        self._refused: Counter[str] = Counter()
        self._late: Counter[str] = Counter()
        self._backlog: deque[tuple[Topic[Any], Received[Any]]] = deque()
        self._told: set[str] = set()
        self._asked: SimpleQueue[Future[Path]] = SimpleQueue()
        self._noted: dict[str, Losses] = {}
        self._configuration: dict[str, str] = {}
        self._flushed = self._looked = self._noted_at = time.monotonic()
        self._recording = {
            "seesay": __version__, "clock": clock.name, "offset_ns": str(self._offset_ns), "pictures": pictures,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }  # fmt: skip
        self._memory = _Memory(memory_bytes) if memory_bytes else None
        self._writer: BagWriter | None = None
        self.look()
        if not memory_bytes:
            self._writer = self._open(path)

    @property
    def bytes(self) -> int:
        """On disk, or in memory where that is where messages are kept."""
        return self._writer.bytes if self._writer is not None else self._memory.bytes if self._memory is not None else 0

    @property
    def topics(self) -> list[str]:
        """The topics that are recorded."""
        return sorted(self._subscribers)

    def look(self) -> None:
        """Subscribe to topics that have appeared; `step` does it several times a second."""
        self._looked = time.monotonic()
        for name in {name for name, _ in self._bus.endpoints()} - self._subscribers.keys() - self._told:
            try:
                topic = topics.find(name)
            except BusError:
                self._told.add(name)
                continue
            if self._choice.takes(topic):
                depth = PICTURES_DEPTH if topic.type is Image else MESSAGES_DEPTH
                self._subscribers[name] = self._bus.subscriber(topic, "all", depth)

    def step(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for messages and write what has come."""
        if self._clock.now_ns() <= 0:   # a simulated clock that has not begun
            self._bus.wait([], timeout)
        else:
            ready = self._bus.wait(self._subscribers.values(), 0 if self._backlog else timeout)
            self._take(ready, STEP_S)
        while not self._asked.empty():
            self._answer(self._asked.get())
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self.look()
        if self._writer is not None and now - self._flushed >= FLUSH_S:
            self._flushed = now
            self._writer.flush()
            if now - self._noted_at >= NOTE_S:
                self._noted_at = now
                self._note_losses(self._writer)

    def losses(self) -> dict[str, Losses]:
        """Of each topic, what is not in the recording."""
        found = {}
        for name, subscriber in self._subscribers.items():
            stats = subscriber.stats
            found[name] = Losses(stats.dropped + self._late[name], stats.gaps, stats.torn, stats.invalid, self._refused[name])
        return found

    def configure(self, configuration: Mapping[str, str]) -> None:
        """Keep the configuration of the system in the recording: of each node, its parameters as JSON."""
        if configuration != self._configuration:
            self._configuration = dict(configuration)
            if self._writer is not None:
                self._writer.repeat(CONFIGURATION, self._configuration)

    def snapshot(self) -> Path:
        """Write what is in memory into a new folder beside `path` and return that; memory is empty then. Raises BagError."""
        if self._memory is None:
            raise BagError("snapshot: expected a recorder in snapshot mode, got one that writes all; start it with --snapshot-mode")
        memory = self._memory
        path = self.path.with_name(f"{self.path.name}-{self.snapshots + 1}")
        start_ns = memory.held[0].log_ns if memory.held else 0
        writer = self._open(path)
        for one in memory.latched.values():
            _write(writer, one._replace(log_ns=max(one.log_ns, start_ns)))
        for one in memory.held:
            _write(writer, one)
        self._note_losses(writer)
        writer.close()
        memory.latched |= {one.latched: one for one in memory.held if one.latched is not None}
        memory.held.clear()
        memory.bytes = 0
        self.snapshots += 1
        return path

    def ask_snapshot(self, timeout: float) -> Path:
        """From another thread: let the next `step` call `snapshot`; return or raise what that does, or BagError if it takes too long."""
        asked: Future[Path] = Future()
        self._asked.put(asked)
        try:
            return asked.result(timeout)
        except TimeoutError:
            raise BagError(f"snapshot: expected an answer of the recorder within {timeout:g} s, got none; try again") from None

    def close(self) -> str:
        """Write what has come meanwhile, finish the recording, and return a sentence on what there is. Raises BagError as `step` does."""
        if self._clock.now_ns() > 0:
            self._take(list(self._subscribers.values()), CLOSE_S)
            for topic, _ in self._backlog:
                self._late[topic.name] += 1
            for name, subscriber in self._subscribers.items():
                self._late[name] += subscriber.unread
        if self._writer is not None:
            self._note_losses(self._writer)
            self._writer.close()
        lost = {name: losses.total for name, losses in sorted(self.losses().items()) if losses.total}
        words = ", ".join(f"{name} {count}" for name, count in lost.items()) or "none"
        where = f"{self.snapshots} snapshots of" if self._memory is not None else f"{self.bytes / 1e6:.1f} MB in"
        return f"{where} {self.path}: {self.messages} messages of {len(self._subscribers)} topics; lost: {words}"

    def abandon(self) -> None:
        """Stop recording after a failure; what was flushed stays."""
        self._writer = self._memory = None
        self._subscribers.clear()

    def _answer(self, asked: Future[Path]) -> None:
        try:
            asked.set_result(self.snapshot())
        except BagError as error:
            asked.set_exception(error)

    def _take(self, ready: Sequence[Subscriber[Any]], seconds: float) -> None:
        """Record for so long what has come; the mailboxes are emptied when all that was in them before is recorded."""
        if not self._backlog:
            received = [(subscriber.topic, one) for subscriber in ready for one in subscriber.take_all()]
            self._backlog.extend(sorted(received, key=lambda item: item[1].received_ns))
        end = time.monotonic() + seconds
        while self._backlog and time.monotonic() < end:
            self._record(*self._backlog.popleft())

    def _record(self, topic: Topic[Any], received: Received[Any]) -> None:
        log_ns = publish_ns = self._clock.now_ns()
        if self._clock.name == "monotonic":
            log_ns, publish_ns = received.received_ns + self._offset_ns, received.sent_ns + self._offset_ns
        try:
            entries = self._coder.encode(topic, received.message)
        except WireError:
            self._refused[topic.name] += 1
            return
        self.messages += 1
        key = str(getattr(received.message, topic.key)) if topic.key else ""
        held = _Held(entries, log_ns, publish_ns, (topic.name, received.publisher, key) if topic.latched else None)
        if self._memory is not None:
            self._memory.add(held)
        elif self._writer is not None:
            _write(self._writer, held)

    def _open(self, path: Path) -> BagWriter:
        records = {RECORDING: self._recording, CONFIGURATION: self._configuration}
        return BagWriter(path, records, *self._limits)

    def _note_losses(self, writer: BagWriter) -> None:
        losses = {name: losses for name, losses in self.losses().items() if losses.total}
        if losses and (losses != self._noted or self._memory is not None):
            self._noted = losses
            writer.note(LOSSES, {name: json.dumps(asdict(counts)) for name, counts in losses.items()})


def _write(writer: BagWriter, one: _Held) -> None:
    for entry in one.entries:
        writer.write(entry, one.log_ns, one.publish_ns)
