"""Launch files and parameters: TOML in, typed dataclasses out, every mistake in one sentence with its cure.

    [launch]
    name = "tabletop"
    description = "A simulated tabletop"
    clock = "monotonic"         # or "sim": the nodes' time is the topic `clock`

    [nodes.detector]            # one process, called detector on the bus
    run = "detector"            # nodes/detector.py
    threads = 1                 # optional: OMP_NUM_THREADS of the process
    restart = true              # optional: start it again when it dies
    model = "embedded"          # the other keys are the fields of the Config in that file
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

import msgspec

from seesay.errors import BusError, ConfigError
from seesay.topics import check_name

C = TypeVar("C")


@dataclass(frozen=True)
class NodeSpec:
    """One process: `name` on the bus, `run` names the file in nodes/, `parameters` are fields of its Config."""

    name: str
    run: str
    threads: int = 0  # 0: as many as the libraries like
    restart: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Launch:
    """A checked launch file. `path` is the file, for messages."""

    name: str
    description: str = ""
    clock: Literal["monotonic", "sim"] = "monotonic"
    nodes: tuple[NodeSpec, ...] = ()
    path: str = ""

    def check(self, config_of: Callable[[str], type[Any]]) -> None:
        """Raise ConfigError unless each node's parameters make the dataclass that `config_of(run)` returns."""
        for node in self.nodes:
            from_mapping(config_of(node.run), node.parameters, f"{self.path} [nodes.{node.name}]")


@dataclass(frozen=True)
class _Head:
    name: str
    description: str = ""
    clock: Literal["monotonic", "sim"] = "monotonic"


def load_launch(path: Path | str, overrides: Mapping[str, Any] | Iterable[str] = ()) -> Launch:
    """Read a launch file. Node parameters are checked by `Launch.check`.

    overrides: values that replace the file's, as a mapping from "node.key" or "launch.key", or as settings "node.key=value".

    Raises ConfigError that names the file, the key and the keys there are.
    """
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"launch file {path}: {error.strerror}; name a file that can be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"launch file {path}: not valid TOML: {error}") from error
    _check_keys(table, ["launch", "nodes"], str(path))
    nodes = table.get("nodes")
    if not isinstance(nodes, dict) or not nodes or not all(isinstance(node, dict) for node in nodes.values()):
        raise ConfigError(f"{path}: expected at least one table [nodes.NAME], got none")
    _override(table, overrides if isinstance(overrides, Mapping) else parse_overrides(overrides), str(path))
    head = from_mapping(_Head, table.get("launch", {}), f"{path} [launch]")
    specs = tuple(_node(name, values, f"{path} [nodes.{name}]") for name, values in nodes.items())
    return Launch(head.name, head.description, head.clock, specs, str(path))


def parse_overrides(settings: Iterable[str]) -> dict[str, Any]:
    """Turn "node.key=value" settings of a command line into a mapping; a value that is not TOML is taken as text. Raises ConfigError."""
    result: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"setting: expected KEY=VALUE such as detector.threshold=0.3, got {setting!r}")
        try:
            result[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
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


def between(low: float, high: float) -> msgspec.Meta:
    """The range of a parameter, ends included: `threshold: Annotated[float, between(0, 1)] = 0.5`. `from_mapping` checks it."""
    return msgspec.Meta(ge=low, le=high)


class Live:
    """Marks a parameter whose change takes effect while the node runs: `threshold: Annotated[float, LIVE] = 0.5`."""


LIVE = Live()


def _node(name: str, values: Mapping[str, Any], where: str) -> NodeSpec:
    reserved = {key: values[key] for key in ("run", "threads", "restart") if key in values}
    try:
        check_name("node", name)
    except BusError as error:
        raise ConfigError(f"{where}: {error}") from error
    spec = from_mapping(NodeSpec, {"name": name, **reserved}, where)
    return dataclasses.replace(spec, parameters={key: value for key, value in values.items() if key not in reserved})


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
    _check_keys(mapping, fields, where)
    for name, hint in get_type_hints(kind).items():
        if name in mapping and dataclasses.is_dataclass(hint):
            _check_fields(hint, mapping[name], f"{where} {name}")


def _check_keys(mapping: Mapping[str, Any], known: list[str], where: str) -> None:
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            cure = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{where}: expected the keys {', '.join(known) or '(none)'}, got {key!r}{cure}")


def _special(kind: Any, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"a parameter of type {kind}")


def _sentence(problem: str) -> str:
    """Turn msgspec's "Expected `int`, got `str` - at `$.seed`" into "seed: expected int, got str"."""
    text, _, place = problem.replace("`", "").partition(" - at ")
    text = text[:1].lower() + text[1:]
    return f"{place.removeprefix('$').lstrip('.')}: {text}" if place.strip("$") else text
