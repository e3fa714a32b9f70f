"""What every node is given, and the process around it: `python -m seesay.nodes.runtime detector --session DIR --name N --config JSON`.

A node is one file of at most 80 lines: a frozen dataclass `Config`, and `run(node, config)`, which returns when `node.stop` is set.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

from seesay.bus import AnyBus, Bus, Subscriber
from seesay.clock import Clock, MonotonicClock, SimClock
from seesay.config import from_mapping
from seesay.errors import ConfigError, SeeSayError, UserError
from seesay.messages import Header, NodeStatus, Source
from seesay.nodes.lifetime import Lifetime
from seesay.pubsub import Received
from seesay.topics import CLOCK, NODE_STATUS, Keep, Topic

M = TypeVar("M")
State = Literal["starting", "ready", "failed", "stopped"]

HEARTBEAT_S = 1.0
USER_ERROR = 2


class Node:
    """A node's name, bus, clock, log and stop event, and short ways to use them.

    >>> for image in node.messages(node.subscribe(IMAGE.of(camera="front"))):      # doctest: +SKIP
    ...     node.publish(DETECTIONS, detector.detect(image.message, prompts))
    """

    def __init__(self, name: str, bus: AnyBus, clock: Clock | None = None, stop: threading.Event | None = None) -> None:
        self.name = name
        self.bus = bus
        self.clock: Clock = clock or MonotonicClock()
        self.stop = stop or threading.Event()
        self.log = logging.getLogger(f"seesay.node.{name}")
        self._status: tuple[State, str] = ("starting", "")

    @property
    def stopping(self) -> bool:
        """Whether the node shall return."""
        return self.stop.is_set()

    def publish(self, topic: Topic[M], message: M) -> None:
        """Send a message; the first call opens the publisher. Large arrays are not copied: do not change them afterwards."""
        self.bus.publisher(topic).send(message)

    def subscribe(self, topic: Topic[M], keep: Keep | None = None, depth: int | None = None) -> Subscriber[M]:
        """Return a new mailbox of the topic; `keep` and `depth` override the topic's."""
        return self.bus.subscriber(topic, keep, depth)

    def messages(self, subscriber: Subscriber[M]) -> Iterator[Received[M]]:
        """Yield what comes, as it comes, until the node is stopped."""
        while not self.stop.is_set():
            received = subscriber.take(0.5)
            if received is not None:
                yield received

    def every(self, seconds: float) -> Iterator[None]:
        """Yield at a fixed rate of real time until the node is stopped; beats that were missed are left out."""
        beat = time.monotonic()
        while not self.stop.is_set():
            yield
            beat = max(beat + seconds, time.monotonic())
            self.stop.wait(beat - time.monotonic())

    def header(self, frame_id: str = "", source: Source | None = None) -> Header:
        """Return a header stamped now by the node's clock; `source` is the picture behind the message."""
        return Header(self.clock.now_ns(), frame_id=frame_id, clock=self.clock.name, source=source)

    def ready(self, message: str = "") -> None:
        """Tell the supervisor that the node works, with a word on what it uses."""
        self.report("ready", message)

    def report(self, state: State, message: str = "") -> None:
        """Publish the state; it is repeated once a second and latched."""
        self._status = (state, message)
        self.beat()

    def beat(self) -> None:
        """Publish the state once more."""
        self.publish(NODE_STATUS, NodeStatus(self.header(), self.name, *self._status_fields()))

    def _status_fields(self) -> tuple[State, int, str]:
        state, message = self._status
        return state, os.getpid(), message


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
) -> int:
    """Run one node in this process until it is stopped; to be called in the main thread. Return the exit status.

    0: stopped or at its end; 2: an error of the user, told in one sentence; 1: an error of the program, with its traceback in the log;
    3: it did not stop in time. parent: process id of the supervisor, whose end is the node's.
    """
    lifetime = Lifetime(parent)
    try:
        with Bus(session, name) as bus:
            lifetime.on_stop(bus.interrupt)
            node = Node(name, bus, SimClock(bus.subscriber(CLOCK)) if clock == "sim" else MonotonicClock(), lifetime.stop)
            done = threading.Event()
            heart = threading.Thread(target=_beat, args=(node, done), name="heartbeat", daemon=True)
            node.report("starting")
            heart.start()
            try:
                status = _run(node, run, parameters)
            finally:
                done.set()
                heart.join()
            if status and parent and not lifetime.stop.is_set():
                bus.publisher(NODE_STATUS).wait_for_subscribers(1, 1.0)
            if not status:
                node.report("stopped")
            return status
    except SeeSayError as error:
        logging.getLogger(f"seesay.node.{name}").error("%s", error)
        return USER_ERROR if isinstance(error, UserError) else 1
    finally:
        lifetime.finish()


def _run(node: Node, run: str, parameters: Mapping[str, Any]) -> int:
    try:
        module = load_node(run)
        module.run(node, from_mapping(module.Config, parameters, f"node {node.name}"))
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
    parser.add_argument("--parent", type=int, default=0, help="process id whose end is the node's")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=os.environ.get("SEESAY_LOG", "INFO"), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    name = options.name or options.run.rpartition(".")[2]
    return serve(options.run, options.session, name, json.loads(options.config), options.clock, options.parent)


if __name__ == "__main__":
    # This module is `__main__` here; nodes import it under its own name, and the classes must be the same.
    sys.exit(importlib.import_module("seesay.nodes.runtime").main())
