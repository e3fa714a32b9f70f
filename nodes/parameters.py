"""Parameters of nodes: the fields of a node's Config, looked at and set while it runs.

    threshold: Annotated[float, between(0, 1), LIVE] = 0.5     # in a Config: a range, and that a change takes effect at once
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from seesay.bus import AnyBus
from seesay.config import Live, from_mapping
from seesay.errors import ConfigError, ServiceBusy, ServiceError, ServiceTimeout
from seesay.messages import Header, Parameter, ParameterReply, ParameterRequest
from seesay.nodes.plain import plain
from seesay.services import PARAMETERS

TIMEOUT_S = 5.0


class Parameters:
    """The parameters of the node in this process: what it runs with, and what it takes when it is next configured."""

    def __init__(self, config: Any, where: str) -> None:
        """config: an instance of the node's Config. where: names the node in messages."""
        self._kind = type(config)
        self._where = where
        self._hints = get_type_hints(self._kind, include_extras=True)
        self._apply: Callable[[Any], None] = lambda config: None
        self._lock = threading.Lock()
        self.config = self._first = config
        self._next = _values(config)

    @property
    def next_config(self) -> dict[str, Any]:
        """The fields, as plain values, that the node takes when it is next configured."""
        with self._lock:
            return dict(self._next)

    def on_change(self, apply: Callable[[Any], None]) -> None:
        """Call `apply` with the Config after each change of a live parameter, also one that has come already. A SeeSayError that it
        raises refuses the change."""
        with self._lock:
            self._apply = apply
            if self.config is not self._first:
                apply(self.config)

    def answer(self, request: ParameterRequest) -> ParameterReply:
        """The node's end of the service. Raises ConfigError for a name, type or range that is wrong; nothing is changed then."""
        with self._lock:
            if request.values:
                self._set({name: _parsed(name, text) for name, text in request.values.items()})
            return ParameterReply(Header(request.header.stamp_ns), self._described())

    def _set(self, values: Mapping[str, Any]) -> None:
        merged = self._next | dict(values)
        checked = from_mapping(self._kind, merged, self._where)
        config = dataclasses.replace(self.config, **{name: getattr(checked, name) for name in values if self._is_live(name)})
        if config != self.config:
            self._apply(config)
        self.config, self._next = config, merged

    def _is_live(self, name: str) -> bool:
        return any(isinstance(extra, Live) for extra in self._extras(name))

    def _extras(self, name: str) -> tuple[Any, ...]:
        hint = self._hints[name]
        return get_args(hint)[1:] if get_origin(hint) is Annotated else ()

    def _described(self) -> tuple[Parameter, ...]:
        current = _values(self.config)
        return tuple(self._describe(name, current[name]) for name in current)

    def _describe(self, name: str, value: Any) -> Parameter:
        hint, ranges = self._hints[name], [extra for extra in self._extras(name) if hasattr(extra, "ge")]
        kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        low, high = (ranges[0].ge, ranges[0].le) if ranges else (None, None)
        pending = json.dumps(self._next[name]) if self._next[name] != value else ""
        return Parameter(name, _type_name(kind), json.dumps(value), low, high, self._is_live(name), pending)


def list_parameters(bus: AnyBus, node: str, timeout_s: float = TIMEOUT_S) -> tuple[Parameter, ...]:
    """Return the parameters of a running node. Raises ServiceTimeout if the node does not answer."""
    return _ask(bus, node, {}, timeout_s)


def get_parameter(bus: AnyBus, node: str, name: str, timeout_s: float = TIMEOUT_S) -> Parameter:
    """Return one parameter. Raises ConfigError, with the names there are, for another name; ServiceTimeout as above."""
    found = {parameter.name: parameter for parameter in list_parameters(bus, node, timeout_s)}
    if name not in found:
        raise ConfigError(f"node {node}: expected one of the parameters {', '.join(found) or '(none)'}, got {name!r}")
    return found[name]


def set_parameter(bus: AnyBus, node: str, name: str, value: Any, timeout_s: float = TIMEOUT_S) -> Parameter:
    """Set one parameter to a plain value (text, number, bool, list, dict) and return how it stands.

    Raises ConfigError with the node's sentence if it is refused; ServiceTimeout as above.
    """
    return next(parameter for parameter in set_parameters(bus, node, {name: value}, timeout_s) if parameter.name == name)


def set_parameters(bus: AnyBus, node: str, values: Mapping[str, Any], timeout_s: float = TIMEOUT_S) -> tuple[Parameter, ...]:
    """Set several parameters, all or, if one is refused, none; return all of the node's. Raises as `set_parameter` does."""
    return _ask(bus, node, {name: json.dumps(value) for name, value in values.items()}, timeout_s)


def _ask(bus: AnyBus, node: str, values: dict[str, str], timeout_s: float) -> tuple[Parameter, ...]:
    try:
        return bus.client(PARAMETERS.of(node=node)).call(ParameterRequest(Header(0), values), timeout_s).parameters
    except (ServiceBusy, ServiceTimeout):
        raise
    except ServiceError as error:
        raise ConfigError(str(error).removeprefix(f"service {node}/parameters: ")) from error


def _values(config: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(plain(config), default=str))
    return values


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"parameter {name}: expected a JSON value, got {text[:100]!r}") from error


def _type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")
