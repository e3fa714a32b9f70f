"""A gateway between the bus of this host and that of another one, over one authenticated and encrypted tcp connection.

One side listens, the other names its address; both then offer topics and take topics, over the same connection. Pictures travel coded
(`seesay._pictures`), everything else as it is. The dialing side estimates how far the two hosts' clocks are apart and moves the stamps
of all messages, in both directions, so that ages are right on both hosts. A topic lives on the other host as long as its publishers here
and the connection do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seesay import _link as protocol
from seesay._bus_remote import RemoteSocket
from seesay._clock_offset import OffsetEstimate
from seesay._link import Flow, Greeting, Link
from seesay._losses import Losses
from seesay._relay import Inbox, Relay, living
from seesay.codec import Part
from seesay.errors import BusError, SeeSayError, WireError
from seesay.keys import KeyPair
from seesay.messages import Header, LinkStatus
from seesay.pubsub import AnyBus, Received, Subscriber
from seesay.topics import Topic

_log = logging.getLogger(__name__)

SILENCE_S = 1.5
MAX_LINKS = 32
_PING_S = 0.5
_PINGS_TO_GREET = 4


class Gateway:
    """Carries the topics `offer` to other hosts, and from them what they offer and a pattern of `accept` matches ("*": everything).

    Decoded messages are published on `bus` in its own node's name. What that node publishes is never offered, so that two gateways do not
    send each other their own words. quality: of JPEG, 1 to 100. now_ns: this host's clock.
    """

    def __init__(
        self, bus: AnyBus, offer: Sequence[Topic[Any]], accept: Sequence[str], quality: int = 85,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._bus, self._accept, self._quality, self._now_ns = bus, tuple(accept), quality, now_ns
        self._offer = {topic.name: topic for topic in offer}
        self._latched: dict[str, dict[tuple[str, str], Received[Any]]] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._relay = Relay(bus)
        self._losses = Losses()
        self._living: list[str] = []
        self._links: dict[bytes, Link] = {}
        self._changed = threading.Condition()
        self._clock = OffsetEstimate()
        self._dialing = ""
        self._heard = self._pinged = 0.0
        self._refusal, self._closed = "", False
        self._socket: RemoteSocket | None = None
        self._threads: list[threading.Thread] = []

    def listen(self, address: str, pair: KeyPair, allowed: Callable[[], Mapping[bytes, str]]) -> str:
        """Listen at tcp://HOST:PORT for the holders of allowed keys; return the address, with the port if 0 was asked for.

        Raises BusError, also if an unknown key is not refused.
        """
        self._socket = RemoteSocket.listen(address, self, pair.public, pair.secret, allowed)
        self._begin()
        return self._socket.address

    def dial(self, address: str, pair: KeyPair, name: str, key: bytes) -> None:
        """Call the host `name`, whose public key is `key`, at tcp://HOST:PORT, now and whenever the connection is lost."""
        self._dialing, self._heard = name, time.monotonic()
        self._socket = RemoteSocket.dial(address, self, pair.public, pair.secret, key)
        self._begin()

    def status(self, header: Header) -> list[LinkStatus]:
        """How it stands with each peer that is there, for a dialer also with one that is not."""
        with self._changed:
            return protocol.statuses(header, self._links.values(), self._dialing, self._refusal)

    def close(self) -> None:
        """Say goodbye and stop. May be called twice."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            for route in self._links:
                self._send(route, [protocol.head(b"B"), b"the other gateway stopped"])
            self._changed.notify_all()
        for inbox in self._inboxes.values():
            inbox.wake()
        if self._socket:
            self._socket.close()
        for thread in self._threads:
            thread.join(timeout=10)

    # In the socket's thread, which alone changes `_links`.

    def received(self, route: bytes, peer: str, parts: list[Part]) -> None:
        peer = peer or self._dialing
        try:
            kind, number, topic = protocol.read_head(parts[0])
            link = self._links.get(route)
            if kind == b"P":
                self._answer(route, link, parts)
                if number and link is None:
                    self._send(route, [protocol.head(b"B"), b"you have not greeted"])
            elif kind == b"Q":
                self._measure(parts)
            elif kind == b"H":
                self._greet(route, peer, parts)
            elif kind == b"B":
                self._part(link, protocol.read_reason(parts))
            elif link is None:
                self._send(route, [protocol.head(b"B"), b"you have not greeted"])
            else:
                link.heard = time.monotonic()
                self._continue(link, kind, number, topic, parts)
        except (WireError, BusError) as error:
            self._refuse(route, peer, str(error))

    def lost(self, route: bytes, parts: Sequence[Part]) -> None:
        kind, _, topic = protocol.read_head(parts[0])
        if kind == b"M" and (link := self._links.get(route)) is not None:
            link.replaced += 1
            protocol.say_lost(self._offer[topic], f"it could not be sent to {link.peer}")

    def tick(self, heard: set[bytes]) -> None:
        now = time.monotonic()
        for route in heard & self._links.keys():
            self._links[route].heard = self._heard = now
        for link in [link for link in self._links.values() if now - link.heard > SILENCE_S]:
            self._drop(link, f"nothing heard for {SILENCE_S} s")
        if not self._dialing or self._socket is None:
            return
        if now - self._heard > SILENCE_S:
            self._heard, self._clock = now, OffsetEstimate()
            self._socket.reset()
        if now - self._pinged > (_PING_S if self._links or self._refusal else 0.0):
            self._pinged = now
            stamps = protocol.STAMPS.pack(self._now_ns(), self._clock.offset_ns, self._clock.error_ns)
            self._send(b"", [protocol.head(b"P", len(self._links)), stamps])

    def _answer(self, route: bytes, link: Link | None, parts: Sequence[Part]) -> None:
        arrived = self._now_ns()
        sent, offset, error = protocol.read_stamps(parts)
        self._send(route, [protocol.head(b"Q"), protocol.STAMPS.pack(sent, arrived, self._now_ns())])
        if link:
            link.heard, link.offset_ns, link.offset_error_ns = time.monotonic(), -offset, error

    def _measure(self, parts: Sequence[Part]) -> None:
        now = self._now_ns()
        self._clock.add(*protocol.read_stamps(parts), now)
        self._heard = time.monotonic()
        if link := self._links.get(b""):
            link.heard = self._heard
            link.note_clock(self._clock)
        elif self._clock.samples % _PINGS_TO_GREET == 0:
            self._send(b"", Greeting.of(self._offer.values()).parts())

    def _greet(self, route: bytes, peer: str, parts: Sequence[Part]) -> None:
        """The peer says what it offers: say what is wanted of it, and a listener what it offers."""
        chosen, strange = Greeting.read(parts).choose(self._accept)
        for old in [link for link in self._links.values() if link.peer == peer]:
            self._drop(old, "it greeted again")
        if len(self._links) >= MAX_LINKS:
            raise BusError(f"expected at most {MAX_LINKS} peers")
        for topic in chosen.values():
            if topic.name not in self._inboxes:
                inbox = self._inboxes[topic.name] = Inbox(topic)
                self._start(self._decode, inbox)
        link = Link(route, peer, set(chosen), note="; ".join(strange)[:400])
        link.note_clock(self._clock)
        with self._changed:
            self._links[route], self._refusal = link, ""
            self._losses.meet(link)
        if not self._dialing:
            self._send(route, Greeting.of(self._offer.values()).parts())
        self._send(route, protocol.names(b"W", chosen))
        _log.info("connected with %s, taking %s; %s", peer, ", ".join(chosen) or "nothing", link.note or "all its topics are known here")

    def _continue(self, link: Link, kind: bytes, number: int, name: str, parts: list[Part]) -> None:
        if kind == b"M" and name in link.taking:
            if self._inboxes[name].put(link, number, parts[1:]):
                self._send(link.route, [protocol.head(b"A", number, name)])
        elif kind == b"A" and name in link.flows:
            with self._changed:
                link.flows[name].acknowledge(number, 2 * link.offset_error_ns)
                self._changed.notify_all()
        elif kind == b"L":
            link.living = link.taking.intersection(protocol.read_names(parts))
            self._relay.set_living(link.living for link in self._links.values())
        elif kind == b"W":
            asked = protocol.read_names(parts)
            self._send(link.route, protocol.names(b"L", self._living))
            with self._changed:
                link.asked = True
                for topic in (self._offer[name] for name in asked if name in self._offer and name not in link.flows):
                    link.flows[topic.name] = Flow(topic, self._latched.get(topic.name, {}).values())
                self._changed.notify_all()

    def _part(self, link: Link | None, why: str) -> None:
        if link:
            self._drop(link, why)
        self._refusal = "" if link else why

    def _refuse(self, route: bytes, peer: str, why: str) -> None:
        """Tell the peer, and forget it until it greets again."""
        if self._refusal != why:
            _log.warning("refused what %s sent: %s", peer, why)
        if route in self._links:
            self._drop(self._links[route], why)
        self._refusal = why
        self._send(route, [protocol.head(b"B"), why.encode(errors="replace")[:400]])

    def _drop(self, link: Link, why: str) -> None:
        _log.info("disconnected from %s: %s", link.peer, why)
        with self._changed:
            del self._links[link.route]
            self._losses.part(link)
        self._relay.set_living(link.living for link in self._links.values())

    def _send(self, route: bytes, parts: Sequence[Part]) -> None:
        if self._socket is not None:
            self._socket.send(route, parts)

    # In threads of their own.

    def _begin(self) -> None:
        # Of a latched topic each publisher's last message counts: in a mailbox of one, what we publish for a peer would push it out.
        mine = self._bus.subscriber
        subscribers = [mine(topic, "all", protocol.MAX_LATCHED) if topic.latched else mine(topic) for topic in self._offer.values()]
        self._start(self._collect, subscribers)
        for topic in self._offer.values():
            self._start(self._code, topic)

    def _start(self, work: Callable[[Any], None], argument: Any) -> None:
        thread = threading.Thread(target=work, args=(argument,), name=f"bus-gateway-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _collect(self, subscribers: Sequence[Subscriber[Any]]) -> None:
        """Take what comes on the local bus into the mailboxes of all peers, and tell them whose publishers live."""
        told_at = 0.0
        while not self._closed:
            ready = self._bus.wait(subscribers, 0.2)
            if (now := living(subscribers, self._bus.node)) != self._living or time.monotonic() > told_at + _PING_S:
                self._living, told_at = now, time.monotonic()
                for link in [link for link in list(self._links.values()) if link.asked]:
                    self._send(link.route, protocol.names(b"L", now))
            for subscriber in ready:
                topic, news = subscriber.topic, [one for one in subscriber.take_all() if one.publisher != self._bus.node]
                with self._changed:
                    self._losses.miss(topic, len(news))
                    for received in news:
                        if topic.latched:
                            protocol.keep_latched(self._latched.setdefault(topic.name, {}), topic, received)
                        for link in self._links.values():
                            if topic.name in link.flows:
                                link.flows[topic.name].offer(received)
                    self._changed.notify_all()

    def _code(self, topic: Topic[Any]) -> None:
        """Send each peer its next message of a topic, when it may have one."""
        coded: tuple[Received[Any], list[Part]] | None = None

        def ready() -> list[Link]:
            return [link for link in self._links.values() if topic.name in link.flows and link.flows[topic.name].ready]

        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or ready())
                if self._closed:
                    return
                batch = [(link, *link.flows[topic.name].next()) for link in ready()]
            for link, number, received in batch:
                if coded is None or coded[0] is not received:
                    coded = received, protocol.pack(received.message, self._clock.offset_ns if self._dialing else 0, self._quality)
                self._send(link.route, [protocol.head(b"M", number, topic.name), *coded[1]])

    def _decode(self, inbox: Inbox) -> None:
        """Publish what came from other hosts on one topic."""
        while (waiting := inbox.take(lambda: self._closed)) is not None:
            link, number, parts = waiting
            try:
                if parts:
                    shift = -self._clock.offset_ns if self._dialing else 0
                    self._relay.send(inbox.topic, protocol.unpack(parts, inbox.topic.type, shift))
                    link.received += 1
            except SeeSayError as error:
                link.invalid += 1
                if link.invalid == 1:
                    _log.warning("topic %s: dropped a message of %s, the first of this connection: %s", inbox.topic.name, link.peer, error)
            if inbox.topic.keep == "all":
                self._send(link.route, [protocol.head(b"A", number, inbox.topic.name)])
