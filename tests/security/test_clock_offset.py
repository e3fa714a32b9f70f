"""The offset between two clocks: estimated within its stated error, held while it is right, found again after a jump."""

from __future__ import annotations

import dataclasses
import random

import pytest

from seesay import messages
from seesay._clock_offset import STAMPS, OffsetEstimate, shift_stamps
from seesay.codec import MESSAGES
from seesay.messages import ClockTick, Header, Question, Source

MS = 1_000_000


def exchange(estimate: OffsetEstimate, now: int, offset: int, there: int, back: int) -> None:
    estimate.add(now, now + there + offset, now + there + offset + 1000, now + there + back + 1000)


def test_the_shortest_round_trip_counts_and_the_error_is_within_what_is_stated() -> None:
    chance, offset, estimate = random.Random(1), -123456789012, OffsetEstimate()
    for number in range(100):
        there, back = (MS + int(chance.expovariate(1 / (5 * MS))) for _ in range(2))
        exchange(estimate, number * 500 * MS, offset, there, back)
        assert abs(estimate.offset_ns - offset) <= estimate.error_ns
    assert abs(estimate.offset_ns - offset) < 3 * MS


def test_the_offset_is_held_while_it_is_right_and_follows_a_drift() -> None:
    estimate, seen = OffsetEstimate(), set()
    for number in range(1200):
        exchange(estimate, number * 500 * MS, 10**9 + number * 10_000, MS // 10, MS // 10)
        seen.add(estimate.offset_ns)
        assert abs(estimate.offset_ns - (10**9 + number * 10_000)) <= 1.2 * MS + 32 * 10_000
    assert 8 <= len(seen) <= 13


def test_a_clock_that_jumps_is_followed_at_once() -> None:
    estimate = OffsetEstimate()
    for number in range(40):
        exchange(estimate, number * 500 * MS, 0, MS, MS)
    exchange(estimate, 20_000 * MS, 10_000 * MS, 3 * MS, 3 * MS)
    assert abs(estimate.offset_ns - 10_000 * MS) <= 3 * MS


@pytest.mark.parametrize("stamps", [(10, 0, 0, 5), (0, 10, 5, 20), (0, 0, 100, 5)])
def test_an_impossible_exchange_is_left_out(stamps: tuple[int, int, int, int]) -> None:
    estimate = OffsetEstimate()
    estimate.add(*stamps)
    assert (estimate.samples, estimate.offset_ns, estimate.error_ns, estimate.round_trip_ns) == (0, 0, 0, 0)


def test_a_message_moves_with_all_its_stamps_and_tells_by_how_much() -> None:
    tick = ClockTick(Header(5, source=Source("front", 1, 4)))
    moved = shift_stamps(tick, 100)
    assert moved.header == Header(105, source=Source("front", 1, 104), clock_offset_ns=100)
    assert shift_stamps(moved, -100) == tick
    assert shift_stamps(tick, 0) is tick


@pytest.mark.parametrize(("until_ns", "moved_ns"), [(0, 0), (7, 107)])
def test_a_question_without_an_end_stays_without_one(until_ns: int, moved_ns: int) -> None:
    question = Question(Header(5), "id", "instruction", "tidy up", ("a", "b"), (0.5, 0.4), until_ns)
    assert shift_stamps(question, 100).until_ns == moved_ns


def test_every_field_in_nanoseconds_is_known_as_a_stamp_or_as_a_length_of_time() -> None:
    lengths = {"clock_offset_ns", "offset_ns", "offset_error_ns", "round_trip_ns"}
    kinds = [kind for kind in vars(messages).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
    found = {field.name for kind in kinds for field in dataclasses.fields(kind) if field.name.endswith("_ns")}
    assert len(MESSAGES) <= len(kinds)
    assert found - lengths == set(STAMPS)
