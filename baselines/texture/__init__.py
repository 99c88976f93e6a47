"""Texture descriptors: local binary patterns and gradients over space and time."""
