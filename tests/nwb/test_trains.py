"""Spike trains and indices that cannot be are refused or named, by inspect and by extraction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.support.nwb_builders import add_position, add_units, circling, edited, new, poisson, save
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.reading.trains import cleaned, coarse_step, long_pauses, same_units

INDEX = "/units/spike_times_index"


def trains(units: int = 6, rate: float = 10.0, stop: float = 60.0) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    return [poisson(generator, rate, 0.0, stop) for _ in range(units)]


def session(folder: Path, spikes: Sequence[np.ndarray], obs: Any = None) -> Path:
    """Write units with these spikes beside a minute of positions."""
    nwb = new()
    add_units(nwb, spikes, obs_intervals=obs)
    add_position(nwb, *circling())
    return save(nwb, folder / "session.nwb")


def reindexed(path: Path, ends: np.ndarray) -> Path:
    with edited(path) as h5:
        attributes = dict(h5[INDEX].attrs)
        del h5[INDEX]
        h5.create_dataset(INDEX, data=ends).attrs.update(attributes)
    return path


def taken(path: Path) -> tuple[xr.Dataset, str]:
    dataset = extract_session(path, validate({}), "one")
    return dataset, " | ".join(json.loads(dataset.attrs["choices"]))


def refused(path: Path, words: str, code: Code) -> None:
    """Assert that extraction refuses a file, and that inspect foresees it."""
    with pytest.raises(Refusal, match=words) as caught:
        extract_session(path, validate({}), "one")
    assert caught.value.code is code
    told = inventory(path)
    assert told.refusal is not None and told.refusal.code is code
    assert any(remark.what in caught.value.message for remark in [*told.suspicious, *told.problems]) or (
        told.refusal.reason == caught.value.message
    )


def named(path: Path, words: str) -> xr.Dataset:
    """Assert that extraction and inspect say these words of the units, and return the session."""
    dataset, said = taken(path)
    assert words in said
    assert any(words in remark.what for remark in inventory(path).suspicious if remark.path == "/units")
    return dataset


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda ends: ends.astype(np.uint8),
            r"runs back from \d+ to \d+ at row \d, as its type holds numbers up to 255",
        ),
        (lambda ends: np.r_[0, ends[:-1]], r"begins at 0 and leaves out the last \d+ of \d+ values: starts of rows"),
        (
            lambda ends: np.r_[0, ends[:-1]] + 1,
            r"begins at 1 and leaves out the last \d+ of \d+ values: starts of rows",
        ),
        (lambda ends: ends + 1, r"leads to row \d+ of \d+"),
        (lambda ends: ends[::-1].copy(), r"runs back from"),
        (lambda ends: np.minimum(ends, 255).astype(np.uint8), "ends at 255, the largest number of its type"),
        (lambda ends: np.r_[2.0**32 - 5, ends[1:]], r"leads to row 4294967291 of \d+"),
        (lambda ends: ends - ends[0] - 1, "not all ends of its rows are whole numbers"),
    ],
)
def test_an_index_that_cannot_be_is_refused(tmp_path: Path, change: Any, words: str) -> None:
    spikes = trains()
    ends = np.cumsum([len(train) for train in spikes])
    refused(reindexed(session(tmp_path, spikes), change(ends)), words, Code.UNREADABLE_LAYOUT)


def test_values_that_belong_to_no_row_are_named(tmp_path: Path) -> None:
    spikes = trains()
    ends = np.cumsum([len(train) for train in spikes])
    path = reindexed(session(tmp_path, spikes), np.r_[ends[:-1], ends[-1] - 100])
    dataset = named(path, f"the last 100 of {ends[-1]} spike_times belong to no row by spike_times_index")
    assert dataset["activity"].values[:, -1].sum() < 0.9 * dataset["activity"].values[:, 0].sum()


def test_a_unit_with_nearly_all_spikes_is_named(tmp_path: Path) -> None:
    spikes = trains()
    total = sum(map(len, spikes))
    path = reindexed(session(tmp_path, spikes), np.array([15, 30, total - 45, total - 30, total - 15, total]))
    with edited(path) as h5:
        h5["/units/spike_times"][...] = np.sort(h5["/units/spike_times"][()])
    said = [remark.what for remark in inventory(path).suspicious]
    assert "the unit in row 2 has 98% of all spikes of 6 units: check the index" in said


def test_the_same_unit_twice_is_named_with_a_way_out(tmp_path: Path) -> None:
    spikes = trains()
    spikes[4] = spikes[1].copy()
    spikes[5] = spikes[1][:-8]  # a copy that lost a few spikes
    dataset = named(session(tmp_path, spikes), "units in rows 1 and 4, 4 and 5 have the same spikes")
    assert dataset.sizes["unit"] == 6
    chosen = extract_session(tmp_path / "session.nwb", validate({"neural": {"where": "row not in [4, 5]"}}), "one")
    assert chosen["row"].values.tolist() == [0, 1, 2, 3]


def test_the_same_spike_twice_counts_once(tmp_path: Path) -> None:
    spikes = trains()
    plain, _ = taken(session(tmp_path, spikes))
    doubled = [*spikes[:2], np.repeat(spikes[2], 2), *spikes[3:]]
    dataset = named(session(tmp_path, doubled), f"{len(spikes[2])} spikes of 1 units have the same time as another")
    assert np.array_equal(dataset["activity"], plain["activity"])


def test_spikes_on_a_coarse_grid_all_count(tmp_path: Path) -> None:
    steps = [np.sort(np.random.default_rng(row).integers(0, 1200, 900)) for row in range(3)]
    dataset = named(session(tmp_path, [step * 0.05 for step in steps]), "times are in steps of 0.05 s, so all of them")
    first = round((dataset["time"].values[0] - 0.025) / 0.05)
    wanted = np.stack([np.bincount(step, minlength=1200) for step in steps], axis=1)[first:][: dataset.sizes["time"]]
    assert np.array_equal(dataset["activity"], wanted)


@pytest.mark.parametrize("scale", [30_000, 24_414.0625, 1000])
def test_spikes_in_whole_numbers_are_refused(tmp_path: Path, scale: float) -> None:
    path = session(tmp_path, [np.unique(np.round(train * scale)) for train in trains()])
    refused(path, r"all \d+ spike times are whole numbers: milliseconds or sample numbers", Code.TIMES_NOT_TRUSTED)


def test_spikes_in_milliseconds_are_refused_at_any_ratio(tmp_path: Path) -> None:
    path = session(tmp_path, [train * 1000 for train in trains(rate=10.0, stop=20.0)])  # beside 60 s of positions
    refused(path, "at least 0.5 s apart: milliseconds", Code.TIMES_NOT_TRUSTED)
    path = session(tmp_path, [train * 1000 for train in trains(rate=50.0, stop=3.0)])
    refused(path, "like seconds and milliseconds", Code.TIMES_NOT_TRUSTED)


def test_the_resolution_in_the_file_tells_milliseconds_by_few_spikes(tmp_path: Path) -> None:
    path = session(tmp_path, [np.sort(train) * 1000 for train in trains(rate=9.0, stop=5.0)])
    with edited(path) as h5:
        h5["/units/spike_times"].attrs["resolution"] = 1 / 30_000
    refused(path, "at least 0.5 s apart: milliseconds", Code.TIMES_NOT_TRUSTED)


def test_the_unit_of_spike_times_is_read(tmp_path: Path) -> None:
    plain, _ = taken(session(tmp_path, trains()))
    path = session(tmp_path, [train * 1000 for train in trains()])
    with edited(path) as h5:
        h5["/units/spike_times"].attrs["unit"] = "milliseconds"
    dataset = named(path, "spike_times are in milliseconds by their attribute unit, and were converted to s")
    assert np.array_equal(dataset["activity"], plain["activity"])


def test_zeros_that_fill_up_the_rows_are_left_out(tmp_path: Path) -> None:
    spikes = [train + 2 for train in trains(stop=58.0)]
    plain, _ = taken(session(tmp_path, spikes))
    dataset = named(session(tmp_path, [np.r_[train, np.zeros(7)] for train in spikes]), "42 spike times of 0 or -1")
    assert np.array_equal(dataset["activity"], plain["activity"])


def test_spikes_outside_of_all_observation_are_refused_and_some_are_named(tmp_path: Path) -> None:
    path = session(tmp_path, trains(), obs=[[[1000.0, 59_000.0]]] * 6)
    refused(path, r"none of \d+ spikes lies inside the obs_intervals", Code.TIMES_NOT_TRUSTED)
    path = session(tmp_path, trains(), obs=[[[0.0, 40.0]]] * 5 + [np.empty((0, 2))])
    named(path, "spikes lie outside the obs_intervals of their units")
    assert "units in rows 5 have no obs_intervals, other units have" in taken(path)[1]


def test_spikes_in_float32_that_is_too_coarse_are_named() -> None:
    late = [(train + 5e5).astype(np.float32).astype(float) for train in trains()]
    kept, notes = cleaned(late)
    assert [len(train) for train in kept] == [len(train) for train in late]
    assert any("float32, which holds them only in steps of 0.0312 s" in note for note in notes)


def test_ordinary_trains_are_not_spoken_of() -> None:
    spikes = trains(20)
    kept, notes = cleaned(spikes)
    assert notes == () and all(map(np.array_equal, kept, spikes))
    assert not long_pauses(spikes)
    assert same_units(spikes) == []
    assert coarse_step(np.unique(np.round(spikes[0], 3))) == 0.001


def test_rare_events_of_slow_imaging_are_no_milliseconds() -> None:
    frames = np.arange(2000) * 1.2
    generator = np.random.default_rng(0)
    events = [np.sort(generator.choice(frames, 120, replace=False)) for _ in range(20)]
    assert not long_pauses(events)
    assert cleaned(events)[1] == ()
