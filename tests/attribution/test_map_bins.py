"""Which bins maps are computed at, and how far their mean may be off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcebra_nwb.attribution.map_bins import AUTO, SamplingError, map_bins, one_of_each_stretch
from xcebra_nwb.core.config.schema import Attribution


@given(usable=st.integers(1, 400), count=st.integers(1, 400), seed=st.integers(0, 9))
def test_every_stretch_of_time_gives_one_bin(usable: int, count: int, seed: int) -> None:
    bins = np.flatnonzero(np.random.default_rng(1).random(3 * usable) < 0.4)[:usable]
    chosen = one_of_each_stretch(bins, count, np.random.default_rng(seed))
    assert len(chosen) == min(len(bins), count) and set(chosen) <= set(bins)
    assert (np.diff(chosen) > 0).all()
    if len(bins) > count:
        places = np.searchsorted(bins, chosen)
        assert (np.diff(places) < 2 * len(bins) / count + 2).all()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, AUTO), ({"bins": "all"}, 10_000), ({"bins": 300}, 300), ({"time_resolved": True}, 10_000)],
)
def test_the_config_says_how_many(settings: dict[str, object], expected: int) -> None:
    bins = np.arange(10_000)
    assert len(map_bins(bins, Attribution.model_validate(settings), np.random.default_rng(0))) == expected


def test_the_error_is_that_of_many_draws() -> None:
    random = np.random.default_rng(0)
    slow = 1 + np.sin(np.arange(8_000) / 900)[:, None] * np.ones(5)
    every = (slow + random.gamma(4.0, 0.25, (8_000, 5))).astype(np.float32)[None]  # (label, bin, unit)
    whole = np.sqrt(np.square(every).mean(axis=1))
    missed, told = [], []
    for seed in range(40):
        chosen = one_of_each_stretch(np.arange(8_000), 400, np.random.default_rng(seed))
        error = SamplingError(400, 8_000)
        for chunk in np.array_split(every[:, chosen], 7, axis=1):
            error.add(chunk)
        drawn = np.sqrt(np.square(every[:, chosen]).mean(axis=1))
        missed.append(np.square(drawn - whole).sum() / np.square(whole).sum())
        told.append(error.relative(1)[0])
    assert np.mean(told) == pytest.approx(np.sqrt(np.mean(missed)), rel=0.2)


def test_maps_of_all_bins_have_no_error() -> None:
    error = SamplingError(10, 10)
    assert error.relative(2).tolist() == [0.0, 0.0]
    error.add(np.ones((2, 10, 3), dtype=np.float32))
    assert error.relative(2).tolist() == [0.0, 0.0]


def test_the_error_of_a_method_without_maps_of_single_bins_is_not_known() -> None:
    assert np.isnan(SamplingError(5, 10).relative(2)).all()
