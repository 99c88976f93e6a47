"""Trained weights: files that say what they saw, known by their content and never by their name."""

from mebench.weights.files import WeightFile, load_weights

__all__ = ["WeightFile", "load_weights"]
