"""Attacks on a listening gateway, on real sockets: each is refused, and the gateway goes on serving its honest peer."""

from __future__ import annotations

import json
import random
import socket as sockets
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import zmq
from zmq.utils.monitor import parse_monitor_message

from seesay import _bus_remote, keys
from seesay._link import VERSION, head
from seesay.codec import encode
from seesay.errors import BusError, ConfigError
from seesay.messages import SCHEMA, Header, PromptSet
from seesay.remote import Gateway
from seesay.topics import PROMPTS

if TYPE_CHECKING:
    from tests.security.conftest import Host

LONG = 30
GREETING = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01CURVE".ljust(32, b"\0") + bytes(32)


def until(condition: Callable[[], bool], seconds: float = LONG) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


class Victim:
    """A robot that listens, and an honest laptop that is connected with it."""

    def __init__(self, host: Callable[[str], Host]) -> None:
        self.robot, self.laptop, self.stranger = host("robot"), host("laptop"), host("stranger")
        self.robot.let_in(self.laptop)
        self.address = self.robot.listen([PROMPTS], accept=["prompts"])
        self.port = int(self.address.rpartition(":")[2])
        self.gateway = self.laptop.dial(self.address, self.robot, accept=["*"])
        self.prompts = self.laptop.bus.subscriber(PROMPTS)
        assert until(lambda: is_up(self.gateway))

    def serves(self) -> bool:
        """Whether a message still reaches the honest peer."""
        publisher = self.robot.bus.publisher(PROMPTS)
        publisher.send(PromptSet(Header(0), publisher.sequence + 1, ()))
        return until(lambda: (newest := self.prompts.latest()) is not None and newest.message.version == publisher.sequence)

    def let_in(self, host: Host) -> None:
        self.robot.let_in(host)


@pytest.fixture
def victim(host: Callable[[str], Host]) -> Victim:
    return Victim(host)


def is_up(gateway: Gateway) -> bool:
    return [row.state for row in gateway.status(Header(0))] == ["up"]


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


@contextmanager
def caller(victim: Victim, pair: keys.KeyPair | None, server: bytes | None = None) -> Iterator[tuple[Any, Callable[[], str]]]:
    """A plain ZeroMQ socket that calls the victim with a key pair (None: without security), and how its handshake ended."""
    verdicts: dict[int, str] = {
        zmq.EVENT_HANDSHAKE_SUCCEEDED: "let in", zmq.EVENT_HANDSHAKE_FAILED_AUTH: "key refused", zmq.EVENT_DISCONNECTED: "cut",
        zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "protocol refused", zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "no handshake",
    }  # fmt: skip
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.reconnect_ivl = -1
        if pair:
            socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
            socket.curve_serverkey = server or victim.robot.pair.public
        with socket.get_monitor_socket(sum(verdicts)) as monitor:

            def verdict() -> str:
                assert monitor.poll(LONG * 1000)
                return verdicts[parse_monitor_message(monitor.recv_multipart())["event"]]

            socket.connect(victim.address)
            yield socket, verdict
            socket.disable_monitor()


def test_without_a_key_with_an_unknown_key_or_with_a_wrong_server_key_nobody_comes_in(victim: Victim) -> None:
    with caller(victim, None) as (_, verdict):
        assert verdict() in ("protocol refused", "no handshake", "cut")
    with caller(victim, victim.stranger.pair) as (_, verdict):
        assert verdict() == "key refused"
    with caller(victim, victim.laptop.pair, victim.stranger.pair.public) as (_, verdict):
        assert verdict() in ("protocol refused", "no handshake", "cut")
    with caller(victim, victim.laptop.pair) as (_, verdict):
        assert verdict() == "let in"
    assert victim.serves()


