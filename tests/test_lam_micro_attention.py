"""The Micro-Attention network: the sizes of its authors' file, and that it learns."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from mebench.errors import ModelError
from mebench.lam.micro_attention import MicroAttentionNet
from mebench.recipes import parse_recipe
from tests.test_lam_model import corpus


def small(**parameters: object) -> MicroAttentionNet:
    return MicroAttentionNet(**({"size": 32, "epochs": 1, "batch_size": 6, "device": "cpu", "threads": 1} | parameters))


# By hand without units, for K classes. Batch norm of the data 2; 49·64 + 64 and 128; first block 18·64² + 128; a
# block of C maps from C/2: C + 9C²/2 + 2C + 9C² + C²/2 = 14C² + 3C; last batch norm 1,024; FC 513K.
# 3,330 + 73,856 + 229,760 + 918,272 + 3,671,552 + 1,024 = 4,897,794. Units: 3C² over C = 64, 128, 256, 512: 1,044,480.
@pytest.mark.parametrize(
    ("attention", "classes", "count"), [(True, 5, 5_944_839), (True, 3, 5_943_813), (False, 5, 4_900_359)]
)
def test_parameter_counts(attention: bool, classes: int, count: int) -> None:
    network = MicroAttentionNet(attention=attention).build(1, classes)
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == count
    assert count == 4_897_794 + 513 * classes + (1_044_480 if attention else 0)
    assert network.fc.bias.tolist() == pytest.approx([0.2] * classes)


def test_maps_have_the_sizes_of_the_network_file() -> None:
    network = MicroAttentionNet().build(1, 5).eval()
    seen = []
    for block in (network.stem, *network.blocks):
        block.register_forward_hook(lambda _block, _given, out: seen.append(tuple(out.shape[1:])))
    with torch.no_grad():
        network(torch.zeros(1, 1, 224, 224))
    assert seen == [(64, 56, 56), (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]


def test_a_block_ends_without_relu() -> None:
    block = MicroAttentionNet().build(1, 3).blocks[1].eval()
    with torch.no_grad():
        assert (block(torch.randn((1, 64, 8, 8), generator=torch.Generator().manual_seed(0))) < 0).any()


def test_it_learns_the_same_twice() -> None:
    X, y = corpus()
    first, again = small().fit(X, y), clone(small()).fit(X, y)
    assert first.predict_proba(X).tobytes() == again.predict_proba(X).tobytes()
    assert np.isfinite(first.predict_proba(X)).all()
    with pytest.raises(ModelError, match="not 2 planes"):
        small().fit(np.stack([X, X], axis=1), y)


def test_it_looks_at_the_apex_as_it_is() -> None:
    recipe = parse_recipe(MicroAttentionNet().inputs())
    assert (str(recipe), recipe.privilege, recipe.gives) == ("align > grey > apex", "apex", "image")


def test_it_says_what_it_costs_and_what_it_is() -> None:
    assert MicroAttentionNet().cost()["parameters"] == 5_944_839
    assert MicroAttentionNet.fidelity == "B"
    assert any("scratch" in text for text in MicroAttentionNet.deviations)
