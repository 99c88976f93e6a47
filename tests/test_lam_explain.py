"""Grad-CAM and the attention of units as maps over the input, against hand calculation and planted places."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mebench.attribution.fold import untrained
from mebench.attribution.maps import agreement
from mebench.errors import ModelError
from mebench.lam.explain import STAGES, attention_maps, grad_cam, placed, stride, unit_facts, unit_inputs
from mebench.lam.model import LAM
from tests.test_lam_model import corpus, network, small


class Tiny(nn.Module):
    """Two feature maps made by fixed 1x1 weights, the mean over places, and two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = nn.Conv2d(1, 2, 1, bias=False)
        self.fc = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.stage.weight.copy_(torch.tensor([1.0, -2.0])[:, None, None, None])
            self.fc.weight.copy_(torch.tensor([[3.0, 1.0], [-1.0, 0.5]]))

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.stage(images).mean((2, 3)))
        return scores


class Corner(nn.Module):
    """A linear filter that looks at the upper right corner of 4 by 4 px for class 0, and at all else for class 1."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = nn.Identity()
        self.register_buffer("mask", torch.zeros(1, 1, 16, 16))
        self.mask[..., :4, 12:] = 1

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stage(torch.cat([images * self.mask, images * (1 - self.mask)], dim=1))
        return maps.mean((2, 3))


class TestGradCam:
    def test_a_network_computed_by_hand(self):
        """Maps A1 = x and A2 = -2x over N = 4 places, x = [[1, 2], [-1, 0]]. The score of class c is the sum over k of
        w_ck mean(A_k), so its derivative by each place of A_k is w_ck / 4. Class 0: (3 x + 1 (-2 x)) / 4 = x / 4; class
        1: (-1 x + .5 (-2 x)) / 4 = -x / 2. ReLU takes what is negative.
        """
        x = torch.tensor([[1.0, 2.0], [-1.0, 0.0]])
        images = torch.stack([x, x])[:, None]
        found = grad_cam(Tiny(), images, torch.tensor([0, 1]), ["stage"])["stage"]
        np.testing.assert_allclose(found[0], [[0.25, 0.5], [0, 0]])
        np.testing.assert_allclose(found[1], [[0, 0], [0.5, 0]])

    def test_a_filter_that_looks_at_a_corner_is_found_there(self):
        images = torch.rand((3, 1, 16, 16), generator=torch.Generator().manual_seed(0)) + 0.1
        corner, rest = (grad_cam(Corner(), images, torch.full((3,), c), ["stage"])["stage"] for c in (0, 1))
        assert (corner[:, :4, 12:] > 0).all()
        assert corner.sum() == pytest.approx(corner[:, :4, 12:].sum())
        assert (rest[:, :4, 12:] == 0).all()

    def test_it_is_each_images_own(self):
        lam = network(width=8).eval()
        images = 255 * torch.rand((3, 1, 64, 64), generator=torch.Generator().manual_seed(0))
        codes = torch.tensor([0, 3, 1])
        together = grad_cam(lam, images, codes)
        for i in range(3):
            alone = grad_cam(lam, images[i : i + 1], codes[i : i + 1])
            for name in STAGES:
                assert torch.allclose(together[name][i], alone[name][0], atol=1e-6)

    def test_it_leaves_no_trace(self):
        lam = network(width=8).eval()
        images = 255 * torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(0))
        grad_cam(lam, images, torch.tensor([0, 1]))
        attention_maps(lam, images)
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in lam.modules())
        assert all(p.grad is None for p in lam.parameters())

    def test_frozen_stages_have_maps_too(self):
        lam = network(width=8).eval()
        images = 255 * torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(0))
        free = grad_cam(lam, images, torch.tensor([0, 1]))
        for name, parameter in lam.named_parameters():
            parameter.requires_grad_(name.startswith("fc."))
        frozen = grad_cam(lam, images, torch.tensor([0, 1]))
        assert all(torch.equal(free[name], frozen[name]) for name in STAGES)


class TestPlaces:
    @pytest.mark.parametrize(("side", "cells", "expected"), [(64, 16, 4), (64, 2, 32), (60, 8, 8), (224, 7, 32)])
    def test_strides_are_powers_of_two(self, side, cells, expected):
        assert stride(side, cells) == expected

    @pytest.mark.parametrize(("stage", "step"), [("layer1", 4), ("layer2", 8), ("layer3", 16)])
    def test_a_cell_sees_what_lies_around_its_multiple_of_the_stride(self, stage, step):
        """The px on which one cell far from the border depends, by the gradient: symmetric about stride times cell.

        Positive weights and batch norms at rest keep every gradient from vanishing; without the input layer, which
        spreads each px over all, what a cell sees has an end.
        """
        plain = network(reading="none", backbone="resnet10", width=4).eval()
        plain.input = nn.Identity()
        with torch.no_grad():
            for parameter in plain.parameters():
                parameter.abs_()
        side = 16 * step
        images = torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(0)).requires_grad_()
        kept: list[Tensor] = []
        plain.get_submodule(stage).register_forward_hook(lambda _m, _x, out: kept.append(out))
        plain(images)
        kept[0][0, :, 8, 8].sum().backward()
        rows, columns = np.nonzero(images.grad.abs().sum((0, 1)).numpy())
        # The largest value of a pool is anywhere in it: one px of the pooled maps, which are 2 px of the image.
        assert (rows.min() + rows.max()) / 2 == pytest.approx(8 * step, abs=2)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(8 * step, abs=2)

    def test_a_cell_is_greatest_at_its_own_px_and_falls_to_the_next(self):
        maps = torch.zeros(1, 4, 4)
        maps[0, 1, 2] = 1
        found = placed(maps, torch.zeros(1, 1, 16, 16))[0]
        assert np.argwhere(found == 1).tolist() == [[4, 8]]
        np.testing.assert_allclose(found[4, 4:13], [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0])

    def test_averaged_cells_lie_between_those_they_average(self):
        """Cells of 2 by 2 places of a stage of stride 4: the first is the average of what lies at px 0 and 4."""
        maps = torch.zeros(1, 2, 2)
        maps[0, 0, 1] = 1
        found = placed(maps, torch.zeros(1, 1, 16, 16), torch.zeros(1, 3, 4, 4), pool=2)[0]
        assert found[2, 10] == 1
        assert found[:3, 10:].min() == 1  # ends are repeated
        assert found[2, 6] == 0.5

    def test_the_last_stage_of_a_small_input_is_one_even_map(self):
        found = placed(torch.full((2, 1, 1), 3.0), torch.zeros(2, 1, 32, 32))
        assert (found == 3).all()


class TestAttention:
    def images(self) -> Tensor:
        return 255 * torch.rand((2, 1, 64, 64), generator=torch.Generator().manual_seed(0))

    def test_maps_are_the_mean_over_all_that_attend(self):
        lam = network(width=8, backbone="resnet10", key_pool=(1, 1, 1, 1)).eval()
        given = {block: (unit, x) for block, unit, x in unit_inputs(lam, self.images())}
        assert list(given) == [f"layer{i}.0" for i in (1, 2, 3, 4)]
        found = attention_maps(lam, self.images())
        unit, x = given["layer2.0"]
        with torch.no_grad():
            expected = unit.attention(x).spatial.mean(1).view(2, 8, 8)
        np.testing.assert_allclose(found["spatial:layer2.0"][:, ::8, ::8], expected, rtol=1e-6)
        assert not [name for name in found if name.startswith("row:")]

    def test_a_place_attends_as_its_row_says(self):
        lam = network(width=8, backbone="resnet10", key_pool=(1, 1, 1, 1)).eval()
        found = attention_maps(lam, self.images(), at=(31.0, 17.0))  # the cell in row 2, column 4 of stage 2
        unit, x = next((u, x) for block, u, x in unit_inputs(lam, self.images()) if block == "layer2.0")
        with torch.no_grad():
            expected = unit.attention(x).spatial[:, 2 * 8 + 4].view(2, 8, 8)
        np.testing.assert_allclose(found["row:layer2.0"][:, ::8, ::8], expected, rtol=1e-6)

    def test_pooled_keys_are_told_from_their_number(self):
        lam = network(width=8, backbone="resnet10", key_pool=(4, 2, 1, 1)).eval()
        assert {values.shape for values in attention_maps(lam, self.images()).values()} == {(2, 64, 64)}

    @pytest.mark.parametrize(
        ("reading", "kinds"),
        [
            ("none", set()),
            ("channel-only", set()),
            ("spatial-only", {"spatial"}),
            ("se", set()),
            ("danet", {"spatial"}),
        ],
    )
    def test_readings_show_what_they_have(self, reading, kinds):
        lam = network(width=8, backbone="resnet10", reading=reading).eval()
        assert {name.partition(":")[0] for name in attention_maps(lam, self.images())} == kinds

    def test_facts_of_a_unit_with_known_scales(self):
        """With gamma_c = .5 and gamma_s = 0 the unit adds half of the mix of maps; an even mix has all maps in play."""
        lam = network(width=8, backbone="resnet10", tau_c=1e6).eval()
        with torch.no_grad():
            for name, parameter in lam.named_parameters():
                if name.endswith("gamma_c"):
                    parameter.fill_(0.5)
        facts = unit_facts(lam, self.images())["layer1.0"]
        assert (facts["gamma_c"], facts["gamma_s"]) == (0.5, 0.0)
        assert facts["tau_c"] == pytest.approx(1e6, rel=1e-5)
        assert facts["channel_maps"] == pytest.approx(1, abs=1e-4)
        np.testing.assert_allclose(facts["channel_received"], np.ones(8), atol=1e-4)
        x = next(x for block, _, x in unit_inputs(lam, self.images()) if block == "layer1.0")
        added = 0.5 * x.mean(1, keepdim=True).expand_as(x)
        expected = (added.flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)).mean()
        assert facts["change"] == pytest.approx(float(expected), rel=1e-3)

    def test_an_untrained_unit_changes_nothing(self):
        facts = unit_facts(network(width=8, backbone="resnet10").eval(), self.images())
        assert all(one["change"] == 0 for one in facts.values())

    def test_a_network_without_units_has_no_facts(self):
        assert unit_facts(network(width=8, reading="none").eval(), self.images()) == {}


class TestAFittedLam:
    def fitted(self, **parameters: object) -> LAM:
        X, y = corpus()
        return small(size=64, epochs=3, **parameters).fit(X, y)

    def test_it_answers_for_the_classes_it_is_asked_about(self):
        fitted, (X, _) = self.fitted(), corpus()
        found = fitted.attributions(X, fitted.predict(X))
        assert set(found) == {f"grad-cam:{s}" for s in STAGES} | {f"spatial:{s}.0" for s in STAGES}
        assert {values.shape for values in found.values()} == {X.shape}
        assert all((values >= 0).all() and np.isfinite(values).all() for values in found.values())
        other = fitted.attributions(X, ["disgust"] * len(X))
        assert not np.array_equal(found["grad-cam:layer3"], other["grad-cam:layer3"])
        with pytest.raises(ModelError, match="contempt"):
            fitted.attributions(X, ["contempt"] * len(X))

    def test_more_clips_than_a_batch_are_asked_as_one(self):
        fitted, (X, y) = self.fitted(), corpus()
        many, labels = np.concatenate([X, X]), [*y, *y]
        found = fitted.attributions(many, labels)
        for values in found.values():
            np.testing.assert_allclose(values[:12], values[12:], rtol=1e-4, atol=1e-7)

    def test_random_weights_change_the_maps(self):
        """Adebayo et al. 2018: a map that stays when the weights are drawn anew shows nothing that was learnt."""
        fitted, (X, y) = self.fitted(), corpus()
        twin = untrained(fitted, X, 0)
        own, drawn = fitted.attributions(X, y), twin.attributions(X, y)
        for stage in ("layer1", "layer2"):  # of 32 px the later stages have too few cells to rank
            like = agreement(own[f"grad-cam:{stage}"], drawn[f"grad-cam:{stage}"])
            assert np.nanmean(like) < 0.7
        again = untrained(fitted, X, 0).attributions(X, y)
        assert all(np.array_equal(drawn[name], again[name]) for name in drawn)
        assert fitted.network_ is not twin.network_
        assert all(np.array_equal(values, fitted.attributions(X, y)[name]) for name, values in own.items())

    def test_it_says_that_the_technique_of_the_paper_is_unknown(self):
        assert "does not name its technique" in LAM.attribution_note
