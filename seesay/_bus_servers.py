"""The thread of one server: it owns the ROUTER socket, and runs the handler itself as long as that is quick."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import zmq

from seesay._bus_socket import open_socket, poll_ms
from seesay.codec import Part
from seesay.errors import BusError
from seesay.services import Action, Service
from seesay.serving import Server
from seesay.session import lock_socket

_log = logging.getLogger(__name__)


class ServerThread:
    """Serves until `stop`. Raises BusError if another node serves the name."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        path: Path,
        node: str,
        service: Service[Any, Any],
        handler: Callable[[Any], Any],
        action: Action[Any, Any, Any] | None,
    ) -> None:
        self.server: Server[Any, Any] = Server(service, handler, self._reply, action)
        self._path = path
        self._lock_file = _lock(path, service.name, node)
        self._socket, self._waker = open_socket(context, zmq.ROUTER), open_socket(context, zmq.DEALER)
        try:
            self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            self._socket.bind(f"inproc://{path}")
            self._waker.connect(f"inproc://{path}")
            self._socket.bind(f"ipc://{path}")
        except zmq.ZMQError as error:
            self._socket.close(0)
            self._waker.close(0)
            os.close(self._lock_file)
            raise BusError(f"service {service.name}: {error}") from error
        self._answers: deque[tuple[Any, list[Part]]] = deque()
        self._stopping = False
        self._wake_lock = threading.Lock()
        self._thread = threading.Thread(target=self._main, name=f"bus-service-{service.name}", daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """After the server has ended: send its last answers and remove its files. Tell whether its handler let go."""
        self._stopping = True
        self._wake()
        self._thread.join(timeout=1)
        with self._wake_lock:
            self._waker.close(0)
        return not self._thread.is_alive()

    def _reply(self, peer: Hashable, parts: list[Part]) -> None:
        self._answers.append((peer, parts))
        if threading.current_thread() is not self._thread:
            self._wake()

    def _wake(self) -> None:
        """Send an empty message, which is no request, to the thread that waits."""
        with self._wake_lock, contextlib.suppress(zmq.ZMQError):   # full: it is awake; closed: it has ended
            self._waker.send(b"", zmq.NOBLOCK)

    def _main(self) -> None:
        """The socket was made in another thread; starting this one was the barrier that ZeroMQ asks for when a socket changes hands."""
        timeout_ms = -1
        try:
            while not self._stopping:
                if (wanted := poll_ms(self.server.due_ns)) != timeout_ms:
                    self._socket.setsockopt(zmq.RCVTIMEO, wanted)
                    timeout_ms = wanted
                with contextlib.suppress(zmq.Again):
                    peer, *frames = self._socket.recv_multipart()
                    if frames != [b""]:
                        self.server.receive(peer, frames, here=True)
                self.server.tick(time.monotonic_ns())
                self._send_answers()
        except Exception:
            _log.exception("service %s failed", self.server.service.name)
        finally:
            self._close()

    def _send_answers(self) -> None:
        """A caller that is gone loses its answer; so does one that has left more unread than it may have calls under way."""
        while self._answers:
            peer, parts = self._answers.popleft()
            try:
                self._socket.send_multipart([peer, *parts], zmq.NOBLOCK)
            except zmq.ZMQError as error:
                if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                    raise
                self.server.lost(peer)

    def _close(self) -> None:
        with contextlib.suppress(zmq.ZMQError):
            self._send_answers()
        self._socket.close()
        self._path.unlink(missing_ok=True)
        self._path.with_name(self._path.name + ".lock").unlink(missing_ok=True)
        os.close(self._lock_file)


def _lock(path: Path, service: str, node: str) -> int:
    """Lock the name and write the node's into the lock file, for those who ask who serves it."""
    try:
        lock_file = lock_socket(path)
    except BusError as error:
        owner = path.with_name(path.name + ".lock").read_text(encoding="utf-8") or "another node"
        raise BusError(f"service {service}: {owner!r} serves it already; stop that node or use another namespace") from error
    os.truncate(lock_file, 0)
    os.write(lock_file, node.encode())
    return lock_file
