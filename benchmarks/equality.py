"""The separable networks against Hugging Face's own forward pass at full width: `python -m benchmarks.equality --json`. Nothing is timed.

All published architectures with random weights in float32, from uint8 pictures of odd and of common size, preprocessing included; the
large ones with few of their layers, as `layers_...` says. Largest differences over all cases: `..._logits` (objectness among them) and
`..._masks` as a share of the largest absolute one, `..._boxes` in the unit square. `..._examples`: logits or masks for a picture as prompt
(`image_guided_detection`, `conditional_pixel_values`), and for text and picture mixed.
"""

from __future__ import annotations

import argparse
import gc
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from benchmarks import full_size
from benchmarks.common import show
from seesay.messages import Example, Prompt
from seesay.perception.clipseg import ClipSeg
from seesay.perception.embedded import Checkpoint
from seesay.perception.owlvit import Owl

FEW = 2
"""Layers of the image tower of a large architecture."""
AT_ONCE = 10
"""Prompts of one forward pass of CLIPSeg, which takes a picture for each."""
WEIGHT = 0.3   # of the text in a mix of text and picture
LARGE_TEXT = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
LARGE_VISION = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "patch_size": 14, "num_hidden_layers": FEW}
PROCESSORS: dict[str, Any] = {"owlvit": OwlViTImageProcessorPil, "owlv2": Owlv2ImageProcessorPil, "clipseg": ViTImageProcessorPil}
Cases = tuple[tuple[int, int], ...]
"""(pictures, prompts) of each comparison."""


def _large(side: int) -> dict[str, Any]:
    return {"vision_config": LARGE_VISION | {"image_size": side}, "text_config": LARGE_TEXT, "projection_dim": 768}


