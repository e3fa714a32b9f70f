"""Best-first search: the same winner as scoring everything, with less work."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.planner.language import ScriptedScorer, SearchingScorer, best_of
from seesay.planner.search import best_first
from seesay.planner.transformers_scorer import TransformersScorer
from seesay.planner.trie import ROOT, build_trie
from tests.planner.tiny import LONG, PHRASES, SHORT, close

phrases = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=1, max_size=10)
log_p = st.one_of(st.floats(-30.0, 0.0), st.sampled_from([0.0, -1.0, -2000.0, -math.inf]))


@given(phrases, st.data(), st.integers(1, 8))
def test_same_winner_as_scoring_all(sequences: list[tuple[int, ...]], data: st.DataObject, width: int) -> None:
    trie = build_trie(sequences)
    values = data.draw(st.lists(log_p, min_size=len(trie.edges), max_size=len(trie.edges)))
    weights = data.draw(st.lists(st.sampled_from([0.0, -0.5, -3.0, -7.0]), min_size=len(sequences), max_size=len(sequences)))
    forwarded: list[int] = []

    def expand(nodes: object) -> dict[int, float]:
        assert isinstance(nodes, list)
        for node in nodes:
            assert node == ROOT or trie.parents[node] in forwarded
            forwarded.append(node)
        return {edge: values[edge] for node in nodes for edge in trie.leaving(node)}

    index, bounds, exact = best_first(trie, weights, expand, width)
    sums = [sum(values[edge] for edge in path) for path in trie.paths]
    totals = [value + weight for value, weight in zip(sums, weights, strict=True)]
    assert index == (totals.index(max(totals)) if max(totals) > -math.inf else None)
    assert forwarded[0] == ROOT
    assert len(set(forwarded)) == len(forwarded)
    for value, bound, known in zip(sums, bounds, exact, strict=True):
        assert bound >= value or bound == pytest.approx(value)
        assert not known or bound == value
    assert index is None or exact[index]


@pytest.mark.parametrize("context", [SHORT, LONG])
def test_model_search_agrees_with_its_scores(scorer: TransformersScorer, context: str) -> None:
    assert isinstance(scorer, SearchingScorer)
    scores = scorer.score(context, PHRASES, ".")
    for favoured in range(len(PHRASES)):
        weights = [-6.0] * len(PHRASES)
        weights[favoured] = 0.0
        found = best_of(scorer, context, PHRASES, weights, ".")
        totals = [a + b for a, b in zip(scores, weights, strict=True)]
        assert found.index == totals.index(max(totals))
        known = [i for i, exact in enumerate(found.exact) if exact]
        assert close([found.log_p[i] for i in known], [scores[i] for i in known])
        assert all(bound >= score - 1e-4 for bound, score in zip(found.log_p, scores, strict=True))
    assert close(scorer.score(context, PHRASES, "."), scores)


def test_search_forwards_less(scorer: TransformersScorer) -> None:
    scorer.score(SHORT, PHRASES, ".")
    before = scorer.tokens_forwarded
    scorer.score(SHORT, PHRASES, ".")
    everything = scorer.tokens_forwarded - before
    weights = [-80.0] * len(PHRASES)
    weights[0] = 0.0
    assert best_of(scorer, SHORT, PHRASES, weights, ".").index == 0
    assert scorer.tokens_forwarded - before - everything < everything / 2


def test_impossible_phrases_are_never_scored(scorer: TransformersScorer) -> None:
    scripted = ScriptedScorer({"a": -1.0, "b": -2.0, "c": -0.1})
    found = best_of(scripted, "", ["a", "b", "c"], [0.0, 0.0, -math.inf])
    assert (found.index, found.exact) == (0, (True, True, False))
    assert scripted.calls == [("", ("a", "b"))]
    assert best_of(scripted, "", ["a", "b"], [-math.inf, -math.inf]).index is None
    assert len(scripted.calls) == 1
    before = scorer.tokens_forwarded
    assert best_of(scorer, SHORT, PHRASES, [-math.inf] * len(PHRASES), ".").index is None
    assert scorer.tokens_forwarded == before


def test_ties_go_to_the_first(scorer: TransformersScorer) -> None:
    assert best_of(scorer, SHORT, ["done", "done"], [0.0, 0.0], ".").index == 0
    assert best_of(ScriptedScorer({}), "", ["x", "y"], [0.0, 0.0]).index == 0
