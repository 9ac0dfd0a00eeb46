"""Activity around events is that of the recording: in time, by group, with an interval that covers the truth."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.make_results import make_session
from xcebra_nwb.attribution.peri_event import MOST_GROUPS, around_events, event_rate, label_events

WIDTH = 0.05


def recording(**more: np.ndarray) -> xr.Dataset:
    """120 trials of 2.5 s, left and right in turn, at 10 Hz."""
    session = make_session(np.random.default_rng(0), bins=6000, units=3, labels=["choice"])
    return session.assign({name: ("time", values) for name, values in more.items()})


def test_a_response_is_found_at_its_lag_and_in_its_group() -> None:
    session = recording()
    starts = np.arange(0, 6000, 50)
    rng = np.random.default_rng(1)
    for start in starts[1::2]:  # the second class, from 0.5 to 1 s after the start
        session["activity"].values[start + 10 : start + 20, 1] += rng.poisson(2, 10).astype(np.float32)
    (events,) = label_events(session).values()
    assert events.names == ["left", "right"] and events.by_trial
    rate, lags = event_rate(session, events), events.centers(WIDTH)
    inside = (lags > 0.5) & (lags < 1)
    assert rate.mean[1, inside, 1].mean() == pytest.approx(10 + 40, abs=3)
    assert rate.mean[0, inside, 1].mean() == pytest.approx(10, abs=2)
    assert rate.mean[1, lags < 0.4, 1].mean() == pytest.approx(10, abs=2)


def test_nine_of_ten_intervals_hold_the_true_rate() -> None:
    session = recording()
    (events,) = label_events(session).values()
    rate = event_rate(session, events)
    assert np.mean((rate.low < 10) & (rate.high > 10)) == pytest.approx(0.95, abs=0.05)


def test_bins_that_were_not_observed_do_not_enter() -> None:
    observed = np.ones(6000, dtype=bool)
    observed[900:1000] = False
    session = recording(observed=observed)
    session["activity"].values[900:1000] = 1000
    (events,) = label_events(session).values()
    assert np.nanmax(event_rate(session, events).high) < 30
    hidden = np.searchsorted(events.bins, 950)
    (_, rates), *_ = around_events(session, events, np.array([hidden]))
    assert np.isnan(rates[: np.searchsorted(events.centers(WIDTH), 2.4)]).all()


def test_a_trial_counts_once_and_only_if_some_bin_is_in_use() -> None:
    session = recording()
    valid = session["valid"].values
    valid[110:120], valid[200:250] = False, False  # a gap in the third trial; the whole fifth
    session["segment"].values[~valid] = -1
    (events,) = label_events(session).values()
    assert len(events.bins) == 119  # of 120 trials
    assert 100 in events.bins and 120 not in events.bins and 200 not in events.bins


def test_a_label_without_trials_has_events_where_a_class_follows_another() -> None:
    session = recording().drop_vars("choice_trial")
    (events,) = label_events(session).values()
    assert not events.by_trial
    assert set(events.bins % 50) == {0}
    assert 0 not in events.bins and 3000 not in events.bins  # seen from within only


def test_values_of_a_continuous_label_are_put_in_groups() -> None:
    session = recording()
    trial = session["choice_trial"].values
    attrs = {"role": "label", "kind": "continuous", "units": "%", "source": "", "reference_frame": ""}
    session["contrast"] = ("time", np.where(trial >= 0, trial % 60, np.nan), attrs)
    session["contrast_trial"] = ("time", trial)
    events = label_events(session)["contrast"]
    assert len(events.names) == 3 and events.names[1].endswith(" %")
    values = [trial[events.bins][events.group == each] % 60 for each in range(3)]
    assert values[0].max() < values[1].min() and values[1].max() < values[2].min()
    session["contrast"].values[:] = np.where(trial >= 0, trial % 3, np.nan)
    assert label_events(session)["contrast"].names == ["0 %", "1 %", "2 %"]


def test_rare_groups_are_left_out() -> None:
    session = recording()
    trial = session["choice_trial"].values
    session["choice"].values[:] = np.where(trial == 7, 2, trial % 2)
    session["choice"].attrs["classes"] = '["left", "right", "rare"]'
    assert label_events(session)["choice"].names == ["left", "right"]
    session["choice"].values[:] = trial % 8
    session["choice"].attrs["classes"] = str([f"c{n}" for n in range(8)]).replace("'", '"')
    assert len(label_events(session)["choice"].names) == MOST_GROUPS
