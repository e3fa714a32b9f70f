"""The detector on a GPU: `python -m benchmarks.gpu --json`. It ends with a sentence where there is no GPU; it has not been run on one yet.

owlvit-base-patch32 with random weights, uint8 1080p to boxes. `matmul_share_batch_8`: the floating-point operations of the image tower's
matrix products in a second, at batch 8, over those of a large bfloat16 product measured in the same run. `latency_ms_batch_1`: one picture,
beside Hugging Face's own forward pass on pixels that lie on the GPU already (its processor works on the CPU and is left out), eager
and compiled, all interleaved in one run; at batch 8 too, where Hugging Face's share counts the same operations.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch

from benchmarks import full_size
from benchmarks.common import show
from seesay.perception.device import Dtype
from seesay.perception.owlvit import Owl

BARS = {"matmul_share_batch_8": (">=", 0.4), "latency_ms_batch_1": ("<=", 0.7)}
PROMPTS = full_size.PROMPTS[:20]
BATCH = 8
SIDE = 8192


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    full_size.placement(options.device)
    torch.manual_seed(0)
    show("owlvit-base-patch32 on a GPU", figures(options.device, options.dtype, options.repeats), options.json, BARS)


def figures(device: str, dtype: Dtype, repeats: int) -> dict[str, Any]:
    """Medians; every run waits until the GPU has finished."""
    checkpoint, rgb = full_size.owlvit(), full_size.picture()
    network: Any = full_size.owlvit().network
    hf = network.to(device, getattr(torch, dtype))
    ids = checkpoint.tokenizer(list(PROMPTS), padding="max_length", max_length=16, return_tensors="pt")["input_ids"].to(device)
    pixels = torch.zeros(BATCH, 3, 768, 768, device=device, dtype=getattr(torch, dtype))
    owl = Owl(checkpoint, full_size.placement(device, dtype, compiled=True))
    compiled: Any = torch.compile(hf, dynamic=False)   # once for each size of batch

    def ours(count: int) -> Callable[[], object]:
        return lambda: torch.stack([owl.logits(code, PROMPTS) for code in owl.encode_images([rgb] * count)]).cpu()

    def theirs(model: Any, count: int) -> Callable[[], object]:
        return lambda: model(input_ids=ids.repeat(count, 1), pixel_values=pixels[:count]).logits.cpu()

    with torch.inference_mode():
        one, eight = (
            full_size.interleaved({"ours": ours(count), "hf_eager": theirs(hf, count), "hf_compiled": theirs(compiled, count)}, repeats)
            for count in (1, BATCH)
        )
        tower, product = (
            full_size.interleaved({"": _finished(work, device)}, repeats)[""]
            for work in (lambda: owl.encode_images([rgb] * BATCH), _product(device, getattr(torch, dtype)))
        )
    operations, rate = BATCH * tower_flops(checkpoint.config.vision_config), 2 * SIDE**3 / product
    return {
        "matmul_share_batch_8": operations / tower / rate, "latency_ms_batch_1": 1e3 * one["ours"],
        **{f"{name}_matmul_share_batch_8": operations / eight[name] / rate for name in ("hf_eager", "hf_compiled")},
        **{f"{name}_ms_batch_1": 1e3 * one[name] for name in ("hf_eager", "hf_compiled")},
        **{f"{name}_frames_per_s_batch_8": BATCH / seconds for name, seconds in eight.items()},
        "frames_per_s_batch_8": BATCH / tower, "matmul_tflops": rate / 1e12,
        "gpu": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
    }  # fmt: skip


def tower_flops(vision: Any) -> float:
    """Floating-point operations of the matrix products of one picture in the image tower."""
    tokens, width = (vision.image_size // vision.patch_size) ** 2 + 1, vision.hidden_size
    layer = 2 * tokens * (4 * width * width + 2 * width * vision.intermediate_size) + 4 * tokens * tokens * width
    return float(vision.num_hidden_layers * layer + 2 * (tokens - 1) * 3 * vision.patch_size**2 * width)


def _product(device: str, dtype: torch.dtype) -> Callable[[], object]:
    left, right = (torch.randn(SIDE, SIDE, device=device, dtype=dtype) for _ in range(2))
    return lambda: left @ right


def _finished(work: Callable[[], object], device: str) -> Callable[[], object]:
    def run() -> None:
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)

    return run


if __name__ == "__main__":
    main()
