"""What `seesay find` does: the networks over a source, files and a table."""

from __future__ import annotations

import datetime
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from seesay.nodes.plain import dumps
from seesay.perception.engines import open_detector, open_segmenter
from seesay.perception.find import FindReport, find
from seesay.perception.prompts import clean
from seesay.perception.sources import open_source


@dataclass(frozen=True)
class Find:
    """The options of `seesay find`."""

    prompts: tuple[str, ...]
    source: str
    detector: str = "embedded"
    segmenter: str = "embedded"
    threshold: float | None = None
    out: Path | None = None
    frames: int = 0
    as_json: bool = False


def run_find(options: Find) -> int:
    """Look, write, show. Return the exit status: 0 if anything was found, else 1. Raises UserError."""
    prompts = clean(options.prompts)
    console = Console(stderr=options.as_json)
    out = options.out or Path("runs") / datetime.datetime.now().strftime("find_%Y-%m-%d_%H-%M-%S")
    with open_source(options.source) as source:   # before the networks, which take seconds to load
        with console.status("loading the networks"):
            detector = open_detector(options.detector, options.threshold)
            segmenter = None if options.segmenter == "none" else open_segmenter(options.segmenter)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("pictures", total=None)
            report = find(
                source, prompts, detector, segmenter, out, options.frames,
                lambda done, total: progress.update(bar, completed=done, total=options.frames or total),
            )
    if options.as_json:
        sys.stdout.write(dumps(report.as_json()) + "\n")
    else:
        _show(console, report)
    return 0 if any(report.boxes.values()) else 1


def _show(console: Console, report: FindReport) -> None:
    table = Table("prompt", "boxes", "best score", title=f"{report.source}: {report.pictures} pictures", title_justify="left")
    for prompt, boxes in report.boxes.items():
        table.add_row(prompt, str(boxes), f"{report.best[prompt]:.2f}" if boxes else "", style="" if boxes else "dim")
    console.print(table)
    if report.skipped:
        names = ", ".join(report.skipped[:5]) + (", ..." if len(report.skipped) > 5 else "")
        console.print(f"skipped {len(report.skipped)} that cannot be read: {names}", style="yellow", highlight=False, markup=False)
    if report.end:
        console.print(f"ended: {report.end}", style="yellow", highlight=False, markup=False)
    shown = report.files if len(report.files) <= 4 else [*report.files[:3], f"... {len(report.files) - 3} more"]
    console.print("wrote " + ", ".join(shown), highlight=False, markup=False)
