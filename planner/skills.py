"""Skills as data: what a robot can be asked to do, in words, with arguments, conditions and effects."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from seesay.errors import SkillError
from seesay.planner.calibration import Calibration, DoneRule, library_file, load_calibration
from seesay.planner.conditions import Condition
from seesay.planner.skill_checks import DONE as DONE
from seesay.planner.skill_checks import check
from seesay.planner.toml_lines import Misplaced, line_of, part
from seesay.planner.toml_values import known, numbers, typed
from seesay.planner.vocabulary import Vocabulary, read_verb, read_words

T = TypeVar("T")
Relation = Literal["in", "on", "at"]


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
    searches: argument that need not be seen, "" for none. needs, effects: conditions before and after it. useful: conditions without which
    it can be done and rarely serves. undoes: skill whose result it takes back if it comes right after it, "" for none.
    """

    name: str
    forms: tuple[Form, ...]
    gripper: Literal["any", "empty", "full"] = "any"
    picks: str = ""
    goes_to: str = ""
    success: float = 1.0
    searches: str = ""
    needs: tuple[Condition, ...] = ()
    effects: tuple[Condition, ...] = ()
    useful: tuple[Condition, ...] = ()
    undoes: str = ""


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
    done_phrase, done_affordance: how the end of a task is said, and its affordance (a constant in SayCan, arXiv:2204.01691) where
    `done_rule` knows nothing better.
    introduction, examples: start of the prompt's dialogue, over other things than those on the table.
    reach: (x low, y low, x high, y high) metres in the world frame where the robot gets to. calibration: of its affordances, None for none.
    vocabulary: by which errands are read (`seesay.planner.errands`).
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
    reach: tuple[float, float, float, float] = (-0.21, -0.16, 0.21, 0.16)
    calibration: Calibration | None = None
    vocabulary: Vocabulary = field(default_factory=Vocabulary)

    def __post_init__(self) -> None:
        check(self)

    @property
    def done_rule(self) -> DoneRule:
        """The affordance of `done`: that of the calibration, where there is one."""
        return self.calibration.done if self.calibration else DoneRule()

    def skill(self, name: str) -> Skill:
        """The skill of that name; SkillError if there is none."""
        for skill in self.skills:
            if skill.name == name:
                return skill
        raise SkillError(f"expected a skill of {self.name} ({', '.join(s.name for s in self.skills)}), got {name!r}: correct the name")

    def candidates(self) -> tuple[Option, ...]:
        """Every option, in a fixed order (skill, form, arguments as listed), `done` last."""
        options = [
            Option(form.phrase.format_map(bound), skill.name, MappingProxyType(bound), form.relation)
            for skill in self.skills
            for form in skill.forms
            for bound in self._bindings(form)
        ]
        return (*options, Option(self.done_phrase, DONE))

    def phrases(self, form: Form) -> list[str]:
        """A form's phrase with its arguments bound to each combination of names."""
        return [form.phrase.format_map(bound) for bound in self._bindings(form)]

    def prompts(self) -> tuple[str, ...]:
        """Names of all objects: what perception must look for, in the order of the file."""
        return tuple(dict.fromkeys(name for names in self.objects.values() for name in names))

    def with_objects(self, **groups: Sequence[str]) -> Library:
        """The same skills over other objects, e.g. `with_objects(blocks=["pink block"])`; groups that are not named stay."""
        for group in groups:
            if group not in self.objects:
                raise SkillError(f"expected a group of {self.name} ({', '.join(self.objects)}), got {group!r}: correct the name")
        objects = {**self.objects, **{group: tuple(names) for group, names in groups.items()}}
        there = {*self.places, *itertools.chain(*objects.values())}
        return replace(self, objects=objects, vocabulary=self.vocabulary.over(there))

    def _bindings(self, form: Form) -> list[dict[str, str]]:
        groups = (self._group(form, name) for name in form.arguments)
        return [dict(zip(form.arguments, values, strict=True)) for values in itertools.product(*groups)]

    def _group(self, form: Form, argument: str) -> tuple[str, ...]:
        return tuple({**self.place_groups, **self.objects}[form.arguments[argument]])


