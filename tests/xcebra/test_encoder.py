"""The encoder: its closed-form vector-Jacobian product and Jacobian are those of automatic differentiation."""

import numpy as np
import pytest
import torch

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture, architecture
from xcebra_nwb.xcebra.maps.jacobian import identity, jacobian
from xcebra_nwb.xcebra.maps.pieces import NEAR, Workspace

MEMBERS, BATCH, UNITS = 2, 5, 7


def make(name: str, clip: float | None = None) -> tuple[Architecture, list[encoder.Layer], torch.Tensor]:
    shape = architecture(name, UNITS, hidden=6, outputs=4, clip=clip)
    generators = [np.random.default_rng(seed) for seed in range(MEMBERS)]
    layers = [
        tuple(t.double() * 3 for t in layer) for layer in encoder.initialize(shape, generators, torch.device("cpu"))
    ]
    windows = torch.as_tensor(np.random.default_rng(9).normal(size=(MEMBERS, BATCH, shape.window, UNITS)))
    return shape, layers, windows


def rows_of(shape: Architecture, layers: list[encoder.Layer], windows: torch.Tensor) -> torch.Tensor:
    """The Jacobian (member, window, latent, bin, unit), by the vector-Jacobian product with every latent's own row."""
    latents, pre_activations = encoder.forward(shape, layers, windows)
    return encoder.vector_jacobian(shape, layers, pre_activations, identity(latents).expand(*latents.shape, -1))


@pytest.mark.parametrize(("name", "window"), [("mlp", 1), ("conv10", 10)])
def test_the_window_is_that_of_the_architecture(name: str, window: int) -> None:
    shape, layers, windows = make(name)
    assert shape.window == window
    assert encoder.forward(shape, layers, windows)[0].shape == (MEMBERS, BATCH, 4)


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_the_jacobian_is_that_of_automatic_differentiation(name: str, clip: float | None) -> None:
    shape, layers, windows = make(name, clip)
    rows = rows_of(shape, layers, windows)
    for member in range(MEMBERS):
        one = [(w[member : member + 1], b[member : member + 1]) for w, b in layers]
        for sample in range(BATCH):
            expected = torch.autograd.functional.jacobian(
                lambda x, one=one: encoder.forward(shape, one, x[None, None])[0][0, 0], windows[member, sample]
            )
            torch.testing.assert_close(rows[member, sample], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("own_rows", [False, True])
def test_a_jacobian_made_block_by_block_in_used_memory_is_the_same(
    name: str, own_rows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, layers, _ = make(name)
    inputs = torch.as_tensor(np.random.default_rng(0).normal(size=(60, UNITS)))
    space, bins = Workspace(), np.arange(10, 45)

    def rows(latents: torch.Tensor) -> torch.Tensor:
        return identity(latents) * latents.unsqueeze(2) if own_rows else identity(latents)

    whole = jacobian(shape, layers, inputs, bins, rows)
    monkeypatch.setitem(NEAR, "cpu", 700)
    jacobian(shape, layers, inputs, bins[:20], rows, space)[:] = torch.nan
    torch.testing.assert_close(jacobian(shape, layers, inputs, bins, rows, space), whole, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["mlp", "conv10"])
def test_an_encoder_without_some_units_does_not_see_them(name: str) -> None:
    shape, layers, windows = make(name)
    silent = np.arange(UNITS) < 2
    blind = encoder.without_units(shape, layers, silent)
    rows = rows_of(shape, blind, windows)
    assert torch.count_nonzero(rows[..., :2]) == 0
    without = windows.clone()
    without[..., :2] = 0
    torch.testing.assert_close(encoder.forward(shape, blind, windows)[0], encoder.forward(shape, layers, without)[0])


def test_a_saturated_output_has_no_gradient() -> None:
    shape, layers, windows = make("mlp", clip=1e-6)
    assert torch.count_nonzero(rows_of(shape, layers, windows)) == 0


def test_the_gradient_of_the_gelu_derivative_is_right() -> None:
    x = torch.linspace(-4, 4, 41, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.nn.functional.gelu(x).sum(), x)
    torch.testing.assert_close(encoder.gelu_derivative(x.detach()), first)
    assert torch.autograd.gradcheck(encoder.gelu_derivative, x)


def test_embedding_in_chunks_is_the_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    shape, layers, _ = make("conv10")
    inputs = torch.as_tensor(np.random.default_rng(3).normal(size=(60, UNITS)))
    bins = np.arange(5, 50)
    whole = encoder.embed(shape, layers, inputs, bins)
    monkeypatch.setitem(encoder.ELEMENTS, "cpu", 7 * shape.window * max(shape.widths))
    np.testing.assert_allclose(encoder.embed(shape, layers, inputs, bins), whole, rtol=1e-12)


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_windows_that_share_activity_have_the_jacobian_of_each_alone(name: str, clip: float | None) -> None:
    """Of bins with gaps, in no order, one of them twice."""
    shape, layers, _ = make(name, clip)
    inputs = torch.as_tensor(np.random.default_rng(3).normal(size=(90, UNITS)))
    bins = np.array([20, 21, 22, 40, 24, 70, 71, 21])
    windows = encoder.gather_windows(inputs, torch.as_tensor(bins), shape.window).expand(MEMBERS, -1, -1, -1)
    rows = jacobian(shape, layers, inputs, bins)
    assert rows.is_contiguous()
    torch.testing.assert_close(rows, rows_of(shape, layers, windows), rtol=1e-10, atol=1e-12)
    latents = encoder.embed(shape, layers, inputs, bins)
    np.testing.assert_allclose(latents, encoder.forward(shape, layers, windows)[0].numpy(), rtol=1e-5)
