"""Many folds at once: the same as fold by fold, nothing of one fold in another, killed and gone on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from mebench import checkpoints
from mebench.errors import ModelError
from mebench.lam.model import LAM
from mebench.learning import Augmentation, Group, NetworkClassifier, Settings, train
from mebench.learning.memory import fold_bytes, folds_in
from mebench.learning.stacked import Stack
from mebench.learning.stepping import Steps
from mebench.learning.together import Part, train_together
from tests.killing import killed_at

IMAGES = 40
EQUAL = 1e-9
"""In float64, after three epochs; measured 1e-13 and below."""


class Small(nn.Module):
    """Two convolutions with batch norm, one of them with a cumulative average, and dropout of both kinds."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.3),
            nn.Conv2d(6, 5, 3), nn.Dropout2d(0.2), nn.BatchNorm2d(5, momentum=None), nn.ReLU(),
        )  # fmt: skip
        self.fc = nn.Linear(5, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.fc(self.body(x / 128 - 1).mean((2, 3)))
        return scores


class Toy(NetworkClassifier):
    def __init__(self, *, epochs: int = 2, keep_stages: bool = False, random_state: int = 0) -> None:
        self.epochs = epochs
        self.keep_stages = keep_stages
        self.random_state = random_state

    def build(self, channels: int, classes: int) -> nn.Module:
        return Small(classes)

    def settings(self) -> Settings:
        return Settings(
            self.epochs, batch_size=8, precision="float64", device="cpu", threads=1, keep_stages=self.keep_stages
        )


def small(seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Small()


def lam(seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LAM(backbone="resnet10", width=4, size=32, channels="pair", dropout=0.3).build(2, 3)


def corpus(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 255, (IMAGES, 2, 16, 16), dtype=np.uint8), rng.integers(0, 3, IMAGES)


def leave_out(*held_out: tuple[int, int]) -> list[NDArray[np.intp]]:
    """Rows of folds that leave out these ranges: of unequal length."""
    return [np.setdiff1d(np.arange(IMAGES), np.arange(*gone)) for gone in held_out]


ROWS = leave_out((0, 3), (3, 20), (20, 24), (24, 36))
SETTINGS = Settings(
    epochs=3, batch_size=8, lr=1e-3, device="cpu", threads=1, groups=(Group("gamma", 0.1), Group("fc", 0.01, 0.1)),
    augmentation=Augmentation(shift=0.1, factor=0.3), precision="float64",
)  # fmt: skip


def parts_of(y: NDArray[np.int64]) -> list[Part]:
    return [Part(rows, y[rows], seed + 7) for seed, rows in enumerate(ROWS)]


def apart(one: nn.Module, other: nn.Module) -> float:
    """The largest difference between two networks, running statistics included."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)


def bits(network: nn.Module) -> bytes:
    return b"".join(value.numpy().tobytes() for value in network.state_dict().values())


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"optimiser": "adam", "balance": "weight", "schedule": "step", "warm_up": 1.5},
        {"balance": "none", "refresh_statistics": True, "keep_stages": True, "batch_size": 64},
    ],
    ids=["sgd", "adam", "stages"],
)
@pytest.mark.parametrize("make", [small, lam])
def test_folds_at_once_are_the_folds_one_by_one(make: Any, more: dict[str, Any]) -> None:
    X, y = corpus()
    parts, settings = parts_of(y), replace(SETTINGS, **more)
    alone, together = [make(k) for k in range(4)], [make(k) for k in range(4)]
    expected = [train(n, X[p.rows], p.codes, settings, p.seed) for n, p in zip(alone, parts, strict=True)]
    found = train_together(together, X, parts, settings)
    untrained = make(0).double()
    for one, other, before, now in zip(alone, together, expected, found, strict=True):
        assert apart(one, other) < EQUAL
        assert apart(one, untrained) > 1e-3
        assert now.loss == pytest.approx(before.loss, abs=EQUAL)
        assert len(now.stages) == len(before.stages) == (3 if settings.keep_stages else 0)
        assert not other.training
        for stage, was in zip(now.stages, before.stages, strict=True):
            assert all(torch.allclose(stage[name], was[name], atol=EQUAL) for name in was)


def test_nothing_of_a_fold_depends_on_the_labels_of_another() -> None:
    X, y = corpus()
    honest, blind = [small(k) for k in range(4)], [small(k) for k in range(4)]
    train_together(honest, X, parts_of(y), SETTINGS)
    # Turning every class into the next keeps what shapes batches: how many images the classes have.
    turned = [
        part if k == 1 else Part(part.rows, (part.codes + 1) % 3, part.seed) for k, part in enumerate(parts_of(y))
    ]
    train_together(blind, X, turned, SETTINGS)
    assert bits(honest[1]) == bits(blind[1])
    assert bits(honest[0]) != bits(blind[0])


def test_classifiers_fitted_at_once_predict_as_those_fitted_alone() -> None:
    X, codes = corpus()
    y = np.array(["a", "b", "c"])[codes]
    y[ROWS[2]] = np.where(y[ROWS[2]] == "c", "a", y[ROWS[2]])  # a fold whose training lacks a class
    folds = [(rows, y[rows], 11 + k) for k, rows in enumerate(ROWS)]
    folds[0] = (ROWS[0], corpus(1)[1][ROWS[0]].astype(str), 11)
    template = Toy(keep_stages=True)
    fitted = template.fit_folds(X, folds)
    assert not hasattr(template, "network_")
    for (rows, labels, seed), one in zip(folds, fitted, strict=True):
        alone = Toy(keep_stages=True, random_state=seed).fit(X[rows], labels)
        assert one.random_state == seed
        assert one.classes_.tolist() == alone.classes_.tolist()
        assert np.allclose(one.predict_proba(X), alone.predict_proba(X), atol=EQUAL)
        stages = zip(one.staged_predict_proba(X), alone.staged_predict_proba(X), strict=True)
        assert all(np.allclose(a, b, atol=EQUAL) for a, b in stages)
        assert one.trainable_parameters_ == alone.trainable_parameters_
    assert len({len(one.classes_) for one in fitted}) == 2


def test_what_is_noted_after_training_is_noted_of_the_folds_own_images() -> None:
    class Noting(Toy):
        def trained(self, images: NDArray[Any]) -> None:
            self.seen_ = images.copy()

    X, codes = corpus()
    fitted = Noting(epochs=1).fit_folds(X, [(rows, codes[rows].astype(str), 0) for rows in ROWS])
    assert all(np.array_equal(one.seen_, X[rows]) for one, rows in zip(fitted, ROWS, strict=True))


def test_networks_that_differ_in_shape_are_refused() -> None:
    X, y = corpus()
    with pytest.raises(ModelError, match=r"differ in the shape of fc\.weight"):
        train_together([Small(3), Small(2)], X, parts_of(y)[:2], SETTINGS)


def test_a_layer_that_draws_by_itself_is_refused() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.fc(functional.dropout(x.mean((2, 3)), training=self.training))
            return scores

    X, y = corpus()
    with pytest.raises(ModelError, match="cannot be trained on many folds at once"):
        train_together([Noisy(), Noisy()], X, parts_of(y)[:2], SETTINGS)


def test_bfloat16_trains_in_both_ways() -> None:
    X, y = corpus()
    parts, settings = parts_of(y), replace(SETTINGS, precision="bfloat16")
    together, alone = [small(k) for k in range(4)], small(0)
    found = train_together(together, X, parts, settings)
    expected = train(alone, X[parts[0].rows], parts[0].codes, settings, parts[0].seed)
    assert found[0].loss == pytest.approx(expected.loss, abs=0.02)  # eight bits of mantissa
    whole = train(small(0), X[parts[0].rows], parts[0].codes, replace(SETTINGS, precision="float32"), parts[0].seed)
    assert expected.loss != whole.loss
    assert next(alone.parameters()).dtype == torch.float32


# --- steps


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_steps_are_those_of_torch(kind: Any) -> None:
    start, gradients = torch.randn(2, 5, dtype=torch.float64), torch.randn(4, 2, 5, dtype=torch.float64)
    settings = Settings(epochs=1, optimiser=kind, lr=0.1, weight_decay=0.3)
    stacked = nn.Parameter(start.clone())
    ours = Steps({"w": stacked}, settings)
    theirs = [nn.Parameter(row.clone()) for row in start]
    maker = torch.optim.Adam if kind == "adam" else torch.optim.SGD
    options = {} if kind == "adam" else {"momentum": 0.9}
    optimisers = [maker([p], lr=0.1, weight_decay=0.3, **options) for p in theirs]
    for gradient in gradients:
        stacked.grad = gradient
        ours.step(torch.tensor([1.0, 0.5]))
        for k, (parameter, optimiser) in enumerate(zip(theirs, optimisers, strict=True)):
            optimiser.param_groups[0]["lr"] = 0.1 * (1.0, 0.5)[k]
            parameter.grad = gradient[k]
            optimiser.step()
    assert torch.allclose(stacked, torch.stack(list(theirs)), atol=1e-12)


def test_folds_that_have_stopped_stay_as_they_are() -> None:
    stacked = nn.Parameter(torch.ones(2, 3))
    steps = Steps({"w": stacked}, Settings(epochs=1, lr=0.1))
    stacked.grad = torch.ones(2, 3)
    steps.step(torch.ones(2))
    second = stacked[1].detach().clone()
    steps.step(torch.ones(1))
    assert torch.equal(stacked[1], second)
    assert not torch.equal(stacked[0], second)


# --- memory


def test_the_memory_of_a_fold_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.Flatten(), nn.Linear(2 * 4 * 4, 3, bias=False))
    settings = Settings(epochs=1, batch_size=10)
    # 18 + 96 weights, thrice (weights, gradients, momentum); per image 36 in, 32 convolved, 32 flat, 3 out.
    expected = 4 * (3 * 114 + 3 * 10 * (36 + 32 + 32 + 3))
    assert fold_bytes(network, torch.zeros(1, 1, 6, 6), settings) == expected
    # Two thirds of 60 000 bytes less 100 images of 144 bytes leave 25 600.
    assert folds_in(60_000, network, torch.zeros(1, 1, 6, 6), 100, settings) == 25_600 // expected
    assert folds_in(0, network, torch.zeros(1, 1, 6, 6), 100, settings) == 1


def test_the_cpu_takes_folds_one_by_one_and_cuda_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Free(Toy):
        def settings(self) -> Settings:
            return replace(super().settings(), device="auto")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Free().folds_that_fit((2, 16, 16), 40, 3) == 1
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (100_000_000, 200_000_000))
    assert Free().folds_that_fit((2, 16, 16), 40, 3) > 10


def test_a_fit_of_its_own_is_not_passed_by() -> None:
    class Own(Toy):
        def fit(self, X: Any, y: Any) -> Any:
            return super().fit(X, y)

    assert hasattr(Toy(), "fit_folds")
    assert not hasattr(Own(), "fit_folds")


# --- states


def trained_bytes(folder: Any, path: Any, *, at_once: bool, every_s: float = 0.0) -> None:
    """Trains with states in the folder and leaves the weights at the path."""
    X, y = corpus()
    settings = replace(SETTINGS, precision="float32", keep_stages=True)
    with checkpoints.keeping(folder, every_s):
        if at_once:
            networks = [small(k) for k in range(4)]
            histories = train_together(networks, X, parts_of(y), settings)
        else:
            networks = [small(0)]
            histories = (train(networks[0], X, y, settings, 5),)
    stages = b"".join(v.numpy().tobytes() for h in histories for stage in h.stages for v in stage.values())
    losses = np.array([h.loss for h in histories]).tobytes()
    path.write_bytes(b"".join(map(bits, networks)) + stages + losses)


@pytest.mark.parametrize(
    ("at_once", "count"), [(False, 2), (True, 7), (True, 9)], ids=["alone", "within", "epoch's end"]
)
def test_a_training_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Any, *, at_once: bool, count: int) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    trained_bytes(None, whole, at_once=at_once)
    kept = tmp_path / "states"
    assert killed_at("after-checkpoint", count, lambda: trained_bytes(kept, resumed, at_once=at_once))
    assert not resumed.exists()
    seen: list[int] = []
    step = nn.Module.train
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(nn.Module, "train", lambda self, mode=True: (seen.append(1), step(self, mode))[1])
        trained_bytes(kept, resumed, at_once=at_once)
    assert resumed.read_bytes() == whole.read_bytes()
    if not at_once:  # of three epochs one is left to make; Small and its seven layers are told so
        assert sum(seen) < 3 * len(list(Small().modules()))


def test_a_state_of_another_training_counts_as_nothing(tmp_path: Any) -> None:
    X, y = corpus()
    with checkpoints.keeping(tmp_path, 0.0):
        train(small(0), X, y, SETTINGS, 5)
    one, other = small(0), small(0)
    train(one, X, y, SETTINGS, 6)
    with checkpoints.keeping(tmp_path, 0.0):
        train(other, X, y, SETTINGS, 6)
    assert bits(one) == bits(other)


def test_a_damaged_state_counts_as_nothing(tmp_path: Any) -> None:
    X, y = corpus()
    one, other = small(0), small(0)
    with checkpoints.keeping(tmp_path, 0.0):
        train(one, X, y, SETTINGS, 5)
    kept = tmp_path / "training-0001"
    kept.write_bytes(kept.read_bytes()[:-9])
    with checkpoints.keeping(tmp_path, 0.0):
        train(other, X, y, SETTINGS, 5)
    assert bits(one) == bits(other)


def test_states_are_written_when_due_and_nowhere_unless_asked_for(tmp_path: Any) -> None:
    X, y = corpus()
    with checkpoints.keeping(tmp_path / "rare", 1e6):
        train(small(0), X, y, SETTINGS, 5)
    with checkpoints.keeping(None):
        train(small(0), X, y, SETTINGS, 5)
    assert not list(tmp_path.rglob("*"))


def test_a_result_is_remembered_and_what_led_to_it_forgotten(tmp_path: Any) -> None:
    made: list[int] = []

    def compute() -> bytes:
        made.append(1)
        slot = checkpoints.next_slot(lambda: "inner")
        assert slot is not None
        slot.save(b"half way")
        return b"result"

    for _ in range(2):
        with checkpoints.keeping(tmp_path, 0.0):
            assert checkpoints.remembered(lambda: "outer", compute) == b"result"
    assert made == [1]
    assert {path.name for path in tmp_path.iterdir()} == {"training-0001", "training-0001.sha256"}


def test_the_stack_holds_each_networks_own_weights() -> None:
    networks = [small(k) for k in range(3)]
    stack = Stack(networks, torch.zeros(2, 2, 16, 16))
    assert torch.equal(stack.parameters["fc.weight"][2], networks[2].get_parameter("fc.weight"))
    with torch.no_grad():
        stack.parameters["fc.bias"][1] = 3.0
    assert stack.load(1).get_parameter("fc.bias").tolist() == [3.0, 3.0, 3.0]