def load_library(source: str | Path = "tabletop") -> Library:
    """Read a skill library: the name of one that ships ("tabletop", "kitchen") or the path of a TOML file.

    The calibration is that of NAME.calibration.json beside it, where there is one.
    Raises SkillError that names the file, the line and what is wrong there.
    """
    path = library_file(source)
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise SkillError(f"the skill file {path} cannot be read ({error.strerror}): give the path of a TOML file or `tabletop`") from error
    except (ValueError, RecursionError) as error:
        raise SkillError(f"the skill file {path} is not TOML ({error}): correct that line") from error
    try:
        library = _library(table)
    except (SkillError, ValueError) as error:   # ValueError: a number of more digits than Python writes
        line = line_of(text, error.path) if isinstance(error, Misplaced) else 1
        raise SkillError(f"{path}, line {line}: {error}") from error
    return replace(library, calibration=load_calibration(path.with_suffix(".calibration.json")))


def _library(table: Mapping[str, Any]) -> Library:
    known("the file", table, {"name", "done", "dialogue", "objects", "places", "place_groups", "reach", "skills", "words", "errands"})
    dialogue = typed(table, "dialogue", dict, {})
    known("dialogue", dialogue, {"introduction", "examples"})
    done = typed(table, "done", dict, {})
    names, kinds = read_words(typed(table, "words", dict, {}))
    return Library(
        name=typed(table, "name", str),
        skills=_each(table, "skills", _skill),
        objects={group: tuple(map(str, names)) for group, names in typed(table, "objects", dict).items()},
        places={name: _position(name, value) for name, value in typed(table, "places", dict, {}).items()},
        place_groups={group: tuple(map(str, names)) for group, names in typed(table, "place_groups", dict, {}).items()},
        done_phrase=typed(done, "phrase", str, DONE),
        done_affordance=float(typed(done, "affordance", (int, float), 0.2)),
        introduction=typed(dialogue, "introduction", str, ""),
        examples=_each(dialogue, "examples", _example, "dialogue"),
        reach=_reach(table),
        vocabulary=Vocabulary(_each(table, "errands", read_verb), names, kinds),
    )


def _each(table: Mapping[str, Any], key: str, read: Callable[[Any], T], *above: str) -> tuple[T, ...]:
    """`read` of each entry of the list under `key`, which stands in the tables `above`."""
    entries = []
    for number, entry in enumerate(typed(table, key, list, [])):
        with part(*above, key, number):
            entries.append(read(entry))
    return tuple(entries)


def _example(entry: Any) -> Example:
    known("an example", entry, {"instruction", "steps"})
    return Example(typed(entry, "instruction", str), tuple(map(str, typed(entry, "steps", list))))


def _skill(entry: Any) -> Skill:
    known("a skill", entry, {each.name for each in fields(Skill)})
    return Skill(
        name=typed(entry, "name", str),
        forms=_each(entry, "forms", _form),
        gripper=entry.get("gripper", "any"),
        picks=typed(entry, "picks", str, ""),
        goes_to=typed(entry, "goes_to", str, ""),
        success=float(typed(entry, "success", (int, float), 1.0)),
        searches=typed(entry, "searches", str, ""),
        needs=_each(entry, "needs", Condition.read),
        effects=_each(entry, "effects", Condition.read),
        useful=_each(entry, "useful", Condition.read),
        undoes=typed(entry, "undoes", str, ""),
    )


def _form(entry: Any) -> Form:
    known("a form", entry, {"phrase", "arguments", "relation"})
    return Form(typed(entry, "phrase", str), typed(entry, "arguments", dict, {}), entry.get("relation"))


def _reach(table: Mapping[str, Any]) -> tuple[float, float, float, float]:
    value = typed(table, "reach", list, list(Library.reach))
    if not (numbers(value, 4) and value[0] < value[2] and value[1] < value[3]):
        raise Misplaced(f"reach: expected [x low, y low, x high, y high] in metres, got {value!r}: correct it", ("reach",))
    x_low, y_low, x_high, y_high = map(float, value)
    return (x_low, y_low, x_high, y_high)


def _position(name: str, value: Any) -> tuple[float, float, float]:
    if not numbers(value, 3):
        raise Misplaced(f"place {name!r}: expected [x, y, z] in metres, got {value!r}: correct it", ("places", name))
    return (float(value[0]), float(value[1]), float(value[2]))
