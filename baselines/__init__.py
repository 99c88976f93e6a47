"""Installs as mebench.baselines."""

if __name__ != "mebench.baselines":
    raise ImportError("This folder installs as mebench.baselines; import it by that name.")
