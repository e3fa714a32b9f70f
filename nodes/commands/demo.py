"""`seesay demo`: launch the tabletop, give the instruction, show each decision, and write what happened."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from seesay import topics
from seesay.bus import Bus
from seesay.config import load_launch
from seesay.messages import PlanStep, SkillResult
from seesay.nodes import launch_files, sessions
from seesay.nodes.commands.demo_files import Run, output_folder, summary, write
from seesay.nodes.commands.film import Draw, Film
from seesay.nodes.commands.tables import step_table
from seesay.nodes.commands.telling import instruction_of
from seesay.nodes.commands.witness import Witness
from seesay.nodes.plain import dumps
from seesay.nodes.supervisor import Supervisor
from seesay.planner.instructions import check_instruction
from seesay.planner.skills import load_library

CAMERAS = ("front", "side")
READY_S = 300.0   # the first start converts the language model
VERDICT_S = 20.0


@dataclass(frozen=True)
class Demo:
    """The options of `seesay demo`."""

    task: str = "put the red block in the green bowl"
    seed: int = 0
    out: Path | None = None
    speed: float = 1.0
    lm: str = "gemma3-270m"
    detector: str = "embedded"
    segmenter: str = "embedded"
    timeout_s: float = 300.0
    video: bool = True
    as_json: bool = False

    def overrides(self) -> dict[str, object]:
        """Parameters of the launch file that the options change."""
        return {
            "simulator.task": self.task,
            "simulator.seed": self.seed,
            "simulator.speed": self.speed,
            "planner.lm": self.lm,
            "detector.model": self.detector,
            "segmenter.model": self.segmenter,
        }

    def facts(self) -> dict[str, str]:
        """What the report says about the run."""
        return {"seed": str(self.seed), "language model": self.lm, "detector": self.detector, "segmenter": self.segmenter}


def run_demo(options: Demo) -> int:
    """Run the whole demo. Return 0 if the simulator says that the task is done, else 1.

    Raises UserError for a task that names nothing that the skills know.
    """
    logging.getLogger("seesay").addHandler(logging.NullHandler())   # nodes that load are silent for seconds: not news on the terminal
    console = Console(stderr=options.as_json)
    instruction = instruction_of(options.task)
    check_instruction(instruction.text, load_library("tabletop"))
    launch = load_launch(launch_files.find("tabletop"), options.overrides())
    started = time.monotonic()
    with sessions.temporary("demo") as session:
        with Supervisor(launch, session) as supervisor, Bus(session, "demo") as bus:
            with console.status("starting the nodes (the first start converts the language model: a minute)"):
                supervisor.wait_ready(READY_S)
            ready = time.monotonic()
            film = Film(CAMERAS, _draw(), instruction.text) if options.video else None
            witness = Witness(bus, CAMERAS, film, lambda step: _show_step(console, step), lambda result: _show_result(console, result))
            console.print(f"[bold]{instruction.text}[/]  (seed {options.seed}, {len(launch.nodes)} nodes ready in {ready - started:.1f} s)")
            bus.publisher(topics.INSTRUCTION).send(instruction)
            _follow(witness, supervisor, lambda: witness.task_result is not None, options.timeout_s)
            _follow(witness, supervisor, lambda: witness.verdict is not None, VERDICT_S)
            times = {"ready after": f"{ready - started:.1f} s", "task took": f"{time.monotonic() - ready:.1f} s"}
        run = Run(instruction.text, witness, film, options.facts() | times)
        folder = output_folder(options.out)
        with console.status("writing the video and the report"):
            files = write(run, folder, session / "logs")
    word = "[bold green]success[/]" if run.success else "[bold red]failure[/]"
    console.print(f"{word}: {run.verdict_message} (the planner: {run.planner_message})", highlight=False)
    console.print(f"wrote {folder}: {', '.join(path.name for path in files.values())}", highlight=False)
    if options.as_json:
        sys.stdout.write(dumps(summary(run) | {"files": {kind: str(path) for kind, path in files.items()}}) + "\n")
    return 0 if run.success else 1


def _follow(witness: Witness, supervisor: Supervisor, done: Callable[[], bool], timeout_s: float) -> None:
    """Take in what happens until `done` or the time is up. Raises SeeSayError if a node is gone for good."""
    until = time.monotonic() + timeout_s
    while not done() and time.monotonic() < until:
        witness.pump(0.2)
        supervisor.check()


def _draw() -> Draw:
    from seesay.perception.annotate import draw

    return draw


def _show_step(console: Console, step: PlanStep) -> None:
    console.print(step_table(step))


def _show_result(console: Console, result: SkillResult) -> None:
    colour = "green" if result.outcome == "succeeded" else "red"
    console.print(f"[{colour}]{result.outcome}[/]: {result.message}", highlight=False)
