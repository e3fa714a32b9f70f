"""Find things in a picture by name: no node, no socket. `python examples/01_find_things.py photo.jpg "a red block" "a green bowl"`."""

import sys
from pathlib import Path

from seesay import masks
from seesay.perception import Detector, Segmenter
from seesay.perception.pictures import read_picture

path, *prompts = sys.argv[1:]
rgb = read_picture(Path(path))                                  # (H, W, 3) uint8 RGB
found = Detector.from_pretrained()(rgb, prompts)                # Detections
for box, score, index in zip(found.boxes, found.scores, found.prompt_indices, strict=True):
    print(f"{prompts[index]}: {score:.2f} at {box.round().astype(int).tolist()}")   # (4,) xyxy pixels
coded = Segmenter.from_pretrained()(rgb, prompts)               # Masks, run-length coded
drawn = masks.decode(coded.counts, coded.starts, coded.height, coded.width)   # (M, H, W) bool
for prompt, mask in zip(prompts, drawn, strict=True):
    print(f"{prompt}: {mask.sum()} pixels")
