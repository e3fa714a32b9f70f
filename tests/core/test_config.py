"""Launch files: what is right is typed, what is wrong is one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from seesay.config import NodeSpec, from_mapping, load_launch, parse_overrides
from seesay.errors import ConfigError

GOOD = """
[launch]
name = "tabletop"
description = "A table"

[nodes.detector]
run = "detector"
threads = 1
threshold = 0.5

[nodes.front]
run = "camera"
restart = "never"
"""


@dataclass(frozen=True)
class Crop:
    left: int = 0


@dataclass(frozen=True)
class Config:
    threshold: float = 0.1
    names: tuple[str, ...] = ("a",)
    crop: Crop = Crop()
    path: Path | None = None


def write(folder: Path, text: str) -> Path:
    path = folder / "x.toml"
    path.write_text(text)
    return path


def test_a_launch_file_is_read(tmp_path: Path) -> None:
    launch = load_launch(write(tmp_path, GOOD), {"detector.threshold": 0.7, "launch.clock": "sim", "front.camera": "front"})
    assert (launch.name, launch.description, launch.clock) == ("tabletop", "A table", "sim")
    assert launch.nodes == (
        NodeSpec("detector", "detector", threads=1, parameters={"threshold": 0.7}),
        NodeSpec("front", "camera", restart="never", parameters={"camera": "front"}),
    )
    with pytest.raises(ConfigError, match=r"x.toml \[nodes.front\]: expected the keys threshold, names, crop, path, got 'camera'"):
        launch.effective(lambda run: Config)


def test_fields_are_typed() -> None:
    made = from_mapping(Config, {"threshold": 1, "names": ["x", "y"], "crop": {"left": 3}, "path": "/tmp/x"}, "here")
    assert made == Config(1.0, ("x", "y"), Crop(3), Path("/tmp/x"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"treshold": 1}, r"here: expected the keys threshold, names, crop, path, got 'treshold'; did you mean 'threshold'\?"),
        ({"threshold": "high"}, "here: threshold: expected float, got str"),
        ({"crop": {"right": 1}}, "here crop: expected the keys left, got 'right'"),
        ({"crop": 3}, "here crop: expected a table, got int"),
        ({"names": ["x", 3]}, r"here: names\[1\]: expected str, got int"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_mapping(Config, values, "here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected at least one table"),
        ("[launch", "not valid TOML"),
        (GOOD + "[extra]", "expected the keys include, arguments, launch, nodes, got 'extra'"),
        (GOOD.replace('run = "camera"', ""), r"\[nodes.front\]: .*run"),
        (GOOD.replace("nodes.front", "nodes.'a b'"), "node name"),
        (GOOD.replace("threads = 1", 'threads = "many"'), "threads: expected int, got str"),
        (GOOD.replace("name =", "title ="), "got 'title'"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_launch(write(tmp_path, text))


def test_missing_file() -> None:
    with pytest.raises(ConfigError, match="No such file or directory; name a file"):
        load_launch("nowhere.toml")


def test_overrides_of_the_command_line() -> None:
    assert parse_overrides(["a.x=1", "a.y=clip.mp4", 'a.z=["front"]', "a.t=true", "a.e="]) == {
        "a.x": 1, "a.y": "clip.mp4", "a.z": ["front"], "a.t": True, "a.e": "",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_overrides(["a.x"])


@pytest.mark.parametrize("setting", ["nobody.x", "detector"])
def test_overrides_of_nothing(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ConfigError, match=f"setting {setting}: expected"):
        load_launch(write(tmp_path, GOOD), [f"{setting}=1"])
