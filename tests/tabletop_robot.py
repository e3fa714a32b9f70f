"""The tabletop simulator with true boxes and masks for eyes, in one process: what planners from outside are run against."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.episodes import to_view
from benchmarks.oracle import OracleEyes
from seesay import topics
from seesay.bus import AnyBus
from seesay.clock import ManualClock
from seesay.executor import SafeExecutor, Workspace
from seesay.memory_bus import MemoryBus
from seesay.messages import Objects, SkillGoal, SkillResult
from seesay.nodes.node import Node
from seesay.nodes.planner_services import PlannerServices
from seesay.perception.pipeline import Perceiver
from seesay.planner.language import LanguageScorer
from seesay.planner.saycan import SayCan
from seesay.planner.skills import load_library
from seesay.sim.cameras import Cameras
from seesay.sim.drive import SimArm, WorldClock, run_goal
from seesay.sim.executor import ArmExecutor
from seesay.sim.goals import Judge, Verdict
from seesay.sim.tasks import demo_task
from seesay.sim.world import World


class TabletopRobot:
    """A table made for an instruction, an arm with its safety, and a judge. Use it in the thread that made it."""

    def __init__(self, instruction: str, cameras: Cameras, eyes: OracleEyes, world: World) -> None:
        self.world = world
        self.library = load_library()
        self.clock = WorldClock(world)
        self.executor = SafeExecutor(ArmExecutor(SimArm(world), self.clock), Workspace(), 60.0, 30.0, self.clock)
        goal = demo_task(instruction, 3).goal
        assert goal is not None
        self._judge = Judge(world, goal)
        self._cameras = cameras
        self._perceiver = Perceiver(eyes, eyes, self.library.prompts())

    def look(self) -> Objects:
        return self._perceiver.look([to_view(self._cameras.look(name)) for name in self._cameras.names])

    def act(self, goal: SkillGoal) -> SkillResult:
        return run_goal(self.world, goal, self.executor)

    def verdict(self) -> Verdict:
        self.world.step(0.5)
        return self._judge.verdict()

    def serve(self, scorer: LanguageScorer, client: Callable[[AnyBus], None]) -> None:
        """Run `client` in a thread on the bus of a system: this robot as perception and executor, a planner that answers its services."""
        with MemoryBus("planner") as planner, planner.join("robot") as robot, planner.join("client") as outside:
            clock = ManualClock(self.clock.now_ns())
            saycan = SayCan(self.library, scorer)
            PlannerServices(
                Node("planner", planner, clock), saycan, planner.subscriber(topics.OBJECTS), planner.subscriber(topics.ARM_STATE)
            )
            goals = robot.subscriber(topics.SKILL_GOAL)
            robot.publisher(topics.OBJECTS).send(self.look())
            thread = threading.Thread(target=client, args=(outside,), name="client")
            thread.start()
            while thread.is_alive():
                goal = goals.take(0.1)
                if goal is None:
                    continue
                result = self.act(goal.message)
                robot.publisher(topics.OBJECTS).send(self.look())
                clock.set(self.clock.now_ns())
                robot.publisher(topics.SKILL_RESULT).send(result)
            thread.join()


@contextmanager
def tabletop(instruction: str) -> Iterator[TabletopRobot]:
    world = World(demo_task(instruction, 3).scene)
    with Cameras(world) as cameras, OracleEyes(world) as eyes:
        yield TabletopRobot(instruction, cameras, eyes, world)
