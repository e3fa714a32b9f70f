"""The grounding node on a bus in memory: which picture, which camera, which pose."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from seesay import topics
from seesay.geometry import quaternion_from_matrix
from seesay.memory_bus import MemoryBus
from seesay.messages import CameraInfo, Header, Image, Object, Objects, Transform
from seesay.nodes import grounding
from seesay.nodes.node import Node
from seesay.pubsub import Subscriber
from tests.perception import raycast as rc

LIMIT_S = 30.0
MS = 1_000_000
FRONT, SIDE = rc.Camera("front", -90, 63, 0.79), rc.Camera("side", -28, 53, 0.83)
BLOCK = rc.block("red block", 0.06, 0.04, yaw=0.3)


class System:
    """A grounding node in a thread, and what sends to it."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus
        self.objects: Subscriber[Objects] = bus.subscriber(topics.OBJECTS)

    def info(self, camera: rc.Camera, **change: object) -> None:
        info: CameraInfo = replace(camera.info, **change)  # type: ignore[arg-type]
        self.bus.publisher(topics.CAMERA_INFO.of(camera=camera.name)).send(info)

    def pose(self, camera: rc.Camera, stamp_ns: int, static: bool = False) -> None:
        header = Header(stamp_ns, frame_id="world", clock="sim")
        rotation = quaternion_from_matrix(camera.pose[:3, :3])
        child = f"{camera.name}_optical"
        self.bus.publisher(topics.TRANSFORMS).send(Transform(header, child, camera.pose[:3, 3].copy(), rotation, static))

    def depth(self, camera: rc.Camera, stamp_ns: int, data: NDArray[np.float32] | None = None) -> None:
        seen = rc.cast([BLOCK], camera)[0] if data is None else data
        self.bus.publisher(topics.DEPTH.of(camera=camera.name)).send(rc.depth_image(seen, camera, stamp_ns))

    def boxes(self, camera: rc.Camera, stamp_ns: int) -> None:
        found, masks = rc.perfect([BLOCK], rc.cast([BLOCK], camera)[1], camera, stamp_ns)
        self.bus.publisher(topics.DETECTIONS).send(found)
        self.bus.publisher(topics.MASKS).send(masks)

    def seen(self) -> tuple[Objects, Object]:
        received = self.objects.take(LIMIT_S)
        assert received is not None
        (thing,) = received.message.objects
        return received.message, thing


@pytest.fixture
def system() -> Iterator[System]:
    with MemoryBus("grounding") as own, own.join("robot") as robot:
        node, outside = Node("grounding", own), System(robot)
        thread = threading.Thread(target=grounding.run, args=(node, grounding.Config(cameras=("front", "side"))))
        status = robot.subscriber(topics.NODE_STATUS)
        thread.start()
        assert status.take(LIMIT_S) is not None
        yield outside
        node.end()
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def test_a_moving_camera_counts_with_its_pose_at_the_stamp(system: System) -> None:
    """The newest pose belongs to a later picture: the block would be 0.2 m off."""
    moving = [replace(FRONT, azimuth=-90 + 12.0 * step, target=(0.03 * step, 0.0, 0.0)) for step in range(5)]
    system.info(FRONT)
    for step, camera in enumerate(moving):
        system.pose(camera, step * 100 * MS)
    system.depth(moving[1], 100 * MS)
    system.boxes(moving[1], 100 * MS)
    _, thing = system.seen()
    np.testing.assert_allclose(thing.position, BLOCK.centre, atol=0.002)


def test_between_two_poses_the_pose_is_interpolated(system: System) -> None:
    """The nearest pose would put the block 2.5 cm off."""
    start, middle, end = (replace(FRONT, target=(x, 0.0, 0.0)) for x in (-0.025, 0.0, 0.025))
    system.info(FRONT)
    system.pose(start, 0)
    system.pose(end, 100 * MS)
    system.depth(middle, 50 * MS)
    system.boxes(middle, 50 * MS)
    _, thing = system.seen()
    np.testing.assert_allclose(thing.position, BLOCK.centre, atol=0.002)


