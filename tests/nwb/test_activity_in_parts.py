"""Activity brought to bins part by part is the whole at once to the bit, and takes the memory of a part."""

import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.make_results import make_session
from xcebra_nwb.core import session
from xcebra_nwb.nwb.bins import grid as grids
from xcebra_nwb.nwb.bins import resample
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.neural.activity import Activity, on_demand
from xcebra_nwb.nwb.neural.sampled import Sampled
from xcebra_nwb.nwb.reading.series import Samples

SOME = settings(max_examples=60, deadline=None)
indices = st.integers(-7, 6) | st.builds(slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9))
steps = st.builds(slice, st.integers(0, 3), st.integers(0, 9), st.sampled_from([1, 2, 3]))


@SOME
@given(
    times=st.lists(st.floats(-1, 30), max_size=60).map(np.sort),
    start=st.floats(0, 5),
    width=st.floats(0.01, 3),
    cuts=st.sets(st.integers(1, 59), max_size=5),
)
def test_a_part_of_a_grid_counts_like_the_whole(times: np.ndarray, start: float, width: float, cuts: set[int]) -> None:
    grid, ends = Grid(start, width, 60), [0, *sorted(cuts), 60]
    parts = [grid.part(slice(*pair)) for pair in pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate([part.centres for part in parts]), grid.centres)
    assert np.concatenate([part.count_events(times) for part in parts]).tolist() == grid.count_events(times).tolist()
    assert grid.most_events(times) == max(grid.count_events(times))
    intervals = np.array([[start + 2 * width, start + 31.5 * width]])
    for measure in ("whole", "touched"):
        inside = [part.tally(*getattr(part, measure)(intervals)) for part in parts]
        assert np.concatenate(inside).tolist() == grid.tally(*getattr(grid, measure)(intervals)).tolist()


@pytest.mark.parametrize("most", [0, 1e9])
@pytest.mark.parametrize("lost", [0.0, 0.2])
def test_samples_by_parts_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: float, most: float
) -> None:
    rng = np.random.default_rng(0)
    times = np.sort(np.r_[rng.uniform(0, 20, 300), rng.uniform(31, 50, 200)])  # 11 s without any
    values = rng.normal(size=(500, 6))
    values[rng.random(values.shape) < lost] = np.nan
    grid, sources = Grid(0.0, 0.05, 1000), [Samples(times, values[:, :2]), Samples(times + 0.013, values[:, 2:])]
    monkeypatch.setattr(grids, "VALUES", 6 * 7)
    found = Sampled.of(sources, grid, 0.4, tmp_path, most)
    assert isinstance(found.values, np.memmap) == (most == 0)
    whole = np.concatenate([resample.continuous(one, grid, 0.4) for one in sources], axis=1).astype(np.float32)
    np.testing.assert_array_equal(found.values, whole)
    usable, kept = rng.random(1000) < 0.7, np.array([True, False, True, True, True, False])
    known = np.isfinite(whole[usable])
    np.testing.assert_allclose(found.coverage(usable), known.sum(axis=0) / known.any(axis=1).sum())
    np.testing.assert_array_equal(found.missing(), ~np.isfinite(whole).all(axis=1))
    few, both = found.keep(kept), usable & np.isfinite(whole).all(axis=1)
    np.testing.assert_array_equal(few.rows(slice(100, 300)), whole[100:300, kept])
    np.testing.assert_allclose(few.means(both), whole[both][:, kept].mean(axis=0), rtol=1e-4)
    assert few.varying(both).all()
    assert not few.varying(np.zeros(1000, dtype=bool)).any()


@SOME
@given(rows=indices | steps, columns=indices | steps)
def test_what_is_made_on_demand_is_indexed_like_an_array(rows: int | slice, columns: int | slice) -> None:
    whole = np.arange(7 * 7, dtype=np.uint8).reshape(7, 7)
    made = on_demand(("time", "unit"), (7, 7), whole.dtype, lambda some: whole[some])
    np.testing.assert_array_equal(made[rows, columns].values, whole[rows, columns])
    np.testing.assert_array_equal(made[[5, 1, 2], columns].values, whole[[5, 1, 2]][:, columns])
    assert made.dtype == np.uint8


def recording(bins: int, units: int) -> tuple[xr.Dataset, Activity]:
    """A session whose counts are made on demand."""
    rng = np.random.default_rng(0)
    spikes = [np.sort(rng.uniform(0, bins * 0.01, bins // 50)) for _ in range(units)]
    activity = Activity(
        Grid(0.0, 0.01, bins), pd.DataFrame({"unit_id": range(units)}), "spikes", "count", None, spikes=spikes
    )
    made = make_session(rng, bins=bins, units=units)
    attrs = made["activity"].attrs
    made["activity"] = activity.matrix()
    made["activity"].attrs.update(attrs)
    return made, activity


@pytest.mark.slow
def test_counts_go_to_the_file_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, activity = recording(bins=60_000, units=200)
    assert made["activity"].dtype == np.uint8
    monkeypatch.setattr("xcebra_nwb.core.activity.BLOCK", 2**18)
    tracemalloc.start()
    session.save(made, tmp_path / "session.nc")
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < made["activity"].nbytes / 2
    opened = session.load(tmp_path / "session.nc")
    np.testing.assert_array_equal(opened["activity"], activity.matrix())
    assert opened["activity"].attrs == made["activity"].attrs
