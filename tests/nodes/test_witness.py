"""What the demo records of a running system."""

import numpy as np

from seesay import topics
from seesay.memory_bus import MemoryBus
from seesay.messages import ClockTick, Detections, Header, SkillFeedback, SkillGoal, SkillResult, Source, TaskResult
from seesay.nodes.commands.witness import Witness
from tests.nodes.test_report import step


def sim(stamp_ms: int, source: Source | None = None) -> Header:
    return Header(stamp_ms * 1_000_000, clock="sim", source=source)


def test_the_ages_are_those_at_sending_and_the_results_belong_to_their_steps() -> None:
    said: list[str] = []
    with MemoryBus("system") as bus, bus.join("demo") as demo:
        witness = Witness(demo, ["front"], None, lambda step: said.append(f"step {step.step}"), lambda result: said.append(result.outcome))
        source = Source("front", 4, 1_000_000_000)
        bus.publisher(topics.CLOCK).send(ClockTick(sim(1100)))
        empty = np.zeros(0, np.float32)
        found = Detections(sim(1000, source), 1, (), "m", 4, 4, np.zeros((0, 4), np.float32), empty, np.zeros(0, np.int32))
        bus.publisher(topics.DETECTIONS).send(found)
        bus.publisher(topics.CLOCK).send(ClockTick(sim(5000)))   # comes before the witness has looked
        bus.publisher(topics.PLAN_STEP).send(step())
        bus.publisher(topics.SKILL_GOAL).send(SkillGoal(sim(5000), "g", "pick", "pick", {}))
        bus.publisher(topics.SKILL_FEEDBACK).send(SkillFeedback(sim(5000), "g", "lift", 0.5))
        bus.publisher(topics.SKILL_RESULT).send(SkillResult(sim(5000), "g", "succeeded", "picked it up"))
        bus.publisher(topics.TASK_RESULT).send(TaskResult(sim(5000), "i1", "done", "done after one step", 1))
        while witness.task_result is None:
            assert witness.pump(10)
    (age,) = witness.ages
    assert (age.topic, age.camera, age.sequence, age.age_ms) == ("detections", "front", 4, 100.0)
    assert [s.step for s in witness.steps] == [1]
    assert witness.results[1].message == "picked it up"
    assert said == ["step 1", "succeeded"]
