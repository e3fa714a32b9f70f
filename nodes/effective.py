"""With what parameters the nodes of a system really run, asked of themselves."""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import Self

from seesay.bus import AnyBus
from seesay.errors import SeeSayError
from seesay.nodes.parameters import list_parameters

ROUND_S = 1.0
TIMEOUT_S = 2.0
AGAIN = 10   # rounds after which a node is asked again


class EffectiveParameters:
    """Asks every node but `own`, in a thread, as they appear and now and then again, until `stop` is set."""

    def __init__(self, bus: AnyBus, own: str, stop: threading.Event) -> None:
        self._bus, self._own, self._stop = bus, own, stop
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._thread = threading.Thread(target=self._ask_all, name="effective", daemon=True)

    def known(self) -> dict[str, str]:
        """Of each node that has answered, its parameters as a JSON object."""
        with self._lock:
            return dict(self._known)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join(TIMEOUT_S + 1)

    def _ask_all(self) -> None:
        count = 0
        while not self._stop.is_set() and not self._done.is_set():
            names = [name.removesuffix("/parameters") for name, _ in self._bus.services() if name.endswith("/parameters")]
            for name in names:
                if name != self._own and (name not in self.known() or count % AGAIN == 0):
                    self._ask(name)
            count += 1
            self._stop.wait(ROUND_S)

    def _ask(self, name: str) -> None:
        try:
            parameters = list_parameters(self._bus, name, TIMEOUT_S)
        except SeeSayError:
            return   # it starts or is gone
        with self._lock:
            self._known[name] = json.dumps({parameter.name: json.loads(parameter.value) for parameter in parameters})
