"""The shared trainer: same bits for a seed, nothing left behind, augmentation and sampling by hand."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import nn

from mebench.errors import ModelError
from mebench.learning import NO_AUGMENTATION, Augmentation, Group, NetworkClassifier, Settings, train
from mebench.learning.augmentation import augment
from mebench.learning.reproducible import pick_device, reproducible
from mebench.learning.sampling import batches, class_weights
from mebench.learning.trainer import logits, refresh_statistics

CPU = torch.device("cpu")


class Small(nn.Module):
    """A convolution, a batch norm, dropout (which draws from torch's global state) and a linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(6, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.fc(self.drop(torch.relu(self.norm(self.conv(x / 128 - 1))).mean((2, 3))))
        return scores


class Toy(NetworkClassifier):
    def __init__(
        self,
        *,
        epochs: int = 3,
        keep_stages: bool = False,
        threads: int | None = 1,
        device: str = "cpu",
        random_state: Any = 0,
    ) -> None:
        self.epochs = epochs
        self.keep_stages = keep_stages
        self.threads = threads
        self.device = device
        self.random_state = random_state

    def build(self, channels: int, classes: int) -> nn.Module:
        return Small(channels, classes)

    def settings(self) -> Settings:
        return Settings(
            epochs=self.epochs, batch_size=8, lr=0.1, augmentation=Augmentation(shift=0.1),
            keep_stages=self.keep_stages, threads=self.threads, device=self.device,
        )  # fmt: skip


def corpus(n: int = 24, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Images whose upper or lower half is bright, which no mirror confuses, and a third class without a bright half."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 60, (n, 8, 8), dtype=np.uint8)
    y = np.array(["bottom", "none", "top"])[np.arange(n) % 3]
    X[y == "top", :4] += 150
    X[y == "bottom", 4:] += 150
    return X, y


def state(network: nn.Module) -> bytes:
    return b"".join(value.numpy().tobytes() for value in network.state_dict().values())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- the estimator


def test_two_fits_give_the_same_bits() -> None:
    X, y = corpus()
    first, again = Toy(random_state=5).fit(X, y), clone(Toy(random_state=5)).fit(X, y)
    assert state(first.network_) == state(again.network_)
    assert first.history_.loss == again.history_.loss
    assert first.predict_proba(X).tobytes() == again.predict_proba(X).tobytes()
    assert state(Toy(random_state=6).fit(X, y).network_) != state(first.network_)


def test_a_fitted_network_counts_what_it_trains() -> None:
    fitted = Toy(epochs=1).fit(*corpus())
    # A 3 x 3 convolution of one map into six and its offsets, scale and shift of six maps, six maps on three classes.
    convolution, normalisation, classifier = 6 * 9 + 6, 2 * 6, 6 * 3 + 3
    assert fitted.trainable_parameters_ == convolution + normalisation + classifier
    fitted.network_.fc.requires_grad_(False)
    assert fitted.trainable_parameters_ == convolution + normalisation


def test_global_state_is_left_as_it_was() -> None:
    X, y = corpus()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    Toy(threads=threads + 1).fit(X, y).predict(X)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.get_state()[1].tobytes() == numpy_state  # noqa: NPY002
    assert torch.get_num_threads() == threads
    assert torch.are_deterministic_algorithms_enabled() == deterministic


def test_the_result_does_not_depend_on_global_random_state() -> None:
    X, y = corpus()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = Toy().fit(X, y)
        torch.manual_seed(2)
        again = Toy().fit(X, y)
    assert state(first.network_) == state(again.network_)


def test_threads_are_set_inside_and_restored_outside() -> None:
    before = torch.get_num_threads()
    with reproducible(0, CPU, threads=before + 2):
        assert torch.get_num_threads() == before + 2
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == before


def test_state_is_restored_after_an_error() -> None:
    before = torch.get_num_threads(), torch.get_rng_state()

    def fail() -> None:
        with reproducible(0, CPU, threads=before[0] + 1):
            torch.rand(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert not torch.are_deterministic_algorithms_enabled()


def test_labels_are_strings_and_the_task_is_learnt() -> None:
    X, y = corpus(60)
    fitted = Toy(epochs=30).fit(X, y)
    assert fitted.classes_.tolist() == ["bottom", "none", "top"]
    probabilities = fitted.predict_proba(corpus(30, seed=1)[0])
    assert np.allclose(probabilities.sum(axis=1), 1)
    # Chance is 1/3; the bright half is plain to see.
    assert fitted.score(*corpus(30, seed=1)) > 0.6
    assert fitted.history_.loss[-1] < fitted.history_.loss[0]


def test_classes_absent_from_training_have_no_column() -> None:
    X, y = corpus()
    present = y != "none"
    fitted = Toy().fit(X[present], y[present])
    assert fitted.classes_.tolist() == ["bottom", "top"]
    assert fitted.predict_proba(X).shape == (24, 2)
    assert set(Toy().fit(X[y == "top"], y[y == "top"]).predict(X)) == {"top"}


def test_a_fitted_model_survives_pickling() -> None:
    X, y = corpus()
    fitted = Toy().fit(X, y)
    assert pickle.loads(pickle.dumps(fitted)).predict_proba(X).tobytes() == fitted.predict_proba(X).tobytes()


def test_images_come_with_or_without_a_channel_axis_and_as_integers_or_floats() -> None:
    X, y = corpus()
    fitted = Toy().fit(X, y)
    expected = fitted.predict_proba(X)
    assert np.array_equal(fitted.predict_proba(X[:, None]), expected)
    assert np.array_equal(fitted.predict_proba(X.astype(np.float64)), expected)
    readonly = X.copy()
    readonly.flags.writeable = False
    assert np.array_equal(fitted.predict_proba(readonly), expected)


def test_stages_end_with_the_final_weights_and_leave_them_in_place() -> None:
    X, y = corpus()
    fitted = Toy(epochs=4, keep_stages=True).fit(X, y)
    final = fitted.predict_proba(X)
    stages = list(fitted.staged_predict_proba(X))
    assert len(stages) == 4
    assert np.array_equal(stages[-1], final)
    assert not np.array_equal(stages[0], final)
    next(fitted.staged_predict_proba(X))  # left after the first epoch
    assert np.array_equal(fitted.predict_proba(X), final)
    # Keeping stages must not change what is trained.
    assert state(fitted.network_) == state(Toy(epochs=4).fit(X, y).network_)


def test_asking_for_stages_that_were_not_kept_says_so() -> None:
    X, y = corpus()
    with pytest.raises(ModelError, match="keep_stages"):
        next(Toy().fit(X, y).staged_predict_proba(X))
    with pytest.raises(NotFittedError):
        Toy().predict(X)


@pytest.mark.parametrize("seed", [None, -1, 1.5, np.random.RandomState(0)])
def test_a_seed_that_is_no_integer_is_refused(seed: object) -> None:
    with pytest.raises(ModelError, match="random_state"):
        Toy(random_state=seed).fit(*corpus())


def test_wrong_images_are_refused() -> None:
    X, y = corpus()
    with pytest.raises(ModelError, match="shape"):
        Toy().fit(X[0], y)
    with pytest.raises(ModelError, match="different shapes"):
        Toy().fit([X[0], X[1, :4]], y[:2])
    with pytest.raises(ModelError, match="labels"):
        Toy().fit(X, y[:-1])
    with pytest.raises(ModelError, match="not finite"):
        Toy().fit(np.where(X > 50, np.nan, X), y)


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto").type == "cpu"
    with pytest.raises(ModelError, match="no CUDA"):
        pick_device("cuda")
    with pytest.raises(ModelError, match="tpu"):
        pick_device("tpu")


# --- the trainer


class Recorder(nn.Module):
    """Two weights with a constant gradient: the loss is the cross-entropy of outputs (a, -a) and (b, -b) summed."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(()))
        self.weight = nn.Parameter(torch.ones(()))
        self.frozen = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The outputs do not depend on the parameters' values, so that weight decay alone moves them.
        return x.mean((1, 2, 3))[:, None] * torch.ones(1, 2) + 0 * (self.gamma + self.weight + self.frozen)


def test_groups_have_their_own_rate_and_decay() -> None:
    network = Recorder()
    groups = (Group("gamma", lr=0.5), Group("frozen", lr=0.0, weight_decay=1.0))
    settings = Settings(
        epochs=2, batch_size=4, lr=0.1, weight_decay=0.5, groups=groups, schedule="constant", device="cpu",
        augmentation=NO_AUGMENTATION, balance="none",
    )  # fmt: skip
    train(network, np.ones((4, 1, 2, 2), np.float32), np.array([0, 1, 0, 1]), settings, seed=0)
    # SGD with momentum .9 on the gradient .5 w: w 1 → v = .5, w = .95 → v = .45 + .475 = .925, w = .8575.
    assert network.weight.item() == pytest.approx(0.8575)
    assert network.gamma.item() == 1.0
    assert network.frozen.item() == 1.0


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("step", [1.0, 1.0, 0.1, 0.01]),
        ("cosine", [1.0, 0.853553, 0.5, 0.146447]),  # (1 + cos(pi p)) / 2 at p = 0, 1/4, 1/2, 3/4
    ],
)
def test_learning_rates_follow_the_schedule(
    schedule: Any, expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = torch.optim.SGD.step

    def spy(self: torch.optim.SGD, *args: Any, **kwargs: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.SGD, "step", spy)
    settings = Settings(epochs=4, batch_size=4, lr=2.0, schedule=schedule, device="cpu", balance="none")
    train(Recorder(), np.ones((4, 1, 2, 2), np.float32), np.array([0, 1, 0, 1]), settings, seed=0)
    assert rates == pytest.approx([2.0 * factor for factor in expected], abs=1e-5)


def test_adam_and_class_weights_train_too() -> None:
    X, y = corpus(30)
    codes = np.unique(y, return_inverse=True)[1]
    settings = Settings(epochs=20, batch_size=8, optimiser="adam", lr=0.05, balance="weight", device="cpu", threads=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Small(1, 3)
    history = train(network, X[:, None], codes, settings, seed=0)
    assert history.loss[-1] < 0.8 * history.loss[0]
    assert (logits(network, X[:, None], "cpu").argmax(1) == codes).mean() > 0.6


def test_refreshed_statistics_are_those_of_the_training_images() -> None:
    X = np.random.default_rng(0).integers(0, 256, (20, 1, 6, 6), dtype=np.uint8)
    network = nn.Sequential(nn.BatchNorm2d(1))
    refresh_statistics(network, torch.tensor(X).float().split(10))
    norm = network[0]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_mean.item() == pytest.approx(X.mean(), rel=1e-5)
    assert norm.momentum == 0.1
    assert not network.training


# --- sampling


def test_oversampling_brings_every_class_to_the_largest() -> None:
    codes = torch.tensor([0] * 7 + [1] * 3 + [2])
    for seed in range(3):
        drawn = torch.cat(batches(codes, 4, "oversample", generator(seed)))
        assert torch.bincount(codes[drawn]).tolist() == [7, 7, 7]
        # 7 = 2 x 3 + 1: each image of class 1 twice, one of them a third time; the image of class 2 seven times.
        counts = torch.bincount(drawn, minlength=11)
        assert counts[:7].tolist() == [1] * 7
        assert sorted(counts[7:10].tolist()) == [2, 2, 3]


def test_batches_cover_all_images_once_and_differ_by_one_at_most() -> None:
    parts = batches(torch.zeros(17, dtype=torch.int64), 8, "none", generator())
    # 17 images in batches of at most 8 take three: 6 + 6 + 5.
    assert [len(part) for part in parts] == [6, 6, 5]
    assert sorted(torch.cat(parts).tolist()) == list(range(17))


def test_class_weights_by_hand() -> None:
    # n = 6, k = 2 classes present: 6 / (2 · 4) and 6 / (2 · 2).
    assert class_weights(torch.tensor([0, 0, 0, 0, 2, 2]), 3).tolist() == [0.75, 0.0, 1.5]


# --- augmentation


def test_a_mirror_reverses_columns_and_the_sign_of_horizontal_displacement() -> None:
    images = torch.rand((3, 2, 4, 6), generator=generator())
    mirrored = augment(images, Augmentation(1.0, 0.0, 0.0, 0.0, horizontal=(0,)), generator())
    assert torch.allclose(mirrored[:, 0], -images[:, 0].flip(-1), atol=1e-5)
    assert torch.allclose(mirrored[:, 1], images[:, 1].flip(-1), atol=1e-5)


def test_half_of_the_images_are_mirrored() -> None:
    ramp = torch.arange(4.0).expand(400, 1, 4, 4)
    first_column = augment(ramp, Augmentation(0.5, 0.0, 0.0, 0.0), generator())[:, 0, 0, 0]
    # 400 fair draws: 200 with a standard deviation of 10.
    assert 160 < (first_column > 1.5).sum() < 240


def test_a_turn_keeps_shapes_in_images_that_are_not_square() -> None:
    """A dot turned about the centre keeps its distance from it, also where height and width differ."""
    rows, columns = torch.meshgrid(torch.arange(41.0), torch.arange(81.0), indexing="ij")
    dot = torch.exp(-((rows - 20) ** 2 + (columns - 65) ** 2) / 8).expand(20, 1, 41, 81)
    turned = augment(dot, Augmentation(0.0, 20.0, 0.0, 0.0), generator())[:, 0]
    mass = turned.sum((1, 2))
    y = (turned * rows).sum((1, 2)) / mass - 20
    x = (turned * columns).sum((1, 2)) / mass - 40
    assert torch.allclose(torch.hypot(x, y), torch.full((20,), 25.0), atol=0.1)
    angle = torch.rad2deg(torch.atan2(y, x)).abs()
    assert 5 < angle.max() <= 20.1


def test_shift_and_intensity_stay_in_bounds() -> None:
    flat = torch.full((50, 1, 8, 8), 100.0)
    changed = augment(flat, Augmentation(0.0, 0.0, 0.2, 10.0), generator())
    assert torch.allclose(changed, changed[:, :, :1, :1].expand_as(changed), atol=1e-4)
    assert 5 < (changed - 100).abs().max() <= 10
    ramp = torch.arange(20.0).expand(50, 1, 20, 20)
    moved = augment(ramp, Augmentation(0.0, 0.0, 0.1, 0.0), generator())[:, 0, 10, 10] - 10
    # A tenth of 20 columns: at most 2 columns either way.
    assert 1 < moved.abs().max() <= 2


def test_the_same_generator_gives_the_same_images() -> None:
    images = torch.rand((4, 1, 8, 8), generator=generator(1))
    first, again = (augment(images, Augmentation(shift=0.1), generator(7)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, augment(images, Augmentation(shift=0.1), generator(8)))
    assert augment(images, NO_AUGMENTATION, generator()) is images
