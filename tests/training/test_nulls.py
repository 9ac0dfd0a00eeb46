"""Which nulls a label gets: the kind that suits it, and only such as are unlike the label itself."""

import numpy as np
import pytest
import xarray as xr

from tests.support.make_results import make_session
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.training.design.nulls import MOST_ALIKE, NullDesign, null_design, predictability
from xcebra_nwb.training.design.split import split_session

BINS = 3000


@pytest.fixture
def session() -> xr.Dataset:
    return make_session(np.random.default_rng(0), bins=BINS)


def design(session: xr.Dataset, label: str, kind: object = "auto", nulls: int = 6) -> NullDesign:
    chosen = schema.validate({"training": {"nulls": nulls, "null_kind": kind}})
    return null_design(session, split_session(session, chosen), label, chosen, np.random.default_rng(5))


def kinds(found: NullDesign) -> set[str]:
    return {null.kind for null in found.nulls}


def test_what_moves_in_time_is_shifted(session: xr.Dataset) -> None:
    found = design(session, "head_direction")
    assert (len(found.nulls), kinds(found)) == (6, {"shift"})
    assert all(0.1 * BINS * 0.98 <= null.shift <= 0.9 * BINS for null in found.nulls)
    assert "moves in time" in found.reason


def test_what_belongs_to_trials_is_dealt_out_anew_unless_neighbours_are_alike(session: xr.Dataset) -> None:
    trial, rng = session["choice_trial"].values, np.random.default_rng(1)
    values = rng.integers(0, 2, trial.max() + 1)
    session["choice"][:] = np.where(trial >= 0, values[trial], -1)
    assert kinds(design(session, "choice")) == {"permute"}
    blocks = np.arange(trial.max() + 1) // 10 % 2 ^ (rng.random(trial.max() + 1) < 0.1)
    session["choice"][:] = np.where(trial >= 0, blocks[trial], -1)
    found = design(session, "choice")
    assert kinds(found) <= {"shift"}
    assert "neighbouring trials are alike" in found.reason


def test_every_null_of_a_trial_label_is_constant_within_trials(session: xr.Dataset) -> None:
    chosen = schema.validate({"training": {"nulls": 4, "null_kind": "permute"}})
    split = split_session(session, chosen)
    for null in null_design(session, split, "choice", chosen, np.random.default_rng(0)).nulls:
        values = session["choice"].values[split.bins][null.order]
        trial = session["choice_trial"].values[split.bins]
        assert all(len(np.unique(values[trial == t])) == 1 for t in np.unique(trial))


@pytest.mark.slow
@pytest.mark.parametrize("label", ["laps", "drift"])
def test_a_label_that_repeats_itself_or_drifts_has_no_null_and_says_so(session: xr.Dataset, label: str) -> None:
    time = np.arange(BINS)
    values = {"laps": time / 100 % 1.0, "drift": time / BINS}[label]
    session["position"][:] = np.where(session["valid"], values, np.nan)[:, None] * [1.0, -1.0]
    found = design(session, "position")
    assert not found.nulls
    assert "none is left" in found.reason


def test_laps_at_an_uneven_pace_keep_those_nulls_that_are_unlike_them(session: xr.Dataset) -> None:
    rng = np.random.default_rng(2)
    phase = np.cumsum(0.02 * np.exp(np.repeat(rng.normal(0, 0.7, BINS // 50), 50)))
    session["position"][:] = np.where(session["valid"], np.sin(2 * np.pi * phase), np.nan)[:, None] * [1.0, 0.5]
    found = design(session, "position")
    split = split_session(session, schema.validate({}))
    assert found.nulls
    assert all(predictability(session, split, "position", null.order) <= MOST_ALIKE for null in found.nulls)


def test_the_config_may_choose_the_kind_for_every_label_or_for_one(session: xr.Dataset) -> None:
    assert kinds(design(session, "head_direction", "reverse")) == {"reverse"}
    assert kinds(design(session, "head_direction", {"position": "reverse"})) == {"shift"}
    assert design(session, "head_direction", nulls=0).nulls == []


def test_a_permutation_wants_trials(session: xr.Dataset) -> None:
    with pytest.raises(UsageError, match="head_direction has 2 trials"):
        design(session, "head_direction", "permute")
