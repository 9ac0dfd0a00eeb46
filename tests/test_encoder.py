"""The encoder: its closed-form vector-Jacobian product and Jacobian are those of automatic differentiation."""

import numpy as np
import pytest
import torch

from xcebra_nwb.xcebra import encoder

MEMBERS, BATCH, UNITS = 2, 5, 7


def make(name: str, clip: float | None = None) -> tuple[encoder.Architecture, list[encoder.Layer], torch.Tensor]:
    shape = encoder.architecture(name, UNITS, hidden=6, outputs=4, clip=clip)
    generators = [np.random.default_rng(seed) for seed in range(MEMBERS)]
    layers = [
        tuple(t.double() * 3 for t in layer) for layer in encoder.initialize(shape, generators, torch.device("cpu"))
    ]
    windows = torch.as_tensor(np.random.default_rng(9).normal(size=(MEMBERS, BATCH, shape.window, UNITS)))
    return shape, layers, windows


@pytest.mark.parametrize(("name", "window"), [("mlp", 1), ("conv10", 10)])
def test_the_window_is_that_of_the_architecture(name: str, window: int) -> None:
    shape, layers, windows = make(name)
    assert shape.window == window
    assert encoder.forward(shape, layers, windows)[0].shape == (MEMBERS, BATCH, 4)


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_the_jacobian_is_that_of_automatic_differentiation(name: str, clip: float | None) -> None:
    shape, layers, windows = make(name, clip)
    _, rows = encoder.jacobian(shape, layers, windows)
    for member in range(MEMBERS):
        one = [(w[member : member + 1], b[member : member + 1]) for w, b in layers]
        for sample in range(BATCH):
            expected = torch.autograd.functional.jacobian(
                lambda x, one=one: encoder.forward(shape, one, x[None, None])[0][0, 0], windows[member, sample]
            )
            torch.testing.assert_close(rows[member, sample], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["mlp", "conv10"])
def test_an_encoder_without_some_units_does_not_see_them(name: str) -> None:
    shape, layers, windows = make(name)
    silent = np.arange(UNITS) < 2
    blind = encoder.without_units(shape, layers, silent)
    _, rows = encoder.jacobian(shape, blind, windows)
    assert torch.count_nonzero(rows[..., :2]) == 0
    without = windows.clone()
    without[..., :2] = 0
    torch.testing.assert_close(encoder.forward(shape, blind, windows)[0], encoder.forward(shape, layers, without)[0])


def test_a_saturated_output_has_no_gradient() -> None:
    shape, layers, windows = make("mlp", clip=1e-6)
    assert torch.count_nonzero(encoder.jacobian(shape, layers, windows)[1]) == 0


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
