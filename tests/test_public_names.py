"""The names that people import are those that are meant to be imported: a change here is a change for them."""

import importlib

import pytest

from seesay.nodes.runtime import node_names

PUBLIC = {
    "seesay": ["__version__"],
    "seesay.perception": [
        "CLIP_TEMPLATES", "AnyDetector", "AnySegmenter", "Detector", "Glimpse", "Noise", "ObjectTracker", "Observation", "Perceiver",
        "Segmenter", "Sights", "View", "ground", "open_detector", "open_segmenter", "open_source", "to_rgb",
    ],
}


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_these(module: str) -> None:
    assert sorted(importlib.import_module(module).__all__) == sorted(PUBLIC[module])


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_there(module: str) -> None:
    package = importlib.import_module(module)
    assert [name for name in PUBLIC[module] if not hasattr(package, name)] == []


def test_the_nodes_are_these() -> None:
    assert node_names() == [
        "camera", "detector", "executor", "gateway", "grounding", "memory", "planner", "play", "record", "segmenter", "simulator",
        "view", "vocabulary",
    ]
