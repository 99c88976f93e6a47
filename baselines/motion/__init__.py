"""Descriptors of optical flow."""
