"""What `seesay record`, `play` and `bag` do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from seesay.bus import Bus
from seesay.errors import ConfigError
from seesay.messages import Header, Trigger
from seesay.nodes import sessions
from seesay.nodes.plain import dumps
from seesay.services import SNAPSHOT
from seesay.topics import CLOCK


def check_storage(storage: str) -> None:
    """Raise ConfigError for a storage format that there is not."""
    if storage != "mcap":
        raise ConfigError(f"storage: expected mcap, got {storage!r}; convert others with `ros2 bag convert` or `rosbags-convert`")


def parse_remap(given: Sequence[str]) -> dict[str, str]:
    """Turn OLD:=NEW into a mapping; a leading / is left out. Raises ConfigError."""
    made = {}
    for one in given:
        old, mark, new = one.partition(":=")
        if not (old and mark and new):
            raise ConfigError(f"remap: expected OLD:=NEW such as /camera/color/image_raw:=camera/front/image, got {one!r}")
        made[old.removeprefix("/")] = new.removeprefix("/")
    return made


def run_bag_node(node: str, parameters: Mapping[str, Any], session: str, join: bool) -> int:
    """Run the node record or play here until it ends or Ctrl-C; join: only in a session that runs. Raises ConfigError."""
    from seesay.nodes import logs
    from seesay.nodes.runtime import serve

    directory = sessions.running(session) if join or (sessions.live() and not session) else sessions.directory(session)
    with Bus(directory, f"{node}-{os.getpid()}") as bus:
        clocks = [name for topic, name in bus.endpoints() if topic == CLOCK.name]
        names = {name for _, name in bus.endpoints()}
    if parameters.get("clock") and clocks:
        raise ConfigError(f"clock: {clocks[0]} is the clock of this session already; play without --clock, or in another --session")
    logs.set_up()
    name = next(name for count in range(1, 1000) if (name := node if count == 1 else f"{node}-{count}") not in names)
    return serve(node, directory, name, parameters, "sim" if clocks and node == "record" else "monotonic")


def show_info(path: Path, as_json: bool) -> None:
    """Print what is in a recording. Raises BagError."""
    from seesay.bag.reader import BagReader

    info = BagReader(path).info()
    if as_json:
        typer.echo(dumps(info.plain()))
        return
    simulated = info.clock == "sim"
    lines = [
        ("Files", ", ".join(info.files)),
        ("Bag size", f"{info.bytes / (1 << 20):.1f} MiB"),
        ("Storage id", "mcap"),
        ("Duration", f"{info.duration_s:.3f} s"),
        ("Start", _moment(info.start_ns, simulated)),
        ("End", _moment(info.end_ns, simulated)),
        ("Messages", str(info.messages)),
        ("Clock", f"{info.clock}, recorded {info.recording.get('started', 'at an unknown time')}"),
        ("State", info.damage or "whole"),
    ]
    for name, value in lines:
        typer.echo(f"{name + ':':<19}{value}")
    typer.echo("Topic information:")
    for topic in info.topics:
        typer.echo(f"  Topic: {topic.topic} | Type: {topic.type} | Count: {topic.messages} | Rate: {topic.rate_hz:.2f} Hz")
    lost = [f"{name} {', '.join(f'{n} {why}' for why, n in counts.items() if n)}" for name, counts in info.losses.items()]
    typer.echo(f"{'Lost:':<19}{'; '.join(lost) or 'nothing' if info.recording else 'unknown'}")
    typer.echo("Configuration:" if info.configuration else f"{'Configuration:':<19}none")
    for node, parameters in sorted(info.configuration.items()):
        typer.echo(f"  {node}: {dumps(parameters)}")


def run_reindex(path: Path, as_json: bool) -> None:
    """Repair the files of a recording that are not whole. Raises BagError."""
    from seesay.bag.repair import repair

    repaired = repair(path)
    if as_json:
        typer.echo(dumps({"repaired": repaired}))
        return
    typer.echo(f"made whole again: {', '.join(repaired)}" if repaired else "nothing to do: it is whole")


def take_snapshot(node: str, as_json: bool, session: str) -> int:
    """Ask a recorder for its snapshot and print where it is. Return 1 if it cannot."""
    with Bus(sessions.running(session), f"snapshot-{os.getpid()}") as bus:
        reply = bus.client(SNAPSHOT.of(node=node)).call(Trigger(Header(0)), 60.0)
    if as_json:
        typer.echo(dumps({"success": reply.success, "message": reply.message}))
    else:
        typer.echo(reply.message, err=not reply.success)
    return 0 if reply.success else 1


def _moment(time_ns: int, simulated: bool) -> str:
    if simulated:
        return f"{time_ns / 1e9:.3f} s of simulated time"
    return f"{datetime.fromtimestamp(time_ns / 1e9).astimezone():%b %d %Y %H:%M:%S.%f %z} ({time_ns / 1e9:.9f})"
