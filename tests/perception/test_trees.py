"""Trees of prompts: how they are read, and what is looked for where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seesay.errors import PromptError
from seesay.messages import Detections, Header, Prompt
from seesay.perception.detector import Detector
from seesay.perception.growing import MOST_CROPS, Scored, grow
from seesay.perception.prompts import full
from seesay.perception.segmenter import Segmenter
from seesay.perception.things import merge
from seesay.perception.trees import DEEPEST, Branch, plant
from tests.perception import tiny

WIDE, HIGH = 200, 100


def written(branch: Branch) -> str:
    """A branch in the notation that it was read from."""
    finds = f" [{', '.join(map(written, branch.finds))}]" if branch.finds else ""
    return branch.prompt.text + finds + "".join(f" ({', '.join(map(written, kinds))})" for kinds in branch.kinds)


@pytest.mark.parametrize(
    "text",
    [
        "[a table [a cup, a bowl (full, empty)]]",
        "(indoors [a chair], outdoors)",
        "[a face [a nose, an eye] (happy, sad) (old, young), a hand]",
    ],
)
def test_trees_are_read_as_they_are_written(text: str) -> None:
    tree = plant((text,))
    assert written(tree).strip() == text
    assert [branch.index for branch in tree.walk()] == list(range(len(full([text]))))
    assert written(plant(("  ".join(text.replace("[", " [ ").split()),))).strip() == text


def test_trees_and_other_prompts_stand_beside_each_other() -> None:
    hand = Prompt("hand", negative=True)
    assert [prompt.text for prompt in full(["cup", "[a table [a bowl]]", hand, "(dark, bright)"])] == [
        "cup", "a table", "a bowl", "hand", "dark", "bright",
    ]
    assert hand in full([hand])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a table [a cup]", "expected ',' or ']', got the end of the tree '[a table [a cup]'"),
        ("[a table (full]", r"expected ',' or ')', got ']' at character 15"),
        ("[]", "expected a name, got ']' at character 2"),
        ("[a cup,, a bowl]", "expected a name, got ',' at character 8"),
        ("[[a cup]]", "expected a name, got '[' at character 2"),
        ("[a cup] a bowl", "expected the end, or '[' or '(', got 'a bowl' at character 8"),
        ("[a cup]]", "expected the end, or '[' or '(', got ']'"),
        ("[a cup] b", "expected the end"),
        ("[" * 5000, "at most 2000 characters, got 5000"),
        ("[a" * (DEEPEST + 1) + "]" * (DEEPEST + 1), f"a tree of at most {DEEPEST} levels, got '[' at character {2 * DEEPEST + 1}"),
        ("[" + ", ".join("a" * 1 for _ in range(300)) + "]", "expected at most 256 names"),
    ],
)
def test_what_is_no_tree_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(PromptError) as caught:
        full([text])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(st.text("[](),ab ", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        names = [prompt.text for prompt in full(["[" + text])]
    except PromptError:
        return
    assert names
    assert all(names)


class Eyes:
    """A network that sees squares by their brightness: the prompt "10" has every square of value 10, with a box around all of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, tuple[str, ...]]] = []

    def __call__(self, pictures: Sequence[NDArray[np.uint8]], prompts: Sequence[Prompt]) -> list[Scored]:
        self.calls.append((len(pictures), tuple(prompt.text for prompt in prompts)))
        return [self._see(rgb[..., 0], [int(prompt.text) for prompt in prompts]) for rgb in pictures]

    def _see(self, grey: NDArray[np.uint8], wanted: list[int]) -> Scored:
        corners, scores = [], []
        for value in np.unique(grey):
            rows, columns = np.nonzero(grey == value)
            corners.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            scores.append([0.9 if value == other else 0.2 if abs(int(value) - other) == 1 else 0.0 for other in wanted])
        return np.array(corners, np.float32), np.array(scores, np.float32)


def scene() -> NDArray[np.uint8]:
    """A table of 100 with a cup of 10 on it, and one of 102 with a cup of 11."""
    rgb = np.zeros((HIGH, WIDE, 3), np.uint8)
    rgb[20:80, 20:80] = 100
    rgb[40:50, 40:52] = 10
    rgb[20:80, 110:170] = 102
    rgb[60:66, 150:158] = 11
    return rgb


def look(text: str, *pictures: NDArray[np.uint8]) -> tuple[list[list[tuple[str, list[float], float, int]]], Eyes]:
    tree, eyes = plant((text,)), Eyes()
    names = [branch.prompt.text for branch in tree.walk()]
    first = eyes(pictures, [branch.prompt for branch in tree.below])
    found = [
        [(names[index], box.tolist(), round(float(score), 2), int(parent)) for box, score, index, parent in zip(*answer, strict=True)]
        for answer in grow(tree, pictures, first, eyes, 0.5, 0.5)
    ]
    return found, eyes


