"""Starts the nodes of a launch file as processes, watches them, starts again those that die, and leaves nothing behind."""

from __future__ import annotations

import logging
import signal
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from seesay.bus import Bus, Publisher, Subscriber
from seesay.config import Launch
from seesay.errors import BusError, SeeSayError
from seesay.graph import serve_graph
from seesay.messages import Header, LaunchStatus, NodeStatus, ProcessStatus
from seesay.nodes.runtime import load_node
from seesay.nodes.supervised import Supervised, kill_group
from seesay.session import remove_dead
from seesay.topics import LAUNCH_STATUS, NODE_STATUS

_log = logging.getLogger(__name__)

STOP_S = 1.9
LOOK_S = 0.05
TELL_S = 1.0


class Supervisor:
    """Runs the nodes of `launch` on the bus in `session`; their output goes to `session/logs/NAME.log`.

    >>> with Supervisor(load_launch("launch/tabletop.toml"), session) as supervisor:      # doctest: +SKIP
    ...     supervisor.wait_ready(60)

    Each node is a process in its own group. It ends with this process, however that ends. One that dies is started again after 1,
    2, 4 ... 30 s, as its entry says (`NodeSpec`). How all stand is published as `launch_status`.
    Raises ConfigError, before anything is started, for parameters that the nodes do not have.
    """

    def __init__(self, launch: Launch, session: Path | str) -> None:
        launch.effective(lambda run: load_node(run).Config)
        self.launch = launch
        self.session = Path(session).absolute()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._hurry = False
        self._bus: Bus | None = None
        self._thread: threading.Thread | None = None
        self._children = {spec.name: Supervised(spec, launch, self.session) for spec in launch.nodes}
        self._told: tuple[ProcessStatus, ...] = ()
        self._tell_at = 0.0

    def start(self) -> None:
        """Start all nodes; returns before they are ready. Raises BusError if the session directory cannot be used."""
        bus = self._bus = Bus(self.session, "supervisor")
        (self.session / "logs").mkdir(mode=0o700, exist_ok=True)
        serve_graph(bus)
        statuses, states = self._bus.subscriber(NODE_STATUS), self._bus.publisher(LAUNCH_STATUS)
        self._thread = threading.Thread(target=self._watch, args=(statuses, states), name="supervisor", daemon=True)
        self._thread.start()

    def wait_ready(self, timeout: float = 120.0) -> None:
        """Wait until every node is ready, but for those that are not required and have died.

        Raises what `check` raises, and BusError that names those that are late.
        """
        with self._changed:
            done = self._changed.wait_for(lambda: self._failure() is not None or not self._waiting(), timeout)
            late = ", ".join(self._waiting())
        self.check()
        if not done:
            raise BusError(f"nodes not ready after {timeout:g} s: {late}; see {self.session / 'logs'}")

    def check(self) -> None:
        """Raise UserError with a node's own sentence, or BusError that names its log, if a required node has failed for good."""
        with self._changed:
            failure = self._failure()
        if failure is not None:
            raise failure

    def nodes(self) -> list[ProcessStatus]:
        """Return how the nodes stand, in the order of the launch file."""
        with self._changed:
            return [child.status for child in self._children.values()]

    def stop(self) -> None:
        """Ask all nodes to stop, and kill what remains, so that all are gone within 2 s.

        May be called twice; a second Ctrl-C while it waits kills at once.
        """
        self._stop.set()
        while self._thread is not None and self._thread.is_alive():
            try:
                self._thread.join()
            except KeyboardInterrupt:
                self._hurry = True
        if self._bus is not None:
            self._bus.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _failure(self) -> SeeSayError | None:
        return next((child.failure for child in self._children.values() if child.status.required and child.failure), None)

    def _waiting(self) -> list[str]:
        statuses = [child.status for child in self._children.values()]
        return [one.node for one in statuses if one.state == "starting" or (one.state == "restarting" and one.required)]

    def _watch(self, statuses: Subscriber[NodeStatus], states: Publisher[LaunchStatus]) -> None:
        """The thread that starts every process: on Linux a child is told when the thread that made it ends."""
        try:
            while not self._stop.wait(LOOK_S):
                with self._changed:
                    for received in statuses.take_all():
                        child = self._children.get(received.message.node)
                        if child is not None:
                            child.hear(received.message)
                    for child in self._children.values():
                        child.look_after()
                    self._changed.notify_all()
                self._tell(states)
        except Exception:
            _log.exception("the supervisor failed")
        finally:
            self._end_all()

    def _tell(self, states: Publisher[LaunchStatus]) -> None:
        now, news = time.monotonic(), tuple(child.status for child in self._children.values())
        if news != self._told or now >= self._tell_at:
            states.send(LaunchStatus(Header(time.monotonic_ns()), self.launch.name, news))
            self._told, self._tell_at = news, now + TELL_S

    def _end_all(self) -> None:
        processes = [child.process for child in self._children.values() if child.process is not None]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_S
        while any(process.poll() is None for process in processes) and time.monotonic() < end and not self._hurry:
            time.sleep(LOOK_S)
        for process in processes:
            kill_group(process)
            process.wait()
        with self._changed:
            for child in self._children.values():
                child.stopped()
            self._changed.notify_all()
        remove_dead(self.session)
