"""One uint8 1080p frame to boxes, against Hugging Face: `python -m benchmarks.detector --json`.

owlvit-base-patch32 with random weights (speed and equality only), float32, preprocessing and decoding included on both sides, thresholds
such that 50 boxes pass on both. Hugging Face's processor tokenizes and encodes the prompts with every frame; SeeSay has them encoded once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from benchmarks import full_size
from benchmarks.common import show
from seesay.messages import Example, Prompt
from seesay.perception.detector import Detector
from seesay.perception.owlvit import Owl

BOXES = 50
WEIGHT = 0.3   # of the text in a mix of text and example
BARS = {
    "ratio_hf_4_prompts": (">=", 1.05),
    "ratio_hf_20_prompts": (">=", 1.18),
    "ratio_hf_100_prompts": (">=", 1.9),
    "ratio_hf_pipeline_10_labels": (">=", 8.0),
    "flat_100_over_1_prompts": ("<=", 1.05),
    "largest_logit_difference": ("<=", 1e-4),
    "largest_box_difference": ("<=", 1e-5),
    "largest_logit_difference_one_shot": ("<=", 1e-4),
    "largest_logit_difference_mix": ("<=", 1e-4),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detector", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    full_size.placement(options.device)
    show("detector, owlvit-base-patch32 with random weights", figures(options.device, options.repeats), options.json, BARS)


def figures(device: str, repeats: int) -> dict[str, Any]:
    """Every ratio is Hugging Face's time over SeeSay's in the same run; the differences are to its forward pass."""
    checkpoint, rgb = full_size.owlvit(), full_size.picture()
    hf = HuggingFace(checkpoint, rgb, device)
    owl = Owl(checkpoint, full_size.placement(device))
    found: dict[str, Any] = {}
    for count in (4, 20, 100):
        prompts = full_size.PROMPTS[:count]
        times = full_size.interleaved({"ours": detector(owl, rgb, prompts), "hf": hf.detector(prompts)}, repeats)
        found[f"ratio_hf_{count}_prompts"] = times["hf"] / times["ours"]
        found[f"frame_ms_{count}_prompts"] = 1e3 * times["ours"]
    prompts = full_size.PROMPTS[:10]
    times = full_size.interleaved({"ours": detector(owl, rgb, prompts), "pipeline": hf.pipeline(prompts)}, 1)
    found["ratio_hf_pipeline_10_labels"] = times["pipeline"] / times["ours"]
    times = full_size.interleaved({str(count): detector(owl, rgb, full_size.PROMPTS[:count]) for count in (1, 100)}, 2 * repeats)
    found["flat_100_over_1_prompts"] = times["100"] / times["1"]
    return found | hf.differences(owl, full_size.PROMPTS[:4])


def detector(owl: Owl, rgb: NDArray[np.uint8], prompts: Sequence[str]) -> Callable[[], object]:
    """SeeSay's detector at a threshold that lets `BOXES` pairs of box and prompt pass."""
    scores = owl.logits(owl.encode_image(rgb), prompts).sigmoid().flatten().sort(descending=True).values
    ours = Detector(owl, float(scores[BOXES]))
    return lambda: ours(rgb, prompts)


class HuggingFace:
    """The model's own forward pass with its processor and post-processing."""

    def __init__(self, checkpoint: Any, rgb: Any, device: str) -> None:
        self._network = checkpoint.network.to(device)
        self._tokenizer = checkpoint.tokenizer
        self._image_processor = transformers.models.owlvit.image_processing_pil_owlvit.OwlViTImageProcessorPil()
        self._rgb, self._device = rgb, device
        self._size = [rgb.shape[:2]]

    def detector(self, prompts: Sequence[str]) -> Callable[[], object]:
        scores = self._forward(prompts).logits[0].max(dim=-1).values.sigmoid()
        threshold = float(scores.sort(descending=True).values[BOXES])
        return lambda: self._image_processor.post_process_object_detection(self._forward(prompts), threshold, self._size)

    def pipeline(self, labels: Sequence[str]) -> Callable[[], object]:
        pipelines: Any = transformers.pipelines
        pipe = pipelines.ZeroShotObjectDetectionPipeline(
            model=self._network, tokenizer=self._tokenizer, image_processor=self._image_processor, device=self._device
        )
        return lambda: pipe(Image.fromarray(self._rgb), candidate_labels=list(labels), threshold=0.5)

    def differences(self, owl: Owl, prompts: Sequence[str]) -> dict[str, float]:
        """Of logits as a share of the largest one, for texts, an example, and both mixed; logits are linear in the prompt's vector."""
        theirs, code, example = self._forward(prompts), owl.encode_image(self._rgb), Example(full_size.picture(1))
        with torch.inference_mode():
            seen = self._network.image_guided_detection(self._pixels(self._rgb), query_pixel_values=self._pixels(example.rgb)).logits[0]
        texts, name = theirs.logits[0], prompts[0]
        mixed = [Prompt(name, examples=(example,), text_weight=weight) for weight in (0.0, WEIGHT)]
        ours = torch.split(owl.logits(code, [*prompts, *mixed]), [len(prompts), 1, 1], dim=1)
        expected = (texts, seen, WEIGHT * texts[:, :1] + (1 - WEIGHT) * seen)
        far = [float((mine - his).abs().max() / his.abs().max()) for mine, his in zip(ours, expected, strict=True)]
        names = ("largest_logit_difference", "largest_logit_difference_one_shot", "largest_logit_difference_mix")
        return dict(zip(names, far, strict=True)) | {"largest_box_difference": float((code.boxes - theirs.pred_boxes[0]).abs().max())}

    def _forward(self, prompts: Sequence[str]) -> Any:
        text = self._tokenizer(list(prompts), padding="max_length", max_length=16, return_tensors="pt")
        with torch.inference_mode():
            return self._network(**text.to(self._device), pixel_values=self._pixels(self._rgb))

    def _pixels(self, rgb: NDArray[np.uint8]) -> torch.Tensor:
        pixels: torch.Tensor = self._image_processor(rgb, return_tensors="pt")["pixel_values"].to(self._device)
        return pixels


if __name__ == "__main__":
    main()
