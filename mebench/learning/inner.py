"""A network that chooses some of its parameters on other subjects, inside the training fold, and is then refitted."""

import io
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from mebench import checkpoints
from mebench.clips import canonical_json
from mebench.errors import ModelError, UsageError
from mebench.inner import inner_folds, macro_f1, no_search
from mebench.learning.estimator import FoldPart, NetworkClassifier, as_images

MOST = 24
"""Candidates of a grid: each costs a training per inner fold and repetition, and the more there are, the more the
winner owes to luck."""


class InnerSelected(NetworkClassifier):
    """Base of networks with a small declared grid: the candidate with the highest macro-F1 over inner folds wins.

    Inner folds are subject-disjoint and stratified by class, `inner_folds` of them, shuffled anew `inner_repeats`
    times. A candidate is trained on each inner training part and predicts the inner test part; predictions are pooled
    over the folds of a repetition, scores averaged over repetitions. Among equals the first of the grid wins. The
    winner is trained on all rows. Training subjects come as `groups`; no held-out clip is involved.

    A subclass keeps `inner_folds` and `inner_repeats` among its parameters and declares `grid`. After `fit`, beside
    what the base gives: `choice_`, the parameters taken; `search_`, "inner" or why nothing was searched ("one
    candidate", "one class", "one subject", "one clip per class": then the parameters are as given);
    `search_scores_`, the mean macro-F1 of every candidate, by its parameters as JSON.
    """

    selection = "inner"
    __metadata_request__fit = {"groups": True}  # noqa: RUF012  scikit-learn reads it from the class

    inner_folds: int
    inner_repeats: int

    @abstractmethod
    def grid(self) -> Mapping[str, Sequence[Any]]:
        """What to choose from, by parameter; every combination is a candidate, in the order of the product."""

    def view(self, images: NDArray[Any]) -> NDArray[Any]:
        """The images (n, c, h, w) as a model with these parameters takes them, from those of the recipe.

        As they are. A grid may hold only parameters that leave the recipe as it is, so a factor of magnification is
        chosen here: from onset and apex at one factor, by scaling their difference.
        """
        return images

    def fit(self, X: ArrayLike, y: Sequence[str] | NDArray[Any], groups: ArrayLike | None = None) -> Self:
        """Itself, its parameters chosen and the network trained on all images."""
        images, labels = as_images(X), np.asarray(y)
        candidates = self._candidates()
        self.choice_, self.search_, self.search_scores_ = self._chosen(images, labels, groups, candidates)
        winner = clone(self).set_params(**self.choice_)
        NetworkClassifier.fit(winner, winner.view(images), labels)
        for name, value in vars(winner).items():
            if name.endswith("_") and not name.startswith("_"):
                setattr(self, name, value)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities (n, classes), columns in the order of `classes_`."""
        taken = getattr(self, "choice_", {})
        return super().predict_proba(clone(self).set_params(**taken).view(as_images(X)))

    def _chosen(
        self, images: NDArray[Any], labels: NDArray[Any], groups: ArrayLike | None, candidates: list[dict[str, Any]]
    ) -> tuple[dict[str, Any], str, dict[str, float]]:
        """The winner, how it was found, and the score of every candidate."""
        if len(candidates) == 1:
            return candidates[0], "one candidate", {}
        if groups is None:
            raise ModelError(
                f"{type(self).__name__} chooses on other subjects, but was not told its training subjects.",
                "Pass groups to fit, or give every parameter of the grid one value.",
            )
        subjects = np.unique(np.asarray(groups), return_inverse=True)[1]
        codes = np.unique(labels, return_inverse=True)[1]
        if len(subjects) != len(codes):
            raise ModelError(f"{len(subjects)} subjects were given for {len(codes)} images.", "Give one per image.")
        reason = no_search(codes, subjects, self.inner_folds)
        if reason:
            return {}, reason, {}
        splits = min(self.inner_folds, len(np.bincount(subjects)), int(np.bincount(codes).max()))
        seeds = np.random.SeedSequence(self.random_state).generate_state(self.inner_repeats).tolist()
        repeats = [(inner_folds(codes, subjects, splits, seed), seed) for seed in seeds]
        scores = [self._score(candidate, images, codes, repeats) for candidate in candidates]
        best = int(np.argmax(np.asarray(scores) >= max(scores) - 1e-9))
        return candidates[best], "inner", dict(zip(map(canonical_json, candidates), scores, strict=True))

    def _score(
        self,
        candidate: Mapping[str, Any],
        images: NDArray[Any],
        codes: NDArray[np.intp],
        repeats: Sequence[tuple[Sequence[tuple[NDArray[Any], NDArray[Any]]], int]],
    ) -> float:
        """The mean over repetitions of the macro-F1 of a candidate."""
        model = clone(self).set_params(**candidate)
        seen = model.view(images)
        found = []
        for folds, seed in repeats:
            own = np.random.SeedSequence(seed).generate_state(len(folds)).tolist()
            parts = [(train, codes[train], int(s) % 2**31) for (train, _), s in zip(folds, own, strict=True)]
            said = np.empty(len(codes), dtype=np.intp)
            for (_, test), predicted in zip(folds, model._inner_predictions(seen, parts, folds), strict=True):
                said[test] = predicted
            found.append(macro_f1(codes, said, int(codes.max()) + 1))
        return float(np.mean(found))

    def _inner_predictions(
        self,
        images: NDArray[Any],
        parts: Sequence[FoldPart],
        folds: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    ) -> list[NDArray[np.intp]]:
        """Codes predicted for the test part of every inner fold, trained at once where that is faster."""
        classes = len(np.unique(np.concatenate([labels for _, labels, _ in parts])))
        most = self.folds_that_fit(images.shape[1:], len(images), classes)
        found: list[NDArray[np.intp]] = []
        for start in range(0, len(parts), most):
            trained, tested = parts[start : start + most], [test for _, test in folds[start : start + most]]
            kept = checkpoints.remembered(
                partial(self._key, trained), partial(self._trained_and_tested, images, trained, tested)
            )
            found += _arrays(kept)
        return found

    def _trained_and_tested(
        self, images: NDArray[Any], parts: Sequence[FoldPart], tested: Sequence[NDArray[Any]]
    ) -> bytes:
        """What networks trained on these parts predict of these rows."""
        fitted = self._fit_parts(images, parts)
        proba = [NetworkClassifier.predict_proba(one, images[rows]) for one, rows in zip(fitted, tested, strict=True)]
        return _bytes([one.classes_[p.argmax(axis=1)] for one, p in zip(fitted, proba, strict=True)])

    def _key(self, parts: Sequence[FoldPart]) -> str:
        parameters = sorted(self.get_params(deep=False).items())
        return canonical_json([repr(parameters), [[np.asarray(rows).tolist(), seed] for rows, _, seed in parts]])

    def _candidates(self) -> list[dict[str, Any]]:
        grid = self.grid()
        if not grid or any(not len(values) for values in grid.values()):
            raise UsageError(f"The grid of {type(self).__name__} holds nothing.", "Give every parameter a value.")
        candidates = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        if len(candidates) > MOST:
            raise UsageError(
                f"The grid of {type(self).__name__} holds {len(candidates)} candidates; {MOST} are the most.",
                "Give fewer values: each costs a training per inner fold.",
            )
        recipes = {str(clone(self).set_params(**c).inputs()) for c in candidates if hasattr(self, "inputs")}
        if len(recipes) > 1:
            raise UsageError(
                f"The grid of {type(self).__name__} changes the input: {' and '.join(sorted(recipes)[:2])}.",
                "Choose among parameters of the network, or make the change in view().",
            )
        return candidates


def _bytes(arrays: Sequence[NDArray[np.intp]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def _arrays(data: bytes) -> list[NDArray[np.intp]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as held:
        return [held[name] for name in held.files]


__all__ = ["MOST", "InnerSelected"]
