"""What cannot be used is refused in one sentence that says what was expected, what was got and the cure; what is merely odd works."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from seesay.errors import DeviceError, MessageError, ModelError, PromptError, SeeSayError
from seesay.messages import CameraInfo, Detections, Example, Header, Image, Masks, PromptSet
from seesay.perception import Detector, Segmenter, ground
from tests.perception import raycast as rc
from tests.perception import tiny

Eye = Detector | Segmenter
Change = Callable[[Path], None]
PICTURE = tiny.picture()
MODELS: dict[str, type[Detector] | type[Segmenter]] = {"detector": Detector, "segmenter": Segmenter}
FILES = ("config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {"detector": tiny.save_owl(root / "owl"), "segmenter": tiny.save_clipseg(root / "clipseg")}


@pytest.fixture(scope="module")
def eyes(folders: dict[str, Path]) -> dict[str, Eye]:
    return {
        "detector": Detector.from_pretrained(str(folders["detector"]), threshold=0.001),
        "segmenter": Segmenter.from_pretrained(str(folders["segmenter"])),
    }


@pytest.fixture(params=["detector", "segmenter"])
def eye(request: pytest.FixtureRequest, eyes: dict[str, Eye]) -> Eye:
    return eyes[request.param]


def refused(error: type[SeeSayError], words: str, call: Callable[[], object]) -> None:
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def same(a: Detections | Masks, b: Detections | Masks) -> None:
    if isinstance(a, Detections) and isinstance(b, Detections):
        np.testing.assert_array_equal(a.boxes, b.boxes)
    if isinstance(a, Masks) and isinstance(b, Masks):
        np.testing.assert_array_equal(a.counts, b.counts)
    np.testing.assert_array_equal(a.scores, b.scores)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((0, 0, 3), np.uint8), "at least one pixel"),
        (np.full((9, 9, 3), np.nan, np.float32), r"got \(9, 9, 3\) float32; scale finite values"),
        (np.zeros((9, 9), np.uint8), r"got \(9, 9\) uint8; repeat the grey channel"),
        (np.zeros((9, 9, 1), np.uint8), "repeat the grey channel"),
        (np.zeros((9, 9, 3), np.uint16), "got .* uint16; scale it to eight bits"),
        (np.zeros((9, 9, 4), np.uint8), r"leave out the alpha channel: rgba\[\.\.\., :3\]"),
        (np.zeros((3, 9, 9), np.uint8), "put the channels last"),
        (np.zeros((2, 9, 9, 3), np.uint8), "give a list of pictures"),
        (np.zeros((9, 9, 3), np.int64), "got .* int64; convert it"),
        ([[0, 0, 0]], "got list; convert it with numpy.asarray"),
        (None, "got NoneType"),
        (np.broadcast_to(np.uint8(0), (40_000, 9, 3)), "at most 16384 pixels a side .* got 9 x 40000; make it smaller"),
        (np.broadcast_to(np.uint8(0), (16_000, 16_000, 3)), "134 million in all, got 16000 x 16000"),
    ],
    ids=["empty", "nan", "grey", "one channel", "16 bits", "rgba", "channels first", "batch", "int64", "list", "none", "long", "huge"],
)  # fmt: skip
def test_pictures_that_are_none_are_refused(eye: Eye, picture: Any, words: str) -> None:
    refused(MessageError, words, lambda: eye(picture, ["a cup"]))


@pytest.mark.parametrize("picture", [PICTURE * 0, PICTURE[:1, :1], PICTURE[:1], PICTURE[:, :2]], ids=["black", "one pixel", "row", "thin"])
def test_odd_pictures_work(eye: Eye, picture: NDArray[np.uint8]) -> None:
    seen = eye(picture, ["a cup"])
    assert (seen.height, seen.width) == picture.shape[:2]
    assert np.isfinite(seen.scores).all()


@pytest.mark.parametrize(
    "view",
    [PICTURE[::-1, ::-1], PICTURE[::2, ::3], PICTURE[..., ::-1], np.asfortranarray(PICTURE)],
    ids=["turned", "thinned", "bgr", "fortran"],
)  # fmt: skip
def test_pictures_need_not_be_contiguous(eye: Eye, view: NDArray[np.uint8]) -> None:
    assert not view.flags.c_contiguous
    same(eye(view, ["a cup"]), eye(np.ascontiguousarray(view), ["a cup"]))


def test_a_picture_that_may_not_be_written_works_and_stays_as_it_was(eye: Eye) -> None:
    frozen = PICTURE.copy()
    frozen.flags.writeable = False
    same(eye(frozen, ["a cup"]), eye(PICTURE, ["a cup"]))
    np.testing.assert_array_equal(frozen, PICTURE)


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ("a cup", r"expected a list of prompts, got the text 'a cup'; write \['a cup'\]"),
        (None, "expected a list of prompts, got None"),
        ([None], "expected a text or a Prompt at place 1, got None"),
        (["a cup", b"bowl"], "at place 2, got b'bowl'"),
        (["a cup", " \t"], "empty one at place 2"),
        (["a cup", "x" * 40], r"at most 16 tokens with start and end, got 42 in the prompt 'x+'; say it in fewer words"),
        (["\ud83e"], "whole characters in every prompt, got '.ud83e' at place 1"),
    ],
    ids=["text", "none", "none within", "bytes", "blank", "too long", "half a character"],
)
def test_prompts_that_are_none_are_refused(eye: Eye, prompts: Any, words: str) -> None:
    refused(PromptError, words, lambda: eye(PICTURE, prompts))


def test_no_prompts_find_nothing(eye: Eye) -> None:
    seen = eye(PICTURE, [])
    assert seen.prompts == ()
    assert seen.scores.shape == (0,)


def test_a_thousand_prompts_are_all_asked(eyes: dict[str, Eye]) -> None:
    prompts = [f"cup {number}" for number in range(1000)]
    masks = eyes["segmenter"](PICTURE[:32, :32], prompts)
    assert masks.prompts == tuple(prompts)
    assert masks.scores.shape == (1000,)
    found = eyes["detector"](PICTURE, prompts)
    assert isinstance(found, Detections)
    alone = eyes["detector"](PICTURE, [prompts[found.prompt_indices[0]]])
    assert alone.scores[0] == pytest.approx(found.scores[0], rel=1e-4)


def test_duplicates_are_answered_each(eyes: dict[str, Eye]) -> None:
    found = eyes["detector"](PICTURE, ["a cup", "a cup"])
    assert isinstance(found, Detections)
    one, other = (found.boxes[found.prompt_indices == index] for index in (0, 1))
    np.testing.assert_array_equal(one, other)
    assert len(one)
    masks = eyes["segmenter"](PICTURE, ["a cup", "a cup"])
    assert masks.scores[0] == masks.scores[1]


@pytest.mark.parametrize("prompt", ["tasse à thé", "杯子", "🥤", "a\0cup", "кубок"])
def test_prompts_of_any_script_work(eye: Eye, prompt: str) -> None:
    seen = eye(PICTURE, [prompt])
    assert seen.prompts == (prompt,)
    assert np.isfinite(seen.scores).all()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["detector", "segmenter"])
@pytest.mark.parametrize("how", ["missing", "cut", "empty"])
def test_a_model_folder_with_a_bad_file_is_refused(folders: dict[str, Path], tmp_path: Path, kind: str, name: str, how: str) -> None:
    folder = Path(shutil.copytree(folders[kind], tmp_path / "copy"))
    whole = (folder / name).read_bytes()
    if how == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(whole[: len(whole) // 2] if how == "cut" else b"")
    refused(ModelError, str(folder), lambda: MODELS[kind].from_pretrained(str(folder)))


@pytest.mark.parametrize("kind", ["detector", "segmenter"])
@pytest.mark.parametrize(
    ("how", "words"), [("missing", "as its config.json says, got none for"), ("shape", "got none for"), ("nan", "NaN or infinity in")]
)
def test_weights_that_are_not_there_are_not_drawn_at_random(
    folders: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, how: str, words: str
) -> None:
    folder = Path(shutil.copytree(folders[kind], tmp_path / "copy"))
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("layers.1.mlp.fc1.weight"))
    if how == "missing":
        del weights[name]
    else:
        weights[name] = np.full((3, 3) if how == "shape" else weights[name].shape, np.nan, np.float32)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    refused(ModelError, f"{words} {name}", lambda: MODELS[kind].from_pretrained(str(folder)))
    assert "LOAD REPORT" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "k",
    [np.zeros((3, 3)), np.diag([448.0, 448.0, 0.0]), np.array([[448.0, 0, 160], [448, 448, 120], [0, 0, 1]]), np.diag([448.0, 0, 1])],
    ids=["zeros", "no last row", "rows mixed", "flat"],
)  # fmt: skip
def test_singular_intrinsics_are_refused(k: NDArray[np.float64]) -> None:
    refused(MessageError, r"CameraInfo.k: expected .* got", lambda: CameraInfo(Header(0), 240, 320, k))


def test_intrinsics_of_nan_are_refused() -> None:
    refused(MessageError, "finite numbers", lambda: CameraInfo(Header(0), 240, 320, np.full((3, 3), np.nan)))


def test_depth_of_another_size_is_refused() -> None:
    camera, thing = rc.Camera(), rc.block("block", 0.0, 0.0)
    depth, ids = rc.cast([thing], camera)
    found, masks = rc.perfect([thing], ids, camera)
    half = rc.depth_image(np.ascontiguousarray(depth[::2, ::2]), camera)
    refused(MessageError, "240 x 320 picture, got 120 x 160", lambda: ground(found, masks, half, camera.info, camera.pose))


def test_a_grey_picture_is_looked_at_as_a_colourless_one(eye: Eye) -> None:
    grey, asked = PICTURE[..., 0].copy(), PromptSet(Header(0), 0, ("a cup",))
    image, colourless = Image(Header(0), "mono8", grey), Image(Header(0), "rgb8", np.repeat(grey[..., None], 3, axis=2))
    if isinstance(eye, Detector):
        same(eye.detect(image, asked), eye.detect(colourless, asked))
    else:
        same(eye.segment(image, asked), eye.segment(colourless, asked))


def test_blanks_around_and_between_words_do_not_count(eye: Eye) -> None:
    same(eye(PICTURE, [" a  cup\t"]), eye(PICTURE, ["a cup"]))


def test_depth_is_no_picture_to_look_at(eye: Eye) -> None:
    depth = Image(Header(0), "32FC1", np.ones((4, 4), np.float32))
    look = eye.detect if isinstance(eye, Detector) else eye.segment
    refused(MessageError, "expected a colour or grey picture, got encoding 32FC1", lambda: look(depth, PromptSet(Header(0), 1, ("a cup",))))


@pytest.mark.parametrize(
    "box", [[10, 10, 200, 90], [-1, 0, 9, 9], [9, 9, 9, 20], [0, 0, np.nan, 9]], ids=["beyond", "before", "empty", "nan"]
)
def test_a_crop_outside_the_picture_is_refused(box: list[float]) -> None:
    refused(MessageError, "a box inside the 96 x 128 picture, got", lambda: Example(PICTURE, np.array(box, np.float32)))


@pytest.mark.parametrize(
    "said", ["CUDA error: an illegal memory access was encountered\nCompile with TORCH_USE_CUDA_DSA", "CUDA driver: device lost"]
)
def test_a_gpu_that_vanishes_is_told_in_one_sentence(eye: Eye, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(said)

    engine = eye.owl if isinstance(eye, Detector) else eye.clipseg
    monkeypatch.setattr(engine, "encode_images", fail)
    refused(DeviceError, "the GPU failed or is gone .*CUDA", lambda: eye(PICTURE, ["a cup"]))
