"""TV-L1 in PyTorch against OpenCV's."""

import numpy as np
import pytest
import torch

from mebench.errors import DataError
from mebench.vision.flow import flow
from mebench.vision.torch_tvl1 import TVL1, torch_tvl1
from tests.test_vision_flow import texture

QUICK = TVL1(scales=3, warps=2, inner=6, median_every=6)
TOLERANCE_PX = 0.015
"""RMS beyond 12 px of the border, motion up to a pixel, noise of sigma 2; .004 to .006 px on four other pairs."""


def pair(*shifts: float) -> tuple[torch.Tensor, torch.Tensor]:
    first = np.stack([texture()] * len(shifts))
    return torch.from_numpy(first), torch.from_numpy(np.stack([texture(shift) for shift in shifts]))


def local(peak_px: float, noise: float = 2.0) -> np.ndarray:
    """A texture of 72 px in whose middle skin moves to the right by at most this much, as a camera delivers it."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:72, :72].astype(np.float64)
    moved = x - peak_px * np.exp(-((x - 36) ** 2 + (y - 36) ** 2) / (2 * 10**2))
    total = np.full(x.shape, 127.0)
    for wavelength, angle, phase in rng.uniform((8, 0, 0), (40, np.pi, 6.3), (40, 3)):
        total += 7 * np.cos(2 * np.pi * (moved * np.cos(angle) + y * np.sin(angle)) / wavelength + phase)
    total += np.random.default_rng(round(10 * peak_px)).normal(0, noise, total.shape)
    return np.rint(np.clip(total, 0, 255)).astype(np.uint8)


def test_it_agrees_with_opencv_on_skin_that_moves_here_and_there() -> None:
    first, second = local(0.0), local(1.0)
    ours, theirs = flow(first, second, "torch-tvl1"), flow(first, second, "tvl1")
    assert ours.dtype == np.float32
    off = (ours - theirs)[12:-12, 12:-12]
    assert np.sqrt((off**2).sum(axis=-1).mean()) < TOLERANCE_PX
    assert ours[32:40, 32:40, 0].mean() > 0.5  # of .96 px: both come out short


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
