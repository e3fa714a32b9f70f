"""Conversion of the packaged model, with a small stand-in for the package."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seesay.errors import ModelError
from seesay.planner import gemma


def test_cache_directory_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert gemma.cache_dir() == tmp_path / "seesay" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert gemma.cache_dir() == Path.home() / ".cache" / "seesay" / "models"


def test_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModelError, match=r"pip install 'seesay\[lm\]'"):
        gemma.gemma_path(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damaged_package_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("transformers")

    def assemble(path: Path) -> Path:
        raise ValueError("Assembled file sha256 did not match expected value")

    monkeypatch.setattr(gemma, "_package", lambda: SimpleNamespace(MODEL_NAME="gemma.gguf", assemble=assemble))
    lines: list[str] = []
    with pytest.raises(ModelError, match="damaged"):
        gemma.gemma_path(tmp_path, lines.append)
    assert [path.name for path in tmp_path.iterdir()] == ["gemma3-270m.lock"]
    assert any("https://ai.google.dev/gemma/terms" in line for line in lines)


def test_converted_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []
    (tmp_path / "gemma3-270m-left-by-a-kill").mkdir()

    def convert(package: Any, scratch: Path) -> None:
        calls.append(scratch)
        (scratch / "model").mkdir()
        (scratch / "model" / "config.json").write_text("{}")

    monkeypatch.setattr(gemma, "_package", SimpleNamespace)
    monkeypatch.setattr(gemma, "_convert", convert)
    assert not gemma.is_converted(tmp_path)
    assert gemma.gemma_path(tmp_path) == gemma.gemma_path(tmp_path) == tmp_path / "gemma3-270m"
    assert len(calls) == 1
    assert gemma.is_converted(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gemma3-270m", "gemma3-270m.lock"]
