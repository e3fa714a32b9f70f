"""The checkpoints that ship in the package: readable by Hugging Face's own classes, small, and trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay import masks
from seesay.perception import Detector, Segmenter
from seesay.sim.cameras import Cameras
from seesay.sim.tasks import lay
from seesay.sim.world import World

FOLDER = Path(__file__).parents[1] / "perception" / "checkpoints"
NAMES = ("red block", "green block", "blue block", "yellow bowl", "blue bowl", "green bowl")


@pytest.mark.parametrize("name", ["owlvit-tabletop", "clipseg-tabletop"])
def test_a_checkpoint_is_small_and_has_a_card(name: str) -> None:
    assert (FOLDER / name / "model.safetensors").stat().st_size <= 15_000_000
    assert "Apache-2.0" in (FOLDER / name / "README.md").read_text()


def test_hugging_face_reads_them() -> None:
    from transformers import AutoTokenizer, CLIPSegForImageSegmentation, OwlViTForObjectDetection

    detectors: Any = OwlViTForObjectDetection
    segmenters: Any = CLIPSegForImageSegmentation
    owl, owl_report = detectors.from_pretrained(FOLDER / "owlvit-tabletop", output_loading_info=True)
    seg, seg_report = segmenters.from_pretrained(FOLDER / "clipseg-tabletop", output_loading_info=True)
    assert not owl_report["missing_keys"]
    assert not seg_report["missing_keys"]
    towers = owl.owlvit.vision_model.encoder.state_dict(), seg.clip.vision_model.encoder.state_dict()
    assert all(np.array_equal(value, towers[1][key]) for key, value in towers[0].items())
    assert len(AutoTokenizer.from_pretrained(FOLDER / "owlvit-tabletop")("a red block")["input_ids"]) == 5


def test_they_find_and_outline_things_on_a_table() -> None:
    detector, segmenter = Detector.from_pretrained(), Segmenter.from_pretrained()
    found, overlaps = 0, []
    for seed in range(4):
        world = World(lay(NAMES, seed))
        with Cameras(world) as cameras:
            rgb = cameras.look("front").image.data
        answer = detector(rgb, NAMES)
        found += len({int(index) for index in answer.prompt_indices})
        coded = segmenter(rgb, NAMES)
        drawn = masks.decode(coded.counts, coded.starts, coded.height, coded.width)
        for box, index in zip(answer.boxes, answer.prompt_indices, strict=True):
            rows, columns = np.nonzero(drawn[index])
            overlaps.append(bool(len(rows)) and box[0] - 5 < columns.mean() < box[2] + 5 and box[1] - 5 < rows.mean() < box[3] + 5)
    assert found >= 0.7 * 4 * len(NAMES)
    assert np.mean(overlaps) > 0.7
