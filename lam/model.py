"""LAM as a model of the benchmark: its input recipe, its network, its training, what it tells of itself."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import nn

from mebench import Augmentation, Group, ModelError, NetworkClassifier, Settings, UnknownName

from .attention import KEY_POOL, Energy
from .backbones import BLOCKS, ResNet
from .channels import steps_of, views_of
from .cost import cost_of
from .diagnosis import entropies, has_scales, scalars, scales_zeroed
from .explain import Explained
from .readings import Reading, reading_unit
from .transfer import RATE_PRETRAINED, RATE_SCRATCH, frozen, start_from
from .unit import Unit

_Choice = TypeVar("_Choice", Reading, Energy)

ALIGNED_SIZE = 224
"""Pixels at which faces are aligned and magnified, whatever `size`: small motion is lost in a small image."""

REPORTED_IMAGES = 16
"""Training images over which attention is measured: rows of a block number in the thousands already."""


class LAM(Explained, NetworkClassifier):
    """Affinity attention on a residual network over the magnified apex image: a reconstruction.

    The paper (Hao, Zhu, Zhang et al., Multimedia Tools and Applications 83, 29239-29260, 2024) is public as an abstract
    only. `stated` lists what the abstract and the reference list say, `inferred` what is our reading or choice; no
    score of this model is the paper's.

    `reading` is what is done with the maps of every residual block: "affinity" by default, its halves "channel-only"
    and "spatial-only", "none", or what other methods do in that place: "pool", "micro-attention", "danet", "se", "eca",
    "cbam", "bam", "simam". `energy`, `tau_c`, `tau_s`, `learn_tau`, `key_pool` (one per stage) and `mask_diagonal` are
    those of the affinity.
    `size` is the side of the network's input in px, `magnifier` and `factor` the method and total gain of the
    magnification (a factor of 1 leaves it out), `width` the number of maps of the first stage.
    `channels` is what the network sees: "grey" the magnified apex, the reading of the paper adopted here; "difference"
    the magnified apex minus the onset; "pair" the onset, the magnified apex and their difference; "flow" the flow from
    onset to magnified apex and its strain (u+v+strain); or any three of onset, apex, difference, u, v, magnitude and
    strain joined by +. All but the first are variants of ours: an apex alone shows mostly who somebody is, and a
    network trained from scratch on few subjects does not see past it.
    `lr` is the rate of the convolutions, by default 1e-3 where they start from weights and 1e-2 where they do not,
    `lr_head` that of γ, the temperatures and the classifier.
    `imagenet` is a public file of ImageNet weights or "auto", `weights` one that `mebench pretrain` wrote, or any state
    dict of this network; the classifier starts anew either way. `freeze` names the last part that learns no more:
    "stem", "layer1" to "layer4".
    """

    title = "LAM-like (reconstructed from the abstract)"
    version = 2
    fidelity = "D"
    selection = "fixed"
    source = (
        "D. Hao, M. Zhu, C. Zhang et al., A lightweight attention-based network for micro-expression recognition, "
        "Multimedia Tools and Applications 83, 29239-29260 (2024), doi 10.1007/s11042-023-16616-y"
    )
    stated = (
        "a lightweight attention model that reads correlation between feature maps and within feature maps",
        "it stands with the residual blocks of a ResNet, at several scales, and recomputes the maps of every layer",
        "no obvious added parameters",
        "transfer of knowledge from facial (macro) expressions, because data are few",
        "evaluated on CASME II and SAMM; features are visualised after the fact; learned motion magnification is cited",
    )
    inferred = (
        "the input is the magnified apex image of an aligned face (from the order of citations)",
        "depth: ResNet-18; input side 224 px; grey, replicated to three channels, each image standardised",
        "the unit: Pearson affinity over maps and over places, after the addition and ReLU of every block",
        "two scales per block that start at 0: an untrained network answers as the plain ResNet does",
        "two temperatures per block that start at .5 and learn: an attention that cannot leave near-uniform averages",
        "keys of the spatial affinity are averaged over cells of 4, 2, 1 and 1 places, which keeps the unit light",
        "magnification factor 6, phase-based here where the paper cites a learned magnifier",
        "training: fixed epochs, final weights, SGD with momentum .9, oversampling to the largest class of the fold",
        "weights: from scratch unless given; by the order of citations ImageNet, then CK+ and JAFFE, then the target",
    )
    weight_parameters = ("imagenet", "weights")
    pretraining: Mapping[str, Any] = MappingProxyType({"lr": RATE_SCRATCH})
    entropy_: dict[str, list[float]]

    def __init__(
        self,
        *,
        backbone: str = "resnet18",
        reading: str = "affinity",
        energy: str = "pearson",
        tau_c: float = 0.5,
        tau_s: float = 0.5,
        learn_tau: bool = True,
        key_pool: tuple[int, int, int, int] = KEY_POOL,
        mask_diagonal: bool = False,
        channels: str = "grey",
        size: int = 224,
        magnifier: str = "phase",
        factor: float = 6.0,
        width: int = 64,
        dropout: float = 0.0,
        epochs: int = 40,
        batch_size: int = 16,
        lr: float | None = None,
        lr_head: float = 1e-2,
        weight_decay: float = 5e-4,
        imagenet: str = "",
        weights: str = "",
        freeze: str = "none",
        keep_stages: bool = False,
        device: str = "auto",
        threads: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.backbone = backbone
        self.reading = reading
        self.energy = energy
        self.tau_c = tau_c
        self.tau_s = tau_s
        self.learn_tau = learn_tau
        self.key_pool = key_pool
        self.mask_diagonal = mask_diagonal
        self.channels = channels
        self.size = size
        self.magnifier = magnifier
        self.factor = factor
        self.width = width
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.lr_head = lr_head
        self.weight_decay = weight_decay
        self.imagenet = imagenet
        self.weights = weights
        self.freeze = freeze
        self.keep_stages = keep_stages
        self.device = device
        self.threads = threads
        self.random_state = random_state

    def inputs(self) -> str:
        """The recipe of the input of the aligned face: an image (h, w), the pair (2, h, w) or three views (3, h, w)."""
        steps = [f"align(size={ALIGNED_SIZE})", "grey", "onset-apex"]
        if self.factor != 1:
            steps.append(f"magnify({self.magnifier}, factor={self.factor:g})")
        return " > ".join([*steps, *steps_of(self.channels, None if self.size == ALIGNED_SIZE else self.size)])

    def build(self, channels: int, classes: int) -> nn.Module:
        """The residual network with the chosen reading in every block; where a file is given it starts from that."""
        network = self._network(channels, classes)
        if self._start:
            start_from(network, self._start)
        return frozen(network, self.freeze)

    def start_notes(self) -> list[str]:
        """What a network takes of the weights that are given, in a sentence, and what is frozen.

        Raises ModelError where they are of another network, or two files are given: the second would leave nothing of
        the first.
        """
        if self.imagenet and self.weights:
            raise ModelError(
                "Both imagenet and weights are given; each holds all that the other does.",
                "Give imagenet to mebench pretrain and the weights it writes to mebench run.",
            )
        with torch.device("meta"):  # shapes alone, and no random number is drawn
            network = self._network(len(views_of(self.channels)), 2)
        name = "imagenet" if self.imagenet else "weights"
        notes = [f"{name}: {start_from(network, self._start).text}"] if self._start else []
        frozen(network, self.freeze)
        return notes + ([f"frozen up to {self.freeze}"] if self.freeze != "none" else [])

    @property
    def _start(self) -> str:
        return self.imagenet or self.weights

    def _network(self, channels: int, classes: int) -> nn.Module:
        """The network with its own first values."""
        views = views_of(self.channels)
        if channels != len(views):
            raise ModelError(
                f"LAM with channels={self.channels} reads {len(views)} planes per clip, not {channels}.",
                f"Give it what its recipe makes: {self.inputs()}.",
            )
        if self.backbone not in BLOCKS:
            raise UnknownName("backbone", self.backbone, BLOCKS)
        reading, energy = _member(Reading, self.reading), _member(Energy, self.energy)

        def unit(stage: int, maps: int) -> Unit:
            return reading_unit(
                reading,
                maps,
                energy=energy,
                tau_c=self.tau_c,
                tau_s=self.tau_s,
                learn_tau=self.learn_tau,
                key_pool=self.key_pool[stage],
                mask_diagonal=self.mask_diagonal,
            )

        return ResNet(BLOCKS[self.backbone], classes, unit, self.width, self.dropout, views)

    def settings(self) -> Settings:
        """Fixed epochs, balanced by oversampling; no weight decay on γ, which it would hold at the identity."""
        views = views_of(self.channels)
        return Settings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr if self.lr is not None else RATE_PRETRAINED if self._start else RATE_SCRATCH,
            weight_decay=self.weight_decay,
            groups=(
                Group(r"\.(gamma|log_tau)_[cs]$", self.lr_head),
                Group(r"^fc\.", self.lr_head, self.weight_decay),
            ),
            augmentation=Augmentation(
                intensity=0,  # the input layer would take a change of level off again
                horizontal=tuple(i for i, view in enumerate(views) if view == "u"),
            ),
            keep_stages=self.keep_stages,
            device=self.device,
            threads=self.threads,
        )

    def trained(self, images: NDArray[Any]) -> None:
        """Nothing; notes in `entropy_` how focused attention is on some of the training images."""
        some = images[np.unique(np.linspace(0, len(images) - 1, REPORTED_IMAGES).round().astype(int))]
        self.entropy_ = entropies(self.network_, lambda: self.predict_proba(some))

    def report(self) -> Mapping[str, float | list[float]]:
        """What training made of the readings, block by block: `gamma_c`, `gamma_s`, `tau_c`, `tau_s`, and the mean
        `entropy_channel` and `entropy_spatial` of attention over training images, 1 for uniform and 0 for one key.

        What the reading does not have is left out.
        """
        check_is_fitted(self, "network_")
        return {**scalars(self.network_), **self.entropy_}

    def ablated_predict_proba(self, X: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """Class probabilities (n, classes) of this fitted network without a part: `scales zeroed`.

        Nothing where the reading has no scales. The network is afterwards what it was, to the bit.
        """
        check_is_fitted(self, "network_")
        if not has_scales(self.network_):
            return {}
        with scales_zeroed(self.network_):
            return {"scales zeroed": self.predict_proba(X)}

    def cost(self, classes: int = 5) -> Mapping[str, int]:
        """`parameters` that are trained, and `macs` (multiplications with addition) for one clip."""
        views = len(views_of(self.channels))
        return cost_of(lambda: frozen(self._network(views, classes), self.freeze), (views, self.size, self.size))


def _member(kind: type[_Choice], name: str) -> _Choice:
    try:
        return kind(name)
    except ValueError:
        raise UnknownName(kind.__name__.lower(), name, kind) from None
