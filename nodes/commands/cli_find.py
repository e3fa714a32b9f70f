"""`seesay find`: name things, get them boxed and masked in pictures, videos and streams."""

from __future__ import annotations

from pathlib import Path

import typer


def add(app: typer.Typer) -> None:
    app.command(name="find")(find)


def find(
    prompts: list[str] = typer.Argument(help='What to look for, for example "a red block" "the green bowl".'),
    source: str = typer.Option(..., "--source", "-s", help="A picture, folder, video, camera number or device, or a stream's address."),
    detector: str = typer.Option("embedded", help="embedded, a Hugging Face id or a local path of an OWL-ViT or OWLv2."),
    segmenter: str = typer.Option("embedded", help="embedded, a Hugging Face id or a local path of a CLIPSeg; none leaves masks out."),
    threshold: float | None = typer.Option(None, min=0.0, max=1.0, help="Least score of a box; by default the model's own."),
    out: Path | None = typer.Option(None, help="Folder to write to. By default: runs/find-DATE."),
    frames: int = typer.Option(0, "--frames", min=0, help="Stop after so many pictures; 0 takes all (a camera: until Ctrl-C)."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object at the end instead of a table."),
) -> None:
    """Find what PROMPTS name, and write annotated pictures or a video and a JSON file.

    Exit status: 0 something was found, 1 nothing, 2 bad input, 130 interrupted.

        seesay find "a red block" "the green bowl" --source photo.jpg
    """
    from seesay.nodes.commands.find import Find, run_find

    raise typer.Exit(run_find(Find(tuple(prompts), source, detector, segmenter, threshold, out, frames, as_json)))
