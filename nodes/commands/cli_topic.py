"""`seesay topic`: what flows in a running system. Verbs, flags and output follow `ros2 topic`."""

from __future__ import annotations

import typer

SESSION = typer.Option("", "--session", help="Which running system; by default the only one.")
NAME = typer.Argument(metavar="TOPIC", help="Topic, for example objects or camera/front/image.")
WINDOW = typer.Option(100, "--window", "-w", min=2, max=100_000, help="How many messages to look back.")
COUNT = typer.Option(0, "--count", "-n", min=0, help="Stop after so many lines; 0 goes on.")
JSON = typer.Option(False, "--json", help="Print JSON.")
JSON_LINES = typer.Option(False, "--json", help="One JSON object a line.")


def add(app: typer.Typer) -> None:
    topic = typer.Typer(help="Look at what flows in a running system, as ros2 topic does.", no_args_is_help=True)
    topic.command(name="list")(list_)
    topic.command()(find)
    topic.command()(echo)
    topic.command()(hz)
    topic.command()(bw)
    topic.command()(delay)
    topic.command()(info)
    topic.command(name="type")(type_)
    topic.command()(pub)
    app.add_typer(topic, name="topic")


def list_(
    types: bool = typer.Option(False, "--show-types", "-t", help="Show the type of each topic."),
    count: bool = typer.Option(False, "--count-topics", "-c", help="Show only how many there are."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """List the topics that somebody publishes or subscribes to."""
    from seesay.nodes.commands.listing import list_topics

    list_topics(types, count, as_json, session)


def find(
    kind: str = typer.Argument(metavar="TYPE", help="Type of message, for example Image."),
    count: bool = typer.Option(False, "--count-topics", "-c", help="Show only how many there are."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """List the topics of a type."""
    from seesay.nodes.commands.listing import find_topics

    find_topics(kind, count, as_json, session)


def echo(
    name: str = NAME,
    once: bool = typer.Option(False, "--once", help="Stop after the first message."),
    count: int = typer.Option(0, "--count", "-n", min=0, help="Stop after so many messages; 0 goes on."),
    field: str = typer.Option("", "--field", help="Show one field, for example objects[0].position."),
    no_arr: bool = typer.Option(False, "--no-arr", help="Show the shape of arrays only."),
    full: bool = typer.Option(False, "--full-length", "-f", help="Write long arrays out."),
    timeout: float = typer.Option(0.0, "--timeout", min=0.0, help="Give up when nothing comes for so many seconds; 0 never does."),
    as_csv: bool = typer.Option(False, "--csv", help="The values of a message in one line, with commas."),
    as_json: bool = JSON_LINES,
    session: str = SESSION,
) -> None:
    """Print the messages of a topic as they come, until Ctrl-C.

        seesay topic echo objects --field objects[0].position --once
    """
    from seesay.nodes.commands.topic_verbs import Echo
    from seesay.nodes.commands.topic_verbs import echo as do

    do(name, Echo(1 if once else count, field, no_arr, full, timeout, as_json, as_csv), session)


def hz(name: str = NAME, window: int = WINDOW, count: int = COUNT, as_json: bool = JSON_LINES, session: str = SESSION) -> None:
    """Print the rate at which messages arrive, once a second, until Ctrl-C."""
    from seesay.nodes.commands.meters import Rate, watch

    watch(name, Rate(window), count, as_json, session)


def bw(name: str = NAME, window: int = WINDOW, count: int = COUNT, as_json: bool = JSON_LINES, session: str = SESSION) -> None:
    """Print the bandwidth that a topic takes, once a second, until Ctrl-C."""
    from seesay.nodes.commands.meters import Bandwidth, watch

    watch(name, Bandwidth(window), count, as_json, session)


def delay(name: str = NAME, window: int = WINDOW, count: int = COUNT, as_json: bool = JSON_LINES, session: str = SESSION) -> None:
    """Print how old messages are by their stamp when they arrive, once a second, until Ctrl-C."""
    from seesay.nodes.commands.meters import Delay, watch

    watch(name, Delay(window), count, as_json, session)


def info(
    name: str = NAME,
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Show each publisher and subscriber with its quality of service."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """Show the type of a topic and who publishes and subscribes to it."""
    from seesay.nodes.commands.graph_verbs import topic_info

    topic_info(name, verbose, as_json, session)


def type_(name: str = NAME, as_json: bool = JSON) -> None:
    """Show the type of a topic."""
    from seesay.nodes.commands.topic_verbs import topic_type

    topic_type(name, as_json)


def pub(
    name: str = NAME,
    words: list[str] = typer.Argument(metavar="[TYPE] VALUES", help='The message as YAML or JSON, for example "{text: stack the blocks}".'),
    once: bool = typer.Option(False, "--once", "-1", help="Publish once, when a subscriber is there."),
    rate: float = typer.Option(1.0, "--rate", "-r", min=0.001, max=10_000.0, help="Messages a second."),
    times: int = typer.Option(0, "--times", "-t", min=0, help="Stop after so many messages; 0 goes on."),
    wait: int = typer.Option(1, "--wait-matching-subscriptions", "-w", min=0, help="Wait until so many subscribers are there."),
    timeout: float = typer.Option(10.0, "--timeout", min=0.0, help="Give up waiting for subscribers after so many seconds."),
    as_json: bool = JSON_LINES,
    session: str = SESSION,
) -> None:
    """Publish messages to a topic, until Ctrl-C. The header is stamped now where it is left out.

        seesay topic pub --once instruction "{id: '1', text: put the red block in the green bowl}"
    """
    from seesay.nodes.commands.topic_verbs import Pub
    from seesay.nodes.commands.topic_verbs import pub as do

    do(name, words, Pub(1 if once else times, rate, wait, timeout, as_json), session)
