"""What `seesay topic echo`, `type` and `pub` do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seesay.errors import BusError, ConfigError
from seesay.nodes import sessions
from seesay.nodes.commands.shell import field_of, make_message, say, shown, split_type, to_csv, topic_name, warn
from seesay.nodes.discovery import own_name, publishers

KEEP_ALIVE_S = 0.3   # so that subscribers that look around just now find the last message


@dataclass(frozen=True)
class Echo:
    """Options of `echo`. count: 0 goes on. timeout_s: 0 waits for ever."""

    count: int = 0
    field: str = ""
    no_arrays: bool = False
    full: bool = False
    timeout_s: float = 0.0
    as_json: bool = False
    as_csv: bool = False


@dataclass(frozen=True)
class Pub:
    """Options of `pub`. times: 0 goes on. subscribers: how many to wait for, at most `timeout_s`."""

    times: int = 0
    rate_hz: float = 1.0
    subscribers: int = 1
    timeout_s: float = 10.0
    as_json: bool = False


def topic_type(name: str, as_json: bool) -> None:
    """Print the type of a topic."""
    kind = find_topic(name).type.__name__
    say(shown(kind, True) if as_json else kind)


def echo(name: str, options: Echo, session: str) -> None:
    """Print messages. Raises BusError when nothing came in time, ConfigError for a field that is not there."""
    from seesay.bus import Bus

    if options.as_json and options.as_csv:
        raise ConfigError("--json, --csv: expected one of them, got both")
    directory = sessions.running(session)
    topic = find_topic(name, directory)
    _warn_if_silent(topic.name, publishers(directory))
    left = options.count or -1
    with Bus(directory, own_name()) as bus:
        subscriber = bus.subscriber(topic, keep="all", depth=max(100, topic.depth) if not _is_large(topic) else 1)
        while left:
            received = subscriber.take(options.timeout_s or None)
            if received is None:
                raise BusError(f"topic {topic.name}: nothing came within {options.timeout_s:g} s; check that somebody publishes it")
            left -= 1
            value = field_of(received.message, options.field)
            if options.no_arrays:
                value = _without_arrays(value)
            text = to_csv(value, options.full) if options.as_csv else shown(value, options.as_json, options.full)
            say(text if options.as_json or options.as_csv else f"{text}\n---")


def pub(name: str, words: Sequence[str], options: Pub, session: str) -> None:
    """Publish a message, `times` times or until Ctrl-C. Raises ConfigError for a wrong message, BusError when nobody listens."""
    from seesay.bus import Bus

    directory = sessions.running(session)
    topic = find_topic(name, directory)
    text = split_type(words, topic.type.__name__, '"{text: hello}"')
    make_message(topic.type, text, f"topic {topic.name}")
    with Bus(directory, own_name()) as bus:
        publisher = bus.publisher(topic)
        if not publisher.wait_for_subscribers(options.subscribers, options.timeout_s):
            wanted = f"{options.subscribers} subscribers within {options.timeout_s:g} s, got {publisher.subscribers}"
            raise BusError(f"topic {topic.name}: expected {wanted}; -w 0 publishes without")
        number, due = 0, time.monotonic()
        while not options.times or number < options.times:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due + 1 / options.rate_hz, time.monotonic())
            number += 1
            message = make_message(topic.type, text, f"topic {topic.name}")
            publisher.send(message)
            say(shown(message, True) if options.as_json else f"publishing #{number}: {shown(message, True)}")
        time.sleep(KEEP_ALIVE_S)


def find_topic(name: str, session: Path | None = None) -> Any:
    """The topic of the table, or with a session also one that a node has remapped. Raises ConfigError that names those there are."""
    from seesay import topics

    name = topic_name(name)
    try:
        return topics.find(name)
    except BusError as error:
        if session is not None and (found := _remapped(name, session)) is not None:
            return found
        raise ConfigError(str(error)) from error


def _remapped(name: str, session: Path) -> Any:
    """The topic as its publishers describe it; None if nobody does."""
    from seesay import topics
    from seesay.bus import Bus
    from seesay.nodes.graph import ask_graph

    with Bus(session, own_name()) as bus:
        replies = ask_graph(bus, publishers(session).get(name, []))
    types = {end.type for reply in replies.values() if reply for end in reply.publishers if end.topic == name}
    return next((replace(topic, name=name) for topic in topics.TOPICS.values() if topic.type.__name__ in types), None)


def _warn_if_silent(name: str, found: dict[str, list[str]]) -> None:
    if name not in found:
        warn(f"WARNING: topic [{name}] does not appear to be published yet")


def _is_large(topic: Any) -> bool:
    from seesay.messages import Image

    return topic.type is Image


def _without_arrays(value: Any) -> Any:
    """Arrays of any length as their shape, also inside dicts and lists."""
    import dataclasses

    import numpy as np

    if isinstance(value, np.ndarray):
        return f"<array of shape {list(value.shape)}, {value.dtype}>"
    if dataclasses.is_dataclass(value):
        return {field.name: _without_arrays(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _without_arrays(item) for key, item in value.items()}
    return [_without_arrays(item) for item in value] if isinstance(value, list | tuple) else value
