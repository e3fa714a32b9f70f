"""Safety cuts in whatever the executor inside does."""

from __future__ import annotations

import numpy as np
import pytest

from seesay.clock import ManualClock
from seesay.errors import ConfigError, StaleError
from seesay.executor import Report, SafeExecutor, Workspace, require_fresh
from seesay.messages import Header, Outcome, SkillFeedback, SkillGoal, SkillResult, Target

SECOND = 10**9


class Scripted:
    """An executor that says what the test tells it to and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.reports: list[Report] = []

    def start(self, goal: SkillGoal) -> None:
        self.told.append(f"start {goal.id}")

    def poll(self) -> Report | None:
        return self.reports.pop(0) if self.reports else None

    def cancel(self, reason: str) -> None:
        self.told.append(f"cancel {reason}")

    def stop(self, reason: str) -> None:
        self.told.append(f"stop {reason}")


def goal(id_: str = "g1", x: float = 0.0, stamp_ns: int = 100 * SECOND, object_id: int = 3) -> SkillGoal:
    target = Target("red block", object_id, np.array([x, 0, 0.02]), np.full(3, 0.04), stamp_ns)
    return SkillGoal(Header(stamp_ns, frame_id="world"), id_, "pick", "pick up the red block", {"object": target})


def result(id_: str, outcome: Outcome = "succeeded") -> SkillResult:
    return SkillResult(Header(0), id_, outcome, "as scripted")


def safe() -> tuple[SafeExecutor, Scripted, ManualClock]:
    inner, clock = Scripted(), ManualClock(101 * SECOND)
    return SafeExecutor(inner, Workspace(), goal_timeout_s=20, max_evidence_age_s=5, clock=clock), inner, clock


def outcome(report: Report | None) -> str:
    assert isinstance(report, SkillResult)
    return report.outcome


def test_a_good_goal_runs_and_its_reports_pass() -> None:
    executor, inner, _ = safe()
    executor.start(goal())
    feedback = SkillFeedback(Header(0), "g1", "closing", 0.5)
    inner.reports = [feedback, result("g1")]
    busy = [executor.running]
    assert executor.poll() is feedback
    assert outcome(executor.poll()) == "succeeded"
    assert [*busy, executor.running] == [goal().id, ""]
    assert executor.poll() is None
    assert inner.told == ["start g1"]


@pytest.mark.parametrize(
    ("wrong", "expected", "words"),
    [
        (goal(x=0.3), "unreachable", "x 0.300 m is above 0.210 m"),
        (goal(x=-0.3), "unreachable", "x -0.300 m is below -0.210 m"),
        (goal(stamp_ns=95 * SECOND), "stale", "last seen 6.0 s ago, the limit is 5 s"),
        (goal(stamp_ns=103 * SECOND), "stale", "stamped 2.0 s ahead of the clock, which went back; look again"),
    ],
)
def test_what_is_out_of_reach_or_old_is_refused(wrong: SkillGoal, expected: str, words: str) -> None:
    executor, inner, _ = safe()
    executor.start(wrong)
    report = executor.poll()
    assert outcome(report) == expected
    assert isinstance(report, SkillResult)
    assert words in report.message
    assert inner.told == []


def test_named_places_do_not_grow_old() -> None:
    executor, inner, _ = safe()
    executor.start(goal(stamp_ns=0, object_id=0))
    assert inner.told == ["start g1"]


def test_one_goal_at_a_time() -> None:
    executor, inner, _ = safe()
    executor.start(goal("g1"))
    executor.start(goal("g2"))
    refused = executor.poll()
    assert isinstance(refused, SkillResult)
    assert (refused.goal_id, refused.outcome) == ("g2", "failed")
    inner.reports = [result("g1")]
    assert outcome(executor.poll()) == "succeeded"


def test_a_goal_that_takes_too_long_is_stopped() -> None:
    executor, inner, clock = safe()
    executor.start(goal())
    clock.advance(19)
    assert executor.poll() is None
    clock.advance(2)
    assert executor.poll() is None
    assert inner.told[-1].startswith("stop pick up the red block: not done after 20 s")
    inner.reports = [result("g1", "stopped")]
    assert outcome(executor.poll()) == "timeout"


def test_an_executor_that_hangs_gets_its_result_given() -> None:
    executor, inner, clock = safe()
    executor.start(goal())
    executor.cancel("another task")
    assert executor.poll() is None
    clock.advance(1.5)
    assert outcome(executor.poll()) == "cancelled"
    assert inner.told == ["start g1", "cancel another task", "stop another task"]
    inner.reports = [result("g1")]
    assert executor.poll() is None


def test_the_emergency_stop_holds_until_released() -> None:
    executor, inner, _ = safe()
    executor.start(goal("g1"))
    executor.stop("hand on the table")
    inner.reports = [result("g1", "failed")]
    assert outcome(executor.poll()) == "stopped"
    executor.start(goal("g2"))
    refused = executor.poll()
    assert isinstance(refused, SkillResult)
    assert refused.outcome == "stopped"
    assert "hand on the table" in refused.message
    executor.release()
    executor.start(goal("g3"))
    assert inner.told == ["start g1", "stop hand on the table", "start g3"]


def test_not_a_number_is_outside() -> None:
    assert Workspace().check(np.array([0.0, np.nan, 0.1])) == "y nan m is below -0.160 m"
    assert Workspace().check(np.array([0.2, -0.1, 0.1])) == ""
    with pytest.raises(ConfigError, match="minimum below the maximum"):
        Workspace((0, 0, 0), (1, 0, 1))


def test_old_evidence_is_an_error() -> None:
    require_fresh(0, SECOND, 2, "objects")
    with pytest.raises(StaleError, match=r"objects: expected evidence at most 2 s old, got 3.0 s"):
        require_fresh(0, 3 * SECOND, 2, "objects")


def test_times_run_on_from_where_a_simulated_clock_jumps_back_to() -> None:
    executor, inner, clock = safe()
    executor.start(goal())
    clock.set(5 * SECOND)
    assert executor.poll() is None
    clock.advance(19)
    assert executor.poll() is None
    clock.advance(2)
    assert executor.poll() is None
    assert inner.told[-1].startswith("stop pick up the red block: not done after 20 s")
    clock.set(1 * SECOND)
    assert executor.poll() is None
    clock.advance(1.5)
    assert outcome(executor.poll()) == "timeout"
