"""Launch files and parameters: TOML in, typed dataclasses out, every mistake in one sentence with its cure.

    include = ["cameras.toml"]  # optional: what this file says replaces what those say, key by key

    [arguments]                 # optional: seesay launch FILE camera:=2
    camera = { default = "0", help = "Camera number or device" }

    [launch]
    name = "tabletop"
    description = "A simulated tabletop"
    clock = "monotonic"         # or "sim": the nodes' time is the topic `clock`

    [nodes.camera]              # one process, called camera on the bus
    run = "camera"              # nodes/camera.py
    threads = 1                 # optional, as all below: OMP_NUM_THREADS of the process
    restart = "on-failure"      # or "always", "never"; at most max_restarts times within restart_window_s
    required = true             # false: the rest goes on when this one has failed for good
    namespace = "left"          # before the names of its topics
    source = "${camera}"        # the other keys are the fields of the Config in that file
    environment = { OPENCV_LOG_LEVEL = "ERROR" }
    remap = { detections = "boxes" }
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
from numpy.typing import NDArray

from seesay._launch_table import Argument, check_keys, read, shipped_folder, substitute
from seesay.errors import BusError, ConfigError
from seesay.topics import check_name

__all__ = [
    "LIVE", "Argument", "Launch", "Live", "NodeSpec", "between", "declared_arguments", "from_mapping", "load_launch", "parse_overrides",
    "shipped_folder",
]  # fmt: skip

C = TypeVar("C")
Restart = Literal["on-failure", "always", "never"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class NodeSpec:
    """One process: `name` on the bus, `run` names the file in nodes/, `parameters` are fields of its Config.

    restart: "on-failure" starts it again when it dies, "always" also when it ends, both at most `max_restarts` times within
    `restart_window_s` seconds; after that it has failed for good, and with it the system if it is `required`.
    """

    name: str
    run: str
    threads: int = 0  # 0: as many as the libraries like
    restart: Restart = "on-failure"
    max_restarts: int = 5
    restart_window_s: float = 300.0
    required: bool = True
    namespace: str = ""
    remap: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_spec(self)


@dataclass(frozen=True)
class Launch:
    """A checked launch file. `path` is the file, for messages."""

    name: str
    description: str = ""
    clock: Literal["monotonic", "sim"] = "monotonic"
    nodes: tuple[NodeSpec, ...] = ()
    path: str = ""

    def effective(self, config_of: Callable[[str], type[Any]]) -> Launch:
        """Return the launch with each parameter that the files leave out at its default.

        Raises ConfigError unless each node's parameters make the dataclass that `config_of(run)` returns.
        """
        nodes = []
        for node in self.nodes:
            config = from_mapping(config_of(node.run), node.parameters, f"{self.path} [nodes.{node.name}]")
            nodes.append(dataclasses.replace(node, parameters=_values(config)))
        return dataclasses.replace(self, nodes=tuple(nodes))

    def table(self) -> dict[str, Any]:
        """Return what a launch file would say: tables, lists, texts, numbers and booleans. Keys at their defaults are left out."""
        head = {"name": self.name, "description": self.description, "clock": self.clock}
        return {"launch": head, "nodes": {node.name: _said(node) for node in self.nodes}}


@dataclass(frozen=True)
class _Head:
    name: str
    description: str = ""
    clock: Literal["monotonic", "sim"] = "monotonic"


def load_launch(
    path: Path | str, overrides: Mapping[str, Any] | Iterable[str] = (), arguments: Mapping[str, str] | None = None
) -> Launch:
    """Read a launch file with those that it includes. Node parameters are checked by `Launch.effective`.

    overrides: values that replace the file's, as a mapping from "node.key" or "launch.key", or as settings "node.key=value".
    arguments: texts for the file's [arguments] by name.

    Raises ConfigError that names the file, the key and the keys there are.
    """
    table = read(Path(path))
    declared = _declared(table, str(path))
    body = substitute({key: table.get(key, {}) for key in ("launch", "nodes")}, declared, arguments or {}, str(path))
    nodes = body["nodes"]
    if not nodes or not all(isinstance(node, dict) for node in nodes.values()):
        raise ConfigError(f"{path}: expected at least one table [nodes.NAME], got none")
    _override(body, overrides if isinstance(overrides, Mapping) else parse_overrides(overrides), str(path))
    head = from_mapping(_Head, body["launch"], f"{path} [launch]")
    specs = tuple(_node(name, values, f"{path} [nodes.{name}]") for name, values in nodes.items())
    return Launch(head.name, head.description, head.clock, specs, str(path))


def declared_arguments(path: Path | str) -> list[Argument]:
    """Return what the launch file may be given. Raises ConfigError."""
    return _declared(read(Path(path)), str(path))


def parse_overrides(settings: Iterable[str]) -> dict[str, Any]:
    """Turn "node.key=value" settings of a command line into a mapping; a value that is not TOML is taken as text. Raises ConfigError."""
    result: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"setting: expected KEY=VALUE such as detector.threshold=0.3, got {setting!r}")
        try:
            result[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            result[key.strip()] = value
    return result


def from_mapping(kind: type[C], mapping: Mapping[str, Any], where: str) -> C:
    """Make the dataclass `kind` of a mapping, its fields checked by type; `where` names the origin in messages.

    Raises ConfigError for unknown keys (and names those there are), missing keys and wrong types.
    """
    if not dataclasses.is_dataclass(kind):
        raise ConfigError(f"{where}: expected a dataclass to fill, got {kind.__name__}")
    _check_fields(kind, mapping, where)
    try:
        made: C = msgspec.convert(dict(mapping), kind, dec_hook=_special)
        return made
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_sentence(str(error))}") from error
    except UnicodeEncodeError as error:
        raise ConfigError(f"{where}: expected whole characters, got half of a surrogate pair in {ascii(error.object)[:60]}") from error


def between(low: float, high: float) -> msgspec.Meta:
    """The range of a parameter, ends included: `threshold: Annotated[float, between(0, 1)] = 0.5`. `from_mapping` checks it."""
    return msgspec.Meta(ge=low, le=high)


class Live:
    """Marks a parameter whose change takes effect while the node runs: `threshold: Annotated[float, LIVE] = 0.5`."""


LIVE = Live()


def _declared(table: Mapping[str, Any], where: str) -> list[Argument]:
    arguments = []
    for name, values in table.get("arguments", {}).items():
        here = f"{where} [arguments.{name}]"
        if not isinstance(values, dict) or "name" in values:
            raise ConfigError(f"{here}: expected a table with default and help, got {values!r}")
        arguments.append(from_mapping(Argument, {"name": name, **values}, here))
    return arguments


def _node(name: str, values: Mapping[str, Any], where: str) -> NodeSpec:
    reserved = {key: values[key] for key in _RESERVED if key in values}
    try:
        check_name("node", name)
    except BusError as error:
        raise ConfigError(f"{where}: {error}") from error
    parameters = {key: value for key, value in values.items() if key not in reserved}
    return from_mapping(NodeSpec, {"name": name, **reserved, "parameters": parameters}, where)


def _check_spec(spec: NodeSpec) -> None:
    """Raise ConfigError for what the type of the field does not say."""
    where = f"node {spec.name}"
    if not (0 <= spec.threads <= 1024 and spec.max_restarts >= 0 and spec.restart_window_s > 0):
        raise ConfigError(f"{where}: expected threads in 0..1024, max_restarts of 0 or more and restart_window_s above 0")
    for name, value in spec.environment.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise ConfigError(f"{where}: expected the name of a variable and a text in environment, got {name!r}")
    try:
        for topic in filter(None, [spec.namespace, *spec.remap, *(target.removeprefix("/") for target in spec.remap.values())]):
            check_name("topic", topic)
    except BusError as error:
        raise ConfigError(f"{where}: namespace and remap: {error}") from error


def _values(config: Any) -> Any:
    """The fields as plain values. msgspec alone leaves out those that it has left at their defaults."""
    if dataclasses.is_dataclass(config):
        return {item.name: _values(getattr(config, item.name)) for item in dataclasses.fields(config)}
    return msgspec.to_builtins(config, enc_hook=str)


def _said(node: NodeSpec) -> dict[str, Any]:
    defaults = {item.name: item for item in dataclasses.fields(NodeSpec)}
    said = {key: getattr(node, key) for key in _RESERVED if getattr(node, key) not in (defaults[key].default, {})}
    return {"run": node.run, **said, **_without_none(node.parameters)}


def _without_none(value: Any) -> Any:
    """TOML has no null: a key that is left out means the same."""
    return {key: _without_none(item) for key, item in value.items() if item is not None} if isinstance(value, dict) else value


def _override(table: dict[str, Any], overrides: Mapping[str, Any], where: str) -> None:
    for setting, value in overrides.items():
        node, _, key = setting.partition(".")
        nodes = table["nodes"]
        if node != "launch" and node not in nodes:
            raise ConfigError(f"setting {setting}: expected one of the nodes {', '.join(nodes)} of {where}, got {node!r}")
        if not key:
            raise ConfigError(f"setting {setting}: expected NODE.KEY=VALUE, got no key")
        (table.setdefault("launch", {}) if node == "launch" else nodes[node])[key] = value


def _check_fields(kind: Any, mapping: Any, where: str) -> None:
    """Look for unknown keys, also in nested dataclasses."""
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{where}: expected a table, got {type(mapping).__name__}")
    fields = [item.name for item in dataclasses.fields(kind)]
    check_keys(mapping, fields, where)
    for name, hint in get_type_hints(kind).items():
        if name in mapping:
            _check_value(hint, mapping[name], f"{where} {name}")


def _check_value(hint: Any, value: Any, where: str) -> None:
    inner = get_args(hint)
    if dataclasses.is_dataclass(hint):
        _check_fields(hint, value, where)
    elif get_origin(hint) is tuple and isinstance(value, list):
        for number, item in enumerate(value):
            _check_value(inner[0], item, f"{where}[{number}]")
    elif get_origin(hint) is dict and isinstance(value, Mapping):
        for key, item in value.items():
            _check_value(inner[1], item, f"{where} {key}")
    elif isinstance(value, Mapping):
        for one in filter(dataclasses.is_dataclass, inner):
            _check_fields(one, value, where)


def _special(kind: Any, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    if get_origin(kind) is np.ndarray:
        return _array(get_args(get_args(kind)[1])[0], value)
    raise NotImplementedError(f"a parameter of type {kind}")


def _array(kind: Any, value: Any) -> NDArray[Any]:
    """A list of numbers as an array of type `kind`; without one, whole numbers are bytes and others float32. Raises ValueError."""
    array = np.array(value)
    if array.dtype.kind not in "iuf" and array.size:
        raise ValueError(f"expected lists of numbers, got {str(value)[:40]}")
    if kind is Any:
        kind = np.uint8 if array.dtype.kind in "iu" else np.float32
    if np.issubdtype(kind, np.integer) and array.size:
        limits = np.iinfo(kind)
        if array.dtype.kind == "f" or array.min() < limits.min or array.max() > limits.max:
            raise ValueError(f"expected whole numbers from {limits.min} to {limits.max}, got {str(value)[:40]}")
    return array.astype(kind)


def _sentence(problem: str) -> str:
    """Turn msgspec's "Expected `int`, got `str` - at `$.seed`" into "seed: expected int, got str"."""
    text, _, place = problem.replace("`", "").partition(" - at ")
    text = text[:1].lower() + text[1:]
    return f"{place.removeprefix('$').lstrip('.')}: {text}" if place.strip("$") else text


_RESERVED = [item.name for item in dataclasses.fields(NodeSpec) if item.name not in ("name", "parameters")]
