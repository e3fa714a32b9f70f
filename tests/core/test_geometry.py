"""Geometry by property: what is done and undone is the identity."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seesay import geometry as g
from seesay.errors import TransformError
from seesay.messages import Header, Transform

K = np.array([[280.0, 0, 159.5], [0, 281.0, 119.5], [0, 0, 1]])
coordinate = st.floats(-5, 5)
vector = st.tuples(coordinate, coordinate, coordinate).map(np.array)
quaternion = (
    st.tuples(*[st.floats(-1, 1)] * 4).map(np.array).filter(lambda q: np.linalg.norm(q) > 0.1).map(lambda q: q / np.linalg.norm(q))
)
pose = st.builds(g.rigid, vector, quaternion)


def link(parent: str, child: str, translation: Any, rotation: Any = (0, 0, 0, 1), stamp_ns: int = 0, static: bool = False) -> Transform:
    return Transform(Header(stamp_ns, frame_id=parent), child, np.array(translation, float), np.array(rotation, float), static)


@given(st.floats(0.01, 50), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_project_undoes_unproject(z: Any, u: Any, v: Any) -> None:
    point = g.unproject_pixels(np.array([u, v]), np.array(z), K)
    assert point[2] == pytest.approx(z)
    np.testing.assert_allclose(g.project(point, K), [u, v], atol=1e-6)


def test_depth_picture_gives_the_points_that_project_to_their_pixels() -> None:
    depth = np.linspace(0.3, 2, 12, dtype=np.float32).reshape(3, 4)
    depth[1, 1], depth[2, 2] = 0, np.nan
    points = g.unproject(depth, K)
    assert points.shape == (3, 4, 3)
    assert np.isnan(points[1, 1]).all()
    assert np.isnan(points[2, 2]).all()
    np.testing.assert_allclose(g.project(points[0], K), [[u, 0] for u in range(4)], atol=1e-9)


def test_points_behind_the_camera_have_no_pixel() -> None:
    assert np.isnan(g.project(np.array([[0.1, 0.1, -1.0], [0, 0, 0]]), K)).all()


@given(quaternion)
def test_quaternion_and_matrix_are_one_rotation(q: Any) -> None:
    matrix = g.matrix_from_quaternion(q)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)
    back = g.quaternion_from_matrix(matrix)
    assert abs(float(back @ q)) == pytest.approx(1, abs=1e-9)


@given(pose, pose, vector)
def test_inverse_and_composition(a: Any, b: Any, point: Any) -> None:
    np.testing.assert_allclose(g.invert(a) @ a, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(g.transform_points(a @ b, point), g.transform_points(a, g.transform_points(b, point)), atol=1e-9)


@given(quaternion, quaternion, st.floats(0, 1))
def test_slerp_is_a_unit_quaternion_between_its_ends(a: Any, b: Any, fraction: Any) -> None:
    middle = g.slerp(a, b, fraction)
    assert np.linalg.norm(middle) == pytest.approx(1)
    assert abs(middle @ a) >= abs(a @ b) - 1e-6
    assert abs(g.slerp(a, b, 0.0) @ a) == pytest.approx(1)
    assert abs(g.slerp(a, b, 1.0) @ b) == pytest.approx(1)


@settings(max_examples=50)
@given(st.lists(st.tuples(vector, quaternion), min_size=1, max_size=6))
def test_chain_is_the_product_of_its_links(steps: Any) -> None:
    buffer, product = g.TransformBuffer(), np.eye(4)
    for i, (translation, rotation) in enumerate(steps):
        buffer.add(link(f"f{i}", f"f{i + 1}", translation, rotation, static=True))
        product = product @ g.rigid(translation, rotation)
    last = f"f{len(steps)}"
    np.testing.assert_allclose(buffer.lookup("f0", last, 5), product, atol=1e-9)
    np.testing.assert_allclose(buffer.lookup(last, "f0", 5), g.invert(product), atol=1e-9)


def test_siblings_meet_at_their_common_parent() -> None:
    buffer = g.TransformBuffer()
    buffer.add(link("world", "front", [1, 0, 0], static=True))
    buffer.add(link("world", "side", [0, 2, 0], static=True))
    np.testing.assert_allclose(buffer.lookup("front", "side")[:3, 3], [-1, 2, 0])


def test_moving_frames_are_interpolated_in_any_order_of_arrival() -> None:
    buffer = g.TransformBuffer()
    half = np.sin(np.pi / 4)
    for transform in (
        link("world", "tool", [2, 0, 0], [0, 0, half, half], stamp_ns=2_000),
        link("world", "tool", [0, 0, 0], stamp_ns=0),
    ):
        buffer.add(transform)
    middle = buffer.lookup("world", "tool", 1_000)
    np.testing.assert_allclose(middle[:3, 3], [1, 0, 0])
    np.testing.assert_allclose(middle[:3, :3] @ [1, 0, 0], [half, half, 0])


def test_stamps_outside_are_refused_unless_tolerated() -> None:
    buffer, lenient = g.TransformBuffer(), g.TransformBuffer(tolerance_s=1.0)
    for b in (buffer, lenient):
        b.add(link("world", "tool", [1, 0, 0], stamp_ns=10))
    with pytest.raises(TransformError, match=r"stamp 50 is .* outside"):
        buffer.lookup("world", "tool", 50)
    assert lenient.can_lookup("world", "tool", 50)
    assert buffer.can_lookup("world", "tool")


def test_unknown_frames_and_circles_are_named() -> None:
    buffer = g.TransformBuffer()
    with pytest.raises(TransformError, match=r"no chain .* 'camera' to 'world'"):
        buffer.lookup("world", "camera")
    buffer.add(link("a", "b", [0, 0, 0]))
    buffer.add(link("b", "a", [0, 0, 0]))
    with pytest.raises(TransformError, match="circle"):
        buffer.lookup("a", "world")


def test_old_stamps_are_forgotten_and_a_reset_clock_starts_anew() -> None:
    buffer = g.TransformBuffer(keep_s=1.0)
    for second in range(5):
        buffer.add(link("world", "tool", [second, 0, 0], stamp_ns=second * 10**9))
    assert not buffer.can_lookup("world", "tool", 10**9)
    buffer.add(link("world", "tool", [9, 0, 0], stamp_ns=0))
    assert buffer.lookup("world", "tool", 0)[0, 3] == 9


def test_a_short_recording_played_over_and_over_takes_no_more_memory() -> None:
    buffer = g.TransformBuffer()
    for lap in range(50):
        for tenth in range(10):
            buffer.add(link("world", "tool", [lap, 0, 0], stamp_ns=tenth * 10**8))
        assert buffer.lookup("world", "tool", 8 * 10**8)[0, 3] == lap
    assert len(buffer._moving["tool"]) == 10