def test_things_are_looked_for_inside_others_and_classified_in_one_pass_a_level() -> None:
    (found,), eyes = look("[100 [10, 11], 102 [10, 11 (10, 11)] (100, 102)]", scene())
    assert found == [
        ("100", [20, 20, 80, 80], 0.9, -1),
        ("102", [110, 20, 170, 80], 0.9, -1),
        ("10", [40, 40, 52, 50], 0.9, 0),
        ("11", [150, 60, 158, 66], 0.9, 1),
        ("102", [110, 20, 170, 80], 0.9, 1),
        ("11", [150, 60, 158, 66], 0.9, 3),
    ]
    assert eyes.calls == [(1, ("100", "102")), (2, ("10", "11", "10", "11", "100", "102")), (1, ("10", "11"))]


def test_pictures_are_told_apart_and_their_crops_share_a_pass() -> None:
    empty = np.zeros((HIGH, WIDE, 3), np.uint8)
    found, eyes = look("[100 [10]]", scene(), empty, scene()[:, ::-1])
    assert [[row[3] for row in rows] for rows in found] == [[-1, 0], [], [-1, 0]]
    assert found[2][1][1] == [WIDE - 52, 40, WIDE - 40, 50]
    assert [count for count, _ in eyes.calls] == [3, 2]


def test_what_lies_beside_a_box_is_not_inside() -> None:
    rgb = scene()
    rgb[40:50, 84:94] = 12   # within the context of the crop, not within the table
    (found,), _ = look("[100 [12, 10]]", rgb)
    assert [name for name, *_ in found] == ["100", "10"]


def test_the_picture_itself_may_be_classified() -> None:
    (found,), eyes = look("(0 [100], 50)", scene())
    assert found == [("0", [0, 0, WIDE, HIGH], 0.9, -1), ("100", [20, 20, 80, 80], 0.9, 0)]
    assert len(eyes.calls) == 2


def test_the_number_of_crops_is_bounded() -> None:
    many = Branch(Prompt(""), -1, (Branch(Prompt("x"), 0, (Branch(Prompt("y"), 1),)),))
    corners = np.array([[10 * (i % 20), 10 * (i // 20), 10 * (i % 20) + 9, 10 * (i // 20) + 9] for i in range(200)], np.float32)
    asked: list[int] = []

    def nothing(pictures: Sequence[NDArray[np.uint8]], prompts: Sequence[Prompt]) -> list[Scored]:
        asked.append(len(pictures))
        return [(np.zeros((1, 4), np.float32), np.zeros((1, len(prompts)), np.float32))] * len(pictures)

    first = [(corners, np.full((200, 1), 0.9, np.float32))]
    answer = grow(many, [scene()], first, nothing, 0.5, 0.5)
    assert len(answer[0][0]) == 200
    assert asked == [MOST_CROPS]


@pytest.mark.parametrize("family", ["owlvit", "owlv2"])
def test_a_network_encodes_once_a_level_and_answers_with_parents(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector.from_pretrained(str(tiny.save_owl(tmp_path, family)), threshold=0.5)
    encode, passes = detector.owl.encode_images, []

    def counted(pictures: Sequence[NDArray[np.uint8]]) -> object:
        passes.append(len(pictures))
        return encode(pictures)

    monkeypatch.setattr(detector.owl, "encode_images", counted)
    found = detector(tiny.picture(), ["bowl", "[a table [a cup, a can] (red, blue)]"])
    assert found.prompts == ("bowl", "a table", "a cup", "a can", "red", "blue")
    tables = int((found.prompt_indices == 1).sum())
    assert tables
    assert passes == [1, min(tables, MOST_CROPS)]
    kinds = found.prompt_indices >= 4
    assert kinds.sum() == min(tables, MOST_CROPS)
    np.testing.assert_array_equal(found.boxes[kinds], found.boxes[found.parents[kinds]])
    assert (found.prompt_indices[found.parents[found.prompt_indices >= 2]] == 1).all()
    assert (found.parents[found.prompt_indices < 2] == -1).all()
    alone = detector(tiny.picture(), ["bowl"])
    np.testing.assert_array_equal(alone.boxes, found.boxes[found.prompt_indices == 0])
    assert not len(alone.parents)


def test_masks_have_the_names_of_a_tree(tmp_path: Path) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny.save_clipseg(tmp_path)))
    assert segmenter(tiny.picture(), ["[a table [a cup]]"]).prompts == ("a table", "a cup")


def test_kinds_are_no_things() -> None:
    boxes = np.array([[10, 10, 30, 30], [10, 10, 30, 30], [12, 12, 20, 20], [0, 0, 128, 96]], np.float32)
    parents = np.array([-1, 0, 0, -1], np.int32)
    scores, indices = np.array([0.6, 0.9, 0.5, 0.8], np.float32), np.arange(4, dtype=np.int32)
    names = ("a bowl", "full", "a ball", "indoors")
    found = Detections(Header(0), 1, names, "m", 96, 128, boxes, scores, indices, parents=parents)
    assert [thing.names[0][0] for thing in merge(found)] == ["bowl", "ball"]
