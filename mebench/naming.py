"""Clip names as strangers write them, brought to `dataset/subject/name`.

One spelling per corpus: CASME II `1`, `01`, `sub01`; SAMM `6`, `006`; SMIC `1`, `s1`, `s01` and the challenge's
`s01_ne_01` for the `s1_ne_01` on disk. Case does not matter, a hyphen, point or blank stands for `_`, and a clip may be
given as the path of its film, its folder or one of its frames. A name without corpus or subject is accepted only where
it can be one clip alone.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
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
        _pattern(r"(?:sub(?:ject)?|s)?[ _-]?0*(\d{1,2})"),
        "sub{:02d}",
        _pattern(r"(?:sub0*(?P<subject>\d{1,2})_)?EP(?P<rest>\d\d(?:_\d+){0,2}f?)"),
        lambda clip: f"EP{clip['rest'].lower()}",
    ),
    "samm": _Spelling(
        _pattern(r"(?:sub(?:ject)?|s)?[ _-]?0*(\d{1,3})"),
        "{:03d}",
        _pattern(r"0*(?P<subject>\d{1,3})_(?P<rest>\d_\d+)"),
        lambda clip: f"{int(clip['subject']):03d}_{clip['rest']}",
    ),
    "smic": _Spelling(
        _pattern(r"(?:sub(?:ject)?|s)?[ _-]?0*(\d{1,2})"),
        "s{:02d}",
        _pattern(r"s0*(?P<subject>\d{1,2})_(?P<kind>ne|po|sur)_0*(?P<number>\d{1,2})"),
        lambda clip: f"s{int(clip['subject'])}_{clip['kind'].lower()}_{int(clip['number']):02d}",
    ),
}
"""By corpus, the part of a dataset's name before its first hyphen: the modalities of SMIC share their names."""

_SUFFIX = re.compile(r"\.(avi|mp4|mov|mkv|wmv|mat|npy|npz|zip|jpe?g|png|bmp|tiff?|csv|txt)$", re.IGNORECASE)
_SEPARATORS = re.compile(r"[-\s.]+")
"""What stands for `_` in the clip names of the corpora, which hold neither of these."""

_ELSEWHERE = frozenset("casme casme2squared casmesq2 casme3 mmew 4dme dfme ck ckplus jaffe fer2013 rafdb".split())
"""Corpora that no clip name tells from those we read: a path that goes through one of them is of it."""
_MODALITIES = frozenset({"vis", "nir"})
_OTHER_SMIC = ("vis", "nir", "e")
"""What follows `smic` in the names of its other modalities and of SMIC-E, whose clips bear the same names."""

_ANY_SUBJECT = re.compile(r"\w[\w.-]*")

_DATASET_NAMES = {"casmeii": "casme2", "smichs": "smic"}
"""Other ways to write a dataset, letters and digits alone."""


def canonical_subject(dataset: str, text: str) -> str | None:
    """The subject as the owners of the corpus write it: `1` of CASME II is `sub01`; None for what can be none."""
    spelling = _SPELLINGS.get(dataset.partition("-")[0])
    if spelling is None:
        return text if _ANY_SUBJECT.fullmatch(text) else None
    match = spelling.subject.fullmatch(text)
    return spelling.subject_of(match[1]) if match else None


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
        """The id of the clip that is meant; `clip` may be a name, `subject/name`, a whole id, or the path of a file.

        Raises PredictionError where no clip, or more than one, answers to it.
        """
        if self._ids is not None and clip in self._ids:
            return clip
        parts, is_file = _parts(clip)
        find = self._path if is_file or len(parts) > 3 else _short
        dataset, subject, name = find(parts, dataset, subject)
        known = None if dataset is None else self.dataset(dataset) or self.dataset(self._dataset_in([dataset]) or "")
        if dataset is not None and known is None:
            raise PredictionError(
                f"{clip!r} is in no dataset of this protocol ({', '.join(self._datasets.values())}).",
                "Name clips as dataset/subject/name.",
            )
        found = sorted(set(self._candidates(name, known, subject)))
        if len(found) != 1:
            datasets = (known,) if known else self._datasets.values()
            nobody = self._ids is None and any(_spelled(one, subject, name) for one in datasets)
            unknown = f"Clip {clip!r} {'does not say whose it is' if nobody else 'is not a known clip'}."
            raise PredictionError(
                f"Clip {clip!r} answers to {', '.join(found[:3])}." if found else unknown,
                "Name clips as dataset/subject/name, or give the columns that hold dataset and subject.",
            )
        return found[0]

    def _path(
        self, parts: Sequence[str], dataset: str | None, subject: str | None
    ) -> tuple[str | None, str | None, str]:
        """Dataset, subject and clip name in the parts of a path; folders that name none of them are passed over."""
        *before, name = parts
        if before and not any(_spelled(one, None, name) for one in self._datasets.values()):
            *before, name = before  # the last was a frame in the clip's folder
        if dataset is None:
            dataset = self._dataset_in(before)
        if subject is None and before:
            spelled = any(canonical_subject(one, before[-1]) for one in self._datasets.values())
            subject = before[-1] if spelled else None
        return dataset, subject, name

    def _dataset_in(self, folders: Sequence[str]) -> str | None:
        """The dataset one of the folders is named after, `CASME2_RAW_selected` too; None where none is.

        A corpus that is not ours to read, or a modality of SMIC, counts before the others.
        """
        keys = {_key(folder): folder for folder in folders}
        for key, folder in keys.items():
            if key in _ELSEWHERE and key not in self._datasets:
                return folder
            if key in _MODALITIES and any(name.startswith("smic") for name in self._datasets):
                return f"smic-{key}"
        known = [k for key in keys for k in self._datasets if _is_drop_of(k, key)]
        return self._datasets[max(known, key=len)] if known else None

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


def _is_drop_of(dataset: str, folder: str) -> bool:
    """Whether a folder's key is the dataset's, or the dataset's with words after it, such as `casme2rawselected`."""
    rest = folder.removeprefix(dataset)
    if folder == dataset or rest == folder or not rest[0].isalpha():
        return folder == dataset
    return not (dataset == "smic" and rest.startswith(_OTHER_SMIC))


def _parts(clip: str) -> tuple[list[str], bool]:
    """The parts of a path without drive and dots, and whether it ended in the suffix of a file, which is left out."""
    parts = [part for part in re.split(r"[\\/]+", clip.strip()) if part not in ("", ".", "..") and part[-1] != ":"]
    name, suffixes = _SUFFIX.subn("", parts[-1]) if parts else ("", 0)
    return [*parts[:-1], name], suffixes > 0


def _short(parts: Sequence[str], dataset: str | None, subject: str | None) -> tuple[str | None, str | None, str]:
    *before, name = parts
    subject = before.pop() if before else subject
    return before.pop() if before else dataset, subject, name


def _spelled(dataset: str, subject: str | None, name: str) -> tuple[str | None, str] | None:
    spelling = _SPELLINGS.get(dataset.partition("-")[0])
    return spelling(subject, _SEPARATORS.sub("_", name)) if spelling else (subject, name)


def _key(name: str) -> str:
    key = "".join(c for c in name.casefold() if c.isalnum())
    return _DATASET_NAMES.get(key, key)
