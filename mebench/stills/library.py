"""The corpora of stills by name, from the entry-point group `mebench.stills`."""

from mebench import plugins
from mebench.errors import UnknownName
from mebench.stills.records import StillCorpus


def still_corpus(name: str) -> StillCorpus:
    """The reader of this corpus of stills; raises UnknownName where there is none."""
    known = plugins.names("still")
    if name not in known:
        raise UnknownName("corpus of stills", name, known)
    found: StillCorpus = plugins.load("still", name)
    return found


__all__ = ["still_corpus"]
