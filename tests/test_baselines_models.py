"""The classical models from the frames of a clip to a prediction for a subject never seen."""

import numpy as np
import pytest
from sklearn.base import clone

from mebench.baselines.motion.mdmo import mdmo
from mebench.baselines.motion.models import Mdmo
from mebench.baselines.texture.lbp_top import lbp_top
from mebench.baselines.texture.models import LbpTop
from mebench.errors import DataError
from mebench.recipes import Sample, parse_recipe
from tests.test_baselines_mdmo import face

SIDE = 141


def sample(array: np.ndarray, kind: str, channels: tuple[str, ...] = ()) -> Sample:
    frames = len(array)
    still = np.tile(np.eye(2, 3), (frames, 1, 1))
    return Sample(
        array, kind, face().astype(np.float32), still, np.array([0.0, 0, SIDE, SIDE]), fps=200, channels=channels
    )


def descriptor(recipe: str, given: Sample) -> np.ndarray:
    """What the last step of a recipe makes of what it is given."""
    bound = parse_recipe(recipe).steps[-1]
    assert given.kind == bound.takes
    made = bound.step.apply(given, **bound.parameters)
    assert made.kind == "vector"
    return made.array


@pytest.mark.parametrize("model", [LbpTop, Mdmo])
def test_parameters_are_kept_as_given(model):
    changed = model(size=96, kernel="poly", scaling="standard", C_grid=(1, 3), random_state=4)
    assert clone(changed).get_params() == changed.get_params()
    assert changed.get_params() != model().get_params()
    assert changed.inputs() != model().inputs()


@pytest.mark.parametrize("model", [LbpTop, Mdmo])
def test_the_recipe_parses_and_leans_on_the_interval_alone(model):
    recipe = parse_recipe(model().inputs())
    assert recipe.gives == "vector"
    assert recipe.privilege == "interval"


@pytest.mark.parametrize(("model", "length"), [(LbpTop(), 4425), (Mdmo(), 72)])
def test_the_recipe_turns_frames_in_colour_into_the_descriptor(model, length):
    frames = np.random.default_rng(5).integers(0, 256, (3, 170, SIDE, 3), dtype=np.uint8)
    made = parse_recipe(model.inputs()).apply(sample(frames, "frames"))
    assert made.kind == "vector"
    assert made.array.shape == (length,)
    assert np.all(np.isfinite(made.array))
    assert made.array.any()


def test_lbp_top_parameters_reach_the_descriptor():
    volume = np.random.default_rng(0).integers(0, 256, (10, 40, 40), dtype=np.uint8)
    settings = {"radii": (2, 1, 3), "neighbours": 4, "mapping": "full", "blocks": (3, 4, 1)}
    found = descriptor(LbpTop(**settings).inputs(), sample(volume, "frames"))
    np.testing.assert_array_equal(found, lbp_top(volume, **settings))
    assert "tim(12)" in LbpTop(frames=12).inputs()
    assert "tim" not in LbpTop(frames=0).inputs()


def test_mdmo_reads_u_and_v_wherever_they_stand():
    flow = np.random.default_rng(1).normal(0, 1, (3, 170, SIDE, 2)).astype(np.float32)
    expected = mdmo(flow, face(), beta=0.5)
    recipe = Mdmo(beta=0.5).inputs()
    np.testing.assert_array_equal(descriptor(recipe, sample(flow, "flow", ("u", "v"))), expected)
    shuffled = np.stack([flow[..., 1], np.full(flow.shape[:3], 9), flow[..., 0]], axis=-1)
    np.testing.assert_array_equal(descriptor(recipe, sample(shuffled, "flow", ("v", "strain", "u"))), expected)
    with pytest.raises(DataError, match="got flow fields strain"):
        descriptor(recipe, sample(flow[..., :1], "flow", ("strain",)))


def test_mdmo_takes_a_single_flow():
    flow = np.random.default_rng(2).normal(0, 1, (170, SIDE, 2)).astype(np.float32)
    np.testing.assert_array_equal(
        descriptor(Mdmo().inputs(), sample(flow, "flow", ("u", "v"))), mdmo(flow[None], face())
    )


def drifting_clip(rng: np.random.Generator, texture: np.ndarray, up: int) -> np.ndarray:
    """Twelve frames of a subject's skin whose upper half moves a pixel every fourth frame, up or down, with noise."""
    frames = np.stack([texture[20:60, 20:60]] * 12)
    for t in range(12):
        shift = 20 + up * (t // 4)
        frames[t, :20] = texture[shift : shift + 20, 20:60]
    return np.clip(frames + rng.normal(0, 2, frames.shape), 0, 255).round().astype(np.uint8)


def test_lbp_top_tells_directions_of_motion_apart_on_unseen_subjects():
    rng = np.random.default_rng(3)
    model = LbpTop(blocks=(2, 2), C_grid=(0.1, 10.0))
    X, y, groups = [], [], []
    for subject in range(6):
        texture = rng.integers(0, 256, (80, 80)).astype(float)
        texture = (texture + np.roll(texture, 1, 0) + np.roll(texture, 1, 1) + np.roll(texture, (1, 1), (0, 1))) / 4
        for clip in range(4):
            X.append(descriptor(model.inputs(), sample(drifting_clip(rng, texture, 1 - clip % 2 * 2), "frames")))
            y.append(["up", "down"][clip % 2])
            groups.append(subject)
    X, y, groups = np.stack(X), np.array(y), np.array(groups)
    known = groups < 4
    fitted = clone(model).fit(X[known], y[known], groups=groups[known])
    assert fitted.c_search_ == "inner"
    assert fitted.predict(X[~known]).tolist() == y[~known].tolist()


def test_mdmo_tells_moving_regions_apart_on_unseen_subjects():
    rng = np.random.default_rng(4)
    model = Mdmo(C_grid=(1.0, 100.0))
    X, y, groups = [], [], []
    for subject in range(6):
        for kind, rows in (("brow", slice(15, 50)), ("mouth", slice(120, 150))):
            flow = rng.normal(0, 0.3, (4, 170, SIDE, 2)).astype(np.float32)
            flow[:, rows, :, 1] -= rng.uniform(0.5, 2)
            X.append(descriptor(model.inputs(), sample(flow, "flow", ("u", "v"))))
            y.append(kind)
            groups.append(subject)
    X, y, groups = np.stack(X), np.array(y), np.array(groups)
    known = groups < 4
    fitted = clone(model).fit(X[known], y[known], groups=groups[known])
    assert fitted.predict(X[~known]).tolist() == y[~known].tolist()
