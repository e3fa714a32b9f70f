"""One uint8 1080p frame to masks, against Hugging Face: `python -m benchmarks.segmenter --json`.

The architecture of clipseg-rd64-refined with random weights (speed and equality only), float32. On both sides preprocessing, prompts padded
to the longest, logits upsampled to the frame and compared with the threshold. Hugging Face runs the image tower once per prompt
(its picture is prepared once here, although its example prepares a copy for each prompt).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from benchmarks import full_size
from benchmarks.common import show
from seesay.messages import Example, Prompt
from seesay.perception.clipseg import ClipSeg
from seesay.perception.segmenter import Segmenter

WEIGHT = 0.3   # of the text in a mix of text and example
BARS = {
    "ratio_hf_1_prompt": (">=", 1.05),
    "ratio_hf_5_prompts": (">=", 4.5),
    "ratio_hf_10_prompts": (">=", 8.0),
    "memory_32_over_1_prompts": ("<=", 2.0),
    "largest_logit_difference": ("<=", 1e-4),
    "largest_logit_difference_one_shot": ("<=", 1e-4),
    "largest_logit_difference_mix": ("<=", 1e-4),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.segmenter", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only-memory", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    full_size.placement(options.device)
    if options.only_memory:
        print(memory(options.only_memory))
        return
    show("segmenter, clipseg-rd64-refined with random weights", figures(options.device, options.repeats), options.json, BARS)


def figures(device: str, repeats: int) -> dict[str, Any]:
    """Every ratio is Hugging Face's time over SeeSay's in the same run; the differences are to its forward pass."""
    checkpoint, rgb = full_size.clipseg(), full_size.picture()
    hf = HuggingFace(checkpoint, rgb, device)
    ours = Segmenter(ClipSeg(checkpoint, full_size.placement(device)))
    found: dict[str, Any] = {}
    for count in (1, 5, 10):
        prompts = full_size.PROMPTS[:count]
        times = full_size.interleaved({"ours": lambda p=prompts: ours(rgb, p), "hf": hf.segmenter(prompts)}, repeats)  # type: ignore[misc]
        found[f"ratio_hf_{count}_prompt{'s' if count > 1 else ''}"] = times["hf"] / times["ours"]
        found[f"frame_ms_{count}_prompts"] = 1e3 * times["ours"]
    peaks = [_memory_in_a_process(count) for count in (1, 32)]
    found["memory_mb_32_prompts"], found["memory_32_over_1_prompts"] = peaks[1], peaks[1] / peaks[0]
    return found | hf.differences(ours.clipseg, full_size.PROMPTS[:3])


class HuggingFace:
    """The model's own forward pass with its processor."""

    def __init__(self, checkpoint: Any, rgb: Any, device: str) -> None:
        self._network, self._tokenizer = checkpoint.network.to(device), checkpoint.tokenizer
        self._image_processor = transformers.models.vit.image_processing_pil_vit.ViTImageProcessorPil(
            size={"height": 352, "width": 352},
            image_mean=checkpoint.preprocessor["image_mean"],
            image_std=checkpoint.preprocessor["image_std"],
        )
        self._rgb, self._device = rgb, device

    def segmenter(self, prompts: Sequence[str]) -> Callable[[], object]:
        def run() -> object:
            logits = self._forward(prompts)
            full = torch.nn.functional.interpolate(logits[:, None], self._rgb.shape[:2], mode="bilinear", align_corners=False)
            return (full.sigmoid() > 0.5).cpu().numpy()

        return run

    def differences(self, clipseg: ClipSeg, prompts: Sequence[str]) -> dict[str, float]:
        """Of logits as a share of the largest one, for texts, an example, and both mixed."""
        example, code = Example(full_size.picture(1)), clipseg.encode_image(self._rgb)
        words, pixels = self._text(prompts[:1]), self._pixels(self._rgb)
        with torch.inference_mode():
            seen = self._network(pixel_values=pixels, conditional_pixel_values=self._pixels(example.rgb))
            said = self._network(pixel_values=pixels, **words).conditional_embeddings
            both = WEIGHT * said + (1 - WEIGHT) * seen.conditional_embeddings
            mixed = self._network(pixel_values=pixels, conditional_embeddings=both).logits
        examples = [Prompt(prompts[0], examples=(example,), text_weight=weight) for weight in (0.0, WEIGHT)]
        ours = torch.split(clipseg.logits(code, [*prompts, *examples]), [len(prompts), 1, 1])
        expected = (self._forward(prompts), seen.logits, mixed)
        far = [float((mine - his.reshape(mine.shape)).abs().max() / his.abs().max()) for mine, his in zip(ours, expected, strict=True)]
        names = ("largest_logit_difference", "largest_logit_difference_one_shot", "largest_logit_difference_mix")
        return dict(zip(names, far, strict=True))

    def _forward(self, prompts: Sequence[str]) -> torch.Tensor:
        pixels = self._pixels(self._rgb).expand(len(prompts), -1, -1, -1)
        with torch.inference_mode():
            logits: torch.Tensor = self._network(**self._text(prompts), pixel_values=pixels).logits
            return logits.reshape(len(prompts), *logits.shape[-2:])

    def _text(self, prompts: Sequence[str]) -> Any:
        return self._tokenizer(list(prompts), padding=True, return_tensors="pt").to(self._device)

    def _pixels(self, rgb: NDArray[np.uint8]) -> torch.Tensor:
        pixels: torch.Tensor = self._image_processor(rgb, return_tensors="pt")["pixel_values"].to(self._device)
        return pixels


def memory(count: int) -> float:
    """Megabytes by which the process grows at its peak while it handles one frame with `count` prompts."""
    segmenter, rgb = Segmenter(ClipSeg(full_size.clipseg())), full_size.picture()
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts anew
    before = _status("VmRSS")
    segmenter(rgb, full_size.PROMPTS[:count])
    return _status("VmHWM") - before


def _status(field: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def _memory_in_a_process(count: int) -> float:
    command = [sys.executable, "-m", "benchmarks.segmenter", "--only-memory", str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
