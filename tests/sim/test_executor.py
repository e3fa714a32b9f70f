"""ArmExecutor: goals in, commands and reports out."""

from __future__ import annotations

from seesay.clock import ManualClock
from seesay.messages import SkillFeedback, SkillResult
from seesay.sim.executor import STATE_TIMEOUT_S, ArmExecutor
from tests.sim.fake_arm import FakeArm, goal, target

BLOCK, BOWL = target("red block", 0.1, -0.05), target("green bowl", -0.1, 0.05, number=2)


def drive(executor: ArmExecutor, polls: int = 5000) -> list[SkillFeedback | SkillResult]:
    reports: list[SkillFeedback | SkillResult] = []
    for _ in range(polls):
        report = executor.poll()
        if report is not None:
            reports.append(report)
        if isinstance(report, SkillResult):
            break
    return reports


def test_feedback_rises_and_one_result_ends_it() -> None:
    executor = ArmExecutor(FakeArm(width=0.046), ManualClock())
    executor.start(goal(object=BLOCK, place=BOWL))
    *feedback, result = drive(executor)
    assert isinstance(result, SkillResult)
    assert result.outcome == "succeeded"
    progress = [report.progress for report in feedback if isinstance(report, SkillFeedback)]
    assert progress == sorted(progress)
    assert len(progress) == len(feedback) >= 7
    assert executor.poll() is None


def test_cancel_holds_where_the_arm_is_and_keeps_the_grip() -> None:
    arm = FakeArm(width=0.046)
    executor = ArmExecutor(arm, ManualClock())
    executor.start(goal(object=BLOCK, place=BOWL))
    while arm.state().grip_force == 0:
        executor.poll()
    where = arm.position.copy()
    executor.cancel("changed my mind")
    result = drive(executor)[-1]
    assert isinstance(result, SkillResult)
    assert (result.outcome, result.message) == ("cancelled", "changed my mind")
    assert arm.commands[-1].opening == 0.0
    assert (arm.position == where).all()


def test_stop_holds_even_without_a_goal() -> None:
    arm = FakeArm()
    executor = ArmExecutor(arm, ManualClock())
    executor.stop("hand in the way")
    assert len(arm.commands) == 1
    assert executor.poll() is None


def test_a_new_goal_cancels_the_old() -> None:
    executor = ArmExecutor(FakeArm(width=0.046), ManualClock())
    executor.start(goal(object=BLOCK, place=BOWL))
    drive(executor, 20)
    executor.start(goal("go_home"))
    results = [report for report in drive(executor) if isinstance(report, SkillResult)]
    assert results[0].outcome == "cancelled"
    assert drive(executor)[-1].goal_id == "g1"


def test_silent_sensors_end_the_goal() -> None:
    arm, clock = FakeArm(), ManualClock()
    executor = ArmExecutor(arm, clock)
    executor.start(goal(object=BLOCK, place=BOWL))
    drive(executor, 20)
    arm.silent = True
    clock.advance(STATE_TIMEOUT_S / 2)
    assert not [report for report in drive(executor, 20) if isinstance(report, SkillResult)]
    clock.advance(STATE_TIMEOUT_S)
    result = drive(executor, 20)[-1]
    assert isinstance(result, SkillResult)
    assert (result.outcome, result.message) == ("failed", "the arm's sensors have been silent for 2 s")
