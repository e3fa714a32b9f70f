"""What the embedded checkpoints are taught to read: colours, shapes, phrases, words that must match nothing, and the tokenizer."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "white", "black")
SHAPES = ("block", "bowl", "cup", "can", "ball", "plate")
SYNONYMS = {
    "block": ("block", "cube"), "bowl": ("bowl",), "cup": ("cup", "mug"), "can": ("can", "tin"), "ball": ("ball",), "plate": ("plate",)
}  # fmt: skip
TEMPLATES = ("{}", "a {}", "the {}", "a photo of a {}", "one {}", "this {}")
PAIRS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)

_STRANGERS = (
    "zebra cat dog horse bird fish tree flower car truck bus train bicycle boat plane chair table sofa bed lamp door window "
    "wall floor roof house street sky cloud sun moon person man woman child hand face eye shoe shirt hat coat glove book "
    "pen paper phone laptop keyboard mouse screen clock watch knife fork spoon bottle glass jar pan pot oven fridge sink "
    "towel soap brush apple banana lemon bread cheese egg meat rice cake tea coffee water milk juice key lock rope chain "
    "wheel engine hammer screw nail saw drill box bag basket bucket pillow blanket carpet mirror picture guitar piano drum "
    "robot gripper arm camera nothing something toy doll kite stone rock sand grass leaf"
)
STRANGERS = tuple(_STRANGERS.split())
OTHER_COLOURS = ("gray", "grey", "brown", "gold", "silver", "beige", "turquoise", "wooden", "striped", "transparent", "checkered", "metal")
HELD_OUT = frozenset(
    {("red", "cup"), ("green", "ball"), ("blue", "can"), ("yellow", "plate"), ("purple", "block"), ("orange", "bowl")}
)
"""Pairs whose names and pictures the evaluation-only checkpoint never meets; the same as in sim.scene."""
LENGTH = 16
"""Token limit of a prompt, start and end tokens included."""


def positives(colour: str, shape: str) -> tuple[tuple[str, str | None], ...]:
    """The (colour, shape) meanings that an object answers to."""
    return ((colour, shape), ("", shape), (colour, None))


def sample_prompts(rng: np.random.Generator, exclude: frozenset[tuple[str, str]], strangers: int = 12) -> tuple[list[str], np.ndarray]:
    """Prompts of one batch and what they mean.

    Returns the texts and a `(len(texts), 60) bool` matrix that says which colour-shape pairs each text matches.
    """
    texts: list[str] = []
    rows: list[list[bool]] = []

    def add(phrase: str, matches: list[bool]) -> None:
        texts.append(TEMPLATES[int(rng.integers(len(TEMPLATES)))].format(phrase))
        rows.append(matches)

    for colour, shape in PAIRS:
        if (colour, shape) not in exclude:
            add(f"{colour} {rng.choice(SYNONYMS[shape])}", [pair == (colour, shape) for pair in PAIRS])
    for shape in SHAPES:
        add(str(rng.choice(SYNONYMS[shape])), [s == shape for _, s in PAIRS])
    for colour in COLOURS:
        add(f"{colour} {rng.choice(['object', 'thing'])}", [c == colour for c, _ in PAIRS])
    for k in range(strangers):
        word = str(rng.choice(STRANGERS))
        if k % 3 == 0:
            word = f"{rng.choice(OTHER_COLOURS)} {rng.choice(SYNONYMS[SHAPES[int(rng.integers(len(SHAPES)))]])}"
        elif k % 3 == 1:
            word = f"{rng.choice(COLOURS)} {word}"
        add(word, [False] * len(PAIRS))
    return texts, np.array(rows)


def make_tokenizer() -> CLIPTokenizer:
    """Byte-level BPE in CLIP's format, learnt from the words above; every other text splits into pieces and bytes."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    words = set(STRANGERS) | set(COLOURS) | set(OTHER_COLOURS) | {w for names in SYNONYMS.values() for w in names}
    words |= {"a", "an", "the", "photo", "of", "one", "this", "object", "thing", "in", "on", "with", "and", "to", "at"}
    pieces = {w: [*w[:-1], w[-1] + "</w>"] for w in sorted(words)}
    merges: list[tuple[str, str]] = []
    important = {w for w in words if w not in STRANGERS}
    while True:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in pieces.items():
            for a, b in pairwise(parts):
                pairs[(a, b)] += 20 if word in important else 1
        if not pairs or (pairs.most_common(1)[0][1] < 3):
            break
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        for word, parts in pieces.items():
            merged, i = [], 0
            while i < len(parts):
                if i + 1 < len(parts) and (parts[i], parts[i + 1]) == best:
                    merged.append(parts[i] + parts[i + 1])
                    i += 2
                else:
                    merged.append(parts[i])
                    i += 1
            pieces[word] = merged
    symbols = sorted(ByteLevel.alphabet())
    tokens = ["<pad>", *symbols, *(s + "</w>" for s in symbols), *(a + b for a, b in merges), "<|startoftext|>", "<|endoftext|>"]
    tokens = list(dict.fromkeys(tokens))
    vocabulary: Any = {token: i for i, token in enumerate(tokens)}
    rules: Any = merges
    return CLIPTokenizer(vocab=vocabulary, merges=rules, pad_token="<pad>", unk_token="<|endoftext|>", model_max_length=LENGTH)
