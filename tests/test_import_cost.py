"""What an import brings along, in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = {"cv2", "mujoco", "rich", "safetensors", "scipy", "torch", "transformers", "typer"}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import seesay", set[str]()),
        ("import seesay.messages, seesay.codec, seesay.bus", set[str]()),
        ("import seesay.perception", {"cv2", "scipy"}),
        ("import seesay.planner", set[str]()),
        ("import seesay.nodes.cli", set[str]()),
        ("import seesay.nodes.commands.app", {"typer", "rich"}),
    ],
)
def test_import_stays_light(statement: str, allowed: set[str]) -> None:
    assert loaded_by(statement) & HEAVY <= allowed


def test_the_core_needs_no_socket_library_until_a_bus_is_made() -> None:
    assert "zmq" not in loaded_by("import seesay")
