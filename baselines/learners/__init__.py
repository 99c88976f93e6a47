"""Classifiers that search their parameters inside the training fold."""
