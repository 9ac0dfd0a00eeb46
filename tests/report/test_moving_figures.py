"""Figures that a script draws hold the numbers of the files, and no peak is lost."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.make_results import make_embedding, make_results, make_session, make_training
from xcebra_nwb.core import activity, netcdf, results
from xcebra_nwb.report import timeline as module
from xcebra_nwb.report.embedding_cloud import cloud
from xcebra_nwb.report.firing import firing
from xcebra_nwb.report.timeline import timeline
from xcebra_nwb.report.unit_map import unit_map
from xcebra_nwb.report.unit_mixed import mixed_selectivity
from xcebra_nwb.report.unit_order import by_similarity


def unpacked(content: dict) -> bytes:
    return zlib.decompress(base64.b64decode(content["packed"]), wbits=-15)


def columns_of(content: dict) -> dict[str, list[np.ndarray]]:
    """The levels of each track, as the script reads them."""
    raw, length = np.frombuffer(unpacked(content), np.uint8), -(-content["bins"] // content["step"])
    parts = [np.cumsum(part, dtype=np.uint8) for part in raw.reshape(-1, length)]
    found, at = {}, 0
    for track in content["tracks"]:
        found[track["name"]] = parts[at : at + track["columns"]]
        at += track["columns"]
    return found


@pytest.fixture(scope="module")
def session() -> xr.Dataset:
    return make_session(np.random.default_rng(0), bins=2000)


def test_a_zoomed_recording_has_every_bin(session: xr.Dataset) -> None:
    training = make_training(session, np.random.default_rng(0), 2, 2)
    content = timeline(session, training, np.zeros(2000), "Hz")
    assert content["step"] == 1
    levels, (about, *_) = columns_of(content), [t for t in content["tracks"] if t["name"].startswith("position")]
    (level,) = levels[about["name"]]
    values = session["position"].values[:, 0]
    assert np.array_equal(level == 0, np.isnan(values))
    shown = about["low"] + (about["high"] - about["low"]) * (level.astype(float) - 1) / 254
    inside = np.clip(values, about["low"], about["high"])
    assert np.nanmax(np.abs(np.where(level > 0, shown, np.nan) - inside)) < (about["high"] - about["low"]) / 500
    (use,) = levels["use of the bins"]
    names = content["tracks"][0]["names"]
    assert {names[code - 1] for code in use[~session["valid"].values]} == {"masked: outside obs_intervals"}
    assert np.array_equal(use == 1 + names.index("held out"), training["split"].values == 1)
    (choice,) = levels["choice"]
    assert np.array_equal(choice.astype(int) - 1, session["choice"].values)


def test_no_peak_is_lost_where_bins_are_put_together(session: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 2000)
    population = np.zeros(2000)
    population[[3, 777, 1501]] = 9.0
    content = timeline(session, make_training(session, np.random.default_rng(0), 2, 2), population, "Hz")
    assert content["step"] > 5
    lowest, highest = columns_of(content)["mean activity of the units"]
    peaks = np.flatnonzero(highest > 200)
    assert set(peaks) == {3 // content["step"], 777 // content["step"], 1501 // content["step"]}
    assert (lowest[peaks] <= 1).all()


def test_points_in_space_are_those_of_the_embedding(session: xr.Dataset, tmp_path: Path) -> None:
    make_results(tmp_path, session=session)
    loaded = results.load(tmp_path)
    made = cloud(loaded, "position", 3)
    assert made is not None
    content, n = made.content, made.points
    raw = np.frombuffer(unpacked(content)[: 2 * n * 9], "<u2").reshape(9, n)  # two members, time, two axes
    split, time = loaded.training["split"].values, session["time"].values
    known = content["axes"][0]
    shown = known["low"] + (known["high"] - known["low"]) * raw[7] / 65535
    bins = np.abs(time[:, None] - (time[0] + (time[-1] - time[0]) * raw[6] / 65535)).argmin(axis=0)
    assert shown == pytest.approx(session["position"].values[bins, 0], abs=1e-3)
    held = np.frombuffer(unpacked(content)[-n:], np.uint8)
    assert np.array_equal(held == 1, split[bins] == 1)
    assert make_embedding(session, np.random.default_rng(0), 1, 1).sizes["time"] >= n


def test_fano_factor_of_poisson_counts_is_one_and_needs_whole_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session(np.random.default_rng(0), bins=12000, units=4, labels=[])
    session["activity"].values[:, 1] *= 2  # spikes in pairs
    whole = firing(session)
    assert whole.fano[0] == pytest.approx(1, abs=0.2)
    assert whole.fano[1] == pytest.approx(2, abs=0.4)
    counts = [run[: len(run) // 20 * 20].reshape(-1, 20).sum(1) for run in _segments(session)]
    expected = np.concatenate(counts)
    assert whole.fano[0] == pytest.approx(expected.var(ddof=1) / expected.mean())
    monkeypatch.setattr(activity, "BLOCK", 4 * 333)  # windows lie across blocks
    assert firing(session).fano == pytest.approx(whole.fano)
    assert firing(session).course == pytest.approx(whole.course)
    assert whole.course.mean(0) == pytest.approx(whole.mean, rel=0.01)


def _segments(session: xr.Dataset) -> list[np.ndarray]:
    segment, spikes = session["segment"].values, session["activity"].values[:, 0]
    return [spikes[segment == number] for number in np.unique(segment[segment >= 0])]


def test_similar_units_stand_beside_each_other_within_their_region() -> None:
    rng = np.random.default_rng(0)
    kind = np.arange(300) % 3
    strengths = np.eye(3)[:, kind] + rng.uniform(0, 0.1, (3, 300))
    regions = [("CA1", "MEC")[unit % 2] for unit in range(300)]
    strengths[:, 7] = np.nan
    placed = by_similarity(regions, strengths, rng.permutation(300).tolist())
    assert sorted(placed) == list(range(300))
    assert [regions[unit] for unit in placed] == ["CA1"] * 150 + ["MEC"] * 150
    kinds = kind[[unit for unit in placed if regions[unit] == "CA1"]]
    assert np.count_nonzero(np.diff(kinds)) == 2
    assert placed[-1] == 7  # nothing is known of it


def test_sets_of_labels_hold_the_units_that_carry_them_and_no_other(session: xr.Dataset, tmp_path: Path) -> None:
    make_results(tmp_path, session=session)
    attribution = netcdf.load_dataset(tmp_path / "attribution.nc")
    for name in ("information", "information_q"):
        attribution[name].loc[{"label": "choice", "unit": "0"}] = attribution[name].sel(label="position")[0]
    mixed = mixed_selectivity(
        {label: unit_map(attribution, label, "supported") for label in attribution["label"].values}
    )
    assert mixed is not None
    assert sorted(unit for each in mixed.sets for unit in each) == sorted(map(str, range(12)))
    assert ["0"] in mixed.sets  # position and choice
    assert mixed.words == "1 of 12 units carries several labels, 11 carry one, 0 carry none."
    assert "position + choice together: 1 unit" in mixed.drawing
