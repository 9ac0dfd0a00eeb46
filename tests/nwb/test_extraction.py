"""Extraction end to end on tiny files: the session dataset and what keeps bins and units out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.support import nwb_builders as build
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config.schema import EXTRACTION, Config, Encoder, Training, validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.files import read_json, sha256
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.extraction.assemble import automatic_smoothing
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.training.design.split import trainable_split

TIMES, POSITION = build.circling()


def run(path: Path, **sections: Any) -> xr.Dataset:
    sections.setdefault("neural", {"min_spikes": 0})
    dataset = extract_session(path, validate(sections), "one")
    contract.check(dataset)
    return dataset


def masks(dataset: xr.Dataset) -> dict[str, int]:
    return json.loads(dataset.attrs["masks"])


def choices(dataset: xr.Dataset) -> str:
    return " | ".join(json.loads(dataset.attrs["choices"]))


def at(dataset: xr.Dataset, bins: np.ndarray) -> list[float]:
    return np.round(dataset["time"].values[bins], 3).tolist()


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Four steady units and a position for a minute."""
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES, POSITION)
    return build.save(nwb, tmp_path / "plain.nwb")


@pytest.mark.slow
def test_the_whole_contract_on_an_ordinary_file(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "tiny.nwb", seconds=60)
    files = extract(path, tmp_path / "results" / "one", validate({}), "one")
    assert [file.name for file in files] == ["session.nc", "inventory.json", "sizes.json"]
    dataset = contract.load(files[0])
    assert dict(dataset.sizes) == {"time": 1199, "unit": 6, "position_axis": 2}
    assert list(contract.labels(dataset)) == ["position", "head_direction", "speed"]
    assert dataset["activity"].attrs == {"units": "count", "kind": "spikes", "smoothing": 0.1, "standardize": 1}
    assert dataset.attrs["subject"] == "rat0" and dataset.attrs["species"] == "Rattus norvegicus"
    assert dataset.attrs["nwb_identifier"] == "tiny" and dataset.attrs["bin_width"] == 0.05
    assert dataset.attrs["sha256"] == sha256(path) and dataset.attrs["neural_source"] == "/units"
    assert set(dataset["region"].values) == {"CA1"}
    assert read_json(files[1])["refusal"] is None


def test_counts_are_those_of_the_spikes(plain: Path) -> None:
    dataset = run(plain)
    edges = float(dataset["time"][0]) - 0.025 + 0.05 * np.arange(dataset.sizes["time"] + 1)
    for unit, spikes in enumerate(build.steady_spikes()):
        expected = np.histogram(spikes[spikes < edges[-1]], edges)[0]
        assert np.array_equal(dataset["activity"].values[:, unit], expected)
    counted = dataset["activity"].values[dataset["valid"].values].sum(axis=0)
    assert np.array_equal(dataset["n_spikes"], counted)


def test_the_order_of_units_changes_nothing_but_the_order(tmp_path: Path, plain: Path) -> None:
    order = [2, 0, 3, 1]
    nwb = build.new()
    build.add_units(nwb, [build.steady_spikes()[unit] for unit in order])
    build.add_position(nwb, TIMES, POSITION)
    first, second = run(plain), run(build.save(nwb, tmp_path / "permuted.nwb"))
    assert np.array_equal(first["activity"].values[:, order], second["activity"].values)
    assert first["valid"].equals(second["valid"]) and first["position"].equals(second["position"])


def test_shifting_all_times_shifts_only_time(tmp_path: Path, plain: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, [spikes + 1024 for spikes in build.steady_spikes()])
    build.add_position(nwb, TIMES + 1024, POSITION)
    first, second = run(plain), run(build.save(nwb, tmp_path / "later.nwb"))
    assert np.allclose(second["time"].values - 1024, first["time"].values, rtol=0, atol=1e-9)
    for name in ("activity", "position", "valid", "segment"):
        np.testing.assert_allclose(first[name].values, second[name].values, atol=1e-9)


