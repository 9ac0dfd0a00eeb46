"""The generator of the activity from the latents, and its support as an attribution method."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.over_time import collected
from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.maps import generator, generator_support
from xcebra_nwb.xcebra.maps import maps as attribution
from xcebra_nwb.xcebra.maps.generator import Generator, Options
from xcebra_nwb.xcebra.maps.generator_support import Observed
from xcebra_nwb.xcebra.maps.likelihood import Gaussian, Likelihood, Poisson
from xcebra_nwb.xcebra.maps.model import Model, disjoint_blocks, partition
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.trainers.loss import Contrast

SAMPLES, LATENTS, UNITS = 1500, 5, 9
GROUPS = [[0, 1], [2, 3], [4]]
TUNED = np.arange(UNITS) % 3  # unit 0, 3, 6 to the first group, 1, 4, 7 to the second, the others to the last


def options(**changes: object) -> Options:
    return Options(**({"weight": 0.03, "steps": 150, "batch_size": 64, "learning_rate": 5e-3, "hidden": 16} | changes))


def latents(members: int = 2) -> torch.Tensor:
    """Independent ones (member, sample, latent); members see the same, each through linear maps of its own."""
    z = np.random.default_rng(0).normal(size=(SAMPLES, LATENTS))
    seen = []
    for member in range(members):
        mixing = np.zeros((LATENTS, LATENTS))
        for group in GROUPS:
            mixing[np.ix_(group, group)] = np.random.default_rng(member).normal(size=(len(group), len(group)))
        seen.append(z @ mixing + 3)
    return torch.as_tensor(np.stack(seen), dtype=torch.float32)


def log_rate() -> np.ndarray:
    """(sample, unit), a smooth function of the latents of the unit's own group."""
    z = np.random.default_rng(0).normal(size=(SAMPLES, LATENTS))
    drive = [np.tanh(z[:, GROUPS[group]].sum(axis=1)) for group in TUNED]
    return np.stack(drive, axis=1)


def activity(counts: bool) -> torch.Tensor:
    """(sample, unit): counts of units whose mean rates differ a hundredfold, or a noisy mean."""
    rng = np.random.default_rng(1)
    mean = np.geomspace(0.1, 10, UNITS) if counts else np.linspace(-5, 5, UNITS)
    values = rng.poisson(mean * np.exp(log_rate())) if counts else mean + log_rate() + rng.normal(size=log_rate().shape)
    return torch.as_tensor(values, dtype=torch.float32)


def fitted(counts: bool = True, members: tuple[int, ...] = (0, 1), **changes: object) -> Generator:
    x = activity(counts)
    likelihood = Poisson.of(x) if counts else Gaussian.of(x)
    generators = [np.random.default_rng(member) for member in members]
    return generator.fit(latents()[list(members)], x, GROUPS, likelihood, generators, options(**changes))


def support_of(found: Generator, member: int = 0) -> np.ndarray:
    """(group, unit)."""
    rows = found.jacobian(latents()[[member]])[0].numpy()
    return np.stack([np.sqrt((rows[:, group] ** 2).sum(axis=1).mean(axis=0)) for group in GROUPS])


@pytest.mark.slow
@pytest.mark.parametrize("counts", [True, False], ids=["poisson", "gaussian"])
def test_the_support_is_the_group_that_each_unit_depends_on(counts: bool) -> None:
    found = support_of(fitted(counts, members=(0,), steps=400))
    others = np.where(np.arange(3)[:, None] == TUNED, 0, found).max(axis=0)
    assert (found[TUNED, np.arange(UNITS)] > 2 * others).all()


@pytest.mark.slow
def test_the_penalty_makes_the_jacobian_sparse() -> None:
    on = np.arange(3)[:, None] == TUNED
    free, sparse = (support_of(fitted(members=(0,), steps=400, weight=weight)) for weight in (0.0, 0.1))
    assert sparse[~on].mean() / sparse[on].mean() < 0.6 * free[~on].mean() / free[on].mean()


