"""BibTeX of what a manuscript rests on: corpora, methods, protocols, and the statistics.

Corpora bring entries of their own. A method's or a protocol's citation is free text: it becomes the note of a `@misc`,
word for word, for nothing in it says which part is the author and which the title.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mebench import plugins
from mebench.corpora import dataset
from mebench.errors import MebenchError
from mebench.manuscript.escaping import bib_text, identifier
from mebench.manuscript.finished import Finished, Group
from mebench.version import __version__

_ENTRY = re.compile(r"@\w+\{([A-Za-z][\w:.+/-]*),")
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"{}\\%#,;]*[^\s\"{}\\%#,;.)]")
_ARXIV = re.compile(r"arXiv[:\s]*(\d{4}\.\d{4,5})", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_SURNAME = re.compile(r"([A-Z][\w'’-]+)")

SOFTWARE, BOOTSTRAP, SCORES = "mebench", "efron1993bootstrap", "see2019megc"
_OWN = {
    SOFTWARE: f"""@misc{{{SOFTWARE},
  title = {{mebench: a benchmark for facial micro-expression recognition}},
  author = {{{{The mebench authors}}}},
  note = {{Version {__version__}}}
}}""",
    BOOTSTRAP: f"""@book{{{BOOTSTRAP},
  author = {{Efron, Bradley and Tibshirani, Robert J.}},
  title = {{An Introduction to the Bootstrap}},
  publisher = {{Chapman and Hall}}, year = {{1993}}
}}""",
    SCORES: f"""@inproceedings{{{SCORES},
  author = {{See, John and Yap, Moi Hoon and Li, Jingting and Hong, Xiaopeng and Wang, Su-Jing}},
  title = {{{{MEGC}} 2019: The Second Facial Micro-Expressions Grand Challenge}},
  booktitle = {{14th IEEE International Conference on Automatic Face and Gesture Recognition}}, year = {{2019}},
  doi = {{10.1109/FG.2019.8756611}}
}}""",
}


@dataclass
class Bibliography:
    """Entries by citation key, each entered once."""

    entries: dict[str, str] = field(default_factory=lambda: dict(_OWN))

    def corpus(self, name: str) -> str | None:
        """The key of a corpus's own entry; None where its reader is not installed or brings none that is whole."""
        try:
            entry = str(dataset(name).citation).strip()
        except MebenchError:
            return None
        found = _ENTRY.match(entry)
        if not found or not balanced(entry):
            return None
        self.entries[found[1]] = entry
        return found[1]

    def cited(self, citation: str, name: str, url: str = "") -> str | None:
        """The key of a free citation; None for a sentence that cites nothing: no DOI, no arXiv number, no address."""
        doi, arxiv = _DOI.search(f"{citation} {url}"), _ARXIV.search(f"{citation} {url}")
        if not (doi or arxiv or url.startswith("http")):
            return None
        same = doi and next((key for key, text in self.entries.items() if doi[0].casefold() in text.casefold()), None)
        if same:
            return same
        fields = {"note": bib_text(citation)}
        if doi:
            fields["doi"] = doi[0]
        elif arxiv:
            fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"}
        else:
            fields["howpublished"] = rf"\url{{{_plain_url(url)}}}"
        return self._enter(_key(citation, name), fields)

    def text(self) -> str:
        """The `.bib` file, entries by key."""
        return "\n\n".join(self.entries[key] for key in sorted(self.entries)) + "\n"

    def _enter(self, wanted: str, fields: Mapping[str, str]) -> str:
        """The key under which an entry of these fields stands, a new one where the wanted one is taken."""
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
            key = wanted + suffix
            entry = f"@misc{{{key},\n{body}\n}}"
            if self.entries.setdefault(key, entry) == entry:
                return key
        raise AssertionError(wanted)


def cite(keys: Iterable[str | None]) -> str:
    r"""`~\cite{a,b}` for the keys there are; nothing for none."""
    known = list(dict.fromkeys(key for key in keys if key))
    return rf"~\cite{{{','.join(known)}}}" if known else ""


def method_key(bibliography: Bibliography, one: Finished) -> str | None:
    """The key of what the model names as its source."""
    return bibliography.cited(str(one.facts["source"]), one.entry.model)


def protocol_keys(bibliography: Bibliography, group: Group) -> list[str | None]:
    """The keys of the papers a protocol names."""
    protocol = group.asked.protocol
    return [bibliography.cited(paper.citation, protocol.name, paper.url) for paper in protocol.papers]


def corpus_title(name: str) -> str:
    """The corpus's name as its owners write it; the reader's where that is not installed."""
    try:
        found: Any = plugins.load("dataset", name)
    except MebenchError:
        return name
    return str(found.title)


def balanced(entry: str) -> bool:
    """Whether braces close as they open, as BibTeX counts them."""
    depth = 0
    for character in entry:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


def _key(citation: str, name: str) -> str:
    """`zhao2007lbp-top`: first surname and year where there are any, and the method's name."""
    surname, years = _SURNAME.search(citation), _YEAR.findall(citation)
    author = identifier(surname[1]).replace("-", "") if surname else ""
    return f"{author}{years[-1] if years else ''}{'-' if author else ''}{identifier(name)}"


def _plain_url(url: str) -> str:
    """An address without what LaTeX or BibTeX would read as their own."""
    return re.sub(r"[\\{}%#\s~^]", "", url)


__all__ = [
    "BOOTSTRAP",
    "SCORES",
    "SOFTWARE",
    "Bibliography",
    "balanced",
    "cite",
    "corpus_title",
    "method_key",
    "protocol_keys",
]
