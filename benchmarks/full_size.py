"""Networks of the published sizes with random weights: they prove equality and speed, never accuracy. And how two rivals are timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seesay.errors import ModelError
from seesay.perception.device import Dtype, Placement, pick_device
from seesay.perception.embedded import EMBEDDED, Checkpoint, load

HEIGHT, WIDTH = 1080, 1920
COLOURS = ("red", "green", "blue", "yellow", "white", "black", "orange", "pink", "purple", "cyan")
THINGS = ("block", "bowl", "cup", "can", "ball", "plate", "box", "bag", "lamp", "chair")
PROMPTS = tuple(f"a {colour} {thing}" for thing in THINGS for colour in COLOURS)


def placement(device: str, dtype: Dtype = "float32", compiled: bool = False) -> Placement:
    """Where the rivals compute; the benchmark ends with a sentence where there is no such device."""
    try:
        return Placement(pick_device(device), dtype, compiled)
    except ModelError as error:
        raise SystemExit(str(error)) from None


def picture(seed: int = 0) -> NDArray[np.uint8]:
    """A `(1080, 1920, 3) uint8` RGB picture of coarse noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, axis=0).repeat(8, axis=1))


def owlvit() -> Checkpoint:
    """owlvit-base-patch32 (the class's default configuration), with the embedded tokenizer."""
    return owl("owlvit")


def owl(family: str, **config: Any) -> Checkpoint:
    """An OWL-ViT ("owlvit") or OWLv2 ("owlv2") of that configuration; what is not said is that of a base network with patches of 32."""
    import transformers

    v2 = family == "owlv2"
    config_class: Any = transformers.Owlv2Config if v2 else transformers.OwlViTConfig
    network_class: Any = transformers.Owlv2ForObjectDetection if v2 else transformers.OwlViTForObjectDetection
    made = config_class(**config)
    return _random(network_class(made), family, "detector", {"size": made.vision_config.image_size})


def clipseg(**config: Any) -> Checkpoint:
    """clipseg-rd64-refined: patch 16, layers 3, 6 and 9, complex upsampling, 352 x 352 pixels; or another one, by what `config` says."""
    import transformers

    size, mean, std = 352, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    tokenizer = load("segmenter", EMBEDDED).tokenizer
    base: dict[str, Any] = {
        "vision_config": {"patch_size": 16},
        "text_config": {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id},
        "use_complex_transposed_convolution": True,
    }
    network = transformers.CLIPSegForImageSegmentation(transformers.CLIPSegConfig(**base | config))
    return _random(network, "clipseg", "segmenter", {"size": size, "image_mean": mean, "image_std": std})


def interleaved(rivals: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each rival over `repeats` rounds in which each runs once, after one run that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(repeats + 1):
        for name, run in rivals.items():
            started = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - started)
    return {name: float(np.median(values)) for name, values in times.items()}


def _random(network: Any, family: str, kind: Any, preprocessor: dict[str, Any]) -> Checkpoint:
    tokenizer = load(kind, EMBEDDED).tokenizer
    for name, parameter in network.named_parameters():
        if "head" in name and parameter.ndim > 1:
            parameter.data.mul_(0.02)  # as they come, logits are hundreds large and every box lies on the border
    return Checkpoint(f"random {family}", "", family, network.config, network.eval(), tokenizer, preprocessor)
