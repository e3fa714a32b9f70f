"""The commands of `seesay`: cli_*.py say what may be typed, the others do it."""
