"""What `seesay ask` does."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seesay.bus import Bus
from seesay.errors import ConfigError, ServiceError
from seesay.messages import AskRequest, Header, Object, ObjectsRequest, Sighting, Sightings
from seesay.nodes import discovery, sessions
from seesay.nodes.commands.shell import say, shown, warn
from seesay.perception.prompts import clean, label
from seesay.services import ASK, OBJECTS

ANSWER_S = 15.0
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def run_ask(prompts: Sequence[str], since: str, camera: str, limit: int, as_json: bool, session: str) -> int:
    """Print the objects that go by the prompts now and the past pictures that show them; return the exit status.

    Raises ConfigError for bad input or a system without memory, ServiceError as the memory says.
    """
    texts, within_s, directory = clean(prompts), seconds(since), sessions.running(session)
    served = discovery.servers(directory)
    if ASK.name not in served:
        raise ConfigError(f"expected a node memory in {directory.name}, got none; add [nodes.memory] run = \"memory\" to its launch file")
    with Bus(directory, discovery.own_name()) as bus:
        past = bus.client(ASK).call(AskRequest(Header(0), texts, within_s, camera, limit), ANSWER_S)
        now = {text: _objects(bus, label(text)) for text in texts} if OBJECTS.name in served else {}
    if as_json:
        say(shown({"searched": past.searched, "objects": now, "sightings": past.sightings}, True))
    else:
        say("\n".join(line for text in texts for line in _lines(text, now.get(text, ()), past, since, camera)))
    return 0 if past.sightings or any(now.values()) else 1


def seconds(text: str) -> float:
    """`"30s"`, `"5m"`, `"1.5h"` or a number of seconds -> seconds, 0 for nothing. Raises ConfigError."""
    if not text:
        return 0.0
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(s|m|min|h|)", text.strip())
    if match is None or not float(match[1]):
        raise ConfigError(f"--since: expected a time such as 30s, 5m or 1h, got {text[:40]!r}")
    return float(match[1]) * _UNITS[match[2]]


def _objects(bus: Bus, name: str) -> tuple[Object, ...]:
    try:
        return bus.client(OBJECTS).call(ObjectsRequest(Header(0), name), ANSWER_S).objects
    except ServiceError as error:
        warn(f"seesay: the objects of now are left out: {error}")
        return ()


def _lines(text: str, objects: Sequence[Object], past: Sightings, since: str, camera: str) -> list[str]:
    sightings = [seen for seen in past.sightings if seen.prompt == text]
    lines = [f"  {'now':>10}  {thing.label} {thing.id}, {thing.status}{_at(thing.position)}" for thing in objects]
    lines += [_sighting(seen) for seen in sightings]
    if sightings or objects:
        return [text, *lines]
    where = f"{past.searched} pictures" + (f" of {camera}" if camera else "") + (f" of the last {since.strip()}" if since else "")
    return [f"{text}: not seen in the {where} that are remembered"]


def _sighting(seen: Sighting) -> str:
    box = ", ".join(f"{value:.0f}" for value in seen.box)
    return f"  {seen.age_s:6.1f} s ago  {seen.source.camera}, score {seen.score:.2f}{_at(seen.position)}, box {box}"


def _at(position: NDArray[np.float64] | None) -> str:
    return "" if position is None else f", at ({', '.join(f'{value:.3f}' for value in position)}) m"
