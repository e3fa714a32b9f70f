"""What a running system sees and decides now, for the page of `seesay view`. It only subscribes: nobody in the loop knows of it."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from seesay import topics
from seesay.messages import Detections, Image, Masks, NodeStatus, Objects, PlanStep, TaskResult
from seesay.nodes import discovery
from seesay.nodes.plain import plain
from seesay.planner.chart import chart
from seesay.pubsub import AnyBus, Subscriber

LOOK_S = 1.0   # between two looks for new cameras
WAITING = 15   # pictures of a camera that wait for their boxes
STALE_NS = 1_000_000_000   # boxes of a picture that is so much older than the newest one are no longer shown
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]


class _Camera:
    """The last pictures of one camera and the newest results for any of them."""

    def __init__(self) -> None:
        self.recent: deque[Image] = deque(maxlen=WAITING)
        self.detections: Detections | None = None
        self.masks: Masks | None = None

    def shown(self) -> tuple[Image, Detections | None, Masks | None] | None:
        """The picture that the newest boxes were found in, with them; the newest one without boxes if there are none or they are old."""
        if not self.recent:
            return None
        newest, source = self.recent[-1], self.detections.header.source if self.detections else None
        if source is not None and newest.header.stamp_ns - source.stamp_ns <= STALE_NS:
            for picture in reversed(self.recent):
                if picture.header.sequence == source.sequence:
                    return picture, self.detections, self.masks
        return newest, None, None


class LiveView:
    """Takes in what a session's nodes say (`pump`), and tells it as JPEG, JSON and SVG to any thread that asks."""

    def __init__(self, bus: AnyBus, session: Path) -> None:
        self._bus, self._session = bus, session
        self._lock = threading.Lock()
        self._looked = -math.inf
        self._cameras: dict[str, _Camera] = {}
        self._states: dict[str, str] = {}
        self._objects: Objects | None = None
        self._step: PlanStep | None = None
        self._result: TaskResult | None = None
        self._handlers: dict[Subscriber[Any], Callable[[Any], None]] = {
            bus.subscriber(topics.OBJECTS): self._seen,
            bus.subscriber(topics.DETECTIONS): self._found,
            bus.subscriber(topics.MASKS): self._cut_out,
            bus.subscriber(topics.PLAN_STEP): self._decided,
            bus.subscriber(topics.TASK_RESULT): self._ended,
            bus.subscriber(topics.NODE_STATUS): self._lives,
        }

    def pump(self, timeout: float) -> None:
        """Take in what has come, waiting up to `timeout` seconds for it; cameras that start later are found too."""
        if time.monotonic() > self._looked + LOOK_S:
            self._look_for_cameras()
        for subscriber in self._bus.wait(list(self._handlers), timeout):
            for received in subscriber.take_all():
                with self._lock:
                    self._handlers[subscriber](received.message)

    def jpeg(self, camera: str) -> bytes | None:
        """The camera's newest picture with boxes, masks and positions drawn on it; None if there is none yet."""
        from seesay.perception.annotate import draw

        with self._lock:
            shown = self._cameras[camera].shown() if camera in self._cameras else None
            objects = self._objects
        if shown is None:
            return None
        picture, detections, masks = shown
        pixels = np.asarray(picture.data, np.uint8)
        pixels = np.ascontiguousarray(pixels[..., ::-1] if picture.encoding == "bgr8" else pixels)
        if picture.encoding == "mono8":
            pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
        drawn = draw(pixels, detections, masks, objects if detections else None)
        return cv2.imencode(".jpg", drawn[..., ::-1], QUALITY)[1].tobytes()

    def state(self) -> dict[str, Any]:
        """Cameras, states of the nodes, objects with ages, the last decision and its end, as plain JSON values."""
        with self._lock:
            objects, step, result = self._objects, self._step, self._result
            cameras, states = sorted(self._cameras), dict(sorted(self._states.items()))
        things, now = (objects.objects, objects.header.stamp_ns) if objects else ((), 0)
        return {
            "session": self._session.name,
            "cameras": cameras,
            "nodes": states,
            "objects": [
                {"id": thing.id, "label": thing.label, "score": plain(thing.score), "position": plain(thing.position),
                 "status": thing.status, "age_s": max(0.0, (now - thing.last_seen_ns) / 1e9)}
                for thing in things
            ],
            "decision": f"{step.instruction_id}/{step.step}" if step else "",
            "instruction": (step.subtask or step.instruction) if step else "",
            "step": step.step if step else 0,
            "result": f"{result.outcome}: {result.message}" if result and step and result.instruction_id == step.instruction_id else "",
        }  # fmt: skip

    def svg(self) -> str | None:
        """SayCan's bar chart of the last decision; None before the first."""
        with self._lock:
            step = self._step
        return chart(step) if step else None

    def _look_for_cameras(self) -> None:
        self._looked = time.monotonic()
        for topic in discovery.publishers(self._session):
            name = topic.removeprefix("camera/").removesuffix("/image")
            if topics.IMAGE.matches(topic) and name not in self._cameras:
                camera = self._cameras[name] = _Camera()
                self._handlers[self._bus.subscriber(topics.IMAGE.of(camera=name))] = camera.recent.append

    def _seen(self, objects: Objects) -> None:
        self._objects = objects

    def _found(self, detections: Detections) -> None:
        if (camera := self._camera_of(detections)) is not None:
            camera.detections, camera.masks = detections, None

    def _cut_out(self, masks: Masks) -> None:
        if (camera := self._camera_of(masks)) is not None:
            camera.masks = masks

    def _decided(self, step: PlanStep) -> None:
        self._step = step

    def _ended(self, result: TaskResult) -> None:
        self._result = result

    def _lives(self, status: NodeStatus) -> None:
        self._states[status.node] = status.state

    def _camera_of(self, message: Detections | Masks) -> _Camera | None:
        return self._cameras.get(message.header.source.camera) if message.header.source else None
