"""LAM as a model of the benchmark: its input recipe, its network, its training."""

from typing import Literal, TypeVar

from torch import nn

from mebench import Augmentation, Group, ModelError, NetworkClassifier, Settings, UnknownName

from .attention import KEY_POOL, Energy, Reading, reading_unit
from .backbones import BLOCKS, ResNet

_LAST_STEPS = {"grey": ["apex"], "difference": ["difference"], "pair": []}

_Choice = TypeVar("_Choice", Reading, Energy)

ALIGNED_SIZE = 224
"""Pixels at which faces are aligned and magnified, whatever `size`: small motion is lost in a small image."""


class LAM(NetworkClassifier):
    """Affinity attention on a residual network over the magnified apex image: a reconstruction.

    The paper (Hao, Zhu, Zhang et al., Multimedia Tools and Applications 83, 29239-29260, 2024) is public as an abstract
    only. `stated` lists what the abstract and the reference list say, `inferred` what is our reading or choice; no
    score of this model is the paper's.

    `size` is the side of the network's input in px, `factor` the total gain of the magnification (1 leaves it out),
    `width` the number of maps of the first stage. `channels` is what the network sees: "grey" the magnified apex, the
    reading of the paper adopted here; "difference" the magnified apex minus the onset; "pair" the onset, the magnified
    apex and their difference. The latter two are variants of ours: an apex alone shows mostly who somebody is, and a
    network trained from scratch on few subjects does not see past it.
    `lr` is the rate of the convolutions, `lr_head` that of γ and the classifier.
    """

    title = "LAM-like (reconstructed from the abstract)"
    version = 1
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
        "evaluated on CASME II and SAMM; learned motion magnification is cited",
    )
    inferred = (
        "the input is the magnified apex image of an aligned face (from the order of citations)",
        "depth: ResNet-18; input side 224 px; grey, replicated to three channels, each image standardised",
        "the unit: Pearson affinity over maps and over places, temperature .5, two scalars per block that start at 0",
        "magnification factor 6, phase-based here where the paper cites a learned magnifier",
        "training: fixed epochs, final weights, SGD with momentum .9, oversampling to the largest class of the fold",
        "started from scratch: no ImageNet and no macro-expression weights are used",
    )

    def __init__(
        self,
        *,
        backbone: str = "resnet18",
        reading: str = "affinity",
        energy: str = "pearson",
        tau_c: float = 0.5,
        tau_s: float = 0.5,
        key_pool: tuple[int, int, int, int] = KEY_POOL,
        mask_diagonal: bool = False,
        channels: Literal["grey", "difference", "pair"] = "grey",
        size: int = 224,
        factor: float = 6.0,
        width: int = 64,
        dropout: float = 0.0,
        epochs: int = 40,
        batch_size: int = 16,
        lr: float = 1e-2,
        lr_head: float = 1e-2,
        weight_decay: float = 5e-4,
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
        self.key_pool = key_pool
        self.mask_diagonal = mask_diagonal
        self.channels = channels
        self.size = size
        self.factor = factor
        self.width = width
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.lr_head = lr_head
        self.weight_decay = weight_decay
        self.keep_stages = keep_stages
        self.device = device
        self.threads = threads
        self.random_state = random_state

    def inputs(self) -> str:
        """The recipe of the input: one grey image (h, w) of the aligned face per clip, or the pair (2, h, w)."""
        if self.channels not in _LAST_STEPS:
            raise UnknownName("channels", self.channels, _LAST_STEPS)
        steps = [f"align(size={ALIGNED_SIZE})", "grey", "onset-apex"]
        if self.factor != 1:
            steps.append(f"magnify(phase, factor={self.factor:g})")
        steps += _LAST_STEPS[self.channels]
        if self.size != ALIGNED_SIZE:
            steps.append(f"resize({self.size})")
        return " > ".join(steps)

    def build(self, channels: int, classes: int) -> nn.Module:
        """The residual network with the chosen reading after every block."""
        expected = 2 if self.channels == "pair" else 1
        if channels != expected:
            raise ModelError(
                f"LAM with channels={self.channels} reads {expected} grey images per clip, not {channels}.",
                f"Give it what its recipe makes: {self.inputs()}.",
            )
        if self.backbone not in BLOCKS:
            raise UnknownName("backbone", self.backbone, BLOCKS)
        reading, energy = _member(Reading, self.reading), _member(Energy, self.energy)
        options = {"energy": energy, "tau_c": self.tau_c, "tau_s": self.tau_s, "mask_diagonal": self.mask_diagonal}
        return ResNet(
            BLOCKS[self.backbone],
            classes,
            lambda stage: reading_unit(reading, key_pool=self.key_pool[stage], **options),
            self.width,
            self.dropout,
        )

    def settings(self) -> Settings:
        """Fixed epochs, balanced by oversampling; no weight decay on γ, which it would hold at the identity."""
        return Settings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            weight_decay=self.weight_decay,
            groups=(Group(r"\.gamma_[cs]$", self.lr_head), Group(r"^fc\.", self.lr_head, self.weight_decay)),
            augmentation=Augmentation(intensity=0),  # the input layer would take a change of level off again
            keep_stages=self.keep_stages,
            device=self.device,
            threads=self.threads,
        )


def _member(kind: type[_Choice], name: str) -> _Choice:
    try:
        return kind(name)
    except ValueError:
        raise UnknownName(kind.__name__.lower(), name, kind) from None
