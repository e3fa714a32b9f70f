"""Values of a TOML file, checked as they are taken, so that an error says what was expected and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seesay.errors import SkillError
from seesay.planner.toml_lines import Misplaced

_HUGE = 1e9
"""TOML has whole numbers larger than any float."""


def numbers(value: Any, count: int) -> bool:
    """Whether it is a list of so many finite numbers."""
    return isinstance(value, list) and len(value) == count and all(isinstance(x, int | float) and abs(x) <= _HUGE for x in value)


def known(what: str, table: Any, keys: set[str]) -> None:
    """Raise SkillError unless it is a table of these keys at most."""
    if not isinstance(table, dict):
        raise SkillError(f"{what}: expected a table, got {table!r}: correct it")
    for key in table:
        if key not in keys:
            raise Misplaced(f"{what}: expected one of the keys {', '.join(sorted(keys))}, got {key!r}: correct or remove it", (key,))


def typed(table: Mapping[str, Any], key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
    """The value under a key. Raises Misplaced unless it is of that kind."""
    value = table.get(key, default)
    if not isinstance(value, kind) or isinstance(value, bool) or (isinstance(value, int) and abs(value) > _HUGE):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise Misplaced(f"{key}: expected {names}, got {value!r}: correct it", (key,))
    return value
