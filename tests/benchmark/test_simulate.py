"""Simulated recordings: tuned as they claim, the same for the same seed, and valid NWB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nwbinspector import Importance, inspect_nwbfile
from pynwb import NWBHDF5IO

from xcebra_nwb.benchmark.simulate.population import coherent_noise, poisson_spikes, ratinabox_rates
from xcebra_nwb.benchmark.simulate.trajectory import FRAME, contained, walk, walking_agent
from xcebra_nwb.commands.simulate import simulate
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.ground_truth import CARRIERS

DURATION = 200.0
CELLS = 3
NAME = "sub-simulated1_ses-1.nwb"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("simulated") / NAME, seed=1, duration=DURATION, cells=CELLS)


def contents(path: Path) -> dict[str, np.ndarray | list[np.ndarray]]:
    """Everything a test compares, in memory."""
    with NWBHDF5IO(path, "r") as io:
        file = io.read()
        behavior = file.processing["behavior"]
        return {
            "spike_times": [file.units["spike_times"][row] for row in range(len(file.units))],
            "cell_type": np.asarray(file.units["cell_type"][:]),
            "location": np.asarray(file.units["location"][:]),
            "obs_intervals": np.asarray(file.units["obs_intervals"][0]),
            "position": behavior["Position"]["position"].data[:],
            "head_direction": behavior["CompassDirection"]["head_direction"].data[:],
            "speed": behavior["BehavioralTimeSeries"]["speed"].data[:],
        }


def information(spike_times: np.ndarray, variable: np.ndarray, bins: int) -> float:
    """Skaggs' information of a unit about a variable ``(time, axis)``, bits per spike."""
    counts, _ = np.histogram(spike_times, np.arange(len(variable) + 1) * FRAME)
    occupancy, _ = np.histogramdd(variable, bins)
    spikes, _ = np.histogramdd(variable, bins, weights=counts)
    share, seen = occupancy / occupancy.sum(), spikes > 0
    relative_rate = spikes[seen] / spikes.sum() / share[seen]
    return float((share[seen] * relative_rate * np.log2(relative_rate)).sum())


def test_the_file_reads_as_ordinary_nwb(recording: Path) -> None:
    with NWBHDF5IO(recording, "r") as io:
        file = io.read()
        assert (file.subject.subject_id, file.session_id) == ("simulated1", "1")
        behavior = file.processing["behavior"]
        series = {
            "position": behavior["Position"]["position"],
            "head_direction": behavior["CompassDirection"]["head_direction"],
            "speed": behavior["BehavioralTimeSeries"]["speed"],
        }
        assert {name: one.unit for name, one in series.items()} == {
            "position": "meters",
            "head_direction": "radians",
            "speed": "m/s",
        }
        assert {one.data.shape[0] for one in series.values()} == {round(DURATION / FRAME)}
        assert {(one.rate, one.starting_time) for one in series.values()} == {(1 / FRAME, FRAME / 2)}


def test_what_is_written_is_possible(recording: Path) -> None:
    content = contents(recording)
    np.testing.assert_allclose(content["obs_intervals"], [[0, DURATION]])
    assert all(
        (np.diff(times) >= 0).all() and times[0] >= 0 and times[-1] <= DURATION for times in content["spike_times"]
    )
    assert content["position"].min() >= 0 and content["position"].max() <= 1
    assert content["head_direction"].min() >= 0 and content["head_direction"].max() < 2 * np.pi
    assert 0.05 < content["speed"].mean() < 0.2 and content["speed"].max() < 1
    rates = np.array([len(times) for times in content["spike_times"]]) / DURATION
    assert rates.min() > 0.1 and rates.max() < 25


def test_every_type_is_there_and_the_order_tells_nothing(recording: Path) -> None:
    content = contents(recording)
    types, counts = np.unique(content["cell_type"], return_counts=True)
    assert types.tolist() == ["grid", "head_direction", "place", "speed"] and (counts == CELLS).all()
    assert (np.diff(np.searchsorted(types, content["cell_type"])) < 0).any()
    assert ((content["location"] == "CA1") == (content["cell_type"] == "place")).all()


@pytest.mark.parametrize(
    ("variable", "bins", "tuned"),
    [("position", 8, "place"), ("head_direction", 12, "head_direction"), ("speed", 8, "speed")],
)
def test_units_inform_about_what_they_are_tuned_to(recording: Path, variable: str, bins: int, tuned: str) -> None:
    content = contents(recording)
    values = content[variable].reshape(len(content[variable]), -1)
    bits = np.array([information(times, values, bins) for times in content["spike_times"]])
    other = {"place": "head_direction", "head_direction": "speed", "speed": "head_direction"}[tuned]
    assert bits[content["cell_type"] == tuned].min() > 2 * bits[content["cell_type"] == other].max()


