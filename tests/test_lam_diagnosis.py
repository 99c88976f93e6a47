"""What a trained LAM tells of itself: scalars, focus of its attention, and its answers with the scales at zero."""

import math
import pickle

import numpy as np
import pytest
import torch

from mebench.lam.attention import Affinity
from mebench.lam.diagnosis import entropies, relative_entropy, scales_zeroed
from mebench.lam.model import REPORTED_IMAGES
from tests.test_lam_model import LAM, corpus, small


def fitted(**parameters: object) -> LAM:
    X, y = corpus()
    return small(**parameters).fit(X, y)


def test_entropy_by_hand() -> None:
    # Of (1/2, 1/2, 0, 0): ln 2 over ln 4 = 1/2; of a uniform row 1; of a row with one key 0; the mean of the three.
    rows = torch.tensor([[0.5, 0.5, 0, 0], [0.25] * 4, [0, 1, 0, 0]])
    assert relative_entropy(rows[:1]) == pytest.approx(0.5)
    assert relative_entropy(rows) == pytest.approx((0.5 + 1 + 0) / 3)
    assert relative_entropy(torch.ones(3, 1)) == 1.0


def test_entropies_are_those_of_the_attention_each_block_applies() -> None:
    network = torch.nn.Sequential(Affinity(key_pool=2), Affinity(tau_c=0.05, spatial=False))
    with torch.no_grad():
        network[0].gamma_c.fill_(0.5)
    images = torch.rand((3, 6, 8, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = entropies(network, lambda: network(images))
        inner = network[0](images)

    def slow(weights: torch.Tensor) -> float:
        """Mean over images and rows, by loops."""
        rows = [row for image in weights.tolist() for row in image]
        return sum(-sum(p * math.log(p) for p in row if p) / math.log(len(row)) for row in rows) / len(rows)

    first, second = network[0].attention(images), network[1].attention(inner)
    assert found["entropy_channel"] == pytest.approx([slow(first.channel), slow(second.channel)], abs=1e-5)
    assert found["entropy_spatial"] == pytest.approx([slow(first.spatial)], abs=1e-5)
    assert found["entropy_channel"][0] > found["entropy_channel"][1]  # the lower temperature is more focused
    assert not network[0]._forward_pre_hooks


def test_a_report_holds_a_value_per_block() -> None:
    model = fitted()
    report = model.report()
    assert {name: len(values) for name, values in report.items()} == dict.fromkeys(
        ("gamma_c", "gamma_s", "tau_c", "tau_s", "entropy_channel", "entropy_spatial"), 4
    )
    block = model.network_.layer2[0].reading
    assert report["gamma_c"][1] == block.gamma_c.item() != 0
    assert report["tau_s"][1] == pytest.approx(math.exp(block.log_tau_s.item()))
    for name in ("entropy_channel", "entropy_spatial"):
        assert all(0 < value <= 1 + 1e-6 for value in report[name])
    # 32 px leave the last stage a single place, so its only key gets all.
    assert report["entropy_spatial"][3] == 1.0
    assert report == pickle.loads(pickle.dumps(model)).report()


@pytest.mark.parametrize(
    ("reading", "names"),
    [
        ("channel-only", {"gamma_c", "tau_c", "entropy_channel"}),
        ("spatial-only", {"gamma_s", "tau_s", "entropy_spatial"}),
        ("danet", {"gamma_c", "gamma_s", "entropy_channel", "entropy_spatial"}),
        ("se", set()),
        ("none", set()),
    ],
)
def test_a_report_leaves_out_what_a_reading_does_not_have(reading: str, names: set[str]) -> None:
    assert set(fitted(reading=reading, epochs=1).report()) == names


def test_a_report_says_the_temperatures_that_are_fixed() -> None:
    assert fitted(learn_tau=False, tau_c=0.2, epochs=1).report()["tau_c"] == pytest.approx([0.2] * 4)


def test_attention_is_measured_over_training_images_alone_and_not_all_of_many() -> None:
    X, y = corpus(3 * REPORTED_IMAGES)
    model = small(epochs=1).fit(X, y)
    some = X[np.linspace(0, len(X) - 1, REPORTED_IMAGES).round().astype(int)]
    assert model.entropy_ == entropies(model.network_, lambda: model.predict_proba(some))
    before = model.report()
    model.predict_proba(255 - X)
    assert model.report() == before


def test_zeroed_scales_give_what_the_network_says_without_its_readings() -> None:
    X, _ = corpus()
    model = fitted()
    plain = small(reading="none").build(1, 3)
    plain.load_state_dict({n: v for n, v in model.network_.state_dict().items() if ".reading." not in n})
    before = {name: value.clone() for name, value in model.network_.state_dict().items()}
    probabilities = model.predict_proba(X)
    ((name, ablated),) = model.ablated_predict_proba(X).items()
    assert name == "scales zeroed"
    model.network_, kept = plain.eval(), model.network_
    # The fitted weights lie channels-last, the plain ones as torch makes them: sums are taken in another order.
    assert np.allclose(model.predict_proba(X), ablated, atol=1e-6)
    model.network_ = kept
    assert not np.array_equal(probabilities, ablated)
    assert all(torch.equal(before[name], value) for name, value in model.network_.state_dict().items())
    assert np.array_equal(model.predict_proba(X), probabilities)


def test_scales_come_back_after_a_failure() -> None:
    network = torch.nn.Sequential(Affinity())
    with torch.no_grad():
        network[0].gamma_c.fill_(0.3)
    seen: list[float] = []

    def fail() -> None:
        with scales_zeroed(network):
            seen.append(network[0].gamma_c.item())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen == [0]
    assert network[0].gamma_c.item() == pytest.approx(0.3)


@pytest.mark.parametrize("reading", ["none", "se", "micro-attention"])
def test_without_scales_there_is_nothing_to_zero(reading: str) -> None:
    X, _ = corpus()
    assert fitted(reading=reading, epochs=1).ablated_predict_proba(X) == {}


def test_folds_trained_at_once_report_as_those_trained_alone() -> None:
    X, y = corpus(18)
    rows = [np.arange(12), np.arange(6, 18)]
    alone = [small(random_state=i).fit(X[r], y[r]) for i, r in enumerate(rows)]
    together = small().fit_folds(X, [(r, y[r], i) for i, r in enumerate(rows)])
    for one, other in zip(alone, together, strict=True):
        assert set(one.report()) == set(other.report())
        for name, values in one.report().items():
            assert other.report()[name] == pytest.approx(values, abs=1e-3)
