"""How well the embedded checkpoints see the tabletop: `python -m benchmarks.tabletop_accuracy --json`.

Every picture is asked for all sixty colour-shape names. `ap50`: COCO's average precision at IoU 0.5, averaged over the names, by
faster-coco-eval; objects of which less than 30 % is visible are ignored. `ap50_unseen_pairs`: the same over the six names that the
evaluation-only checkpoint never met. `false_positive_rate`: share of (picture, absent name) pairs with a box over the shipped threshold.
`recall_at_threshold`: share of objects found over it. `miou`: mean over (picture, present name) of the mask's IoU.
`position_error_*_m`: medians of the distance between a thing's true centre and its place, of one picture each: with true boxes and masks
and true depth, the same with a depth camera's noise, and with the networks' boxes and masks, likewise twice; `placed_share_*`: the share of
things that got a place at all, so that one that is missed costs something. `id_switches_per_1000_frames`: with true
boxes and masks under names that things share; `..._embedded`: with the networks'. `calibration_error*`: expected calibration error of
the scores over the threshold, raw and calibrated; `reliability` holds the bins, `--svg FILE` draws them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks.accuracy_places import id_switches, position_errors
from benchmarks.accuracy_scenes import Picture, pictures
from benchmarks.accuracy_scores import scores_figures
from benchmarks.common import show
from seesay import masks
from seesay.perception import Detector, Segmenter
from seesay.sim.scene import COLOURS, HELD_OUT, SHAPES

NAMES = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
UNSEEN = tuple(f"{colour} {shape}" for colour, shape in sorted(HELD_OUT))
HELD_OUT_CHECKPOINT = Path(__file__).parent / "checkpoints" / "owlvit-tabletop"
FLOOR = 0.01
"""Least score of a box that enters the precision-recall curve."""
BARS = {
    "ap50": (">=", 0.90), "ap50_unseen_pairs": (">=", 0.75), "false_positive_rate": ("<=", 0.02), "recall_at_threshold": (">=", 0.85),
    "miou": (">=", 0.80), "detector_ms": ("<=", 30.0), "n_scenes": (">=", 500),
    "position_error_true_depth_m": ("<=", 0.01), "position_error_noisy_depth_m": ("<=", 0.02),
    "position_error_embedded_m": ("<=", 0.01), "position_error_embedded_noisy_depth_m": ("<=", 0.02),
    "placed_share_true_depth": (">=", 0.95), "placed_share_noisy_depth": (">=", 0.95),
    "placed_share_embedded": (">=", 0.85), "placed_share_embedded_noisy_depth": (">=", 0.85),
}  # fmt: skip


def iou(a: Any, b: Any) -> float:
    inner = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return float(inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner + 1e-9))


def coco_ap50(shots: list[Picture], found: list[Any], names: tuple[str, ...]) -> dict[str, float]:
    """AP50 and AP of `names`, each averaged over the names that occur."""
    from faster_coco_eval import COCO, COCOeval_faster

    ids = {name: k + 1 for k, name in enumerate(names)}
    truth: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": k, "name": n} for n, k in ids.items()]}
    results = []
    for number, (shot, answer) in enumerate(zip(shots, found, strict=True), 1):
        truth["images"].append({"id": number, "height": shot.labels.shape[0], "width": shot.labels.shape[1]})
        for thing in shot.objects:
            if thing.name in ids:
                x0, y0, x1, y1 = (float(v) for v in thing.box)
                crowd = 0 if thing.counts else 1
                truth["annotations"].append(
                    {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": ids[thing.name], "iscrowd": crowd,
                     "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}
                )  # fmt: skip
        for box, score, index in zip(answer.boxes, answer.scores, answer.prompt_indices, strict=True):
            name = answer.prompts[index]
            if name in ids:
                x0, y0, x1, y1 = (float(v) for v in box)
                results.append({"image_id": number, "category_id": ids[name], "bbox": [x0, y0, x1 - x0, y1 - y0], "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO(truth)
        evaluation = COCOeval_faster(ground, ground.loadRes(results), "bbox", print_function=lambda *_: None)
        evaluation.run()
    stats = evaluation.stats_as_dict
    return {"ap": float(stats["AP_all"]), "ap50": float(stats["AP_50"])}


def detect(detector: Detector, shots: list[Picture], label: str) -> list[Any]:
    lowered = Detector(detector.owl, FLOOR, detector.overlap, detector.calibration)
    return [lowered(shot.image, NAMES) for shot in track(shots, description=label)]


def at_threshold(shots: list[Picture], found: list[Any], threshold: float) -> tuple[float, float]:
    """(false positive rate, recall)."""
    wrong = absent = hit = present = 0
    for shot, answer in zip(shots, found, strict=True):
        seen = {thing.name: thing for thing in shot.objects}
        sure = answer.scores > threshold
        fired = {answer.prompts[i] for i in answer.prompt_indices[sure]}
        absent += sum(name not in seen for name in NAMES)
        wrong += sum(name not in seen for name in fired)
        for name, thing in seen.items():
            if thing.counts:
                present += 1
                own = sure & (answer.prompt_indices == answer.prompts.index(name))
                hit += any(iou(box, thing.box) >= 0.5 for box in answer.boxes[own])
    return wrong / max(absent, 1), hit / max(present, 1)


def mask_iou(segmenter: Segmenter, shots: list[Picture]) -> float:
    values = []
    for shot in track(shots, description="masks"):
        things = [thing for thing in shot.objects if thing.counts]
        if not things:
            continue
        answer = segmenter(shot.image, [thing.name for thing in things])
        drawn = masks.decode(answer.counts, answer.starts, answer.height, answer.width)
        for thing, mask in zip(things, drawn, strict=True):
            wanted = shot.labels == thing.label
            values.append(float((mask & wanted).sum() / max((mask | wanted).sum(), 1)))
    return float(np.mean(values))


def milliseconds(call: Any, shots: list[Picture]) -> float:
    """Median time of a call on one picture after a warm-up."""
    times = []
    for shot in shots[:60]:
        start = time.perf_counter()
        call(shot.image)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[10:])


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--detector", default="embedded")
    parser.add_argument("--segmenter", default="embedded")
    parser.add_argument("--held-out", default=str(HELD_OUT_CHECKPOINT), help="the evaluation-only checkpoint")
    parser.add_argument("--position-scenes", type=int, default=60)
    parser.add_argument("--sequences", type=int, default=12, help="of 50 pictures, for switches of identity")
    parser.add_argument("--svg", type=Path, help="where to draw the reliability diagram")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    shots = pictures(arguments.scenes)
    detector = Detector.from_pretrained(arguments.detector)
    segmenter = Segmenter.from_pretrained(arguments.segmenter)
    figures: dict[str, Any] = {"n_scenes": arguments.scenes, "n_pictures": len(shots), "threshold": detector.threshold}
    figures["detector_ms"] = milliseconds(lambda image: detector(image, NAMES[:20]), shots)
    figures["segmenter_ms"] = milliseconds(lambda image: segmenter(image, NAMES[:4]), shots)
    found = detect(detector, shots, "boxes")
    precision = coco_ap50(shots, found, NAMES)
    figures |= {"ap50": precision["ap50"], "ap": precision["ap"]}
    figures["false_positive_rate"], figures["recall_at_threshold"] = at_threshold(shots, found, detector.threshold)
    figures["ap50_unseen_pairs"] = None
    if Path(arguments.held_out).exists():
        other = Detector.from_pretrained(arguments.held_out)
        figures["ap50_unseen_pairs"] = coco_ap50(shots, detect(other, shots, "boxes, unseen pairs"), UNSEEN)["ap50"]
    figures["miou"] = mask_iou(segmenter, shots)
    if detector.calibration is not None:
        figures |= scores_figures(shots, found, detector.threshold, arguments.svg)
    figures |= position_errors(detector, segmenter, arguments.position_scenes)
    figures |= id_switches(detector, segmenter, arguments.sequences, 50)
    show("tabletop accuracy", figures, arguments.json, BARS)


if __name__ == "__main__":
    main()
