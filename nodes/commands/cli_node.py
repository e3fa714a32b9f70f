"""`seesay node`, `service`, `param` and `lifecycle`: who runs and what it answers. Verbs, flags and output follow ros2."""

from __future__ import annotations

from pathlib import Path

import typer

SESSION = typer.Option("", "--session", help="Which running system; by default the only one.")
JSON = typer.Option(False, "--json", help="Print JSON.")
NODE = typer.Argument(metavar="NODE", help="Name of a node, for example detector.")
PARAMETER = typer.Argument(metavar="NAME", help="Name of the parameter.")
SERVICE = typer.Argument(metavar="SERVICE", help="Name of a service, for example detector/parameters.")


def add(app: typer.Typer) -> None:
    node = typer.Typer(help="Look at the nodes of a running system, as ros2 node does.", no_args_is_help=True)
    node.command(name="list")(node_list)
    node.command(name="info")(node_info)
    app.add_typer(node, name="node")
    service = typer.Typer(help="Ask the services of a running system, as ros2 service does.", no_args_is_help=True)
    service.command(name="list")(service_list)
    service.command(name="type")(service_type)
    service.command(name="find")(service_find)
    service.command(name="call")(service_call)
    app.add_typer(service, name="service")
    param = typer.Typer(help="Read and set parameters of running nodes, as ros2 param does.", no_args_is_help=True)
    for verb in (param_list, param_get, param_set, param_describe, param_dump, param_load):
        param.command(name=verb.__name__.removeprefix("param_"))(verb)
    app.add_typer(param, name="param")
    lifecycle = typer.Typer(help="Pause nodes and configure them again, as ros2 lifecycle does.", no_args_is_help=True)
    lifecycle.command(name="nodes")(lifecycle_nodes)
    lifecycle.command(name="get")(lifecycle_get)
    lifecycle.command(name="list")(lifecycle_list)
    lifecycle.command(name="set")(lifecycle_set)
    app.add_typer(lifecycle, name="lifecycle")


def node_list(
    count: bool = typer.Option(False, "--count-nodes", "-c", help="Show only how many there are."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """List the nodes that run."""
    from seesay.nodes.commands.listing import list_nodes

    list_nodes(count, as_json, session)


def node_info(node: str = NODE, as_json: bool = JSON, session: str = SESSION) -> None:
    """Show the topics and services of a node."""
    from seesay.nodes.commands.graph_verbs import node_info

    node_info(node, as_json, session)


def service_list(
    types: bool = typer.Option(False, "--show-types", "-t", help="Show the types of each service."),
    count: bool = typer.Option(False, "--count-services", "-c", help="Show only how many there are."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """List the services that somebody serves."""
    from seesay.nodes.commands.listing import list_services

    list_services(types, count, as_json, session)


def service_type(service: str = SERVICE, as_json: bool = JSON) -> None:
    """Show the types of a service's request and response."""
    from seesay.nodes.commands.service_verbs import service_type

    service_type(service, as_json)


def service_find(
    kind: str = typer.Argument(metavar="TYPE", help="Type of request, for example ParameterRequest."),
    count: bool = typer.Option(False, "--count-services", "-c", help="Show only how many there are."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """List the services that take a type of request."""
    from seesay.nodes.commands.listing import find_services

    find_services(kind, count, as_json, session)


def service_call(
    service: str = SERVICE,
    words: list[str] = typer.Argument(None, metavar="[TYPE] [VALUES]", help='The request in YAML or JSON: "{transition: deactivate}".'),
    timeout: float = typer.Option(5.0, "--timeout", min=0.001, max=3600.0, help="Give up after so many seconds."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """Call a service and print what it answers.

        seesay service call detector/lifecycle "{transition: deactivate}"
    """
    from seesay.nodes.commands.service_verbs import call_service

    call_service(service, words or [], timeout, as_json, session)


def param_list(node: str = typer.Argument("", help="By default all nodes."), as_json: bool = JSON, session: str = SESSION) -> None:
    """List the parameters of a node, or of all."""
    from seesay.nodes.commands.service_verbs import param_list

    param_list(node, as_json, session)


def param_get(node: str = NODE, name: str = PARAMETER, as_json: bool = JSON, session: str = SESSION) -> None:
    """Show the value of a parameter."""
    from seesay.nodes.commands.service_verbs import param_get

    param_get(node, name, as_json, session)


def param_set(
    node: str = NODE,
    name: str = PARAMETER,
    value: str = typer.Argument(help="Value as YAML or JSON."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """Set a parameter.

        seesay param set detector threshold 0.3
    """
    from seesay.nodes.commands.service_verbs import param_set

    param_set(node, name, value, as_json, session)


def param_describe(node: str = NODE, name: str = PARAMETER, as_json: bool = JSON, session: str = SESSION) -> None:
    """Show type, range and state of a parameter."""
    from seesay.nodes.commands.service_verbs import param_describe

    param_describe(node, name, as_json, session)


def param_dump(node: str = NODE, as_json: bool = JSON, session: str = SESSION) -> None:
    """Show all parameters of a node as a launch file has them."""
    from seesay.nodes.commands.service_verbs import param_dump

    param_dump(node, as_json, session)


def param_load(
    node: str = NODE,
    file: Path = typer.Argument(help="A file such as seesay param dump writes."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """Set all parameters that a file has for a node, or none if the node refuses one.

        seesay param dump detector > detector.toml; seesay param load detector detector.toml
    """
    from seesay.nodes.commands.service_verbs import param_load

    param_load(node, file, as_json, session)


def lifecycle_nodes(
    count: bool = typer.Option(False, "--count-nodes", "-c", help="Show only how many there are."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """List the nodes that have a life-cycle."""
    from seesay.nodes.commands.lifecycle_verbs import list_nodes

    list_nodes(count, as_json, session)


def lifecycle_list(node: str = NODE, as_json: bool = JSON, session: str = SESSION) -> None:
    """List the transitions that a node can make now."""
    from seesay.nodes.commands.lifecycle_verbs import list_transitions

    list_transitions(node, as_json, session)


def lifecycle_get(node: str = NODE, as_json: bool = JSON, session: str = SESSION) -> None:
    """Show the state of a node."""
    from seesay.nodes.commands.lifecycle_verbs import change

    change(node, "", as_json, session)


def lifecycle_set(
    node: str = NODE,
    transition: str = typer.Argument(help="configure, activate, deactivate or shutdown."),
    as_json: bool = JSON,
    session: str = SESSION,
) -> None:
    """Change the state of a node.

        seesay lifecycle set detector deactivate
    """
    from seesay.nodes.commands.lifecycle_verbs import change

    change(node, transition, as_json, session)
