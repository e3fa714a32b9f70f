"""The training code: what it teaches, how objects are assigned to patches, and that exported checkpoints compute what the student did."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from seesay.perception.training import vocabulary
from seesay.perception.training.data import Sample, Shards, assign, augment, collate
from seesay.perception.training.evaluate import average_precision, nms
from seesay.perception.training.losses import Weights
from seesay.perception.training.model import IMAGE, Student, export, normalise
from seesay.perception.training.trainer import Trainer, rate
from seesay.sim import scene


def shard(folder: Path, number: int = 8) -> Path:
    """Pictures of one red block (object 1) and one blue ball (object 2) on grey."""
    rng = np.random.default_rng(3)
    images = rng.integers(100, 120, (number, 240, 320, 3)).astype(np.uint8)
    labels, objects = np.zeros((number, 240, 320), np.uint8), np.full((number, 12, 8), -1, np.float32)
    for k in range(number):
        x, y = 40 + 10 * k, 60
        images[k, y : y + 40, x : x + 40], labels[k, y : y + 40, x : x + 40] = (200, 20, 20), 1
        images[k, 150:190, 200:240], labels[k, 150:190, 200:240] = (20, 30, 190), 2
        objects[k, 0] = [0, 0, x, y, x + 40, y + 40, 1600, 1600]
        objects[k, 1] = [5, 4, 200, 150, 240, 190, 1600, 1600]
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "0000.npz", images=images, labels=labels, objects=objects)
    return folder


def test_it_teaches_the_names_of_the_simulator() -> None:
    assert tuple(scene.COLOURS) == vocabulary.COLOURS
    assert scene.SHAPES == vocabulary.SHAPES
    assert scene.HELD_OUT == vocabulary.HELD_OUT


def test_prompts_fit_the_tokenizer_and_say_what_they_match() -> None:
    tokenizer = vocabulary.make_tokenizer()
    texts, meaning = vocabulary.sample_prompts(np.random.default_rng(0), vocabulary.HELD_OUT)
    assert meaning.shape == (len(texts), 60)
    assert max(len(ids) for ids in tokenizer(texts)["input_ids"]) <= vocabulary.LENGTH
    named = {text.split()[-2] + " " + text.split()[-1] for text in texts[:54]}
    assert not any(f"{colour} {shape}" in named for colour, shape in vocabulary.HELD_OUT)
    red_block = vocabulary.PAIRS.index(("red", "block"))
    matching = [text for text, row in zip(texts, meaning, strict=True) if row[red_block]]
    assert len(matching) == 3
    assert any("red" in text and ("block" in text or "cube" in text) for text in matching)


def test_a_strange_word_is_spelled_with_the_same_tokens_after_a_reload(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = vocabulary.make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("a red block", "xylophone", "Käse 7"):
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_the_primary_patch_has_its_corner_nearest_to_the_centre(tmp_path: Path) -> None:
    sample = augment(np.random.default_rng(0), *Shards([shard(tmp_path)])[0], IMAGE, plain=True)
    owner, primary = assign(sample)
    grid = IMAGE // 16
    corners = np.stack(np.meshgrid(np.arange(1, grid + 1), np.arange(1, grid + 1)), -1).reshape(-1, 2) / grid
    for k in range(len(sample.boxes)):
        nearest = int(np.abs(corners - sample.boxes[k, :2]).sum(1).argmin())
        assert primary[nearest]
        assert owner[nearest] == k
    assert primary.sum() == 2


def test_boxes_follow_the_labels_through_crops_and_flips(tmp_path: Path) -> None:
    shards = Shards([shard(tmp_path)])
    for seed in range(30):
        sample = augment(np.random.default_rng(seed), *shards[seed % 8], 192)
        for k, (x, y, w, h) in enumerate(sample.boxes * 192):
            rows, columns = np.nonzero(sample.labels == k + 1)
            assert (columns.min(), columns.max() + 1) == (round(x - w / 2), round(x + w / 2))
            assert (rows.min(), rows.max() + 1) == (round(y - h / 2), round(y + h / 2))


def test_an_empty_picture_can_be_learnt_from() -> None:
    empty = Sample(np.zeros((192, 192, 3), np.uint8), np.zeros((192, 192), np.uint8), np.zeros((0, 4), np.float32),
                   np.zeros(0, np.int64), np.zeros(0, bool))  # fmt: skip
    batch = collate([empty])
    assert not batch.primary.any()
    assert (batch.token_object == -1).all()


def test_exported_checkpoints_compute_what_the_student_did(tmp_path: Path) -> None:
    from transformers import CLIPSegForImageSegmentation, OwlViTForObjectDetection

    torch.manual_seed(0)
    tokenizer = vocabulary.make_tokenizer()
    student = Student(len(tokenizer)).eval()
    export(student, tokenizer, tmp_path, threshold=0.3, mask_threshold=0.5)
    pixels = normalise(torch.randint(0, 255, (2, IMAGE, IMAGE, 3), dtype=torch.uint8))
    coded = tokenizer(["a red block", "the cup"], padding=True, return_tensors="pt")
    owl = OwlViTForObjectDetection.from_pretrained(tmp_path / "owlvit-tabletop")
    seg = CLIPSegForImageSegmentation.from_pretrained(tmp_path / "clipseg-tabletop")
    with torch.no_grad():
        text = student.encode_text(coded["input_ids"], coded["attention_mask"])
        activations, merged, _ = student.encode_image(pixels)
        wanted = owl(
            input_ids=coded["input_ids"].repeat(2, 1), attention_mask=coded["attention_mask"].repeat(2, 1), pixel_values=pixels
        )
        drawn = seg(input_ids=coded["input_ids"], attention_mask=coded["attention_mask"], pixel_values=pixels)
        torch.testing.assert_close(student.logits(merged, text), wanted.logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(student.boxes(merged, IMAGE // 16), wanted.pred_boxes, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(student.masks(activations, text), drawn.logits, atol=1e-4, rtol=1e-4)


def test_a_killed_training_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    arguments = argparse.Namespace(
        seed=1, out=tmp_path, start=None, hold_out=True, bf16=False, steps=4, cooldown=0.25, rate=1.0, processes=1
    )
    shards = Shards([shard(tmp_path / "data")])
    samples = [augment(np.random.default_rng(k), *shards[k], 192) for k in range(4)]
    trainer = Trainer(arguments)
    first = trainer.train_step(collate(samples), Weights())
    assert all(np.isfinite(value) for value in first.values())
    trainer.save()
    again = Trainer(arguments)
    assert again.step == 1
    batch = collate(samples)
    assert trainer.train_step(batch, Weights()) == again.train_step(batch, Weights())
    weights = zip(trainer.student.parameters(), again.student.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


def test_the_learning_rate_warms_up_stays_and_falls() -> None:
    shares = [rate(step, 10_000, 0.2) for step in (0, 299, 5000, 8000, 9000, 9999)]
    assert shares == pytest.approx([1 / 300, 1, 1, 1, 0.5, 0.01])


def test_average_precision_of_known_cases() -> None:
    assert average_precision(np.array([0.9, 0.8]), np.array([True, True]), 2) == pytest.approx(1.0)
    assert average_precision(np.array([0.9, 0.8]), np.array([False, True]), 1) == pytest.approx(0.5)
    assert average_precision(np.zeros(0), np.zeros(0, bool), 3) == 0.0


def test_duplicates_are_suppressed() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    assert nms(boxes, np.array([0.5, 0.9, 0.4], np.float32)) == [1, 2]
