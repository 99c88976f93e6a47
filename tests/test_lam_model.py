"""The residual network with its readings, and LAM as a model of the benchmark."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from mebench.cli import status
from mebench.errors import ModelError, UnknownName, UsageError
from mebench.lam.channels import ImageInput
from mebench.lam.model import LAM
from mebench.lam.readings import Reading
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
# ResNet-34 adds to ResNet-18 one, two, four and one such blocks: 73,984 + 2·295,424 + 4·1,180,672 + 4,720,640.
PLAIN = {"resnet10": 4_905_792, "resnet18": 11_176_512, "resnet34": 11_176_512 + 10_108_160}

# Of every reading, over the blocks of ResNet-10 and of ResNet-18, which has each twice. With Σ = 64 + 128 + 256 + 512 =
# 960 and Σ² = 348,160: SE 2C²/16; CBAM as SE and 98 for the 7x7 convolution; micro-attention 3C².
ADDED = {
    "affinity": (16, 32), "channel-only": (8, 16), "spatial-only": (8, 16), "pool": (18, 36), "eca": (18, 36),
    "se": (43_520, 87_040), "cbam": (43_912, 87_824), "bam": (91_504, 183_008), "danet": (436_408, 872_816),
    "micro-attention": (1_044_480, 2_088_960), "simam": (0, 0), "none": (0, 0),
}  # fmt: skip


def count(**parameters: object) -> int:
    return sum(p.numel() for p in network(**parameters).parameters())


@pytest.mark.parametrize("reading", list(Reading))
def test_parameter_counts(reading: str) -> None:
    for backbone, added in zip(("resnet10", "resnet18"), ADDED[reading], strict=True):
        assert count(backbone=backbone, reading=reading) == PLAIN[backbone] + 513 * 5 + added
        assert count(backbone=backbone, reading=reading, classes=3) == PLAIN[backbone] + 513 * 3 + added


def test_parameter_counts_with_fixed_temperatures() -> None:
    # Two scales per block; 4,908,357 + 8 and 11,179,077 + 16.
    assert count(backbone="resnet10", learn_tau=False) == 4_908_365
    assert count(backbone="resnet18", learn_tau=False) == 11_179_093


def test_published_networks_have_these_sizes() -> None:
    """The parameters that torchvision's documentation gives for 1000 classes."""
    assert count(backbone="resnet18", reading="none", classes=1000) == 11_689_512
    assert count(backbone="resnet34", reading="none", classes=1000) == 21_797_672


@pytest.mark.parametrize(
    ("parameters", "gmac"),
    [
        # Measured apart from this code, to three decimals: convolutions, FC and all matrix products of attention.
        ({"backbone": "resnet10", "reading": "none"}, 0.889),
        ({"backbone": "resnet18", "reading": "none"}, 1.814),
        ({"backbone": "resnet10", "reading": "none", "size": 112}, 0.236),
        ({"backbone": "resnet18", "reading": "none", "size": 112}, 0.485),
        ({"backbone": "resnet10"}, 1.132),
        ({"backbone": "resnet18"}, 2.299),
        ({"backbone": "resnet10", "size": 112}, 0.272),
        ({"backbone": "resnet18", "size": 112}, 0.558),
        ({"backbone": "resnet10", "key_pool": (1, 1, 1, 1)}, 2.430),
        ({"backbone": "resnet18", "key_pool": (1, 1, 1, 1)}, 4.896),
        ({"backbone": "resnet10", "key_pool": (1, 1, 1, 1), "size": 112}, 0.354),
        ({"backbone": "resnet18", "key_pool": (1, 1, 1, 1), "size": 112}, 0.720),
        # By hand: between maps 2·C²·N = 2·64²·56² in every stage, for C doubles as the side halves; 8 blocks.
        ({"backbone": "resnet18", "reading": "channel-only"}, 1.81356 + 8 * 2 * 64**2 * 56**2 / 1e9),
    ],
)
def test_multiplications(parameters: dict[str, object], gmac: float) -> None:
    model = LAM(**parameters)
    found = model.cost()
    assert found["macs"] / 1e9 == pytest.approx(gmac, abs=0.0005)
    assert found["parameters"] == count(**parameters)


def test_show_tells_the_cost(capsys) -> None:
    assert status(["show", "lam"]) == 0
    assert "cost: 11,179,109 trained parameters, 2.30 GMAC per clip, with these settings" in capsys.readouterr().out


