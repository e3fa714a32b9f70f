"""One supervised process of a launch: started, watched, started again as its policy says."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from seesay.config import Launch, NodeSpec
from seesay.errors import BusError, ConfigError, SeeSayError, UserError
from seesay.messages import NodeStatus, ProcessStatus
from seesay.nodes.runtime import USER_ERROR
from seesay.topics import NODE_STATUS

_log = logging.getLogger(__name__)

BACKOFF_S = 1.0
BACKOFF_MAX_S = 30.0
_END_BYTES = 4096
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Supervised:
    """The process of one entry of `launch` in `session`. Its methods are for one thread.

    `status` is how it stands; its message says so when the node has given no heartbeat for long. An error of the user (exit status 2)
    before the node was ever ready is final: starting again mends no parameter. Later ends, such as a camera that is unplugged, are the
    world's, and the policy decides.
    """

    def __init__(self, spec: NodeSpec, launch: Launch, session: Path) -> None:
        self.log = session / "logs" / f"{spec.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.status = ProcessStatus(spec.name, spec.run, "starting", 0, 0, spec.required)
        self._spec = spec
        self._command = _command(spec, launch, session)
        self._environment = _environment(spec)
        self._proven = False
        self._heard_at = math.inf
        self._deaths: list[float] = []
        self._start_at = 0.0

    @property
    def ended(self) -> bool:
        """Whether it is over with this process for good."""
        return self.status.state in ("failed", "stopped")

    @property
    def failure(self) -> SeeSayError | None:
        """Why it has failed for good: UserError with the node's own sentence, or BusError that names the log."""
        if self.status.state != "failed":
            return None
        text = f"node {self._spec.name}: {self.status.message}"
        return UserError(text) if self.status.exit_status == USER_ERROR else BusError(f"{text}; see {self.log}")

    def hear(self, news: NodeStatus) -> None:
        """Take in what the node says of itself."""
        if self.ended or self.process is None or news.pid != self.process.pid:
            return
        self._heard_at = time.monotonic()
        if news.state in ("ready", "inactive"):
            self._proven = True
            self._set(news.state, news.message)
        else:
            starting = news.state == "starting" and self.status.state != "restarting"
            self._set("starting" if starting else self.status.state, news.message)

    def look_after(self) -> None:
        """Start it if that is due, and see whether it has ended."""
        if self.ended:
            return
        if self.process is None:
            if time.monotonic() >= self._start_at:
                self.process, self._heard_at = self._spawn(), math.inf
                self._set(self.status.state)
            return
        code = self.process.poll()
        if code is not None:
            kill_group(self.process)
            self._bury(code)
        elif (silent_s := time.monotonic() - self._heard_at) > NODE_STATUS.deadline_s:   # it hangs, or was stopped
            self._set(self.status.state, f"silent for {silent_s:.0f} s")

    def stopped(self) -> None:
        """The process was ended on purpose."""
        if not self.ended:
            self._set("stopped", self.status.message)

    def _bury(self, code: int) -> None:
        spec, now, said = self._spec, time.monotonic(), self.status.message or _last_line(self.log)
        self._deaths = [death for death in self._deaths if now - death < spec.restart_window_s] + [now]
        again = spec.restart == "always" or (spec.restart == "on-failure" and code != 0 and (code != USER_ERROR or self._proven))
        if again and len(self._deaths) <= spec.max_restarts:
            wait_s = min(BACKOFF_S * 2 ** min(len(self._deaths) - 1, 10), BACKOFF_MAX_S)
            _log.warning("node %s ended %s: starting it again in %g s", spec.name, _cause(code), wait_s)
            self.process, self._start_at = None, now + wait_s
            self._set("restarting", f"ended {_cause(code)} ({said})", self.status.restarts + 1, code)
        elif code == 0 and not again:
            self._set("stopped", self.status.message, exit_status=code)
        else:
            many = f"{len(self._deaths)} times in {spec.restart_window_s:g} s, the last time " if again else ""
            self._set("failed", said if code == USER_ERROR else f"ended {many}{_cause(code)} ({said})", exit_status=code)

    def _set(self, state: str, message: str = "", restarts: int | None = None, exit_status: int | None = None) -> None:
        old = self.status
        pid = self.process.pid if self.process else 0
        code = old.exit_status if exit_status is None else exit_status
        restarts = old.restarts if restarts is None else restarts
        self.status = ProcessStatus(old.node, old.run, state, pid, restarts, old.required, code, message[:1000])  # type: ignore[arg-type]

    def _spawn(self) -> subprocess.Popen[bytes]:
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=self._environment, start_new_session=True
            )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process and of those that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _command(spec: NodeSpec, launch: Launch, session: Path) -> list[str]:
    command = [sys.executable, "-P", "-m", "seesay.nodes.runtime", spec.run, "--session", str(session), "--name", spec.name]
    command += ["--config", _json(spec), "--clock", launch.clock, "--parent", str(os.getpid())]
    if spec.namespace or spec.remap:
        command += ["--namespace", spec.namespace, "--remap", json.dumps(spec.remap)]
    return command


def _environment(spec: NodeSpec) -> dict[str, str]:
    environment = os.environ | ({name: str(spec.threads) for name in _THREADS} if spec.threads else {})
    root = str(Path(__file__).absolute().parents[2])
    if not root.endswith("-packages"):
        environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return environment | spec.environment


def _cause(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _END_BYTES))
            lines = file.read(_END_BYTES).decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    return lines[-1][-500:] if lines else "no output"


def _json(spec: NodeSpec) -> str:
    try:
        return json.dumps(spec.parameters)
    except TypeError as error:
        raise ConfigError(f"node {spec.name}: expected text, numbers, true, false, lists and tables as parameters: {error}") from error
