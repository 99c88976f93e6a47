"""TV-L1 in PyTorch against OpenCV's."""

import numpy as np
import pytest
import torch

from mebench.errors import DataError
from mebench.vision.flow import flow
from mebench.vision.torch_tvl1 import TVL1, torch_tvl1
from tests.test_vision_flow import INSIDE, texture

QUICK = TVL1(scales=3, warps=3, inner=10, median_every=10)
TOLERANCE_PX = 0.02
"""RMS within 16 px of the border, on shifts up to a pixel."""


def pair(*shifts: float) -> tuple[torch.Tensor, torch.Tensor]:
    first = np.stack([texture()] * len(shifts))
    return torch.from_numpy(first), torch.from_numpy(np.stack([texture(shift) for shift in shifts]))


def test_it_agrees_with_opencv() -> None:
    first, second = texture(), texture(0.5, -0.3)
    ours, theirs = flow(first, second, "torch-tvl1"), flow(first, second, "tvl1")
    assert ours.dtype == np.float32
    off = (ours - theirs)[INSIDE]
    assert np.sqrt((off**2).sum(axis=-1).mean()) < TOLERANCE_PX
    assert ours[INSIDE][..., 0].mean() == pytest.approx(0.5, abs=0.02)


def test_many_pairs_at_once_are_as_each_alone() -> None:
    first, second = pair(0.5, 1.0)
    together = torch_tvl1(first, second, QUICK)
    assert together.shape == (2, 2, 128, 128)
    alone = [torch_tvl1(first[i : i + 1], second[i : i + 1], QUICK)[0] for i in (0, 1)]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-4, rtol=0)


def test_identical_frames_do_not_flow() -> None:
    first, _ = pair(0.0)
    assert torch_tvl1(first, first, QUICK).abs().max() < 1e-3  # warping by nothing rounds


def test_noise_is_smoothed_where_asked() -> None:
    noisy = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 1, 64, 64), dtype=np.uint8))
    plain, smooth = (torch_tvl1(*noisy, TVL1(scales=2, warps=2, inner=10, presmooth=s)) for s in (0.0, 1.5))
    assert smooth.isfinite().all()
    assert not torch.equal(plain, smooth)


def test_floats_unequal_and_tiny_images_are_refused() -> None:
    first, second = pair(0.5)
    for a, b in ((first.float(), second), (first / 255, second / 255), (first, second[:, :-1]), (first[0], second[0])):
        with pytest.raises(DataError):
            torch_tvl1(a, b)
    with pytest.raises(DataError, match="12 px"):
        torch_tvl1(first[:, :8], second[:, :8])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_finds_what_the_processor_finds() -> None:
    first, second = pair(0.5, 1.0)
    there = torch_tvl1(first, second, QUICK, device="cuda").cpu()
    torch.testing.assert_close(there, torch_tvl1(first, second, QUICK), atol=1e-2, rtol=0)
