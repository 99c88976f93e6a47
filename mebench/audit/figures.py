"""The figures of a file of predictions: scores beside classes, printed claims, guessing, and the mark of selection."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from mebench.api import aggregate_of
from mebench.audit.chance import chance_of
from mebench.audit.findings import Finding, listed
from mebench.audit.lines import FileQuestion, Lines
from mebench.errors import UsageError
from mebench.peeking import Folds, peek
from mebench.plausibility import Between, uf1_range
from mebench.predictions import Prediction, Predictions
from mebench.render import figure
from mebench.scoring import ALL, Scores, score_predictions

CLAIMS = ("uf1", "uar", "accuracy", "weighted_f1")
_TIE = 1e-9
EPOCHS = (1, 3, 10, 30, 100, 300, 1000)
"""Draws per subject that guessing is compared at; 30 to 800 is what published training keeps the best of."""
FEWEST_SUBJECTS = 12
"""Below, subjects are too few to tell a course with their number of clips from luck at p = .001."""
_PERMUTATIONS = 9999
_SUSPECT = 0.001


def scores(lines: Lines, question: FileQuestion) -> Finding:
    classes = question.protocol.classes
    rows = [r for r in lines.rows if r.predicted is not None and not any(map(math.isnan, r.scores)) and r.scores]
    if not rows:
        return Finding("scores", "not applicable", "no row has a score for every class")
    if question.protocol.multilabel:
        return Finding("scores", "not applicable", "of several classes per clip, none has to be the highest")
    other = [row.clip for row in rows if not _is_highest(row, classes)]
    equal = Counter(row.scores for row in rows)
    times = max(equal.values())
    if other:
        why = f"another class than the one of highest score is predicted for {listed(other)}"
        return Finding("scores", "reported", why, len(other) / len(rows), "share of rows", tuple(other))
    if times > 1 and 2 * times > len(rows) and len(equal) > 1:
        return Finding(
            "scores", "reported", f"{times} of {len(rows)} rows have the very same scores", times / len(rows)
        )
    one_hot = sum(sorted(row.scores)[-1] == 1 and sum(row.scores) == 1 for row in rows)
    if one_hot == len(rows):
        return Finding(
            "scores", "reported", "scores are predictions written as 0 and 1, no scores", 1.0, "share of rows"
        )
    return Finding("scores", "clean", f"{len(rows)} rows predict the class of highest score", 0.0, "share of rows")


def _is_highest(row: Prediction, classes: Sequence[str]) -> bool:
    """Whether no class has a higher score than the one predicted; equal ones may."""
    own = row.scores[classes.index(row.predicted or "")]
    return own >= max(row.scores) - _TIE * max(1.0, abs(own))


def claims(lines: Lines, question: FileQuestion) -> Finding:
    if not question.claims:
        return Finding("claims", "not applicable", "no figure is claimed; --claim uf1=.713 checks one")
    printed = {name: _printed(name, text) for name, text in question.claims.items()}
    said = []
    whole = _whole(lines, question)
    for name, (value, unit) in printed.items():
        found = getattr(whole, name) if whole is not None else math.nan
        if abs(found - value) > unit:
            said.append(f"{name} {figure(value)} is claimed, the file has {figure(found)}")
    if "uf1" in printed and "uar" in printed and whole is not None and not question.protocol.multilabel:
        clips = [c.clips for c in whole.per_class]
        reach = uf1_range(clips, _around(*printed["uar"]))
        uf1 = _around(*printed["uf1"])
        if reach is not None and all(clips) and (uf1.high < reach.low or uf1.low > reach.high):
            said.append(
                f"with UAR {figure(printed['uar'][0])} UF1 lies between {figure(reach.low)} and {figure(reach.high)}"
            )
    if said:
        return Finding("claims", "caught", "; ".join(said), len(said), "claims", tuple(said))
    return Finding("claims", "clean", f"{len(printed)} figures are those of the file", 0.0, "claims")


def _printed(name: str, text: str) -> tuple[float, float]:
    """A printed figure and the unit of its last digit."""
    digits = text.rstrip("%").partition(".")[2]
    try:
        value = float(text.rstrip("%"))
    except ValueError:
        raise UsageError(f"--claim {name}={text} is no number.", "Write it as printed: .713 or 71.3%.") from None
    scale = 100 if text.endswith("%") else 1
    if not 0 <= value / scale <= 1:
        raise UsageError(f"--claim {name}={text} is no share.", "Write it as printed: .713 or 71.3%.")
    return value / scale, 10.0 ** -len(digits) / scale


def _around(value: float, unit: float) -> Between:
    return Between(max(0.0, value - unit), min(1.0, value + unit))


def _whole(lines: Lines, question: FileQuestion) -> Scores | None:
    """The scores of the lowest seed over all clips; None where nothing can be scored."""
    rows = [row for row in lines.first.values() if row.seed == min(lines.seeds) and row.clip in lines.expected]
    if not rows:
        return None
    clean = tuple(Prediction(r.clip, r.fold, r.seed, None, r.predicted, r.scores) for r in rows)
    made = Predictions(question.protocol.name, question.protocol.classes, clean)
    cards = score_predictions(made, lines.expected, aggregate=aggregate_of(question.protocol), full=False)
    return next(iter(cards.values())).strict[ALL]


def guessing(lines: Lines, question: FileQuestion) -> Finding:
    """The score beside that of guesses by class frequency, once or the best of several for each tested subject."""
    known = _known(lines, question)
    if isinstance(known, str):
        return Finding("guessing", "not applicable", known)
    classes = question.protocol.classes
    found = chance_of([r.truth or "" for r in known], [r.predicted for r in known], _subjects(known, lines), classes)
    table: dict[str, Counter[str | None]] = defaultdict(Counter)
    for row, subject in zip(known, _subjects(known, lines), strict=True):
        table[subject][row.truth] += 1
    clips = np.array([[counts[c] for c in classes] for counts in table.values()], dtype=np.int64)
    folds = Folds(question.protocol.name, classes, clips, np.zeros(len(clips), dtype=np.intp))
    guessed = peek(folds, EPOCHS, "prior", repetitions=40, seed=question.seed)
    enough = next((c for c in guessed.chances if c.uf1 >= found.uf1), None)
    said = f"UF1 {figure(found.uf1)}; guessing by frequency has {figure(guessed.chances[0].uf1)}"
    if found.p > 0.025:
        said += ", and so have labels exchanged within subjects: no better than chance"
    elif enough is None:
        said += (
            f", the best of {EPOCHS[-1]} guesses per subject {figure(guessed.chances[-1].uf1)}: selection is no excuse"
        )
    else:
        said += f"; the best of {enough.epochs} guesses per subject has {figure(enough.uf1)}"
    return Finding("guessing", "reported", said, found.uf1, "UF1")


def selection(lines: Lines, question: FileQuestion) -> Finding:
    """Whether subjects with few clips do better than their classes explain.

    Where the epoch is chosen on each tested subject, luck helps a subject of two clips far more than one of twenty.
    A clip's excess is 1 if right, else 0, minus the share of its class that is right. The correlation of a subject's
    mean excess with the logarithm of its number of clips is set against permutations of subjects, one-sided.
    """
    known = _known(lines, question)
    if isinstance(known, str):
        return Finding("selection", "not applicable", known)
    right = np.array([row.predicted == row.truth for row in known], dtype=float)
    labels, subjects = np.array([row.truth for row in known]), np.array(_subjects(known, lines))
    share = {c: right[labels == c].mean() for c in set(labels.tolist())}
    excess = right - np.array([share[c] for c in labels.tolist()])
    named, codes = np.unique(subjects, return_inverse=True)
    if len(named) < FEWEST_SUBJECTS:
        return Finding("selection", "not applicable", f"{len(named)} subjects are too few to tell it from luck")
    sizes = np.bincount(codes)
    if len(set(sizes.tolist())) < 3:
        return Finding("selection", "not applicable", "subjects have equal numbers of clips")
    r, p = _course(np.log(sizes), np.bincount(codes, weights=excess) / sizes)
    said = f"correlation of a subject's success with the logarithm of its clips {r:+.2f}, p = {p:.4f}"
    if p <= _SUSPECT:
        said += ": subjects with few clips do better, as where predictions are chosen on the tested subject"
        return Finding("selection", "caught", said, r, "correlation")
    return Finding("selection", "clean", said, r, "correlation")


def _course(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The correlation of x and y, and how often permutations of y have one as low."""
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float((x**2).sum() * (y**2).sum()))
    if scale == 0:
        return 0.0, 1.0
    order = np.argsort(np.random.default_rng(0).random((_PERMUTATIONS, len(y))), axis=1)
    null = y[order] @ x
    found = float(y @ x)
    return found / scale, (1 + int((null <= found + 1e-12).sum())) / (1 + _PERMUTATIONS)


def _known(lines: Lines, question: FileQuestion) -> list[Prediction] | str:
    """The rows of the lowest seed with a known truth, which stands in them; or why there are none to judge."""
    if question.protocol.multilabel:
        return "the protocol asks for several classes per clip"
    rows = [row for row in lines.first.values() if row.seed == lines.seeds[0] and row.clip in lines.expected]
    if len(rows) < 2:
        return "no row has a known truth"
    truth = lines.expected
    return [Prediction(r.clip, r.fold, r.seed, truth[r.clip], r.predicted) for r in rows]


def _subjects(rows: Sequence[Prediction], lines: Lines) -> list[str]:
    return [lines.subjects[row.clip] for row in rows]


__all__ = ["CLAIMS", "claims", "guessing", "scores", "selection"]