@pytest.mark.slow
def test_the_seed_fixes_spikes_and_positions(recording: Path, tmp_path: Path) -> None:
    first = contents(recording)
    again = contents(simulate(tmp_path / NAME, seed=1, duration=DURATION, cells=CELLS))
    other = contents(simulate(tmp_path / "sub-simulated2_ses-1.nwb", seed=2, duration=DURATION, cells=CELLS))
    for name in ("position", "head_direction", "speed", "cell_type"):
        np.testing.assert_array_equal(first[name], again[name])
    for one, two in zip(first["spike_times"], again["spike_times"], strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.allclose(first["position"], other["position"])
    assert [len(times) for times in first["spike_times"]] != [len(times) for times in other["spike_times"]]


@pytest.mark.slow
def test_a_tenth_of_the_rates_gives_a_tenth_of_the_spikes_on_the_same_walk(recording: Path, tmp_path: Path) -> None:
    usual = contents(recording)
    few = contents(simulate(tmp_path / NAME, seed=1, duration=DURATION, cells=CELLS, rates=0.1))
    np.testing.assert_array_equal(few["position"], usual["position"])
    spikes, fewer = (sum(len(times) for times in c["spike_times"]) for c in (usual, few))
    assert fewer == pytest.approx(0.1 * spikes, abs=5 * np.sqrt(0.1 * spikes))


def test_mixed_units_inform_about_both_of_their_labels_and_not_about_the_third(tmp_path: Path) -> None:
    content = contents(simulate(tmp_path / NAME, seed=1, duration=DURATION, cells=CELLS, mixed=True))
    bins = {"position": 8, "head_direction": 12, "speed": 8}
    for label, kinds in CARRIERS.items():
        values = content[label].reshape(len(content[label]), -1)
        bits = np.array([information(times, values, bins[label]) for times in content["spike_times"]])
        tuned = np.isin(content["cell_type"], kinds)
        assert tuned.sum() == 2 * CELLS
        assert np.median(bits[tuned]) > 1.5 * bits[~tuned].max()


def test_rate_noise_has_the_size_and_the_memory_asked_for() -> None:
    noise = coherent_noise((20_000, 3), coherence=5.0, generator=np.random.default_rng(0))
    assert noise.std(axis=0) == pytest.approx(1.0, rel=0.1)
    memory = (noise[5:] * noise[:-5]).mean(axis=0)
    assert memory == pytest.approx(np.exp(-1), abs=0.08)


def test_rates_come_with_the_position_they_were_fired_at() -> None:
    rates = ratinabox_rates(60.0, 0.1, CELLS, noise=0.0, seed=1)
    assert rates.activity.shape == (600, 4 * CELLS)
    place = np.flatnonzero(np.array(rates.cell_type) == "place")
    peaks = rates.position[rates.activity[:, place].argmax(axis=0)]  # where each place cell fires most
    for unit, peak in zip(place, peaks, strict=True):
        near = np.linalg.norm(rates.position - peak, axis=1) < 0.05
        assert rates.activity[near, unit].mean() > 2 * rates.activity[:, unit].mean()


def test_nothing_is_printed_and_the_global_state_is_left_alone(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    before = np.random.get_state()  # noqa: NPY002 - the subject of the test
    simulate(tmp_path / NAME, seed=1, duration=5, cells=1)
    after = np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0] and (before[1] == after[1]).all() and before[2:] == after[2:]
    assert capfd.readouterr() == ("", "")


def test_the_global_state_is_put_back_after_an_error() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with pytest.raises(ZeroDivisionError), contained(np.random.default_rng(0)):
        np.random.normal()  # noqa: NPY002
        raise ZeroDivisionError
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_long_walk_turns_round_instead_of_leaping() -> None:
    generator = np.random.default_rng(3)
    with contained(generator):
        trajectory = walk(walking_agent(), 1300.0, generator)  # the recording lasts 600 s
    assert np.linalg.norm(np.diff(trajectory.position, axis=0), axis=1).max() < 0.02


def test_spikes_follow_the_rate() -> None:
    rate = np.r_[np.zeros(5000), np.full(5000, 40.0)][None]  # silent for 100 s, then 40 Hz for 100 s
    (times,) = poisson_spikes(rate, np.random.default_rng(0))
    assert times.min() >= 100 and abs(len(times) - 4000) < 4 * np.sqrt(4000)


@pytest.mark.slow
def test_nwbinspector_has_nothing_to_say(recording: Path) -> None:
    findings = list(inspect_nwbfile(nwbfile_path=recording, importance_threshold=Importance.BEST_PRACTICE_SUGGESTION))
    assert findings == []


@pytest.mark.parametrize("name", ["rat.nwb", "sub-a_ses-1.h5", "sub-a b_ses-1.nwb"])
def test_a_name_without_subject_and_session_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="sub-<subject>_ses-<session>"):
        simulate(tmp_path / name, seed=1)


@pytest.mark.parametrize("wrong", [{"duration": 0.5}, {"cells": 0}, {"seed": -1}, {"rates": 0.0}])
def test_nothing_to_simulate_is_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="nothing to simulate"):
        simulate(tmp_path / NAME, **{"seed": 1, **wrong})
    assert not list(tmp_path.iterdir())
