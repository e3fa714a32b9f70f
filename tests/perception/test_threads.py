"""What promises to be safe to use from several threads is used from several threads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import torch

from seesay.messages import Embeddings, Header, PromptVectors, Remembered, Source
from seesay.perception.memory import VisualMemory, size_of
from seesay.perception.text import TextEncoder

THREADS = 8


class Letters:
    """A tokenizer whose tokens are letters."""

    pad_token_id = 0

    def __call__(self, texts: Sequence[str], **_: object) -> dict[str, list[list[int]]]:
        return {"input_ids": [[ord(letter) for letter in text] for text in texts]}


def slow_tower(ids: torch.Tensor) -> torch.Tensor:
    """The sum of each text's tokens, after a pause in which other threads get their turn."""
    time.sleep(0.005)
    return ids.sum(dim=1, keepdim=True).float()


def test_texts_of_several_threads_are_encoded_once_each() -> None:
    encoder = TextEncoder(Letters(), 16, slow_tower)

    def work(thread: int) -> bool:
        sets = [[f"{chr(97 + (thread + step) % 5)}{number}" for number in range(1 + step % 4)] for step in range(20)]
        return all(encoder(texts)[:, 0].tolist() == [sum(map(ord, text)) for text in texts] for texts in sets)

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(THREADS)))
    assert encoder.encoded == 5 * 4


def seen(camera: str, second: int) -> Remembered:
    header = Header(second * 10**9, source=Source(camera, second, second * 10**9))
    vectors, ones = np.full((16, 8), 100, np.int8), np.ones(16, np.float32)
    boxes = np.tile(np.array([1, 1, 9, 9], np.float32), (16, 1))
    return Remembered(header, Embeddings(header, "m", 48, 64, vectors, ones, 0 * ones, boxes))


def test_a_memory_is_filled_and_asked_by_several_threads() -> None:
    memory = VisualMemory(megabytes=40 * size_of(seen("a", 0)) / 1e6)
    question = PromptVectors(Header(0), "m", 0.5, ("cup",), np.ones((1, 8), np.float32))
    answers = SimpleNamespace(most=0)

    def work(thread: int) -> None:
        for step in range(60):
            if thread % 2:
                memory.add(seen(f"camera {thread}", step % 9))
            else:
                answers.most = max(answers.most, len(memory.ask(question)))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    kept = memory.pictures()
    assert len(kept) == len(memory) == 9 * THREADS // 2
    assert memory.megabytes * 1e6 == sum(map(size_of, kept))
    assert answers.most <= 40
