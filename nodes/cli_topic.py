"""`seesay topic`: what flows in a running system. Verbs and flags follow `ros2 topic`."""

from __future__ import annotations

import os
import time

import typer

SESSION = typer.Option("", "--session", help="Which running system; by default the only one.")


def add(app: typer.Typer) -> None:
    topic = typer.Typer(help="Look at what flows in a running system.", no_args_is_help=True)
    topic.command(name="list")(list_topics)
    topic.command(name="echo")(echo)
    topic.command(name="hz")(hz)
    app.add_typer(topic, name="topic")


def list_topics(session: str = SESSION, as_json: bool = typer.Option(False, "--json", help="Print a JSON array.")) -> None:
    """List the topics that somebody publishes, with their type, expected rate and publishers."""
    from seesay import topics
    from seesay.bus import Bus
    from seesay.nodes import sessions
    from seesay.nodes.plain import dumps

    with Bus(sessions.running(session), _name()) as bus:
        publishers: dict[str, list[str]] = {}
        for name, node in bus.endpoints():
            publishers.setdefault(name, []).append(node)
    rows = []
    for name, nodes in publishers.items():
        topic = topics.find(name)
        rows.append({"name": name, "type": topic.type.__name__, "rate_hz": topic.rate_hz, "latched": topic.latched, "publishers": nodes})
    if as_json:
        typer.echo(dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("topic", "type", "expected rate", "latched", "publishers")
    for row in rows:
        rate = f"{row['rate_hz']:g} Hz" if row["rate_hz"] else ""
        table.add_row(str(row["name"]), str(row["type"]), rate, "yes" if row["latched"] else "", ", ".join(publishers[str(row["name"])]))
    Console().print(table)


def echo(
    name: str = typer.Argument(help="Topic, for example objects or camera/front/image."),
    count: int = typer.Option(0, "--count", "-n", min=0, help="Stop after so many messages; 0 goes on."),
    once: bool = typer.Option(False, "--once", help="Stop after the first message."),
    full: bool = typer.Option(False, "--full-length", "-f", help="Write long arrays out instead of their shape."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
    session: str = SESSION,
) -> None:
    """Print the messages of a topic as they come, until Ctrl-C."""
    from seesay import topics
    from seesay.bus import Bus
    from seesay.nodes import sessions
    from seesay.nodes.plain import dumps, plain

    left = 1 if once else count or -1
    with Bus(sessions.running(session), _name()) as bus:
        subscriber = bus.subscriber(topics.find(name))
        while left:
            received = subscriber.take()
            if received is None:
                break
            left -= 1
            value = plain(received.message, whole=full)
            typer.echo(dumps(value) if as_json else dumps(value, indent=2) + "\n---")


def hz(
    name: str = typer.Argument(help="Topic, for example camera/front/image."),
    window: float = typer.Option(5.0, "--window", "-w", min=0.5, help="Seconds to look back."),
    count: int = typer.Option(0, "--count", "-n", min=0, help="Stop after so many lines; 0 goes on."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
    session: str = SESSION,
) -> None:
    """Print the rate at which messages arrive, once a second, until Ctrl-C."""
    from seesay import topics
    from seesay.bus import Bus
    from seesay.nodes import sessions
    from seesay.nodes.rate import Rate

    topic = topics.find(name)
    with Bus(sessions.running(session), _name()) as bus:
        subscriber = bus.subscriber(topic, keep="all", depth=1000)
        rate, lines = Rate(window), 0
        while not count or lines < count:
            until = time.monotonic() + 1
            while (left := until - time.monotonic()) > 0:
                received = subscriber.take(left)
                if received is not None:
                    rate.add(received.received_ns / 1e9)
            typer.echo(rate.line(topic.rate_hz, subscriber.stats, as_json))
            lines += 1


def _name() -> str:
    return f"cli-{os.getpid()}"
