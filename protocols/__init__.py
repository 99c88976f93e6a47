"""Installs as mebench.protocols."""

if __name__ != "mebench.protocols":
    raise ImportError("This folder installs as mebench.protocols; import it by that name.")
