"""What a label tells about a unit beyond the other labels: found where it is, not where it is not, for every kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution.information import LEAST_DRAWS, information
from xcebra_nwb.attribution.information_test import LabelTest
from xcebra_nwb.attribution.information_test import test_units as p_of_units
from xcebra_nwb.attribution.null_test import false_discovery_rate
from xcebra_nwb.attribution.observed_activity import grouped, observed_activity
from xcebra_nwb.benchmark.null_population import population
from xcebra_nwb.core.carriers import DRAWS, FIRST_DRAWS, INFORMATION, SOME_DRAWS, carriers, resolution
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.session import ATTRIBUTES, labels
from xcebra_nwb.training.design.split import split_session

WIDTH = 0.05  # s


def told(session: xr.Dataset, seed: int = 0) -> xr.Dataset:
    config = validate({"random_seed": seed})
    return information(session, split_session(session, config), list(labels(session)), config)


def session_of(
    activity: NDArray, by_name: dict[str, tuple[str, NDArray]], kind: str = "spikes", segment: NDArray | None = None
) -> xr.Dataset:
    """Return a session of activity (time, unit) and labels, each a kind and its values."""
    bins, units = activity.shape
    session = xr.Dataset(
        {
            "activity": (("time", "unit"), activity, {"units": "", "kind": kind, "smoothing": 0.0, "standardize": 1}),
            "valid": ("time", np.ones(bins, dtype=bool)),
            "segment": ("time", np.zeros(bins, dtype=np.int64) if segment is None else segment),
        },
        coords={"time": WIDTH * (np.arange(bins) + 0.5), "unit_id": ("unit", np.arange(units).astype(str))},
        attrs=dict.fromkeys(ATTRIBUTES, "") | {"bin_width": WIDTH, "software": json.dumps({})},
    )
    for name, (label_kind, values) in by_name.items():
        dims = ("time",) if values.ndim == 1 else ("time", f"{name}_axis")
        attrs = {"role": "label", "kind": label_kind, "units": "", "source": "", "reference_frame": ""}
        session[name] = (dims, values, attrs | ({"classes": "[]"} if label_kind == "discrete" else {}))
    return session


def walk(rng: np.random.Generator, bins: int, axes: int = 1) -> NDArray[np.float64]:
    """Return a random walk between walls, (time, axis) in [0, 1], that crosses in about 5 s."""
    return np.abs(np.mod(np.cumsum(rng.normal(0, 0.1, (bins, axes)), axis=0), 2) - 1)


def field(place: NDArray, centre: NDArray, rate: float = 0.6) -> NDArray[np.float64]:
    return 0.05 + rate * np.exp(-np.square(place - centre).sum(axis=1) / 0.02)


@pytest.mark.parametrize("scenario", ["effects", "confounded", "slow effects"])
def test_units_are_found_for_the_label_that_they_carry_alone(scenario: str) -> None:
    session = population(scenario, 50, 300.0, np.random.default_rng(3))
    result = told(session)
    found, carries = carriers(result).values, session["carries"].values
    assert found[carries].mean() > 0.95
    assert (found & ~carries).sum() <= 2
    middle, low, high = (result[name].values for name in INFORMATION[:3])
    assert ((low < middle) & (middle < high)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario", [*(pytest.param(s, marks=pytest.mark.thorough) for s in ("nothing", "slow")), "drift"]
)
def test_p_is_what_it_says_where_nothing_is_carried(scenario: str) -> None:
    p = [told(population(scenario, 40, 200.0, np.random.default_rng(n)), n)["information_p"].values for n in range(5)]
    assert np.mean(np.stack(p) <= 0.05) < 0.08
    assert np.mean(np.stack(p)) == pytest.approx(0.5, abs=0.07)


def test_the_same_seed_gives_the_same_bits() -> None:
    session = population("effects", 10, 100.0, np.random.default_rng(1))
    first, again, other = told(session), told(session), told(session, seed=1)
    assert first.identical(again)
    assert np.array_equal(first["information"], other["information"])
    assert not np.array_equal(first["information_p"], other["information_p"])


def test_a_unit_that_needs_two_labels_together_carries_both() -> None:
    rng = np.random.default_rng(5)
    place, context = walk(rng, 12_000), (np.arange(12_000) // 700) % 2
    turned = np.where(context == 1, 1 - place[:, 0], place[:, 0])  # rises in one context, falls in the other
    rate = np.stack([0.1 + 0.4 * turned, np.full(12_000, 0.3)], axis=1)
    session = session_of(rng.poisson(rate), {"place": ("continuous", place), "context": ("discrete", context)})
    result = carriers(told(session)).values
    assert result.tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("kind", ["rates", "calcium"])
def test_rates_and_vectors_are_tested(kind: str) -> None:
    rng = np.random.default_rng(6)
    place = walk(rng, 6000, 2)
    activity = rng.normal(0, 0.2, (6000, 10))
    activity[:, 0] += field(place, np.array([0.3, 0.6]))
    result = told(session_of(activity, {"position": ("continuous", place)}, kind))
    assert carriers(result).values.tolist() == [[True] + 9 * [False]]
    assert 0.1 < float(result["information"][0, 0]) < 0.6  # share of the variance
    assert result["information"].attrs["units"] == "1"


def trials(rng: np.random.Generator, count: int) -> xr.Dataset:
    """Return trials of 20 bins with a class each; one unit follows the class, the other responds to every trial."""
    segment, choice = np.repeat(np.arange(count), 20), np.repeat(rng.permutation(np.arange(count) % 2), 20)
    locked = np.tile(np.linspace(0.1, 0.6, 20), count)
    session = session_of(
        rng.poisson(np.stack([0.2 + 0.3 * choice, locked], axis=1)), {"choice": ("discrete", choice)}, segment=segment
    )
    session["choice_trial"] = ("time", segment)
    return session


def test_classes_of_trials_are_shuffled_by_whole_trials() -> None:
    result = told(trials(np.random.default_rng(7), 60))
    assert carriers(result).values.tolist() == [[True, False]]


def test_too_few_trials_are_said() -> None:
    result = told(trials(np.random.default_rng(8), 7))
    assert result["information_p"].isnull().all()
    assert result["information_q"].isnull().all()
    assert "choice: fewer than" in result.attrs["information_q_reason"]
    assert int(result[DRAWS].max()) < LEAST_DRAWS


def test_a_unit_that_stands_out_alone_is_compared_with_more_shuffled_labels() -> None:
    rng = np.random.default_rng(9)
    place, units = walk(rng, 8000), 60
    rate = np.full((8000, units), 0.2)
    rate[:, 0] = field(place, np.array([0.5]))
    result = told(session_of(rng.poisson(rate), {"place": ("continuous", place)}))
    assert carriers(result).values[0, 0]
    assert result[DRAWS].values[0, 0] > units / 0.05
    assert result[DRAWS].values.min() == SOME_DRAWS


class Noise(LabelTest):
    """Statistics of units that carry nothing, and of the first, which stands out alone."""

    def __init__(self, units: NDArray, rng: np.random.Generator) -> None:
        self.units, self.rng = units, rng

    def only(self, units: NDArray) -> Noise:
        return Noise(self.units[units], self.rng)

    def statistics(self, orders: Iterable[NDArray | None]) -> Iterator[NDArray]:
        for order in orders:
            drawn = self.rng.standard_normal((1, 1, len(self.units)))
            yield np.where((order is None) & (self.units == 0), 9.0, drawn)


def test_units_that_shuffled_labels_beat_are_not_compared_with_more() -> None:
    noise = Noise(np.arange(1, 257), np.random.default_rng(0))
    draws = p_of_units(noise, repeat(np.arange(3)), 256, 1_000).draws
    assert (draws == SOME_DRAWS).mean() > 0.8
    assert (draws > FIRST_DRAWS).mean() < 0.06


@pytest.mark.parametrize("seed", range(4))
def test_a_lone_unit_is_found_though_others_stand_out_by_chance_at_first(seed: int) -> None:
    noise = Noise(np.arange(300), np.random.default_rng(seed))
    p = p_of_units(noise, repeat(np.arange(3)), 300, 300).p_value
    assert false_discovery_rate(p)[0] <= 0.05


@pytest.mark.parametrize(
    ("draws", "units", "said"),
    [
        (10_000, 1_000, "and to no more; a unit that carries the label alone cannot have a q under 0.1"),
        (10_000, 300, ""),
        (99, 20, "as there are no more; a unit that carries the label alone cannot have a q under 0.2"),
    ],
)
def test_what_too_few_shuffled_labels_can_tell_is_said(draws: int, units: int, said: str) -> None:
    p = np.full(units, 0.5)
    p[0] = 1 / (1 + draws)  # stands out alone
    columns = {"information": np.ones(units), "information_p": p, "information_q": np.minimum(p * units, 0.5)}
    attribution = xr.Dataset({name: ("unit", values) for name, values in columns.items()})
    assert resolution(attribution.assign({DRAWS: ("unit", np.full(units, float(draws)))})).endswith(
        f"{draws:,} shuffled labels" + f", {said}" * bool(said)
    )


def test_a_silent_unit_is_not_tested_and_disturbs_no_other() -> None:
    session = population("effects", 10, 100.0, np.random.default_rng(2))
    counts = session["activity"].values.copy()
    counts[:, 4] = 0
    silent = session.assign(activity=(("time", "unit"), counts, session["activity"].attrs))
    result, others = told(silent), [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert result["information"][:, 4].isnull().all()
    assert np.allclose(result["information"][:, others], told(session)["information"][:, others])


def test_a_label_with_a_single_value_is_not_tested() -> None:
    rng = np.random.default_rng(10)
    session = session_of(rng.poisson(0.3, (3000, 3)), {"place": ("continuous", np.full((3000, 1), 0.5))})
    result = told(session)
    assert result["information"].isnull().all()
    assert "single value" in result.attrs["information_reason"]


def test_groups_of_bins_keep_every_spike_and_cross_no_gap() -> None:
    rng = np.random.default_rng(11)
    session = population("nothing", 5, 100.0, rng)
    bins = np.flatnonzero(rng.random(2000) > 0.05)
    segment = np.arange(2000) // 300
    groups = grouped(bins, segment, most=300)
    observed = observed_activity(session, groups)
    assert observed.activity.sum(axis=0).tolist() == session["activity"].values[bins].sum(axis=0).tolist()
    last = groups.bins[groups.first + groups.length - 1]
    assert (last - groups.bins[groups.first] + 1 == groups.length).all()
    assert (segment[last] == segment[groups.bins[groups.first]]).all()


KNOWN = {  # recordings whose units are known, and the fewest that must be found
    "mouse_adn_head_direction_hybrid": 18,
    "rat_ca1_open_field_hybrid": 42,
    "rat_ca1_linear_run_hybrid": 14,
}


@pytest.mark.slow
@pytest.mark.parametrize("recording", list(KNOWN))
def test_recorded_units_are_found_and_their_shifted_copies_are_not(
    recording: str, tmp_path: Path, shared_data: Path
) -> None:
    file = shared_data / f"{recording}.nwb"
    from xcebra_nwb.commands.extract import extract
    from xcebra_nwb.core.session import load

    extract(file, tmp_path, validate({}), recording)
    session = load(tmp_path / "session.nc")
    import h5py

    with h5py.File(file) as h5:
        shift = dict(zip(h5["units/id"][()].astype(str), h5["units/shifted_s"][()], strict=True))
    copies = np.array([shift[str(unit)] > 0 for unit in session["unit_id"].values])
    found = carriers(told(session)).values[0]
    assert found[~copies].sum() >= KNOWN[recording]
    assert found[copies].sum() <= 2
