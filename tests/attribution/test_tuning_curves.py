"""Tuning curves of simulated units whose tuning is known, and the dataset of units.nc."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from scipy.signal import lfilter

from tests.support.make_results import make_session
from xcebra_nwb.attribution.label_grid import CIRCLE_BINS, Grid, label_grids
from xcebra_nwb.attribution.tuning_curves import (
    STRETCHES,
    StretchSums,
    Tuning,
    add_recording,
    skaggs_information,
    tuning,
)
from xcebra_nwb.attribution.units_dataset import NO_SPIKES, SILENT, UNVISITED, units_dataset
from xcebra_nwb.core import activity as core_activity
from xcebra_nwb.core.config.schema import Config

WIDTH = 0.05  # s
BINS = 24_000  # 20 minutes


def tuned(
    values: np.ndarray, kind: str, counts: np.ndarray, spikes: bool = True, classes: int = 0
) -> tuple[Grid, Tuning]:
    """The grid of a label with one grid, and the tuning of units to it."""
    (grid,) = label_grids(values, kind, classes)
    sums = StretchSums(grid, counts.shape[1])
    for number, samples in enumerate(np.array_split(np.arange(len(values)), STRETCHES)):
        add_recording([sums], number, [(slice(samples[0], samples[-1] + 1), counts[samples])], WIDTH)
    return grid, tuning(sums, spikes)


def truth(grid: Grid, rates: np.ndarray) -> np.ndarray:
    """The mean of true rates (sample, unit) in each bin of a grid."""
    return np.stack([rates[grid.index == number].mean(axis=0) for number in range(grid.size)])


def head_direction(rng: np.random.Generator) -> np.ndarray:
    return np.cumsum(rng.normal(0, 0.25, BINS)) % (2 * np.pi)


def direction_rates(angles: np.ndarray, preferred: np.ndarray, peak: float = 10.0) -> np.ndarray:
    return 0.1 * peak + peak * np.exp(3 * (np.cos(angles[:, None] - preferred) - 1))


def covered(grid: Grid, result: Tuning, rates: np.ndarray) -> float:
    true = truth(grid, rates)
    return float(((result.low <= true) & (true <= result.high))[np.isfinite(result.curve)].mean())


def slow_gain(rng: np.random.Generator, units: int) -> np.ndarray:
    """A factor of mean 1 that wanders over 2 s."""
    keep = np.exp(-WIDTH / 2)
    gain = lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.normal(0, 1, (BINS, units)), axis=0)
    return np.exp(0.5 * gain - 0.125)


@pytest.mark.parametrize(("peak", "gain"), [(10.0, False), (10.0, True), (0.5, False)])
def test_intervals_cover_the_true_rates(peak: float, gain: bool) -> None:
    shares = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        angles, preferred = head_direction(rng), rng.uniform(0, 2 * np.pi, 20)
        rates = direction_rates(angles, preferred, peak)
        modulated = rates * slow_gain(rng, 20) if gain else rates
        shares.append(covered(*tuned(angles, "circular", rng.poisson(modulated * WIDTH)), rates))
    assert 0.93 <= np.mean(shares) <= 0.99


def test_a_poisson_interval_would_be_too_narrow() -> None:
    rng = np.random.default_rng(0)
    angles = head_direction(rng)
    rates = direction_rates(angles, rng.uniform(0, 2 * np.pi, 20))
    steady, bursting = (rng.poisson(rates * factor * WIDTH) for factor in (1.0, rng.gamma(0.2, 5, rates.shape)))
    widths = [np.nanmean(t.high - t.low) for _, t in (tuned(angles, "circular", c) for c in (steady, bursting))]
    assert widths[1] > 1.2 * widths[0]


def test_preferred_directions_and_their_information_are_found() -> None:
    rng = np.random.default_rng(1)
    angles, preferred = head_direction(rng), np.linspace(0, 2 * np.pi, 20, endpoint=False)
    rates = direction_rates(angles, preferred, 40.0)
    grid, result = tuned(angles, "circular", rng.poisson(rates * WIDTH))
    assert grid.shape == (CIRCLE_BINS,)
    error = np.angle(np.exp(1j * (grid.centers[0][result.peak] - preferred)))
    assert np.abs(error).max() < np.radians(12)
    true = skaggs_information(truth(grid, rates), result.occupancy)
    np.testing.assert_allclose(result.information, true, rtol=0.05)
    assert (result.reliability > 0.97).all()
    assert result.occupancy.sum() == pytest.approx(BINS * WIDTH)


def test_rate_maps_show_place_fields_and_leave_out_what_was_not_visited() -> None:
    rng = np.random.default_rng(2)
    place = rng.uniform(0, 1, (BINS, 2))
    place[:, 1] = np.where(place[:, 0] > 0.5, 0.5 * place[:, 1], place[:, 1])  # no visit of the upper right
    centers = np.array([[0.25, 0.75], [0.75, 0.25], [0.2, 0.2]])
    rates = 0.2 + 15 * np.exp(-((place[:, None] - centers) ** 2).sum(axis=2) / (2 * 0.12**2))
    grid, result = tuned(place, "continuous", rng.poisson(rates * WIDTH))
    assert grid.shape == (20, 20)
    np.testing.assert_allclose(grid.points()[result.peak], centers, atol=0.07)
    map_, x, y = result.curve.reshape(20, 20, 3), *grid.centers
    assert np.isnan(map_[np.ix_(x > 0.55, y > 0.55)]).all()
    assert np.isfinite(map_[np.ix_(x < 0.45, y < 0.95)]).all()
    assert (result.reliability > 0.9).all()


def test_rates_by_class_and_a_class_that_was_seen_in_one_stretch() -> None:
    rng = np.random.default_rng(3)
    codes = np.arange(BINS) // 100 % 3
    codes[:300] = 3
    rates = np.array([[2.0, 1.0], [8.0, 1.0], [4.0, 1.0], [50.0, 1.0]])[codes]
    _, result = tuned(codes, "discrete", rng.poisson(rates * WIDTH), classes=5)
    np.testing.assert_allclose(result.curve[:3, 0], [2, 8, 4], rtol=0.1)
    assert np.isnan(result.curve[3:]).all()  # in one stretch; never
    assert result.peak[0] == 1
    assert result.information[0] > 20 * result.information[1]
    assert ((result.low <= result.curve) & (result.curve <= result.high))[:3].all()


def test_calcium_has_an_interval_that_knows_its_slowness_and_no_bits() -> None:
    shares = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        angles = head_direction(rng)
        means = direction_rates(angles, rng.uniform(0, 2 * np.pi, 10), 1.0) - 0.4
        noise = np.log(slow_gain(rng, 10)) + 0.125  # correlated over 2 s
        grid, result = tuned(angles, "circular", WIDTH * (means + noise), spikes=False)
        shares.append(covered(grid, result, means))
        assert np.isnan(result.information).all()
        assert (result.reliability > 0.7).all()
    assert 0.92 <= np.mean(shares) <= 0.99


def test_a_silent_unit_has_a_rate_of_zero_an_upper_end_and_no_preference() -> None:
    rng = np.random.default_rng(4)
    angles = head_direction(rng)
    _, result = tuned(angles, "circular", np.stack([np.zeros(BINS), rng.poisson(0.2, BINS)], axis=1))
    assert (result.curve[:, 0] == 0).all()
    assert (result.low[:, 0] == 0).all()
    assert result.peak[0] == -1
    assert np.isnan([result.information[0], result.reliability[0]]).all()


def test_the_upper_end_of_a_silent_bin_is_known_where_other_bins_have_spikes() -> None:
    rng = np.random.default_rng(5)
    angles = head_direction(rng)
    counts = rng.poisson(np.where(angles < 1, 0.5, 0.0))[:, None]
    _, result = tuned(angles, "circular", counts)
    silent = result.curve[:, 0] == 0
    assert silent.any()
    assert (result.low[silent, 0] == 0).all()
    assert ((result.high[silent, 0] > 0) & (result.high[silent, 0] < 1)).all()


# units.nc


def dataset_of(session: xr.Dataset) -> xr.Dataset:
    return units_dataset(session, np.flatnonzero(session["valid"].values), Config())


def test_units_nc_has_the_curves_of_every_label() -> None:
    session = make_session(np.random.default_rng(0), bins=6000)
    dataset = dataset_of(session)
    assert dataset["position_tuning"].dims == ("unit", "position_x", "position_y")
    assert dataset["position_preferred"].dims == ("unit", "position_axis")
    assert dataset["head_direction_tuning"].dims == ("unit", "head_direction_bin")
    assert dataset["choice_tuning"].dims == ("unit", "choice_class")
    assert dataset["choice_class"].values.tolist() == ["left", "right"]
    assert set(dataset["choice_preferred"].values) <= {"left", "right"}
    assert dataset["head_direction_tuning"].attrs["units"] == "Hz"
    assert dataset["head_direction_bin"].attrs["units"] == "rad"
    assert dataset["tuning_information"].dims == dataset["tuning_reliability"].dims == ("label", "unit")
    assert dataset["unit_id"].values.tolist() == session["unit_id"].values.tolist()
    valid = session["valid"].values
    rates = session["activity"].values[valid].mean(axis=0) / WIDTH
    occupancy = dataset["choice_occupancy"]
    assert float(occupancy.sum()) == pytest.approx(valid.sum() * WIDTH)
    weighted = (dataset["choice_tuning"] * occupancy).sum("choice_class") / occupancy.sum()
    np.testing.assert_allclose(weighted, rates, rtol=1e-5)
    assert "choice" in dataset.attrs["tuning_reliability_reason"]
    assert "session" in dataset.attrs
    assert json.loads(dataset.attrs["config"])["encoder"]


def test_three_axes_have_a_curve_each() -> None:
    rng = np.random.default_rng(0)
    session = make_session(rng, bins=6000, labels=["choice"])
    values = rng.uniform(-1, 1, (6000, 3))
    values[~session["valid"].values] = np.nan
    attrs = {"role": "label", "kind": "continuous", "units": "m", "source": "", "reference_frame": ""}
    session["pose"] = (("time", "pose_axis"), values, attrs)
    session["activity"].values[:, 0] = rng.poisson(np.where(np.nan_to_num(values[:, 2]) > 0, 1.0, 0.1))
    dataset = dataset_of(session)
    assert dataset["pose_tuning"].dims == ("unit", "pose_axis", "pose_bin")
    assert dataset["pose_bin_center"].shape == (3, 30)
    curves = dataset["pose_tuning"].values[0]
    assert np.ptp(curves[2]) > 15 > np.ptp(curves[0])
    assert dataset["pose_preferred"].values[0, 2] > 0
    assert dataset["tuning_information"].sel(label="pose").values[0] > 0.2


@pytest.mark.parametrize("kind", ["rates", "calcium"])
def test_bits_a_spike_need_spikes(kind: str) -> None:
    session = make_session(np.random.default_rng(0), bins=6000)
    session["activity"].attrs |= {"kind": kind, "units": "a.u."}
    dataset = dataset_of(session)
    assert dataset["tuning_information"].isnull().all()
    assert dataset.attrs["tuning_information_reason"] == NO_SPIKES
    assert dataset["choice_tuning"].attrs["units"] == "a.u."
    valid = session["valid"].values
    left = session["activity"].values[valid & (session["choice"].values == 0)].mean(axis=0)
    np.testing.assert_allclose(dataset["choice_tuning"].sel(choice_class="left"), left, rtol=1e-5)


def test_reasons_say_why_a_number_is_missing() -> None:
    session = make_session(np.random.default_rng(0), bins=6000)
    session["activity"].values[:, 3] = 0
    session["head_direction"].values[:] = np.linspace(0, 6, 6000)  # every value is visited once
    dataset = dataset_of(session)
    assert dataset["head_direction_tuning"].isnull().all()
    assert dataset.attrs["head_direction_tuning_reason"] == UNVISITED
    assert dataset["head_direction_preferred"].isnull().all()
    assert dataset.attrs["tuning_information_reason"] == SILENT
    assert np.isnan(dataset["tuning_information"].sel(label="choice").values[3])


def test_a_recording_read_in_blocks_has_the_same_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session(np.random.default_rng(0), bins=2000)
    whole = dataset_of(session)
    monkeypatch.setattr(core_activity, "BLOCK", 12 * 70)
    xr.testing.assert_identical(dataset_of(session), whole)
