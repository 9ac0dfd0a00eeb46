"""Training: members of an ensemble, the Jacobian penalty, reproducibility."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.make_results import make_session
from tests.support.small_trainings import BINS, BLOCKS, OUTPUTS, UNITS, options, recording, samples, trained
from xcebra_nwb.commands import train as verb
from xcebra_nwb.core import netcdf, session
from xcebra_nwb.core.config import schema
from xcebra_nwb.training.design.split import split_session
from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.maps.jacobian import jacobian
from xcebra_nwb.xcebra.sampling.samples import Block, Samples
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN
from xcebra_nwb.xcebra.trainers import contrastive, optimize
from xcebra_nwb.xcebra.trainers.loss import Contrast

TWO_STEPS_TIME, TWO_STEPS_POSITION = 3.493882, 3.494302  # nats, mean of the first two steps


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "conv10"])
def test_members_of_an_ensemble_are_the_models_trained_alone(name: str) -> None:
    together = trained([0, 0, 90], [1, 2, 3], name=name)
    for member, (shift, seed) in enumerate([(0, 1), (0, 2), (90, 3)]):
        alone = trained([shift], [seed], name=name)
        np.testing.assert_allclose(together.loss[member], alone.loss[0], rtol=1e-4)
        for number, (both, one) in enumerate(zip(together.layers, alone.layers, strict=True)):
            torch.testing.assert_close(both[0][member], one[0][0], rtol=1e-3, atol=1e-4)
            if number < len(alone.layers) - 1:  # the Euclidean loss does not see the last: rounding
                torch.testing.assert_close(both[1][member], one[1][0], rtol=1e-3, atol=1e-4)


def test_the_same_seeds_give_the_same_bits() -> None:
    first, second = (trained([0, 90], [1, 3]) for _ in range(2))
    for a, b in zip(first.layers, second.layers, strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])
    np.testing.assert_array_equal(first.loss, second.loss)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "conv10"])
def test_one_thread_and_two_give_the_same_bits(name: str) -> None:
    activity, position = recording()
    shape = architecture(name, UNITS, hidden=32, outputs=6)
    blocks, data = [Block("time", 0, 6), Block("position", 0, 3)], samples(position, [0], shape.window)
    chosen, threads, found = options(2, batch_size=512, regularizer_ramp=(0.0, 0.0)), torch.get_num_threads(), []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append(contrastive.train(activity, shape, blocks, data, [np.random.default_rng(1)], chosen))
    torch.set_num_threads(threads)
    for a, b in zip(found[0].layers, found[1].layers, strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])


def test_more_steps_begin_like_fewer() -> None:
    few, more = trained([0], [1], steps=3), trained([0], [1], steps=40, regularizer_ramp=(0.9, 0.95))
    few_plain = trained([0], [1], steps=3, regularizer_weight=0.0)
    np.testing.assert_allclose(more.loss[0, :, :3], few_plain.loss[0], rtol=1e-6)
    assert not np.allclose(few.loss[0], few_plain.loss[0], rtol=1e-6)


def test_the_loss_after_two_steps_is_what_it_was() -> None:
    found = trained([0], [7], steps=2, regularizer_ramp=(0.0, 0.0)).loss[0, :, -1]
    np.testing.assert_allclose(found, [TWO_STEPS_TIME, TWO_STEPS_POSITION], atol=5e-6)


@pytest.mark.slow
def test_training_learns_the_label_and_not_the_shifted_one() -> None:
    true, null = trained([0, 120], [1, 2], steps=300).loss[:, 1, -1]
    assert true < null - 0.2


@pytest.mark.slow
def test_the_penalty_is_the_squared_norm_of_the_jacobian() -> None:
    activity, _ = recording()
    shape = architecture("conv10", UNITS, hidden=6, outputs=OUTPUTS)
    layers = [
        tuple(t.double() for t in layer) for layer in encoder.initialize(shape, [np.random.default_rng(0)], "cpu")
    ]
    windows = encoder.gather_windows(activity.double(), torch.arange(20, 60)[None], shape.window)
    latents, pre = encoder.forward(shape, layers, windows)
    rows = jacobian(shape, layers, activity.double(), np.arange(20, 60))
    squares = rows.square().sum(dim=(3, 4)).mean(dim=1)[0]  # (latent,)
    exact = 0.5 * sum(squares[b.first : b.last].sum() for b in BLOCKS)
    directions = contrastive.random_directions(BLOCKS, (4000, 40), np.random.default_rng(1))
    estimates = [
        contrastive.jacobian_penalty(shape, layers, BLOCKS, latents, pre, Contrast(), torch.as_tensor(d)[None]).item()
        for d in directions
    ]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(exact.item(), abs=4 * error)
    assert error < 0.01 * exact.item()


def test_for_blocks_of_one_latent_the_penalty_is_exact() -> None:
    activity, _ = recording()
    shape = architecture("mlp", UNITS, hidden=6, outputs=1)
    layers = encoder.initialize(shape, [np.random.default_rng(0)], torch.device("cpu"))
    windows = encoder.gather_windows(activity, torch.arange(50)[None], 1)
    latents, pre = encoder.forward(shape, layers, windows)
    one = [Block("only", 0, 1)]
    directions = torch.as_tensor(contrastive.random_directions(one, (1, 50), np.random.default_rng(1)))
    found = contrastive.jacobian_penalty(shape, layers, one, latents, pre, Contrast(), directions)
    expected = 0.5 * jacobian(shape, layers, activity, np.arange(50)).square().sum(dim=(2, 3, 4)).mean()
    torch.testing.assert_close(found[0], expected)


@pytest.mark.parametrize("similarity", ["euclidean", "cosine"])
@pytest.mark.parametrize("block", [Block("left", 0, 2), Block("right", 1, OUTPUTS)], ids=lambda block: block.name)
def test_over_all_directions_the_penalty_is_that_of_the_block_as_it_is_compared(similarity: str, block: Block) -> None:
    activity, _ = recording()
    shape = architecture("mlp", UNITS, hidden=6, outputs=OUTPUTS)
    layers = [
        tuple(t.double() for t in layer) for layer in encoder.initialize(shape, [np.random.default_rng(0)], "cpu")
    ]
    bins, contrast = torch.arange(6), Contrast(similarity)
    windows = encoder.gather_windows(activity.double(), bins[None], 1)
    latents, pre = encoder.forward(shape, layers, windows)

    def prepared(x: torch.Tensor) -> torch.Tensor:
        return contrast.prepare(encoder.forward(shape, layers, x[None, None])[0][0, 0, block.first : block.last])

    exact = sum(torch.autograd.functional.jacobian(prepared, window).square().sum() for window in windows[0])
    found = sum(
        contrastive.jacobian_penalty(
            shape, layers, [block], latents, pre, contrast, axis.expand(1, len(bins), -1)
        ).item()
        for axis in torch.eye(block.last - block.first, dtype=torch.float64)
    )
    assert found == pytest.approx(0.5 * exact.item() / len(bins), rel=1e-9)


def test_the_regularizer_ramps_up() -> None:
    chosen = options(1000, regularizer_ramp=(0.125, 0.25))
    weights = [optimize.regularizer_weight(step, chosen) for step in (0, 124, 125, 187, 250, 999)]
    assert weights == pytest.approx([0, 0, 0, 0.1 * 62 / 125, 0.1, 0.1])


def test_the_learning_rate_stays_and_then_falls_to_nothing() -> None:
    chosen = options(1000, decay=0.5)
    rates = [optimize.learning_rate(step, chosen) for step in (0, 499, 500, 750, 999)]
    assert rates == pytest.approx([1e-2, 1e-2, 1e-2, 0.5e-2, 0], abs=1e-7)
    assert {optimize.learning_rate(step, options(10)) for step in range(10)} == {1e-2}


def test_cosine_and_negatives_train_too() -> None:
    found = trained([0], [1], steps=60, contrast=Contrast("cosine", 0.3, "negatives"))
    assert np.isfinite(found.loss).all()
    assert found.loss[0, 1, -1] < found.loss[0, 1, 0]


@pytest.mark.slow
def test_held_out_losses_are_repeatable_and_near_those_of_training() -> None:
    activity, position = recording()
    shape = architecture("mlp", UNITS, hidden=16, outputs=OUTPUTS)
    model = trained([0], [1], steps=100)
    data = samples(position, [0])
    losses = [
        contrastive.held_out_losses(
            activity, shape, model.layers, BLOCKS, data, [np.random.default_rng(5)], options(100), batches=8
        )
        for _ in range(2)
    ]
    np.testing.assert_array_equal(losses[0], losses[1])
    np.testing.assert_allclose(losses[0][0], model.loss[0, :, -10:].mean(axis=-1), rtol=0.15)


@pytest.mark.slow
def test_the_held_out_loss_is_drawn_from_what_trained_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_session(np.random.default_rng(0))
    session.save(made, tmp_path / "session.nc")
    few = {"steps": 2, "batch_size": 16, "seeds": 1, "nulls": 1}
    chosen = schema.validate({"training": {**few, "device": "cpu", "regularizer": {"ramp": [0, 0]}}})
    seen: dict[str, np.ndarray] = {}

    def spied(name: str) -> None:
        original = getattr(contrastive, name)

        def spy(*arguments: object) -> object:
            (seen[name],) = [a[0].bins for a in arguments if isinstance(a, list) and isinstance(a[0], Samples)]
            return original(*arguments)

        monkeypatch.setattr(contrastive, name, spy)

    spied("train")
    spied("held_out_losses")
    verb.train(tmp_path, chosen)
    split = split_session(made, chosen).part
    np.testing.assert_array_equal(seen["train"], np.flatnonzero(split == TRAIN))
    np.testing.assert_array_equal(seen["held_out_losses"], np.flatnonzero(split == HELD_OUT))
    np.testing.assert_array_equal(netcdf.load_dataset(tmp_path / "training.nc")["split"], split)


@pytest.mark.slow
def test_a_relation_that_the_held_out_part_does_not_share_is_not_found_there() -> None:
    activity, position = recording()
    shape = architecture("mlp", UNITS, hidden=16, outputs=OUTPUTS)
    model = trained([0], [1], steps=300)
    same, other = (
        contrastive.held_out_losses(
            activity, shape, model.layers, BLOCKS, data, [np.random.default_rng(5)], options(1), batches=8
        )[0, 1]
        for data in (samples(position, [0]), samples(position, [BINS // 2]))
    )
    assert same < other - 0.2


def weighted(x: float, y: float, **changes: object) -> np.ndarray:
    """The losses (objective, step) of two coordinates that compete for one latent."""
    activity, position = recording()
    shape = architecture("mlp", UNITS, hidden=16, outputs=1)
    axes = [samples(position[:, [axis]], [0])[0] for axis in (0, 1)]
    data = [Samples(axes[0].bins, axes[0].references, [axis.rules[1] for axis in axes])]
    blocks = [Block("x", 0, 1, x), Block("y", 0, 1, y)]
    return contrastive.train(activity, shape, blocks, data, [np.random.default_rng(1)], options(60, **changes)).loss[0]


@pytest.mark.slow
def test_a_weight_multiplies_the_loss_in_what_is_minimised_and_not_in_the_curve() -> None:
    for_x, for_y = weighted(1, 0.01), weighted(0.01, 1)
    np.testing.assert_array_equal(for_x[:, 0], for_y[:, 0])  # of the first step, before any update
    x, y = (found[:, -10:].mean(axis=1) for found in (for_x, for_y))
    assert x[0] < y[0] - 0.1
    assert y[1] < x[1] - 0.1


@pytest.mark.slow
def test_the_penalty_has_a_weight_of_its_own() -> None:
    # Adam's steps do not depend on the scale of what is minimised, so only ratios of weights count.
    together = weighted(3, 3, regularizer_weight=0.3)
    np.testing.assert_allclose(together, weighted(1, 1, regularizer_weight=0.1), rtol=1e-3)
    assert not np.allclose(together, weighted(1, 1, regularizer_weight=0.3), rtol=1e-3)


@pytest.mark.slow
def test_training_records_scales_weights_and_remarks(tmp_path: Path) -> None:
    made = make_session(np.random.default_rng(0))
    session.save(made, tmp_path / "session.nc")
    few = {"steps": 2, "batch_size": 16, "seeds": 1, "nulls": 1, "device": "cpu", "regularizer": {"ramp": [0, 0]}}
    nested = [  # the angle's block lies inside the position's, and latent 5 is nobody's
        {"name": "time", "outputs": [0, 5], "positive": "time", "weight": 0.5},
        {"name": "position", "outputs": [0, 4], "positive": "mixed", "label": "position", "within": "choice"},
        {"name": "angle", "outputs": [0, 3], "positive": "delta_vmf", "label": "head_direction", "kappa": 9},
    ]
    chosen = schema.validate({"training": few, "objectives": nested, "encoder": {"outputs": 6}})
    verb.train(tmp_path, chosen)
    history = netcdf.load_dataset(tmp_path / "training.nc")
    assert history["weight"].values.tolist() == [0.5, 1, 1]
    assert history["label_scale"].dims == ("objective", "axis")
    assert np.isnan(history["label_scale"][0]).all()
    assert history["label_scale"][2].values.tolist() == pytest.approx([1, np.nan], nan_ok=True)
    assert ((history["label_scale"][1] > 0.015) & (history["label_scale"][1] < 0.025)).all()  # steps of 0.02 m
    assert json.loads(history.attrs["remarks"]) == ["latents 5 belong to no objective, so that nothing trains them"]
    assert np.isfinite(history["loss"]).all()
