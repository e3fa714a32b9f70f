"""Masks survive coding bit by bit, and hostile runs allocate nothing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seesay import masks
from seesay.errors import MessageError
from seesay.messages import MAX_PIXELS


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9)))
def test_decode_undoes_encode(array: Any) -> None:
    counts, starts = masks.encode(array)
    np.testing.assert_array_equal(masks.decode(counts, starts, *array.shape[1:]), array)
    np.testing.assert_array_equal(masks.decode_one(masks.encode_one(array[0]), *array.shape[1:]), array[0])


def test_runs_are_row_major_with_zeros_first() -> None:
    counts, starts = masks.encode(np.array([[[1, 1, 0], [0, 1, 0]], [[0, 0, 0], [0, 0, 1]]], bool))
    assert counts.tolist() == [0, 2, 2, 1, 1, 5, 1]
    assert starts.tolist() == [0, 5, 7]


def test_no_mask_is_a_valid_answer() -> None:
    counts, starts = masks.encode(np.zeros((0, 4, 5), bool))
    assert masks.decode(counts, starts, 4, 5).shape == (0, 4, 5)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=8), st.lists(st.integers(0, 2**32 - 1), max_size=4))
def test_arbitrary_runs_decode_or_are_refused(counts: Any, starts: Any) -> None:
    try:
        result = masks.decode(np.array(counts, np.uint32), np.array(starts, np.uint32), 4, 5)
    except MessageError:
        return
    assert result.shape == (len(starts) - 1, 4, 5)


@pytest.mark.parametrize(("height", "width"), [(0, 5), (1 << 20, 1), (16384, 8193)])
def test_sizes_are_bounded(height: Any, width: Any) -> None:
    with pytest.raises(MessageError, match="sides of 1 to"):
        masks.decode(np.zeros(0, np.uint32), np.zeros(1, np.uint32), height, width)


def test_masks_are_bounded_in_all() -> None:
    """Sixty-four of 1080p pass, one more does not, few bytes though they are."""
    pixels = 1080 * 1920
    assert 64 * pixels <= MAX_PIXELS
    with pytest.raises(MessageError, match="at most 134217728 pixels in all, got 65 masks"):
        masks.decode(np.full(65, pixels, np.uint32), np.arange(66, dtype=np.uint32), 1080, 1920)
