"""Installs as mebench.protocols.published."""

if __name__ != "mebench.protocols.published":
    raise ImportError("This folder installs as mebench.protocols.published; import it by that name.")
