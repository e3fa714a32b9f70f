"""Grounding against ray-cast truth: centre, yaw and extent of every shape, clutter, nesting, noise, bad depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seesay import masks as coding
from seesay.errors import MessageError
from seesay.messages import CameraInfo, Detections, Image, Masks
from seesay.perception.grounding import Observation, ground, pixels_of
from seesay.perception.noise import RGBD, Noise
from tests.perception import raycast as rc

CAMERAS = (rc.Camera("front", -90, 63, 0.79), rc.Camera("side", -28, 53, 0.83))
SHAPES: dict[str, Callable[[float, float], rc.Thing]] = {
    "block": lambda x, y: rc.block("block", x, y, 0.047, yaw=3 * x + y),
    "ball": lambda x, y: rc.ball("ball", x, y),
    "can": lambda x, y: rc.can("can", x, y),
    "cup": lambda x, y: rc.cup("cup", x, y),
    "bowl": lambda x, y: rc.bowl("bowl", x, y),
    "plate": lambda x, y: rc.plate("plate", x, y),
}
SPOTS = [(0.0, 0.0), (-0.15, 0.1), (0.13, -0.08)]


def place(
    detections: Detections, masks: Masks | None, depth: Image, info: CameraInfo, pose: NDArray[np.float64], noise: Noise = RGBD
) -> list[Observation]:
    """What `ground` places, without bearings."""
    return ground(detections, masks, depth, info, pose, noise).observations


def see(things: list[rc.Thing], camera: rc.Camera, grow: int = 0, masked: bool = True, noise: float = 0.0) -> list[Observation]:
    """Ground faultless networks' results; `grow` > 0 dilates the masks and boxes by so many pixels, < 0 erodes them."""
    depth, ids = rc.cast(things, camera)
    detections, masks = rc.perfect(things, ids, camera)
    if grow:
        detections, masks = blurred(detections, masks, grow)
    if noise:
        depth = (depth + np.random.default_rng(0).normal(0, noise, depth.shape)).astype(np.float32)
    return place(detections, masks if masked else None, rc.depth_image(depth, camera), camera.info, camera.pose)


def blurred(detections: Detections, masks: Masks, grow: int) -> tuple[Detections, Masks]:
    change = cv2.dilate if grow > 0 else cv2.erode
    decoded = coding.decode(masks.counts, masks.starts, masks.height, masks.width)
    changed = np.array([change(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=abs(grow)) for mask in decoded], bool)
    counts, starts = coding.encode(changed)
    boxes = (detections.boxes + np.array([-grow, -grow, grow, grow])).astype(np.float32)
    return replace(detections, boxes=boxes), replace(masks, counts=counts, starts=starts)


