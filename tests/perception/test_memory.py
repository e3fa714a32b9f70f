"""What is remembered answers as the live detector did, within its budget."""

from __future__ import annotations

import numpy as np
import pytest

from seesay.errors import ModelError, PromptError
from seesay.messages import Header, Source
from seesay.perception.detector import Detector
from seesay.perception.embedded import load
from seesay.perception.memory import VisualMemory
from seesay.perception.owlvit import Owl
from tests.perception import tiny

PROMPTS = ["a red block", "bowl"]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(Owl(load("detector", str(tiny.save_owl(tmp_path_factory.mktemp("owl"))))), threshold=0.5)


def remember(memory: VisualMemory, detector: Detector, number: int) -> None:
    rgb = tiny.picture(seed=number)
    memory.add(Header(number * 10**9, source=Source("front", number, number * 10**9)), detector.owl.encode_image(rgb), *rgb.shape[:2])


def test_a_picture_gone_answers_as_it_did_live(detector: Detector) -> None:
    memory = VisualMemory(detector)
    for number in range(40):
        remember(memory, detector, number)
    answers = {answer.header.stamp_ns // 10**9: answer for answer in memory.ask(PROMPTS)}
    live = {number: detector(tiny.picture(seed=number), PROMPTS) for number in range(40)}
    wanted = {number for number, found in live.items() if len(found.scores) and found.scores[0] > 0.51}
    assert wanted
    assert wanted <= set(answers)
    for number in wanted:
        assert answers[number].scores[0] == pytest.approx(live[number].scores[0], abs=0.01)
        same = np.abs(live[number].boxes - answers[number].boxes[0]).max(axis=1) < 1e-3
        assert live[number].scores[same].max() == pytest.approx(live[number].scores[0], abs=0.01)


def test_answers_come_newest_first_and_only_since_the_stamp(detector: Detector) -> None:
    memory = VisualMemory(Detector(detector.owl, threshold=0.0))
    for number in range(5):
        remember(memory, detector, number)
    assert [answer.header.stamp_ns for answer in memory.ask(PROMPTS, since_ns=2 * 10**9)] == [4 * 10**9, 3 * 10**9, 2 * 10**9]


def test_the_budget_holds_and_the_oldest_leave(detector: Detector) -> None:
    memory = VisualMemory(Detector(detector.owl, threshold=0.0), megabytes=0.005)
    for number in range(30):
        remember(memory, detector, number)
    assert 0 < memory.megabytes <= 0.005
    assert 0 < len(memory) < 30
    assert memory.ask(PROMPTS)[-1].header.stamp_ns == (30 - len(memory)) * 10**9


def test_no_prompt_and_no_picture_give_nothing_and_bad_ones_are_refused(detector: Detector) -> None:
    memory = VisualMemory(detector)
    assert memory.ask(PROMPTS) == []
    remember(memory, detector, 0)
    assert memory.ask([]) == []
    with pytest.raises(PromptError, match="empty"):
        memory.ask([""])
    with pytest.raises(ModelError, match="megabytes"):
        VisualMemory(detector, megabytes=0)
