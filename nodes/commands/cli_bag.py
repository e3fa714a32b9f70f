"""`seesay record`, `play` and `bag`: recordings. Verbs and flags follow `ros2 bag`."""

from __future__ import annotations

from pathlib import Path

import typer

SESSION = typer.Option("", "--session", help="Which running system; by default the only one.")
JSON = typer.Option(False, "--json", help="Print JSON.")
STORAGE = typer.Option("mcap", "--storage", "-s", help="Format of the files; there is mcap only.")


def add(app: typer.Typer) -> None:
    bag = typer.Typer(help="Record, play and look at recordings, as ros2 bag does.", no_args_is_help=True)
    for group in (app, bag):
        group.command(name="record")(record)
        group.command(name="play")(play)
    bag.command(name="info")(info)
    bag.command(name="reindex")(reindex)
    bag.command(name="snapshot")(snapshot)
    app.add_typer(bag, name="bag")


def record(
    topics: list[str] = typer.Argument(None, help="Topics, or patterns such as 'camera/*'; by default all that are worth keeping."),
    everything: bool = typer.Option(False, "--all", "-a", help="Record every topic."),
    output: str = typer.Option("", "--output", "-o", help="The folder to make; by default bag_DATE."),
    exclude: list[str] = typer.Option([], "--exclude-topics", "-x", help="Topics or patterns to leave out; may be given several times."),
    max_bag_size: int = typer.Option(0, "--max-bag-size", "-b", min=0, help="Bytes after which the next file begins; 0 = never."),
    max_bag_duration: float = typer.Option(0.0, "--max-bag-duration", "-d", min=0, help="Seconds after which it begins; 0 = never."),
    snapshot_mode: bool = typer.Option(False, "--snapshot-mode", help="Keep the last minutes in memory until `seesay bag snapshot`."),
    max_cache_size: int = typer.Option(100 << 20, "--max-cache-size", min=1 << 20, help="Bytes of memory for that."),
    pictures: str = typer.Option("raw", help="raw (exact, fast), png (exact, slow) or jpeg (small); depth is always exact."),
    quality: int = typer.Option(90, min=1, max=100, help="Of jpeg."),
    storage: str = STORAGE,
    session: str = SESSION,
) -> None:
    """Record a running system until Ctrl-C, into files that `ros2 bag` and Foxglove open too.

        seesay record -o run1 --max-bag-duration 60
    """
    from seesay.nodes.commands.bags import check_storage, run_bag_node

    check_storage(storage)
    parameters = {
        "path": output, "topics": ["*"] if everything else list(topics or []), "without": exclude, "pictures": pictures, "quality": quality,
        "max_bytes": max_bag_size, "max_seconds": max_bag_duration, "snapshot": snapshot_mode, "memory_mb": max_cache_size >> 20,
        "stay": False,
    }  # fmt: skip
    raise typer.Exit(run_bag_node("record", parameters, session, join=True))


def play(
    bag: Path = typer.Argument(help="A recording: its folder, or one .mcap file."),
    rate: float = typer.Option(1.0, "--rate", "-r", min=1e-3, max=1e3, help="Recorded seconds a second."),
    clock: bool = typer.Option(False, "--clock", help="Let the recording be the time of nodes that run on simulated time."),
    loop: bool = typer.Option(False, "--loop", "-l", help="Again and again."),
    start_offset: float = typer.Option(0.0, "--start-offset", min=0, help="Seconds of the recording to skip."),
    topics: list[str] = typer.Option([], "--topics", help="Topics or patterns, comma-separated; by default all but commands."),
    remap: list[str] = typer.Option([], "--remap", "-m", metavar="OLD:=NEW", help="Play a topic under another name."),
    delay: float = typer.Option(1.0, "--delay", "-d", min=0, help="Seconds to wait for subscribers."),
    storage: str = STORAGE,
    session: str = typer.Option("", "--session", help="Session to join or to start."),
) -> None:
    """Play a recording: the same messages with the same stamps.

    What commands a robot (arm/command, skill_goal, instruction, emergency_stop) is played only when --topics names it.

        seesay play run1 --clock --topics 'camera/*,transforms,prompts'
    """
    from seesay.nodes.commands.bags import check_storage, parse_remap, run_bag_node

    check_storage(storage)
    names = [name.lstrip("/") for given in topics for name in given.replace(",", " ").split()]
    parameters = {
        "path": str(bag), "rate": rate, "clock": clock, "loop": loop, "start_offset_s": start_offset, "topics": names,
        "delay_s": delay, "remap": parse_remap(remap),
    }  # fmt: skip
    raise typer.Exit(run_bag_node("play", parameters, session, join=False))


def info(
    bag: Path = typer.Argument(help="A recording: its folder, or one .mcap file."),
    as_json: bool = JSON,
    storage: str = STORAGE,
) -> None:
    """Say what a recording holds: when, how long, topics with counts and rates, what was lost, configuration, and whether it is whole."""
    from seesay.nodes.commands.bags import check_storage, show_info

    check_storage(storage)
    show_info(bag, as_json)


def reindex(bag: Path = typer.Argument(help="A recording that was cut off."), as_json: bool = JSON) -> None:
    """Make a recording that was cut off whole again, so that `ros2 bag` and Foxglove open it as well."""
    from seesay.nodes.commands.bags import run_reindex

    run_reindex(bag, as_json)


def snapshot(
    node: str = typer.Option("record", "--node", help="Name of the recorder."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """Let a recorder in snapshot mode write what it has in memory."""
    from seesay.nodes.commands.bags import take_snapshot

    raise typer.Exit(take_snapshot(node, as_json, session))
