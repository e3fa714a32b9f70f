"""What a skill library must be: groups, arguments, conditions and phrases that fit together."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from seesay.errors import SkillError
from seesay.planner.toml_lines import Misplaced, part
from seesay.planner.vocabulary import check_vocabulary

if TYPE_CHECKING:
    from seesay.planner.skills import Form, Library, Skill

DONE = "done"
LONGEST_PHRASE = 200


def check(library: Library) -> None:
    """Raise SkillError unless groups, arguments and phrases fit together."""
    if not library.skills:
        raise SkillError(f"the library {library.name!r} has no skills: add one")
    for group, names in library.place_groups.items():
        for name in names:
            if name not in library.places:
                raise Misplaced(f"expected a name from [places], got {name!r}: add its position", ("place_groups", group))
    for number, skill in enumerate(library.skills):
        with part("skills", number):
            if skill.name == DONE:
                raise Misplaced(f"expected another name than {DONE!r}, which ends a task: rename the skill", ("name",))
            if skill.name in [other.name for other in library.skills[:number]]:
                raise Misplaced(f"expected every skill once, got {skill.name!r} again: rename one", ("name",))
            _check_skill(skill, library, {*library.objects, *library.place_groups})
    check_vocabulary(library.vocabulary, library.prompts(), library.places)
    if not 0.0 <= library.done_affordance <= 1.0:
        raise Misplaced(f"expected the affordance of done within 0 and 1, got {library.done_affordance}: correct it", ("done",))
    seen: set[str] = {library.done_phrase}
    for i, skill in enumerate(library.skills):
        for j, form in enumerate(skill.forms):
            for phrase in library.phrases(form):
                where = ("skills", i, "forms", j, "phrase")
                if not phrase.isprintable() or phrase != phrase.strip() or len(phrase) > LONGEST_PHRASE:
                    what = f"phrases of at most {LONGEST_PHRASE} characters on one line without blanks around them"
                    raise Misplaced(f"{skill.name}: expected {what}, got {phrase[:80]!r}: change the phrase or a name", where)
                if phrase in seen:
                    raise Misplaced(f"{skill.name}: expected every phrase once, got {phrase!r} again: change a phrase or a group", where)
                seen.add(phrase)
    if len(seen) == 1:
        raise Misplaced(f"the skills of {library.name!r} have no option but {library.done_phrase!r}: fill the groups", ("objects",))


def _check_skill(skill: Skill, library: Library, groups: set[str]) -> None:
    if skill.gripper not in ("any", "empty", "full"):
        raise Misplaced(f"expected gripper to be any, empty or full, got {skill.gripper!r}: correct it", ("gripper",))
    if not 0.0 <= skill.success <= 1.0:
        raise Misplaced(f"expected success within 0 and 1, got {skill.success}: correct it", ("success",))
    if not skill.forms:
        raise Misplaced(f"{skill.name}: expected at least one phrase: add one under [[skills.forms]]", ("name",))
    for number, form in enumerate(skill.forms):
        with part("forms", number):
            _check_form(form, groups)
    arguments = {argument for form in skill.forms for argument in form.arguments}
    for key in ("picks", "goes_to", "searches", "needs", "effects", "useful"):
        value = getattr(skill, key)
        for name in [value] if isinstance(value, str) else [condition.name for condition in value]:
            if name and name not in arguments and (isinstance(value, str) or name not in library.places):
                raise Misplaced(f"{key}: expected an argument ({', '.join(sorted(arguments))}), got {name!r}: correct it", (key,))
    if skill.undoes and skill.undoes not in [each.name for each in library.skills]:
        raise Misplaced(f"undoes: expected the name of a skill, got {skill.undoes!r}: correct it", ("undoes",))


def _check_form(form: Form, groups: set[str]) -> None:
    try:
        fields = list(string.Formatter().parse(form.phrase))
    except ValueError as error:
        raise Misplaced(f"phrase {form.phrase!r}: {error}: correct the braces", ("phrase",)) from error
    if any(spec or conversion for _, _, spec, conversion in fields):
        raise Misplaced(f"phrase {form.phrase!r}: expected plain fields such as {{object}}: take off what follows the name", ("phrase",))
    named = {name for _, name, _, _ in fields if name is not None}
    if not form.phrase.strip() or named != set(form.arguments):
        message = f"phrase {form.phrase!r}: expected fields {sorted(form.arguments)}, got {sorted(named)}: make them agree"
        raise Misplaced(message, ("phrase",))
    for group in form.arguments.values():
        if group not in list(groups):   # it may be anything that TOML has, a list too
            message = f"phrase {form.phrase!r}: expected a group ({', '.join(sorted(groups))}), got {group!r}: correct it"
            raise Misplaced(message, ("arguments",))
    if form.relation not in (None, "in", "on", "at"):
        raise Misplaced(f"phrase {form.phrase!r}: expected the relation in, on or at, got {form.relation!r}: correct it", ("relation",))