def test_unobserved_bins_are_masked_not_silent(tmp_path: Path) -> None:
    nwb = build.new()
    observed = [[[0, 20], [30, 60]]] * 3 + [[[0, 50]], [[0, 1]]]
    build.add_units(nwb, build.steady_spikes(5), obs_intervals=observed)
    build.add_position(nwb, TIMES, POSITION)
    dataset = run(build.save(nwb, tmp_path / "observed.nwb"))
    time, valid = dataset["time"].values, dataset["valid"].values
    assert np.array_equal(valid, (time < 20) | ((time > 30) & (time < 50)))
    assert dataset["segment"].values.max() == 1
    assert masks(dataset) == {"not observed (obs_intervals)": int(np.sum(~valid))}
    assert list(dataset["unit_id"].values) == ["0", "1", "2", "3"]
    assert "1 units left out (observed for less than 50% of the time): 4" in choices(dataset)


def test_invalid_times_gaps_and_missing_labels(tmp_path: Path) -> None:
    values = POSITION.copy()
    values[(TIMES >= 40) & (TIMES < 45)] = np.nan
    keep = (TIMES < 20) | (TIMES >= 22)
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES[keep], values[keep])
    build.add_intervals(nwb, "invalid_times", [[10, 11]])
    dataset = run(build.save(nwb, tmp_path / "gaps.nwb"), time={"bin_width": 0.1})
    lost = at(dataset, ~dataset["valid"].values)
    assert all(9.9 <= t <= 11.1 or 19.9 <= t <= 22.1 or 39.9 <= t <= 45.1 for t in lost)
    assert masks(dataset)["inside invalid_times"] in (10, 11)
    assert masks(dataset)["position missing"] in range(67, 73)
    assert dataset["segment"].values.max() == 3


def test_short_gaps_are_bridged(tmp_path: Path) -> None:
    keep = (TIMES < 20) | (TIMES >= 20.4)
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES[keep], POSITION[keep])
    path = build.save(nwb, tmp_path / "bridged.nwb")
    assert run(path)["valid"].values.all()
    assert not run(path, time={"max_gap": 0.3})["valid"].values.all()


@pytest.mark.slow
def test_within_a_range_or_a_query(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES, POSITION)
    build.add_intervals(nwb, "epochs", [[0, 10], [10, 20], [30, 40]], label=["run", "rest", "run"])
    path = build.save(nwb, tmp_path / "epochs.nwb")
    ranged = run(path, time={"within": [5, 15]})
    assert ranged["time"].values[[0, -1]] == pytest.approx([5.025, 14.975])
    queried = run(path, time={"within": "/intervals/epochs: label == 'run'"})
    time, valid = queried["time"].values, queried["valid"].values
    inside = ((time > 0) & (time < 10)) | ((time > 30) & (time < 40))
    assert np.array_equal(valid, inside & (np.abs(time - 10) > 0.05) & (np.abs(time - 30) > 0.05) | valid)
    assert time[valid].max() < 40 and not valid[(time > 10) & (time < 30)].any()
    for within, message in {
        "/intervals/epochs: lable == 'run'": "columns: .*label",
        "/intervals/epoch: label == 'run'": "no /intervals/epoch in the file .candidates: /intervals/epochs",
        "/intervals/epochs: label == 'sleep'": "no row of /intervals/epochs where",
        "epochs": "cannot read",
    }.items():
        with pytest.raises(UsageError, match=message):
            run(path, time={"within": within})
    with pytest.raises(UsageError, match="is empty"):
        run(path, time={"within": [15, 5]})
    with pytest.raises(Refusal, match=r"no common time: .* time.within 100 to 200 s"):
        run(path, time={"within": [100, 200]})


def test_trials_break_segments(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES, POSITION)
    build.add_intervals(nwb, "trials", [[10, 20], [20, 30], [35, 36]])
    dataset = run(build.save(nwb, tmp_path / "trials.nwb"))
    assert dataset["valid"].values.all()
    segment, time = dataset["segment"].values, dataset["time"].values
    assert np.allclose(time[1:][np.diff(segment) > 0], [10, 20, 30, 35, 36], atol=0.05)
    assert segment.max() == 5


