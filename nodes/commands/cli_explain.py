"""`seesay explain`: why the planner chose what it chose."""

from __future__ import annotations

from pathlib import Path

import typer


def add(app: typer.Typer) -> None:
    app.command(name="explain")(explain)


def explain(
    run: Path = typer.Argument(help="Folder that a demo left, or its plan.json."),
    step: int = typer.Option(0, min=0, help="Which step; by default all."),
    why: str = typer.Option("", help="The candidate to explain, or words of it; by default the one that was chosen."),
    not_: str = typer.Option("", "--not", help="The candidate to compare it with, or words of it; by default the next best."),
    rows: int = typer.Option(6, min=1, help="How many candidates to show."),
    svg: Path | None = typer.Option(None, help="Write the step's bar chart to this file."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON array instead of tables."),
) -> None:
    """Show what the planner of a finished run weighed, and say why one candidate won over another.

    Exit status: 0 explained, 2 bad input.

        seesay explain runs/2026-01-31_12-00-00 --step 1 --not "green block"
    """
    from seesay.nodes.commands.explain import Explain, run_explain

    raise typer.Exit(run_explain(Explain(run, step, why, not_, rows, svg, as_json)))
