"""What the classical descriptors cost per clip of 70x170x140 px, on one core.

Usage: python -m benchmarks.descriptors

Beside ours stand implementations a user would otherwise write, or take from scikit-image (not a dependency of ours: its
rows are left out where it is not installed). All run in this process on the same clip, and their results are asserted
equal to ours before anything is timed. Times are CPU seconds of one thread, the shortest of several runs; where the
machine does other work they are longer all the same, as caches are shared.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from benchmarks import descriptor_peers as peers
from mebench.baselines.motion.bi_woof import bi_woof
from mebench.baselines.motion.fdm import fdm
from mebench.baselines.motion.hoof import hoof
from mebench.baselines.motion.mdmo import mdmo
from mebench.baselines.texture.gradients import hog3d
from mebench.baselines.texture.lbp import lbp
from mebench.baselines.texture.lbp_fip import lbp_fip
from mebench.baselines.texture.lbp_mop import lbp_mop
from mebench.baselines.texture.lbp_sip import lbp_sip
from mebench.baselines.texture.lbp_top import lbp_top, lbp_top_codes
from mebench.baselines.texture.projections import distlbp_rip, stlbp_ip
from mebench.vision.strain import strain
from tests.test_baselines_mdmo import face

FRAMES, HEIGHT, WIDTH = SHAPE = (70, 170, 140)
PIXEL_FRAMES = 1
"""Centre frames the pure Python reading is timed on; each takes seconds."""
COLD = """
import time
import numpy as np
from mebench.baselines.texture.lbp_top import lbp_top
volume = np.zeros((70, 170, 140), np.uint8)
started = time.perf_counter()
lbp_top(volume)
print(time.perf_counter() - started)
"""


def main() -> int:
    """0 once all tables are printed."""
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        volume = clip()
        print(f"Milliseconds per clip of {FRAMES}x{HEIGHT}x{WIDTH}, {peers.BLOCKS}x{peers.BLOCKS} blocks, one core\n")
        top(volume)
        relatives(volume)
        compilation()
        projections_and_gradients(volume)
        after_flow()
    return 0


def clip() -> np.ndarray:
    """A clip of blurred noise, as smooth as skin: neighbouring codes repeat, and many neighbours are equal."""
    noise = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), (2, 2, 2))
    return np.rint(128 + 40 * noise / noise.std()).clip(0, 255).astype(np.uint8)


def seconds(work: Callable[[], object], repeats: int = 15) -> float:
    """The shortest of several runs."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def line(name: str, taken: float, ours: float | None = None, note: str = "") -> None:
    """One row: milliseconds, and how many times ours."""
    ratio = f"x{taken / ours:9.1f}" if ours else " " * 10
    print(f"  {name:42} {taken * 1000:11.2f} ms  {ratio}  {note}".rstrip())


def top(volume: np.ndarray) -> None:
    """LBP-TOP, P = 8, bilinear, u2, R (1, 1, 4), against every peer."""
    expected = lbp_top(volume)
    np.testing.assert_array_equal(peers.vectorised_top(volume), expected)
    np.testing.assert_array_equal(peers.plain_numba(volume), expected)
    few = volume[: 2 * peers.RADII[2] + PIXEL_FRAMES]
    started = time.process_time()
    found = peers.per_pixel(few)
    taken = time.process_time() - started
    np.testing.assert_array_equal(found, lbp_top(few))
    centres = FRAMES - 2 * peers.RADII[2]
    ours = seconds(lambda: lbp_top(volume))
    print("LBP-TOP: P = 8, bilinear, u2, R = (1, 1, 4); equal histograms")
    line("mebench", ours, ours)
    line("numba, a pixel at a time", seconds(lambda: peers.plain_numba(volume), 5), ours)
    line("numpy, a neighbour at a time", seconds(lambda: peers.vectorised_top(volume), 3), ours)
    note = f"from {PIXEL_FRAMES} of {centres} centre frames"
    line("Python, a pixel at a time", taken / PIXEL_FRAMES * centres, ours, note)
    line("mebench, codes alone", seconds(lambda: lbp_top_codes(volume)), ours)
    line("reading the clip, writing its codes", floor(volume), ours, "numpy copies of as many bytes")
    scikit_image(volume)
    print()


