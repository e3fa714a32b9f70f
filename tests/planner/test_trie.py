"""The trie keeps every conditional probability once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.planner.trie import build_trie, common_prefix

sequences = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=12)


@given(sequences)
def test_paths_spell_the_sequences(given: list[list[int]]) -> None:
    trie = build_trie(given)
    for sequence, path in zip(given, trie.paths, strict=True):
        assert [trie.edges[edge][1] for edge in path] == sequence
        for before, after in itertools.pairwise(path):
            parent, token = trie.edges[before]
            node, _ = trie.edges[after]
            assert (trie.parents[node], trie.nodes[node]) == (parent, token)
    assert len(set(trie.edges)) == len(trie.edges)
    assert all(parent < i for i, parent in enumerate(trie.parents))
    assert all(depth == (1 if parent < 0 else trie.depths[parent] + 1) for depth, parent in zip(trie.depths, trie.parents, strict=True))


def test_shared_tokens_are_held_once_and_last_tokens_are_not_forwarded() -> None:
    trie = build_trie([[1, 2, 3], [1, 2, 4], [1, 2]])
    assert trie.nodes == (1, 2)
    assert trie.edges == ((-1, 1), (0, 2), (1, 3), (1, 4))


def test_empty_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        build_trie([[1], []])


@given(sequences)
def test_common_prefix(given: list[list[int]]) -> None:
    length = common_prefix(given)
    assert all(sequence[:length] == given[0][:length] for sequence in given)
    assert any(len(s) == length for s in given) or len({s[length] for s in given}) > 1
