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


def test_a_recording_that_is_played_again_is_joined_again() -> None:
    join, s = Join(), 10**9
    for _ in range(3):
        for number in (1, 2, 3):
            set_back = [join.add(message) for message in (depth(number * s), boxes(number * s), masks(number * s))]
            assert set_back[1:] == [False, False]
            assert stamps(join) == [number * s]
    assert join.add(depth(s))
    assert not join.add(depth(s, "side"))


def test_results_from_before_the_clock_was_set_back_are_left_out() -> None:
    """They would otherwise lie there until their time comes again, and be taken for those of another picture."""
    join, s = Join(), 10**9
    for message in (depth(10 * s), boxes(10 * s), masks(10 * s), depth(11 * s), depth(s)):
        join.add(message)
    for message in (boxes(11 * s), masks(11 * s), boxes(s)):
        join.add(message)
    assert stamps(join) == []   # masks of a later picture have not come
    join.add(masks(s))
    assert stamps(join) == [s]
    for message in (depth(11 * s), masks(11 * s)):
        join.add(message)
    assert stamps(join) == []   # there are no boxes yet
    join.add(boxes(11 * s))
    assert stamps(join) == [11 * s]


def test_a_picture_a_little_out_of_order_is_no_clock_set_back() -> None:
    join = Join()
    assert [join.add(depth(stamp)) for stamp in (5, 4, 6)] == [False, False, False]


def test_memory_stays_bounded() -> None:
    join = Join()
    for stamp in range(1000):
        join.add(depth(stamp))
    assert sum(len(camera.bundles) for camera in join._cameras.values()) <= 32


def test_the_source_of_a_picture_is_itself() -> None:
    assert source_of(depth(7).header) == Source("front", 7, 7)
