"""What `seesay service` and `seesay param` do."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seesay.bus import Bus
from seesay.errors import BusError, ConfigError
from seesay.messages import Parameter
from seesay.nodes import discovery, sessions
from seesay.nodes.commands import listing
from seesay.nodes.commands.shell import MAX_TEXT, make_message, parse, say, shown, split_type, topic_name
from seesay.nodes.parameters import get_parameter, list_parameters, set_parameter, set_parameters
from seesay.services import Service, find

_KINDS = {"str": "String", "bool": "Boolean", "int": "Integer", "float": "Double"}


def service_type(name: str, as_json: bool) -> None:
    """Print the types of request and response."""
    kind = listing.service_type(_find(name).name)
    say(shown(kind, True) if as_json else kind)


def call_service(name: str, words: Sequence[str], timeout_s: float, as_json: bool, session: str) -> None:
    """Call a service and print its response. Raises ConfigError for a wrong request, ServiceError as the server says."""
    service, directory = _find(name), sessions.running(session)
    text = split_type(words, service.request.__name__, '"{}"')
    request = make_message(service.request, text, f"service {service.name}")
    if service.name not in discovery.servers(directory):
        known = ", ".join(discovery.servers(directory)) or "(none)"
        raise ConfigError(f"service: expected one that is served ({known}), got {service.name!r}")
    if not as_json:
        say(f"requester: making request: {shown(request, True)}\n")
    with Bus(directory, discovery.own_name()) as bus:
        response = bus.client(service).call(request, timeout_s)
    say(shown(response, True) if as_json else f"response:\n{shown(response, False)}")


def param_list(node: str, as_json: bool, session: str) -> None:
    """Print the parameters of one node, or of all."""
    directory = sessions.running(session)
    with Bus(directory, discovery.own_name()) as bus:
        found = {name: list_parameters(bus, name) for name in ([_node(node, directory)] if node else _with_parameters(directory))}
    if as_json:
        say(shown({name: {one.name: _value(one) for one in parameters} for name, parameters in found.items()}, True))
        return
    for name, parameters in found.items():
        say("\n".join([*([] if node else [f"{name}:"]), *(f"  {one.name}" for one in parameters)]))


def param_get(node: str, name: str, as_json: bool, session: str) -> None:
    """Print one parameter."""
    directory = sessions.running(session)
    with Bus(directory, discovery.own_name()) as bus:
        one = get_parameter(bus, _node(node, directory), name)
    say(shown(_described(one), True) if as_json else _sentence(one))


def param_set(node: str, name: str, text: str, as_json: bool, session: str) -> None:
    """Set one parameter. Raises ConfigError with the node's own sentence if it is refused."""
    directory = sessions.running(session)
    with Bus(directory, discovery.own_name()) as bus:
        where = _node(node, directory)
        value = text if get_parameter(bus, where, name).type == "str" else parse(text)
        one = set_parameter(bus, where, name, value)
    if as_json:
        say(shown(_described(one), True))
        return
    say("Set parameter successful")
    _say_when(where, [one])


def param_load(node: str, file: Path, as_json: bool, session: str) -> None:
    """Set the parameters that a file has for a node, all or, if one is refused, none. Raises ConfigError with the node's own sentence."""
    directory = sessions.running(session)
    with Bus(directory, discovery.own_name()) as bus:
        where = _node(node, directory)
        values = _read(file, where)
        found = [one for one in set_parameters(bus, where, values) if one.name in values]
    if as_json:
        say(shown([_described(one) for one in found], True))
        return
    for one in found:
        say(f"Set parameter {one.name} successful")
    _say_when(where, found)


def param_describe(node: str, name: str, as_json: bool, session: str) -> None:
    """Print type, range and state of one parameter."""
    directory = sessions.running(session)
    with Bus(directory, discovery.own_name()) as bus:
        one = get_parameter(bus, _node(node, directory), name)
    if as_json:
        say(shown(_described(one), True))
        return
    lines = [f"Parameter name: {one.name}", f"  Type: {one.type}"]
    if one.minimum is not None and one.maximum is not None:
        lines += ["  Constraints:", f"    Min value: {one.minimum:g}", f"    Max value: {one.maximum:g}"]
    lines += [f"  Takes effect: {'at once' if one.live else 'when the node is configured'}"]
    say("\n".join(lines + ([f"  Pending: {one.pending}"] if one.pending else [])))


def param_dump(node: str, as_json: bool, session: str) -> None:
    """Print all parameters of a node with their values, as a launch file has them (TOML)."""
    import tomli_w

    directory = sessions.running(session)
    with Bus(directory, discovery.own_name()) as bus:
        where = _node(node, directory)
        values = {one.name: _value(one) for one in list_parameters(bus, where)}
    table = {"nodes": {where: {key: value for key, value in values.items() if value is not None}}}
    say(shown(table, True) if as_json else tomli_w.dumps(table).rstrip())


def _say_when(node: str, changed: Sequence[Parameter]) -> None:
    if any(one.pending for one in changed):
        say(f"It takes effect when the node is configured again: seesay lifecycle set {node} configure")


def _read(file: Path, node: str) -> dict[str, Any]:
    """The table of a node in a file such as `param dump` writes."""
    try:
        with open(file, encoding="utf-8") as text:
            table = tomllib.loads(text.read(MAX_TEXT))
    except (OSError, ValueError) as error:
        raise ConfigError(f"file {file}: expected TOML as seesay param dump prints it, got {error}") from error
    nodes = table.get("nodes")
    values = nodes.get(node) if isinstance(nodes, dict) else None
    if not isinstance(values, dict):
        raise ConfigError(f"file {file}: expected a table [nodes.{node}], got {', '.join(table) or 'nothing'}")
    return values


def _find(name: str) -> Service[Any, Any]:
    try:
        return find(topic_name(name))
    except BusError as error:
        raise ConfigError(str(error)) from error


def _with_parameters(session: Path) -> list[str]:
    return sorted(node for name, node in discovery.servers(session).items() if name == f"{node}/parameters")


def _node(name: str, session: Path) -> str:
    known, name = _with_parameters(session), topic_name(name)
    if name not in known:
        raise ConfigError(f"node: expected one of {', '.join(known) or '(none)'}, got {name!r}")
    return name


def _value(one: Parameter) -> Any:
    return json.loads(one.value)


def _described(one: Parameter) -> dict[str, Any]:
    pending = json.loads(one.pending) if one.pending else None
    return {"name": one.name, "type": one.type, "value": _value(one), "minimum": one.minimum, "maximum": one.maximum, "live": one.live,
            "pending": pending}  # fmt: skip


def _sentence(one: Parameter) -> str:
    value = _value(one)
    kind = _KINDS.get(one.type, "")
    text = f"{kind} value is: {value}" if kind else f"Value is: {one.value}"
    return text + (f" (next configured: {one.pending})" if one.pending else "")
