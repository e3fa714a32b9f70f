"""Joining boxes, masks and depth of one picture."""

import numpy as np

from seesay.messages import Detections, Header, Image, Masks, Source
from seesay.nodes.join import Join, source_of


def header(stamp: int, camera: str = "front") -> Header:
    return Header(stamp, stamp, f"{camera}_optical", "sim", Source(camera, stamp, stamp))


def boxes(stamp: int, camera: str = "front") -> Detections:
    empty = np.zeros(0, np.float32)
    return Detections(header(stamp, camera), 1, (), "m", 4, 4, np.zeros((0, 4), np.float32), empty, np.zeros(0, np.int32))


def masks(stamp: int, camera: str = "front") -> Masks:
    return Masks(header(stamp, camera), 1, (), "m", 4, 4, np.zeros(0, np.uint32), np.zeros(1, np.uint32), np.zeros(0, np.float32))


def depth(stamp: int, camera: str = "front") -> Image:
    return Image(Header(stamp, stamp, f"{camera}_optical", "sim"), "32FC1", np.ones((4, 4), np.float32))


def stamps(join: Join) -> list[int]:
    return [bundle.source.stamp_ns for bundle in join.ready()]


def test_a_picture_is_complete_with_boxes_depth_and_masks_in_any_order() -> None:
    join = Join()
    for message in (masks(1), depth(1)):
        join.add(message)
        assert stamps(join) == []
    join.add(boxes(1))
    (bundle,) = join.ready()
    assert bundle.masks is not None
    assert bundle.depth is not None
    assert stamps(join) == []


def test_masks_of_a_later_picture_end_the_wait() -> None:
    join = Join(patience=9)
    for message in (depth(1), boxes(1), depth(2), masks(2)):
        join.add(message)
    (bundle,) = join.ready()
    assert bundle.source.stamp_ns == 1
    assert bundle.masks is None


def test_later_boxes_end_the_wait() -> None:
    join = Join(patience=1)
    for message in (depth(1), depth(2), boxes(1), boxes(2)):
        join.add(message)
    assert stamps(join) == [1]
    join.add(masks(2))
    assert stamps(join) == [2]


def test_cameras_do_not_wait_for_each_other_and_come_in_order() -> None:
    join = Join()
    for message in (depth(5), boxes(5), masks(5), depth(3, "side"), boxes(3, "side"), masks(3, "side")):
        join.add(message)
    assert [(b.source.camera, b.source.stamp_ns) for b in join.ready()] == [("side", 3), ("front", 5)]


def test_what_comes_too_late_is_left_out() -> None:
    join = Join()
    for message in (depth(5), boxes(5), masks(5)):
        join.add(message)
    assert stamps(join) == [5]
    for message in (depth(4), boxes(4), masks(4), masks(5)):
        join.add(message)
    assert stamps(join) == []


def test_memory_stays_bounded() -> None:
    join = Join()
    for stamp in range(1000):
        join.add(depth(stamp))
    assert sum(len(bundles) for bundles in join._bundles.values()) <= 32


def test_the_source_of_a_picture_is_itself() -> None:
    assert source_of(depth(7).header) == Source("front", 7, 7)