def turn_between(a: float, b: float) -> float:
    """Angle in radians between two rectangles' orientations."""
    return abs((a - b + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def miss(observation: Observation, thing: rc.Thing) -> float:
    return float(np.linalg.norm((observation.position - thing.centre)[:2]))


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("grow", "masked"), [(0, True), (2, True), (-2, True), (0, False)])
def test_centre_within_a_millimetre(shape: str, camera: rc.Camera, grow: int, masked: bool) -> None:
    for spot in SPOTS:
        thing = SHAPES[shape](*spot)
        (seen,) = see([thing], camera, grow, masked)
        assert miss(seen, thing) < 0.001
        assert abs(seen.position[2] - thing.centre[2]) < 0.001
        assert abs(seen.extent[2] - thing.height) < 0.002
        assert seen.complete
        assert seen.label == shape
        if shape == "block":
            assert turn_between(seen.yaw, thing.yaw) < np.radians(1)
            across = 0.047 * (abs(np.cos(thing.yaw)) + abs(np.sin(thing.yaw)))
            np.testing.assert_allclose(seen.extent[:2], across, atol=0.004)
        else:
            assert seen.yaw == 0
            radius = thing.size[0] if thing.size else max(r for r, _ in thing.profile)
            np.testing.assert_allclose(seen.extent[:2], 2 * radius, atol=0.003)


@pytest.mark.parametrize("shape", SHAPES)
def test_depth_noise_of_two_millimetres(shape: str) -> None:
    for camera in CAMERAS:
        for spot in SPOTS:
            thing = SHAPES[shape](*spot)
            (seen,) = see([thing], camera, noise=0.002)
            assert miss(seen, thing) < 0.005


def test_neighbours_a_few_millimetres_apart_stay_apart() -> None:
    things = [
        rc.block("a", -0.03, 0.0, 0.048),
        rc.block("b", 0.022, 0.0, 0.048),
        rc.can("c", -0.03, -0.055),
        rc.bowl("d", 0.055, -0.087),
        rc.ball("e", 0.022, 0.052),
    ]
    for camera in CAMERAS:
        for grow in (-2, 0, 2):
            seen = {o.label: o for o in see(things, camera, grow)}
            for thing in things:
                observed = seen[thing.name]
                assert miss(observed, thing) < (0.002 if observed.complete else 0.03), (thing.name, camera.name, grow)


def test_block_in_bowl_and_block_on_block() -> None:
    bowl, inside = rc.bowl("green bowl", 0.08, 0.02), rc.block("red block", 0.082, 0.021, 0.042, yaw=0.3, z=0.0045)
    below, upper = rc.block("blue block", -0.08, 0.0, 0.05), rc.block("yellow block", -0.078, 0.002, 0.044, yaw=0.5, z=0.05)
    for camera in CAMERAS:
        seen = {o.label: o for o in see([bowl, inside, below, upper], camera)}
        assert miss(seen["green bowl"], bowl) < 0.002
        assert miss(seen["red block"], inside) < 0.004
        assert miss(seen["yellow block"], upper) < 0.002
        assert seen["yellow block"].complete
        assert abs(seen["yellow block"].position[2] - upper.centre[2]) < 0.006
        assert turn_between(seen["yellow block"].yaw, upper.yaw) < np.radians(2)
        assert not seen["blue block"].complete
        assert seen["blue block"].covariance[0, 0] > 10 * seen["yellow block"].covariance[0, 0]


def test_names_of_one_thing_become_alternatives() -> None:
    thing = rc.block("red block", 0.0, 0.0)
    camera = CAMERAS[0]
    depth, ids = rc.cast([thing], camera)
    found, _ = rc.perfect([thing], ids, camera)
    several = replace(
        found,
        prompts=("a red block", "a block", "a blue block"),
        boxes=np.concatenate([found.boxes, found.boxes + 1, found.boxes - 1]).astype(np.float32),
        scores=np.array([0.6, 0.8, 0.2], np.float32),
        prompt_indices=np.array([0, 1, 2], np.int32),
    )
    (seen,) = place(several, None, rc.depth_image(depth, camera), camera.info, camera.pose)
    assert (seen.label, round(seen.score, 3)) == ("block", 0.8)
    assert [(a.label, round(a.score, 3)) for a in seen.alternatives] == [("red block", 0.6), ("blue block", 0.2)]


def test_invalid_depth() -> None:
    camera, thing = CAMERAS[0], rc.block("block", 0.0, 0.0)
    depth, ids = rc.cast([thing], camera)
    found, masks = rc.perfect([thing], ids, camera)
    speckled: NDArray[np.float32] = depth.copy()
    holes = np.random.default_rng(0).random(depth.shape)
    speckled[holes < 0.1] = np.nan
    speckled[holes > 0.9] = 0
    (seen,) = place(found, masks, rc.depth_image(speckled, camera), camera.info, camera.pose)
    assert miss(seen, thing) < 0.003
    millimetres = Image(rc.depth_image(depth, camera).header, "16UC1", np.round(depth * 1000).astype(np.uint16))
    (seen,) = place(found, masks, millimetres, camera.info, camera.pose)
    assert miss(seen, thing) < 0.003
    header = rc.depth_image(depth, camera).header
    with pytest.raises(MessageError, match="registered to the 240 x 320 picture, got 120 x 160"):
        place(found, masks, rc.depth_image(depth[::2, ::2].copy(), camera), camera.info, camera.pose)
    with pytest.raises(MessageError, match="got mono8"):
        place(found, masks, Image(header, "mono8", np.zeros((240, 320), np.uint8)), camera.info, camera.pose)


@pytest.mark.parametrize("masked", [True, False])
def test_missing_depth_gives_a_bearing_and_no_guess(masked: bool) -> None:
    camera, cup, bowl = CAMERAS[0], rc.cup("glass cup", -0.1, 0.05), rc.bowl("bowl", 0.1, 0.0)
    depth, ids = rc.cast([cup, bowl], camera)
    found, masks = rc.perfect([cup, bowl], ids, camera)
    for nothing in (0.0, np.nan, np.inf):
        image = rc.depth_image(np.where(ids == 0, np.float32(nothing), depth), camera)
        sights = ground(found, masks if masked else None, image, camera.info, camera.pose)
        assert [o.label for o in sights.observations] == ["bowl"]
        (bearing,) = sights.bearings
        assert (bearing.label, round(bearing.score, 3), bearing.source.camera) == ("glass cup", 0.9, "front")
        np.testing.assert_array_equal(bearing.origin, camera.pose[:3, 3])
        way = cup.centre - bearing.origin
        assert np.degrees(np.arccos(bearing.direction @ way / np.linalg.norm(way))) < 1.0
    blind = ground(found, masks, rc.depth_image(np.zeros_like(depth), camera), camera.info, camera.pose)
    assert blind.observations == []
    assert {b.label for b in blind.bearings} == {"glass cup", "bowl"}


def test_half_missing_depth_makes_a_place_less_sure() -> None:
    camera, thing = CAMERAS[0], rc.can("can", 0.0, 0.0)
    depth, ids = rc.cast([thing], camera)
    found, masks = rc.perfect([thing], ids, camera)
    columns = np.nonzero(ids == 0)[1]
    depth[(ids == 0) & (np.arange(rc.WIDTH) > np.percentile(columns, 40))] = 0
    (seen,) = place(found, masks, rc.depth_image(depth, camera), camera.info, camera.pose)
    assert not seen.complete
    assert miss(seen, thing) < 2 * np.sqrt(np.trace(seen.covariance[:2, :2]))


def test_intrinsics_of_another_resolution_are_refused() -> None:
    camera, thing = CAMERAS[0], rc.ball("ball", 0.1, 0.08)
    depth, ids = rc.cast([thing], camera)
    found, _ = rc.perfect([thing], ids, camera)
    with pytest.raises(MessageError, match="intrinsics that belong to the 240 x 320 picture, got 480 x 640"):
        ground(found, None, rc.depth_image(depth, camera), replace(camera.info, height=480, width=640), camera.pose)


def test_without_a_level_support_a_thing_is_parted_from_the_wall_behind_it() -> None:
    """A camera that looks along the ground at a ball before a wall."""
    camera = rc.Camera("front", -90, 1.0, 0.8, target=(0.0, 0.0, 0.3))
    thing = rc.ball("ball", 0.0, 0.0, 0.05, z=0.25)
    depth, ids = rc.cast([thing], camera)
    depth = np.where(ids < 0, np.float32(1.5), depth)
    found, _ = rc.perfect([thing], ids, camera)
    (seen,) = place(found, None, rc.depth_image(depth, camera), camera.info, camera.pose)
    np.testing.assert_allclose(seen.position, [0, 0, 0.3], atol=0.004)


def test_lens_distortion_is_undone() -> None:
    """What a bent lens shows at some pixels lies where OpenCV's own projection through that lens comes back to these pixels."""
    camera, thing = CAMERAS[0], rc.ball("ball", 0.18, 0.1)
    depth, ids = rc.cast([thing], camera)
    found, _ = rc.perfect([thing], ids, camera)
    bent = replace(camera.info, d=np.array([0.8, -0.1, -0.02, 0.02, 0.0]))
    straight, placed = (place(found, None, rc.depth_image(depth, camera), info, camera.pose)[0].position for info in (camera.info, bent))
    to_camera = np.linalg.inv(camera.pose)
    turn, shift = cv2.Rodrigues(to_camera[:3, :3])[0], to_camera[:3, 3]

    def pixel(position: NDArray[np.float64], d: NDArray[np.float64]) -> NDArray[np.float64]:
        return cv2.projectPoints(position[None], turn, shift, camera.k, d)[0].reshape(2).astype(np.float64)

    seen = pixel(straight, np.zeros(5))
    assert np.linalg.norm(pixel(straight, bent.d) - seen) > 4
    np.testing.assert_allclose(pixel(placed, bent.d), seen, atol=0.5)
    none = replace(camera.info, d=np.full(5, 1e-12))
    np.testing.assert_allclose(place(found, None, rc.depth_image(depth, camera), none, camera.pose)[0].position, straight, atol=1e-6)


def test_points_appear_where_opencv_projects_them_and_those_beside_the_picture_nowhere() -> None:
    camera = CAMERAS[0]
    barrel = replace(camera.info, d=np.array([-0.25, 0.03, 0.002, -0.001, 0.0]))
    points = np.array([[0.1, 0.05, 0.8], [-0.25, 0.15, 0.8], [0.0, 0.0, 0.3], [4.0, 0.0, 0.8], [0.1, 0.1, -0.8]])
    pixels = pixels_of(points, barrel)
    wanted = cv2.projectPoints(points[:3, None], np.zeros(3), np.zeros(3), camera.k, barrel.d)[0][:, 0]
    np.testing.assert_allclose(pixels[:3], wanted, atol=1e-6)
    assert np.linalg.norm(wanted[1] - pixels_of(points, camera.info)[1]) > 4
    assert np.isnan(pixels[3:]).all()


@pytest.mark.parametrize("shape", ["block", "can", "bowl", "ball"])
def test_a_camera_without_depth_of_which_only_the_table_is_known(shape: str) -> None:
    """Depth says of every pixel that it lies on the table: things are found to about a third of their width."""
    for camera in CAMERAS:
        for spot in SPOTS:
            thing = SHAPES[shape](*spot)
            _, ids = rc.cast([thing], camera)
            table, _ = rc.cast([], camera)
            detections, masks = rc.perfect([thing], ids, camera)
            (seen,) = place(detections, masks, rc.depth_image(table, camera), camera.info, camera.pose)
            assert miss(seen, thing) < 0.35 * seen.extent[0]
            assert abs(seen.position[2]) < 1e-6


def test_a_box_on_the_bare_table_places_nothing_where_depth_is_real() -> None:
    camera, thing = CAMERAS[0], rc.block("block", 0.1, 0.0)
    depth, ids = rc.cast([thing], camera)
    found, _ = rc.perfect([thing], ids, camera)
    elsewhere = replace(found, boxes=np.array([[60, 100, 90, 130]], np.float32))
    assert place(elsewhere, None, rc.depth_image(depth, camera), camera.info, camera.pose) == []


def test_parts_of_a_thing_and_boxes_around_it_are_one_thing() -> None:
    camera, thing = CAMERAS[0], rc.bowl("bowl", 0.0, 0.0)
    depth, ids = rc.cast([thing], camera)
    found, masks = rc.perfect([thing], ids, camera)
    x0, y0, x1, y1 = found.boxes[0]
    boxes = [[x0, y0, x1, y1], [x0, y0, (x0 + x1) / 2, (y0 + y1) / 2], [x0 + 20, y0 + 10, x1 + 30, y1 + 20], [x0 - 20, y0 - 25, x1, y1]]
    several = replace(
        found,
        prompts=("bowl", "plate"),
        boxes=np.array(boxes, np.float32),
        scores=np.array([0.9, 0.6, 0.5, 0.4], np.float32),
        prompt_indices=np.array([0, 0, 0, 1], np.int32),
    )
    for known in (masks, None):
        (seen,) = place(several, known, rc.depth_image(depth, camera), camera.info, camera.pose)
        assert seen.label == "bowl"
        assert miss(seen, thing) < 0.002
    assert [a.label for a in seen.alternatives] == ["plate"]


def test_a_mask_that_spills_over_what_stands_before_the_thing() -> None:
    things = [rc.ball("ball", 0.0, 0.0), rc.cup("cup", 0.0, -0.06)]
    depth, ids = rc.cast(things, CAMERAS[0])
    found, masks = rc.perfect(things, ids, CAMERAS[0])
    ball, cup = coding.decode(masks.counts, masks.starts, masks.height, masks.width)
    spilt = cup & (np.arange(240)[:, None] < np.flatnonzero(cup.any(axis=1))[0] + 12)
    assert 0.3 * ball.sum() < spilt.sum() < ball.sum()
    counts, starts = coding.encode(np.array([ball | spilt, cup & ~spilt]))
    rows, columns = np.nonzero(ball | spilt)
    boxes = found.boxes.copy()
    boxes[0] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    image = rc.depth_image(depth, CAMERAS[0])
    seen = place(replace(found, boxes=boxes), replace(masks, counts=counts, starts=starts), image, CAMERAS[0].info, CAMERAS[0].pose)
    np.testing.assert_allclose(next(o for o in seen if o.label == "ball").position, things[0].centre, atol=0.004)
