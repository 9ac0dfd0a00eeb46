"""The attribution methods that the paper compares with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, KernelShap, ShapleyValueSampling

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture, architecture
from xcebra_nwb.xcebra.maps import baselines
from xcebra_nwb.xcebra.maps import maps as attribution
from xcebra_nwb.xcebra.maps.maps import Sampling
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.trainers.loss import Contrast

BINS, UNITS, OUTPUTS = 90, 6, 5
LABELS = [Block("position", 0, 3), Block("speed", 3, 5)]
WHERE = np.arange(10, 80)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "PATHS", 8)
    monkeypatch.setattr(baselines, "PERMUTATIONS", 4)


def model(name: str = "mlp", members: int = 2, contrast: Contrast | None = None) -> Model:
    inputs = torch.as_tensor(np.random.default_rng(0).normal(size=(BINS, UNITS)))
    shape = architecture(name, UNITS, hidden=8, outputs=OUTPUTS)
    layers = encoder.initialize(shape, [np.random.default_rng(s) for s in range(members)], torch.device("cpu"))
    return Model(inputs, shape, [(3 * w.double(), 3 * b.double()) for w, b in layers], LABELS, contrast or Contrast())


def linear(rng: np.random.Generator, units: int = UNITS) -> tuple[Model, np.ndarray]:
    """An ensemble of one linear encoder, and its weights (latent, unit)."""
    weights = rng.normal(size=(OUTPUTS, units))
    shape = Architecture(units, 0, OUTPUTS, kernels=(1,), residual=(False,))
    layers = [(torch.as_tensor(weights.T)[None], torch.ones(1, 1, OUTPUTS, dtype=torch.float64))]
    return Model(torch.as_tensor(rng.normal(size=(BINS, units))), shape, layers, LABELS, Contrast()), weights


def values(of: Model, name: str, where: np.ndarray = WHERE, seed: int = 0) -> np.ndarray:
    """(member, bin, latent, lag, unit)."""
    chunks = baselines.values(name, of, WHERE, where, np.random.default_rng(seed))
    return torch.cat(list(chunks), dim=1).double().numpy()


@pytest.mark.parametrize("name", ["integrated_gradients", "shapley_sampling", "kernel_shap", "feature_ablation"])
@pytest.mark.parametrize("units", [1, 2, UNITS])
def test_of_a_linear_encoder_every_method_is_the_weight_times_the_activity(name: str, units: int) -> None:
    of, weights = linear(np.random.default_rng(1), units)
    expected = weights * of.inputs.numpy()[WHERE][:, None]
    np.testing.assert_allclose(values(of, name)[0, :, :, 0], expected, atol=2e-6)


def test_of_a_linear_encoder_gradient_shap_is_the_weight_times_the_distance_from_the_references() -> None:
    of, weights = linear(np.random.default_rng(1))
    found = values(of, "gradient_shap")[0, :, :, 0] / weights
    distance = found[:, 0]  # (bin, unit), the same whatever the latent
    np.testing.assert_allclose(found, np.broadcast_to(distance[:, None], found.shape), rtol=1e-6)
    inputs = of.inputs.numpy()[WHERE]
    spread = inputs.std() / np.sqrt(baselines.PATHS)
    assert (
        np.abs((distance - (inputs - inputs.mean(axis=0))).mean(axis=0)).max() < 4 * spread / np.sqrt(len(WHERE)) + 0.1
    )
    assert np.abs(distance - (inputs - inputs.mean(axis=0))).std() < 2 * spread


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("method", ["integrated_gradients", "shapley_sampling", "kernel_shap"])
@pytest.mark.parametrize("similarity", ["euclidean", "cosine"])
def test_what_the_units_add_sums_to_what_the_window_adds(name: str, method: str, similarity: str) -> None:
    of = model(name, contrast=Contrast(similarity))
    windows = of.windows(WHERE[:10])
    difference = (of.latents(windows) - of.latents(torch.zeros_like(windows))).numpy()
    found = values(of, method, WHERE[:10]).sum(axis=(3, 4))
    np.testing.assert_allclose(found, difference, atol=2e-3 * np.abs(difference).max())


def captum(of: Model, latent: int):
    """One member's latent (B,) as captum knows functions: of windows (B, T, D)."""
    return lambda windows: of.latents(windows)[0, :, latent]


def as_units(windows: torch.Tensor) -> torch.Tensor:
    """Captum's feature mask: a unit with all its lags is one feature."""
    return torch.arange(UNITS).repeat(1, windows.shape[1], 1)


@pytest.mark.parametrize("method", [ShapleyValueSampling, FeatureAblation, KernelShap], ids=lambda m: m.__name__)
def test_all_members_latents_and_bins_at_once_are_captums_own_one_by_one(method: type) -> None:
    name = {
        ShapleyValueSampling: "shapley_sampling",
        FeatureAblation: "feature_ablation",
        KernelShap: "kernel_shap",
    }[method]
    samples = {"shapley_sampling": baselines.PERMUTATIONS, "kernel_shap": baselines.COALITIONS_A_UNIT * UNITS}.get(name)
    of, where = model("conv10"), WHERE[:2]
    found = values(of, name, where)
    windows = of.windows(where)
    for number, member, latent in ((0, 0, 1), (1, 1, 4)):
        generator = np.random.default_rng(0)
        generator.choice(WHERE, size=len(WHERE), replace=False)  # the references, drawn before
        with baselines.captum_draws(int(generator.integers(2**32)), windows.device):
            alone = method(captum(of.only([member]), latent)).attribute(
                windows[number : number + 1],
                feature_mask=as_units(windows),
                **({} if samples is None else {"n_samples": samples}),
            )
        np.testing.assert_allclose(found[member, number, latent, 0], alone[0, 0].numpy(), atol=1e-5)