def test_a_revoked_key_is_refused_when_it_comes_again(victim: Victim) -> None:
    (victim.robot.folder / "allowed" / "laptop.public").unlink()
    assert victim.serves()
    with caller(victim, victim.laptop.pair) as (_, verdict):
        assert verdict() == "key refused"
    (victim.robot.folder / "allowed").rmdir()
    with caller(victim, victim.laptop.pair) as (_, verdict):
        assert verdict() == "key refused"


def test_a_listener_that_would_let_in_a_stranger_does_not_start(host: Callable[[str], Host]) -> None:
    class Everybody(dict[bytes, str]):
        def get(self, key: bytes, default: Any = None) -> str:
            return "anybody"

    robot = host("robot")
    gateway = Gateway(robot.bus, [PROMPTS], ())
    with pytest.raises(BusError, match="expected the listener to refuse an unknown key, it was let in"):
        gateway.listen("tcp://127.0.0.1:0", robot.pair, Everybody)
    assert listening() == []


def test_a_listener_without_a_working_authenticator_does_not_start(host: Callable[[str], Host], monkeypatch: pytest.MonkeyPatch) -> None:
    """libzmq asks nobody if no handler of ZAP is there; with an enforced domain it then lets nobody in."""
    monkeypatch.setattr(_bus_remote, "_ZAP", "inproc://nobody.asks.here")
    monkeypatch.setattr(_bus_remote, "_PROBE_S", 1)
    robot = host("robot")
    with pytest.raises(BusError, match="expected the listener to refuse an unknown key"):
        Gateway(robot.bus, [PROMPTS], ()).listen("tcp://127.0.0.1:0", robot.pair, lambda: {robot.pair.public: "robot"})
    assert listening() == []


def listening() -> list[int]:
    return [c.laddr.port for c in psutil.Process().net_connections("inet") if c.status == psutil.CONN_LISTEN]


def test_one_port_listens_and_no_other(victim: Victim) -> None:
    assert listening() == [victim.port]


@pytest.mark.parametrize("address", ["tcp://robot", "tcp://robot:70000", "ipc:///tmp/x", "tcp://a b:1", "tcp://;lo:7447", "", "udp://h:1"])
def test_what_is_no_tcp_address_is_refused(address: str, host: Callable[[str], Host]) -> None:
    robot = host("robot")
    with pytest.raises(ConfigError, match="expected tcp://HOST:PORT"):
        Gateway(robot.bus, [PROMPTS], ()).dial(address, robot.pair, "other", robot.pair.public)


def garbage(chance: random.Random) -> bytes:
    """Bytes for a raw connection: noise, a cut greeting, a greeting with noise, huge frames, endless small commands, an old protocol."""
    noise = chance.randbytes(chance.randint(0, 2000))
    return chance.choice([
        noise,
        GREETING[: chance.randint(1, 63)],
        GREETING + noise,
        GREETING.replace(b"CURVE", b"NULL\0") + b"\x04\x05READY" + noise,
        GREETING.replace(b"CURVE", b"PLAIN") + noise,
        GREETING + b"\x06" + struct.pack(">Q", chance.choice([1 << 62, (1 << 64) - 1, 1 << 24])) + noise,
        GREETING + b"\x04\xc8\x05HELLO" + chance.randbytes(194),
        GREETING + b"\x04\x01\0" * 500,
        GREETING + b"\x01\x01x" * 500,
        b"\x01\x00" + noise,
        b"GET / HTTP/1.1\r\n\r\n",
    ])  # fmt: skip


def test_garbage_on_the_port_is_survived(victim: Victim) -> None:
    chance, before, held = random.Random(1), resident(), []
    for number in range(200):
        connection = sockets.create_connection(("127.0.0.1", victim.port), timeout=LONG)
        held.append(connection)
        with suppress(ConnectionError):
            connection.sendall(garbage(chance))
        if number % 50 == 49:
            for old in held:
                old.close()
            held.clear()
            assert victim.serves()
    assert resident() - before < 64 << 20


