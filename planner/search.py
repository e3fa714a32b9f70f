"""Exact best-first search: the most probable of many phrases without scoring them all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from seesay.planner.trie import Trie

Expand = Callable[[Sequence[int]], dict[int, float]]


def best_first(trie: Trie, log_weights: Sequence[float], expand: Expand, width: int = 16) -> tuple[int | None, list[float], list[bool]]:
    """Index of the sequence with the greatest log p + weight, and what is known of every log p.

    log_weights: natural log of what multiplies each sequence's probability, finite, one per sequence of the trie. expand: log p of the
    edges that leave some nodes, by edge (see TreeRunner.expand). width: about how many nodes go into one call, as a forward pass over
    a few tokens costs little more than over one.

    A log-probability only falls along its path, so what is known of it bounds it from above; the search ends when no bound exceeds the
    best whole sequence. Exact for sums, not for scores divided by length. Ties go to the sequence that comes first.
    Returns (index, None if all are impossible; log p or its upper bound; whether it is log p itself).
    """
    known: dict[int, float] = {}
    expanded: set[int] = set()
    while True:
        bounds = [sum(known.get(edge, 0.0) for edge in path) for path in trie.paths]
        whole = [all(edge in known for edge in path) for path in trie.paths]
        order = sorted(range(len(bounds)), key=lambda i: (-(bounds[i] + log_weights[i]), i))
        best = next((i for i in order if whole[i]), None)
        still_open = [i for i in order[: None if best is None else order.index(best)] if bounds[i] + log_weights[i] > -math.inf]
        if not still_open:
            possible = best is not None and bounds[best] + log_weights[best] > -math.inf
            return best if possible else None, [min(bound, 0.0) for bound in bounds], whole
        batch: dict[int, None] = {}
        for i in still_open:
            if len(batch) >= width:
                break
            batch.update(dict.fromkeys(_to_next_branch(trie, i, expanded)))
        expanded.update(batch)
        known |= expand(list(batch))


def _to_next_branch(trie: Trie, sequence: int, expanded: set[int]) -> list[int]:
    """Nodes of a sequence that are not expanded, up to the first after which sequences part."""
    nodes = []
    for edge in trie.paths[sequence]:
        node = trie.edges[edge][0]
        if node in expanded:
            continue
        nodes.append(node)
        if len(trie.leaving(node)) > 1:
            break
    return nodes