@pytest.mark.parametrize("name", list(baselines.METHODS))
def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_elsewhere(name: str) -> None:
    of, where = model(), WHERE[:20]
    first = values(of, name, where, seed=3)
    torch.rand(5)
    np.random.random(5)  # noqa: NPY002
    np.testing.assert_array_equal(first, values(of, name, where, seed=3))
    other = values(of, name, where, seed=4)
    assert np.array_equal(first, other) == (name in {"integrated_gradients", "feature_ablation"})


@pytest.mark.parametrize("name", list(baselines.METHODS))
def test_what_others_draw_is_left_alone(name: str) -> None:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    chunks = baselines.values(name, model(), WHERE, WHERE[:2], np.random.default_rng(0))
    next(chunks)  # also while the work is under way
    drawn = torch.rand(1).item(), np.random.random()  # noqa: NPY002
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    assert drawn == (torch.rand(1).item(), np.random.random())  # noqa: NPY002


@pytest.mark.parametrize("name", list(baselines.METHODS))
def test_members_are_attributed_as_if_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "BINS_AT_ONCE", 7)
    monkeypatch.setattr(baselines, "MEMBERS_AT_ONCE", 2)
    of, where = model(members=3), WHERE[:20]
    together = values(of, name, where)
    np.testing.assert_allclose(together[[2]], values(of.only([2]), name, where), rtol=1e-9, atol=1e-9)


def attribute(of: Model, methods: list[str], **changes: object) -> attribution.Maps:
    sampling = Sampling(np.random.default_rng(0), bins=20, **changes)
    return attribution.attribute(
        Model(of.inputs, of.shape, of.layers, LABELS, of.contrast), WHERE, 0.05, methods, sampling=sampling
    )


def test_maps_are_means_over_evenly_sampled_bins() -> None:
    of = model("conv10")
    found = attribute(of, ["integrated_gradients"])
    where = attribution.sampled(WHERE, 20)
    assert where[[0, -1]].tolist() == WHERE[[0, -1]].tolist()
    assert len(where) == 20
    assert set(np.diff(where)) <= {3, 4}
    by_unit = np.linalg.norm(values(of, "integrated_gradients", where), axis=3)  # over the lags
    label = np.sqrt((by_unit[:, :, 3:5] ** 2).sum(axis=2).mean(axis=1))
    np.testing.assert_allclose(found.label["integrated_gradients"][:, 1], label)
    np.testing.assert_allclose(found.latent["integrated_gradients"], by_unit.mean(axis=1))


def test_only_the_first_method_is_computed_for_every_member() -> None:
    of = model(members=3)
    costly = ["feature_ablation", "shapley_sampling"]
    all_members, seeds = attribute(of, costly), attribute(of, costly, members=[0, 2])
    assert np.isfinite(seeds.label["feature_ablation"]).all()
    assert np.isnan(seeds.label["shapley_sampling"][1]).all()
    for maps, same in ((seeds.label, all_members.label), (seeds.latent, all_members.latent)):
        np.testing.assert_allclose(maps["shapley_sampling"][[0, 2]], same["shapley_sampling"][[0, 2]], rtol=1e-6)


def test_a_method_gives_the_same_whatever_is_asked_for_beside_it() -> None:
    of = model()
    alone = attribute(of, ["kernel_shap"])
    among = attribute(of, ["neuron_gradient", "gradient_shap", "kernel_shap"])
    np.testing.assert_array_equal(alone.label["kernel_shap"], among.label["kernel_shap"])
    assert list(among.label) == ["neuron_gradient", "gradient_shap", "kernel_shap"]


def test_progress_comes_to_what_was_announced() -> None:
    of, done = model(), []
    sampling = Sampling(np.random.default_rng(0), bins=20)
    methods = ["neuron_gradient", "feature_ablation", "kernel_shap"]
    attribution.attribute(
        Model(of.inputs, of.shape, of.layers, LABELS, of.contrast), WHERE, 0.05, methods, None, done.append, sampling
    )
    assert sum(done) == attribution.work(len(WHERE), methods, sampling) == len(WHERE) + 2 * 20


def test_the_plain_inverse_is_that_without_a_cut() -> None:
    of = model()
    bare = attribution.attribute(Model(of.inputs, of.shape, of.layers, LABELS, of.contrast), WHERE, 0.0)
    cut = attribution.attribute(
        Model(of.inputs, of.shape, of.layers, LABELS, of.contrast), WHERE, 0.3, list(attribution.JACOBIAN_METHODS)
    )
    plain = cut.label["inverted_neuron_gradient_plain"]
    np.testing.assert_array_equal(plain, bare.label["inverted_neuron_gradient"])
    assert not np.allclose(plain, cut.label["inverted_neuron_gradient"])
