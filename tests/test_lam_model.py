"""The residual network with its readings, and LAM as a model of the benchmark."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from mebench.errors import ModelError, UnknownName
from mebench.lam.backbones import ImageInput
from mebench.lam.model import LAM
from mebench.recipes import parse_recipe


def network(seed: int = 0, classes: int = 5, **parameters: object) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LAM(**parameters).build(1, classes)


def small(**parameters: object) -> LAM:
    """A network that trains in a blink: 8 maps, 32 px."""
    settings = {"backbone": "resnet10", "size": 32, "width": 8, "epochs": 2, "batch_size": 6, "device": "cpu"}
    return LAM(**(settings | {"threads": 1} | parameters))


def corpus(n: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 32, 32), dtype=np.uint8), np.array(["disgust", "happiness", "surprise"])[
        np.arange(n) % 3
    ]


# By hand for the plain networks, bias-free convolutions and a weight and a bias per batch-norm map:
# stem 3·64·49 + 128 = 9,536; a block without shortcut convolution, C maps: 18C² + 4C; the first block of a wider stage:
# 9·(C/2)·C + 9C² + 4C + (C/2)·C + 2C = 14C² + 6C; FC 513K.
# ResNet-10: 9,536 + 73,984 + 230,144 + 919,040 + 3,673,088 = 4,905,792.
# ResNet-18 adds 18C² + 4C for C = 64, 128, 256 and 512: 6,270,720.
PLAIN = {"resnet10": 4_905_792, "resnet18": 4_905_792 + 6_270_720}


@pytest.mark.parametrize(("backbone", "scalars"), [("resnet10", 8), ("resnet18", 16)])
def test_parameter_counts(backbone: str, scalars: int) -> None:
    def count(reading: str, classes: int) -> int:
        return sum(p.numel() for p in network(backbone=backbone, reading=reading, classes=classes).parameters())

    assert count("none", 5) == PLAIN[backbone] + 513 * 5 == {"resnet10": 4_908_357, "resnet18": 11_179_077}[backbone]
    assert count("affinity", 5) == PLAIN[backbone] + 513 * 5 + scalars
    assert count("none", 3) == PLAIN[backbone] + 513 * 3
    assert count("channel-only", 5) == count("spatial-only", 5) == PLAIN[backbone] + 513 * 5 + scalars // 2


def test_parameter_names_are_those_of_published_weights() -> None:
    names = set(network(reading="none", width=4).state_dict())
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    expected = {"conv1.weight", "fc.weight", "fc.bias"} | {f"bn1.{leaf}" for leaf in norm}
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            at = f"layer{stage}.{block}"
            expected |= {f"{at}.conv{i}.weight" for i in (1, 2)} | {
                f"{at}.bn{i}.{leaf}" for i in (1, 2) for leaf in norm
            }
        if stage > 1:
            expected |= {f"layer{stage}.0.downsample.0.weight"} | {
                f"layer{stage}.0.downsample.1.{leaf}" for leaf in norm
            }
    assert names == expected
    extra = set(network(width=4).state_dict()) - names
    assert extra == {f"layer{s}.{b}.reading.gamma_{g}" for s in (1, 2, 3, 4) for b in (0, 1) for g in "cs"}


@pytest.mark.parametrize("backbone", ["resnet10", "resnet18"])
def test_an_untrained_lam_answers_as_the_plain_network_with_its_weights(backbone: str) -> None:
    plain, lam = network(1, backbone=backbone, reading="none").eval(), network(2, backbone=backbone).eval()
    missing = lam.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    images = 255 * torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (plain(images) - lam(images)).abs().max() < 1e-5


def test_every_gamma_has_a_gradient_on_the_first_step() -> None:
    lam = network(width=8).train()
    images = 255 * torch.rand((4, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    nn.functional.cross_entropy(lam(images), torch.tensor([0, 1, 2, 3])).backward()
    gammas = {name: p for name, p in lam.named_parameters() if ".gamma_" in name}
    assert len(gammas) == 16
    assert all(p.item() == 0 and p.grad is not None and p.grad.item() != 0 for p in gammas.values())


def test_the_input_layer_forgets_brightness_and_contrast() -> None:
    image = torch.randint(0, 256, (1, 1, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    layer = ImageInput()
    assert torch.allclose(layer(image), layer(0.5 * image + 40), atol=1e-5)
    assert layer(image).shape == (1, 3, 8, 8)
    assert layer(torch.full((1, 1, 8, 8), 77.0)).abs().max() < 1e-4


def test_a_pair_becomes_onset_apex_and_their_difference() -> None:
    onset = torch.randint(0, 200, (1, 1, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    change = torch.randint(0, 50, (1, 1, 8, 8), generator=torch.Generator().manual_seed(1)).float()
    layer = ImageInput()
    three = layer(torch.cat([onset, onset + change], dim=1))
    for channel, image in enumerate((onset, onset + change, change)):
        # Standardised by hand: numpy's mean and population standard deviation.
        values = image[0, 0].numpy()
        assert np.allclose(three[0, channel].numpy(), (values - values.mean()) / values.std(), atol=1e-5)


def test_lam_learns_from_pairs() -> None:
    X, y = corpus()
    fitted = small(channels="pair").fit(np.stack([X, X[::-1]], axis=1), y)
    assert fitted.predict_proba(np.stack([X, X[::-1]], axis=1)).shape == (12, 3)
    with pytest.raises(ModelError, match="reads 2 grey images"):
        small(channels="pair").fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "recipe"),
    [
        ({}, "align(size=224) > grey > onset-apex > magnify(phase, factor=6) > apex"),
        ({"factor": 1, "size": 64}, "align(size=224) > grey > onset-apex > apex > resize(64)"),
        (
            {"channels": "difference", "size": 112},
            "align(size=224) > grey > onset-apex > magnify(phase, factor=6) > difference > resize(112)",
        ),
        ({"channels": "pair", "factor": 2.5}, "align(size=224) > grey > onset-apex > magnify(phase, factor=2.5)"),
    ],
)
def test_the_recipe_follows_the_parameters(parameters: dict[str, object], recipe: str) -> None:
    assert LAM(**parameters).inputs() == recipe
    parsed = parse_recipe(recipe)
    assert parsed.privilege == "apex"
    assert parsed.gives == ("pair" if parameters.get("channels") == "pair" else "image")


@pytest.mark.parametrize("wrong", [{"backbone": "resnet50"}, {"reading": "affine"}, {"energy": "pearsn"}])
def test_unknown_parts_are_refused_by_name(wrong: dict[str, str]) -> None:
    (name,) = wrong.values()
    with pytest.raises(UnknownName, match=name):
        LAM(**wrong).build(1, 3)


def test_unknown_channels_are_refused() -> None:
    with pytest.raises(UnknownName, match="flow"):
        LAM(channels="flow").inputs()
    with pytest.raises(ModelError, match="not 3"):
        LAM().build(3, 5)


def test_lam_declares_what_it_is() -> None:
    assert LAM.fidelity == "D"
    assert LAM.selection == "fixed"
    assert "reconstructed" in LAM.title
    assert LAM.stated
    assert LAM.inferred


def test_two_fits_give_the_same_bits_and_another_seed_does_not() -> None:
    X, y = corpus()
    first, again = small(random_state=3).fit(X, y), clone(small(random_state=3)).fit(X, y)
    assert first.history_.loss == again.history_.loss
    states = first.network_.state_dict(), again.network_.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert first.predict_proba(X).tobytes() == again.predict_proba(X).tobytes()
    assert not np.array_equal(first.predict_proba(X), small(random_state=4).fit(X, y).predict_proba(X))


def test_a_fitted_lam_survives_pickling() -> None:
    X, y = corpus()
    fitted = small().fit(X, y)
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


def test_gammas_learn_and_are_not_decayed() -> None:
    X, y = corpus()
    fitted = small().fit(X, y)
    assert all(p.item() != 0 for name, p in fitted.network_.named_parameters() if ".gamma_" in name)
    decays = {group.pattern: group.weight_decay for group in small().settings().groups}
    assert decays[r"\.gamma_[cs]$"] == 0
