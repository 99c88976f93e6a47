"""The learned magnifier's network: what follows from its formulas alone, whatever its weights are."""

import numpy as np
import pytest
import torch

from mebench.errors import DataError, ModelError
from mebench.magnifier.weights import KIND, PORT, digest_of, load_magnifier, network_of, port_names
from mebench.vision.magnification.learned import clip, temporal, two_frame
from mebench.vision.magnification.network import Design, Magnifier
from mebench.vision.magnification.temporal import Iir
from mebench.weights.files import WeightFile, encode_weights, parse_weights

SMALL = Design(colours=1, width=8, blocks=2, convention="factor-1", border="zero")
PAPER = Design(colours=3, width=8, blocks=2, convention="factor", border="reflect")
DESIGNS = [SMALL, PAPER]


def network(design: Design, seed: int = 0) -> Magnifier:
    """Random weights, large enough that something is drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Magnifier(design)
        for value in made.parameters():
            torch.nn.init.kaiming_normal_(value)
    return made.eval().requires_grad_(requires_grad=False)


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def given(frame: np.ndarray, colours: int) -> torch.Tensor:
    """A frame as the network itself takes it."""
    planes = np.repeat(frame[None], colours, axis=0) if frame.ndim == 2 else np.moveaxis(frame, -1, 0)
    return torch.from_numpy(planes[None].astype(np.float32) / 127.5 - 1)


def test_the_ports_network_has_the_parameters_of_the_port() -> None:
    # Counted by hand from the layers: (c·d·k²) of 42 kernels, the sheet's 877,968.
    made = Magnifier(PORT)
    assert sum(value.numel() for value in made.parameters()) == 877_968
    assert len(made.state_dict()) == 42


def test_every_tensor_of_the_port_has_a_place() -> None:
    names = dict(port_names())
    assert len(names) == 42
    assert set(names.values()) == set(Magnifier(PORT).state_dict())
    assert names["encoder.resblks.2.cba_1.conv2d.weight"] == "encoder.common.2.first.weight"
    assert names["decoder.cba_2.conv2d.weight"] == "decoder.drawing.weight"


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_state_dict_of_the_port_is_read_under_our_names(prefix: str) -> None:
    made = network(PORT)
    theirs = {f"{prefix}{name}": made.state_dict()[ours] for name, ours in port_names()}
    read = network_of(WeightFile(theirs, None, "", "", 0), "here")
    assert read.design == PORT
    for name, value in made.state_dict().items():
        assert torch.equal(read.state_dict()[name], value)


def test_the_ports_multiplier_is_the_factor_and_ours_what_it_adds() -> None:
    assert PORT.multiplier(6) == 6
    assert SMALL.multiplier(6) == 5


def test_a_calibration_scales_k_and_is_constant_beyond_its_factors() -> None:
    made = Magnifier(SMALL)
    assert made.multiplier(6) == 5
    made.calibration = ((2.0, 1.4), (8.0, 1.1))
    assert [made.multiplier(factor) for factor in (1, 2, 8, 20)] == pytest.approx([0, 1.4, 7.7, 20.9])
    assert made.multiplier(4) == pytest.approx(3 * 1.25)  # in the middle between 2 and 8, as ratios go


def test_a_calibration_is_read_with_the_weights_and_checked() -> None:
    state = dict(network(SMALL).state_dict())
    described = {"kind": KIND, "design": {name: getattr(SMALL, name) for name in Design.__dataclass_fields__}}

    def read(calibration: object) -> Magnifier:
        return network_of(WeightFile(state, {**described, "calibration": calibration}, "", "", 0), "here")

    assert read([[2, 1.5], [4.0, 1.1]]).calibration == ((2.0, 1.5), (4.0, 1.1))
    assert network_of(WeightFile(state, described, "", "", 0), "here").calibration == ()
    odd = (
        [[2, 1.5, 1]],
        [[4, 1], [2, 1]],
        [[1, 1]],
        [[2, 0]],
        [[2, "1"]],
        [[2, float("nan")]],
        [[True, 1]],
        {},
        "2",
        None,
    )
    for calibration in odd:
        with pytest.raises(ModelError, match="calibration"):
            read(calibration)


def test_files_of_something_else_are_refused() -> None:
    state = dict(network(SMALL).state_dict())
    described = {"kind": KIND, "design": {name: getattr(SMALL, name) for name in Design.__dataclass_fields__}}
    assert network_of(parse_weights(encode_weights(state, described), "here"), "here").design == SMALL
    for metadata in ({}, {"kind": "other"}, {**described, "design": {**described["design"], "width": 0}}):
        with pytest.raises(ModelError, match="magnifier"):
            network_of(WeightFile(state, metadata, "", "", 0), "here")
    with pytest.raises(ModelError, match="of its tensors"):
        network_of(WeightFile(state, None, "", "", 0), "here")  # says nothing, and is not the port's
    wider = {**described, "design": {**described["design"], "width": 16}}
    with pytest.raises(ModelError, match=r"encoder\.|decoder\."):
        network_of(WeightFile(state, wider, "", "", 0), "here")
    with pytest.raises(ModelError, match="cannot be read"):
        digest_of("/nowhere/at/all.pt")


@pytest.mark.parametrize("design", DESIGNS, ids=["ours", "paper"])
def test_where_nothing_differs_the_factor_does_not_matter(design: Design) -> None:
    frame = given(images(40, 48), design.colours)
    made = network(design)
    outputs = [made(frame, frame, torch.tensor([k])) for k in (0.0, 1.0, 20.0)]
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])


def test_a_multiplier_of_zero_leaves_the_shape() -> None:
    made = network(PAPER)
    first, second = given(images(40, 48), 3), given(images(40, 48, seed=1), 3)
    texture, shape = made.encoder(second)
    torch.testing.assert_close(
        made(first, second, torch.tensor([0.0])), made.decoder(texture, shape), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("design", DESIGNS, ids=["ours", "paper"])
@pytest.mark.parametrize("colour", [(), (3,)])
def test_odd_sizes_come_back_as_they_were(design: Design, colour: tuple[int, ...]) -> None:
    frames = images(3, 33, 43, *colour)
    made = network(design)
    for magnified in (clip(made, frames, 3), clip(made, frames, 3, "dynamic")):
        assert magnified.shape == frames.shape
        assert magnified.dtype == np.uint8
        np.testing.assert_array_equal(magnified[0], frames[0])
    assert temporal(made, frames, 3, fps=30.0, band=Iir()).shape == frames.shape


@pytest.mark.parametrize("design", DESIGNS, ids=["ours", "paper"])
def test_a_factor_of_one_changes_nothing(design: Design) -> None:
    frames = images(3, 33, 43)
    np.testing.assert_array_equal(clip(network(design), frames, 1), frames)
    np.testing.assert_array_equal(temporal(network(design), frames, 1, fps=30.0, band=Iir()), frames)


def test_static_compares_with_the_first_and_dynamic_with_the_one_before() -> None:
    made, frames = network(PAPER), images(4, 40, 40, 3)
    static, dynamic = clip(made, frames, 3), clip(made, frames, 3, "dynamic")
    for t in (1, 2, 3):
        np.testing.assert_array_equal(static[t], two_frame(made, frames[0], frames[t], 3))
        np.testing.assert_array_equal(dynamic[t], two_frame(made, frames[t - 1], frames[t], 3))


def test_the_pair_is_what_the_network_makes_of_it() -> None:
    made, frames = network(PAPER), images(2, 40, 48, 3)
    direct = made(given(frames[0], 3), given(frames[1], 3), torch.tensor([3.0]))[0].permute(1, 2, 0).numpy()
    found = two_frame(made, frames[0] / np.float32(255), frames[1] / np.float32(255), 3)
    np.testing.assert_allclose(found, (direct + 1) / 2, atol=1e-3, rtol=1e-4)


def test_temporal_moves_each_shape_by_what_the_filter_passes() -> None:
    class SinceFirst:
        def __call__(self, signal: np.ndarray, fps: float) -> np.ndarray:
            return signal - signal[:1]

    made, frames = network(SMALL), images(3, 40, 40) / np.float32(255)
    np.testing.assert_allclose(
        temporal(made, frames, 3, fps=30.0, band=SinceFirst())[1:], clip(made, frames, 3)[1:], atol=1e-3, rtol=1e-4
    )


def test_still_frames_are_still_in_time() -> None:
    frames = np.repeat(images(1, 40, 40), 5, axis=0)
    drawn = temporal(network(SMALL), frames, 9, fps=30.0, band=Iir())
    np.testing.assert_array_equal(drawn, np.repeat(drawn[:1], 5, axis=0))
    np.testing.assert_array_equal(drawn, temporal(network(SMALL), frames, 3, fps=30.0, band=Iir()))


def test_colour_goes_through_a_network_for_one_channel_by_its_luma() -> None:
    made, frames = network(SMALL), images(2, 40, 40, 3) / np.float32(255)
    change = two_frame(made, *frames, 4) - frames[1]
    np.testing.assert_allclose(change, np.repeat(change[..., :1], 3, axis=-1), atol=1e-4, rtol=1e-4)
    luma = frames @ np.array([0.299, 0.587, 0.114], np.float32)
    np.testing.assert_allclose(change[..., 0], two_frame(made, *luma, 4) - luma[1], atol=1e-3, rtol=1e-4)


def test_what_a_network_cannot_take_is_refused() -> None:
    made = network(SMALL)
    with pytest.raises(DataError, match="too small"):
        clip(made, images(2, 24, 40), 2)
    with pytest.raises(DataError, match="no pair"):
        two_frame(made, images(40, 40), images(40, 41), 2)
    with pytest.raises(DataError, match="factor"):
        clip(made, images(2, 40, 40), 0.5)
    with pytest.raises(DataError, match="frame rate"):
        temporal(made, images(2, 40, 40), 2, fps=0, band=Iir())


def test_the_weights_that_ship_are_small_and_load() -> None:
    from mebench.magnifier.weights import SHIPPED

    made = load_magnifier()
    assert SHIPPED.stat().st_size < 8_000_000
    assert made is load_magnifier()
    assert not any(value.requires_grad for value in made.parameters())
