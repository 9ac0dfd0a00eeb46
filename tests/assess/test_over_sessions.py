"""Comparison over sessions: estimates are what they say, intervals hold the truth, nulls are at their level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from xcebra_nwb.assess.over_sessions import reproducibility as again
from xcebra_nwb.assess.over_sessions.counts import KEYS, SUMS, count_units
from xcebra_nwb.assess.over_sessions.estimates import estimates
from xcebra_nwb.assess.over_sessions.shuffles import shuffled
from xcebra_nwb.benchmark.over_sessions import SCENARIOS, Truth, coverage, false_alarms, simulate


def counts_of(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rows of session, subject, label, region, measure, verdict, units, carriers; every unit's information is 0.2."""
    made = [(*row, 0.2 * row[6], 0.04 * row[6]) for row in rows]
    return pd.DataFrame(made, columns=[*KEYS, *SUMS])


def session(name: str, subject: str, units: int, carriers: int, **changes: str) -> tuple[Any, ...]:
    said = {"label": "position", "region": "CA1", "measure": "bit/spike", "verdict": "supported"} | changes
    return (name, subject, *said.values(), units, carriers)


def only(table: pd.DataFrame) -> dict[str, Any]:
    (row,) = table.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_units_count_once_and_only_where_they_were_tested() -> None:
    rows = [
        (method, unit, q, carries)
        for method in ("inverse", "gradient")
        for unit, q, carries in (("1", 0.01, True), ("2", 0.6, False), ("3", np.nan, False))
    ]
    atlas = pd.DataFrame(rows, columns=["method", "unit", "information_q", "carries"]).assign(
        session="a", subject="s", region="", label="x", information=0.5, information_units="bit/spike", verdict="weak"
    )
    counted = only(count_units(atlas))
    assert (counted["units"], counted["carriers"], counted["information"], counted["square"]) == (2, 1, 1.0, 0.5)


def test_the_share_is_that_of_all_units_whatever_the_verdict() -> None:
    rows = [session("a", "1", 30, 20), session("b", "2", 10, 0, verdict="not encoded")]
    row = only(estimates(counts_of(*rows), "label"))
    assert (row["share"], row["carriers"], row["units"]) == (0.5, 20, 40)
    assert (row["supported"], row["sessions"], row["believed"]) == (1, 2, False)


@pytest.mark.parametrize(
    ("sessions", "over"),
    [
        ([("a", "1"), ("b", "2"), ("c", "3")], "subjects"),
        ([("a", "1"), ("b", "1"), ("c", "2")], "sessions"),
        ([("a", "1"), ("b", "2")], "units"),
    ],
)
def test_an_interval_speaks_of_subjects_only_where_there_are_three(sessions: list[Any], over: str) -> None:
    row = only(estimates(counts_of(*(session(name, subject, 20, 5) for name, subject in sessions)), "label"))
    assert row["over"] == over
    assert 0 < row["share_low"] < 0.25 < row["share_high"] < 1


def test_units_alone_have_the_interval_of_wilson() -> None:
    row = only(estimates(counts_of(session("a", "1", 100, 10)), "label"))
    assert (row["share_low"], row["share_high"]) == pytest.approx((0.0552, 0.1744), abs=1e-4)  # Agresti and Coull 1998


def test_nothing_found_has_an_upper_end() -> None:
    rows = [session(str(number), str(number), 50, 0) for number in range(4)]
    row = only(estimates(counts_of(*rows), "label"))
    assert row["share"] == row["share_low"] == 0
    assert 0.01 < row["share_high"] < 0.1


def test_information_of_two_measures_is_not_averaged() -> None:
    rows = [session("a", "1", 30, 9), session("b", "2", 10, 3, measure="share of variance")]
    counts = counts_of(*rows)
    counts.loc[1, "information"] = 1000.0
    row = only(estimates(counts, "label"))
    assert (row["measure"], row["other_measures"], row["information"]) == ("bit/spike", 1, pytest.approx(0.2))
    assert row["units"] == 40


def test_what_may_be_believed_stands_first() -> None:
    rows = [session(name, name, 50, 40, label="doubted", verdict="weak") for name in "abc"]
    rows += [session(name, name, 50, 10, label="believed", region="CA1") for name in "abc"]
    rows += [session(name, name, 50, 30, label="believed", region="CA3") for name in "abc"]
    found = estimates(counts_of(*rows), "region")
    assert list(zip(found["label"], found["region"], strict=True)) == [
        ("believed", "CA3"), ("believed", "CA1"), ("doubted", "CA1"),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["subjects differ", "no difference"])
def test_intervals_of_95_per_cent_hold_the_truth(name: str) -> None:
    held = coverage(Truth(6, **SCENARIOS[name]), 150, np.random.default_rng(0), bootstrap=False)
    assert held["share"] >= 0.9
    assert held["information"] >= 0.88


def test_shuffles_keep_every_total_and_hit_the_mean() -> None:
    carriers, units = np.array([9.0, 0, 3, 0]), np.array([10.0, 20, 5, 5])
    made = shuffled(carriers, units, np.array([0, 0, 1, 1]), 2000, np.random.default_rng(0))
    assert (made <= units).all()
    assert set(made[:, :2].sum(axis=1)) == {9.0}
    assert made.mean(axis=0) == pytest.approx([3, 6, 1.5, 1.5], abs=0.12)


def test_regions_that_come_back_are_found_and_equal_sessions_do_not_differ() -> None:
    rng = np.random.default_rng(1)
    rows = again.reproducibility(simulate(Truth(8, 0.3, 0, 0, (-1.0, 0.0, 1.0)), rng), rng)
    assert list(rows["between"]) == ["sessions", "subjects"]
    assert (rows["profile"] > 0.6).all()
    assert (rows["profile_p"] <= 0.01).all()
    assert (rows["profile_low"] > 0).all()
    assert (rows["spread_p"] > 0.05).all()


def test_differences_between_subjects_are_found() -> None:
    rng = np.random.default_rng(2)
    found = again.reproducibility(simulate(Truth(30, 0.3, 1.0, 0.0), rng), rng)
    sessions, subjects = found.to_dict("records")
    assert subjects["spread_p"] <= 0.01
    assert subjects["spread"] == pytest.approx(0.18, abs=0.07)
    assert sessions["spread_p"] > 0.05
    assert found["profile"].isna().all()
    assert "no two regions with 5 units each" in sessions["reason"]


def test_one_session_of_each_subject_is_named_as_the_reason() -> None:
    rows = [session(name, name, 40, 10, region=region) for name in "ab" for region in ("CA1", "CA3")]
    found = again.reproducibility(counts_of(*rows), np.random.default_rng(0))
    assert found["spread"].isna().all()
    assert "no subject has two sessions" in found["reason"][0]


@pytest.mark.slow
def test_where_there_is_no_difference_the_nulls_are_at_their_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "DRAWS", 59)
    alarms = false_alarms(Truth(5, 0.3, 0.0, 0.0, (0.0, 0.0, 0.0)), 60, np.random.default_rng(0))
    assert len(alarms) == 4
    assert max(alarms.values()) <= 8 / 60
