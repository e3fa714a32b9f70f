"""Turns of cameras, with time given by the test."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seesay.errors import ConfigError
from seesay.perception.schedule import Schedule, Share, Turn, shares

FOUR = ("a", "b", "c", "d")


def equal(*cameras: str) -> dict[str, Share]:
    return dict.fromkeys(cameras, Share())


def test_one_camera_never_waits() -> None:
    schedule = Schedule(equal("a"), most=8)
    assert [schedule.turn(["a"], now) for now in (0.0, 0.1)] == [Turn(("a",))] * 2
    assert schedule.turn([], 0.2) == Turn()


def test_a_batch_waits_for_lively_cameras_and_no_longer_than_its_window() -> None:
    schedule = Schedule(equal("a", "b"), most=8, window_s=0.005)
    assert schedule.turn(["a", "b"], 0.0) == Turn(("a", "b"))
    assert schedule.turn(["a"], 0.1).wait_s == pytest.approx(0.005)
    assert schedule.turn(["a"], 0.104).wait_s == pytest.approx(0.001)
    assert schedule.turn(["a", "b"], 0.1045) == Turn(("a", "b"))
    assert schedule.turn(["b"], 0.2).wait_s == pytest.approx(0.005)
    assert schedule.turn(["b"], 0.2051) == Turn(("b",))


def test_a_dead_camera_is_not_waited_for() -> None:
    schedule = Schedule(equal("a", "b"), most=8, window_s=0.005)
    schedule.turn(["a", "b"], 0.0)
    assert schedule.turn(["a"], 0.5).wait_s is not None
    schedule.turn(["a"], 0.6)
    assert schedule.turn(["a"], 1.1) == Turn(("a",))


def test_a_full_batch_goes_at_once() -> None:
    schedule = Schedule(equal(*FOUR), most=2, window_s=1.0)
    assert len(schedule.turn(FOUR[:2], 0.0).cameras) == 2


def test_cameras_take_turns_where_not_all_fit() -> None:
    schedule = Schedule(equal(*FOUR), most=1)
    served = [schedule.turn(FOUR, float(now)).cameras[0] for now in range(8)]
    assert Counter(served[:4]) == Counter(served[4:]) == Counter(FOUR)


def test_a_returning_camera_has_saved_up_no_claim() -> None:
    schedule = Schedule(equal("a", "b"), most=1)
    for now in range(50):
        assert schedule.turn(["a"], float(now)).cameras == ("a",)
    served = [schedule.turn(["a", "b"], 50.0 + now).cameras[0] for now in range(10)]
    assert abs(served.count("a") - served.count("b")) <= 1


def test_a_rate_is_kept_on_average_and_others_are_not_held_up() -> None:
    schedule = Schedule({"slow": Share(max_rate_hz=10), "free": Share()}, most=1)
    served: Counter[str] = Counter()
    for tick in range(300):   # both send thirty a second
        served.update(schedule.turn(["slow", "free"], tick / 30).cameras)
        served.update(schedule.turn(["slow", "free"], tick / 30 + 0.001).cameras)
    assert 98 <= served["slow"] <= 102
    assert served["free"] > 450


def test_a_camera_over_its_rate_says_when_to_ask_again() -> None:
    schedule = Schedule({"slow": Share(max_rate_hz=10)})
    assert schedule.turn(["slow"], 5.0) == Turn(("slow",))
    assert schedule.turn(["slow"], 5.04).wait_s == pytest.approx(0.06)
    assert schedule.turn(["slow"], 5.1001) == Turn(("slow",))


@given(st.lists(st.floats(0.25, 4.0), min_size=2, max_size=5), st.integers(1, 3))
@example([0.25, 0.25, 0.25, 0.5, 3.5], 3)
def test_shares_are_those_of_the_priorities(priorities: list[float], most: int) -> None:
    table = {str(number): Share(priority=priority) for number, priority in enumerate(priorities)}
    schedule = Schedule(table, most)
    served: Counter[str] = Counter()
    rounds = 200
    for now in range(rounds):
        served.update(schedule.turn(list(table), float(now)).cameras)
    limit = rounds * min(most, len(table))
    assert sum(served.values()) == limit
    for name, share in table.items():
        wanted = limit * share.priority / sum(priorities)
        assert served[name] >= min(wanted, rounds) * 0.95 - 4


@given(st.lists(st.sets(st.sampled_from(FOUR)), min_size=1, max_size=60), st.integers(1, 4))
def test_no_waiting_camera_is_passed_over_for_long(arrivals: list[set[str]], most: int) -> None:
    schedule = Schedule(equal(*FOUR), most, window_s=0.0)
    waiting: dict[str, int] = {}
    for now, came in enumerate(arrivals):
        waiting |= {camera: waiting.get(camera, now) for camera in came}
        turn = schedule.turn(waiting, float(now))
        assert bool(turn.cameras) == bool(waiting)
        assert len(turn.cameras) <= most
        for camera in turn.cameras:
            assert now - waiting.pop(camera) <= 2 * len(FOUR)


def test_bad_shares_are_named() -> None:
    assert shares(["a"], {"a": 5.0}, {}) == {"a": Share(5.0, 1.0)}
    with pytest.raises(ConfigError, match=r"max_rate_hz: expected names of cameras \(a\), got 'b'"):
        shares(["a"], {"b": 5.0}, {})
    with pytest.raises(ConfigError, match=r"priority: expected a number of 0\.001 or more for a, got 0"):
        shares(["a"], {}, {"a": 0.0})
