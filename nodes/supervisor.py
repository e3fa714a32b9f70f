"""Starts the nodes of a launch file as processes, watches them, starts again those that die, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from seesay.bus import Bus, Subscriber
from seesay.config import Launch, NodeSpec
from seesay.errors import BusError, ConfigError, SeeSayError, UserError
from seesay.messages import NodeStatus
from seesay.nodes.runtime import USER_ERROR, State, load_node
from seesay.session import list_sockets, split_name
from seesay.topics import NODE_STATUS

_log = logging.getLogger(__name__)

STOP_S = 3.0
LOOK_S = 0.05
BACKOFF_S = 0.5
BACKOFF_MAX_S = 30.0
FORGIVE_S = 300.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What the supervisor knows of a node. `failed` and `stopped` are final: a node that will be started again is `starting`."""

    name: str
    state: State
    pid: int
    restarts: int
    message: str


@dataclass(slots=True)
class _Child:
    spec: NodeSpec
    log: Path
    process: subprocess.Popen[bytes] | None = None
    state: State = "starting"
    message: str = ""
    user_error: bool = False
    restarts: int = 0
    deaths: list[float] = field(default_factory=list)
    start_at: float = 0.0


class Supervisor:
    """Runs the nodes of `launch` on the bus in `session`; their output goes to `session/logs/NAME.log`.

    >>> with Supervisor(load_launch("launch/tabletop.toml"), session) as supervisor:      # doctest: +SKIP
    ...     supervisor.wait_ready(60)

    Each node is a process in its own group. It ends with this process, however that ends. One that dies is started again after 0.5,
    1, 2 ... 30 s, at most `max_restarts` times within 5 minutes; one that ends by an error of the user is not.
    Raises ConfigError, before anything is started, for parameters that the nodes do not have.
    """

    def __init__(self, launch: Launch, session: Path | str, max_restarts: int = 5) -> None:
        launch.check(lambda run: load_node(run).Config)
        self._configs = {spec.name: _json(spec) for spec in launch.nodes}
        self.launch = launch
        self.session = Path(session).absolute()
        self._max_restarts = max_restarts
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._hurry = False
        self._bus: Bus | None = None
        self._thread: threading.Thread | None = None
        logs = self.session / "logs"
        self._children = {spec.name: _Child(spec, logs / f"{spec.name}.log") for spec in launch.nodes}

    def start(self) -> None:
        """Start all nodes; returns before they are ready. Raises BusError if the session directory cannot be used."""
        self._bus = Bus(self.session, "supervisor")
        (self.session / "logs").mkdir(mode=0o700, exist_ok=True)
        statuses = self._bus.subscriber(NODE_STATUS)
        self._thread = threading.Thread(target=self._watch, args=(statuses,), name="supervisor", daemon=True)
        self._thread.start()

    def wait_ready(self, timeout: float = 120.0) -> None:
        """Wait until every node is ready. Raises what `check` raises, and BusError that names those that are late."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._failure() is not None or not self._waiting(), timeout)
            late = ", ".join(self._waiting())
        self.check()
        if not done:
            raise BusError(f"nodes not ready after {timeout:g} s: {late}; see {self.session / 'logs'}")

    def check(self) -> None:
        """Raise UserError with a node's own sentence, or BusError that names its log, if a node has failed for good."""
        with self._changed:
            failure = self._failure()
        if failure is not None:
            raise failure

    def nodes(self) -> list[NodeInfo]:
        """Return how the nodes stand, in the order of the launch file."""
        with self._changed:
            return [
                NodeInfo(name, child.state, child.process.pid if child.process else 0, child.restarts, child.message)
                for name, child in self._children.items()
            ]

    def stop(self) -> None:
        """Ask all nodes to stop, wait, kill what remains. May be called twice; a second Ctrl-C while it waits kills at once."""
        self._stop.set()
        while self._thread is not None and self._thread.is_alive():
            try:
                self._thread.join()
            except KeyboardInterrupt:
                self._hurry = True
        if self._bus is not None:
            self._bus.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _failure(self) -> SeeSayError | None:
        for child in self._children.values():
            if child.state == "failed":
                text = f"node {child.spec.name}: {child.message}"
                return UserError(text) if child.user_error else BusError(f"{text}; see {child.log}")
        return None

    def _waiting(self) -> list[str]:
        return [name for name, child in self._children.items() if child.state == "starting"]

    def _watch(self, statuses: Subscriber[NodeStatus]) -> None:
        """The thread that starts every process: on Linux a child is told when the thread that made it ends."""
        try:
            while not self._stop.wait(LOOK_S):
                with self._changed:
                    for received in statuses.take_all():
                        self._hear(received.message)
                    for child in self._children.values():
                        self._look_after(child)
                    self._changed.notify_all()
        except Exception:
            _log.exception("the supervisor failed")
        finally:
            self._end_all()

    def _hear(self, status: NodeStatus) -> None:
        child = self._children.get(status.node)
        if child is not None and child.process is not None and status.pid == child.process.pid:
            child.message = status.message
            if status.state == "ready":
                child.state = "ready"

    def _look_after(self, child: _Child) -> None:
        if child.state in ("failed", "stopped"):
            return
        if child.process is None:
            if time.monotonic() >= child.start_at:
                child.process = self._spawn(child)
            return
        status = child.process.poll()
        if status is None:
            return
        _kill_group(child.process)
        now = time.monotonic()
        child.deaths = [death for death in child.deaths if now - death < FORGIVE_S] + [now]
        if status == 0:
            child.state = "stopped"
        elif status == USER_ERROR:
            child.state, child.user_error, child.message = "failed", True, child.message or _last_line(child.log)
        elif not child.spec.restart or len(child.deaths) > self._max_restarts:
            child.state, child.message = "failed", f"ended {_cause(status)} ({child.message or _last_line(child.log)})"
        else:
            wait_s = min(BACKOFF_S * 2 ** (len(child.deaths) - 1), BACKOFF_MAX_S)
            _log.warning("node %s ended %s: starting it again in %.1f s", child.spec.name, _cause(status), wait_s)
            child.process, child.state, child.message = None, "starting", ""
            child.restarts, child.start_at = child.restarts + 1, now + wait_s

    def _spawn(self, child: _Child) -> subprocess.Popen[bytes]:
        spec = child.spec
        command = [sys.executable, "-P", "-m", "seesay.nodes.runtime", spec.run, "--session", str(self.session), "--name", spec.name]
        command += ["--config", self._configs[spec.name], "--clock", self.launch.clock, "--parent", str(os.getpid())]
        environment = os.environ | ({name: str(spec.threads) for name in _THREADS} if spec.threads else {})
        root = str(Path(__file__).absolute().parents[2])
        if not root.endswith("-packages"):
            environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        with open(child.log, "ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def _end_all(self) -> None:
        processes = [child.process for child in self._children.values() if child.process is not None]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_S
        while any(process.poll() is None for process in processes) and time.monotonic() < end and not self._hurry:
            time.sleep(LOOK_S)
        for process in processes:
            _kill_group(process)
            process.wait()
        with self._changed:
            for child in self._children.values():
                if child.state in ("starting", "ready"):
                    child.state = "stopped"
            self._changed.notify_all()
        for name in list_sockets(self.session):
            if split_name(name)[1] in self._children:
                (self.session / name).unlink(missing_ok=True)
                (self.session / f"{name}.lock").unlink(missing_ok=True)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process and of those that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _cause(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][-500:] if lines else "no output"


def _json(spec: NodeSpec) -> str:
    try:
        return json.dumps(spec.parameters)
    except TypeError as error:
        raise ConfigError(f"node {spec.name}: expected text, numbers, true, false, lists and tables as parameters: {error}") from error
