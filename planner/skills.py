"""Skills as data: what a robot can be asked to do, in words, with arguments, conditions and effects."""

from __future__ import annotations

import itertools
import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from seesay.errors import SkillError

Relation = Literal["in", "on", "at"]
DONE = "done"


@dataclass(frozen=True)
class Form:
    """One way to say a skill: `phrase` with {argument} fields, the group that each argument ranges over, and its effect."""

    phrase: str
    arguments: Mapping[str, str]
    relation: Relation | None = None


@dataclass(frozen=True)
class Skill:
    """One skill. `name` is the executor's. `gripper` is what it must be before ("any", "empty", "full").

    picks, goes_to: arguments that are grasped and put to, "" for none. success: probability in [0, 1] where nothing speaks against it.
    """

    name: str
    forms: tuple[Form, ...]
    gripper: Literal["any", "empty", "full"] = "any"
    picks: str = ""
    goes_to: str = ""
    success: float = 1.0


@dataclass(frozen=True)
class Option:
    """One candidate: a skill with its arguments bound. `done` has no arguments and the skill name "done"."""

    phrase: str
    skill: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    relation: Relation | None = None


@dataclass(frozen=True)
class Example:
    """One turn of the prompt's dialogue: what a person asks, and the phrases of the steps without the final `done`."""

    instruction: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Library:
    """Skills over groups of objects and named places.

    objects: group -> names. places: name -> (x, y, z) metres in the world frame. place_groups: group -> names of places.
    done_phrase, done_affordance: how the end of a task is said, and its affordance (a constant in SayCan, arXiv:2204.01691).
    introduction, examples: start of the prompt's dialogue, over other things than those on the table.
    """

    name: str
    skills: tuple[Skill, ...]
    objects: Mapping[str, tuple[str, ...]]
    places: Mapping[str, tuple[float, float, float]]
    place_groups: Mapping[str, tuple[str, ...]]
    done_phrase: str = DONE
    done_affordance: float = 0.2
    introduction: str = ""
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def skill(self, name: str) -> Skill:
        """The skill of that name; SkillError if there is none."""
        for skill in self.skills:
            if skill.name == name:
                return skill
        raise SkillError(f"expected a skill of {self.name} ({', '.join(s.name for s in self.skills)}), got {name!r}: correct the name")

    def candidates(self) -> tuple[Option, ...]:
        """Every option, in a fixed order (skill, form, arguments as listed), `done` last."""
        options = []
        for skill, form in ((each, form) for each in self.skills for form in each.forms):
            for values in itertools.product(*(self._group(form, name) for name in form.arguments)):
                bound = dict(zip(form.arguments, values, strict=True))
                options.append(Option(form.phrase.format_map(bound), skill.name, MappingProxyType(bound), form.relation))
        return (*options, Option(self.done_phrase, DONE))

    def prompts(self) -> tuple[str, ...]:
        """Names of all objects: what perception must look for, in the order of the file."""
        return tuple(dict.fromkeys(name for names in self.objects.values() for name in names))

    def with_objects(self, **groups: Sequence[str]) -> Library:
        """The same skills over other objects, e.g. `with_objects(blocks=["pink block"])`; groups that are not named stay."""
        for group in groups:
            if group not in self.objects:
                raise SkillError(f"expected a group of {self.name} ({', '.join(self.objects)}), got {group!r}: correct the name")
        return replace(self, objects={**self.objects, **{group: tuple(names) for group, names in groups.items()}})

    def _group(self, form: Form, argument: str) -> tuple[str, ...]:
        group = form.arguments[argument]
        return tuple(self.objects[group] if group in self.objects else self.place_groups[group])


def load_library(source: str | Path = "tabletop") -> Library:
    """Read a skill library: the name of one that ships ("tabletop") or the path of a TOML file.

    Raises SkillError that names the file and what is wrong in it.
    """
    path = Path(__file__).parent / "libraries" / f"{source}.toml" if str(source).isidentifier() else Path(source)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SkillError(f"the skill file {path} cannot be read ({error.strerror}): give the path of a TOML file or `tabletop`") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SkillError(f"the skill file {path} is not TOML ({error}): correct that line") from error
    try:
        return _library(table)
    except SkillError as error:
        raise SkillError(f"{path}: {error}") from error


