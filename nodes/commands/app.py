"""The commands of `seesay`, which import what they need when they run, so that `--help` costs next to nothing."""

from __future__ import annotations

import typer

from seesay.nodes.commands import (
    cli_ask,
    cli_bag,
    cli_demo,
    cli_doctor,
    cli_explain,
    cli_find,
    cli_keys,
    cli_launch,
    cli_mcp,
    cli_models,
    cli_node,
    cli_topic,
)

app = typer.Typer(
    help="Name anything, see where it is in 3-D, know what to do next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli_bag.add(app)
cli_demo.add(app)
cli_find.add(app)
cli_ask.add(app)
cli_launch.add(app)
cli_topic.add(app)
cli_node.add(app)
cli_doctor.add(app)
cli_explain.add(app)
cli_models.add(app)
cli_keys.add(app)
cli_mcp.add(app)


def _version(wanted: bool) -> None:
    if wanted:
        from seesay import __version__

        typer.echo(f"seesay {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version and exit.")) -> None:
    pass
