"""The page of `seesay view`: what it shows, and whom it answers."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from seesay import topics
from seesay.bus import Bus
from seesay.errors import ConfigError
from seesay.messages import Candidate, Detections, Header, Image, NodeStatus, Object, Objects, PlanStep, Source, TaskResult
from seesay.nodes.commands.live_server import serving
from seesay.nodes.commands.live_view import LiveView
from seesay.pubsub import Publisher

LONG = 30.0
SHAPE = (240, 320)


@pytest.fixture
def robot(session: Path) -> Iterator[Bus]:
    with Bus(session, "robot") as bus:
        bus.publisher(topics.IMAGE.of(camera="front"))
        yield bus


@pytest.fixture
def view(session: Path, robot: Bus) -> Iterator[LiveView]:
    with Bus(session, "viewer") as bus:
        live = LiveView(bus, session)
        live.pump(0)
        publishers: list[Publisher[Any]] = [
            robot.publisher(topics.IMAGE.of(camera="front")), robot.publisher(topics.DETECTIONS), robot.publisher(topics.OBJECTS),
            robot.publisher(topics.PLAN_STEP), robot.publisher(topics.TASK_RESULT), robot.publisher(topics.NODE_STATUS),
        ]  # fmt: skip
        assert all(publisher.wait_for_subscribers(1, LONG) for publisher in publishers)
        yield live


def header(sequence: int, stamp_ns: int = 10_000_000_000) -> Header:
    return Header(stamp_ns, sequence, "front_optical", "sim", Source("front", sequence, stamp_ns))


def picture(sequence: int, colour: tuple[int, int, int], stamp_ns: int = 10_000_000_000) -> Image:
    return Image(header(sequence, stamp_ns), "rgb8", np.full((*SHAPE, 3), colour, np.uint8))


def boxes(sequence: int) -> Detections:
    box = np.array([[100, 80, 200, 180]], np.float32)
    return Detections(header(sequence), 1, ("red block",), "m", *SHAPE, box, np.array([0.9], np.float32), np.zeros(1, np.int32))


def until(view: LiveView, done: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not done() and time.monotonic() < end:
        view.pump(0.05)
    assert done()


def shown(view: LiveView) -> np.ndarray:
    jpeg = view.jpeg("front")
    assert jpeg is not None
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))[..., ::-1]


def test_boxes_are_drawn_on_the_picture_that_they_were_found_in(robot: Bus, view: LiveView) -> None:
    images = robot.publisher(topics.IMAGE.of(camera="front"))
    assert view.jpeg("front") is None
    for sequence, colour in ((1, (20, 20, 200)), (2, (20, 200, 20))):
        images.send(picture(sequence, colour))
        until(view, lambda colour=colour: view.jpeg("front") is not None and np.abs(shown(view)[5, 5] - np.array(colour)).max() < 12)   # type: ignore[misc]
    robot.publisher(topics.DETECTIONS).send(boxes(1))
    until(view, lambda: shown(view)[5, 5, 2] > 150)
    assert np.ptp(shown(view)[100:300].astype(int), axis=(0, 1)).max() > 100   # something is drawn on the plain colour


def test_a_picture_without_fresh_boxes_is_shown_without_any(robot: Bus, view: LiveView) -> None:
    images = robot.publisher(topics.IMAGE.of(camera="front"))
    images.send(picture(1, (20, 20, 200)))
    until(view, lambda: view.jpeg("front") is not None)
    robot.publisher(topics.DETECTIONS).send(boxes(1))
    until(view, lambda: np.ptp(shown(view)) > 240)
    images.send(picture(2, (20, 200, 20), 12_000_000_000))
    until(view, lambda: shown(view)[5, 5, 1] > 150)
    assert np.ptp(shown(view).astype(int), axis=(0, 1)).max() < 12


def test_the_page_tells_objects_decision_and_result(robot: Bus, view: LiveView) -> None:
    thing = Object(3, "<b>block", 0.9, np.zeros(4, np.float32), np.array([0.1, -0.1, 0.02]), np.eye(3), np.ones(3), 4_000_000_000,
                   Source("front", 7, 4_000_000_000))
    step = PlanStep(header(1), "i1", "pick it", 2, (Candidate("pick it up", "pick", {}, -1.0, 0.8, -1.2, 1.0),), 0)
    robot.publisher(topics.NODE_STATUS).send(NodeStatus(Header(1), "robot", "ready", 1))
    robot.publisher(topics.OBJECTS).send(Objects(Header(5_000_000_000), (thing,)))
    robot.publisher(topics.PLAN_STEP).send(step)
    robot.publisher(topics.TASK_RESULT).send(TaskResult(Header(1), "i1", "done", "it lies there"))
    with serving(view, 0) as address:
        assert get(address).headers["Content-Security-Policy"].startswith("default-src 'none'")
        until(view, lambda: all(json.loads(read(address + "state.json"))[key] for key in ("result", "nodes", "objects")))
        state = json.loads(read(address + "state.json"))
        assert (state["step"], state["instruction"], state["result"]) == (2, "pick it", "done: it lies there")
        assert state["nodes"] == {"robot": "ready"}
        assert [(one["label"], one["age_s"]) for one in state["objects"]] == [("<b>block", 1.0)]
        assert "pick it up" in read(address + "decision.svg")
        assert "<script" in read(address)
        assert "textContent" in read(address + "page.js")


@pytest.mark.parametrize("path", ["nothing", "camera/../../etc/passwd.jpg", "camera/front.jpg", "decision.svg", "../live_server.py"])
def test_what_is_not_there_is_not_found(view: LiveView, path: str) -> None:
    with serving(view, 0) as address, pytest.raises(urllib.error.HTTPError, match="404") as error:
        get(address + path)
    error.value.close()


def test_a_foreign_name_for_this_host_is_refused(view: LiveView) -> None:
    with serving(view, 0) as address, pytest.raises(urllib.error.HTTPError, match="403") as error:
        get(address + "state.json", Host="evil.example:80")
    error.value.close()


def test_only_the_whole_address_opens_anything(robot: Bus, view: LiveView) -> None:
    robot.publisher(topics.IMAGE.of(camera="front")).send(picture(1, (20, 20, 200)))
    until(view, lambda: view.jpeg("front") is not None)
    with serving(view, 0) as address, serving(view, 0) as other:
        assert get(address + "camera/front.jpg").headers["Content-Type"] == "image/jpeg"
        port, secret = urlsplit(address).port, urlsplit(address).path.strip("/")
        assert len(secret) >= 20
        assert urlsplit(other).path.strip("/") != secret
        for path in ("", "/", "/state.json", "/camera/front.jpg", f"/{secret[:-1]}/camera/front.jpg", f"/{'a' * 22}/state.json", "//",
                     f"/{secret}%00/state.json", f"/x/{secret}/state.json", "/%C3%BC/"):   # fmt: skip
            with pytest.raises(urllib.error.HTTPError, match="403") as error:
                get(f"http://127.0.0.1:{port}{path}")
            error.value.close()


def test_a_port_that_is_taken_is_told(view: LiveView) -> None:
    with serving(view, 0) as address:
        port = urlsplit(address).port or 0
        with pytest.raises(ConfigError, match=f"expected a free one, got {port}"), serving(view, port):
            pass


def get(address: str, **headers: str):  # type: ignore[no-untyped-def]
    return urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=LONG)


def read(address: str) -> str:
    with get(address) as answer:
        return str(answer.read().decode())
