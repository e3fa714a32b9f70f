"""Watches a running system from outside, for the demo's tables, video and report. Nobody in the loop knows that it exists."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from seesay import topics
from seesay.messages import (
    ClockTick,
    Detections,
    Header,
    Image,
    Masks,
    NodeStatus,
    Objects,
    PlanStep,
    SkillFeedback,
    SkillGoal,
    SkillResult,
    TaskResult,
    TaskVerdict,
)
from seesay.nodes.commands.ages import Age
from seesay.nodes.commands.film import Film
from seesay.pubsub import AnyBus, Subscriber
from seesay.topics import Topic

M = TypeVar("M")


class Witness:
    """Keeps what a report needs of one task: decisions, results, verdict, ages and, if there is one, the film.

    An age is that of the picture when the message was sent, on the picture's clock. `on_step` and `on_result` are called as decisions
    and skill results come. Not for several threads.
    """

    def __init__(
        self,
        bus: AnyBus,
        cameras: Sequence[str],
        film: Film | None,
        on_step: Callable[[PlanStep], None],
        on_result: Callable[[SkillResult], None],
    ) -> None:
        self.steps: list[PlanStep] = []
        self.results: dict[int, SkillResult] = {}
        self.ages: list[Age] = []
        self.statuses: dict[str, NodeStatus] = {}
        self.objects: Objects | None = None
        self.task_result: TaskResult | None = None
        self.verdict: TaskVerdict | None = None
        self._sent_ns = 0
        self._ticks: deque[tuple[int, int]] = deque(maxlen=2000)
        self._bus, self._film, self._on_step, self._on_result = bus, film, on_step, on_result
        self._goals: dict[str, int] = {}
        self._handlers: dict[Subscriber[Any], Callable[[Any], None]] = {}
        self._watch(topics.CLOCK, self._clock)
        self._watch(topics.NODE_STATUS, self._status)
        for camera in cameras:
            self._watch(topics.IMAGE.of(camera=camera), partial(self._picture, camera))
        self._watch(topics.DETECTIONS, self._detections)
        self._watch(topics.MASKS, self._masks)
        self._watch(topics.OBJECTS, self._seen)
        self._watch(topics.PLAN_STEP, self._step)
        self._watch(topics.SKILL_GOAL, self._goal)
        self._watch(topics.SKILL_FEEDBACK, self._feedback)
        self._watch(topics.SKILL_RESULT, self._result)
        self._watch(topics.TASK_RESULT, self._task)
        self._watch(topics.TASK_VERDICT, self._verdict)

    def pump(self, timeout: float) -> bool:
        """Take in what has come, waiting up to `timeout` seconds for it; tell whether anything came."""
        ready = self._bus.wait(self._handlers, timeout)
        for subscriber in ready:
            for received in subscriber.take_all():
                self._sent_ns = received.sent_ns
                self._handlers[subscriber](received.message)
        return bool(ready)

    def _watch(self, topic: Topic[M], handler: Callable[[M], None]) -> None:
        depth = None if topic.keep == "all" else 64
        self._handlers[self._bus.subscriber(topic, "all" if depth else None, depth)] = handler

    def _age(self, topic: str, header: Header) -> None:
        if header.source is not None and (now := self._now(header)) is not None:
            source = header.source
            self.ages.append(Age(topic, source.camera, source.sequence, source.stamp_ns, max(0, now - source.stamp_ns) / 1e6))

    def _now(self, header: Header) -> int | None:
        """The time on the header's clock when the message at hand was sent; None if that is not known."""
        if header.clock == "monotonic":
            return self._sent_ns
        place = bisect_right(self._ticks, (self._sent_ns, 1 << 62))
        return self._ticks[place - 1][1] if place else None

    def _clock(self, tick: ClockTick) -> None:
        self._ticks.append((self._sent_ns, tick.header.stamp_ns))

    def _status(self, status: NodeStatus) -> None:
        self.statuses[status.node] = status

    def _picture(self, camera: str, picture: Image) -> None:
        self._age("image", picture.header)
        if self._film is not None:
            self._film.add_picture(camera, picture)

    def _detections(self, detections: Detections) -> None:
        self._age("detections", detections.header)
        if self._film is not None:
            self._film.add_detections(detections)

    def _masks(self, masks: Masks) -> None:
        self._age("masks", masks.header)
        if self._film is not None:
            self._film.add_masks(masks)

    def _seen(self, objects: Objects) -> None:
        self._age("objects", objects.header)
        self.objects = objects
        if self._film is not None:
            self._film.objects = objects

    def _step(self, step: PlanStep) -> None:
        self._age("plan_step", step.header)
        self.steps.append(step)
        choice = "nothing is feasible" if step.choice is None else step.candidates[step.choice].phrase
        self._caption(f"step {step.step}: {choice}")
        self._on_step(step)

    def _goal(self, goal: SkillGoal) -> None:
        self._age("skill_goal", goal.header)
        self._goals[goal.id] = self.steps[-1].step if self.steps else 0

    def _feedback(self, feedback: SkillFeedback) -> None:
        if self._film is not None:
            self._caption(f"{self._film.caption[1].split(' | ')[0]} | {feedback.phase}")

    def _result(self, result: SkillResult) -> None:
        self.results[self._goals.get(result.goal_id, self.steps[-1].step if self.steps else 0)] = result
        self._caption(f"{result.outcome}: {result.message}")
        self._on_result(result)

    def _task(self, result: TaskResult) -> None:
        self.task_result = result
        self._caption(f"planner: {result.outcome}, {result.message}")

    def _verdict(self, verdict: TaskVerdict) -> None:
        self.verdict = verdict

    def _caption(self, line: str) -> None:
        if self._film is not None:
            self._film.caption = (self._film.caption[0], line)
