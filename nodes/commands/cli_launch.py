"""`seesay launch`, `run`, `do`, `answer`, `cancel` and `stop`: start a system, and tell it what to do."""

from __future__ import annotations

import typer

SESSION = typer.Option("", "--session", help="Which running system; by default the only one.")
SET = typer.Option([], "--set", metavar="NODE.KEY=VALUE", help="Change a parameter of a node; may be given several times.")


def add(app: typer.Typer) -> None:
    app.command(name="launch")(launch)
    app.command(name="run")(run)
    app.command(name="do")(do)
    app.command(name="answer")(answer)
    app.command(name="cancel")(cancel)
    app.command(name="stop")(stop)


def launch(
    file: str = typer.Argument(help="A launch file, or the name of one that ships: tabletop, webcam, video, replay."),
    arguments: list[str] = typer.Argument(None, metavar="[NAME:=VALUE]...", help="Arguments of the file; --show-args lists them."),
    sets: list[str] = SET,
    session: str = typer.Option("", "--session", help="Name of the new session."),
    do: str = typer.Option("", "--do", help="Give this instruction once everything runs."),
    show_args: bool = typer.Option(False, "--show-args", "--show-arguments", "-s", help="Show the arguments of the file and exit."),
    show: bool = typer.Option(False, "--print", "--print-description", "-p", help="Print the effective configuration and exit."),
    as_json: bool = typer.Option(False, "--json", help="With --show-args or --print: as JSON."),
) -> None:
    """Start all nodes of a launch file and watch them until Ctrl-C.

        seesay launch webcam camera:=2
    """
    from seesay.nodes.commands.launch import run_launch, show_arguments, show_configuration

    if show_args:
        raise typer.Exit(show_arguments(file, as_json))
    if show:
        raise typer.Exit(show_configuration(file, arguments or [], sets, as_json))
    raise typer.Exit(run_launch(file, arguments or [], sets, session, do))


def run(
    node: str = typer.Argument(help="A node: camera, detector, segmenter, grounding, planner, executor, view, ..."),
    name: str = typer.Option("", "--name", help="Name on the bus; by default that of the node."),
    sets: list[str] = typer.Option([], "--set", "-p", metavar="KEY=VALUE", help="Change a parameter; may be given several times."),
    remaps: list[str] = typer.Option([], "--remap", "-r", metavar="FROM:=TO", help="Use another topic; may be given several times."),
    namespace: str = typer.Option("", "--ns", help="What stands before the names of its topics."),
    session: str = typer.Option("", "--session", help="Session to join or to start."),
) -> None:
    """Run one node by hand, in this terminal, until Ctrl-C.

        seesay run detector -p model=google/owlvit-base-patch32 -r detections:=boxes
    """
    from seesay.nodes.commands.launch import run_node

    raise typer.Exit(run_node(node, name, sets, remaps, namespace, session))


def do(
    instruction: str = typer.Argument(help="What to do, in words."),
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait for the end and show each decision."),
    timeout: float = typer.Option(300.0, min=1.0, help="Give up waiting after this many seconds."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object at the end instead of tables."),
    session: str = SESSION,
) -> None:
    """Give an instruction to the planner of a running system. Ctrl-C cancels it. Exit status: 0 done, 1 not done, 2 refused."""
    from seesay.nodes.commands.telling import give_instruction

    raise typer.Exit(give_instruction(instruction, wait, timeout, as_json, session))


def answer(
    reply: str = typer.Argument("", metavar="[N|TEXT]", help="Number or words of an option, or `none`; without it, show the question."),
    as_json: bool = typer.Option(False, "--json", help="Print the question as one JSON object."),
    session: str = SESSION,
) -> None:
    """Answer what the planner of a running system asks, or show it. Exit status: 0 taken or shown, 1 no question is open, 2 refused.

        seesay answer 2
    """
    from seesay.nodes.commands.answering import answer_question

    raise typer.Exit(answer_question(reply, as_json, session))


def cancel(
    reason: str = typer.Option("asked for on the command line", help="Why."),
    as_json: bool = typer.Option(False, "--json", help="Print the task's result as one JSON object."),
    session: str = SESSION,
) -> None:
    """End the task of a running system in good order: the arm holds where it is and keeps what it holds. The next instruction may follow.

    Exit status: 0 ended, 2 none runs.
    """
    from seesay.nodes.commands.telling import cancel_task

    raise typer.Exit(cancel_task(reason, as_json, session))


def stop(
    release: bool = typer.Option(False, "--release", help="Release an emergency stop."),
    reason: str = typer.Option("asked for on the command line", help="Why."),
    session: str = SESSION,
) -> None:
    """Stop all motion of a running system at once, until it is released with --release."""
    from seesay.nodes.commands.telling import emergency_stop

    raise typer.Exit(emergency_stop(not release, reason, session))
