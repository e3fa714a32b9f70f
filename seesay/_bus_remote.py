"""ZeroMQ over tcp between hosts: one socket, always with CURVE, in a thread of its own.

A listener (ROUTER) lets in whoever's public key it is given names for, asked anew at each connection; a dialer (DEALER) knows the public
key of the host it calls. Both bound what the other end can make them store, see `_tcp_guard`.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import socket as sockets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from seesay._tcp_guard import Guard
from seesay.codec import MAX_PARTS, Part
from seesay.errors import BusError, ConfigError

_log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 16 << 20
TICK_S = 0.05
_DOMAIN = b"seesay"
_ZAP = "inproc://zeromq.zap.01"
_ADDRESS = re.compile(r"tcp://(\*|\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})")
_PROBE_S = 10
_BURST = 256
_QUEUE = 4096


def make_key_pair() -> tuple[bytes, bytes]:
    """Return a new public and secret CURVE key, 40 bytes of Z85 each."""
    public, secret = zmq.curve_keypair()
    return public, secret


def check_address(address: str) -> str:
    """Return the address. Raises ConfigError unless it is tcp://HOST:PORT."""
    if not _ADDRESS.fullmatch(address) or int(address.rpartition(":")[2]) > 65535:
        raise ConfigError(f"address: expected tcp://HOST:PORT such as tcp://robot:7447 or tcp://*:7447, got {address!r}")
    return address


class Handler(Protocol):
    """Who is told what comes; called in the socket's thread, so it must not wait."""

    def received(self, route: bytes, peer: str, parts: list[Part]) -> None:
        """A message of the other end `route`, whose key is called `peer`."""

    def lost(self, route: bytes, parts: Sequence[Part]) -> None:
        """A message to `route` could not be sent."""

    def tick(self, heard: set[bytes]) -> None:
        """Some 50 ms have passed, in which bytes came from the routes `heard`."""


