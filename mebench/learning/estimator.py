"""A network as a scikit-learn classifier."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from mebench.errors import ModelError
from mebench.learning.reproducible import pick_device, reproducible
from mebench.learning.trainer import History, Settings, logits, train


class NetworkClassifier(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of every classifier that is a torch network, trained for a fixed number of epochs.

    A subclass keeps its keyword parameters as given, `random_state` (int) among them, and answers `build` and
    `settings`. X is (n, c, h, w) or (n, h, w), uint8 or float. After `fit`: `classes_`, `network_` (on the CPU) and
    `history_`. Two fits with the same parameters, data and thread count give the same bits.
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

    def fit(self, X: ArrayLike, y: Sequence[str]) -> Self:
        """Itself, trained. Classes are those that occur in y; with a single one that class is always predicted."""
        images, settings = _images(X), self.settings()
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(images) != len(codes):
            raise ModelError(f"{len(images)} images came with {len(codes)} labels.", "Pass one label per image.")
        initial, training = _seeds(self.random_state)
        with reproducible(initial, pick_device("cpu"), settings.threads):
            network = self.build(images.shape[1], len(self.classes_))
        self.history_ = train(network, images, codes, settings, training)
        self.network_ = network.cpu()
        return self

    @property
    def trainable_parameters_(self) -> int:
        """How many numbers of the fitted network its training moves."""
        check_is_fitted(self, "network_")
        return sum(values.numel() for values in self.network_.parameters() if values.requires_grad)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities (n, classes), columns in the order of `classes_`."""
        check_is_fitted(self, "network_")
        settings = self.settings()
        scores = logits(self.network_, _images(X), settings.device, settings.threads)
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
        images, final = _images(X), {name: value.clone() for name, value in self.network_.state_dict().items()}
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


def _seeds(random_state: object) -> tuple[int, int]:
    """Independent seeds for the initial weights and for the training."""
    if not isinstance(random_state, int | np.integer) or random_state < 0:
        raise ModelError(f"random_state is {random_state!r}.", "Pass an integer from 0 up.")
    initial, training = np.random.SeedSequence(int(random_state)).generate_state(2)
    return int(initial), int(training)


def _images(X: ArrayLike) -> NDArray[Any]:
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
