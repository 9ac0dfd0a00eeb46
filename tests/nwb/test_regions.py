"""The brain region of each unit: whichever way the file leads to it, by the finest name, and never by a wrong index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import bare_nwb as bare
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.neural.regions import unit_regions
from xcebra_nwb.nwb.reading.file import open_nwb

LOCATION = ["V1", "V1", "LP", "CA1"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "units.nwb"


def found(path: Path) -> tuple[list[str], list[str], list[str]]:
    with open_nwb(path) as file:
        return unit_regions(file, file.groups["/units"])


def by_channel(path: Path, channels: Any, ids: list[int], column: str = "peak_channel_id", **more: Any) -> list[str]:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3), **{column: np.asarray(channels)})
        bare.add_electrodes(h5, ids, ["a"] * len(ids), location=LOCATION, **more)
    return found(path)[0]


@pytest.mark.parametrize(
    "column", ["peak_channel_id", "peak_channel", "main_channel", "max_channel", "channel_id", "PeakChannel", "best_ch"]
)
def test_a_peak_channel_leads_to_the_electrode_of_that_id(path: Path, column: str) -> None:
    assert by_channel(path, [12, 13, 10], [13, 12, 11, 10], column) == ["V1", "V1", "CA1"]
    _, used, odd = found(path)
    assert used == [
        f"region of each unit: /general/extracellular_ephys/electrodes/location, of the electrode whose id is {column}"
    ]
    assert odd == []


def test_the_id_goes_before_the_row(path: Path) -> None:
    assert by_channel(path, [0, 1, 3], [3, 2, 1, 0]) == ["CA1", "LP", "V1"]


def test_a_peak_channel_in_a_column_of_width_one_leads_to_its_electrode(path: Path) -> None:
    assert by_channel(path, [[12], [13], [10]], [13, 12, 11, 10]) == ["V1", "V1", "CA1"]


def test_a_channel_that_is_no_id_is_a_row_and_that_is_said(path: Path) -> None:
    assert by_channel(path, [0, 2, 3], [100, 101, 102, 103]) == ["V1", "LP", "CA1"]
    assert "its values are no ids of electrodes" in found(path)[1][0]


def test_a_channel_that_counts_from_one_leads_nowhere(path: Path) -> None:
    assert by_channel(path, [1, 2, 4], [0, 1, 2, 3]) == ["", "", ""]
    assert found(path)[2] == [
        "/units/peak_channel_id seems to count from 1 and the ids of electrodes from 0; it is not used"
    ]


def test_a_channel_without_electrode_gives_no_region_to_that_unit_alone(path: Path) -> None:
    assert by_channel(path, [10, 999999, 13], [13, 12, 11, 10]) == ["CA1", "", "V1"]
    assert found(path)[2] == ["/units/peak_channel_id: no electrode has the number that 1 units give"]
    assert "1 of 3 units have none" in found(path)[1][0]


def test_channels_that_hardly_fit_lead_nowhere(path: Path) -> None:
    assert by_channel(path, [10, 500, 501], [13, 12, 11, 10]) == ["", "", ""]
    assert found(path)[2] == ["/units/peak_channel_id leads to no electrodes; it is not used"]


def test_channels_of_two_probes_are_taken_within_the_probe_of_the_unit(path: Path) -> None:
    for ids, extra in (([0, 1, 2, 3], {}), ([0, 1, 0, 1], {}), ([7, 8, 9, 10], {"channel": [1, 0, 1, 0]})):
        with bare.written(path) as h5:
            bare.add_units(h5, range(3), probe=["a", "b", "b"], peak_channel=[0, 0, 1])
            bare.add_electrodes(h5, ids, ["a", "a", "b", "b"], location=["V1", "V2", "LP", "CA1"], **extra)
        assert found(path)[0] == (["V2", "CA1", "LP"] if extra else ["V1", "LP", "CA1"])


@pytest.mark.parametrize(("wrong", "dtype"), [(7, "i8"), (-1, "i8"), (-1, "i4"), (2**64 - 1, "u8"), (2**32 - 1, "u4")])
def test_rows_that_the_electrodes_do_not_have_are_left_out_and_named(path: Path, wrong: int, dtype: str) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3))
        bare.add_electrodes(h5, range(4), ["a"] * 4, location=LOCATION)
        bare.add_region(h5, [[0], [3, wrong], [wrong]], dtype)
    regions, _, (odd,) = found(path)
    assert regions == ["V1", "CA1", ""]
    assert odd.startswith("/units/electrodes: 2 units point to rows that the electrodes table does not have")
    remarks = [remark.what for remark in inventory(path).suspicious if remark.path == "/units"]
    assert odd in remarks


def test_a_region_that_holds_ids_is_read_as_ids_and_that_is_said(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(2))
        bare.add_electrodes(h5, [103, 102, 101, 100], ["a"] * 4, location=LOCATION)
        bare.add_region(h5, [[100], [103, 101]])
    assert found(path)[0] == ["CA1", "V1/LP"]
    assert found(path)[2] == ["/units/electrodes holds ids of electrodes instead of their rows, and was read as ids"]


def test_a_region_goes_before_a_peak_channel(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(2), peak_channel_id=[3, 3])
        bare.add_electrodes(h5, range(4), ["a"] * 4, location=LOCATION)
        bare.add_region(h5, [[0], [2, 3, 2]])
    assert found(path)[0] == ["V1", "LP/CA1"]


@pytest.mark.parametrize(
    "text", ["unknown", "N/A", "", " ", "void", "root", "nan", "None", "(unknown)", "?", "not available"]
)
def test_a_placeholder_is_no_region(path: Path, text: str) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3), location=[text] * 3, brain_area=["CA1", "CA3", text])
    assert found(path)[0] == ["CA1", "CA3", ""]


def test_the_atlas_counts_and_the_finest_useful_parcellation_comes_first(path: Path) -> None:
    columns = {
        "cosmos_location": ["Isocortex", "TH", "TH"],
        "allen_acronym": ["VISp5", "LP", "LD"],
        "beryl_acronym": ["VISp", "LP", "LD"],
    }
    for used in ("beryl_acronym", "allen_acronym", "cosmos_location"):
        with bare.written(path) as h5:
            bare.add_units(h5, range(3), **columns)
        assert found(path)[0] == columns.pop(used)
        assert found(path)[1] == [f"region of each unit: /units/{used}"]


@pytest.mark.parametrize(
    "column", ["beryl_location", "ccf_acronym", "brain_region", "structure_acronym", "BrainArea", "ccf"]
)
def test_the_atlas_counts_in_the_electrodes_where_the_location_is_unknown(path: Path, column: str) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3), peak_channel_id=[10, 12, 13])
        bare.add_electrodes(h5, [10, 11, 12, 13], ["a"] * 4, location=["unknown"] * 4, **{column: LOCATION})
    assert found(path)[0] == ["V1", "LP", "CA1"]


def test_numbers_and_coordinates_are_no_regions(path: Path) -> None:
    with bare.written(path) as h5:
        columns = {
            "area": [1.5, 2.5, 3.5],
            "ccf_ap": ["1", "2", "3"],
            "location": ["(1.0, 2.0)"] * 3,
            "region_id": [1, 2, 3],
        }
        bare.add_units(h5, range(3), **columns)
    assert found(path) == (["", "", ""], [], [])


def test_the_group_gives_the_region_where_electrodes_do_not(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(2), electrode_group_name=["b", "a"])
        bare.add_electrodes(h5, range(2), ["a", "b"], location=["unknown", "unknown"])
    assert found(path)[0] == ["at b", "at a"]


def test_names_of_channels_lead_to_the_electrodes_of_these_names(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3), main_channel_name=["AP7", "AP5", "AP9"])
        bare.add_electrodes(h5, range(4), ["a"] * 4, location=LOCATION, channel_name=["AP4", "AP5", "AP6", "AP7"])
    assert found(path)[0] == ["CA1", "V1", ""]


def test_a_peak_channel_that_is_a_table_region_holds_rows(path: Path) -> None:
    with bare.written(path) as h5:
        units = bare.add_units(h5, range(3), peak_channel=[3, 2, 0])
        electrodes = bare.add_electrodes(h5, [3, 2, 1, 0], ["a"] * 4, location=LOCATION)
        units["peak_channel"].attrs["table"] = electrodes.ref
    assert found(path)[0] == ["CA1", "LP", "V1"]


def test_a_region_of_electrodes_that_cannot_be_read_is_named_and_the_peak_channel_is_used(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3), peak_channel_id=[3, 2, 0])
        bare.add_electrodes(h5, range(4), ["a"] * 4, location=LOCATION)
        bare.add_region(h5, [[0], [1], [2]])
        h5["units/electrodes_index"][...] = [1, 2, 9]
    regions, _, (odd,) = found(path)
    assert regions == ["CA1", "LP", "V1"]
    assert odd.startswith("/units/electrodes cannot be read: /units/electrodes_index: leads to row 9 of 3")


def test_the_group_of_its_electrodes_gives_the_region_of_a_unit_that_names_no_group(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3), peak_channel_id=[12, 11, 10])
        bare.add_electrodes(h5, [10, 11, 12], ["a", "b", "c"], location=["", "nan", "none"])
        h5["general/extracellular_ephys/c"].attrs["location"] = "See electrode locations"
    assert found(path)[0] == ["", "at b", "at a"]