def test_a_generator_comes_out_as_if_it_had_been_fitted_alone_and_again_with_the_same_bits() -> None:
    together, again, alone = fitted(steps=30), fitted(steps=30), fitted(members=(1,), steps=30)
    for (weight, bias), (same, same_bias), (own, own_bias) in zip(
        together.layers, again.layers, alone.layers, strict=True
    ):
        assert torch.equal(weight, same)
        assert torch.equal(bias, same_bias)
        torch.testing.assert_close(weight[1], own[0], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(bias[1], own_bias[0], rtol=1e-4, atol=1e-6)


def test_the_jacobian_is_that_of_automatic_differentiation() -> None:
    found = fitted(steps=5)
    z = latents()[:, :3]
    rows = found.jacobian(z)
    for member in range(2):
        one = Generator(found.centre[[member]], found.whitening[[member]], found.shape, _member(found, member))
        to_latents = torch.linalg.inv(one.whitening[0])  # a step in a whitened latent is this step in the latents
        for sample in range(3):
            raw = torch.autograd.functional.jacobian(
                lambda v, one=one: one.predictor(v[None, None])[0, 0], z[member, sample]
            )
            torch.testing.assert_close(rows[member, sample], to_latents @ raw.T, rtol=1e-3, atol=1e-5)


def _member(found: Generator, member: int) -> list[encoder.Layer]:
    return [(weight[[member]], bias[[member]]) for weight, bias in found.layers]


def _invertible(size: int, rng: np.random.Generator) -> np.ndarray:
    """A linear map far from singular: what is nearly flat is not whitened back."""
    turns = [np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(2)]
    return turns[0] @ np.diag(rng.uniform(0.2, 5, size)) @ turns[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_a_linear_map_inside_a_block_only_turns_its_whitened_latents_and_leaves_the_penalty(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = torch.as_tensor(rng.normal(size=(1, 200, LATENTS)))
    mapped = z.clone()
    for group in GROUPS:
        mapped[..., group] = z[..., group] @ torch.as_tensor(_invertible(len(group), rng))
    white = [(v - centre) @ whitening for v in (z, mapped) for centre, whitening in [generator.whiten(v, GROUPS)]]
    turn = torch.linalg.lstsq(white[0][0], white[1][0]).solution
    torch.testing.assert_close(turn.T @ turn, torch.eye(LATENTS, dtype=turn.dtype), rtol=1e-3, atol=1e-3)
    rows, noise = torch.as_tensor(rng.normal(size=(1, 20, LATENTS, UNITS))), torch.ones(UNITS)
    turned = torch.einsum("kl,mbld->mbkd", turn.T, rows)
    for first, second in zip(
        generator.sparsity(rows, GROUPS, noise), generator.sparsity(turned, GROUPS, noise), strict=True
    ):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-6)


def test_a_latent_that_never_moves_does_not_break_the_whitening() -> None:
    still = latents()
    still[..., 1] = 2.0
    centre, whitening = generator.whiten(still, GROUPS)
    assert torch.isfinite((still - centre) @ whitening).all()


@pytest.mark.parametrize("counts", [True, False], ids=["poisson", "gaussian"])
def test_the_likelihood_is_that_of_the_distribution(counts: bool) -> None:
    x = activity(counts)
    model: Likelihood = Poisson.of(x) if counts else Gaussian.of(x)
    predictor = torch.as_tensor(np.random.default_rng(2).normal(size=(1, *x.shape)), dtype=torch.float32)
    if isinstance(model, Poisson):
        known = torch.distributions.Poisson(model.mean * predictor.exp())
    else:
        assert isinstance(model, Gaussian)
        known = torch.distributions.Normal(model.mean + model.deviation * predictor, model.deviation)
    rest = model.loss(predictor, x) + known.log_prob(x)  # what the loss leaves out does not depend on the predictor
    nothing = model.loss(torch.zeros_like(predictor), x)
    at_mean = known.__class__(model.mean) if counts else torch.distributions.Normal(model.mean, model.deviation)
    torch.testing.assert_close(rest, nothing + at_mean.log_prob(x), rtol=1e-3, atol=1e-3)
    more = model.deviance(predictor, x) - model.deviance(torch.zeros_like(predictor), x)
    torch.testing.assert_close(more, 2 * (model.loss(predictor, x) - nothing), rtol=1e-3, atol=1e-2)
    assert (model.deviance(predictor, x) > -1e-3).all()


@pytest.mark.parametrize("counts", [True, False], ids=["poisson", "gaussian"])
def test_noise_is_the_spread_of_the_slope_where_there_is_nothing_to_learn(counts: bool) -> None:
    rng = np.random.default_rng(3)
    mean = np.geomspace(0.05, 5, UNITS)
    drawn = rng.poisson(mean, (20_000, UNITS)) if counts else rng.normal(mean, 2, (20_000, UNITS))
    x = torch.as_tensor(drawn, dtype=torch.float64)
    model = Poisson.of(x) if counts else Gaussian.of(x)
    predictor = torch.zeros_like(x).requires_grad_()
    model.loss(predictor, x).sum().backward()
    torch.testing.assert_close(predictor.grad.std(dim=0), model.noise, rtol=0.05, atol=0.0)


def test_a_unit_that_never_fired_has_a_rate_and_no_infinity() -> None:
    silent = Poisson.of(torch.zeros(100, 1))
    assert silent.mean.item() == pytest.approx(0.005)
    assert torch.isfinite(silent.deviance(torch.zeros(1, 100, 1), torch.ones(100, 1))).all()


def test_every_latent_is_in_one_group_also_those_that_labels_share() -> None:
    labels = [Block("position", 0, 3), Block("x", 1, 2), Block("speed", 3, 4)]
    assert partition(labels, 6) == [[0, 2], [1], [3], [4, 5]]
    assert disjoint_blocks(labels, 6) == [[0, 2], [3], [4, 5]]


LABELS = [Block("first", 0, 2), Block("second", 2, 4)]  # the last latent belongs to none


def stack() -> tuple[Model, Observed]:
    """Encoders that hand on their inputs, which are the latents, and units that depend on them."""
    inputs = latents(1)[0]
    weight = torch.eye(LATENTS)[None].repeat(3, 1, 1)
    shape = Architecture(LATENTS, 0, LATENTS, kernels=(1,), residual=(False,))
    model = Model(inputs, shape, [(weight, torch.zeros(3, 1, LATENTS))], LABELS, Contrast())
    every = np.arange(SAMPLES)
    generators = [np.random.default_rng(member) for member in range(3)]
    counts = activity(counts=True)[:, :LATENTS]
    return model, Observed(counts, True, every[:1200], every[1200:], generators, options(steps=300))


def maps(
    methods: list[str], members: list[int] | None = None, over_time: attribution.OverTime | None = None
) -> attribution.Maps:
    model, observed = stack()
    sampling = attribution.Sampling(np.random.default_rng(0), members=members)
    done: list[int] = []
    found = attribution.attribute(
        Model(model.inputs, model.shape, model.layers, LABELS, Contrast()),
        np.arange(0, SAMPLES, 10),
        0.05,
        methods,
        over_time,
        done.append,
        sampling,
        observed,
    )
    assert sum(done) == attribution.work(SAMPLES // 10, methods, sampling, observed)
    return found


@pytest.mark.slow
def test_support_is_a_method_beside_the_others() -> None:
    by_method, over_time = collected([0, 2])
    found = maps(["neuron_gradient", generator_support.METHOD], members=[0, 2], over_time=over_time)
    assert np.isnan(found.label[generator_support.METHOD][1]).all()
    for member in (0, 2):
        label, explained = found.label[generator_support.METHOD][member], found.deviance_explained[member]
        assert (label[0, [0, 3]] > 2 * label[1, [0, 3]]).all()
        assert (label[1, [1, 4]] > 2 * label[0, [1, 4]]).all()
        assert label[:, 2].max() < label[[0, 1], [0, 1]].min()  # it belongs to the latent of no label
        assert ((explained > 0.05) & (explained < 1)).all()
    assert list(by_method) == ["neuron_gradient", generator_support.METHOD]
    per_bin = np.concatenate(by_method[generator_support.METHOD], axis=1) / 2
    assert per_bin.shape == (2, 150, LATENTS)
    assert (per_bin.mean(axis=1) <= found.label[generator_support.METHOD][[0, 2]].mean(axis=0) + 1e-6).all()


@pytest.mark.slow
def test_support_as_the_tested_method_is_computed_for_all_members_with_the_same_bits() -> None:
    first, again = (maps([generator_support.METHOD, "neuron_gradient"], members=[0]) for _ in range(2))
    assert np.isfinite(first.label[generator_support.METHOD]).all()
    for name in ("label", "latent"):
        np.testing.assert_array_equal(
            getattr(first, name)[generator_support.METHOD], getattr(again, name)[generator_support.METHOD]
        )
    np.testing.assert_array_equal(first.deviance_explained, again.deviance_explained)


def test_support_asks_for_what_it_is_to_explain() -> None:
    model, _ = stack()
    with pytest.raises(ValueError, match="Observed"):
        attribution.attribute(
            Model(model.inputs, model.shape, model.layers, LABELS, Contrast()),
            np.arange(9),
            0.05,
            [generator_support.METHOD],
        )
