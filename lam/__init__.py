"""Installs as mebench.lam."""

if __name__ != "mebench.lam":
    raise ImportError("This folder installs as mebench.lam; import it by that name.")