def test_idle_connections_do_not_keep_an_honest_peer_out(victim: Victim) -> None:
    idle = [sockets.create_connection(("127.0.0.1", victim.port), timeout=LONG) for _ in range(100)]
    with caller(victim, victim.laptop.pair) as (_, verdict):
        assert verdict() == "let in"
    for connection in idle:
        connection.close()
    assert victim.serves()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a connection's bytes")
def test_a_stranger_that_sends_and_sends_is_cut(victim: Victim) -> None:
    sent = 0
    with sockets.create_connection(("127.0.0.1", victim.port), timeout=LONG) as connection:
        connection.sendall(GREETING + b"\x06" + struct.pack(">Q", 15 << 20))
        with suppress(ConnectionError):
            while sent < 15 << 20:
                sent += connection.send(bytes(65536))
                time.sleep(0.01)
    assert sent < 15 << 20
    assert victim.serves()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a connection's bytes")
def test_a_message_without_an_end_is_cut_also_from_the_holder_of_a_key(victim: Victim) -> None:
    victim.let_in(victim.stranger)
    pair, before, peak = victim.stranger.pair, resident(), 0
    words = [key.decode() for key in (pair.public, pair.secret, victim.robot.pair.public)]
    program = [sys.executable, str(Path(__file__).with_name("send_endlessly.py")), victim.address, *words, "4000", "65536"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, resident())
            time.sleep(0.005)
        assert process.stdout is not None
        assert process.stdout.read() == "cut\n"
    assert peak - before < 128 << 20
    assert victim.serves()


def test_a_part_above_the_limit_cuts_its_sender_only(victim: Victim) -> None:
    victim.let_in(victim.stranger)
    with caller(victim, victim.stranger.pair) as (socket, verdict):
        assert verdict() == "let in"
        socket.send(bytes(_bus_remote.MAX_MESSAGE_BYTES + 1))
        assert verdict() == "cut"
    assert victim.serves()


def test_words_that_are_none_are_answered_with_the_reason(victim: Victim) -> None:
    victim.let_in(victim.stranger)
    greeting = {"version": VERSION, "schema": SCHEMA, "offers": {}}
    wrong: list[tuple[list[bytes], str]] = [
        ([b""], "head: expected 9 to 73 bytes"),
        ([b"x" * 500], "head: expected 9 to 73 bytes"),
        ([head(b"H")], "expected one part"),
        ([head(b"H"), b"{"], "not JSON"),
        ([head(b"H"), b"[" * 60000], "not JSON"),
        ([head(b"H"), b"7"], f"greeting: expected protocol version {VERSION} and message schema 1, got 7"),
        ([head(b"H"), json.dumps({**greeting, "version": 99}).encode()], f"message schema {SCHEMA}, got (99, {SCHEMA})"),
        ([head(b"H"), json.dumps({**greeting, "schema": 99}).encode()], f"got ({VERSION}, 99); update one host"),
        ([head(b"H"), json.dumps({**greeting, "offers": {"a": 7}}).encode()], "expected str, got int"),
        ([head(b"H"), json.dumps({**greeting, "offers": {str(i): "x" for i in range(300)}}).encode()], "at most 256 topics"),
        ([head(b"H"), b'{"version": "\\ud800"}'], r"got ('\ud800', None)"),
        ([head(b"H"), json.dumps({**greeting, "offers": {"\ud800": "x"}}).encode()], r"names of at most 64 plain characters, got '\ud800'"),
        ([head(b"P"), b"short"], "stamps: expected one part of 24 bytes"),
        ([head(b"M", 1, "prompts"), b"x"], "you have not greeted"),
    ]
    with caller(victim, victim.stranger.pair) as (socket, verdict):
        assert verdict() == "let in"
        for parts, reason in wrong:
            socket.send_multipart(parts)
            assert socket.poll(LONG * 1000)
            answer = socket.recv_multipart()
            assert answer[0] == head(b"B")
            assert reason in answer[1].decode()
        socket.send_multipart([b"x"] * 6000)
    assert victim.serves()


