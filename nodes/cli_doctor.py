"""`seesay doctor`: is everything there that the system needs?"""

from __future__ import annotations

import typer


def add(app: typer.Typer) -> None:
    app.command(name="doctor")(doctor)


def doctor(as_json: bool = typer.Option(False, "--json", help="Print one JSON object.")) -> None:
    """Check packages, OpenGL, models and sessions, and say how to mend what is missing. Exit status 1 if something is."""
    from seesay.nodes.doctor import examine
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
