"""A GGUF file as the language model: a tiny llama written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay.errors import ModelError
from seesay.planner.backends import load_scorer

gguf = pytest.importorskip("gguf")
pytest.importorskip("accelerate")

TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abpickdone", "pi", "ck", "pick", "do", "ne", "done"]


def write_gguf(path: Path) -> None:
    """Random weights, a sentencepiece tokenizer with byte fallback."""
    writer, size, rng = gguf.GGUFWriter(str(path), "llama"), 32, np.random.default_rng(0)
    for name, value in {
        "context_length": 128, "embedding_length": size, "block_count": 2, "feed_forward_length": 48, "head_count": 2, "head_count_kv": 2,
        "layer_norm_rms_eps": 1e-5, "rope_dimension_count": 16, "rope_freq_base": 1e4, "vocab_size": len(TOKENS),
        "tokenizer_model": "llama", "token_list": TOKENS, "token_scores": [-float(i) for i in range(len(TOKENS))],
        "token_types": [2, 3, 3] + [6] * 256 + [1] * (len(TOKENS) - 259), "bos_token_id": 1, "eos_token_id": 2, "unk_token_id": 0,
    }.items():  # fmt: skip
        getattr(writer, f"add_{name}")(value)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(TOKENS), size), "output_norm": (size,), "output": (len(TOKENS), size)}
    for block in ("blk.0", "blk.1"):
        shapes |= {f"{block}.{name}_norm": (size,) for name in ("attn", "ffn")}
        shapes |= {f"{block}.attn_{name}": (size, size) for name in ("q", "k", "v", "output")}
        shapes |= {f"{block}.ffn_gate": (48, size), f"{block}.ffn_up": (48, size), f"{block}.ffn_down": (size, 48)}
    for name, shape in shapes.items():
        values = np.ones(shape) if name.endswith("norm") else rng.normal(size=shape) * 0.3
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_gguf_file_scores_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "tiny.gguf"
    write_gguf(file)
    scorer: Any = load_scorer(str(file))
    assert scorer.tree
    phrases = ["pick", "done", "do"]
    got = scorer.score("a b pick ", phrases)
    assert got == pytest.approx(scorer.score_naive("a b pick ", phrases), abs=1e-4)
    assert len(set(got)) == 3
    (converted,) = (path for path in (tmp_path / "cache/seesay/models").iterdir() if path.is_dir())
    stamp = (converted / "config.json").stat().st_mtime_ns
    assert load_scorer(str(file)).score("a b pick ", phrases) == got
    assert (converted / "config.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("content", [None, b"", b"GGUF but not really", b"\0" * 4096])
def test_unreadable_gguf_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "broken.gguf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match="GGUF file") as caught:
        load_scorer(str(file))
    assert "\n" not in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_dir() and path.name.startswith("gguf-")] == []
