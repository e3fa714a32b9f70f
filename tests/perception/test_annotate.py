from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from seesay import masks as coding
from seesay.messages import Detections, Header, Masks, Object, Objects, Source
from seesay.perception.annotate import colour, draw
from tests.perception import raycast as rc


def boxes(
    *rows: tuple[float, float, float, float], prompts: tuple[str, ...] = ("zebra",), height: int = 240, width: int = 320
) -> Detections:
    count = len(rows)
    return Detections(
        Header(0, source=Source("front", 3, 0)), 0, prompts, "test", height, width, np.array(rows, np.float32).reshape(-1, 4),
        np.full(count, 0.5, np.float32), np.zeros(count, np.int32),
    )


def mask_of(*masks: NDArray[np.bool_], prompts: tuple[str, ...]) -> Masks:
    counts, starts = coding.encode(np.stack(masks))
    height, width = masks[0].shape
    return Masks(Header(0), 0, prompts, "test", height, width, counts, starts, np.ones(len(masks), np.float32))


def changed(canvas: NDArray[np.uint8], value: int = 40) -> NDArray[np.bool_]:
    return np.asarray((canvas != value).any(axis=2))


def grey(height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 40, np.uint8)


def test_a_small_picture_is_enlarged_with_its_boxes_and_masks() -> None:
    things = [rc.block("red block", 0.0, 0.0), rc.bowl("green bowl", 0.1, 0.05)]
    camera = rc.Camera()
    _, ids = rc.cast(things, camera)
    detections, masks = rc.perfect(things, ids, camera)
    rgb = grey()
    canvas = draw(rgb, detections, masks)
    assert canvas.shape == (480, 640, 3)
    assert canvas.dtype == np.uint8
    assert (rgb == 40).all()
    rows, columns = np.nonzero(ids == 0)
    middle = canvas[int(rows.mean()) * 2, int(columns.mean()) * 2]
    assert middle[0] > middle[1] + 40
    assert (canvas[400:, :100] == 40).all()


@pytest.mark.parametrize(("height", "width", "scale", "factor"), [(240, 320, 0, 2), (240, 320, 1, 1), (240, 320, 3, 3), (48, 64, 0, 8),
                                                                 (720, 1280, 0, 1), (2, 2, 0, 8), (4000, 100, 0, 1)])
def test_size(height: int, width: int, scale: int, factor: int) -> None:
    canvas = draw(grey(height, width), boxes((1, 1, width - 1, height - 1), height=height, width=width), scale=scale)
    assert canvas.shape == (height * factor, width * factor, 3)


def test_boxes_are_where_they_belong() -> None:
    paint = np.array(colour("zebra"), int)
    canvas = draw(grey(), boxes((50, 60, 150, 200)))
    near = np.abs(canvas.astype(int) - paint).max(axis=2) < 30
    rows, columns = np.nonzero(near[:, 280:])   # right of the label
    assert rows.min() == pytest.approx(120, abs=3)
    assert rows.max() == pytest.approx(400, abs=3)
    assert columns.max() + 280 == pytest.approx(300, abs=3)


@pytest.mark.parametrize("height", [240, 1080, 2160])
def test_letters_grow_with_the_picture(height: int) -> None:
    width = height * 16 // 9
    canvas = draw(grey(height, width), boxes((width / 2, height / 2, width / 2 + 2, height / 2 + 2), height=height, width=width))
    rows = np.nonzero(changed(canvas).any(axis=1))[0]
    assert 0.02 < (rows.max() - rows.min()) / canvas.shape[0] < 0.08


def test_labels_stay_inside_and_apart() -> None:
    corners = [(0, 0, 30, 30), (0, 0, 32, 32), (300, 0, 320, 20), (300, 230, 320, 240), (0, 230, 20, 240)]
    one, all_of_them = draw(grey(), boxes(corners[0])), draw(grey(), boxes(*corners))
    plate = (one == 25).all(axis=2).sum()
    assert (all_of_them == 25).all(axis=2).sum() > 4.5 * plate


def test_masks_are_translucent_also_where_they_overlap() -> None:
    whole = np.zeros((240, 320), bool)
    whole[50:150, 50:150] = True
    right = whole.copy()
    right[:, :100] = False
    canvas = draw(grey(), None, mask_of(whole, right, prompts=("red", "blue")), scale=1)
    single, double = canvas[100, 75].astype(int), canvas[100, 125].astype(int)
    np.testing.assert_allclose(single, 0.6 * 40 + 0.4 * np.array(colour("red")), atol=1)
    np.testing.assert_allclose(double, 0.6 * 40 + 0.4 * (np.array(colour("red")) + colour("blue")) / 2, atol=1)
    assert (canvas[200:] == 40).all()


def test_masks_of_prompts_without_a_box_are_left_out() -> None:
    whole = np.ones((240, 320), bool)
    masks = mask_of(whole, prompts=("horse",))
    assert not changed(draw(grey(), boxes(prompts=("zebra", "horse")), masks)).any()
    assert changed(draw(grey(), None, masks)).all()


def test_objects_of_this_camera_are_written_with_their_positions() -> None:
    def thing(camera: str) -> Objects:
        one = Object(1, "cup", 0.9, np.array([100, 100, 150, 150], np.float32), np.zeros(3), np.eye(3), np.ones(3), 0, Source(camera, 1, 0))
        return Objects(Header(0), (one,))

    assert changed(draw(grey(), boxes(), None, thing("front"))).any()
    assert not changed(draw(grey(), boxes(), None, thing("side"))).any()
    assert changed(draw(grey(), None, None, thing("side"))).any()


def test_a_name_has_one_colour() -> None:
    assert colour("a red block") == colour("the red bowl") != colour("zebra")
    assert colour("zebra") == colour("zebra") != colour("horse")
