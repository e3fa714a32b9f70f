"""What commands share: text of a person into values and messages, values into text of a terminal."""

from __future__ import annotations

import csv
import io
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from seesay.config import from_mapping
from seesay.errors import ConfigError, MessageError
from seesay.nodes.plain import dumps, plain

M = TypeVar("M")

MAX_TEXT = 1 << 20
_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(-?\d+)\]")


def say(text: str) -> None:
    """Print a line now: a program may wait for it at the other end of a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Print a line for a person beside what a program may read."""
    sys.stderr.write(f"{text}\n")


def topic_name(name: str) -> str:
    """The name as the bus has it: ROS 2 puts a slash in front."""
    return name.removeprefix("/")


def parse(text: str) -> Any:
    """The value of a text in YAML, of which JSON is a part. Raises ConfigError."""
    import yaml

    if len(text) > MAX_TEXT:
        raise ConfigError(f"value: expected at most {MAX_TEXT} characters, got {len(text)}")
    if re.search(r"(^|[\s\[{,:-])[&*]\w", text):
        raise ConfigError(f"value: expected YAML without anchors (&name, *name), got {text[:60]!r}; write the value out")
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"value: expected YAML or JSON such as '{{text: hello}}', got {text[:60]!r}: {error}") from error


def to_yaml(value: Any) -> str:
    """YAML text of plain values, as ros2 prints messages: keys in their order, short lists in one line."""
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None, width=140)
    return text.removesuffix("...\n").rstrip("\n")


def make_message(kind: type[M], text: str, where: str) -> M:
    """The message of type `kind` that the text gives the fields of; a header that is left out, or `auto`, is stamped now.

    Raises ConfigError that names the field.
    """
    values = parse(text) if text else {}
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected the fields of {kind.__name__} such as '{{field: value}}', got {text[:60]!r}")
    header = values.get("header") or {}
    values["header"] = {"stamp_ns": time.monotonic_ns()} | ({} if header == "auto" else header)
    try:
        return from_mapping(kind, values, where)
    except MessageError as error:
        raise ConfigError(f"{where}: {error}") from error


def split_type(words: Sequence[str], kind: str, example: str) -> str:
    """`[TYPE] VALUES` as ros2 has it: the type is known here, so it may be left out. Returns the values. Raises ConfigError."""
    if len(words) == 2 and re.split(r"[/.]", words[0])[-1] != kind:
        raise ConfigError(f"type: expected {kind}, got {words[0]!r}; leave it out")
    if len(words) > 2:
        raise ConfigError(f"expected [TYPE] VALUES such as {example}, got {len(words)} words; quote the values")
    if len(words) == 1 and re.split(r"[/.]", words[0])[-1] == kind:
        return ""
    return words[-1] if words else ""


def field_of(message: Any, path: str) -> Any:
    """The field at a path such as `objects[0].position`. Raises ConfigError that names the fields there are."""
    value, rest = message, path
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise ConfigError(f"field: expected a path such as header.stamp_ns or objects[0].label, got {path!r}")
        rest = rest[step.end() :]
        value = _part(value, step[1] or "", step[2] or "", path)
    return value


def _part(value: Any, name: str, index: str, path: str) -> Any:
    if index:
        if not hasattr(value, "__getitem__") or isinstance(value, dict | str):
            raise ConfigError(f"field {path}: expected a list before [{index}], got {type(value).__name__}")
        try:
            return value[int(index)]
        except IndexError:
            return None
    names = list(value) if isinstance(value, dict) else list(getattr(value, "__dataclass_fields__", ()))
    if name not in names:
        raise ConfigError(f"field {path}: expected one of {', '.join(names) or '(none)'}, got {name!r}")
    return value[name] if isinstance(value, dict) else getattr(value, name)


def to_csv(value: Any, whole: bool = False) -> str:
    """The leaves of a message or value in one line, as `ros2 topic echo --csv` has it; long arrays as their shape unless `whole`."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(_leaves(plain(value, whole)))
    return line.getvalue()


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and value.keys() == {"shape", "dtype"}:
        yield f"<array of shape {value['shape']}, {value['dtype']}>"
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield value


def shown(value: Any, as_json: bool, whole: bool = False) -> str:
    """One message or value as `--json` or a person wants it."""
    return dumps(plain(value, whole)) if as_json else to_yaml(plain(value, whole))