def test_a_picture_far_from_every_known_pose_is_left_out(system: System, caplog: pytest.LogCaptureFixture) -> None:
    system.info(FRONT)
    system.pose(FRONT, 300 * MS)
    system.pose(FRONT, 400 * MS)
    with caplog.at_level(logging.WARNING):
        for stamp in (100 * MS, 400 * MS):
            system.depth(FRONT, stamp)
            system.boxes(FRONT, stamp)
        objects, _ = system.seen()
    assert objects.header.stamp_ns == 400 * MS
    assert any("is 0.200 s outside" in record.message for record in caplog.records)


def test_each_camera_counts_with_its_own_calibration_and_pose(system: System) -> None:
    """Only the side camera has a new picture: that of the front must not stand in for it, nor its pose and intrinsics."""
    zoomed = replace(SIDE, k=SIDE.k * np.array([[1.2, 1, 1], [1, 1.2, 1], [1, 1, 1]]))
    for camera in (FRONT, zoomed):
        system.info(camera)
        system.pose(camera, 0, static=True)
    system.depth(FRONT, 10 * MS)
    system.depth(zoomed, 20 * MS)
    system.boxes(zoomed, 20 * MS)
    objects, thing = system.seen()
    assert objects.header.source is not None
    assert (objects.header.source.camera, thing.source.camera) == ("side", "side")
    np.testing.assert_allclose(thing.position, BLOCK.centre, atol=0.002)


def test_boxes_meet_the_depth_of_their_own_picture_only(system: System) -> None:
    """Depth of a neighbouring picture, half a second away or less, is of another moment."""
    system.info(FRONT)
    system.pose(FRONT, 0, static=True)
    bare = rc.cast([], FRONT)[0]
    system.depth(FRONT, 100 * MS, bare)
    system.boxes(FRONT, 150 * MS)
    system.depth(FRONT, 200 * MS, bare)
    system.depth(FRONT, 150 * MS)
    objects, thing = system.seen()
    assert objects.header.stamp_ns == 150 * MS
    np.testing.assert_allclose(thing.position, BLOCK.centre, atol=0.002)


def test_without_intrinsics_nothing_is_guessed(system: System) -> None:
    system.pose(FRONT, 0, static=True)
    system.depth(FRONT, 100 * MS)
    system.boxes(FRONT, 100 * MS)
    system.info(SIDE)
    system.pose(SIDE, 0, static=True)
    system.depth(SIDE, 200 * MS)
    system.boxes(SIDE, 200 * MS)
    objects, _ = system.seen()
    assert objects.header.stamp_ns == 200 * MS


def test_depth_of_another_size_costs_one_picture_not_the_node(system: System, caplog: pytest.LogCaptureFixture) -> None:
    system.info(FRONT)
    system.pose(FRONT, 0, static=True)
    with caplog.at_level(logging.WARNING):
        system.depth(FRONT, 100 * MS, np.ones((120, 160), np.float32))
        system.boxes(FRONT, 100 * MS)
        system.depth(FRONT, 200 * MS)
        system.boxes(FRONT, 200 * MS)
        objects, _ = system.seen()
    assert objects.header.stamp_ns == 200 * MS
    assert any("expected depth registered to the 240 x 320 picture, got 120 x 160" in record.message for record in caplog.records)


def test_missing_depth_travels_as_a_bearing(system: System) -> None:
    system.info(FRONT)
    system.pose(FRONT, 0, static=True)
    depth, ids = rc.cast([BLOCK], FRONT)
    system.depth(FRONT, 100 * MS, np.where(ids == 0, np.float32(0), depth))
    system.boxes(FRONT, 100 * MS)
    received = system.objects.take(LIMIT_S)
    assert received is not None
    assert received.message.objects == ()
    assert [bearing.label for bearing in received.message.bearings] == ["red block"]


def test_what_is_no_depth_is_left_out(system: System, caplog: pytest.LogCaptureFixture) -> None:
    system.info(FRONT)
    system.pose(FRONT, 0, static=True)
    grey = Image(rc.depth_image(np.zeros((1, 1), np.float32), FRONT, 100 * MS).header, "mono8", np.zeros((240, 320), np.uint8))
    with caplog.at_level(logging.WARNING):
        system.bus.publisher(topics.DEPTH.of(camera="front")).send(grey)
        system.boxes(FRONT, 100 * MS)
        system.depth(FRONT, 200 * MS)
        system.boxes(FRONT, 200 * MS)
        objects, _ = system.seen()
    assert objects.header.stamp_ns == 200 * MS
    assert any("expected a depth picture in 32FC1 or 16UC1, got mono8" in record.message for record in caplog.records)
