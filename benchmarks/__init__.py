"""Benchmarks: one module per claim; `python -m benchmarks.NAME` shows a table, `--json` prints one JSON object as the last line."""

import seesay.sim  # noqa: F401  chooses the OpenGL before MuJoCo is imported
