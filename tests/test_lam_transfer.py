"""LAM at the end of a chain: what it takes of a file, what it refuses, what stays frozen, at which rates it learns."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mebench.errors import ModelError, UnknownName
from mebench.lam.model import LAM
from mebench.lam.transfer import FREEZABLE, FixedNorm, frozen, start_from

WIDTH = {"width": 4, "size": 32, "factor": 1, "epochs": 2, "batch_size": 4, "device": "cpu"}


def network(seed: int = 0, *, classes: int = 3, **parameters) -> nn.Module:
    torch.manual_seed(seed)
    return LAM(**{"width": 4, **parameters}).build(1, classes)


def public_state(seed: int = 0, **parameters) -> OrderedDict[str, torch.Tensor]:
    """A state dict as public ImageNet files hold it: the plain ResNet, a thousand classes."""
    plain = network(seed, classes=1000, reading="none", **parameters)
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean)
    return OrderedDict((n, v.clone()) for n, v in plain.state_dict().items())


def saved(path: Path, state) -> str:
    torch.save(state, path)
    return str(path)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet34"])
def test_a_public_state_dict_loads_whole_but_for_its_classes(backbone, tmp_path):
    state = public_state(backbone=backbone, width=8)
    lam = network(1, backbone=backbone, width=8)
    head = lam.fc.weight.clone()
    found = start_from(lam, saved(tmp_path / "public.pth", state))
    assert found.dropped == ("fc.weight", "fc.bias")
    assert found.taken == len(state) - 2
    assert all(".reading." in name for name in found.fresh if not name.startswith("fc."))
    own = lam.state_dict()
    assert all(torch.equal(own[name], value) for name, value in state.items() if not name.startswith("fc."))
    assert torch.equal(lam.fc.weight, head)
    # The units start as identities: features are those of the plain network.
    plain = network(0, classes=3, reading="none", backbone=backbone, width=8)
    start_from(plain, str(tmp_path / "public.pth"))
    plain.fc.load_state_dict(lam.fc.state_dict())
    images = 255 * torch.rand((2, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (plain.eval()(images) - lam.eval()(images)).abs().max() < 1e-5


def test_files_from_before_counters_of_batches_load(tmp_path):
    state = OrderedDict((n, v) for n, v in public_state().items() if not n.endswith("num_batches_tracked"))
    assert start_from(network(1), saved(tmp_path / "old.pth", state)).taken == len(state) - 2


def test_a_head_of_the_same_size_is_reset_all_the_same(tmp_path):
    state = network(5, classes=3).state_dict()
    lam = network(1, classes=3)
    head = lam.fc.weight.clone()
    assert start_from(lam, saved(tmp_path / "x.pth", state)).dropped == ("fc.weight", "fc.bias")
    assert torch.equal(lam.fc.weight, head)


def test_scales_of_the_readings_come_along_with_pretrained_weights(tmp_path):
    state = {n: v + 0.25 if "gamma" in n else v for n, v in network(5).state_dict().items()}
    lam = network(1)
    start_from(lam, saved(tmp_path / "x.pth", state))
    assert all(p.item() == 0.25 for name, p in lam.named_parameters() if "gamma" in name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("layer2.0.conv1.weight"), r"it lacks layer2\.0\.conv1\.weight"),
        (lambda s: s.update({"layer5.0.conv1.weight": torch.zeros(2)}), r"it holds layer5\.0\.conv1\.weight"),
        (lambda s: s.update({"conv1.weight": torch.zeros(4, 1, 7, 7)}), r"conv1\.weight is \(4, 1, 7, 7\), not"),
        (lambda s: s.update({"layer1.0.reading.fc.weight": torch.zeros(2)}), r"it holds layer1\.0\.reading"),
    ],
)
def test_half_a_fit_is_no_start(change, said, tmp_path):
    state = public_state()
    change(state)
    lam = network(1)
    before = {name: value.clone() for name, value in lam.state_dict().items()}
    with pytest.raises(ModelError, match=said):
        start_from(lam, saved(tmp_path / "x.pth", state))
    assert all(torch.equal(value, before[name]) for name, value in lam.state_dict().items())


def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (9, 32, 32), dtype=np.uint8), np.array(["a", "b", "c"])[np.arange(9) % 3]


def test_a_fit_starts_from_the_file_and_learns_at_the_rates_of_the_sheet(tmp_path):
    path = saved(tmp_path / "public.pth", public_state())
    assert LAM().settings().lr == 1e-2
    assert LAM(weights=path).settings().lr == LAM(imagenet=path).settings().lr == 1e-3
    assert LAM(weights=path, lr=0.5).settings().lr == 0.5
    assert {group.lr for group in LAM(weights=path).settings().groups} == {1e-2}
    still = LAM(**WIDTH, weights=path, lr=0.0).fit(*images())
    assert torch.equal(still.network_.conv1.weight, public_state()["conv1.weight"])
    X, y = images()
    two = [LAM(**WIDTH, weights=path, random_state=1).fit(X, y) for _ in range(2)]
    assert two[0].predict_proba(X).tobytes() == two[1].predict_proba(X).tobytes()
    assert not np.array_equal(two[0].predict_proba(X), LAM(**WIDTH, random_state=1).fit(X, y).predict_proba(X))


@pytest.mark.parametrize("until", FREEZABLE)
def test_what_is_frozen_does_not_move_by_one_bit(until, tmp_path):
    state = public_state()
    path = saved(tmp_path / "public.pth", state)
    fitted = LAM(**WIDTH, weights=path, freeze=until).fit(*images())
    parts = () if until == "none" else ("conv1", "bn1", *[s for s in FREEZABLE[2:] if s <= until and until != "stem"])
    now = fitted.network_.state_dict()
    for name, value in state.items():
        if name.startswith("fc."):
            continue
        held = name.partition(".")[0] in parts
        assert torch.equal(now[name], value) or not held, name
        if not held and name.endswith("running_mean"):
            assert not torch.equal(now[name], value), name
    assert set(now) == set(network(reading="affinity", classes=3).state_dict())
    assert fitted.network_.fc.weight.requires_grad


def test_a_fixed_norm_answers_as_one_in_evaluation_mode():
    norm = nn.BatchNorm2d(3)
    nn.init.uniform_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    x = torch.randn((2, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    expected = norm.eval()(x)
    fixed = FixedNorm(norm).train()
    assert torch.equal(fixed(x), expected)
    assert set(fixed.state_dict()) == set(norm.state_dict())


def test_unknown_parts_and_two_files_are_refused(tmp_path):
    with pytest.raises(UnknownName, match="layer9"):
        frozen(network(), "layer9")
    path = saved(tmp_path / "public.pth", public_state())
    with pytest.raises(ModelError, match="Both imagenet and weights"):
        LAM(width=4, imagenet=path, weights=path).start_notes()
    notes = LAM(width=4, imagenet=path, freeze="layer1").start_notes()
    assert notes[0].startswith("imagenet: ")
    assert "fc.weight, fc.bias dropped" in notes[0]
    assert notes[1] == "frozen up to layer1"
    assert LAM(width=4).start_notes() == []


def test_frozen_parts_are_not_counted_as_trained():
    free, held = (LAM(width=4, size=32, freeze=until).cost() for until in ("none", "layer4"))
    assert held["parameters"] == 32 * 5 + 5  # the classifier alone: 8 x 4 maps, five classes
    assert free["parameters"] > held["parameters"]
    assert free["macs"] == held["macs"]
