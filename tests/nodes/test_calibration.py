"""Calibration files, and depth from the plane of a table."""

from pathlib import Path

import numpy as np
import pytest

from seesay.config import shipped_folder
from seesay.errors import ConfigError
from seesay.geometry import transform_points, unproject
from seesay.messages import Header
from seesay.nodes.calibration import load, plane_depth

SHIPPED = shipped_folder() / "calibration.toml"


def test_the_shipped_example_looks_at_the_middle_of_the_table() -> None:
    camera = load(SHIPPED, "front")
    info = camera.info(Header(0), camera.height, camera.width)
    depth = plane_depth(info.k, camera.T_world_camera, info.height, info.width)
    points = transform_points(camera.T_world_camera, unproject(depth, info.k))
    assert np.abs(points[..., 2]).max() < 1e-6
    assert np.abs(points[239:241, 319:321].mean(axis=(0, 1))).max() < 1e-3
    assert points[0, 320, 1] > points[-1, 320, 1]   # the top of the picture is far away


def test_intrinsics_scale_with_the_picture() -> None:
    camera = load(SHIPPED, "front")
    info = camera.info(Header(0), 240, 320)
    assert info.k[0, 0] == pytest.approx(camera.k[0, 0] / 2)
    assert info.k[0, 2] == pytest.approx(159.5)


def test_pixels_above_the_horizon_have_no_depth() -> None:
    level = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1], [0, 0, 0, 1]])
    depth = plane_depth(np.array([[50.0, 0, 24.5], [0, 50, 24.5], [0, 0, 1]]), level, 50, 50)
    assert (depth[:25] == 0).all()
    assert (depth[26:] > 0).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("[front]", "[rear]"), "expected a table \\[front\\]"),
        (("k = [[554.3", "k = [[-1"), "positive focal lengths"),
        (("rotation = [0.9594", "rotation = [3.0"), "unit quaternion"),
        (("width = 640", "width = 640\nfoo = 1"), "got foo"),
        (("width = 640", "width = "), "calibration.toml"),
        (("translation = [0.0,", "translation = [true, 0.0,"), "expected \\(3\\)|expected \\(3"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    path = tmp_path / "calibration.toml"
    path.write_text(SHIPPED.read_text().replace(*change))
    with pytest.raises(ConfigError, match=sentence):
        load(path, "front")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load(tmp_path / "none.toml", "front")