ARCHITECTURES: dict[str, tuple[Callable[[], Checkpoint], Cases]] = {
    "owlvit-base-patch32": (full_size.owlvit, ((1, 1), (2, 4), (1, 20), (1, 100))),
    "owlvit-base-patch16": (lambda: full_size.owl("owlvit", vision_config={"patch_size": 16}), ((1, 4), (2, 20))),
    "owlvit-large-patch14": (lambda: full_size.owl("owlvit", **_large(840)), ((2, 4), (1, 100))),
    "owlv2-base-patch16": (lambda: full_size.owl("owlv2", vision_config={"patch_size": 16, "image_size": 960}), ((2, 4), (1, 100))),
    "owlv2-large-patch14": (lambda: full_size.owl("owlv2", **_large(1008)), ((1, 1), (2, 20))),
    "clipseg-rd64-refined": (full_size.clipseg, ((1, 1), (2, 4), (1, 20))),
    "clipseg-rd64": (lambda: full_size.clipseg(use_complex_transposed_convolution=False), ((2, 1), (1, 4))),
    "clipseg-rd16": (lambda: full_size.clipseg(reduce_dim=16, use_complex_transposed_convolution=False), ((2, 4), (1, 100))),
}
LAYERS = {"owlvit-large-patch14": 24, "owlv2-large-patch14": 24}
NO_EXAMPLES = ("owlvit-base-patch16", "owlv2-base-patch16")
"""Where two more passes would take long and show nothing that the others do not."""
BARS = {
    f"{name}_{part}": ("<=", 1e-5 if part == "boxes" else 1e-4)
    for name in ARCHITECTURES
    for part in (("masks", "examples") if "clipseg" in name else ("logits", "boxes", "examples"))
    if part != "examples" or name not in NO_EXAMPLES
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.equality", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="a regular expression that the names of architectures match")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    names = [name for name in ARCHITECTURES if re.search(options.only, name)]
    found: dict[str, Any] = {}
    for name in track(names, description="architectures"):
        found |= {f"{name}_{part}": value for part, value in differences(name).items()}
        gc.collect()   # a network of the next architecture finds room
    layers = {f"layers_{name}": f"{FEW} of {LAYERS[name]}" for name in names if name in LAYERS}
    show("differences from Hugging Face", found | layers, options.json, {name: bar for name, bar in BARS.items() if name in found})


def differences(name: str) -> dict[str, float]:
    """The largest difference of each part over all cases of an architecture."""
    make, cases = ARCHITECTURES[name]
    checkpoint = make()
    rivals: Any = _Masks(checkpoint) if checkpoint.family == "clipseg" else _Boxes(checkpoint)
    odd = np.ascontiguousarray(full_size.picture(2)[:721, :1283])
    largest: dict[str, float] = {}
    with torch.inference_mode():
        for pictures, prompts in cases:
            found = rivals.compare([odd, full_size.picture()][:pictures], full_size.PROMPTS[:prompts])
            largest = {part: max(value, largest.get(part, 0.0)) for part, value in found.items()}
        if name not in NO_EXAMPLES:
            largest["examples"] = rivals.compare_examples(odd, full_size.PROMPTS[0], Example(full_size.picture(1)))
    return largest


class _Rivals:
    """Hugging Face's network and the pictures and texts that it reads."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        side = checkpoint.preprocessor["size"]
        self.network, self._tokenizer = checkpoint.network, checkpoint.tokenizer
        self._processor = PROCESSORS[checkpoint.family](**checkpoint.preprocessor | {"size": {"height": side, "width": side}})

    def pixels(self, *pictures: NDArray[np.uint8]) -> torch.Tensor:
        return torch.cat([self._processor(rgb, return_tensors="pt")["pixel_values"] for rgb in pictures])

    def text(self, prompts: Sequence[str], **padding: Any) -> Any:
        return self._tokenizer(list(prompts), return_tensors="pt", **padding)


class _Boxes(_Rivals):
    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self._owl = Owl(checkpoint)

    def compare(self, pictures: Sequence[NDArray[np.uint8]], prompts: Sequence[str]) -> dict[str, float]:
        theirs, codes = self._forward(pictures, prompts), self._owl.encode_images(pictures)
        logits = far(torch.stack([self._owl.logits(code, prompts) for code in codes]), theirs.logits)
        objectness = [code.objectness for code in codes if code.objectness is not None]
        if objectness:
            logits = max(logits, far(torch.stack(objectness), theirs.objectness_logits))
        return {"logits": logits, "boxes": float((torch.stack([code.boxes for code in codes]) - theirs.pred_boxes).abs().max())}

    def compare_examples(self, rgb: NDArray[np.uint8], prompt: str, example: Example) -> float:
        """Logits are linear in the prompt's vector."""
        texts = self._forward([rgb], [prompt]).logits[0]
        seen = self.network.image_guided_detection(self.pixels(rgb), query_pixel_values=self.pixels(example.rgb)).logits[0]
        ours = self._owl.logits(self._owl.encode_image(rgb), of_example(prompt, example))
        return max(far(ours[:, :1], seen), far(ours[:, 1:], WEIGHT * texts + (1 - WEIGHT) * seen))

    def _forward(self, pictures: Sequence[NDArray[np.uint8]], prompts: Sequence[str]) -> Any:
        text = self.text([*prompts] * len(pictures), padding="max_length", max_length=16)
        return self.network(**text, pixel_values=self.pixels(*pictures))


class _Masks(_Rivals):
    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self._clipseg = ClipSeg(checkpoint)

    def compare(self, pictures: Sequence[NDArray[np.uint8]], prompts: Sequence[str]) -> dict[str, float]:
        ours = [self._clipseg.logits(code, prompts) for code in self._clipseg.encode_images(pictures)]
        theirs = [self._forward(rgb, prompts) for rgb in pictures]
        return {"masks": far(torch.stack(ours), torch.stack(theirs))}

    def compare_examples(self, rgb: NDArray[np.uint8], prompt: str, example: Example) -> float:
        pixels = self.pixels(rgb)
        seen = self.network(pixel_values=pixels, conditional_pixel_values=self.pixels(example.rgb))
        said = self.network(pixel_values=pixels, **self.text([prompt])).conditional_embeddings
        both = WEIGHT * said + (1 - WEIGHT) * seen.conditional_embeddings
        mixed = self.network(pixel_values=pixels, conditional_embeddings=both).logits
        alone, together = self._clipseg.logits(self._clipseg.encode_image(rgb), of_example(prompt, example))
        return max(far(alone, seen.logits.reshape(alone.shape)), far(together, mixed.reshape(together.shape)))

    def _forward(self, rgb: NDArray[np.uint8], prompts: Sequence[str]) -> torch.Tensor:
        """`(Q, h, w)` logits."""
        pixels, maps = self.pixels(rgb), []
        for first in range(0, len(prompts), AT_ONCE):
            some = prompts[first : first + AT_ONCE]
            logits = self.network(**self.text(some, padding=True), pixel_values=pixels.expand(len(some), -1, -1, -1)).logits
            maps.append(logits.reshape(len(some), *logits.shape[-2:]))
        return torch.cat(maps)


def of_example(prompt: str, example: Example) -> list[Prompt]:
    """The example alone, and mixed with the text."""
    return [Prompt(prompt, examples=(example,), text_weight=weight) for weight in (0.0, WEIGHT)]


def far(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference as a share of the largest absolute value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


if __name__ == "__main__":
    main()
