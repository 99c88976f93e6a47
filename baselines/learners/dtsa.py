"""Discriminant tensor subspace analysis (DTSA), and the extreme learning machine on it.

Wang, Chen, Yan, Chen and Fu, Face recognition and micro-expression recognition based on discriminant tensor subspace
analysis plus extreme learning machine, Neural Processing Letters 39, 2014, doi:10.1007/s11063-013-9288-7.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.fft import dct
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, TransformerMixin

from mebench import ModelError, Preset, UsageError

from .elm import ELM, HIDDEN
from .grams import Codes
from .relations import Matrix

Tensors: TypeAlias = npt.NDArray[np.float32]
Bases: TypeAlias = tuple[Tensors, Tensors, Tensors]

RANKS = (8, 8, 8)
"""How many projections of time, rows and columns (our choice; the paper's numbers are not known to us)."""
NEIGHBOURS = 5
"""Nearest clips joined by the graphs (our choice)."""
SWEEPS = 2
"""Rounds over the three modes (our choice). The bases still turn after six, but unseen subjects of a planted corpus are
told apart alike after one, two or three (.89, .95 and .89 of 44 clips), and each round of 250 clips takes .2 s."""
RIDGE = 1e-3
"""Added to the within-class scatter, as a share of its mean eigenvalue (our choice): where clips of a class agree, it
has directions without scatter to divide by."""


class DTSA(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn carries no types
    """The projections of time, rows and columns that part classes and keep neighbours within a class together.

    For tensors X_i and projections U_1, U_2, U_3 let Y_i = X_i x1 U_1' x2 U_2' x3 U_3'. The U_n maximise
    sum_ij B_ij |Y_i - Y_j|^2 over sum_ij W_ij |Y_i - Y_j|^2, each in turn with the others held: the generalised
    eigenvectors of the two mode-n scatter matrices with the largest eigenvalues. W joins clips of one class, B of
    different classes, where one is among the `neighbours` nearest such clips of the other, with weight
    exp(-|X_i - X_j|^2 / mean).

    `ranks` are the projections per mode, `sweeps` the rounds, `ridge` a multiple of the mean within-class eigenvalue
    added to all. All start from the lowest frequencies of the cosine transform. Graph, weights, start, `ranks`,
    `sweeps` and `ridge` are our choices.

    After `fit`: `bases_`, three (size, rank) float32.
    """

    def __init__(
        self,
        *,
        ranks: tuple[int, ...] = RANKS,
        neighbours: int = NEIGHBOURS,
        sweeps: int = SWEEPS,
        ridge: float = RIDGE,
    ) -> None:
        self.ranks = ranks
        self.neighbours = neighbours
        self.sweeps = sweeps
        self.ridge = ridge

    def fit(self, X: Any, y: Any) -> Self:
        """This transformer, fitted on tensors X (n, a, b, c) of classes y (n,), at least two."""
        clips = Clips(X)
        self.bases_ = self.bases(clips, np.unique(np.asarray(y), return_inverse=True)[1], np.arange(len(clips)))
        return self

    def transform(self, X: Any) -> Matrix:
        """The projected tensors in one row each, (n, product of ranks) float64."""
        clips = Clips(X)
        fitted = tuple(len(basis) for basis in self.bases_)
        if clips.shape[1:] != fitted:
            raise ModelError(
                f"DTSA was fitted on tensors of shape {fitted} and is given {clips.shape[1:]}.",
                "Use the same recipe for training and test clips.",
            )
        return _projected(self.bases_, clips)

    def bases(self, clips: "Clips", codes: Codes, train: Codes) -> Bases:
        """The projections fitted on the clips `train` (indices) alone, whose classes are `codes` of all."""
        self._check(clips.shape[1:])
        if len(np.unique(codes[train])) < 2:
            raise ModelError("DTSA was given clips of one class.", "Fit it on two classes or more.")
        graphs = _graphs(clips.distances[np.ix_(train, train)], codes[train], self.neighbours)
        within, between = (_laplacian(graph, train, len(clips)) for graph in graphs)
        bases = [_cosines(size, rank) for size, rank in zip(clips.shape[1:], self.ranks, strict=True)]
        for _ in range(self.sweeps):
            by_columns = clips.tensors @ bases[2]
            for mode in range(3):
                views = _unfolded(clips.tensors, by_columns, bases, mode)
                scatters = [_scatter(views, laplacian) for laplacian in (within, between)]
                bases[mode] = _leading(scatters[1], scatters[0], self.ranks[mode], self.ridge)
        return bases[0], bases[1], bases[2]

    def _check(self, sizes: tuple[int, ...]) -> None:
        fits = len(self.ranks) == 3 and all(0 < rank <= size for rank, size in zip(self.ranks, sizes, strict=True))
        if not fits:
            raise UsageError(
                f"DTSA ranks {self.ranks!r} do not fit tensors of {'x'.join(map(str, sizes))}.", "Use e.g. (8, 8, 8)."
            )
        if self.neighbours < 1 or self.sweeps < 1 or self.ridge <= 0:
            raise UsageError(
                f"DTSA cannot work with neighbours={self.neighbours}, sweeps={self.sweeps} and ridge={self.ridge}.",
                "Use at least one neighbour, one sweep and a positive ridge.",
            )


class Clips:
    """Tensors (n, a, b, c) as float32, and how far they lie apart; ModelError for anything else."""

    def __init__(self, X: Any) -> None:
        try:
            self.tensors: Tensors = np.ascontiguousarray(X, np.float32)
        except (ValueError, TypeError) as fault:
            raise ModelError(
                f"The inputs are not tensors of one shape: {fault}.", "Give all clips the same size and length."
            ) from fault
        if self.tensors.ndim != 4 or not self.tensors.size:
            raise ModelError(
                f"DTSA takes tensors (n, a, b, c), not an array of shape {self.tensors.shape}.",
                "End the recipe in grey frames, such as grey > align(size=64) > tim(64).",
            )
        # a finite sum has finite terms, and costs no copy
        if not np.isfinite(self.tensors.sum(dtype=np.float64)):
            raise ModelError("The tensors hold nan or inf.", "Compute the inputs again.")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensors.shape

    @cached_property
    def distances(self) -> Matrix:
        """Squared distances between clips, (n, n)."""
        flat = self.tensors.reshape(len(self), -1)
        products = (flat @ flat.T).astype(np.float64)
        squares = np.diag(products)
        return np.maximum(squares[:, None] + squares - 2 * products, 0)

    def __len__(self) -> int:
        return len(self.tensors)


class DtsaElm(ELM):
    """DTSA features of the whole aligned clip, with an extreme learning machine.

    `size` is the side of the aligned face in px and the number of frames of the clip, so that the tensor is a cube.
    `ranks` to `dtsa_ridge` are those of `DTSA`, the rest those of `ELM`; DTSA is fitted anew in every inner fold. A
    feature mixes all pixels of all frames: it has no place on the face, and no map of importance is drawn.
    """

    title = "DTSA-like + ELM"
    version = 1
    fidelity = "D"
    selection = "inner"
    source = (
        "S.-J. Wang et al., Face recognition and micro-expression recognition based on discriminant tensor subspace "
        "analysis plus extreme learning machine, Neural Processing Letters 39, 2014, doi:10.1007/s11063-013-9288-7."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "The locality graphs (5 nearest clips, heat-kernel weights) and the 8x8x8 projections are ours.",
        "The within-class scatter is regularised, because clips are fewer than the values they are described by.",
        "The number of hidden units is searched on other subjects, and classes are weighted alike.",
        "Features are brought to -1..1 by their range in training before the random layer.",
    )
    presets: ClassVar[Mapping[str, Preset]] = {}
    cost = "3 s per training fold of 245 clips on one core, inner search included; nothing but alignment per clip."

    def __init__(
        self,
        *,
        size: int = 64,
        ranks: tuple[int, ...] = RANKS,
        neighbours: int = NEIGHBOURS,
        sweeps: int = SWEEPS,
        dtsa_ridge: float = RIDGE,
        hidden_grid: tuple[int, ...] = HIDDEN,
        ridge: float = 0.0,
        class_weight: Literal["balanced"] | None = "balanced",
        inner_folds: int = 5,
        inner_repeats: int = 1,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            hidden_grid=hidden_grid,
            ridge=ridge,
            class_weight=class_weight,
            inner_folds=inner_folds,
            inner_repeats=inner_repeats,
            random_state=random_state,
        )
        self.size = size
        self.ranks = ranks
        self.neighbours = neighbours
        self.sweeps = sweeps
        self.dtsa_ridge = dtsa_ridge

    def inputs(self) -> str:
        """The recipe of the clip as a cube, (size, size, size) uint8."""
        return f"grey > align(size={self.size}) > tim({self.size})"

    def _rows(self, X: Any) -> Clips:
        return Clips(X)

    def _fitted_features(self, rows: Clips, codes: Codes, train: Codes) -> Callable[[Clips], Matrix]:
        analysis = DTSA(ranks=self.ranks, neighbours=self.neighbours, sweeps=self.sweeps, ridge=self.dtsa_ridge)
        return partial(_projected, analysis.bases(rows, codes, train))


def _graphs(distances: Matrix, codes: Codes, neighbours: int) -> tuple[Matrix, Matrix]:
    """The weights between clips of one class and between clips of different classes, (n, n) each."""
    alike = codes[:, None] == codes
    others = ~np.eye(len(codes), dtype=bool)
    mean = distances[others].mean() if distances.any() else 1.0
    heat = np.exp(-distances / mean)
    return heat * _nearest(distances, alike & others, neighbours), heat * _nearest(distances, ~alike, neighbours)


def _nearest(distances: Matrix, allowed: npt.NDArray[np.bool_], neighbours: int) -> npt.NDArray[np.bool_]:
    """Which pairs are allowed and have one among the nearest allowed of the other; ties go to the first clip."""
    order = np.argsort(np.where(allowed, distances, np.inf), axis=1, kind="stable")[:, :neighbours]
    chosen = np.zeros_like(allowed)
    np.put_along_axis(chosen, order, values=True, axis=1)
    chosen &= allowed
    return chosen | chosen.T


def _laplacian(graph: Matrix, train: Codes, clips: int) -> sparse.csr_array:
    """The Laplacian of a graph of the training clips, among all clips: (clips, clips), empty for the rest."""
    laplacian = sparse.coo_array(np.diag(graph.sum(axis=1)) - graph)
    rows, columns = (train[index] for index in laplacian.coords)
    return sparse.csr_array((laplacian.data.astype(np.float32), (rows, columns)), shape=(clips, clips))


def _cosines(size: int, rank: int) -> Tensors:
    """The orthonormal cosines of the lowest frequencies, (size, rank)."""
    return np.asarray(dct(np.eye(size), norm="ortho", axis=0)[:rank].T, np.float32)


def _unfolded(tensors: Tensors, by_columns: Tensors, bases: list[Tensors], mode: int) -> Tensors:
    """The tensors projected in all modes but this, (n, size of the mode, rest); `by_columns` are X x3 U_3'."""
    if mode == 0:
        views = np.swapaxes(by_columns, 2, 3) @ bases[1]
    elif mode == 1:
        views = np.moveaxis(_along_time(by_columns, bases[0]), 1, 2)
    else:
        views = np.swapaxes(np.swapaxes(_along_time(tensors, bases[0]), 2, 3) @ bases[1], 1, 2)
    return np.ascontiguousarray(views).reshape(len(tensors), tensors.shape[mode + 1], -1)


def _along_time(tensors: Tensors, basis: Tensors) -> Tensors:
    """X x1 U', (n, rank, b, c)."""
    flat = basis.T @ tensors.reshape(*tensors.shape[:2], -1)
    return flat.reshape(len(tensors), -1, *tensors.shape[2:])


def _scatter(views: Tensors, laplacian: sparse.csr_array) -> Matrix:
    """sum_ij w_ij (Y_i - Y_j)(Y_i - Y_j)' / 2 = sum_ij L_ij Y_i Y_j', (size, size), of views Y (n, size, rest)."""
    weighted = (laplacian @ views.reshape(len(views), -1)).reshape(views.shape)
    total = np.tensordot(views, weighted, axes=((0, 2), (0, 2))).astype(np.float64)
    return (total + total.T) / 2


def _leading(above: Matrix, below: Matrix, rank: int, ridge: float) -> Tensors:
    """The generalised eigenvectors (size, rank) with the largest ratios u'Au / u'Bu, B regularised."""
    size = len(below)
    level = np.trace(below) / size
    # clips that agree within every class leave no scatter to divide by
    vectors = eigh(above, below + (ridge * level if level > 0 else 1.0) * np.eye(size))[1]
    leading = vectors[:, ::-1][:, :rank]
    signs = np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(rank)])
    return np.asarray(leading * signs, np.float32)


def _projected(bases: Bases, clips: Clips) -> Matrix:
    """vec(X x1 U_1' x2 U_2' x3 U_3') of every clip, (n, product of ranks)."""
    by_columns = clips.tensors @ bases[2]
    projected = np.swapaxes(np.swapaxes(_along_time(by_columns, bases[0]), 2, 3) @ bases[1], 2, 3)
    return projected.reshape(len(clips), -1).astype(np.float64)
