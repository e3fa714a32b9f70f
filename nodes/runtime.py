"""What every node is given, and the process around it: `python -m seesay.nodes.runtime detector --session DIR --name N --config JSON`.

A node is one file of at most 80 lines: a frozen dataclass `Config`, and `run(node, config)`, which returns when `node.stop` is set.

Its life-cycle, as ROS 2 has it: configuring is what `run` does before it calls `node.ready()`; then the node is active ("ready").
Deactivated ("inactive"), it waits and says nothing but its state. Configured again, `run` returns and is called once more, with the
parameters that were set meanwhile. The services NODE/lifecycle and NODE/parameters ask for all that, NODE/graph for the topics.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from seesay.bus import Bus
from seesay.clock import MonotonicClock, SimClock
from seesay.config import from_mapping
from seesay.errors import ConfigError, SeeSayError, UserError
from seesay.nodes import logs
from seesay.nodes.lifecycle import Lifecycle
from seesay.nodes.lifetime import INTERRUPTED, Lifetime
from seesay.nodes.names import Names
from seesay.nodes.node import Node, State
from seesay.nodes.parameters import Parameters
from seesay.topics import CLOCK, NODE_STATUS

__all__ = ["USER_ERROR", "Node", "NodeModule", "State", "load_node", "main", "node_names", "serve"]

HEARTBEAT_S = 1.0
USER_ERROR = 2


class NodeModule(Protocol):
    """What a node's file holds."""

    Config: type[Any]

    @staticmethod
    def run(node: Node, config: Any) -> None: ...


def node_names() -> list[str]:
    """Return the names of the nodes that ship with the package."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file.stem for file in files if "\ndef run(node: Node, config: Config)" in file.read_text(encoding="utf-8")]


def load_node(run: str) -> NodeModule:
    """Import a node: the name of a file in nodes/, or the dotted name of a module of yours. Raises ConfigError."""
    name = run if "." in run else f"seesay.nodes.{run}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name and error.name != name.split(".")[0]:
            raise _missing(run, error) from error
        raise ConfigError(f"run: expected one of {', '.join(node_names())} or a module of yours, got {run!r}") from error
    if not (hasattr(module, "Config") and hasattr(module, "run")):
        raise ConfigError(f"run: expected a module with Config and run(node, config), got {name}; nodes are {', '.join(node_names())}")
    return cast(NodeModule, module)


def serve(
    run: str,
    session: Path | str,
    name: str,
    parameters: Mapping[str, Any],
    clock: Literal["monotonic", "sim"] = "monotonic",
    parent: int = 0,
    names: Names | None = None,
) -> int:
    """Run one node in this process until it is stopped; to be called in the main thread. Return the exit status.

    0: stopped or at its end; 2: an error of the user, told in one sentence; 1: an error of the program, with its traceback in the log;
    3: it did not stop in time; 130: it was stopped before it was ready. parent: process id of the supervisor, whose end is the node's.
    """
    lifetime, status = Lifetime(parent), 0
    try:
        again: Mapping[str, Any] | None = parameters
        while again is not None and not lifetime.stop.is_set():
            status, again = _live(lifetime, run, session, name, again, clock, names)
        return status
    except SeeSayError as error:
        logging.getLogger(f"seesay.node.{name}").error("%s", error)
        return USER_ERROR if isinstance(error, UserError) else 1
    finally:
        lifetime.finish()


def _live(
    lifetime: Lifetime, run: str, session: Path | str, name: str, parameters: Mapping[str, Any], clock: str, names: Names | None
) -> tuple[int, Mapping[str, Any] | None]:
    """From configuring to the end of `run`. Return the exit status, and the parameters to be configured with again, None for the end."""
    with Bus(session, name) as bus:
        node = Node(name, bus, SimClock(bus.subscriber(CLOCK)) if clock == "sim" else MonotonicClock(), names)
        lifetime.on_stop(node.end)
        cycle = Lifecycle(node, bus, run)
        done = threading.Event()
        heart = threading.Thread(target=_beat, args=(node, done), name="heartbeat", daemon=True)
        node.report("starting")
        heart.start()
        try:
            status = _run(node, run, parameters, lifetime)
        finally:
            done.set()
            heart.join()
        if cycle.again and node.parameters is not None and not lifetime.stop.is_set():
            return status, node.parameters.next_config
        if status and lifetime.has_parent and not lifetime.stop.is_set():
            bus.publisher(NODE_STATUS).wait_for_subscribers(1, 1.0)
        if status in (0, INTERRUPTED):
            node.report("stopped")
        return status, None


def _run(node: Node, run: str, parameters: Mapping[str, Any], lifetime: Lifetime) -> int:
    try:
        with lifetime.interruptible(lambda: node.prepares):
            module = load_node(run)
            config = from_mapping(module.Config, parameters, f"node {node.name}")
            node.parameters = Parameters(config, f"node {node.name}")
            module.run(node, config)
    except KeyboardInterrupt:
        node.log.info("stopped before it was ready")
        return INTERRUPTED
    except UserError as error:
        return _fail(node, str(error), USER_ERROR)
    except ModuleNotFoundError as error:
        return _fail(node, str(_missing(run, error)), USER_ERROR)
    except SeeSayError as error:
        node.log.debug("where it happened", exc_info=True)
        return _fail(node, str(error), 1)
    except Exception as error:
        node.log.exception("the node failed")
        return _fail(node, f"{type(error).__name__}: {error}", 1)
    return 0


def _fail(node: Node, sentence: str, status: int) -> int:
    node.log.error("%s", sentence)
    node.report("failed", sentence[:1000])
    return status


def _missing(run: str, error: ModuleNotFoundError) -> ConfigError:
    return ConfigError(f"node {run} needs the Python package {error.name!r}, which is not installed; run pip install 'seesay[demo]'")


def _beat(node: Node, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT_S):
        node.beat()


def main(arguments: list[str] | None = None) -> int:
    """The entry of a node's process."""
    parser = argparse.ArgumentParser(prog="python -m seesay.nodes.runtime", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("run", help="name of a file in nodes/, or of a module")
    parser.add_argument("--session", required=True, help="directory of the bus")
    parser.add_argument("--name", default="", help="name on the bus, by default that of the node")
    parser.add_argument("--config", default="{}", help="fields of the node's Config as JSON")
    parser.add_argument("--clock", choices=["monotonic", "sim"], default="monotonic")
    parser.add_argument("--namespace", default="", help="what stands before the names of its topics and services")
    parser.add_argument("--remap", default="{}", help="JSON object: name that the node uses -> name to use instead")
    parser.add_argument("--parent", type=int, default=0, help="process id whose end is the node's")
    options = parser.parse_args(arguments)
    name = options.name or options.run.rpartition(".")[2]
    try:
        logs.set_up()
        names = Names(options.namespace, json.loads(options.remap)) if options.namespace or options.remap != "{}" else None
    except ConfigError as error:
        sys.stderr.write(f"node {name}: {error}\n")
        return USER_ERROR
    return serve(options.run, options.session, name, json.loads(options.config), options.clock, options.parent, names)


if __name__ == "__main__":
    # This module is `__main__` here; nodes import it under its own name, and the classes must be the same.
    sys.exit(importlib.import_module("seesay.nodes.runtime").main())
