"""The tables behind a launch file: included files merged, arguments put in. Everything read is bounded."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seesay.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 8
MAX_FILES = 64
MAX_NODES = 256

Table = dict[str, Any]

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_KINDS = {str: "text", bool: "true or false", int: "an integer", float: "a number", list: "a list"}


@dataclass(frozen=True)
class Argument:
    """What a launch file may be given: `name:=value` of the default's type; without a default it is text and has to be given."""

    name: str
    default: str | bool | int | float | list[Any] | None = None
    help: str = ""


def shipped_folder() -> Path:
    """`seesay/launch` in an installed package, `launch/` in a checkout."""
    installed = Path(__file__).absolute().parent / "launch"
    return installed if installed.is_dir() else Path(__file__).resolve().parent.parent / "launch"


def read(path: Path) -> Table:
    """The table of a launch file with those that it includes merged in: what the file itself says replaces what they say, key by key.

    An included file lies beside the one that names it, or ships with the package. Raises ConfigError.
    """
    table = _read(path, [], [0])
    if len(table.get("nodes", {})) > MAX_NODES:
        raise ConfigError(f"{path}: expected at most {MAX_NODES} nodes, got {len(table['nodes'])}; split the system")
    return table


def substitute(table: Table, arguments: Iterable[Argument], given: Mapping[str, str], where: str) -> Table:
    """Return the table with every `${name}` in its texts replaced; a text that is nothing else becomes the argument's value.

    given: texts by name, as on a command line. Raises ConfigError for names that are not declared, missing values and wrong types.
    """
    values: dict[str, Any] = {}
    declared = {argument.name: argument for argument in arguments}
    for name in given:
        if name not in declared:
            cure = "; change a parameter of a node with --set NODE.KEY=VALUE" if "." in name else near(name, declared)
            raise ConfigError(f"{where}: expected the arguments {', '.join(declared) or '(none)'}, got {name!r}{cure}")
    for argument in declared.values():
        if argument.name in given:
            values[argument.name] = _typed(argument, given[argument.name], where)
        elif argument.default is not None:
            values[argument.name] = argument.default
        else:
            raise ConfigError(f"{where}: expected a value for the argument {argument.name!r}; add {argument.name}:=VALUE ({argument.help})")
    return {key: _put_in(value, values, where) for key, value in table.items()}


def check_keys(mapping: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise ConfigError that names the known keys if there is another one."""
    known = list(known)
    for key in mapping:
        if key not in known:
            raise ConfigError(f"{where}: expected the keys {', '.join(known) or '(none)'}, got {key!r}{near(key, known)}")


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` where one of `known` is close."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _read(path: Path, chain: list[Path], count: list[int]) -> Table:
    count[0] += 1
    file = path.resolve()
    if file in chain:
        names = " -> ".join(step.name for step in [*chain[chain.index(file):], file])
        raise ConfigError(f"{chain[-1]}: expected files that do not include one another, got {names}; take one include out")
    if len(chain) >= MAX_DEPTH or count[0] > MAX_FILES:
        raise ConfigError(f"{path}: expected includes at most {MAX_DEPTH} deep and {MAX_FILES} in all; include fewer files")
    table = _load(path)
    check_keys(table, ["include", "arguments", "launch", "nodes"], str(path))
    included = table.pop("include", [])
    if not isinstance(included, list) or not all(isinstance(name, str) for name in included):
        raise ConfigError(f'{path}: expected include = ["other.toml"], got {included!r}')
    for key in ("arguments", "launch", "nodes"):
        if not isinstance(table.get(key, {}), dict):
            raise ConfigError(f"{path}: expected a table [{key}], got {type(table[key]).__name__}")
    merged: Table = {}
    for name in included:
        merged = _merge(merged, _read(_find(name, path), [*chain, file], count))
    return _merge(merged, table)


def _load(path: Path) -> Table:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"launch file {path}: {error.strerror}; name a file that can be read") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"launch file {path}: expected at most {MAX_BYTES} bytes; include smaller files")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"launch file {path}: not valid TOML: {error}") from error


def _find(name: str, includer: Path) -> Path:
    beside = includer.parent / name
    return beside if beside.is_file() or not (shipped_folder() / name).is_file() else shipped_folder() / name


def _merge(below: Table, above: Table) -> Table:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _typed(argument: Argument, text: str, where: str) -> Any:
    if argument.default is None or isinstance(argument.default, str):
        return text
    kind = type(argument.default)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where}: argument {argument.name}: expected {_KINDS[kind]} such as {argument.default!r}, got {text!r}")
    return value


def _put_in(value: Any, values: Mapping[str, Any], where: str) -> Any:
    if isinstance(value, dict):
        return {key: _put_in(item, values, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_put_in(item, values, where) for item in value]
    if not isinstance(value, str):
        return value

    def one(name: str) -> Any:
        if name not in values:
            known = ", ".join(values) or "(none)"
            raise ConfigError(f"{where}: expected ${{NAME}} of the arguments {known}, got ${{{name}}}{near(name, values)}")
        return values[name]

    whole = _REFERENCE.fullmatch(value)
    if whole:
        return one(whole[1])
    return _REFERENCE.sub(lambda match: _text(one(match[1])), value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
