"""The page of reference says what the docstrings say."""

import seesay.perception
from scripts.perception_reference import PAGE, page


def test_every_public_name_is_in_the_reference() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [name for name in seesay.perception.__all__ if f"## {name}" not in lines] == []


def test_the_reference_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m scripts.perception_reference"
