"""What `seesay launch` and `seesay run` do."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from collections.abc import Sequence

from rich.console import Console

from seesay import topics
from seesay.bus import Bus
from seesay.config import Launch, declared_arguments, load_launch, parse_overrides
from seesay.errors import ConfigError
from seesay.nodes import launch_files, sessions
from seesay.nodes.commands.telling import instruction_of
from seesay.nodes.names import Names
from seesay.nodes.plain import dumps
from seesay.nodes.runtime import load_node, serve
from seesay.nodes.stop_orders import kept_stop
from seesay.nodes.supervisor import Supervisor

READY_S = 300.0
LOOK_S = 0.5


def run_launch(file: str, given: Sequence[str], settings: Sequence[str], session: str, do: str) -> int:
    """Run all nodes of a launch file until Ctrl-C (then 130), or until one fails for good, or all have ended (0)."""
    launch = _with_terminal(_load(file, given, settings))
    directory = sessions.directory(session)
    if sessions.is_live(directory):
        raise ConfigError(f"session: {directory.name!r} runs already; stop it, or give this one another name with --session")
    instruction = instruction_of(do) if do else None
    console = Console(stderr=True)
    with Supervisor(launch, directory) as supervisor:
        console.print(f"{launch.name}: {len(launch.nodes)} nodes, session {directory}", highlight=False)
        if reason := kept_stop(directory):
            console.print(f"the emergency stop is engaged ({reason}); `seesay stop --release` releases it", style="red", highlight=False)
        supervisor.wait_ready(READY_S)
        console.print("all ready; Ctrl-C stops them", highlight=False)
        with Bus(directory, "launch") as bus:
            if instruction is not None:
                bus.publisher(topics.INSTRUCTION).send(instruction)
            ticks = bus.subscriber(topics.LAUNCH_STATUS)
            while not all(node.state in ("stopped", "failed") for node in supervisor.nodes()):
                ticks.take(LOOK_S)
                supervisor.check()
    return 0


def show_arguments(file: str, as_json: bool) -> int:
    """Print what the launch file may be given."""
    arguments = declared_arguments(launch_files.find(file))
    if as_json:
        sys.stdout.write(dumps(arguments) + "\n")
        return 0
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"] if arguments else ["No arguments."]
    for argument in arguments:
        default = "required" if argument.default is None else f"default: {dumps(argument.default)}"
        lines += ["", f"    '{argument.name}':", f"        {argument.help or 'no description given'}", f"        ({default})"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def show_configuration(file: str, given: Sequence[str], settings: Sequence[str], as_json: bool) -> int:
    """Print the launch as it would run: includes and arguments put in, every parameter with its value."""
    import tomli_w

    launch = _load(file, given, settings).effective(lambda run: load_node(run).Config)
    sys.stdout.write(dumps(launch.table()) + "\n" if as_json else tomli_w.dumps(launch.table()))
    return 0


def run_node(node: str, name: str, settings: Sequence[str], remaps: Sequence[str], namespace: str, session: str) -> int:
    """Run one node in this process until Ctrl-C. A session whose clock is simulated is joined on simulated time."""
    names = Names(namespace.strip("/"), dict(_pair(text, "FROM:=TO") for text in remaps))
    load_node(node)   # a wrong name is told before a session is made
    parameters = parse_overrides(settings)
    directory = sessions.running(session) if sessions.live() and not session else sessions.directory(session)
    with Bus(directory, f"run-{os.getpid()}") as bus:
        simulated = any(topic == topics.CLOCK.name for topic, _ in bus.endpoints())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    return serve(node, directory, name or node.rpartition(".")[2], parameters, "sim" if simulated else "monotonic", names=names)


def _load(file: str, given: Sequence[str], settings: Sequence[str]) -> Launch:
    return load_launch(launch_files.find(file), settings, dict(_pair(text, "NAME:=VALUE") for text in given))


def _pair(text: str, wanted: str) -> tuple[str, str]:
    """`name:=value`, as ROS 2 writes it, or `name=value`."""
    name, equals, value = text.partition(":=") if ":=" in text else text.partition("=")
    if not equals or not name:
        raise ConfigError(f"expected {wanted}, got {text!r}")
    return name, value


def _with_terminal(launch: Launch) -> Launch:
    """Let a view draw on this terminal: nodes have none of their own."""
    terminal = os.ttyname(1) if os.isatty(1) else ""
    nodes = [
        dataclasses.replace(spec, parameters={"terminal": terminal} | spec.parameters) if spec.run == "view" and terminal else spec
        for spec in launch.nodes
    ]
    return dataclasses.replace(launch, nodes=tuple(nodes))
