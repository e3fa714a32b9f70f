"""What is remembered answers as the live detector did, within its budget."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest

from seesay.errors import MessageError, ModelError, PromptError
from seesay.messages import CameraInfo, Detections, Header, Image, PromptVectors, Remembered, Source, Transform
from seesay.perception import memory as remembering
from seesay.perception.detector import Detector
from seesay.perception.embedded import load
from seesay.perception.grounding import ground
from seesay.perception.memory import VisualMemory, places, shrink
from seesay.perception.owlvit import Owl
from tests.perception import tiny

PROMPTS = ["a red block", "bowl"]
S = 10**9
K = np.array([[100.0, 0, 32], [0, 100, 24], [0, 0, 1]])


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(Owl(load("detector", str(tiny.save_owl(tmp_path_factory.mktemp("owl"))))), threshold=0.5)


def picture(detector: Detector, number: int, camera: str = "front") -> Remembered:
    header = Header(number * S, source=Source(camera, number, number * S))
    image = Image(header, "rgb8", tiny.picture(seed=number))
    return Remembered(header, detector.embeddings(image, detector.owl.encode_image(image.data)))


def everything(detector: Detector) -> PromptVectors:
    """A question that every token answers."""
    return Detector(detector.owl, threshold=0.0).encode_prompts(PROMPTS)


def stamps(found: list[tuple[Remembered, Detections]]) -> list[int]:
    return [answer.header.stamp_ns // S for _, answer in found]


def test_a_picture_gone_answers_as_it_did_live(detector: Detector) -> None:
    memory = VisualMemory()
    for number in range(40):
        memory.add(picture(detector, number))
    answers = {answer.header.stamp_ns // S: answer for _, answer in memory.ask(detector.encode_prompts(PROMPTS))}
    live = {number: detector(tiny.picture(seed=number), PROMPTS) for number in range(40)}
    wanted = {number for number, found in live.items() if len(found.scores) and found.scores[0] > 0.51}
    assert wanted
    assert wanted <= set(answers)
    for number in wanted:
        assert answers[number].scores[0] == pytest.approx(live[number].scores[0], abs=0.01)
        same = np.abs(live[number].boxes - answers[number].boxes[0]).max(axis=1) < 1e-3
        assert live[number].scores[same].max() == pytest.approx(live[number].scores[0], abs=0.01)


def test_answers_come_newest_first_and_only_those_asked_for(detector: Detector) -> None:
    memory, question = VisualMemory(), everything(detector)
    for number in (3, 0, 4, 1, 2):
        memory.add(picture(detector, number, "front" if number < 3 else "side"))
    assert stamps(memory.ask(question)) == [4, 3, 2, 1, 0]
    assert stamps(memory.ask(question, since_ns=2 * S)) == [4, 3, 2]
    assert stamps(memory.ask(question, limit=2)) == [4, 3]
    assert stamps(memory.ask(question, camera="front", limit=2)) == [2, 1]


def test_the_budget_holds_and_the_oldest_leave(detector: Detector) -> None:
    memory, left = VisualMemory(megabytes=0.005), []
    for number in range(30):
        left += memory.add(picture(detector, number))
    assert 0 < memory.megabytes <= 0.005
    assert [gone.header.stamp_ns // S for gone in left] == list(range(30 - len(memory)))
    assert stamps(memory.ask(everything(detector)))[-1] == 30 - len(memory)


def test_a_picture_that_comes_again_takes_its_own_place(detector: Detector) -> None:
    memory = VisualMemory()
    memory.add(picture(detector, 1))
    size = memory.megabytes
    assert memory.add(picture(detector, 1)) == []
    assert (len(memory), memory.megabytes) == (1, size)


def test_a_clock_set_back_makes_what_lies_ahead_of_it_forgotten(detector: Detector) -> None:
    memory = VisualMemory()
    for number in (5, 100, 101):
        memory.add(picture(detector, number))
    left = memory.add(picture(detector, 2))
    assert sorted(gone.header.stamp_ns // S for gone in left) == [100, 101]
    assert stamps(memory.ask(everything(detector))) == [5, 2]


def test_pictures_of_another_model_are_not_compared(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Detector(Owl(load("detector", str(tiny.save_owl(tmp_path_factory.mktemp("other"), seed=1)))), threshold=0.0)
    memory = VisualMemory()
    memory.add(picture(detector, 1))
    assert memory.ask(other.encode_prompts(PROMPTS)) == []


def test_no_picture_gives_nothing_and_bad_questions_are_refused(detector: Detector) -> None:
    assert VisualMemory().ask(everything(detector)) == []
    for prompts in ([], [""]):
        with pytest.raises(PromptError, match="expected"):
            detector.encode_prompts(prompts)
    with pytest.raises(ModelError, match="megabytes"):
        VisualMemory(megabytes=0)


@pytest.mark.parametrize(("width", "step", "kept"), [(640, 4, 160), (848, 6, 142), (150, 1, 150)])
def test_a_box_is_placed_by_the_depth_and_the_pose_of_its_picture(
    detector: Detector, width: int, step: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera 1 m above a floor looks down on a block 10 cm wide and 5 cm high, at the right edge of its picture."""
    height, focal = 480, 0.9 * width
    k = np.array([[focal, 0, width / 2], [0, focal, 240], [0, 0, 1.0]])
    right = 0.9 * width / 2 / focal
    metres = np.ones((height, width), np.float32)
    x0, x1 = (round(focal * a / 0.95 + width / 2) for a in (right - 0.1, right))
    y0, y1 = (round(focal * a / 0.95 + 240) for a in (-0.05, 0.05))
    metres[y0:y1, x0:x1] = 0.95
    metres[:50] = np.nan
    depth, info = shrink(Image(Header(0), "32FC1", metres), CameraInfo(Header(0), height, width, k))
    assert (depth.encoding, depth.width, info.width) == ("16UC1", kept, kept)
    assert depth.data[0, 0] == 0
    pose = Transform(Header(0, frame_id="world"), "camera", np.array([1.0, 2.0, 1.0]), np.array([1.0, 0, 0, 0]))
    seen = picture(detector, 1)
    box = np.array([[x0, y0, x1, y1]], np.float32)
    found = Detections(Header(0), 0, ("block",), "m", height, width, box, np.ones(1, np.float32), np.zeros(1, np.int32))
    grounded = Mock(wraps=ground)
    monkeypatch.setattr(remembering, "ground", grounded)
    (position,) = places(Remembered(seen.header, seen.embeddings, depth, info, pose), found)
    assert position is not None
    assert position == pytest.approx([1 + right - 0.05, 2.0, 0.025], abs=0.005)
    np.testing.assert_allclose(grounded.call_args.args[0].boxes * step, box, rtol=1e-6)
    assert places(seen, found) == [None]


def test_depth_that_is_not_the_pictures_is_refused() -> None:
    with pytest.raises(MessageError, match="expected depth of the calibrated 48 x 64 pixels, got 24 x 32"):
        shrink(Image(Header(0), "32FC1", np.ones((24, 32), np.float32)), CameraInfo(Header(0), 48, 64, K))
