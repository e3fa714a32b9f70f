"""Benchmarks: one module per claim; `python -m benchmarks.NAME` shows a table, `--json` prints one JSON object as the last line."""
