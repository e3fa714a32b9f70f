"""Write the reference of `seesay.perception` from its docstrings: `python -m scripts.perception_reference`."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import FunctionType
from typing import Any

import seesay.perception

PAGE = Path(__file__).parents[1] / "docs" / "perception_reference.md"
WIDTH = 120
HEAD = """# Reference of `seesay.perception`

Written from the docstrings by `python -m scripts.perception_reference`. How the parts play together: [perception.md](perception.md).
"""


class _Written:
    """An annotation as it stands in the source."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def page() -> str:
    """The reference: every public name with its signature and docstring, classes with their public methods."""
    parts = [HEAD]
    for name in seesay.perception.__all__:
        parts += [f"## {name}\n", *_entry(name, getattr(seesay.perception, name))]
    return "\n".join(part for part in parts if part)


def _entry(name: str, thing: Any) -> list[str]:
    if isinstance(thing, FunctionType):
        return [_code(name + _signature(thing)), _text(thing)]
    if not isinstance(thing, type):
        return [_code(f"{name} = {thing!r}")]
    protocol = getattr(thing, "_is_protocol", False)
    lines = [_code(f"class {name}" + ("" if protocol else _signature(thing))), _text(thing)]
    for member, value in vars(thing).items():
        if member.startswith("_") and member != "__call__":
            continue
        if isinstance(value, property):
            getter: Any = value.fget
            lines += [f"### {name}.{member}\n", _code(f"{member}: {inspect.signature(getter).return_annotation}"), _text(value)]
        elif isinstance(value, FunctionType | classmethod | staticmethod):
            lines += [f"### {name}.{member}\n", _code(member + _signature(getattr(thing, member))), _text(value)]
    return lines


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_Written(parameter.annotation)) if isinstance(parameter.annotation, str) else parameter
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    returns = signature.return_annotation
    returned = f" -> {returns}" if isinstance(returns, str) and returns != "None" else ""
    line = f"({', '.join(map(str, parameters))}){returned}"
    if len(line) <= WIDTH:
        return line
    return "(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){returned}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"


def _text(thing: Any) -> str:
    said = inspect.cleandoc(thing.__doc__ or "")
    return f"{said}\n" if said else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
