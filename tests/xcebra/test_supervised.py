"""The supervised baseline: the encoder's blocks are to equal the labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support.make_results import make_session
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.train import train
from xcebra_nwb.core import netcdf
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.training.design import targets
from xcebra_nwb.training.design.ensemble import members, null_designs
from xcebra_nwb.training.design.objectives import resolve
from xcebra_nwb.training.design.split import split_session
from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.maps.jacobian import jacobian
from xcebra_nwb.xcebra.sampling.samples import Block, Targets
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN
from xcebra_nwb.xcebra.trainers import supervised
from xcebra_nwb.xcebra.trainers.loss import Contrast
from xcebra_nwb.xcebra.trainers.optimize import Options

BINS, UNITS = 300, 8
BLOCKS = [Block("position", 0, 2), Block("speed", 2, 3)]


def resolved(chosen: Config, session: xr.Dataset) -> tuple[list[Objective], int]:
    """The objectives of a session and its number of latents, with the session's own split."""
    return resolve(chosen, session, split_session(session, chosen))


def recording(seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Activity, and what is to be said of it: two targets that it holds, one that it does not."""
    rng = np.random.default_rng(seed)
    wanted = rng.normal(size=(BINS, 3)).astype(np.float32)
    activity = wanted[:, :2] @ rng.normal(size=(2, UNITS)) + 0.1 * rng.normal(size=(BINS, UNITS))
    return torch.as_tensor(activity, dtype=torch.float32), wanted


def trained(shifts: list[int], seeds: list[int], steps: int = 20, name: str = "mlp", **changes: object):
    activity, wanted = recording()
    shape = architecture(name, UNITS, hidden=16, outputs=3)
    bins = np.arange(shape.window, BINS - shape.window)
    data = [Targets(bins, np.roll(wanted, shift, axis=0)[bins]) for shift in shifts]
    chosen = {"regularizer_weight": 0.1, "regularizer_ramp": (0.0, 0.5)} | changes
    options = Options(steps=steps, batch_size=32, learning_rate=1e-2, contrast=Contrast("cosine"), **chosen)
    generators = [np.random.default_rng(seed) for seed in seeds]
    return shape, data, supervised.train(activity, shape, BLOCKS, data, generators, options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "conv10"])
def test_members_of_an_ensemble_are_the_models_trained_alone(name: str) -> None:
    _, _, together = trained([0, 0, 90], [1, 2, 3], name=name)
    for member, (shift, seed) in enumerate([(0, 1), (0, 2), (90, 3)]):
        _, _, alone = trained([shift], [seed], name=name)
        np.testing.assert_allclose(together.loss[member], alone.loss[0], rtol=1e-4)
        for both, one in zip(together.layers, alone.layers, strict=True):
            torch.testing.assert_close(both[0][member], one[0][0], rtol=1e-3, atol=1e-4)


def test_the_same_seeds_give_the_same_bits() -> None:
    first, second = (trained([0, 90], [1, 3])[2] for _ in range(2))
    np.testing.assert_array_equal(first.loss, second.loss)
    for a, b in zip(first.layers, second.layers, strict=True):
        assert torch.equal(a[0], b[0])


@pytest.mark.slow
def test_it_learns_what_the_activity_holds_and_nothing_else() -> None:
    _, _, model = trained([0, 90], [1, 2], steps=300, regularizer_weight=0.0)
    assert model.loss[0, 0, -1] < 0.05
    assert model.loss[1, 0, -1] > 0.5


@pytest.mark.slow
def test_the_regularizer_makes_the_jacobian_smaller() -> None:
    activity, _ = recording()
    size = {}
    for weight in (0.0, 1.0):
        shape, data, model = trained([0], [1], steps=200, regularizer_weight=weight)
        size[weight] = jacobian(shape, model.layers, activity, data[0].bins).square().sum(dim=(2, 3, 4)).mean().item()
    assert size[1.0] < 0.5 * size[0.0]


def test_the_loss_is_the_mean_squared_error_of_each_block() -> None:
    rng = np.random.default_rng(0)
    latents, wanted = rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5, 3))
    blocks = [Block("one", 0, 1), Block("two", 2, 4)]  # latent 1 is nobody's
    found = supervised.squared_errors(torch.as_tensor(latents), torch.as_tensor(wanted), blocks).numpy()
    expected = [((latents[..., :1] - wanted[..., :1]) ** 2), ((latents[..., 2:] - wanted[..., 1:]) ** 2)]
    np.testing.assert_allclose(found, np.stack([e.mean(axis=(1, 2)) for e in expected], axis=1))


def test_held_out_losses_are_those_of_all_samples() -> None:
    activity, _ = recording()
    shape, data, model = trained([0, 90], [1, 2], steps=50)
    found = supervised.held_out_losses(activity, shape, model.layers, BLOCKS, data)
    latents = encoder.embed(shape, model.layers, activity, data[1].bins)
    expected = np.mean((latents[1, :, :2] - data[1].values[:, :2]) ** 2)
    assert found[1, 0] == pytest.approx(expected, rel=1e-5)


SUPERVISED = {"loss": "supervised", "steps": 8, "batch_size": 64, "seeds": 2, "nulls": 3, "device": "cpu"}


def choose(**changes: object) -> schema.Config:
    return schema.validate({"training": SUPERVISED} | changes)


@pytest.fixture
def session() -> xr.Dataset:
    return make_session(np.random.default_rng(0))


def test_auto_gives_every_label_a_block_as_wide_as_its_targets_and_time_none(session: xr.Dataset) -> None:
    objectives, outputs = resolved(choose(), session)
    assert [(o.name, o.outputs) for o in objectives] == [
        ("position", (0, 2)),
        ("head_direction", (2, 4)),
        ("choice", (4, 6)),
    ]
    assert outputs == 6


def test_targets_have_mean_0_and_mean_variance_1_in_the_training_bins(session: xr.Dataset) -> None:
    chosen = choose()
    split = split_session(session, chosen)
    objectives, _ = resolved(chosen, session)
    stack = members(null_designs(session, split, resolved(chosen, session)[0], chosen), chosen)
    scales = targets.scales(session, split, objectives)
    found = targets.targets(session, split, objectives, scales, stack, TRAIN)[0]
    true = found.values.astype(float)
    np.testing.assert_allclose(true.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(true[:, :2].var(axis=0), 1, rtol=1e-5)  # each axis
    for block in (slice(2, 4), slice(4, 6)):
        assert true[:, block].var(axis=0).mean() == pytest.approx(1, rel=1e-5)
    angle = session["head_direction"].values[found.bins]
    circle = true[:, 2:4] * scales["head_direction"].deviation + scales["head_direction"].mean
    np.testing.assert_allclose(circle, np.stack([np.cos(angle), np.sin(angle)], axis=1), atol=1e-6)
    assert np.ptp(scales["head_direction"].deviation) == 0  # a circle stays one
    chosen_class = true[:, 4:6].argmax(axis=1)
    np.testing.assert_array_equal(chosen_class, session["choice"].values[found.bins])


@pytest.mark.parametrize("part", [TRAIN, HELD_OUT])
def test_a_null_is_to_say_the_shuffled_label_on_the_same_scale(session: xr.Dataset, part: int) -> None:
    chosen = choose()
    split = split_session(session, chosen)
    objectives, _ = resolved(chosen, session)
    stack = members(null_designs(session, split, resolved(chosen, session)[0], chosen), chosen)
    scales = targets.scales(session, split, objectives)
    found = targets.targets(session, split, objectives, scales, stack, part)
    scale = scales["position"]
    for member, own in zip(stack, found, strict=True):
        order = member.order("position")
        seen = session["position"].values[split.bins][slice(None) if order is None else order][split.numbers(part)]
        np.testing.assert_allclose(own.values[:, :2] * scale.deviation + scale.mean, seen, atol=1e-5)


def test_a_label_that_never_changes_in_training_is_refused(session: xr.Dataset) -> None:
    chosen = choose()
    split = split_session(session, chosen)
    session["position"][:, 1] = np.where(split.part == TRAIN, 0.0, 1.0)
    with pytest.raises(Refusal, match="position has an axis that is the same in all training bins"):
        targets.scales(session, split, resolved(chosen, session)[0])


def position_at(*outputs: int) -> dict:
    return {"name": "position", "outputs": list(outputs), "positive": "time_delta", "label": "position"}


def choice_at(*outputs: int) -> dict:
    return {"name": "choice", "outputs": list(outputs), "positive": "discrete", "label": "choice"}


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ([position_at(0, 3)], r"3 latents are to equal the 2 numbers of label position .*outputs: \[0, 2\]"),
        ([position_at(0, 2), choice_at(1, 3)], "objective choice: shares latents"),
        ([{"name": "time", "outputs": [0, 8], "positive": "time"}, position_at(0, 2)], "time has no part"),
    ],
)
def test_blocks_that_cannot_equal_their_labels_are_refused(session: xr.Dataset, blocks: list, says: str) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        resolved(choose(objectives=blocks), session)
    assert "\n" not in str(raised.value)


def test_blocks_of_the_right_width_are_taken_as_they_are(session: xr.Dataset) -> None:
    objectives, outputs = resolved(choose(objectives=[choice_at(5, 7), position_at(1, 3)]), session)
    assert [o.outputs for o in objectives] == [(5, 7), (1, 3)]
    assert outputs == 7


@pytest.mark.slow
def test_a_supervised_ensemble_goes_through_training_attribution_and_assessment(
    session: xr.Dataset, tmp_path: Path
) -> None:
    contract.save(session, tmp_path / "session.nc")
    chosen = schema.validate({"training": SUPERVISED | {"similarity": "cosine", "denominator": "negatives"}})
    train(tmp_path, chosen)
    history = netcdf.load_dataset(tmp_path / "training.nc")
    assert history["positive"].values.tolist() == ["supervised"] * 3
    assert history["loss"].attrs["units"] == "share of variance"
    assert history["chance"].values.tolist() == [1, 1, 1]
    assert set(json.loads(history.attrs["targets"])) == {"position", "head_direction", "choice"}
    attribute(tmp_path, chosen)
    assert np.isfinite(netcdf.load_dataset(tmp_path / "attribution.nc")["z"]).all()
    path, _ = assess(tmp_path)
    assert '"share of variance"' in path.read_text()
