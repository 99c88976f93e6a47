"""What the trainer offers beyond the plain recipe: jitter of the factor, warm-up, layout, precision, weights."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mebench.learning import NO_AUGMENTATION, Augmentation, Settings, train
from mebench.learning.augmentation import augment, changed, drawn
from mebench.learning.sampling import batch_count, batches

PAGE = (Path(__file__).parent.parent / "docs" / "training.md").read_text(encoding="utf-8")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_factor_scales_the_difference_of_onset_and_apex() -> None:
    images = torch.zeros(200, 2, 4, 4)
    images[:, 0], images[:, 1] = 100.0, 110.0
    jittered = augment(images, replace(NO_AUGMENTATION, factor=0.5), generator())
    assert torch.allclose(jittered[:, 0], images[:, 0])
    moved = jittered[:, 1, 0, 0] - 100
    # 10 grey levels times a draw from 0.5 to 1.5.
    assert 5 <= moved.min() < 5.5
    assert 14.5 < moved.max() <= 15
    assert torch.allclose(jittered[:, 1], moved[:, None, None] + 100, atol=1e-4)


def test_the_factor_knows_which_channels_are_onset_and_apex() -> None:
    images = torch.arange(4.0)[:, None, None].expand(1, 4, 3, 3).clone()
    draws = torch.tensor([[1.0, 0.5, 0.5, 0.5, 0.5, 1.0]])  # no mirror, nothing else, the largest factor
    only = replace(NO_AUGMENTATION, factor=1.0, pair=((0, 1), (2, 3)))
    # 2 = 0 + 2 becomes 0 + 2 x 2, and 3 = 1 + 2 becomes 1 + 2 x 2.
    assert changed(images, draws, only)[0, :, 0, 0].tolist() == pytest.approx([0, 1, 4, 5], abs=1e-5)


def test_without_a_factor_nothing_more_is_drawn() -> None:
    """A seed keeps meaning the changes that it meant before there was a factor."""
    plain, jittered = generator(3), generator(3)
    assert torch.equal(drawn(5, Augmentation(), plain)[:, :5], drawn(5, Augmentation(factor=0.2), jittered)[:, :5])
    assert torch.equal(torch.rand((5, 1), generator=plain), drawn(5, Augmentation(factor=0.2), generator(3))[:, 5:])


def test_the_rate_rises_over_the_warm_up_and_then_follows_the_schedule() -> None:
    settings = Settings(epochs=4, schedule="constant", warm_up=2)
    # Two epochs of two steps: 1/4, 2/4, 3/4, 4/4 of the rate, then all of it.
    rates = [settings.rate_factor(epoch, step, 2) for epoch in range(4) for step in range(2)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    falling = replace(settings, schedule="step")
    assert [falling.rate_factor(e, 0, 1) for e in range(4)] == pytest.approx([0.5, 1.0, 0.1, 0.01])


@pytest.mark.parametrize("balance", ["oversample", "weight", "none"])
@pytest.mark.parametrize("counts", [(7, 3, 1), (8, 8, 8), (0, 5, 2), (17, 0, 0)])
def test_batches_are_counted_without_being_drawn(balance: Any, counts: tuple[int, ...]) -> None:
    codes = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    assert batch_count(codes, 4, balance) == len(batches(codes, 4, balance, generator()))


@pytest.mark.parametrize("more", [{"channels_last": False}, {"precision": "float64"}])
def test_layout_and_precision_change_rounding_only(more: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3, 8, 8)), rng.integers(0, 2, 20)
    settings = Settings(epochs=2, batch_size=8, device="cpu", threads=1, augmentation=NO_AUGMENTATION)
    found = []
    for one in (settings, replace(settings, **more)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
        found.append(train(network, X, y, one, 0).loss)
        assert next(network.parameters()).dtype == one.dtype
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_the_classes_on_the_page_run() -> None:
    plain, choosing = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(plain, names)
    exec(choosing, names)
    X = np.random.default_rng(0).integers(0, 255, (12, 2, 28, 28), dtype=np.uint8)
    y, subjects = np.array(["a", "b"] * 6), np.arange(12) // 4
    assert names["Small"](epochs=1, device="cpu").fit(X, y).predict_proba(X).shape == (12, 2)

    class Both(names["Chosen"], names["Small"]):  # type: ignore[misc]
        def settings(self) -> Settings:
            return Settings(self.epochs, device="cpu", threads=1)

    found = Both(epochs_grid=(1, 2), inner_repeats=1).fit(X, y, groups=subjects)
    assert found.search_ == "inner"
    assert found.choice_["epochs"] in (1, 2)


def test_every_setting_is_on_the_page() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE))
    left_to_the_docstring = {"epochs", "batch_size", "optimiser", "lr", "weight_decay", "device", "threads"}
    assert set(Settings.__dataclass_fields__) - left_to_the_docstring <= told
