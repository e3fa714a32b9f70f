"""`seesay doctor`, `top` and `view`: is everything there that the system needs, how is it doing, and what does it see?"""

from __future__ import annotations

import typer


def add(app: typer.Typer) -> None:
    app.command(name="doctor")(doctor)
    app.command(name="top")(top)
    app.command(name="view")(view)


def doctor(as_json: bool = typer.Option(False, "--json", help="Print one JSON object.")) -> None:
    """Check packages, OpenGL, models, this host and what runs on it, and say how to mend what is wrong. Exit status 1 if something is."""
    from seesay.nodes.commands.doctor import examine
    from seesay.nodes.plain import dumps

    checks = examine()
    healthy = all(check.ok for check in checks)
    if as_json:
        typer.echo(dumps({"healthy": healthy, "checks": checks}))
    else:
        for check in checks:
            mark = typer.style("ok  ", fg="green") if check.ok else typer.style("MISS", fg="red")
            typer.echo(f"{mark} {check.name}: {check.found}" + ("" if check.ok else f"; {check.cure}"))
    raise typer.Exit(0 if healthy else 1)


def top(
    once: bool = typer.Option(False, "--once", help="Look once, over one interval, and end."),
    interval: float = typer.Option(1.0, "--interval", "-i", min=0.1, max=60.0, help="Seconds between two looks."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object for each look."),
    session: str = typer.Option("", "--session", help="Which running system; by default the only one."),
) -> None:
    """Show live what each topic does (rate, age at each consumer, losses) and what each node's process costs, until Ctrl-C."""
    from seesay.nodes.commands.top import run_top

    run_top(once, as_json, interval, session)


def view(
    port: int = typer.Option(8090, "--port", min=0, max=65535, help="Port on this host; 0 takes a free one."),
    session: str = typer.Option("", "--session", help="Which running system; by default the only one."),
) -> None:
    """Show cameras with boxes and masks, objects, and the chart of each decision on a page of your browser, until Ctrl-C.

    Only this host can open the page, and only by the whole address that is printed: it holds a secret, new each time. From another host:
    ssh -L 8090:localhost:8090 ROBOT.
    """
    from seesay.nodes.commands.live_server import run_view

    run_view(port, session)
