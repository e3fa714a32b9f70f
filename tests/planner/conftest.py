"""A tiny language model and a table with four things."""

from __future__ import annotations

from typing import Any

import pytest

from seesay.messages import Objects
from tests.planner.things import scene, thing
from tests.planner.tiny import tiny_gemma, tiny_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return tiny_tokenizer()


@pytest.fixture(scope="session")
def gemma() -> Any:
    return tiny_gemma()


@pytest.fixture
def scorer(gemma: Any, tokenizer: Any) -> Any:
    """A TransformersScorer over the tiny model, nothing cached."""
    from seesay.planner.transformers_scorer import TransformersScorer

    return TransformersScorer(gemma, tokenizer)


@pytest.fixture
def table() -> Objects:
    """Red and blue block, green and yellow bowl, seen at 10 s."""
    return scene(
        thing(1, "red block", -0.1, -0.05), thing(2, "blue block", 0.1, -0.05),
        thing(3, "green bowl", 0.05, 0.08, size=0.12), thing(4, "yellow bowl", -0.08, 0.08, size=0.12),
    )
