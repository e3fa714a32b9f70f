"""Identity over time and cameras, on ray-cast scenes seen by faultless networks."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from seesay.messages import ArmState, CameraInfo, Header, Image, Objects, Source
from seesay.perception.association import ObjectTracker
from seesay.perception.grounding import Sights, View, ground
from tests.perception import raycast as rc

FRONT, SIDE = rc.Camera("front", -90, 63, 0.79), rc.Camera("side", -28, 53, 0.83)
RED, BLUE = rc.block("red block", -0.1, 0.0, yaw=0.3), rc.block("blue block", 0.02, 0.05)
BOWL = rc.bowl("green bowl", 0.11, -0.05)


class Watcher:
    """Looks at changing scenes, one picture a tenth of a second."""

    def __init__(self) -> None:
        self.tracker = ObjectTracker()
        self.now = 0

    def look(self, things: list[rc.Thing], *cameras: rc.Camera, without: tuple[str, ...] = (), veil: bool = False) -> Objects:
        """`without` names things that the detector misses; `veil` holds a board before the camera."""
        objects = None
        for camera in cameras or (FRONT,):
            self.now += 100_000_000
            depth, ids = rc.cast(things, camera)
            found, masks = rc.perfect(things, ids, camera, self.now)
            keep = [i for i, p in enumerate(found.prompt_indices) if found.prompts[p] not in without and not veil]
            found = replace(found, boxes=found.boxes[keep], scores=found.scores[keep], prompt_indices=found.prompt_indices[keep])
            if veil:
                depth = np.full_like(depth, 0.3)
            image = rc.depth_image(depth, camera, self.now)
            view = View(Image(image.header, "rgb8", np.zeros((240, 320, 3), np.uint8)), image, camera.info, camera.pose)
            objects = self.tracker.update(ground(found, masks, image, camera.info, camera.pose), found.header, view)
        assert objects is not None
        return objects


def by_label(objects: Objects) -> dict[str, tuple[int, str]]:
    return {o.label: (o.id, o.status) for o in objects.objects}


def arm(position: np.ndarray, force: float) -> ArmState:
    return ArmState(Header(0), np.asarray(position, float), 0.0, 0.04, force, 0.0)


def test_objects_carry_what_consumers_need() -> None:
    watcher = Watcher()
    objects = watcher.look([RED, BLUE, BOWL], FRONT, SIDE)
    assert objects.header.frame_id == "world"
    assert objects.header.stamp_ns == 200_000_000
    assert objects.header.source == Source("side", 200_000_000, 200_000_000)
    assert objects.header.clock == "sim"
    assert len(objects.objects) == 3
    red = next(o for o in objects.objects if o.label == "red block")
    np.testing.assert_allclose(red.position, RED.centre, atol=0.001)
    assert red.yaw == pytest.approx(0.3, abs=0.02)
    assert red.last_seen_ns == 200_000_000
    assert red.source.camera == "side"
    assert int(red.mask_counts.sum()) == 240 * 320


def test_identity_persists_over_cameras_and_small_moves() -> None:
    watcher = Watcher()
    first = by_label(watcher.look([RED, BLUE, BOWL], FRONT))
    assert by_label(watcher.look([RED, BLUE, BOWL], SIDE)) == first
    nudged = replace(RED, at=(-0.09, 0.01, 0.0))
    objects = watcher.look([nudged, BLUE, BOWL], FRONT, SIDE)
    assert by_label(objects) == first
    red = next(o for o in objects.objects if o.label == "red block")
    np.testing.assert_allclose(red.position, nudged.centre, atol=0.002)


def test_a_thing_put_elsewhere_keeps_its_identity() -> None:
    watcher = Watcher()
    first = by_label(watcher.look([RED, BLUE, BOWL]))
    inside = replace(RED, at=(0.11, -0.05, 0.0045))
    objects = watcher.look([inside, BLUE, BOWL], FRONT, SIDE)
    assert by_label(objects) == first
    red = next(o for o in objects.objects if o.label == "red block")
    np.testing.assert_allclose(red.position[:2], [0.11, -0.05], atol=0.004)


def test_two_of_a_kind_stay_two() -> None:
    watcher = Watcher()
    twin = rc.block("red block", 0.0, -0.09)
    first = watcher.look([RED, twin])
    assert len(first.objects) == 2
    again = watcher.look([RED, twin], SIDE, FRONT)
    assert [(o.id, np.round(o.position[0], 2)) for o in again.objects] == [(o.id, np.round(o.position[0], 2)) for o in first.objects]


def test_a_place_seen_empty_twice_means_lost() -> None:
    watcher = Watcher()
    watcher.look([RED, BLUE, BOWL], FRONT, SIDE)
    assert by_label(watcher.look([BLUE, BOWL]))["red block"][1] == "visible"
    lost = watcher.look([BLUE, BOWL])
    assert by_label(lost)["red block"][1] == "lost"
    red = next(o for o in lost.objects if o.label == "red block")
    assert red.last_seen_ns == 200_000_000
    back = by_label(watcher.look([RED, BLUE, BOWL]))
    assert back["red block"] == (red.id, "visible")


def test_a_thing_that_the_detector_misses_is_not_lost() -> None:
    watcher = Watcher()
    things = [RED, BLUE, BOWL, rc.plate("cyan plate", -0.1, -0.1), rc.cup("pink cup", 0.13, 0.08)]
    first = watcher.look(things, FRONT, SIDE)
    for _ in range(4):
        objects = watcher.look(things, FRONT, SIDE, without=tuple(thing.name for thing in things))
    assert by_label(objects) == by_label(first)
    assert {o.last_seen_ns for o in objects.objects} == {200_000_000}


def test_something_before_the_camera_hides_but_loses_nothing() -> None:
    watcher = Watcher()
    watcher.look([RED, BLUE])
    objects = watcher.look([RED, BLUE], veil=True)
    assert {status for _, status in by_label(objects).values()} == {"occluded"}
    assert {status for _, status in by_label(watcher.look([RED, BLUE])).values()} == {"visible"}


def test_outside_the_picture_nothing_changes() -> None:
    watcher = Watcher()
    watcher.look([RED, BLUE])
    away = rc.Camera("front", -90, 63, 0.79, target=(0.6, 0.4, 0.0))
    objects = watcher.look([RED, BLUE], away, away, away)
    assert {status for _, status in by_label(objects).values()} == {"visible"}


def test_a_held_thing_goes_with_the_gripper_and_is_not_lost() -> None:
    watcher = Watcher()
    first = by_label(watcher.look([RED, BLUE, BOWL]))
    watcher.tracker.gripper(arm(RED.centre, 0.0))
    watcher.tracker.gripper(arm(RED.centre, 5.0))
    for step in range(1, 5):
        watcher.tracker.gripper(arm(RED.centre + np.array([0.05 * step, 0, 0.1]), 5.0))
    objects = watcher.look([BLUE, BOWL], FRONT, SIDE, FRONT)
    assert by_label(objects)["red block"] == (first["red block"][0], "held")
    red = next(o for o in objects.objects if o.label == "red block")
    np.testing.assert_allclose(red.position, RED.centre + np.array([0.2, 0, 0.1]), atol=0.002)
    watcher.tracker.gripper(arm(RED.centre + np.array([0.2, 0, 0.1]), 0.0))
    placed = replace(RED, at=(0.1, 0.02, 0.0))
    assert by_label(watcher.look([placed, BLUE, BOWL]))["red block"] == (first["red block"][0], "visible")


def test_a_wrong_name_once_does_not_rename() -> None:
    watcher = Watcher()
    first = watcher.look([RED], FRONT, SIDE, FRONT, SIDE)
    wrong = watcher.look([replace(RED, name="orange block")])
    assert [(o.id, o.label) for o in wrong.objects] == [(o.id, o.label) for o in first.objects]
    assert [a.label for a in wrong.objects[0].alternatives] == ["orange block"]
    for _ in range(5):
        renamed = watcher.look([replace(RED, name="orange block")])
    assert [(o.id, o.label) for o in renamed.objects] == [(first.objects[0].id, "orange block")]


def test_a_wrong_name_from_another_side_is_one_more_name_of_what_stands_there() -> None:
    watcher = Watcher()
    first = watcher.look([RED], FRONT)
    again = watcher.look([replace(RED, name="orange block", at=(-0.1, 0.016, 0.0))], SIDE)
    assert [(o.id, o.label) for o in again.objects] == [(o.id, o.label) for o in first.objects]


def test_what_moved_under_cover_keeps_its_identity_though_its_old_place_is_not_seen() -> None:
    watcher = Watcher()
    first = by_label(watcher.look([RED, BLUE]))
    board = rc.block("board", -0.057, -0.153, edge=0.08, z=0.3)
    for _ in range(4):
        hidden = watcher.look([RED, BLUE, board], without=("board",))
    assert by_label(hidden)["red block"] == (first["red block"][0], "occluded")
    moved = replace(RED, at=(-0.212, 0.0, 0.0))
    assert by_label(watcher.look([moved, BLUE, board], without=("board",))) == first


def test_what_was_put_on_another_and_hides_it_from_the_detector_is_not_the_other() -> None:
    """A detector that sees one red thing where a red block stands on a blue one: it came from where the red block is no more."""
    watcher = Watcher()
    first = by_label(watcher.look([RED, BLUE]))
    tall = replace(RED, at=BLUE.at, size=(0.047, 0.047, 0.08), yaw=0.0)
    objects = watcher.look([tall])
    assert by_label(objects) == first
    red = next(o for o in objects.objects if o.label == "red block")
    np.testing.assert_allclose(red.position[:2], BLUE.centre[:2], atol=0.005)


def test_a_false_sighting_in_the_room_of_a_thing_does_not_last() -> None:
    watcher = Watcher()
    things = [BLUE, rc.can("red can", -0.1, 0.0)]
    seen = watcher.look(things)
    depth, ids = rc.cast(things, FRONT)
    found, masks = rc.perfect(things, ids, FRONT, watcher.now)
    sights = ground(found, masks, rc.depth_image(depth, FRONT, watcher.now), FRONT.info, FRONT.pose)
    can = next(o for o in sights.observations if o.label == "red can")
    false = replace(can, label="red ball", position=can.position + np.array([0.012, 0, 0.02]), extent=np.full(3, 0.04))
    wrong = watcher.tracker.update(Sights([false], []), seen.header)
    assert by_label(wrong)["red ball"][1] == "visible"
    objects = watcher.look(things, FRONT, SIDE, FRONT)
    assert by_label(objects) == by_label(seen) | {"red ball": (by_label(wrong)["red ball"][0], "lost")}


def test_a_block_in_a_bowl_outlives_missed_sightings() -> None:
    watcher = Watcher()
    things = [BOWL, replace(RED, at=(0.11, -0.05, 0.0045))]
    before = by_label(watcher.look(things, FRONT, SIDE, FRONT))
    assert len(before) == 2
    assert by_label(watcher.look(things, SIDE, FRONT, SIDE, without=("red block",))) == before


def test_reset_never_uses_an_id_again() -> None:
    watcher = Watcher()
    before = {o.id for o in watcher.look([RED, BLUE]).objects}
    watcher.tracker.reset()
    assert watcher.tracker.objects() == ()
    assert before.isdisjoint(o.id for o in watcher.look([RED, BLUE]).objects)


def test_without_a_view_nothing_is_judged_missing() -> None:
    tracker = ObjectTracker("base")
    header = Header(5, frame_id="front_optical")
    assert tracker.update(Sights([], []), header).objects == ()
    depth, ids = rc.cast([RED], FRONT)
    found, masks = rc.perfect([RED], ids, FRONT, 7)
    info: CameraInfo = FRONT.info
    tracker.update(ground(found, masks, rc.depth_image(depth, FRONT, 7), info, FRONT.pose), found.header)
    objects = tracker.update(Sights([], []), replace(found.header, stamp_ns=9, source=Source("front", 9, 9)))
    assert [o.status for o in objects.objects] == ["visible"]
    assert objects.header.frame_id == "base"


def test_a_thing_whose_depth_goes_missing_stays_where_it_was_and_has_a_bearing() -> None:
    watcher = Watcher()
    before = watcher.look([RED, BLUE])
    depth, ids = rc.cast([RED, BLUE], FRONT)
    found, masks = rc.perfect([RED, BLUE], ids, FRONT, 300_000_000)
    image = rc.depth_image(np.where(ids == 0, np.float32(0), depth), FRONT, 300_000_000)
    view = View(Image(image.header, "rgb8", np.zeros((240, 320, 3), np.uint8)), image, FRONT.info, FRONT.pose)
    after = watcher.tracker.update(ground(found, masks, image, FRONT.info, FRONT.pose), found.header, view)
    assert by_label(after) == by_label(before)
    assert [b.label for b in after.bearings] == ["red block"]
    red = next(o for o in after.objects if o.label == "red block")
    assert red.last_seen_ns == 100_000_000


def test_the_place_of_a_missed_thing_is_looked_for_through_the_lens() -> None:
    """A straight line of sight would meet the table beside the block, which the lens shows 10 pixels farther out, and call it gone."""
    block = rc.block("red block", -0.2, 0.1, edge=0.03)
    info = replace(FRONT.info, d=np.array([1.2, 0.0, 0.0, 0.0, 0.0]))
    rows, columns = np.mgrid[:240, :320]
    grid = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    column, row = np.rint(cv2.undistortPoints(grid, info.k, info.d, P=info.k)).astype(int).reshape(240, 320, 2).transpose(2, 0, 1)
    tracker = ObjectTracker()

    def look(things: list[rc.Thing], stamp: int, missed: bool) -> str:
        depth, ids = (seen[row, column] for seen in rc.cast(things, FRONT))
        image = rc.depth_image(depth, FRONT, stamp)
        view = View(Image(image.header, "rgb8", np.zeros((240, 320, 3), np.uint8)), image, info, FRONT.pose)
        found, masks = rc.perfect(things, ids, FRONT, stamp)
        sights = Sights([], []) if missed else ground(found, masks, image, info, FRONT.pose)
        (seen,) = tracker.update(sights, image.header, view).objects
        assert np.linalg.norm(seen.position - block.centre) < 0.005
        return seen.status

    assert look([block], 1, missed=False) == "visible"
    assert [look([block], stamp, missed=True) for stamp in range(2, 8)] == ["visible"] * 6
    assert [look([], stamp, missed=True) for stamp in range(8, 14)][-1] == "lost"
