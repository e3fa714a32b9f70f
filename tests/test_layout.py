"""The folders lie on top, the package links to them, and launch/ is data."""

from pathlib import Path

import pytest

from seesay.nodes.runtime import node_names

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ["nodes", "perception", "planner", "sim"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_is_linked_into_the_package(folder: str) -> None:
    link = ROOT / "seesay" / folder
    assert link.is_symlink()
    assert link.readlink() == Path("..") / folder
    assert (ROOT / folder / "__init__.py").is_file()


def test_the_package_links_to_nothing_else() -> None:
    assert sorted(path.name for path in (ROOT / "seesay").iterdir() if path.is_symlink()) == FOLDERS


def test_launch_holds_only_toml() -> None:
    """ROS 2 owns an import package called launch: a Python file here would shadow it."""
    assert {path.suffix for path in (ROOT / "launch").iterdir()} == {".toml"}


def test_files_stay_short_enough_to_read() -> None:
    files = [path for folder in ["seesay", *FOLDERS] for path in (ROOT / folder).rglob("*.py") if not path.parent.is_symlink()]
    assert {str(path.relative_to(ROOT)) for path in files if len(path.read_text().splitlines()) > 300} == set()


def test_each_node_is_wiring_only() -> None:
    nodes = node_names()
    assert {"camera", "detector", "memory", "planner", "record", "vocabulary"} < set(nodes)
    lengths = {name: len((ROOT / "nodes" / f"{name}.py").read_text().splitlines()) for name in nodes}
    assert {name: lines for name, lines in lengths.items() if lines > 80} == {}


def test_no_file_names_a_package_registry_or_a_local_path() -> None:
    """The set-up uses whatever registry pip and apt are configured for."""
    files = [ROOT / name for name in ["Makefile", "scripts/setup", ".ci/run", "constraints.txt", "pyproject.toml"]]
    words = ["--index-url", "--find-links", "file://", "pypi.org", "deb.debian.org"]
    assert [(path.name, word) for path in files for word in words if word in path.read_text()] == []
