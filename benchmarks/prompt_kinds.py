"""How well the embedded checkpoints find a thing by pictures of it: `python -m benchmarks.prompt_kinds --json`.

For each of the sixty names that is seen in four of the tabletop test scenes: examples from three of them, looked for in the fourth.
`by_...`: share in which the best box has IoU 0.5 or more with a thing of that name; `example_colour`: ... of that colour;
`cropped`: the example is the cut-out box alone; `letterbox`: pictures keep their shape, which the checkpoint never met.
`kind_colour`: share of blocks whose colour `[a block (a red object, ...)]` tells right. `miou_...`: of masks at the shipped threshold.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.accuracy_scenes import CAMERAS, Picture, Truth, pictures
from benchmarks.common import show
from seesay import masks
from seesay.messages import Example, Prompt
from seesay.perception import Detector, Segmenter
from seesay.perception.boxes import iou
from seesay.sim.scene import COLOURS

CLEAR = 0.9
SAME = 0.5
EXAMPLES = 3
KINDS = f"[a block ({', '.join(f'a {colour} object' for colour in COLOURS)})]"

Sighting = tuple[int, Picture, Truth]


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.prompt_kinds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    show("kinds of prompts, embedded checkpoints", figures(options.scenes), options.json)


def figures(scenes: int) -> dict[str, Any]:
    seen: dict[str, dict[int, Sighting]] = {}
    for number, picture in enumerate(pictures(scenes)):
        for thing in picture.objects:
            if thing.visible >= CLEAR:
                scene = number // len(CAMERAS)
                seen.setdefault(thing.name, {}).setdefault(scene, (scene, picture, thing))
    detector, squeezed, segmenter = Detector.from_pretrained(), Detector.from_pretrained(letterbox=True), Segmenter.from_pretrained()
    scores: dict[str, list[float]] = {}
    usable = {name: list(sightings.values())[: EXAMPLES + 1] for name, sightings in seen.items() if len(sightings) > EXAMPLES}
    for name, (*shown, (_, picture, _)) in track(usable.items(), description="names"):
        for key, value in _one_name(name, shown, picture, detector, squeezed, segmenter).items():
            scores.setdefault(key, []).append(value)
    return {"n_names": len(usable), **{key: float(np.mean(values)) for key, values in scores.items()}}


def _one_name(
    name: str, shown: list[Sighting], picture: Picture, detector: Detector, squeezed: Detector, segmenter: Segmenter
) -> dict[str, float]:
    examples = [Example(shot.image, thing.box) for _, shot, thing in shown]
    x0, y0, x1, y1 = shown[0][2].box.astype(int)
    cut = Example(np.ascontiguousarray(shown[0][1].image[y0:y1, x0:x1]))
    masked = Example(shown[0][1].image, mask=(shown[0][1].labels == shown[0][2].label).astype(np.uint8))
    kinds = {
        "by_text": Prompt(name), "by_example": Prompt(name, examples=(examples[0],)), "by_examples": Prompt(name, examples=tuple(examples)),
        "by_example_and_text": Prompt(name, examples=(examples[0],), text_weight=0.5), "by_cropped_example": Prompt(name, examples=(cut,)),
    }  # fmt: skip
    boxes = dict(zip(kinds, _best(detector, picture, list(kinds.values())), strict=True))
    figures = {key: float(_hits(box, picture, lambda other: other == name)) for key, box in boxes.items()}
    colour, shape = name.split()
    figures["example_colour"] = float(_hits(boxes["by_example"], picture, lambda other: other.split()[0] == colour))
    figures["letterbox_by_text"] = float(_hits(_best(squeezed, picture, [kinds["by_text"]])[0], picture, lambda other: other == name))
    drawn = segmenter(picture.image, [name, Prompt(name, examples=(masked,))])
    truth = np.isin(picture.labels, [thing.label for thing in picture.objects if thing.name == name])
    for key, mask in zip(("text", "example"), masks.decode(drawn.counts, drawn.starts, *truth.shape), strict=True):
        figures[f"miou_{key}"] = float((mask & truth).sum() / max((mask | truth).sum(), 1))
    if shape == "block":
        figures["kind_colour"] = _kind_colour(detector, picture)
    return figures


def _best(detector: Detector, picture: Picture, prompts: list[Prompt]) -> NDArray[np.float32]:
    """`(Q, 4) float32` pixels: the best box for each prompt, whatever its score."""
    code = detector.owl.encode_image(picture.image)
    best = detector.owl.logits(code, prompts).argmax(dim=0).cpu().numpy()
    boxes: NDArray[np.float32] = detector.corners(code, *picture.image.shape[:2])[best]
    return boxes


def _hits(box: NDArray[np.float32], picture: Picture, right: Any) -> bool:
    boxes = [thing.box for thing in picture.objects if right(thing.name)]
    return bool(boxes) and bool(iou(box[None], np.stack(boxes)).max() >= SAME)


def _kind_colour(detector: Detector, picture: Picture) -> float:
    """Share of the visible blocks that are found and said to be of their colour."""
    found = detector(picture.image, [KINDS])
    kinds = found.prompt_indices > 0
    blocks = [thing for thing in picture.objects if thing.name.endswith("block") and thing.counts]
    right = 0
    for thing in blocks:
        fits = iou(thing.box[None], found.boxes[kinds])[0] if kinds.any() else np.zeros(1)
        said = found.prompts[found.prompt_indices[kinds][fits.argmax()]] if fits.max() >= SAME else ""
        right += said == f"a {thing.name.split()[0]} object"
    return right / max(len(blocks), 1)


if __name__ == "__main__":
    main()
