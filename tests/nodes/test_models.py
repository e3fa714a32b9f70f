"""`seesay models`: what is known of a network, and how another is fetched, or why not."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import huggingface_hub
import pytest
from typer.testing import CliRunner, Result

from seesay.errors import ModelError
from seesay.nodes.commands.app import app

ID = "google/owlvit-base-patch32"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments])


def refusal(*arguments: str) -> str:
    """The one sentence of a call that a person can mend."""
    error = call(*arguments).exception
    assert isinstance(error, ModelError)
    assert "\n" not in str(error)
    return str(error)


class Hub:
    """Stands for the hub: holds one network, and a cache that is empty until it is fetched."""

    def __init__(self, cache: Path, weights: str = "model.safetensors") -> None:
        self.cache, self.weights = cache, weights
        self.asked: list[str] = []

    def snapshot_download(self, name: str, allow_patterns: list[str] | None = None, local_files_only: bool = False) -> str:
        folder = self.cache / "snapshot"
        if local_files_only:
            if name != ID or not folder.is_dir():
                raise FileNotFoundError(name)
            return str(folder)
        if name != ID:
            raise huggingface_hub.errors.HFValidationError(f"404: no {name}")
        assert allow_patterns is not None
        self.asked += allow_patterns
        folder.mkdir()
        (folder / "config.json").write_text('{"model_type": "owlvit"}')
        (folder / "README.md").write_text("# A card\n")
        (folder / self.weights).write_bytes(bytes(2_000_000))
        return str(folder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub that is reached, whatever this host's network is."""
    stand_in = Hub(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", stand_in.snapshot_download)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    return stand_in


def test_info_tells_what_the_card_says() -> None:
    (found,) = json.loads(call("info", "detector", "--json").output)
    assert (found["model"]["name"], found["model"]["kind"], found["family"]) == ("embedded", "detector", "owlvit")
    assert found["card"].startswith("# owlvit-tabletop")
    text = call("info", "owlvit-tabletop").output
    assert "Kind: detector\nFamily: owlvit\nState: ready\n" in text
    assert "Licence: Apache-2.0." in text
    assert [one["model"]["kind"] for one in json.loads(call("info", "embedded", "--json").output)] == ["detector", "segmenter"]
    assert "Gemma Terms of Use" in call("info", "gemma3-270m").output


def test_info_of_an_unknown_name_names_those_there_are(hub: Hub) -> None:
    assert "expected one of embedded, detector, segmenter, gemma3-270m, language model, a folder" in refusal("info", "nothing")
    assert "expected a config.json with a model_type" in refusal("info", str(hub.cache))


def test_what_was_fetched_is_known_from_then_on(hub: Hub) -> None:
    assert "an id that was fetched" in refusal("info", ID)
    assert call("fetch", ID).output == f"{ID}: detector, 2.0 MB in {hub.cache / 'snapshot'}\n"
    assert not {"*.bin", "*.py", "*.pt"} & set(hub.asked)
    (found,) = json.loads(call("info", ID, "--json").output)
    assert (found["model"]["name"], found["model"]["kind"], found["card"]) == (ID, "detector", "# A card")


def test_fetch_says_offline_in_one_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror("Name or service not known")

    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    sentence = f"cannot fetch '{ID}': this host does not reach the Hugging Face hub (Name or service not known); connect it to the network"
    assert sentence in refusal("fetch", ID)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "(HF_HUB_OFFLINE is set)" in refusal("fetch", ID)
    assert hub.asked == []


def test_fetch_refuses_what_is_no_model_or_has_no_safe_weights(hub: Hub) -> None:
    assert "expected a Hugging Face id" in refusal("fetch", "./here/there")
    assert "check the id" in refusal("fetch", "google/nothing")
    hub.weights = "pytorch_model.bin"
    assert "expected weights as safetensors" in refusal("fetch", ID)
