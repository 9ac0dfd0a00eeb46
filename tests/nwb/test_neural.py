"""Neural sources: every layout is found and read, ``auto`` says why, and what is not there is said with candidates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import Neural, validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.neural import choice
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.readers import registry
from xcebra_nwb.nwb.neural.unit_facts import without_facts
from xcebra_nwb.nwb.reading.file import NwbFile, open_nwb

TIMES = np.arange(40) * 0.1
VALUES = np.random.default_rng(3).normal(size=(40, 5))


def read(path: Path, **section: object) -> tuple[list[Population], list[str]]:
    wanted: Neural = validate({"neural": section}).neural
    with open_nwb(path) as file:
        sources, notes = choice.choose(file, wanted)
        return choice.read(file, sources, wanted), notes


def test_units_with_regions_and_columns(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes(3), quality=[0.1, 0.2, 0.3], brain_area=["CA1", "CA3", "CA1"])
    path = build.save(nwb, tmp_path / "units.nwb")
    (population,), notes = read(path)
    assert population.kind == "spikes" and population.units == "count"
    assert without_facts(population.table).to_dict("list") == {
        "unit_id": ["0", "1", "2"],
        "row": [0, 1, 2],
        "region": ["CA1", "CA3", "CA1"],
    }
    assert notes == ["neural data: /units (3 units): the units table at the root"]
    assert list(read(path, where="quality > 0")[0][0].table["quality"]) == [0.1, 0.2, 0.3]


def test_regions_come_from_electrodes_or_their_group(tmp_path: Path) -> None:
    for way in ("electrodes", "electrode_group"):
        nwb = build.new()
        device = nwb.create_device("probe")
        groups = [nwb.create_electrode_group(where, "shank", where, device) for where in ("V1", "LP")]
        for group in groups:
            nwb.add_electrode(group=group, location=f"{group.location} layer 4")
        nwb.add_unit(spike_times=[1.0, 2.0], **({"electrodes": [0, 1]} if way == "electrodes" else {way: groups[0]}))
        nwb.add_unit(spike_times=[1.0, 2.0], **({"electrodes": [1]} if way == "electrodes" else {way: groups[1]}))
        (population,), _ = read(build.save(nwb, tmp_path / f"{way}.nwb"))
        expected = ["V1 layer 4/LP layer 4", "LP layer 4"] if way == "electrodes" else ["V1", "LP"]
        assert list(population.table["region"]) == expected


def test_spike_times_are_cleaned(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, [[3.0, 1.0, 2.0], [1.0, np.nan, 2.0], []])
    (population,), _ = read(build.save(nwb, tmp_path / "units.nwb"))
    assert population.spikes is not None
    assert [times.tolist() for times in population.spikes] == [[1.0, 2.0, 3.0], [1.0, 2.0], []]
    assert "1 spike times" in population.notes[0] and "1 units were not in order" in population.notes[1]


def test_units_in_a_processing_module(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "moved.nwb")
    with build.edited(path) as h5:
        h5.create_group("processing/ecephys")
        h5.move("units", "processing/ecephys/units")
    (population,), _ = read(path)
    assert population.path == "/processing/ecephys/units"
    (population,), _ = read(path, source="/processing/ecephys/units")
    assert len(population.table) == 6


def test_units_without_spike_times_are_passed_over(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "silent.nwb")
    with build.edited(path) as h5:
        for name in ("spike_times", "spike_times_index"):
            del h5[f"units/{name}"]
    with pytest.raises(Refusal, match=r"no neural data found; not taken: /units .* no spike times"):
        read(path)


def test_rates_in_a_matrix(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_rates(nwb, None, VALUES, rate=10.0, start=2.0, conversion=2.0, offset=1.0)
    (population,), _ = read(build.save(nwb, tmp_path / "rates.nwb"))
    assert population.kind == "rates" and population.units == "Hz"
    assert population.samples is not None
    assert np.allclose(population.samples.times, 2 + TIMES)
    assert np.allclose(population.samples.values, VALUES * 2 + 1)
    assert population.range == pytest.approx((1.95, 5.95))


def test_a_matrix_of_no_clear_unit_must_be_named(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_rates(nwb, TIMES, VALUES, unit="a.u.", name="activity")
    path = build.save(nwb, tmp_path / "unclear.nwb")
    with pytest.raises(Refusal, match=r"/processing/ecephys/activity .* not clearly firing rates"):
        read(path)
    (population,), _ = read(path, source="/processing/ecephys/activity")
    assert len(population.table) == 5


def test_channel_conversion_and_transposed_data(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_rates(nwb, TIMES, VALUES)
    path = build.save(nwb, tmp_path / "rates.nwb")
    with build.edited(path) as h5:
        group = h5["processing/ecephys/firing_rates"]
        group["channel_conversion"] = np.arange(5.0)
    (population,), _ = read(path)
    assert population.samples is not None
    assert np.allclose(population.samples.values, VALUES * np.arange(5.0))
    with build.edited(path) as h5:
        group = h5["processing/ecephys/firing_rates"]
        del group["channel_conversion"], group["data"]
        group["data"] = VALUES.T
        group["data"].attrs["unit"] = "Hz"
    (population,), _ = read(path)
    assert population.samples is not None
    assert np.allclose(population.samples.values, VALUES)
    assert "were transposed" in population.notes[0]


def test_regions_of_interest(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_rois(nwb, TIMES, VALUES, location="V1")
    path = build.save(nwb, tmp_path / "rois.nwb")
    (population,), notes = read(path)
    assert population.path == "/processing/ophys/DfOverF/dff"
    assert (population.kind, population.units) == ("calcium", "dF/F")
    assert set(population.table["region"]) == {"V1"}
    assert "not taken: /processing/ophys/Fluorescence/neuropil" in notes[1]
    (population,), _ = read(path, source="/processing/ophys/DfOverF", where="is_cell == 1")
    assert list(population.table["is_cell"]) == [0, 1, 0, 1, 0]


def test_one_series_per_neuron(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_traces(nwb, TIMES, np.tile(VALUES, 3))
    path = build.save(nwb, tmp_path / "traces.nwb")
    for section in ({}, {"source": "/acquisition/Activity_*"}):
        (population,), _ = read(path, **section)
        assert population.kind == "calcium"
        assert list(population.table["unit_id"][:2]) == ["Activity_0000", "Activity_0001"]
        assert population.samples is not None
        assert np.array_equal(population.samples.values, np.tile(VALUES, 3))


def test_numbered_series_that_say_nothing_are_not_taken(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_traces(nwb, TIMES, np.tile(VALUES, 3), stem="channel_", description="voltage")
    with pytest.raises(Refusal, match="nothing says that these series are neurons"):
        read(build.save(nwb, tmp_path / "traces.nwb"))


def test_series_at_different_times_are_refused(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_traces(nwb, TIMES, np.tile(VALUES, 3))
    path = build.save(nwb, tmp_path / "traces.nwb")
    with build.edited(path) as h5:
        h5["acquisition/Activity_0014/timestamps"][...] = TIMES + 5
    with pytest.raises(Refusal, match="different times"):
        read(path)
    with pytest.raises(Refusal, match="Activity_0014: sampled at other times"):
        read(path, source="/acquisition/Activity_*")


def test_an_unknown_path_names_the_candidates_nearest_first(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "tiny.nwb")
    with pytest.raises(UsageError, match=r"neural.source: no /unit in the file .candidates: /units") as caught:
        read(path, source="/unit")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="neither a table with spike times nor a numeric series"):
        read(path, source="/processing/behavior")
    with pytest.raises(UsageError, match=r"no /acquisition/Nothing_\*"):
        read(path, source="/acquisition/Nothing_*")


def test_several_series_of_one_container(tmp_path: Path) -> None:
    nwb = build.new()
    for name in ("left", "right"):
        build.add_rates(nwb, TIMES, VALUES, name=name)
    path = build.save(nwb, tmp_path / "two.nwb")
    with pytest.raises(Refusal, match=r"several neural sources: /processing/ecephys/left, /processing/ecephys/right"):
        read(path)
    populations, _ = read(path, source="/processing/ecephys/*")
    assert [population.path for population in populations] == ["/processing/ecephys/left", "/processing/ecephys/right"]


def test_spike_times_that_do_not_fit_the_table_are_refused(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "ragged.nwb")
    with build.edited(path) as h5:
        del h5["units/id"]
        h5["units/id"] = np.arange(9)
    with pytest.raises(Refusal, match="/units/spike_times: 6 rows for 9 units"):
        read(path)


def test_a_new_layout_is_one_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "READERS", dict(registry.READERS))

    @registry.reader("events", rank=-1)
    class Events:
        def find(self, file: NwbFile) -> list[registry.Candidate]:
            return [registry.Candidate(layout="events", path="/units", kind="spikes", units=6, because="a test")]

        def accepts(self, file: NwbFile, paths: list[str]) -> bool:
            return paths == ["/units"]

        def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
            table = pd.DataFrame({"unit_id": ["a"], "row": [0], "region": [""]})
            return Population(path="/units", kind="spikes", units="count", table=table, spikes=[TIMES])

    (population,), notes = read(build.tiny(tmp_path / "tiny.nwb"))
    assert list(population.table["unit_id"]) == ["a"]
    assert notes[0] == "neural data: /units (6 units): a test"


@pytest.mark.slow
def test_units_are_chosen_by_what_is_computed_of_them(tmp_path: Path) -> None:
    steady = np.arange(600) * 0.1 + 0.05
    spikes = {
        "steady": steady,
        "bursting": np.sort(np.r_[steady, steady + 0.001]),
        "half": steady[:300],
        "rare": steady[::20],
    }
    nwb = build.new()
    build.add_units(nwb, list(spikes.values()), pattern=list(spikes), rate=[9.0, 9.0, 9.0, 1.0])
    build.add_position(nwb, *build.circling(60.0))
    path = build.save(nwb, tmp_path / "units.nwb")

    def kept(where: str) -> list[str]:
        config = validate({"neural": {"where": where, "min_spikes": 1}})
        rows = extract_session(path, config, "one")["row"].values
        return [list(spikes)[row] for row in rows]

    assert kept("isi_violations < 0.1") == ["steady", "half", "rare"]
    assert kept("presence > 0.9") == ["steady", "bursting"]
    assert kept("n_spikes >= 300") == ["steady", "bursting", "half"]
    assert kept("4 < rate < 11") == ["steady", "half"]
    assert kept("own_rate > 5") == ["steady", "bursting", "half"]
    assert kept("presence > 0.1 and pattern != 'half' and region == ''") == ["steady", "bursting", "rare"]


def test_whole_numbers_hold_the_counts(tmp_path: Path) -> None:
    nwb = build.new()
    crowd = np.full(300, 10.01)
    build.add_units(nwb, [np.arange(60.0), np.sort(np.r_[np.arange(60.0), crowd])])
    build.add_position(nwb, *build.circling(60.0))
    session = extract_session(build.save(nwb, tmp_path / "units.nwb"), validate({}), "one")
    assert session["activity"].dtype == np.int16
    assert session["activity"].values.max() == 301
    assert session["activity"].values.sum(axis=0).tolist() == [59, 359]  # the last spike is where the recording ends


def test_planes_go_together_and_two_signals_of_the_same_cells_do_not(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_rois(nwb, TIMES, VALUES)
    path = build.save(nwb, tmp_path / "rois.nwb")
    with build.edited(path) as h5:
        container = h5["processing/ophys/DfOverF"]
        h5.copy(container["dff"], container, "dff_smoothed")  # the same cells again
        container["dff_smoothed/rois"].attrs["table"] = container["dff/rois"].attrs["table"]
        h5.copy(h5["processing/ophys/ImageSegmentation/PlaneSegmentation"], h5["processing/ophys"], "second_cells")
        h5.copy("processing/ophys/DfOverF", h5.create_group("processing/ophys_2"), "DfOverF")  # another plane
        del h5["processing/ophys_2/DfOverF/dff_smoothed"]
        h5["processing/ophys_2/DfOverF/dff/rois"].attrs["table"] = h5["processing/ophys/second_cells"].ref
        h5["processing/ophys_2/DfOverF/dff/timestamps"][...] = TIMES + 0.01
    populations, notes = read(path)
    assert [population.path for population in populations] == [
        "/processing/ophys/DfOverF/dff",
        "/processing/ophys_2/DfOverF/dff",
    ]
    assert "/processing/ophys/DfOverF/dff_smoothed" in notes[-1]


def test_events_are_spikes(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "events.nwb")
    with build.edited(path) as h5:
        del h5["units"]
        for unit in range(12):
            group = h5.create_group(f"processing/ecephys/neuron_{unit:02d}")
            group.attrs["neurodata_type"] = "Events"
            group["timestamps"] = [3.0 + unit, 1.0, np.nan]
        for name in ("cell_a", "cell_b"):
            group = h5.create_group(f"processing/ecephys/{name}")
            group["timestamps"], group["data"] = [1.0, 2.5], [1, 1]
        labelled = h5.create_group("processing/ecephys/all_together")
        labelled.attrs["neurodata_type"] = "LabeledEvents"
        labelled["timestamps"], labelled["data"] = [1.0, 2.0, 3.0], [1, 0, 1]
        labelled["data__labels"] = ["left", "right"]
    (population,), notes = read(path)
    assert population.path == "/processing/ecephys/neuron_*" and population.kind == "spikes"
    assert population.spikes is not None and population.spikes[11].tolist() == [1.0, 14.0]
    assert "each called a neuron" in notes[0]
    (population,), _ = read(path, source="/processing/ecephys/cell_*")
    assert population.spikes is not None and [len(one) for one in population.spikes] == [2, 2]
    (population,), _ = read(path, source="/processing/ecephys/all_together")
    assert population.spikes is not None and [one.tolist() for one in population.spikes] == [[2.0], [1.0, 3.0]]
    assert population.table["unit_id"].tolist() == ["left", "right"]
    assert [source.layout for source in inventory(path).neural if source.taken_by_auto] == ["events"]


def test_a_clock_that_starts_again_is_not_sorted_away(tmp_path: Path) -> None:
    for name, units in (("merged", 1), ("restarted", 3)):
        nwb = build.new(name)
        twice = [np.r_[one, one + 0.01] for one in build.steady_spikes(4)]
        build.add_units(nwb, [*twice[:units], *build.steady_spikes(4)[units:]])
        path = build.save(nwb, tmp_path / f"{name}.nwb")
        if units == 1:  # two clusters put together
            assert "1 units were not in order" in read(path)[0][0].notes[0]
        else:
            with pytest.raises(Refusal, match="3 of 4 units restart") as caught:
                read(path)
            assert caught.value.code is Code.TIMES_NOT_TRUSTED


def test_units_that_a_table_region_points_to(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes(5))
    build.add_rates(nwb, TIMES, VALUES, name="binned")
    path = build.save(nwb, tmp_path / "region.nwb")
    with build.edited(path) as h5:
        region = h5["processing/ecephys/binned"].create_dataset("units_region", data=[4, 1, 1])
        region.attrs["table"] = h5["units"].ref
    (population,), _ = read(path, rows="/processing/ecephys/binned/units_region")
    assert population.table["row"].tolist() == [1, 4]
    assert population.spikes is not None and len(population.spikes) == 2
    with pytest.raises(UsageError, match=r"no /processing/nowhere .*candidates: /processing/ecephys/binned/units_reg"):
        read(path, rows="/processing/nowhere")
    with pytest.raises(UsageError, match="points into /units, not into /processing/ecephys/binned"):
        read(path, rows="/processing/ecephys/binned/units_region", source="/processing/ecephys/binned")
