"""Prompts as people write them, what they ask for in full, and the object names that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seesay.errors import PromptError
from seesay.messages import Prompt
from seesay.perception.trees import plant

CLIP_TEMPLATES = (
    "itap of a {}.", "a bad photo of the {}.", "a origami {}.", "a photo of the large {}.", "a {} in a video game.", "art of the {}.",
    "a photo of the small {}.",
)  # fmt: skip
"""The seven templates of CLIP's authors that work best together, with which OWL-ViT's evaluate: `Prompt("mug", CLIP_TEMPLATES)`."""

_OPENINGS = ("a photo of a ", "a photo of an ", "a photo of the ", "this ", "the ", "an ", "a ")


def clean(prompts: Sequence[str]) -> tuple[str, ...]:
    """The prompts with surrounding and repeated blanks removed, in their order.

    Raises PromptError as `listed` does, and for an empty prompt.
    """
    cleaned = tuple(" ".join(str(prompt).split()) for prompt in listed(prompts))
    for number, prompt in enumerate(cleaned, start=1):
        if not prompt:
            raise PromptError(f"expected words in every prompt, got an empty one at place {number}; name a thing, such as 'a red block'")
    return cleaned


def listed(prompts: Sequence[str | Prompt]) -> tuple[str | Prompt, ...]:
    """The prompts as they are. Raises PromptError for a text where a list belongs, and for what is no text."""
    if isinstance(prompts, str):
        raise PromptError(f"expected a list of prompts, got the text {prompts!r}; write [{prompts!r}]")
    if not isinstance(prompts, Iterable):
        raise PromptError(f"expected a list of prompts, got {prompts!r}; write ['a red block']")
    given = tuple(prompts)
    for number, prompt in enumerate(given, start=1):
        _check_text(prompt, number)
    return given


def full(prompts: Sequence[str | Prompt]) -> tuple[Prompt, ...]:
    """Every prompt as a Prompt, in their order, with those of a tree in its place.

    Raises PromptError as `listed` does, and for a tree that cannot be read.
    """
    return tuple(branch.prompt for branch in plant(listed(prompts)).walk())


def _check_text(prompt: object, number: int) -> None:
    if not isinstance(prompt, str | Prompt):
        raise PromptError(f"expected a text or a Prompt at place {number}, got {prompt!r}; name a thing, such as 'a red block'")
    try:
        (prompt if isinstance(prompt, str) else prompt.text).encode()
    except UnicodeEncodeError as error:
        raise PromptError(f"expected whole characters in every prompt, got {prompt!r} at place {number}; read it as UTF-8") from error


def words_alone(prompts: Sequence[str | Prompt]) -> list[str]:
    """The texts, for a model that reads nothing else. Raises PromptError for a prompt with templates or examples."""
    for prompt in full(prompts):
        if prompt.templates or prompt.examples:
            raise PromptError(f"expected a text for this model, got {prompt.text!r} with templates or pictures; an OWL-ViT takes these")
    return [prompt.text for prompt in full(prompts)]


def label(prompt: str) -> str:
    """The name of the thing that a prompt asks for: `"a photo of a red block"` and `"the red block"` give `"red block"`."""
    name = " ".join(prompt.split()).rstrip(".")
    for opening in _OPENINGS:
        if name.lower().startswith(opening) and len(name) > len(opening):
            return name[len(opening) :]
    return name