def test_the_table_of_the_documentation_is_counted() -> None:
    page = (Path(__file__).parent.parent / "docs" / "lam.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)`(?: \(ours\))? \|.*\| (yes|no) \| ([\d,]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert {name for name, *_ in rows} == set(Reading)
    plain = count(reading="none")
    for name, identity, added, gmac in rows:
        found = LAM(reading=name).cost()
        assert (found["parameters"] - plain, f"{found['macs'] / 1e9:.3f}") == (int(added.replace(",", "")), gmac)
        assert identity == ("yes" if name in ("none", "affinity", "channel-only", "spatial-only", "danet") else "no")


def test_the_cost_is_told_without_the_weights_and_without_what_is_frozen() -> None:
    told = LAM(weights="nowhere.pt", freeze="layer1").cost()
    assert told["macs"] == LAM().cost()["macs"]
    # By hand: the stem 9,536 and two blocks of 64 maps, 18·64² + 4·64 each, with two scales and two temperatures.
    assert LAM().cost()["parameters"] - told["parameters"] == 9_536 + 2 * (18 * 64**2 + 4 * 64 + 4)


def test_counting_costs_touches_no_random_state() -> None:
    before = torch.get_rng_state()
    LAM(channels="u+v+strain", reading="bam").cost(3)
    assert torch.equal(torch.get_rng_state(), before)


def published_shapes(blocks: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Names and shapes in published ResNet-18 and ResNet-34 weights, written down from their listing.

    Per stage the maps, and what its first block has that no other has; other convolutions are 3x3 of that many maps.
    """
    stages = {
        1: (64, {"conv1": (64, 64, 3, 3)}),
        2: (128, {"conv1": (128, 64, 3, 3), "downsample.0": (128, 64, 1, 1)}),
        3: (256, {"conv1": (256, 128, 3, 3), "downsample.0": (256, 128, 1, 1)}),
        4: (512, {"conv1": (512, 256, 3, 3), "downsample.0": (512, 256, 1, 1)}),
    }
    norms = {"conv1": "bn1", "conv2": "bn2", "downsample.0": "downsample.1"}
    leaves = ("weight", "bias", "running_mean", "running_var")
    found: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 512), "fc.bias": (1000,)}
    found |= {f"bn1.{leaf}": (64,) for leaf in leaves} | {"bn1.num_batches_tracked": ()}
    for stage, (maps, first) in stages.items():
        usual = {"conv1": (maps, maps, 3, 3), "conv2": (maps, maps, 3, 3)}
        for block in range(blocks[stage - 1]):
            for name, shape in (usual | first if block == 0 else usual).items():
                norm = f"layer{stage}.{block}.{norms[name]}"
                found[f"layer{stage}.{block}.{name}.weight"] = shape
                found |= {f"{norm}.{leaf}": (maps,) for leaf in leaves} | {f"{norm}.num_batches_tracked": ()}
    return found


@pytest.mark.parametrize(
    ("backbone", "blocks", "keys"), [("resnet18", (2, 2, 2, 2), 122), ("resnet34", (3, 4, 6, 3), 218)]
)
def test_names_and_shapes_are_those_of_published_weights(backbone: str, blocks: tuple[int, ...], keys: int) -> None:
    expected = published_shapes(blocks)
    assert len(expected) == keys
    state = network(backbone=backbone, reading="none", classes=1000).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == expected
    with_units = network(backbone=backbone, classes=1000).state_dict()
    assert {n for n in with_units if n not in expected} == {
        f"layer{s}.{b}.reading.{scalar}_{g}"
        for s, n in enumerate(blocks, 1)
        for b in range(n)
        for scalar in ("gamma", "log_tau")
        for g in "cs"
    }


@pytest.mark.parametrize("reading", ["affinity", "channel-only", "spatial-only", "danet"])
@pytest.mark.parametrize("backbone", ["resnet10", "resnet18"])
def test_an_untrained_lam_answers_as_the_plain_network_with_its_weights(backbone: str, reading: str) -> None:
    plain = network(1, backbone=backbone, reading="none", width=16).eval()
    lam = network(2, backbone=backbone, reading=reading, width=16).eval()
    missing = lam.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    images = 255 * torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(plain(images), lam(images))


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


def test_three_views_are_standardised_each_down_to_its_noise() -> None:
    rng = np.random.default_rng(0)
    u, v, strain = rng.normal(0.5, 0.4, (8, 8)), rng.normal(0, 1e-4, (8, 8)), rng.normal(0.2, 0.1, (8, 8))
    seen = ImageInput(("u", "v", "strain"))(torch.tensor(np.stack([u, v, strain])[None], dtype=torch.float32))[
        0
    ].numpy()
    assert np.allclose(seen[0], (u - u.mean()) / u.std(), atol=1e-5)
    # v spreads by .0001 px, less than the floor of a ten-thousandth of 8 px: it is not raised to 1.
    assert np.allclose(seen[1], (v - v.mean()) / 8e-4, atol=1e-5)
    assert np.allclose(seen[2], (strain - strain.mean()) / strain.std(), atol=1e-5)


def test_a_mirror_turns_the_flow_around() -> None:
    assert small(channels="flow").settings().augmentation.horizontal == (0,)
    assert small(channels="apex+strain+u").settings().augmentation.horizontal == (2,)
    assert small(channels="pair").settings().augmentation.horizontal == ()


def test_lam_learns_from_pairs() -> None:
    X, y = corpus()
    fitted = small(channels="pair").fit(np.stack([X, X[::-1]], axis=1), y)
    assert fitted.predict_proba(np.stack([X, X[::-1]], axis=1)).shape == (12, 3)
    with pytest.raises(ModelError, match="reads 2 planes"):
        small(channels="pair").fit(X, y)


def test_lam_learns_from_three_views() -> None:
    X, y = corpus()
    planes = np.stack([X, X[::-1], X[:, ::-1]], axis=1).astype(np.float32) / 100 - 1
    fitted = small(channels="apex+u+v").fit(planes, y)
    assert np.isfinite(fitted.predict_proba(planes)).all()


@pytest.mark.parametrize("reading", list(Reading))
def test_lam_learns_with_every_reading(reading: str) -> None:
    X, y = corpus()
    fitted = small(reading=reading, epochs=1).fit(X, y)
    assert np.isfinite(fitted.predict_proba(X)).all()
    again = clone(small(reading=reading, epochs=1)).fit(X, y)
    assert fitted.predict_proba(X).tobytes() == again.predict_proba(X).tobytes()


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
        (
            {"channels": "flow", "magnifier": "linear", "size": 64},
            "align(size=224) > grey > onset-apex > magnify(linear, factor=6) > mix(u+v+strain) > resize(64) > planes",
        ),
        (
            {"channels": "apex+u+magnitude", "factor": 1},
            "align(size=224) > grey > onset-apex > mix(apex+u+magnitude) > planes",
        ),
    ],
)
def test_the_recipe_follows_the_parameters(parameters: dict[str, object], recipe: str) -> None:
    assert LAM(**parameters).inputs() == recipe
    parsed = parse_recipe(recipe)
    assert parsed.privilege == "apex"
    channels = str(parameters.get("channels", "grey"))
    assert parsed.gives == {"grey": "image", "difference": "image", "pair": "pair"}.get(channels, "planes")


@pytest.mark.parametrize("wrong", [{"backbone": "resnet50"}, {"reading": "affine"}, {"energy": "pearsn"}])
def test_unknown_parts_are_refused_by_name(wrong: dict[str, str]) -> None:
    (name,) = wrong.values()
    with pytest.raises(UnknownName, match=name):
        LAM(**wrong).build(1, 3)


@pytest.mark.parametrize("channels", ["gray", "u+v", "apex+u+w", "onset+apex+u+v", ""])
def test_unknown_channels_are_refused(channels: str) -> None:
    with pytest.raises(UsageError, match="channels="):
        LAM(channels=channels).inputs()
    with pytest.raises(ModelError, match="not 3"):
        LAM().build(3, 5)


def test_an_unknown_magnifier_is_refused_where_the_recipe_is_read() -> None:
    with pytest.raises(UnknownName, match="mirror"):
        parse_recipe(LAM(magnifier="mirror").inputs())


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
    for name in ("layer1.0.reading.gamma_c", "layer4.0.reading.log_tau_s"):
        group = next(g for g in small(lr_head=0.5).settings().groups if re.search(g.pattern, name))
        assert (group.lr, group.weight_decay) == (0.5, 0)


@pytest.mark.parametrize("reading", list(Reading))
def test_every_reading_trains_on_folds_at_once_as_on_each_alone(reading: str) -> None:
    X, y = corpus(18)
    rows = [np.arange(12), np.arange(6, 18)]
    together = small(reading=reading, epochs=1).fit_folds(X, [(r, y[r], i) for i, r in enumerate(rows)])
    for i, (r, one) in enumerate(zip(rows, together, strict=True)):
        alone = small(reading=reading, epochs=1, random_state=i).fit(X[r], y[r])
        assert np.abs(one.predict_proba(X) - alone.predict_proba(X)).max() < 1e-3
