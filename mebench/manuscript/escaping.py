"""Strangers' text made harmless for LaTeX, BibTeX and figures: it shows as it is written and does nothing.

What is written here compiles under pdflatex in the encodings OT1 and T1. A character that neither of them knows is
named by its number, `[U+4E2D]`, never dropped; Latin letters lose the accent that OT1 cannot set.
"""

import re
import unicodedata
from typing import Final

from mebench.errors import printable
from mebench.render import latex_cell

_LOWER, _UPPER = "αβγδεζηθικλμνξοπρστυφχψω", "ΓΔΘΛΞΠΣΦΨΩ"
_GREEK = (
    r"\alpha \beta \gamma \delta \epsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi o \pi \rho \sigma \tau "
    r"\upsilon \phi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Phi \Psi \Omega"
)
_SYMBOLS = r"\mu \leq \geq \neq \approx \rightarrow \leftarrow \infty ^{\circ} \times \div \cdot - ^2 ^3"
_MATHS: Final = dict(zip(_LOWER + _UPPER + "µ≤≥≠≈→←∞°×÷·−²³", f"{_GREEK} {_SYMBOLS}".split(), strict=True))
_QUOTES: Final = {"‘": "`", "’": "'", "“": "``", "”": "''", "—": "---", "…": r"\ldots{}"}
_PLAIN_LETTERS: Final = dict(
    zip(
        "ÐÞðþĐđĦħĸĿŀŉŊŋŦŧſĄąĘęĮįŲų",
        "D Th d th D d H h k L l n N n T t s A a E e I i U u".split(),
        strict=True,
    )
)
"""Letters of Latin-1 and Latin Extended-A that OT1 or LaTeX itself lacks (found by setting each of them)."""
_LIGATURES = re.compile(r"(?<=[-,'`?!])(?=[-,'`])")
"""Where two characters would be set as another one: `--` as a dash, ``?` `` as a turned question mark."""
_BREAK_AFTER = re.compile(r"([0-9a-f]{8}(?=[0-9a-f]{8})|[/,:._>|\\}](?=.)|=(?=[^=])|(?<=\w)-(?=\w))")
_TYPED: Final = {r"\textless{}": "<{}", r"\textgreater{}": ">{}"}
"""Typewriter letters have these themselves, while OT1 would take them from a font of maths that it lacks upright."""
_BREAK = "\0"  # which no printable text holds
_ACCENTED = range(0xC0, 0x180)


def latex_text(text: str) -> str:
    """The text for a paragraph or a table cell."""
    return "".join(_escaped(part) for part in re.split(r"([^\x20-\x7e])", printable(text)) if part)


def latex_code(text: str) -> str:
    """The text in typewriter letters, which may break after punctuation and within long digests."""
    shown = latex_name(text)
    for named, sign in _TYPED.items():
        shown = shown.replace(named, sign)
    return rf"\texttt{{{shown}}}"


def latex_name(text: str) -> str:
    """The text for a narrow column: it may break after punctuation and within long digests."""
    parts = _BREAK_AFTER.sub(rf"\1{_BREAK}", printable(text)).split(_BREAK)
    return r"\allowbreak{}".join(map(latex_text, parts))


def bib_text(text: str) -> str:
    r"""The text for a field of a BibTeX entry, which counts braces even behind a backslash."""
    return latex_text(text).replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}")


def figure_text(text: str) -> str:
    """The text for a figure: no dollar opens a formula, and no character is asked of the font that it may lack."""
    return "".join(_drawn(c) for c in printable(text))


def identifier(text: str) -> str:
    """Letters, digits and hyphens of the text: for file names, labels and citation keys."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-") or "x"


def _escaped(part: str) -> str:
    if len(part) > 1 or part.isascii():
        return _LIGATURES.sub("{}", latex_cell(part)) if '"' not in part else _quoted(part)
    if part in _MATHS:
        return f"${_MATHS[part]}$"
    if part in _QUOTES:
        return _QUOTES[part]
    if part in ("–", "±"):
        return latex_cell(part)
    if part in _PLAIN_LETTERS:
        return _PLAIN_LETTERS[part]
    known = ord(part) in _ACCENTED and part.isalpha()
    return part if known else rf"{{[}}U+{ord(part):04X}{{]}}"


def _quoted(part: str) -> str:
    """Straight double quotes become two closing ones each, which must stay together."""
    return "''".join(_LIGATURES.sub("{}", latex_cell(piece)) for piece in part.split('"'))


def _drawn(character: str) -> str:
    if character == "$":
        return r"\$"
    known = character.isascii() or ord(character) in _ACCENTED or character in _LOWER or character in "–—±×‘’“”…"
    return character if known else f"[U+{ord(character):04X}]"


__all__ = ["bib_text", "figure_text", "identifier", "latex_code", "latex_name", "latex_text"]
