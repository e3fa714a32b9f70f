"""What makes the data that ships: `python -m scripts.NAME`."""
