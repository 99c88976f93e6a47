"""Bad input by the thousand: every reader is given seeded, mutated files, and each outcome is judged.

`python -m tests.fuzz` sweeps and prints the table; `python -m tests.fuzz --replay READER SEED` gives one input again.
An input is determined by its reader's name and its seed alone.
"""
