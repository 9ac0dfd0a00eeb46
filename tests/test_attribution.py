"""Attribution maps."""

import numpy as np
import pytest
import torch

from xcebra_nwb.xcebra import attribution, encoder
from xcebra_nwb.xcebra.inverse import ROUNDING
from xcebra_nwb.xcebra.loss import Contrast
from xcebra_nwb.xcebra.training import Block

MEMBERS, BINS, UNITS, OUTPUTS = 2, 90, 9, 5
LABELS = [Block("position", 0, 3), Block("speed", 3, 5)]
METHODS = attribution.METHODS


def model(name: str = "conv10", seed: int = 0) -> tuple[torch.Tensor, encoder.Architecture, list[encoder.Layer]]:
    inputs = torch.as_tensor(np.random.default_rng(seed).normal(size=(BINS, UNITS)))
    shape = encoder.architecture(name, UNITS, hidden=8, outputs=OUTPUTS)
    layers = encoder.initialize(shape, [np.random.default_rng(s) for s in range(MEMBERS)], torch.device("cpu"))
    return inputs, shape, [tuple(3 * t.double() for t in layer) for layer in layers]


def whole_array_maps(name: str, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Label maps (member, label, unit) and latent maps of the inverse, by numpy's pinv on every bin's full window."""
    inputs, shape, layers = model(name)
    bins = np.arange(10, 80)
    windows = encoder.gather_windows(inputs, torch.as_tensor(bins), shape.window)
    _, rows = encoder.jacobian(shape, layers, windows.expand(MEMBERS, *windows.shape))
    flat = rows.reshape(MEMBERS, len(bins), OUTPUTS, -1).numpy()
    inverse = np.linalg.pinv(flat, rcond=np.sqrt(max(tolerance, ROUNDING))).swapaxes(2, 3)
    by_lag = inverse.reshape(MEMBERS, len(bins), OUTPUTS, shape.window, UNITS)
    per_unit = np.sqrt((by_lag**2).sum(axis=3))  # L2 over lags
    label = [np.sqrt((per_unit[:, :, b.first : b.last] ** 2).sum(axis=2).mean(axis=1)) for b in LABELS]
    return np.stack(label, axis=1), per_unit.mean(axis=1)


def maps(name: str = "conv10", tolerance: float = 0.05, **changes: object) -> attribution.Maps:
    inputs, shape, layers = model(name)
    return attribution.attribute(inputs, shape, layers, LABELS, np.arange(10, 80), Contrast(), tolerance, **changes)


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("tolerance", [0.0, 0.05, 0.3])
def test_the_streamed_map_is_the_whole_array_map(name: str, tolerance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "CHUNK_ELEMENTS", 5000)
    found = maps(name, tolerance)
    label, latent = whole_array_maps(name, tolerance)
    close = {"rtol": 1e-8 if tolerance else 1e-4}  # without a cut the Gram squares the condition number
    np.testing.assert_allclose(found.label["inverted_neuron_gradient"], label, **close)
    np.testing.assert_allclose(found.latent["inverted_neuron_gradient"], latent, **close)


def test_memory_is_bounded_by_the_chunk_not_by_the_recording() -> None:
    sizes = [len(c) for c in attribution.chunks(np.arange(10**6), 8 * 400 * 10)]
    assert max(sizes) * 8 * 400 * 10 <= attribution.CHUNK_ELEMENTS
    assert sum(sizes) == 10**6


def test_the_forward_map_is_the_norm_of_the_gradient() -> None:
    inputs, shape, layers = model("mlp")
    windows = encoder.gather_windows(inputs, torch.arange(10, 80), 1)
    _, rows = encoder.jacobian(shape, layers, windows.expand(MEMBERS, *windows.shape))
    expected = rows[:, :, 3:5, 0].square().sum(dim=2).mean(dim=1).sqrt()
    np.testing.assert_allclose(maps("mlp").label["neuron_gradient"][:, 1], expected.numpy(), rtol=1e-10)


def test_for_a_linear_encoder_the_inverse_finds_the_generator() -> None:
    """x = G z, f = G^+ x: the inverse of the Jacobian is G itself, zeros included."""
    rng = np.random.default_rng(0)
    generator = rng.normal(size=(UNITS, 4))
    generator[:4, 2:] = 0  # the first four units do not depend on the second label
    weight = torch.as_tensor(np.linalg.pinv(generator).T)[None]
    shape = encoder.Architecture(UNITS, 0, 4, kernels=(1,), residual=(False,))
    inputs = torch.as_tensor(rng.normal(size=(30, UNITS)))
    labels = [Block("first", 0, 2), Block("second", 2, 4)]
    layers = [(weight, torch.zeros(1, 1, 4, dtype=torch.float64))]
    found = attribution.attribute(inputs, shape, layers, labels, np.arange(30), Contrast(), 0.0)
    expected = np.stack([np.linalg.norm(generator[:, :2], axis=1), np.linalg.norm(generator[:, 2:], axis=1)])
    np.testing.assert_allclose(found.label["inverted_neuron_gradient"][0], expected, atol=1e-10)
    np.testing.assert_allclose(found.effective_rank, [[2, 2]], atol=1e-9)


def test_maps_over_time_are_those_whose_mean_square_is_the_map() -> None:
    found = maps(over_time_members=[1])
    for method in METHODS:
        assert found.over_time[method].shape == (2, 70, UNITS)
        root = np.sqrt((found.over_time[method].astype(float) ** 2).mean(axis=1))
        np.testing.assert_allclose(root, found.label[method][1], rtol=1e-5)


def test_blocks_at_unit_length_lose_one_rank_each_and_the_inverse_holds() -> None:
    inputs, shape, layers = model("mlp")
    cosine = Contrast("cosine")
    found = attribution.attribute(inputs, shape, layers, LABELS, np.arange(10, 80), cosine, 0.0)
    np.testing.assert_allclose(found.effective_rank, [[2, 1]] * MEMBERS, atol=1e-6)
    assert np.isfinite(found.label["inverted_neuron_gradient"]).all()
    assert found.label["inverted_neuron_gradient"].max() < 1e3


def test_the_jacobian_of_unit_length_blocks_is_that_of_automatic_differentiation() -> None:
    inputs, shape, layers = model("mlp")
    one = [(w[:1], b[:1]) for w, b in layers]
    contrast = Contrast("cosine")
    rows = attribution.block_jacobian(shape, one, inputs[None, 5:6, None], LABELS, contrast)[0, 0, :, 0]

    def prepared(x: torch.Tensor) -> torch.Tensor:
        latents = encoder.forward(shape, one, x[None, None, None])[0][0, 0]
        return torch.cat([contrast.prepare(latents[b.first : b.last]) for b in LABELS])

    torch.testing.assert_close(rows, torch.autograd.functional.jacobian(prepared, inputs[5]))


def test_bins_without_a_gradient_are_left_out_and_counted() -> None:
    inputs, shape, layers = model("mlp")
    clipped = encoder.Architecture(UNITS, 8, OUTPUTS, shape.kernels, shape.residual, clip=1e-9)
    found = attribution.attribute(inputs, clipped, layers, LABELS, np.arange(10, 80), Contrast(), 0.05)
    assert found.usable.tolist() == [0, 0]
    assert np.isnan(found.label["inverted_neuron_gradient"]).all()
