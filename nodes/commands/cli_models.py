"""`seesay models`: what networks there are without the network."""

from __future__ import annotations

import typer


def add(app: typer.Typer) -> None:
    models = typer.Typer(help="Networks that work offline.", no_args_is_help=True)
    models.command(name="list")(list_models)
    app.add_typer(models, name="models")


def list_models(as_json: bool = typer.Option(False, "--json", help="Print a JSON array.")) -> None:
    """List the networks that work here without a network connection."""
    from seesay.nodes.commands.models import available
    from seesay.nodes.plain import dumps

    models = available()
    if as_json:
        typer.echo(dumps(models))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "kind", "size", "state", "where")
    for model in models:
        table.add_row(model.name, model.kind, f"{model.megabytes:.1f} MB" if model.megabytes else "", model.state, model.where)
    console = Console()
    console.print(table)
    families = "OWL-ViT, OWLv2, Grounding DINO, OmDet-Turbo, CLIPSeg or causal language model"
    console.print(f"Any {families} works by its Hugging Face id or a local path.", highlight=False)
