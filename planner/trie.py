"""Token trie: many phrases over one context, each shared token scored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

ROOT = -1
"""Index of the root: the last token of the shared context."""


@dataclass(frozen=True)
class Trie:
    """Tokens of several sequences that follow one root (the last token of their shared context).

    nodes: token of each node that some token follows, parents before children; only these go through the network.
    parents: index of each node's parent in `nodes`, ROOT (-1) for the root. depths: distance from the root, 1 or more.
    edges: every distinct (node or -1, next token), i.e. each conditional probability that is needed, once.
    paths: for each sequence, the indices of its edges; its log-probability is the sum over them.
    """

    nodes: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]
    paths: tuple[tuple[int, ...], ...]

    @cached_property
    def _leaving(self) -> dict[int, list[int]]:
        leaving: dict[int, list[int]] = {}
        for edge, (node, _) in enumerate(self.edges):
            leaving.setdefault(node, []).append(edge)
        return leaving

    def leaving(self, node: int) -> list[int]:
        """Indices of the edges that leave a node (ROOT or an index into `nodes`)."""
        return self._leaving[node]


def build_trie(sequences: Sequence[Sequence[int]]) -> Trie:
    """Trie of token sequences, none empty (ValueError). A sequence may be a prefix of another, or equal to it."""
    if not all(sequences):
        raise ValueError("expected sequences of at least one token")
    inner = {tuple(sequence[:cut]) for sequence in sequences for cut in range(1, len(sequence))}
    prefixes = sorted(inner)
    index = {prefix: i for i, prefix in enumerate(prefixes)}
    index[()] = ROOT
    edges: dict[tuple[int, int], int] = {}
    paths = []
    for sequence in sequences:
        steps = [(index[tuple(sequence[:cut])], sequence[cut]) for cut in range(len(sequence))]
        paths.append(tuple(edges.setdefault(step, len(edges)) for step in steps))
    return Trie(
        nodes=tuple(prefix[-1] for prefix in prefixes),
        parents=tuple(index[prefix[:-1]] for prefix in prefixes),
        depths=tuple(len(prefix) for prefix in prefixes),
        edges=tuple(edges),
        paths=tuple(paths),
    )


def common_prefix(sequences: Sequence[Sequence[object]]) -> int:
    """Length of the longest prefix that all sequences share; 0 for no sequences."""
    if not sequences:
        return 0
    first = sequences[0]
    length = min(map(len, sequences))
    for other in sequences[1:]:
        length = next((i for i in range(length) if other[i] != first[i]), length)
    return length