class RemoteSocket:
    """The socket and its thread; made by `listen` and `dial`. Any thread may call `send`."""

    def __init__(self, address: str, handler: Handler, allowed: Callable[[], Mapping[bytes, str]] | None) -> None:
        self.address = check_address(address)
        self._handler = handler
        self._allowed = allowed
        self._guard = Guard()
        self._options: dict[int, int | bytes] = {}
        self._queue: deque[tuple[bytes, Sequence[Part]]] = deque()
        self._resetting = self._stopping = False
        self._told = math.inf  # when a refusal was last logged; not before the listener has called itself
        self._wake_out, self._wake_in = sockets.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, name=f"bus-remote-{address}", daemon=True)

    @classmethod
    def listen(
        cls, address: str, handler: Handler, public: bytes, secret: bytes, allowed: Callable[[], Mapping[bytes, str]]
    ) -> RemoteSocket:
        """Listen at tcp://HOST:PORT (port 0: any; `address` then names it) for the holders of the keys that `allowed()` names.

        Before it returns it has called itself with a key that nobody knows. Raises BusError unless that was refused.
        """
        made = cls(address, handler, allowed)
        made._start({zmq.CURVE_SERVER: 1, zmq.CURVE_SECRETKEY: secret, zmq.ZAP_DOMAIN: _DOMAIN, zmq.ZAP_ENFORCE_DOMAIN: 1})
        try:
            _probe(made.address, public)
            made._told = 0.0
        except BusError:
            made.close()
            raise
        return made

    @classmethod
    def dial(cls, address: str, handler: Handler, public: bytes, secret: bytes, server: bytes) -> RemoteSocket:
        """Call the host at tcp://HOST:PORT that holds the public key `server`, again and again until it answers."""
        made = cls(address, handler, None)
        made._start({zmq.CURVE_PUBLICKEY: public, zmq.CURVE_SECRETKEY: secret, zmq.CURVE_SERVERKEY: server, zmq.IMMEDIATE: 1})
        return made

    def send(self, route: bytes, parts: Sequence[Part]) -> None:
        """Queue a message to `route` (empty for a dialer). One that cannot be sent at once is lost, as with the other end gone."""
        if len(self._queue) < _QUEUE:
            self._queue.append((route, parts))
        else:
            self._handler.lost(route, parts)
        self._wake()

    def reset(self) -> None:
        """Drop what is under way, close the connections and open the socket again."""
        self._resetting = True
        self._wake()

    def close(self) -> None:
        """Close the socket; returns when the thread has ended."""
        self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._wake_in.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_in.send(b"!")

    def _start(self, options: dict[int, int | bytes]) -> None:
        self._options = options
        self._thread.start()
        self._opened.result(timeout=10)

    def _open(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        socket = self._context.socket(zmq.ROUTER if self._allowed else zmq.DEALER)
        limits: dict[int, int | bytes] = {
            zmq.LINGER: 0, zmq.SNDHWM: 4096, zmq.RCVHWM: 4096, zmq.MAXMSGSIZE: MAX_MESSAGE_BYTES, zmq.BACKLOG: 32, zmq.TCP_KEEPALIVE: 1,
            zmq.HANDSHAKE_IVL: 3000, zmq.RECONNECT_IVL: 50, zmq.RECONNECT_IVL_MAX: 1000, zmq.CONNECT_TIMEOUT: 2000,
            zmq.IPV6: int("[" in self.address),
        }  # fmt: skip
        for option, value in {**limits, **self._options}.items():
            socket.set(option, value)
        if self._allowed:
            socket.set(zmq.ROUTER_MANDATORY, 1)
        monitor = socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)
        try:
            if self._allowed:
                socket.bind(self.address)
                self.address = socket.getsockopt_string(zmq.LAST_ENDPOINT)
            else:
                socket.connect(self.address)
        except zmq.ZMQError:
            _shut(socket, monitor)
            raise
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(monitor, zmq.POLLIN)
        return socket, monitor

    def _main(self) -> None:
        self._poller.register(self._wake_out, zmq.POLLIN)
        zap = self._context.socket(zmq.REP)
        try:
            zap.bind(_ZAP)
            self._poller.register(zap, zmq.POLLIN)
            socket, monitor = self._open()
        except zmq.ZMQError as error:
            self._opened.set_exception(BusError(f"address {self.address}: {error}; name one that is free and belongs to this host"))
            self._end(zap)
            return
        self._opened.set_result(None)
        try:
            next_tick = 0.0
            while not self._stopping:
                ready = dict(self._poller.poll(max(0, int(1000 * (next_tick - time.monotonic())) + 1)))
                if self._wake_out.fileno() in ready:
                    self._wake_out.recv(65536)
                if zap in ready:
                    self._authenticate(zap)
                if monitor in ready:
                    self._watch(monitor)
                if socket in ready:
                    self._receive(socket)
                self._flush(socket)
                if time.monotonic() >= next_tick:
                    self._handler.tick(self._guard.check())
                    next_tick = time.monotonic() + TICK_S
                if self._resetting:
                    self._resetting = False
                    self._queue.clear()
                    self._poller.unregister(socket)
                    self._poller.unregister(monitor)
                    _shut(socket, monitor)
                    socket, monitor = self._open()
        except Exception:
            _log.exception("the connection %s failed", self.address)
        finally:
            self._flush(socket)
            _shut(socket, monitor, 200)
            self._end(zap)

    def _receive(self, socket: zmq.Socket[bytes]) -> None:
        """Take in what has come. Of a message with too many parts the rest is thrown away piece by piece."""
        for _ in range(_BURST):
            frames: list[zmq.Frame] = []
            try:
                more = True
                while more:
                    frame = socket.recv(zmq.NOBLOCK, copy=False)
                    more = frame.more
                    if len(frames) <= MAX_PARTS + 2:
                        frames.append(frame)
            except zmq.Again:
                return
            body = frames[1:] if self._allowed else frames
            if not 1 <= len(body) <= MAX_PARTS + 1 or sum(map(len, body)) > MAX_MESSAGE_BYTES:
                continue
            peer = str(body[0].get("User-Id")) if self._allowed else ""
            route = frames[0].bytes if self._allowed else b""
            self._guard.delivered(int(body[0].get(zmq.SRCFD)), route)
            self._handler.received(route, peer, [frame.buffer for frame in body])

    def _flush(self, socket: zmq.Socket[bytes]) -> None:
        while self._queue:
            route, parts = self._queue.popleft()
            try:
                socket.send_multipart([route, *parts] if self._allowed else parts, zmq.NOBLOCK, copy=False)
            except zmq.ZMQError:
                self._handler.lost(route, parts)

    def _authenticate(self, zap: zmq.Socket[bytes]) -> None:
        """Answer one question of libzmq whether a key may come in (RFC 27)."""
        version, request, domain, address, _, mechanism, *credentials = zap.recv_multipart()
        name = None
        if mechanism == b"CURVE" and domain == _DOMAIN and len(credentials) == 1 and self._allowed is not None:
            try:
                name = self._allowed().get(z85.encode(credentials[0]))
            except Exception as error:
                _log.error("nobody is let in: %s", error)
        if name is None and time.monotonic() > self._told + 1:
            self._told = time.monotonic()
            _log.info("refused a connection from %s: its key is not among those allowed", address.decode(errors="replace"))
        verdict = (b"400", b"key not allowed", b"") if name is None else (b"200", b"OK", name.encode())
        zap.send_multipart([version, request, *verdict, b""])

    def _watch(self, monitor: zmq.Socket[bytes]) -> None:
        while monitor.poll(0):
            event = parse_monitor_message(monitor.recv_multipart())
            if event["event"] in (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
                self._guard.add(int(event["value"]))
            else:
                self._guard.remove(int(event["value"]))

    def _end(self, zap: zmq.Socket[bytes]) -> None:
        zap.close(0)
        self._context.term()
        self._wake_out.close()


def _shut(socket: zmq.Socket[bytes], monitor: zmq.Socket[bytes], linger: int = 0) -> None:
    socket.disable_monitor()
    monitor.close(0)
    socket.close(linger)


def _probe(address: str, public: bytes) -> None:
    """Call the listener with a key made for this call. Raises BusError unless it is refused for its key."""
    local = re.sub(r"//(\*|0\.0\.0\.0|\[::\]):", lambda match: "//[::1]:" if "[" in match[1] else "//127.0.0.1:", address)
    own_public, own_secret = make_key_pair()
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.ipv6 = "[" in local
        socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = own_public, own_secret, public
        verdicts = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        with socket.get_monitor_socket(verdicts) as monitor:
            socket.connect(local)
            event = parse_monitor_message(monitor.recv_multipart())["event"] if monitor.poll(1000 * _PROBE_S) else None
            socket.disable_monitor()
    if event != zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        found = "it was let in" if event else f"no answer came in {_PROBE_S} s"
        raise BusError(f"address {address}: expected the listener to refuse an unknown key, {found}; it does not listen, report this")
