"""Why A and not B, and the chart of a decision."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from seesay.errors import UserError
from seesay.messages import Candidate, Header, PlanStep
from seesay.planner.chart import chart, picture, shares
from seesay.planner.explain import compare, find_candidate, ranking, shown


def candidate(phrase: str, log_p: float | None, affordance: float, share: float = 0.0, *reasons: str) -> Candidate:
    possible = affordance > 0.0 and log_p is not None
    score = (log_p or 0.0) + math.log(affordance) if possible else -math.inf
    return Candidate(phrase, "pick", {}, log_p, affordance, score, share, reasons)


def step(*candidates: Candidate, choice: int | None = 0) -> PlanStep:
    return PlanStep(Header(1), "i1", "pick <it> & go", 2, candidates, choice)


RED = candidate("pick the red <block>", -1.0, 0.4, 0.7, "seen 0.40")
BLUE = candidate("pick the blue block", -0.5, 0.1, 0.3, "last seen 9 s ago")
GREEN = candidate("pick the green block", None, 0.0, 0.0, "not seen")
CAN = candidate("pick the can", None, 0.0)


def test_ranking_puts_the_choice_first_and_the_impossible_last() -> None:
    assert [index for index, _ in ranking(step(GREEN, BLUE, RED, choice=2))] == [2, 1, 0]


def test_the_favourite_of_the_language_model_is_shown() -> None:
    favourite = candidate("pick the unseen block", -0.1, 0.0)
    decision = step(RED, BLUE, CAN, favourite, GREEN)
    assert [index for index, _ in shown(decision, 2)] == [0, 3]
    assert [index for index, _ in shown(decision, 5)] == [0, 1, 3, 2, 4]
    assert [index for index, _ in shown(step(RED, BLUE, GREEN), 1)] == [0]
    assert [index for index, _ in shown(step(GREEN, CAN, choice=None), 1)] == [0]
    assert "unseen" in chart(decision, 2)


def test_affordance_decides_against_the_more_probable_phrase() -> None:
    why = compare(step(RED, BLUE, GREEN))
    assert (why.one, why.other, why.decided_by) == (RED, BLUE, "affordance")
    assert why.language_gap == pytest.approx(-0.5)
    assert why.affordance_gap == pytest.approx(math.log(4))
    assert why.gap == pytest.approx(math.log(4) - 0.5)
    assert why.sentences == (
        "Language: log p is -1.00 for A, -0.50 for B: B is 1.65 times as probable",
        "Affordance: p(success) is 0.400 (seen 0.40) for A, 0.100 (last seen 9 s ago) for B: A is 4 times as likely to succeed",
        "Together: A is 2.43 times as good; affordance decided",
    )


def test_the_better_may_be_the_second() -> None:
    why = compare(step(RED, BLUE, GREEN), "blue", "red")
    assert (why.one, why.other, why.decided_by) == (BLUE, RED, "affordance")
    assert why.sentences[2] == "Together: B is 2.43 times as good; affordance decided"


def test_impossible_candidates() -> None:
    why = compare(step(RED, BLUE, GREEN), other="green")
    assert (why.language_gap, why.affordance_gap, why.gap, why.decided_by) == (None, math.inf, math.inf, "affordance")
    assert why.sentences[0] == "Language: log p is -1.00 for A, not scored for B"
    assert why.sentences[1].endswith("only A is possible")
    assert compare(step(RED, GREEN, CAN), "green", "can").sentences[2] == "Together: neither is possible"
    assert compare(step(GREEN, CAN, choice=None)).gap is None


def test_equal_candidates() -> None:
    twin = candidate("pick the other block", -1.0, 0.4)
    why = compare(step(RED, twin))
    assert (why.gap, why.decided_by) == (0.0, "neither")
    assert "stands first" in why.sentences[2]


def test_candidates_are_found_by_words_of_their_own() -> None:
    assert find_candidate(step(RED, BLUE), "BLUE") is BLUE
    whole = candidate("pick the red <block> now", -1.0, 0.4)
    assert find_candidate(step(RED, whole), RED.phrase) is RED
    for words in ("block", "purple", "", "  "):
        with pytest.raises(UserError, match="words of one candidate"):
            find_candidate(step(RED, BLUE), words)
    with pytest.raises(UserError, match="twice"):
        compare(step(RED, BLUE), "red", "red")
    with pytest.raises(UserError, match="at least two"):
        compare(step(RED))


def test_shares_are_bounded() -> None:
    assert shares(step(RED, BLUE, GREEN)) == [
        {"language": pytest.approx(math.exp(-0.5)), "affordance": 0.4, "combined": 0.7},
        {"language": 1.0, "affordance": 0.1, "combined": 0.3},
        {"language": 0.0, "affordance": 0.0, "combined": 0.0},
    ]
    assert shares(step(candidate("a", -2000.0, 1.0), candidate("b", -math.inf, 1.0)))[1]["language"] == 0.0
    assert shares(step(candidate("b", -math.inf, 1.0)))[0]["language"] == 0.0


def test_the_picture_holds_the_chart_and_its_key() -> None:
    decision = step(RED, BLUE, GREEN)
    root = ElementTree.fromstring(picture(decision))
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Step 2: pick <it> & go", "language", "affordance", "combined", RED.phrase, BLUE.phrase, GREEN.phrase} <= set(words)
    assert len(ElementTree.fromstring(chart(decision, 2)).findall("g")) == 2
