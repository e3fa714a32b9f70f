"""The newest pictures of several cameras, taken in turns by a node whose engine looks at them together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Protocol, TypeVar

from seesay.config import between
from seesay.messages import Image, PromptSet
from seesay.nodes.node import Node
from seesay.nodes.prompting import PromptsInForce
from seesay.perception.device import Batches, Dtype, clear_failures
from seesay.perception.schedule import Schedule, Turn, shares
from seesay.topics import IMAGE

R = TypeVar("R")
DEPTH = ("16UC1", "32FC1")


class Engine(Protocol[R]):
    """`detect_all` of a detector or `segment_all` of a segmenter."""

    def __call__(self, images: Sequence[Image], prompts: PromptSet) -> list[R]: ...


@dataclass(frozen=True)
class Cameras:
    """Parameters of every node that looks at pictures.

    max_rate_hz: pictures a second of a camera at most, by its name. priority: its share where the engine cannot serve all, 1 if not named.
    batch: pictures of one pass at most; on a GPU 8 cost little more than one, on a CPU each waits for all. window_ms: how long a pass
    waits for further cameras at most.
    device: a torch device, "auto" takes a GPU where there is one. dtype: of the image tower. compiled: compile the pass over pictures, a
    minute's work before the node is ready.
    """

    cameras: tuple[str, ...] = ("front",)
    max_rate_hz: dict[str, float] = field(default_factory=dict)
    priority: dict[str, float] = field(default_factory=dict)
    batch: Annotated[int, between(1, 256)] = 1
    window_ms: Annotated[float, between(0, 1000)] = 5.0
    device: str = "auto"
    dtype: Dtype = "float32"
    compiled: bool = False


class Pictures:
    """The mailboxes of the cameras of `config`, whose pictures an engine can take in `batches`, which is free to change.

    Raises ConfigError for rates and priorities of cameras that are none of them.
    """

    def __init__(self, node: Node, config: Cameras, batches: Batches) -> None:
        self._node = node
        self._mailboxes = {camera: node.subscribe(IMAGE.of(camera=camera)) for camera in config.cameras}
        self._schedule = Schedule(shares(config.cameras, config.max_rate_hz, config.priority), batches.most, config.window_ms / 1e3)
        self._batches = batches

    def look(self, prompts: PromptsInForce, engine: Engine[R]) -> Iterator[R]:
        """Yield what `engine` makes of the newest pictures with the prompts in force, until the node is stopped. Raises DeviceError."""
        node = self._node
        while not node.stop.is_set():
            node.active.wait()
            with clear_failures():
                words = prompts.newest()
            waiting = [camera for camera, mailbox in self._mailboxes.items() if mailbox.unread]
            turn = self._schedule.turn(waiting, time.monotonic()) if words else Turn()
            if words is None or not turn.cameras:
                others = [mailbox for camera, mailbox in self._mailboxes.items() if words and camera not in waiting]
                node.wait([prompts.mailbox, *others], 0.5 if turn.wait_s is None else min(turn.wait_s, 0.5))
                continue
            taken = [self._mailboxes[camera].take(0) for camera in turn.cameras]
            pictures = [picture.message for picture in taken if picture and self._has_colour(picture.message)]
            with clear_failures():
                seen = self._batches.run(partial(engine, prompts=words), pictures)
            self._schedule.most = self._batches.most
            yield from seen

    def _has_colour(self, image: Image) -> bool:
        """Whether an engine can look at it: depth that is sent for a picture must not end the node."""
        if image.encoding in DEPTH:
            self._node.log.warning("left out: expected a colour or grey picture, got %s of %s", image.encoding, image.header.frame_id)
            return False
        return True
