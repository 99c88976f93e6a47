"""A network as a scikit-learn classifier."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import nn

from mebench.errors import ModelError
from mebench.learning.memory import folds_in, free_bytes
from mebench.learning.reproducible import pick_device, reproducible
from mebench.learning.settings import History, Settings
from mebench.learning.together import Part, train_together
from mebench.learning.trainer import logits, train

FoldPart = tuple[NDArray[np.intp], Sequence[str] | NDArray[Any], int]
"""What `fit_folds` is given of a fold: rows of X, their labels, and the fold's `random_state`."""


def _fits_plainly(model: "NetworkClassifier") -> bool:
    """Whether `fit` is that of the base, which `fit_folds` repeats for many folds."""
    return type(model).fit is NetworkClassifier.fit


class NetworkClassifier(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of every classifier that is a torch network, trained for a fixed number of epochs.

    A subclass keeps its keyword parameters as given, `random_state` (int) among them, and answers `build` and
    `settings`. X is (n, c, h, w) or (n, h, w), uint8 or float. After `fit`: `classes_`, `network_` (on the CPU),
    `history_` and `trainable_parameters_`. Two fits with the same parameters, data and thread count give the same bits.
    What a subclass wants to note of a finished training it notes in `trained`, and leaves `fit` as it is: with a `fit`
    of its own it is not trained on many folds at once.
    """

    random_state: int
    classes_: NDArray[Any]
    network_: nn.Module
    history_: History

    @abstractmethod
    def build(self, channels: int, classes: int) -> nn.Module:
        """A fresh network for that many input channels and classes; torch is seeded when this is called."""

    @abstractmethod
    def settings(self) -> Settings:
        """How the network is trained."""

    def trained(self, images: NDArray[Any]) -> None:
        """Nothing; called when training is over, with its images (n, c, h, w)."""

    def fit(self, X: ArrayLike, y: Sequence[str] | NDArray[Any]) -> Self:
        """Itself, trained. Classes are those that occur in y; with a single one that class is always predicted."""
        images, settings = as_images(X), self.settings()
        codes = self._begun(images.shape[1], y, len(images), settings)
        self.history_ = train(self.network_, images, codes, settings, _seeds(self.random_state)[1])
        self.network_ = self.network_.cpu()
        self.trained(images)
        return self

    @available_if(_fits_plainly)  # type: ignore[untyped-decorator]  # scikit-learn carries no types
    def fit_folds(self, X: ArrayLike, folds: Sequence[FoldPart]) -> list[Self]:
        """A fitted classifier per fold, each as `fit` on its rows of X alone would make it, up to rounding.

        Folds are trained at once where their networks have one shape: those that hold equally many classes. This
        object stays as it is. Nothing of a fold enters the training of another (`mebench.learning.together`).
        """
        return self._fit_parts(as_images(X), folds)

    def _fit_parts(self, images: NDArray[Any], folds: Sequence[FoldPart]) -> list[Self]:
        settings = self.settings()
        fitted: list[Self] = [clone(self).set_params(random_state=seed) for _, _, seed in folds]
        parts = []
        for one, (rows, labels, seed) in zip(fitted, folds, strict=True):
            codes = one._begun(images.shape[1], labels, len(rows), settings)
            parts.append(Part(np.asarray(rows), codes, _seeds(seed)[1]))
        for size in sorted({len(one.classes_) for one in fitted}):
            alike = [k for k, one in enumerate(fitted) if len(one.classes_) == size]
            histories = _trained([fitted[k].network_ for k in alike], images, [parts[k] for k in alike], settings)
            for k, history in zip(alike, histories, strict=True):
                fitted[k].history_, fitted[k].network_ = history, fitted[k].network_.cpu()
                fitted[k].trained(images[parts[k].rows])
        return fitted

    def folds_that_fit(self, shape: tuple[int, ...], images: int, classes: int) -> int:
        """How many folds to fit at once: as many as memory takes on CUDA, one on the CPU, where that is fastest.

        `shape` is that of one input, `images` how many there are.
        """
        settings = self.settings()
        device = pick_device(settings.device)
        if device.type == "cpu":
            return 1
        image = settings.prepared(torch.zeros((1, *shape) if len(shape) == 3 else (1, 1, *shape)))
        with reproducible(0, torch.device("cpu"), settings.threads):
            network = self.build(image.shape[1], classes).to(settings.dtype)
            return folds_in(free_bytes(device), network, image, images, settings)

    @property
    def trainable_parameters_(self) -> int:
        """How many numbers the training of the fitted network moves."""
        check_is_fitted(self, "network_")
        return sum(p.numel() for p in self.network_.parameters() if p.requires_grad)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities (n, classes), columns in the order of `classes_`."""
        check_is_fitted(self, "network_")
        settings = self.settings()
        scores = logits(self.network_, as_images(X), settings.device, settings.threads)
        probabilities: NDArray[np.float64] = softmax(scores, axis=1)
        return probabilities

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each image (n,)."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def staged_predict_proba(self, X: ArrayLike) -> Iterator[NDArray[np.float64]]:
        """Class probabilities (n, classes) after each epoch in turn; raises ModelError unless stages were kept."""
        check_is_fitted(self, "network_")
        if not self.history_.stages:
            raise ModelError(
                f"{type(self).__name__} kept no weights per epoch.", "Fit it with keep_stages=True to look at epochs."
            )
        images, final = as_images(X), {name: value.clone() for name, value in self.network_.state_dict().items()}
        try:
            for weights in self.history_.stages:
                self.network_.load_state_dict(weights)
                yield self.predict_proba(images)
        finally:
            self.network_.load_state_dict(final)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags

    def _begun(
        self, channels: int, y: Sequence[str] | NDArray[Any], images: int, settings: Settings
    ) -> NDArray[np.int64]:
        """The class codes of y, `classes_` and an untrained `network_` being set."""
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if images != len(codes):
            raise ModelError(f"{images} images came with {len(codes)} labels.", "Pass one label per image.")
        with reproducible(_seeds(self.random_state)[0], pick_device("cpu"), settings.threads):
            self.network_ = self.build(channels, len(self.classes_))
        return codes


def _trained(
    networks: Sequence[nn.Module], images: NDArray[Any], parts: Sequence[Part], settings: Settings
) -> tuple[History, ...]:
    if len(parts) > 1:
        return train_together(networks, images, parts, settings)
    return (train(networks[0], images[parts[0].rows], parts[0].codes, settings, parts[0].seed),)


def _seeds(random_state: object) -> tuple[int, int]:
    """Independent seeds for the initial weights and for the training."""
    if not isinstance(random_state, int | np.integer) or random_state < 0:
        raise ModelError(f"random_state is {random_state!r}.", "Pass an integer from 0 up.")
    initial, training = np.random.SeedSequence(int(random_state)).generate_state(2)
    return int(initial), int(training)


def as_images(X: ArrayLike) -> NDArray[Any]:
    """X as (n, c, h, w); raises ModelError for another shape or for values that are not finite."""
    try:
        images = np.asarray(X)
    except ValueError as fault:  # rows of different shapes
        raise ModelError(
            "A network was given images of different shapes.", "End its recipe with a resize or an align."
        ) from fault
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or 0 in images.shape:
        raise ModelError(f"A network was given an array of shape {images.shape}.", "Pass (n, h, w) or (n, c, h, w).")
    if images.dtype != np.uint8 and not np.isfinite(images).all():
        raise ModelError("A network was given values that are not finite.", "Check the steps that make its input.")
    return images
