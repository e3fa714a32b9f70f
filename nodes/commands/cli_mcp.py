"""`seesay mcp`: a running system as tools for a language model's client."""

from __future__ import annotations

import os

import typer


def add(app: typer.Typer) -> None:
    app.command(name="mcp")(mcp)


def mcp(
    session: str = typer.Option("", help="Session of the running system; by default the one that runs."),
    allow_act: bool = typer.Option(False, "--allow-act", help="Offer the tool `act`, which moves the arm. Off by default."),
) -> None:
    """Serve look, find, ask and plan, and with --allow-act also act, over the Model Context Protocol on stdin and stdout.

    Needs pip install 'seesay[mcp]'. Every goal passes the executor's safety checks.
    """
    from seesay.bus import Bus
    from seesay.errors import ConfigError
    from seesay.nodes.lifetime import INTERRUPTED, Lifetime
    from seesay.nodes.sessions import running

    try:
        from seesay.nodes.commands.mcp_server import make_server
    except ModuleNotFoundError as error:
        raise ConfigError(f"seesay mcp needs the Python package {error.name!r}: run pip install 'seesay[mcp]'") from error
    with Bus(running(session), "mcp") as bus:

        def leave() -> None:
            """The server would wait for a thread that waits for the next line."""
            bus.close()
            os._exit(INTERRUPTED)

        Lifetime().on_stop(leave)
        make_server(bus, allow_act).run("stdio")
