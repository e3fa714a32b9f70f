"""Training pictures: the same seed gives the same shard, and the tables say what the labels show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seesay.sim import dataset, scene


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    dataset.write(folder, 6, "train", seed=4, exclude=scene.HELD_OUT, show=False)
    return folder


def test_tables_agree_with_the_labels(shard: Path) -> None:
    with np.load(shard / "0000.npz") as data:
        images, labels, objects = data["images"], data["labels"], data["objects"]
    assert images.shape == (6, 240, 320, 3)
    assert (objects[:, :, 0] >= 0).sum() >= 12
    for label, table in zip(labels, objects, strict=True):
        for k, row in enumerate(table):
            mask = label == k + 1
            assert mask.any() == (row[0] >= 0)
            if row[0] >= 0:
                rows, columns = np.nonzero(mask)
                assert row[2:6].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert row[6] == mask.sum() <= row[7]
                assert (list(scene.COLOURS)[int(row[0])], scene.SHAPES[int(row[1])]) not in scene.HELD_OUT


def test_a_shard_depends_on_its_seed_alone(shard: Path, tmp_path: Path) -> None:
    dataset.write(tmp_path, 6, "train", seed=4, exclude=scene.HELD_OUT, show=False)
    with np.load(shard / "0000.npz") as first, np.load(tmp_path / "0000.npz") as second:
        for name in ("images", "labels", "objects"):
            assert np.array_equal(first[name], second[name])


def test_what_is_there_is_kept(shard: Path) -> None:
    before = (shard / "0000.npz").stat().st_mtime_ns
    dataset.write(shard, 6, "train", seed=4, exclude=(), show=False)
    assert (shard / "0000.npz").stat().st_mtime_ns == before


def test_an_unhidden_thing_covers_its_silhouette() -> None:
    import mujoco

    from seesay.sim.mjcf import build
    from seesay.sim.render import Renderer, intrinsics, optical_pose

    for seed, shape in enumerate(scene.SHAPES):
        rng = np.random.default_rng(seed)
        thing = scene.random_object(rng, "red", shape, (0.03, 0.02))
        model = build(scene.dress(rng, seed, "test", (thing,)))
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        with Renderer(model) as renderer:
            seen = int((renderer.bodies(data, "front") == model.body(thing.name).id).sum())
        camera = model.camera("front").id
        optical = optical_pose(data.cam_xpos[camera], data.cam_xmat[camera])
        fovy = float(model.cam_fovy[camera])
        assert seen == pytest.approx(dataset.silhouette_area(thing, intrinsics(fovy), optical), rel=0.06)