def test_a_peer_that_was_forgotten_is_told_so(victim: Victim) -> None:
    """A listener that had been frozen drops its peers; one that only takes would not notice by itself."""
    robot = victim.robot.gateways[0]
    with robot._changed:
        robot._links.clear()
    assert until(lambda: is_up(robot) and is_up(victim.gateway))
    assert victim.serves()


def test_a_greeted_peer_that_breaks_every_rule_fills_nothing(victim: Victim, caplog: pytest.LogCaptureFixture) -> None:
    """It sends without waiting, old numbers, topics that nobody takes, and things that are no messages."""
    victim.let_in(victim.stranger)
    taken, before = victim.robot.bus.subscriber(PROMPTS, keep="all", depth=10000), resident()
    words = [bytes(part) for part in encode(PromptSet(Header(0), 1, ("cup",)))]
    with caller(victim, victim.stranger.pair) as (socket, verdict):
        assert verdict() == "let in"
        socket.send_multipart([head(b"H"), json.dumps({"version": VERSION, "schema": SCHEMA, "offers": {"prompts": "PromptSet"}}).encode()])
        for number in range(5000):
            socket.send_multipart([head(b"M", number % 7, "prompts"), *words])
            socket.send_multipart([head(b"M", number, "arm/command"), bytes(1000)])
            socket.send_multipart([head(b"M", 1 << 63, "prompts"), bytes(1000)])
            socket.send_multipart([head(b"A", 1 << 63, "prompts")])
            socket.send_multipart([head(b"W"), b'["prompts", "arm/command"]'])
        assert until(lambda: taken.stats.received > 0 and "dropped a message of stranger" in caplog.text)
    assert resident() - before < 64 << 20
    assert victim.serves()


class Relay(threading.Thread):
    """Sits between a caller and the victim and keeps what the caller said."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.said = port, b""
        self.server = sockets.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"

    def run(self) -> None:
        caller, _ = self.server.accept()
        with caller, sockets.create_connection(("127.0.0.1", self.port)) as there:
            back = threading.Thread(target=self._copy, args=(there, caller, False))
            back.start()
            self._copy(caller, there, True)
            back.join()

    def _copy(self, source: sockets.socket, target: sockets.socket, keep: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.said += data if keep else b""
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(sockets.SHUT_RDWR)


def test_replayed_bytes_say_nothing(victim: Victim) -> None:
    victim.let_in(victim.stranger)
    heard: list[str] = []
    original = victim.robot.gateways[0].received
    relay = Relay(victim.port)
    relay.start()
    gateway = victim.robot.gateways[0]

    def listen(route: bytes, peer: str, parts: list[Any]) -> None:
        heard.append(peer)
        original(route, peer, parts)

    gateway.received = listen  # type: ignore[method-assign]
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.curve_publickey, socket.curve_secretkey = victim.stranger.pair.public, victim.stranger.pair.secret
        socket.curve_serverkey = victim.robot.pair.public
        socket.connect(relay.address)
        socket.send_multipart([head(b"P"), bytes(24)])
        assert socket.poll(LONG * 1000)
    relay.join(LONG)
    relay.server.close()
    assert heard.count("stranger") == 1
    assert len(relay.said) > 300
    with sockets.create_connection(("127.0.0.1", victim.port), timeout=LONG) as connection:
        connection.sendall(relay.said)
        with suppress(ConnectionError):
            while connection.recv(65536):
                pass
    assert victim.serves()
    assert heard.count("stranger") == 1


def test_secrets_are_not_in_logs_or_status(victim: Victim, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with caller(victim, victim.stranger.pair) as (_, verdict):
        assert verdict() == "key refused"
    shown = caplog.text + str(victim.gateway.status(Header(0))) + repr(victim.robot.pair)
    assert not any(host.pair.secret.decode() in shown for host in (victim.robot, victim.laptop, victim.stranger))
