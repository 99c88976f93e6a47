"""Evidence and speed, measured: run `python -m benchmarks.NAME`."""
