"""How many latents: directions that two seeds share are counted, and directions of their own are not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xcebra_nwb.benchmark import dimensions
from xcebra_nwb.benchmark.case import Commands, JobContext
from xcebra_nwb.benchmark.simulate.two_populations import SHARED
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.simulate import simulate
from xcebra_nwb.commands.train import train
from xcebra_nwb.training.design.split import trainable_split

BINS = 2_000
TRAIN, TEST = np.arange(0, BINS, 2), np.arange(1, BINS, 2)


def encoders(shared: int, outputs: int, seeds: int = 3) -> np.ndarray:
    """Latents (seed, time, latent): the same ``shared`` variables in every seed, the rest its own, mixed anew."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(BINS, shared))
    own = rng.normal(size=(seeds, BINS, outputs - shared))
    return np.stack([np.hstack([common, mine]) @ rng.normal(size=(outputs, outputs)) for mine in own])


@pytest.mark.parametrize(("shared", "outputs"), [(2, 2), (2, 5), (4, 5), (0, 3)])
def test_as_many_directions_agree_as_encoders_share(shared: int, outputs: int) -> None:
    correlations = dimensions.agreed_correlations(encoders(shared, outputs), TRAIN, TEST)
    assert correlations.shape == (3, outputs)
    assert dimensions.agreed_directions(correlations).tolist() == [shared] * 3


def test_outputs_that_repeat_others_count_once() -> None:
    latents = encoders(2, 3)
    repeated = np.concatenate([latents, latents[..., :1]], axis=-1)
    correlations = dimensions.agreed_correlations(repeated, TRAIN, TEST)
    assert np.isfinite(correlations).all()
    assert dimensions.agreed_directions(correlations).tolist() == [2] * 3


def test_an_agreement_that_is_only_fitted_does_not_count() -> None:
    rng = np.random.default_rng(1)
    few, others = np.arange(12), np.arange(12, BINS)
    correlations = dimensions.agreed_correlations(rng.normal(size=(2, BINS, 6)), few, others)
    assert np.abs(correlations).max() < 0.2


def test_the_gain_is_the_loss_of_chance_less_the_held_out_loss() -> None:
    training = xr.Dataset(
        {"chance": ("objective", [5.0, 6.0]), "held_out_loss": (("seed", "objective"), [[3.0, 5.0], [4.0, 6.0]])}
    )
    assert dimensions.held_out_gain(training) == pytest.approx(1.0)


@pytest.mark.parametrize("outputs", [3, 4, 6])
def test_the_label_has_as_many_outputs_as_axes_whatever_the_rest(outputs: int) -> None:
    asked = dimensions.task(dimensions.DESIGNS["quick"], 4, outputs, dataset=0)
    trainable_split(asked.session, asked.config)
    blocks = {objective.name: objective.outputs for objective in asked.config.objectives}
    assert blocks == {"time": (0, outputs), dimensions.LABEL: (outputs - (4 - SHARED), outputs)}


def test_every_number_of_outputs_is_tried_from_fewer_to_more_than_there_are_latents() -> None:
    columns = pd.DataFrame([case.columns for case in dimensions.cases("reduced")])
    assert columns.groupby("training")["setting"].nunique().to_dict() == {"d = 4": 7, "d = 6": 7, "d = 8": 7}


@pytest.mark.slow
def test_a_job_writes_what_the_seeds_agree_on(tmp_path: Path) -> None:
    case = next(case for case in dimensions.cases("quick") if case.columns["setting"] == "4 outputs")
    commands = Commands(simulate, extract, train, attribute, assess)
    (score,) = case.work(JobContext(commands, tmp_path))
    assert score["label"] == dimensions.LABEL
    assert score["gain"] > 0.5
    assert score["agreed"] >= 3
