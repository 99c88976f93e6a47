"""Clip names as strangers write them, brought to `dataset/subject/name`.

One spelling per corpus: CASME II `1`, `01`, `sub01`; SAMM `6`, `006`; SMIC `1`, `s1`, `s01` and the challenge's
`s01_ne_01` for the `s1_ne_01` on disk. A name without corpus or subject is accepted only where it can be one clip
alone.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from mebench.errors import PredictionError


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How a corpus writes subjects and clips: what is accepted, and the owners' form of it."""

    subject: re.Pattern[str]
    subject_form: str
    clip: re.Pattern[str]
    clip_form: Callable[[re.Match[str]], str]

    def subject_of(self, number: str) -> str:
        """The subject of that number as the owners write it."""
        return self.subject_form.format(int(number))

    def __call__(self, subject: str | None, name: str) -> tuple[str | None, str] | None:
        """Subject, where either text states one, and clip name; None where they are none or contradict each other."""
        clip = self.clip.fullmatch(name)
        stated = self.subject.fullmatch(subject) if subject else None
        if not clip or (subject and not stated):
            return None
        subjects = {self.subject_of(number) for number in (stated and stated[1], clip["subject"]) if number}
        return (next(iter(subjects), None), self.clip_form(clip)) if len(subjects) < 2 else None


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII | re.IGNORECASE)


_SPELLINGS = {
    "casme2": _Spelling(
        _pattern(r"(?:sub|s)?0*(\d{1,2})"),
        "sub{:02d}",
        _pattern(r"(?:sub0*(?P<subject>\d{1,2})_)?EP(?P<rest>\d\d(?:_\d+){0,2}f?)"),
        lambda clip: f"EP{clip['rest'].lower()}",
    ),
    "samm": _Spelling(
        _pattern(r"0*(\d{1,3})"),
        "{:03d}",
        _pattern(r"0*(?P<subject>\d{1,3})_(?P<rest>\d_\d+)"),
        lambda clip: f"{int(clip['subject']):03d}_{clip['rest']}",
    ),
    "smic": _Spelling(
        _pattern(r"s?0*(\d{1,2})"),
        "s{:02d}",
        _pattern(r"s0*(?P<subject>\d{1,2})_(?P<kind>ne|po|sur)_0*(?P<number>\d{1,2})"),
        lambda clip: f"s{int(clip['subject'])}_{clip['kind'].lower()}_{int(clip['number']):02d}",
    ),
}
"""By corpus, the part of a dataset's name before its first hyphen: the modalities of SMIC share their names."""

_DATASET_NAMES = {"casmeii": "casme2", "smichs": "smic"}
"""Other ways to write a dataset, letters and digits alone."""


class Names:
    """The clips a file may speak of: those of the datasets, or the expected ones where annotations are at hand."""

    def __init__(self, datasets: Collection[str], expected: Iterable[str] | None) -> None:
        self._datasets = {_key(name): name for name in datasets}
        self._ids = None if expected is None else frozenset(expected)
        self._by_name: dict[tuple[str, str], list[str]] = {}
        for clip in sorted(self._ids or ()):
            dataset, _, rest = clip.partition("/")
            name = rest.rpartition("/")[2].partition("@")[0]
            self._by_name.setdefault((dataset, name), []).append(clip)

    def dataset(self, text: str) -> str | None:
        """The dataset a text names, however it writes it; None where it names none of these."""
        return self._datasets.get(_key(text))

    def clip_id(self, clip: str, dataset: str | None, subject: str | None) -> str:
        """The id of the clip that is meant; `clip` may be a name, `subject/name` or a whole id.

        Raises PredictionError where no clip, or more than one, answers to it.
        """
        if self._ids is not None and clip in self._ids:
            return clip
        *before, name = clip.replace("\\", "/").split("/")
        subject = before.pop() if before else subject
        dataset = before.pop() if before else dataset
        known = None if dataset is None else self.dataset(dataset)
        if before or (dataset is not None and known is None):
            raise PredictionError(
                f"{clip!r} is in no dataset of this protocol ({', '.join(self._datasets.values())}).",
                "Name clips as dataset/subject/name.",
            )
        found = sorted(set(self._candidates(name, known, subject)))
        if len(found) != 1:
            raise PredictionError(
                f"Clip {clip!r} answers to {', '.join(found[:3])}." if found else f"Clip {clip!r} is not a known clip.",
                "Name clips as dataset/subject/name, or give the columns that hold dataset and subject.",
            )
        return found[0]

    def _candidates(self, name: str, dataset: str | None, subject: str | None) -> Iterable[str]:
        for candidate in (dataset,) if dataset else self._datasets.values():
            spelled = _spelled(candidate, subject, name)
            if not spelled:
                continue
            whose, written = spelled
            if self._ids is not None:
                clips = self._by_name.get((candidate, written), ())
                yield from (clip for clip in clips if whose in (None, clip.split("/")[1]))
            elif whose is not None:
                yield f"{candidate}/{whose}/{written}"


def _spelled(dataset: str, subject: str | None, name: str) -> tuple[str | None, str] | None:
    spelling = _SPELLINGS.get(dataset.partition("-")[0])
    return spelling(subject, name) if spelling else (subject, name)


def _key(name: str) -> str:
    key = "".join(c for c in name.casefold() if c.isalnum())
    return _DATASET_NAMES.get(key, key)
