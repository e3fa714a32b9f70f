"""Training of the embedded checkpoints from rendered pictures: `python -m seesay.perception.training DATA --out STATE`."""
