"""`seesay demo`: the whole system on one task."""

from __future__ import annotations

from pathlib import Path

import typer


def add(app: typer.Typer) -> None:
    app.command(name="demo")(demo)


def demo(
    task: str = typer.Argument("put the red block in the green bowl", help="What to do, in words."),
    seed: int = typer.Option(0, help="Which table: the same seed lays the same scene."),
    out: Path | None = typer.Option(None, help="Folder to write to. By default: runs/DATE."),
    speed: float = typer.Option(1.0, min=0.05, max=20.0, help="Simulated seconds a second."),
    lm: str = typer.Option("gemma3-270m", help="gemma3-270m, a Hugging Face id, a folder, a GGUF file or a server's URL#MODEL."),
    detector: str = typer.Option("embedded", help="Detector: embedded, a Hugging Face id or a local path."),
    segmenter: str = typer.Option("embedded", help="Segmenter: embedded, a Hugging Face id or a local path."),
    timeout: float = typer.Option(300.0, min=1.0, help="Give up after this many seconds."),
    video: bool = typer.Option(True, help="Write the annotated video."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object at the end instead of tables."),
) -> None:
    """Do TASK in the simulator with the whole system, and write a video and a report.

    Exit status: 0 the simulator says that it is done, 1 it is not, 2 bad input, 130 interrupted.

        seesay demo "put the blue block at the top left corner" --seed 3
    """
    from seesay.nodes.commands.demo import Demo, run_demo

    options = Demo(task, seed, out, speed, lm, detector, segmenter, timeout, video, as_json)
    raise typer.Exit(run_demo(options))