def floor(volume: np.ndarray) -> float:
    """How long it takes to read a clip and to write three bytes of codes per pixel, and no more."""
    codes = np.empty((3, *volume.shape), np.uint8)
    return seconds(lambda: np.copyto(codes, volume))


def scikit_image(volume: np.ndarray) -> None:
    """The codes of the three planes at radius 1, beside scikit-image's."""
    theirs = peers.scikit_image_codes(volume)
    if theirs is None:
        print("  scikit-image is not installed: pip install scikit-image")
        return
    ours = lbp_top_codes(volume, radii=(1, 1, 1))
    np.testing.assert_array_equal(theirs, ours)
    fast = seconds(lambda: lbp_top_codes(volume, radii=(1, 1, 1)))
    line("mebench, codes alone, R = (1, 1, 1)", fast, fast)
    line("scikit-image, codes alone, R = (1, 1, 1)", seconds(lambda: peers.scikit_image_codes(volume), 3), fast)


def relatives(volume: np.ndarray) -> None:
    """The other LBP descriptors; per plane beside LBP-TOP."""
    np.testing.assert_array_equal(peers.vectorised_sip(volume), lbp_sip(volume))
    np.testing.assert_array_equal(peers.vectorised_fip(volume), lbp_fip(volume))
    per_plane = seconds(lambda: lbp_top(volume)) / 3
    print("Its relatives; equal histograms")
    for name, work, planes, peer in (
        ("LBP-SIP", lambda: lbp_sip(volume), 2, peers.vectorised_sip),
        ("LBP-FIP", lambda: lbp_fip(volume), 4, peers.vectorised_fip),
        ("LBP-MOP", lambda: lbp_mop(volume), 3, None),
    ):
        ours = seconds(work)
        line(name, ours, ours, f"x{ours / planes / per_plane:.2f} of LBP-TOP per plane")
        if peer is not None:
            line("numpy, a neighbour at a time", seconds(lambda peer=peer: peer(volume), 3), ours)
    line("LBP of one image", seconds(lambda: lbp(volume[0])))
    print()


def compilation() -> None:
    """The first LBP-TOP of a process by the clock, its kernels compiled or read from the cache on disk."""
    print("The first LBP-TOP of a process")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("kernels compiled", "kernels from the cache on disk"):
            run = subprocess.run(
                [sys.executable, "-c", COLD],
                env={**os.environ, "NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            line(name, float(run.stdout))
    print()


# --- other texture


def projections_and_gradients(volume: np.ndarray) -> None:
    """Integral projections and gradients, timed alone."""
    print("Projections and gradients")
    line("STLBP-IP", seconds(lambda: stlbp_ip(volume), 5))
    line("DiSTLBP-RIP", seconds(lambda: distlbp_rip(volume), 1))
    line("3DHOG", seconds(lambda: hog3d(volume, face()), 5))
    print()


# --- what flow descriptors cost once there is flow


def after_flow() -> None:
    """MDMO, FDM and HOOF of a clip's 69 fields, Bi-WOOF of one; the flow itself is not in it."""
    fields = gaussian_filter(np.random.default_rng(1).normal(size=(FRAMES - 1, HEIGHT, WIDTH, 2)), (1, 4, 4, 0))
    flow = (fields / fields.std()).astype(np.float32)
    one, deformed = flow[0], strain(flow[0])
    np.testing.assert_allclose(bi_woof(one, deformed), peers.bi_woof_arrays(one, deformed), atol=1e-5)
    print("After flow")
    ours = seconds(lambda: bi_woof(one, deformed))
    line("Bi-WOOF, one field", ours, ours)
    line("numpy", seconds(lambda: peers.bi_woof_arrays(one, deformed), 5), ours)
    blocks = (peers.BLOCKS, peers.BLOCKS)
    np.testing.assert_allclose(hoof(flow, bins=8, blocks=blocks), peers.hoof_arrays(flow, 8), atol=1e-5)
    ours = seconds(lambda: hoof(flow, bins=8, blocks=blocks), 5)
    line("HOOF, 69 fields", ours, ours)
    line("numpy", seconds(lambda: peers.hoof_arrays(flow, 8), 3), ours)
    line("MDMO, 69 fields", seconds(lambda: mdmo(flow, face()), 5))
    line("FDM, 69 fields", seconds(lambda: fdm(flow, blocks=blocks), 3))


if __name__ == "__main__":
    sys.exit(main())
