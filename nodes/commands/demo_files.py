"""The folder that a demo leaves: video, report, plan, ages and logs."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from seesay.errors import ConfigError
from seesay.messages import TaskResult, TaskVerdict
from seesay.nodes.commands.ages import summarise, to_csv
from seesay.nodes.commands.film import Film
from seesay.nodes.commands.report import Report, render
from seesay.nodes.commands.witness import Witness
from seesay.nodes.plain import dumps, write_text

NO_VERDICT = "the simulator gave no verdict"
NO_RESULT = "the planner came to no end"


@dataclass(frozen=True)
class Run:
    """One finished demo. `facts` go into the report as they are."""

    instruction: str
    witness: Witness
    film: Film | None
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        """The simulator's own word; False without one."""
        return self.witness.verdict is not None and self.witness.verdict.success

    @property
    def verdict(self) -> TaskVerdict | None:
        return self.witness.verdict

    @property
    def result(self) -> TaskResult | None:
        return self.witness.task_result

    @property
    def verdict_message(self) -> str:
        return self.verdict.message if self.verdict else NO_VERDICT

    @property
    def planner_message(self) -> str:
        return f"{self.result.outcome}, {self.result.message}" if self.result else NO_RESULT


def output_folder(out: Path | None) -> Path:
    """Where to write, made and writable: `out`, or a new folder runs/DATE. Raises ConfigError if it cannot be written."""
    path = out or Path("runs") / datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / ".writable").touch()
        (path / ".writable").unlink()
    except OSError as error:
        raise ConfigError(f"--out: expected a folder that can be written, got {path} ({error.strerror}); name another") from error
    return path


def write(run: Run, folder: Path, logs: Path) -> dict[str, Path]:
    """Write all files, each whole or not at all, and return them by kind."""
    files = {"report": folder / "report.html", "plan": folder / "plan.json", "ages": folder / "ages.csv", "ages_json": folder / "ages.json"}
    ages = run.witness.ages
    if run.film is not None and run.film.write(folder / "video.mp4"):
        run.film.write(folder / "video.webm")   # the report plays it: browsers don't know the codec of the other
        files = {"video": folder / "video.mp4", **files}
    report = Report(
        run.instruction, run.success, run.planner_message, run.verdict_message, run.witness.steps, run.witness.results,
        summarise(ages), run.facts, "video.webm" if "video" in files else "",
    )
    write_text(files["report"], render(report))
    write_text(files["plan"], dumps(summary(run) | {"steps": run.witness.steps, "results": run.witness.results}, indent=1))
    write_text(files["ages"], to_csv(ages))
    write_text(files["ages_json"], dumps({"summary": summarise(ages), "frames": ages}))
    if logs.is_dir():
        shutil.copytree(logs, folder / "logs", dirs_exist_ok=True)
    return files


def summary(run: Run) -> dict[str, object]:
    """What a program wants to know of a run."""
    return {
        "instruction": run.instruction,
        "success": run.success,
        "verdict": run.verdict_message,
        "planner": run.planner_message,
        "choices": [s.candidates[s.choice].phrase if s.choice is not None else None for s in run.witness.steps],
        "facts": run.facts,
    }
