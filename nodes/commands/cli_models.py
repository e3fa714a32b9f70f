"""`seesay models`: what networks there are without the network, what is known of one, and how to get another."""

from __future__ import annotations

import typer

JSON = typer.Option(False, "--json", help="Print JSON.")


def add(app: typer.Typer) -> None:
    models = typer.Typer(help="Networks that work offline, and how to get more.", no_args_is_help=True)
    models.command(name="list")(list_models)
    models.command()(info)
    models.command()(fetch)
    app.add_typer(models, name="models")


def list_models(as_json: bool = JSON) -> None:
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
    console.print(f"Any {families} works by its Hugging Face id (seesay models fetch ID) or a local path.", highlight=False)


def info(
    name: str = typer.Argument(metavar="NAME", help="A name of seesay models list, a kind, a folder, or the id of a model fetched before."),
    as_json: bool = JSON,
) -> None:
    """Show a network's family, size, place and model card.

        seesay models info detector
    """
    from seesay.nodes.commands.models import describe
    from seesay.nodes.plain import dumps

    found = describe(name)
    if as_json:
        typer.echo(dumps(found))
        return
    for one in found:
        typer.echo(f"Name: {one.model.name}\nKind: {one.model.kind}\nFamily: {one.family or 'unknown'}\nState: {one.model.state}")
        typer.echo(f"Size: {one.model.megabytes:.1f} MB\nWhere: {one.model.where}\n\n{one.card or 'It has no model card.'}\n")


def fetch(
    model: str = typer.Argument(metavar="ID", help="Hugging Face id, for example google/owlvit-base-patch32."),
    as_json: bool = JSON,
) -> None:
    """Fetch a network from the Hugging Face hub, so that it works offline from then on. Weights as safetensors only, no code."""
    from seesay.nodes.commands.models import fetch
    from seesay.nodes.plain import dumps

    got = fetch(model)
    typer.echo(dumps(got) if as_json else f"{got.name}: {got.kind}, {got.megabytes:.1f} MB in {got.where}")
