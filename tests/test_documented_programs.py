"""The programs of the README and of examples/ run as they are printed."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "examples" / "tabletop.png"


def output(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_of_the_readme() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    output("-c", program + "\nassert found.boxes.shape[1] == 4 and masks.starts.shape == (2,)")


def test_the_picture_of_the_readme_holds_what_is_asked_for() -> None:
    lines = output("examples/01_find_things.py", str(PICTURE), "a red block", "the green bowl").splitlines()
    bowl, block, block_mask, bowl_mask = lines  # boxes by score, masks by prompt
    assert block.startswith("a red block: 0.")
    assert bowl.startswith("the green bowl: 0.")
    assert all(400 < int(line.split()[-2]) < 8000 for line in (block_mask, bowl_mask))