def _library(table: Mapping[str, Any]) -> Library:
    _known("the file", table, {"name", "done", "dialogue", "objects", "places", "place_groups", "skills"})
    dialogue = _typed(table, "dialogue", dict, {})
    _known("dialogue", dialogue, {"introduction", "examples"})
    done = _typed(table, "done", dict, {})
    return Library(
        name=_typed(table, "name", str),
        skills=tuple(_skill(entry) for entry in _typed(table, "skills", list)),
        objects={group: tuple(map(str, names)) for group, names in _typed(table, "objects", dict).items()},
        places={name: _position(name, value) for name, value in _typed(table, "places", dict, {}).items()},
        place_groups={group: tuple(map(str, names)) for group, names in _typed(table, "place_groups", dict, {}).items()},
        done_phrase=_typed(done, "phrase", str, DONE),
        done_affordance=float(_typed(done, "affordance", (int, float), 0.2)),
        introduction=_typed(dialogue, "introduction", str, ""),
        examples=tuple(_example(entry) for entry in _typed(dialogue, "examples", list, [])),
    )


def _example(entry: Any) -> Example:
    _known("an example", entry, {"instruction", "steps"})
    return Example(_typed(entry, "instruction", str), tuple(map(str, _typed(entry, "steps", list))))


def _skill(entry: Any) -> Skill:
    _known("a skill", entry, {"name", "forms", "gripper", "picks", "goes_to", "success"})
    forms = []
    for form in _typed(entry, "forms", list):
        _known("a form", form, {"phrase", "arguments", "relation"})
        forms.append(Form(_typed(form, "phrase", str), _typed(form, "arguments", dict, {}), form.get("relation")))
    return Skill(
        name=_typed(entry, "name", str),
        forms=tuple(forms),
        gripper=entry.get("gripper", "any"),
        picks=_typed(entry, "picks", str, ""),
        goes_to=_typed(entry, "goes_to", str, ""),
        success=float(_typed(entry, "success", (int, float), 1.0)),
    )


def _position(name: str, value: Any) -> tuple[float, float, float]:
    if not (isinstance(value, list) and len(value) == 3 and all(isinstance(x, int | float) for x in value)):
        raise SkillError(f"place {name!r}: expected [x, y, z] in metres, got {value!r}: correct it")
    return (float(value[0]), float(value[1]), float(value[2]))


def _known(what: str, table: Any, keys: set[str]) -> None:
    if not isinstance(table, dict):
        raise SkillError(f"{what}: expected a table, got {table!r}: correct it")
    for key in table:
        if key not in keys:
            raise SkillError(f"{what}: expected one of the keys {', '.join(sorted(keys))}, got {key!r}: correct or remove it")


def _typed(table: Mapping[str, Any], key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
    value = table.get(key, default)
    if not isinstance(value, kind) or isinstance(value, bool):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise SkillError(f"{key}: expected {names}, got {value!r}: correct it")
    return value


def _check(library: Library) -> None:
    """Raise SkillError unless groups, arguments and phrases fit together."""
    if not library.skills:
        raise SkillError(f"the library {library.name!r} has no skills: add one")
    groups = {*library.objects, *library.place_groups}
    for group, names in library.place_groups.items():
        for name in names:
            if name not in library.places:
                raise SkillError(f"place group {group!r}: expected a name from [places], got {name!r}: add its position")
    for skill in library.skills:
        if skill.gripper not in ("any", "empty", "full"):
            raise SkillError(f"skill {skill.name!r}: expected gripper to be any, empty or full, got {skill.gripper!r}: correct it")
        if not 0.0 <= skill.success <= 1.0:
            raise SkillError(f"skill {skill.name!r}: expected success within 0 and 1, got {skill.success}: correct it")
        for form in skill.forms:
            fields = {field for _, field, _, _ in string.Formatter().parse(form.phrase) if field is not None}
            if fields != set(form.arguments):
                raise SkillError(f"phrase {form.phrase!r}: expected fields {sorted(form.arguments)}, got {sorted(fields)}: make them agree")
            for group in form.arguments.values():
                if group not in groups:
                    raise SkillError(f"phrase {form.phrase!r}: expected a group ({', '.join(sorted(groups))}), got {group!r}: correct it")
            if form.relation not in (None, "in", "on", "at"):
                raise SkillError(f"phrase {form.phrase!r}: expected the relation in, on or at, got {form.relation!r}: correct it")
    if not 0.0 <= library.done_affordance <= 1.0:
        raise SkillError(f"expected the affordance of done within 0 and 1, got {library.done_affordance}: correct it")
    phrases = [option.phrase for option in library.candidates()]
    for phrase in phrases:
        if phrases.count(phrase) > 1:
            raise SkillError(f"expected every phrase once, got {phrase!r} {phrases.count(phrase)} times: change a phrase or a group")
