"""One exception tree.

    MebenchError                  exit status 1: the data or a model is at fault
    ├── DataError                 a corpus, its annotation, its frames
    │   ├── AnnotationError       workbook or folder tree cannot be read as the corpus it should be
    │   ├── CorrectionError       a corrections file contradicts itself or the corpus
    │   ├── CountError            a corpus does not hold what its named release holds
    │   ├── FrameError            a frame is missing, broken or of another size
    │   └── StoreError            a stored clip is damaged or absent
    ├── ProtocolError             a protocol or suite file is wrong
    ├── ModelError                a model breaks its contract or cannot be loaded
    ├── PredictionError           a predictions file is wrong: duplicate, unknown clip, unknown class
    ├── RunError                  a run cannot be resumed, mixed or read
    └── UsageError                exit status 2: the command line is wrong
        └── UnknownName           no corpus, protocol, model or run of that name

Every error carries two sentences: what happened, with the offending value and where; and what to do next.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MebenchError(Exception):
    """What happened (`what`) and what to do next (`fix`); `exit_status` is what the command line returns."""

    exit_status = 1

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.what = shortened(printable(what).strip())
        self.fix = shortened(printable(fix).strip())

    def __str__(self) -> str:
        return f"{self.what}\n{self.fix}"


class DataError(MebenchError):
    """A corpus, its annotation or its frames are at fault."""


class AnnotationError(DataError):
    """A workbook or folder tree cannot be read as the corpus it should be."""


class CorrectionError(DataError):
    """A corrections file contradicts itself or the corpus."""


class CountError(DataError):
    """A corpus does not hold what its named release holds."""


class FrameError(DataError):
    """A frame is missing, broken or of another size."""


class StoreError(DataError):
    """A stored clip is damaged or absent."""


class ProtocolError(MebenchError):
    """A protocol or suite file is wrong."""


class ModelError(MebenchError):
    """A model breaks its contract or cannot be loaded."""


class PredictionError(MebenchError):
    """A predictions file is wrong."""


class RunError(MebenchError):
    """A run cannot be resumed, mixed or read."""


class UsageError(MebenchError):
    """The command line is wrong."""

    exit_status = 2


class UnknownName(UsageError):  # noqa: N818  reads as what it says: no such name
    """No corpus, protocol, model or run of that name; the nearest known names are offered."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        offer = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names) or 'none'}."
        super().__init__(f"No {kind} named {name!r}.", offer)
        self.kind = kind
        self.name = name
        self._known = names

    def __reduce__(self) -> tuple[type["UnknownName"], tuple[str, str, list[str]]]:
        return (type(self), (self.kind, self.name, self._known))


LONGEST = 2_000
"""Characters of a sentence: the longest list of known names has 800; a file may hold a value of millions."""


def shortened(text: str) -> str:
    """The text, its middle left out where it is longer than any sentence: quoted input does not fill a screen."""
    half = LONGEST // 2 - 10
    return text if len(text) <= LONGEST else f"{text[:half]} [...] {text[-half:]}"


def printable(text: str) -> str:
    """The text on one line, characters that do not print written out: no input forges output or moves the cursor."""
    return "".join(c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in text)
