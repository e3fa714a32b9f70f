"""`seesay ask`: where things are, and where they were seen."""

from __future__ import annotations

import typer

from seesay.nodes.commands.cli_node import JSON, SESSION


def add(app: typer.Typer) -> None:
    app.command(name="ask")(ask)


def ask(
    prompts: list[str] = typer.Argument(help='What to look for, for example "a blue cup"; it need not be one of the prompts in force.'),
    since: str = typer.Option("", help="How old a picture may be, for example 30s, 5m or 1h; by default as old as is remembered."),
    camera: str = typer.Option("", help="Only pictures of this camera."),
    limit: int = typer.Option(3, min=1, max=1000, help="How many pictures to name for each prompt, the newest ones."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """Ask a running system where things are, and in which past pictures they were seen (node memory).

    Exit status: 0 something was found, 1 nothing, 2 bad input.

        seesay ask "a blue cup" --since 30s
    """
    from seesay.nodes.commands.ask import run_ask

    raise typer.Exit(run_ask(prompts, since, camera, limit, as_json, session))
