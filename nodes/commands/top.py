"""`seesay top`: how a running system is doing, live: topics with the age at each consumer, and what each node's process costs."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from seesay.bus import Bus
from seesay.messages import GraphReply, SubscriberInfo
from seesay.nodes import discovery, sessions
from seesay.nodes.commands.shell import say, shown
from seesay.nodes.graph import ask_graph
from seesay.topics import LAUNCH_STATUS, NODE_STATUS

WIDTH = 160   # of the table in a file or pipe


@dataclass(frozen=True)
class Consumer:
    """One subscription. Ages are from sending to taking, stamp ages from acquisition to taking, of the last 256 messages taken.

    None: nothing was taken yet, or the stamps are of a simulated clock.
    """

    node: str
    rate_hz: float
    age_p50_ms: float | None
    age_p99_ms: float | None
    stamp_age_p50_ms: float | None
    stamp_age_p99_ms: float | None
    dropped: int
    lost: int
    alive: bool


@dataclass(frozen=True)
class TopicLine:
    """One topic: `rate_hz` as its publishers send, and its consumers."""

    name: str
    type: str
    publishers: tuple[str, ...]
    rate_hz: float
    expected_hz: float
    consumers: tuple[Consumer, ...]


@dataclass(frozen=True)
class NodeLine:
    """One node and its process: percent of one core, resident memory. answers: whether it gave an answer in time."""

    name: str
    state: str
    pid: int
    cpu_percent: float
    memory_mb: float
    threads: int
    restarts: int
    answers: bool


@dataclass(frozen=True)
class Snapshot:
    """All of it at one moment."""

    session: str
    topics: tuple[TopicLine, ...]
    nodes: tuple[NodeLine, ...]


class Watch:
    """Looks at the session in `directory` again and again; rates and loads are those since the look before."""

    def __init__(self, bus: Bus, directory: Path) -> None:
        self._bus = bus
        self._directory = directory
        self._states, self._launch = bus.subscriber(NODE_STATUS), bus.subscriber(LAUNCH_STATUS)
        self._known: dict[str, tuple[str, int]] = {}
        self._processes: dict[int, psutil.Process] = {}
        self._sent: dict[tuple[str, str, int], tuple[float, int]] = {}

    def look(self) -> Snapshot:
        """Ask all nodes; takes as long as the slowest answer, two seconds at most."""
        names, published = discovery.nodes(self._directory), discovery.publishers(self._directory)
        with_graph = {node for name, node in discovery.servers(self._directory).items() if name == f"{node}/graph"}
        replies = ask_graph(self._bus, sorted(with_graph))
        rates = self._rates(replies)
        ends = [(node, reply) for node, reply in replies.items() if reply is not None]
        topics = tuple(_line(name, nodes, rates.get(name, 0.0), ends) for name, nodes in published.items())
        return Snapshot(self._directory.name, topics, self._nodes(names, replies))

    def _rates(self, replies: dict[str, GraphReply | None]) -> dict[str, float]:
        now, rates = time.monotonic(), dict[str, float]()
        for node, reply in replies.items():
            for end in reply.publishers if reply else ():
                key = (node, end.topic, reply.pid if reply else 0)
                then, sent = self._sent.get(key, (now, end.sent))
                self._sent[key] = (now, end.sent)
                if now > then:
                    rates[end.topic] = rates.get(end.topic, 0.0) + (end.sent - sent) / (now - then)
        return rates

    def _nodes(self, names: list[str], replies: dict[str, GraphReply | None]) -> tuple[NodeLine, ...]:
        for status in self._states.take_all():
            self._known[status.message.node] = (status.message.state, status.message.pid)
        launch = self._launch.latest()
        processes = {one.node: one for one in launch.message.processes} if launch else {}
        lines = []
        for name in sorted({*names, *processes}):
            state, pid = self._known.get(name, ("", 0))
            reply, process = replies.get(name), processes.get(name)
            if process is not None:
                state, pid = process.state, process.pid
            pid = reply.pid if reply else pid
            cpu, memory, threads = self._load(pid)
            lines.append(NodeLine(name, state, pid, cpu, memory, threads, process.restarts if process else 0, reply is not None))
        return tuple(lines)

    def _load(self, pid: int) -> tuple[float, float, int]:
        with contextlib.suppress(psutil.Error):
            if pid:
                process = self._processes.setdefault(pid, psutil.Process(pid))
                return process.cpu_percent(), process.memory_info().rss / 1e6, process.num_threads()
        self._processes.pop(pid, None)
        return 0.0, 0.0, 0


def run_top(once: bool, as_json: bool, interval: float, session: str) -> None:
    """Show the table until Ctrl-C, or with `once` what one interval, in seconds, looked like."""
    directory = sessions.running(session)
    with Bus(directory, discovery.own_name()) as bus:
        watch = Watch(bus, directory)
        watch.look()
        screen = Live(auto_refresh=False, screen=True) if not (once or as_json) else contextlib.nullcontext()
        with screen as live:
            while True:
                time.sleep(interval)
                snapshot = watch.look()
                if live is not None:
                    live.update(_screen(snapshot), refresh=True)
                elif as_json:
                    say(shown(snapshot, True))
                else:
                    Console(width=None if sys.stdout.isatty() else WIDTH).print(_screen(snapshot))
                if once:
                    return


def _line(name: str, publishers: list[str], rate_hz: float, replies: list[tuple[str, GraphReply]]) -> TopicLine:
    consumers = [
        Consumer(
            node, end.rate_hz, end.age_p50_ms, end.age_p99_ms, end.stamp_age_p50_ms, end.stamp_age_p99_ms, end.dropped, end.lost,
            _alive(end),
        )
        for node, reply in replies for end in reply.subscribers if end.topic == name
    ]  # fmt: skip
    kind, expected = next(((end.type, end.rate_hz) for _, reply in replies for end in reply.publishers if end.topic == name), ("", 0.0))
    return TopicLine(name, kind, tuple(publishers), rate_hz, expected, tuple(consumers))


def _alive(end: SubscriberInfo) -> bool:
    return any(end.publishers.values())


def _screen(snapshot: Snapshot) -> Group:
    topics = Table("topic", title=f"session {snapshot.session}", title_justify="left")
    topics.caption, topics.caption_justify = "age: since acquisition; sent: since it was last sent", "left"
    for column in ("rate", "expected", "consumer", "age p50", "age p99", "sent p50", "sent p99", "dropped", "lost"):
        topics.add_column(column, justify="left" if column == "consumer" else "right", no_wrap=True)
    for line in snapshot.topics:
        slow = bool(line.expected_hz) and line.rate_hz < 0.8 * line.expected_hz
        rate = f"[yellow]{line.rate_hz:.1f}[/]" if slow else f"{line.rate_hz:.1f}"
        head = [line.name, rate, f"{line.expected_hz:g}" if line.expected_hz else ""]
        rows = [_consumer(consumer) for consumer in line.consumers] or [[""] * 7]
        for number, row in enumerate(rows):
            topics.add_row(*(head if number == 0 else [""] * 3), *row)
    nodes = Table("node", "state")
    for column in ("answers", "pid", "CPU %", "memory", "threads", "restarts"):
        nodes.add_column(column, justify="right")
    for node in snapshot.nodes:
        style = "red" if node.state == "failed" else "yellow" if node.state in ("restarting", "starting") else ""
        answers, pid = "yes" if node.answers else "[red]no[/]", str(node.pid or "")
        cells = [answers, pid, f"{node.cpu_percent:.0f}", f"{node.memory_mb:.0f} MB", str(node.threads), str(node.restarts or "")]
        nodes.add_row(node.name, node.state, *cells, style=style)
    return Group(topics, nodes)


def _consumer(one: Consumer) -> list[str]:
    ages_ms = one.stamp_age_p50_ms, one.stamp_age_p99_ms, one.age_p50_ms, one.age_p99_ms
    ages = ["" if age is None else f"{age:.1f} ms" for age in ages_ms]
    name = one.node if one.alive else f"[dim]{one.node}[/]"
    return [name, *ages, str(one.dropped or ""), f"[red]{one.lost}[/]" if one.lost else ""]
