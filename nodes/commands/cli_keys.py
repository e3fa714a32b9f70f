"""`seesay keys`: the keys by which hosts know one another."""

from __future__ import annotations

from pathlib import Path

import typer

FOLDER = typer.Option("", "--folder", help="Folder of keys; by default ~/.config/seesay/keys.")


def add(app: typer.Typer) -> None:
    keys = typer.Typer(help="Keys by which hosts know one another.", no_args_is_help=True)
    keys.command(name="new")(new)
    keys.command(name="list")(list_keys)
    app.add_typer(keys, name="keys")


def new(
    name: str = typer.Argument(help="Name of this host, for example robot."),
    folder: str = FOLDER,
    as_json: bool = typer.Option(False, "--json", help="Print a JSON object."),
) -> None:
    """Make a key pair for this host. The secret file stays here; the public file goes to the hosts that shall talk with this one.

        seesay keys new robot
        scp ~/.config/seesay/keys/robot.public laptop:.config/seesay/keys/allowed/
    """
    from seesay import keys
    from seesay.nodes.plain import dumps

    secret, public = keys.new(name, Path(folder).expanduser() if folder else keys.folder())
    if as_json:
        typer.echo(dumps({"name": name, "secret": str(secret), "public": str(public)}))
    else:
        typer.echo(f"{secret}\n  stays on this host\n{public}\n  copy it into keys/allowed of the hosts that shall talk with this one")


def list_keys(folder: str = FOLDER, as_json: bool = typer.Option(False, "--json", help="Print a JSON array.")) -> None:
    """List this host's own keys and those of the hosts that it lets in, and say what is wrong with them. Exit status 1 if something is."""
    from seesay import keys
    from seesay.errors import KeyFileError
    from seesay.nodes.plain import dumps

    where = Path(folder).expanduser() if folder else keys.folder()
    rows = []
    for path in sorted(where.glob("*.secret")):
        try:
            rows.append({"name": path.stem, "kind": "own", "public": keys.load_pair(path).public.decode(), "problem": ""})
        except KeyFileError as error:
            rows.append({"name": path.stem, "kind": "own", "public": "", "problem": str(error)})
    known, wrong = keys.allowed(where / "allowed")
    rows += [{"name": name, "kind": "allowed", "public": key.decode(), "problem": ""} for key, name in known.items()]
    rows += [{"name": "", "kind": "allowed", "public": "", "problem": problem} for problem in wrong]
    if as_json:
        typer.echo(dumps(rows))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table("name", "kind", "public key", "problem")
        for row in rows:
            table.add_row(*row.values())
        Console().print(table)
    raise typer.Exit(int(any(row["problem"] for row in rows)))