def test_labels_from_trials(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    rows = np.stack([np.arange(20) * 3.0, np.arange(20) * 3.0 + 2], axis=1)
    build.add_intervals(nwb, "trials", rows, choice=["left", "right"] * 10)
    dataset = run(build.save(nwb, tmp_path / "trials.nwb"))
    choice, valid = dataset["choice"], dataset["valid"].values
    assert choice.attrs["kind"] == "discrete" and json.loads(choice.attrs["classes"]) == ["left", "right"]
    assert set(np.unique(choice.values[valid])) == {0, 1} and set(choice.values[~valid]) == {-1}
    assert dataset["segment"].values.max() == 19


def test_units_are_chosen_by_spikes_and_by_a_query(tmp_path: Path) -> None:
    nwb = build.new()
    spikes = [*build.steady_spikes(4), np.array([1.0, 2.0]), np.array([90.0, 91.0, 92.0])]
    build.add_units(nwb, spikes, quality=["good", "bad", "good", "good", "good", "good"])
    build.add_position(nwb, TIMES, POSITION)
    path = build.save(nwb, tmp_path / "units.nwb")
    dataset = run(path, neural={"min_spikes": 2})
    assert list(dataset["row"].values) == [0, 1, 2, 3, 4]
    assert "1 units left out (fewer than 2 spikes in the valid bins): 5" in choices(dataset)
    query = "quality == 'good' and n_spikes > 10 and rate < 100"
    dataset = run(path, neural={"where": query, "min_spikes": 0})
    assert list(dataset["row"].values) == [0, 2, 3]
    assert f"3 units left out (not {query}): 1, 4, 5" in choices(dataset)
    with pytest.raises(UsageError, match=r"neural.where: 'qualty == 1' at character 1: .*columns: quality, unit_id"):
        run(path, neural={"where": "qualty == 1"})
    with pytest.raises(Refusal, match="0 of 6 units left, at least 2 are needed"):
        run(path, neural={"min_spikes": 100_000})


def test_a_single_unit_is_refused_by_what_the_file_holds(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, [TIMES])
    build.add_position(nwb, TIMES, POSITION)
    with pytest.raises(Refusal, match=r"^units in the neural data: 1; at least 2 are needed \(name other neural data"):
        run(build.save(nwb, tmp_path / "one.nwb"))


def test_rates_sit_in_their_bins(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    times = np.r_[0.05 + 0.1 * np.arange(100), 20.05 + 0.1 * np.arange(100)]
    rates = rng.gamma(2.0, 5.0, (200, 5))
    rates[:, 3] = 4.0
    nwb = build.new()
    build.add_rates(nwb, times, rates)
    build.add_position(nwb, times, rng.normal(size=(200, 2)))
    path = build.save(nwb, tmp_path / "rates.nwb")
    dataset = run(path)
    valid = dataset["valid"].values
    assert dataset.attrs["bin_width"] == 0.1 and valid.sum() == 200
    assert np.allclose(dataset["time"].values[valid], times)
    assert np.allclose(dataset["activity"].values[valid], rates[:, [0, 1, 2, 4]].astype(np.float32))
    assert dataset["segment"].values.max() == 1
    assert set(dataset["n_spikes"].values) == {-1} and dataset["activity"].attrs["smoothing"] == 0
    assert "1 units left out (constant in the valid bins): 3" in choices(dataset)
    with pytest.raises(UsageError, match=r"0.05 s is shorter than the sample period of the neural data, 0.1 s"):
        run(path, time={"bin_width": 0.05})
    assert run(path, time={"bin_width": 0.5})["valid"].values.sum() == 40


def test_several_sources_stand_side_by_side(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    for name in ("first", "second"):
        build.add_rates(nwb, TIMES, rng.gamma(2.0, 5.0, (len(TIMES), 4)), name=name)
    build.add_position(nwb, TIMES, POSITION)
    path = build.save(nwb, tmp_path / "two.nwb")
    both = ["/processing/ecephys/first", "/processing/ecephys/second"]
    dataset = run(path, neural={"source": both})
    assert dataset.sizes["unit"] == 8
    assert list(dataset["unit_id"].values[[0, 4]]) == ["first#0", "second#0"]
    with pytest.raises(UsageError, match=r"cannot mix /units .spikes, count., /processing/ecephys/first .rates, Hz."):
        run(path, neural={"source": ["/units", both[0]]})


def test_absurd_times_are_refused_by_name_or_cut(tmp_path: Path) -> None:
    nwb = build.new()
    spikes = [np.r_[-1.54e9, times] for times in build.steady_spikes()]
    build.add_units(nwb, spikes)
    build.add_position(nwb, np.r_[-1.54e9, TIMES], np.r_[[[0.0, 0.0]], POSITION])
    path = build.save(nwb, tmp_path / "absurd.nwb")
    with pytest.raises(Refusal, match=r"/units: 4 absurd times \(-1.54e\+09, .*time.within"):
        run(path)
    assert run(path, time={"within": [0, 60]})["valid"].values.sum() > 1100


def test_an_absurd_time_of_one_source_does_no_harm(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, np.r_[-1.54e9, TIMES], np.r_[[[0.0, 0.0]], POSITION])
    assert run(build.save(nwb, tmp_path / "absurd.nwb"))["valid"].values.sum() > 1100


def test_a_label_that_never_moves_inside_the_valid_bins_is_refused(tmp_path: Path) -> None:
    values = POSITION[:, 0].copy()
    values[TIMES >= 30] = 0.0
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_behaviour(nwb, "speed", TIMES, values)
    path = build.save(nwb, tmp_path / "flat.nwb")
    with pytest.raises(Refusal, match=r"label speed .* is constant"):
        run(path, time={"within": [31, 60]})


def test_slow_labels_say_what_would_help(tmp_path: Path) -> None:
    paths = []
    for name in ("slow", "both"):
        nwb = build.new()
        build.add_units(nwb, build.steady_spikes())
        build.add_position(nwb, TIMES[::40], POSITION[::40] + TIMES[::40, None])
        if name == "both":
            build.add_behaviour(nwb, "speed", TIMES, POSITION[:, 0])
        paths.append(build.save(nwb, tmp_path / f"{name}.nwb"))
    path, both = paths
    with pytest.raises(Refusal, match=r"label position .* sampled every 2 s, .*time.max_gap"):
        run(path)
    assert list(contract.labels(run(both))) == ["speed"]
    assert run(path, time={"max_gap": 2.5})["valid"].values.mean() > 0.9


def test_no_usable_bin_names_the_reasons(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES, POSITION)
    build.add_intervals(nwb, "invalid_times", [[0, 100]])
    with pytest.raises(Refusal, match=r"no usable bin: inside invalid_times \(119\d bins\)"):
        run(build.save(nwb, tmp_path / "invalid.nwb"))


def test_a_session_too_short_to_train_is_refused_and_leaves_only_what_it_holds(tmp_path: Path, plain: Path) -> None:
    dataset = run(plain)
    trainable_split(dataset, validate({}))
    with pytest.raises(Refusal, match=r"bins to train on .1198 usable, .* fewer than a batch of 2000"):
        trainable_split(dataset, validate({"training": {"batch_size": 2000}}))
    with pytest.raises(Refusal, match="fewer than a batch"):
        extract(plain, tmp_path / "out", validate({"training": {"batch_size": 2000}}), "one")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["inventory.json"]


def test_a_window_longer_than_every_segment_is_refused(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES, POSITION)
    edges = np.arange(0, 60, 0.25)
    build.add_intervals(nwb, "trials", np.stack([edges, edges + 0.25], axis=1))
    dataset = run(build.save(nwb, tmp_path / "trials.nwb"))
    trainable_split(dataset, validate({}))
    with pytest.raises(Refusal, match=r"no window of 10 bins fits: the longest segment has 5 bins .0.25 s."):
        trainable_split(dataset, validate({"encoder": {"architecture": "conv10"}}))


def test_smoothing_is_for_counts_and_one_bin() -> None:
    assert automatic_smoothing("spikes", "conv10", 15.0) == 0
    assert automatic_smoothing("calcium", "mlp", 0.0) == automatic_smoothing("rates", "mlp", 0.0) == 0


def test_sparse_counts_are_smoothed_more() -> None:
    assert automatic_smoothing("spikes", "mlp", 400.0) == 0.1
    assert automatic_smoothing("spikes", "mlp", 15.0) == 0.19
    assert automatic_smoothing("spikes", "mlp", 0.0) == 0.5


def test_a_file_that_says_nothing_of_its_subject(tmp_path: Path) -> None:
    nwb = build.new(subject=None)
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES, POSITION)
    dataset = run(build.save(nwb, tmp_path / "anonymous.nwb"), neural={"smoothing": 0.25, "min_spikes": 0})
    assert dataset.attrs["subject"] == dataset.attrs["species"] == ""
    assert dataset["activity"].attrs["smoothing"] == 0.25


def test_milliseconds_beside_seconds_are_refused(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "milliseconds.nwb")
    with build.edited(path) as h5:
        h5["processing/behavior/Position/position/timestamps"][...] *= 1000
    wanted = {"labels": {"position": {"source": "/processing/behavior/Position/position"}}}
    with pytest.raises(
        Refusal, match=r"milliseconds or sample numbers\? /units lasts 60 s and .* 5.995e\+04 s"
    ) as caught:
        extract_session(path, validate(wanted), "one")
    assert caught.value.code is Code.TIMES_NOT_TRUSTED
    with pytest.raises(Refusal, match="is sampled every 50 s") as trusted:  # on its user's word, for another reason
        extract_session(path, validate(wanted | {"time": {"within": [0, 60]}}), "one")
    assert trusted.value.code is Code.TIMES_NOT_TRUSTED and "max_gap" not in trusted.value.remedy


def test_what_was_not_recorded_is_no_silence(tmp_path: Path) -> None:
    nwb = build.new()
    spikes = [one[(one < 60) | (one > 100)] for one in build.steady_spikes(4, stop=160.0)]
    build.add_units(nwb, [*spikes, [1.0, 130.0]])
    build.add_position(nwb, *build.circling(160.0))
    session = extract_session(build.save(nwb, tmp_path / "pieces.nwb"), validate({"neural": {"min_spikes": 1}}), "one")
    times = session["time"].values
    assert not session["valid"].values[(times > 60.1) & (times < 99.9)].any()
    assert session["valid"].values[(times > 2) & (times < 59)].all()
    assert session["segment"].values[times < 59].max() < session["segment"].values[times > 101].min()
    assert "no unit fires for over 30 s" in session.attrs["masks"]


def test_units_that_were_never_observed_for_a_whole_bin_are_refused(tmp_path: Path) -> None:
    nwb = build.new()
    pieces = np.stack([np.arange(3000) * 0.02, np.arange(3000) * 0.02 + 0.015], axis=1)
    build.add_units(nwb, build.steady_spikes(4), obs_intervals=[pieces] * 4)
    build.add_position(nwb, *build.circling())
    with pytest.raises(Refusal, match="0 of 4 units left") as caught:
        extract_session(build.save(nwb, tmp_path / "pieces.nwb"), validate({}), "one")
    assert caught.value.code is Code.TOO_FEW_UNITS


def test_one_absurd_time_costs_no_other_label(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "absurd.nwb")
    with build.edited(path) as h5:
        h5["processing/behavior/Position/position/timestamps"][0] = -1.54e9
    assert set(contract.labels(extract_session(path, validate({}), "one"))) == {"position", "head_direction", "speed"}


def test_misplaced_samples_are_sorted_and_times_within_trials_refused(tmp_path: Path) -> None:
    wanted = validate({"labels": {"position": {"source": "/processing/behavior/Position/position"}}})
    path = build.tiny(tmp_path / "misplaced.nwb")
    with build.edited(path) as h5:
        stamps = h5["processing/behavior/Position/position/timestamps"]
        times = stamps[()]
        stamps[...] = np.r_[times[:10], times[500], times[11:500], times[10], times[501:]]
    assert extract_session(path, wanted, "one").sizes["time"] > 1000
    with build.edited(path) as h5:
        h5["processing/behavior/Position/position/timestamps"][...] = np.tile(times[:40], 30)
    with pytest.raises(Refusal, match="restart half way"):
        extract_session(path, wanted, "one")


def test_what_extraction_reads_of_the_config_is_what_the_workflow_takes_it_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nwb = build.new()
    build.add_units(nwb, [np.sort(np.random.default_rng(unit).uniform(0, 60, 600)) for unit in range(5)])
    build.add_position(nwb, TIMES, POSITION)
    path, chosen = build.save(nwb, tmp_path / "a.nwb"), validate({})
    ours, read = {id(one) for one in (chosen, chosen.encoder, chosen.training)}, dict[str, set[str]]()

    def watched(section: Any, name: str) -> Any:
        if id(section) in ours and name in type(section).model_fields:
            read.setdefault(type(section).__name__.lower(), set()).add(name)
        return object.__getattribute__(section, name)

    for section in (Config, Encoder, Training):
        monkeypatch.setattr(section, "__getattribute__", watched, raising=False)
    extract(path, tmp_path / "one", chosen, "one")
    assert read["config"] == EXTRACTION.keys()
    assert {name: read[name] for name in ("encoder", "training")} == {k: EXTRACTION[k] for k in ("encoder", "training")}
