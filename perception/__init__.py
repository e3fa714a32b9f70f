"""Pictures and prompts in, boxes, masks and objects out. Importing this costs no network: torch is loaded with the first model."""

from seesay.perception.association import ObjectTracker
from seesay.perception.detector import Detector
from seesay.perception.engines import AnyDetector, AnySegmenter, open_detector, open_segmenter
from seesay.perception.grounding import Observation, Sights, View, ground
from seesay.perception.noise import Noise
from seesay.perception.pictures import to_rgb
from seesay.perception.pipeline import Glimpse, Perceiver
from seesay.perception.prompts import CLIP_TEMPLATES
from seesay.perception.segmenter import Segmenter
from seesay.perception.sources import open_source

__all__ = [
    "CLIP_TEMPLATES", "AnyDetector", "AnySegmenter", "Detector", "Glimpse", "Noise", "ObjectTracker", "Observation", "Perceiver",
    "Segmenter", "Sights", "View", "ground", "open_detector", "open_segmenter", "open_source", "to_rgb",
]  # fmt: skip
