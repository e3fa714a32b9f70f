"""Launch files made of others: includes and arguments, each mistake in one sentence."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from seesay._launch_table import substitute
from seesay.config import Argument, declared_arguments, load_launch
from seesay.errors import ConfigError

BASE = """
[arguments]
camera = { default = "0", help = "Which camera" }
rate = { default = 5.0 }
wide = { default = false }
[launch]
name = "base"
[nodes.camera]
run = "camera"
source = "${camera}"
label = "${camera} at ${rate}, ${wide}"
rate_hz = "${rate}"
wide = "${wide}"
[nodes.camera.remap]
image = "raw"
[nodes.camera.environment]
DEVICE = "${camera}"
[nodes.view]
run = "view"
"""
TOP = """
include = ["base.toml"]
[arguments]
camera = { default = "1" }
place = { help = "Where it stands" }
[launch]
name = "top"
[nodes.camera]
namespace = "${place}"
restart = "always"
[nodes.camera.remap]
depth = "far"
"""


@dataclass(frozen=True)
class Crop:
    left: int = 0


@dataclass(frozen=True)
class Config:
    source: str = ""
    label: str = ""
    rate_hz: float = 1.0
    wide: bool = False
    crop: Crop = Crop()
    other: str | None = None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / "top.toml").write_text(TOP)
    return tmp_path


def test_arguments_keep_the_type_of_their_default(folder: Path) -> None:
    camera = load_launch(folder / "base.toml").nodes[0]
    assert camera.parameters == {"source": "0", "label": "0 at 5.0, false", "rate_hz": 5.0, "wide": False}
    camera = load_launch(folder / "base.toml", arguments={"camera": "2", "rate": "3", "wide": "true"}).nodes[0]
    assert camera.parameters == {"source": "2", "label": "2 at 3.0, true", "rate_hz": 3.0, "wide": True}
    assert camera.environment == {"DEVICE": "2"}


def test_what_a_file_says_replaces_what_it_includes(folder: Path) -> None:
    launch = load_launch(folder / "top.toml", ["view.run=other"], {"place": "left"})
    camera, view = launch.nodes
    assert (launch.name, camera.run, camera.namespace, camera.restart, view.run) == ("top", "camera", "left", "always", "other")
    assert camera.remap == {"image": "raw", "depth": "far"}
    assert camera.parameters["source"] == "1"
    assert [argument.name for argument in declared_arguments(folder / "top.toml")] == ["camera", "rate", "wide", "place"]
    assert declared_arguments(folder / "top.toml")[0] == Argument("camera", "1", "Which camera")


def test_shipped_files_can_be_included(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('include = ["webcam.toml"]\n[nodes.camera]\nrate_hz = 10.0\n')
    launch = load_launch(tmp_path / "mine.toml", arguments={"camera": "3"})
    assert launch.name == "webcam"
    assert launch.nodes[0].parameters["source"] == "3"
    assert launch.nodes[0].parameters["rate_hz"] == 10.0


def test_the_effective_configuration_is_a_launch_file(folder: Path) -> None:
    launch = load_launch(folder / "top.toml", arguments={"place": "left"}).effective(lambda run: Config)
    assert launch.nodes[1].parameters == {"source": "", "label": "", "rate_hz": 1.0, "wide": False, "crop": {"left": 0}, "other": None}
    (folder / "again.toml").write_text(tomli_w.dumps(launch.table()))
    assert load_launch(folder / "again.toml").effective(lambda run: Config).nodes == launch.nodes


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("", {"cam": "1"}, r"expected the arguments camera, rate, wide, got 'cam'; did you mean 'camera'\?"),
        ("", {"camera.source": "1"}, "with --set NODE.KEY=VALUE"),
        ("", {"rate": "fast"}, "argument rate: expected a number such as 5.0, got 'fast'"),
        ("", {"wide": "1"}, "argument wide: expected true or false such as False, got '1'"),
        ('[arguments.must]\nhelp = "a word"', {}, "expected a value for the argument 'must'; add must:=VALUE"),
        ('[arguments]\nx = "1"', {}, r"\[arguments.x\]: expected a table with default and help, got '1'"),
        ('[arguments.x]\nhlep = "1"', {}, r"\[arguments.x\]: expected the keys name, default, help, got 'hlep'"),
        ('[nodes.view]\nkey = "${nothing}"', {}, r"expected \$\{NAME\} of the arguments camera, rate, wide, got \$\{nothing\}"),
        ('include = "base.toml"', {}, r'expected include = \["other.toml"\]'),
        ('include = ["none.toml"]', {}, "none.toml: No such file"),
        ('include = ["x.toml"]', {}, "do not include one another, got x.toml -> x.toml"),
        ('nodes = 3', {}, r"expected a table \[nodes\], got int"),
        ('[nodes.view]\nrestart = "sometimes"', {}, "restart: .*'sometimes'"),
        ('[nodes.view]\nmax_restarts = -1', {}, "max_restarts of 0 or more"),
        ('[nodes.view]\nnamespace = "a b"', {}, "namespace and remap"),
        ('[nodes.view.environment]\nA = 3', {}, "environment.*expected str, got int"),
    ],
)  # fmt: skip
def test_wrong_files_are_named(folder: Path, text: str, arguments: dict[str, str], message: str) -> None:
    includes = "" if text.startswith(("include", "nodes")) else 'include = ["base.toml"]\n'
    (folder / "x.toml").write_text(includes + text)
    with pytest.raises(ConfigError, match=message):
        load_launch(folder / "x.toml", arguments=arguments)


def test_cycles_and_floods_are_refused(folder: Path) -> None:
    (folder / "a.toml").write_text('include = ["b.toml"]')
    (folder / "b.toml").write_text('include = ["a.toml"]')
    with pytest.raises(ConfigError, match=r"got a.toml -> b.toml -> a.toml; take one include out"):
        load_launch(folder / "a.toml")
    for level in range(10):
        (folder / f"l{level}.toml").write_text(f'include = ["l{level + 1}.toml", "l{level + 1}.toml"]')
    with pytest.raises(ConfigError, match="at most 8 deep and 64 in all"):
        load_launch(folder / "l0.toml")
    (folder / "big.toml").write_text("#" * (1 << 20) + "\n#")
    with pytest.raises(ConfigError, match="at most 1048576 bytes"):
        load_launch(folder / "big.toml")
    (folder / "many.toml").write_text("".join(f'[nodes.n{i}]\nrun = "x"\n' for i in range(257)))
    with pytest.raises(ConfigError, match="at most 256 nodes, got 257"):
        load_launch(folder / "many.toml")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_given_text_arrives_as_it_is(text: str) -> None:
    assert substitute({"x": "${a}", "y": ["<${a}>"]}, [Argument("a")], {"a": text}, "") == {"x": text, "y": [f"<{text}>"]}
    assert tomllib.loads(tomli_w.dumps({"x": text}))["x"] == text
