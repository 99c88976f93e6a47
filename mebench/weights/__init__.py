"""Trained weights: files that say what they saw, known by their content and never by their name."""
