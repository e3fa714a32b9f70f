"""The GPU benchmark counts the operations that torch counts."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu import tower_flops
from seesay.perception.embedded import EMBEDDED, load
from seesay.perception.owlvit import Owl


def test_operations_of_the_tower_are_those_that_torch_counts() -> None:
    checkpoint = load("detector", EMBEDDED)
    owl, vision = Owl(checkpoint), checkpoint.config.vision_config
    pixels = torch.zeros(1, 3, vision.image_size, vision.image_size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        owl._features(pixels)
    linear = counter.get_total_flops()
    tokens = (vision.image_size // vision.patch_size) ** 2 + 1
    attention = 4 * tokens * tokens * vision.hidden_size * vision.num_hidden_layers   # the counter knows no fused attention of a CPU
    assert tower_flops(vision) in (linear, linear + attention)
