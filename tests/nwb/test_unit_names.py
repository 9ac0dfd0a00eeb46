"""The names of units: one for each, the same at every extraction, over tables and sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support import bare_nwb as bare
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.neural import choice
from xcebra_nwb.nwb.neural.names import distinct_parts, with_unique_names
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.reading.file import open_nwb


def read(path: Path, **section: object) -> list[Population]:
    neural = validate({"neural": section}).neural
    with open_nwb(path) as file:
        return choice.read(file, choice.choose(file, neural)[0], neural)


@pytest.mark.parametrize("column", ["probe", "probe_name", "electrode_group_name", "shank"])
def test_ids_that_occur_twice_are_joined_to_the_probe(tmp_path: Path, column: str) -> None:
    path = tmp_path / "units.nwb"
    with bare.written(path) as h5:
        bare.add_units(h5, [0, 1, 2, 0, 1, 2], **{column: ["A"] * 3 + ["B"] * 3})
    (population,) = read(path)
    assert list(population.table["unit_id"]) == ["A#0", "A#1", "A#2", "B#0", "B#1", "B#2"]
    said = f"/units: 3 ids occur more than once; units are called by {column} and id, such as A#0"
    assert said in population.notes
    assert said.removeprefix("/units: ") in [remark.what for remark in inventory(path).suspicious]


def test_the_number_of_a_shank_is_called_so_and_a_quality_is_no_group(tmp_path: Path) -> None:
    path = tmp_path / "units.nwb"
    with bare.written(path) as h5:
        bare.add_units(h5, [0, 1, 0, 1], group=["good", "good", "mua", "mua"], shank=[2, 2, 3, 3])
    (population,) = read(path)
    assert list(population.table["unit_id"]) == ["shank2#0", "shank2#1", "shank3#0", "shank3#1"]


def test_ids_that_nothing_tells_apart_are_joined_to_the_row(tmp_path: Path) -> None:
    path = tmp_path / "units.nwb"
    with bare.written(path) as h5:
        bare.add_units(h5, [3, 3, 4, 3], probe=["A"] * 4)
    (population,) = read(path)
    assert list(population.table["unit_id"]) == ["3#row0", "3#row1", "4", "3#row3"]
    assert population.notes == ("/units: 2 ids occur more than once; units are called by id and row, such as 3#row0",)


def test_names_do_not_depend_on_the_units_that_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "units.nwb"
    with bare.written(path) as h5:
        bare.add_units(h5, [3, 3, 4])
        region = h5.create_dataset("general/chosen", data=[0, 2])
        region.attrs["table"] = h5["units"].ref
        h5["processing/ecephys/chosen"] = h5["general/chosen"]
    (population,) = read(path, rows="/processing/ecephys/chosen")
    assert list(population.table["unit_id"]) == ["3#row0", "4"]


def test_units_of_several_sources_begin_with_the_part_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "planes.nwb"
    with bare.written(path) as h5:
        for plane, ids in (("plane0", [5, 6]), ("plane1", [6, 9])):
            bare.add_responses(h5, f"Fluorescence/{plane}", bare.add_plane(h5, ids, plane), [0, 1])
    names = [list(population.table["unit_id"]) for population in read(path)]
    assert names == [["plane0#5", "plane0#6"], ["plane1#6", "plane1#9"]]


def test_twelve_rows_of_a_foreign_reader_have_twelve_names() -> None:
    table = pd.DataFrame({"unit_id": ["1"] * 6, "row": np.arange(6), "region": ""})
    one = Population(path="/a", kind="spikes", units="count", table=table, spikes=[np.arange(3.0)] * 6)
    named = with_unique_names([one, one])
    assert len({name for population in named for name in population.table["unit_id"]}) == 12
    assert "names of units occur more than once" in named[0].notes[0]


def test_paths_are_told_apart_by_what_differs() -> None:
    assert distinct_parts(["/a/b/c", "/a/d/c"]) == ["b", "d"]
    assert distinct_parts(["/units", "/processing/ecephys/units"]) == ["units", "processing/ecephys/units"]
    assert len(set(distinct_parts(["/a/b", "/a/b", "/a/c"]))) == 3


def test_events_of_two_groups_and_labels_of_one_name_stay_units_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "events.nwb"
    with bare.written(path) as h5:
        for shank in ("s1", "s2"):
            for cell in ("cell_1", "cell_2"):
                h5[f"processing/ecephys/{shank}/{cell}/timestamps"] = [1.0, 2.0]
        labelled = h5.create_group("processing/ecephys/all")
        labelled.attrs["neurodata_type"] = "LabeledEvents"
        labelled["timestamps"], labelled["data"] = [1.0, 2.0, 3.0], [1, 0, 1]
        labelled["data__labels"] = ["cell", "cell"]
    (population,) = read(path, source="/processing/ecephys/s*/cell_*")
    assert list(population.table["unit_id"]) == ["s1/cell_1", "s1/cell_2", "s2/cell_1", "s2/cell_2"]
    (population,) = read(path, source="/processing/ecephys/all")
    assert population.spikes is not None and [len(times) for times in population.spikes] == [1, 2]
    assert len(set(population.table["unit_id"])) == 2
