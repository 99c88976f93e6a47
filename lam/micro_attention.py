"""Micro-Attention, the network LAM stands closest to, after its authors' network file."""

from collections.abc import Mapping

from torch import Tensor, nn

from mebench import Augmentation, ModelError, NetworkClassifier, Settings

from .cost import cost_of
from .neighbours import MicroAttention
from .unit import Unit

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Maps and stride of the four blocks."""


class PreActivatedBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut, joined by the unit; batch norm and ReLU come first, and none comes last.

    A block that keeps the number of maps passes its input by, and takes it as it is: the stem has ended in a ReLU.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, unit: Unit) -> None:
        super().__init__()
        widens = channels != channels_in
        self.head = nn.Sequential(nn.BatchNorm2d(channels_in), nn.ReLU()) if widens else nn.Identity()
        self.shortcut = nn.Conv2d(channels_in, channels, 1, stride, bias=False) if widens else nn.Identity()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.reading = unit

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        first = self.relu(self.bn1(self.conv1(x)))
        joined: Tensor = self.reading.join(self.shortcut(x), first, self.conv2(first))
        return joined


class PreActivatedNetwork(nn.Module):
    """Class scores (b, classes) from grey images (b, 1, h, w) of any range: stem, four blocks, mean over places, FC."""

    def __init__(self, classes: int, *, attention: bool = True) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.BatchNorm2d(1), nn.Conv2d(1, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        )  # fmt: skip
        blocks, maps = [], 64
        for channels, stride in STAGES:
            unit = MicroAttention(channels) if attention else Unit()
            blocks.append(PreActivatedBlock(maps, channels, stride, unit))
            maps = channels
        self.blocks = nn.Sequential(*blocks)
        self.end = nn.Sequential(nn.BatchNorm2d(maps), nn.ReLU())
        self.fc = nn.Linear(maps, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.constant_(self.fc.bias, 0.2)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.end(self.blocks(self.stem(images))).mean((2, 3)))
        return scores


class MicroAttentionNet(NetworkClassifier):
    """A residual network of four blocks that weighs places by a view of all branches, on the apex image.

    Layers are those of the authors' network file, and so is the number of parameters: 5,944,839 for five classes.
    Rates, batches and augmentation are those of their re-run. `attention` false leaves the units out, `size` is the
    side of the input in px, 224 there.
    """

    title = "Micro-Attention"
    version = 1
    fidelity = "B"
    selection = "fixed"
    source = (
        "C. Wang, M. Peng, T. Bi, T. Chen, Micro-attention for micro-expression recognition, Neurocomputing "
        "(2020), doi 10.1016/j.neucom.2020.06.005; network file train_test.prototxt of the authors, and the "
        "solver of their re-run in the ACII 2019 apex-time network code"
    )
    deviations = (
        "started from scratch; the authors start from a network trained on macro-expressions",
        "54 epochs for the authors' 2,500 steps of 16 images: as many where oversampling makes a fold 744 images",
        "the rate falls tenfold at one half and at three quarters, theirs every 500 steps",
        "initial weights of convolutions (He et al. 2015) are our choice; the file's are not known",
        "the mean over maps of the unit's convolution is taken of its weights first: the same sum in another order",
    )

    def __init__(
        self,
        *,
        attention: bool = True,
        size: int = 224,
        epochs: int = 54,
        batch_size: int = 16,
        lr: float = 1e-2,
        weight_decay: float = 5e-6,
        keep_stages: bool = False,
        device: str = "auto",
        threads: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.attention = attention
        self.size = size
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.keep_stages = keep_stages
        self.device = device
        self.threads = threads
        self.random_state = random_state

    def inputs(self) -> str:
        """The recipe of the input: the grey apex image (h, w) of the aligned face."""
        return f"align(size={self.size}) > grey > apex"

    def build(self, channels: int, classes: int) -> nn.Module:
        """The network of the authors' file."""
        if channels != 1:
            raise ModelError(
                f"Micro-Attention reads one grey image per clip, not {channels} planes.",
                f"Give it what its recipe makes: {self.inputs()}.",
            )
        return PreActivatedNetwork(classes, attention=self.attention)

    def settings(self) -> Settings:
        """The authors' solver, as far as epochs allow; their augmentation is the default."""
        return Settings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            weight_decay=self.weight_decay,
            schedule="step",
            augmentation=Augmentation(),
            keep_stages=self.keep_stages,
            device=self.device,
            threads=self.threads,
        )

    def cost(self, classes: int = 5) -> Mapping[str, int]:
        """`parameters` that are trained, and `macs` (multiplications with addition) for one clip."""
        return cost_of(lambda: self.build(1, classes), (1, self.size, self.size))
