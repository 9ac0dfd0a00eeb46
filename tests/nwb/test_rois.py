"""Imaged regions of interest: which signal ``auto`` takes and why, and to which rows of their table columns lead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import bare_nwb as bare
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.neural import choice
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.signals import signal_of
from xcebra_nwb.nwb.reading.file import open_nwb

SERIES = "/processing/ophys/Fluorescence/plane0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rois.nwb"


def read(path: Path, **section: object) -> tuple[list[Population], list[str]]:
    neural = validate({"neural": section}).neural
    with open_nwb(path) as file:
        sources, notes = choice.choose(file, neural)
        return choice.read(file, sources, neural), notes


def taken(path: Path) -> tuple[list[str], str]:
    populations, notes = read(path)
    return [population.path.removeprefix("/processing/ophys/") for population in populations], "; ".join(notes)


# Which signal
# ------------


@pytest.mark.parametrize(
    ("name", "container", "kind", "expected"),
    [
        ("RoiResponseSeries", "DfOverF", "DfOverF", "dF/F"),
        ("traces", "DfOverF", "DfOverF", "dF/F"),
        ("DfOverF", "Fluorescence", "Fluorescence", "dF/F"),
        ("delta_f", "traces", "Fluorescence", "dF/F"),
        ("plane0", "Neuropil", "Fluorescence", "neuropil or background"),
        ("Fneu", "Fluorescence", "Fluorescence", "neuropil or background"),
        ("neuropil_traces", "Fluorescence", "Fluorescence", "neuropil or background"),
        ("neuropil_corrected", "Fluorescence", "Fluorescence", "corrected fluorescence"),
        ("F_minus_neuropil_subtracted", "Fluorescence", "Fluorescence", "corrected fluorescence"),
        ("Denoised", "Fluorescence", "Fluorescence", "corrected fluorescence"),
        ("demixed_traces", "Fluorescence", "Fluorescence", "corrected fluorescence"),
        ("motion_corrected_traces", "Fluorescence", "Fluorescence", "raw fluorescence"),
        ("RoiResponseSeries", "Fluorescence", "Fluorescence", "raw fluorescence"),
        ("plane0", "Fluorescence", "Fluorescence", "raw fluorescence"),
        ("plane0", "Deconvolved", "Fluorescence", "deconvolved activity"),
        ("dff_events", "l0_events", "Fluorescence", "deconvolved activity"),
        ("inferredSpikes", "Fluorescence", "Fluorescence", "deconvolved activity"),
        ("filtered_traces", "Fluorescence", "Fluorescence", "raw fluorescence"),
        ("traces_red", "Fluorescence", "Fluorescence", "second channel"),
    ],
)
def test_names_say_what_the_responses_are(name: str, container: str, kind: str, expected: str) -> None:
    assert signal_of(name, container, kind).name == expected


def test_the_unit_the_table_and_the_description_say_it_too() -> None:
    assert signal_of("plane0", "Fluorescence", "Fluorescence", unit="dF/F").name == "dF/F"
    assert signal_of("plane0", "Fluorescence", "Fluorescence", "BackgroundPlanes").name == "neuropil or background"
    assert signal_of("series", "roi", "", description="Deconvolved activity").name == "deconvolved activity"


@pytest.mark.parametrize(
    ("offered", "expected", "reason"),
    [
        (["Deconvolved", "Fluorescence", "Neuropil"], "Fluorescence", "no dF/F or corrected fluorescence"),
        (["Deconvolved", "Neuropil", "Fluorescence", "ZDff"], "ZDff", "own baseline"),
        (["Alpha_raw", "Demixed", "Deconvolved"], "Demixed", "without neuropil or noise"),
        (["Deconvolved", "Neuropil"], "Deconvolved", "zero in most bins"),
    ],
)
def test_the_signal_is_chosen_for_a_reason_and_the_others_are_named(
    path: Path, offered: list[str], expected: str, reason: str
) -> None:
    with bare.written(path) as h5:
        plane = bare.add_plane(h5, range(3))
        for container in offered:
            bare.add_responses(h5, f"{container}/plane0", plane, range(3))
    chosen, notes = taken(path)
    assert chosen == [f"{expected}/plane0"]
    assert reason in notes.split(";")[0] + notes
    assert all(f"/processing/ophys/{other}/plane0 (" in notes for other in offered if other != expected)


def test_planes_of_one_signal_go_together_also_from_containers_of_their_own(path: Path) -> None:
    with bare.written(path) as h5:
        for place in ("left", "right"):
            plane = bare.add_plane(h5, range(3), place)
            for signal in ("dff", "raw"):
                bare.add_responses(h5, f"{signal}_{place}/series", plane, range(3))
    assert taken(path)[0] == ["dff_left/series", "dff_right/series"]


def test_two_segmentations_of_one_plane_do_not_go_together(path: Path) -> None:
    with bare.written(path) as h5:
        first, second = bare.add_plane(h5, range(3), "first"), bare.add_plane(h5, range(5), "second")
        del second["imaging_plane"]
        second["imaging_plane"] = first["imaging_plane"]
        bare.add_responses(h5, "A/dff", first, range(3))
        bare.add_responses(h5, "B/dff", second, range(5))
    chosen, notes = taken(path)
    assert chosen == ["B/dff"]  # the one of more cells
    assert "A/dff (nothing says that its regions of interest are other cells than those of" in notes


def test_two_segmentations_of_one_plane_in_containers_of_one_name_are_taken_with_a_warning(path: Path) -> None:
    with bare.written(path) as h5:
        first, second = bare.add_plane(h5, range(3), "first"), bare.add_plane(h5, range(5), "second")
        del second["imaging_plane"]
        second["imaging_plane"] = first["imaging_plane"]
        bare.add_responses(h5, "DfOverF/one", first, range(3))
        bare.add_responses(h5, "DfOverF/two", second, range(5))
    chosen, notes = taken(path)
    assert chosen == ["DfOverF/one", "DfOverF/two"]
    assert "another segmentation of the imaging plane of /processing/ophys/DfOverF/two: check for cells twice" in notes


# To which rows
# -------------


def test_columns_lead_to_the_ids_and_columns_of_their_rows(path: Path) -> None:
    with bare.written(path) as h5:
        plane = bare.add_plane(h5, 100 + np.arange(20), Accepted=np.arange(20) % 2, location="V1")
        bare.add_responses(h5, "Fluorescence/plane0", plane, [9, 4, 5])
    (population,), _ = read(path, where="Accepted == 1")
    assert population.table.to_dict("list") == {
        "Accepted": [1, 0, 1],
        "fact Accepted": [1, 0, 1],
        "unit_id": ["109", "104", "105"],
        "row": [0, 1, 2],
        "roi_row": [9, 4, 5],
        "region": ["V1"] * 3,
    }


def test_an_id_of_the_cell_goes_before_the_id_of_the_row_if_every_cell_has_one(path: Path) -> None:
    for cells, expected in (([900, 700, 800], ["700", "800"]), ([900, -1, -1], ["11", "12"])):
        with bare.written(path) as h5:
            plane = bare.add_plane(h5, [10, 11, 12], cell_specimen_id=cells)
            bare.add_responses(h5, "Fluorescence/plane0", plane, [1, 2])
        (population,), _ = read(path)
        assert list(population.table["unit_id"]) == expected


def test_the_same_roi_twice_has_two_names_and_is_said(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_responses(h5, "Fluorescence/plane0", bare.add_plane(h5, [10, 11, 12]), [1, 2, 1])
    (population,), _ = read(path)
    assert list(population.table["unit_id"]) == ["11#column0", "12", "11#column2"]
    assert population.notes == (f"{SERIES}: 1 columns are of a region of interest that an earlier column is of",)


WRONG = {
    "too short": (list(range(4)), "rois names 4 regions of interest for 6 columns of data"),
    "beyond": ([0, 1, 2, 3, 4, 20], "rois leads 1 columns to rows that .*cells does not have .20; it has 8 rows"),
    "negative": ([0, 1, 2, 3, 4, -1], "rois leads 1 columns to rows that .*cells does not have .-1;"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_region_that_does_not_fit_is_said_and_refused_where_it_would_be_used(path: Path, kind: str) -> None:
    rows, problem = WRONG[kind]
    with bare.written(path) as h5:
        plane = bare.add_plane(h5, range(10, 18), is_cell=[1, 0] * 4)
        bare.add_responses(h5, "Fluorescence/plane0", plane, rows, (600, 6))
        chosen = h5.create_dataset("processing/ophys/chosen", data=[0, 2])
        chosen.attrs["table"] = plane.ref
    (population,), _ = read(path)
    assert list(population.table["unit_id"]) == ["0", "1", "2", "3", "4", "5"]
    (said,) = population.notes
    assert said.endswith("units are called by the number of their column")
    assert said.removeprefix(f"{SERIES}: ") in [remark.what for remark in inventory(path).suspicious]
    for section in ({"where": "is_cell == 1 and rate > 0"}, {"rows": "/processing/ophys/chosen"}):
        with pytest.raises(Refusal, match=problem) as caught:
            read(path, **section)
        assert caught.value.code is Code.UNREADABLE_LAYOUT
    assert len(read(path, where="rate > 0")[0]) == 1  # which asks for no column of the table


def test_wrapped_rows_are_beyond_the_table(path: Path) -> None:
    with bare.written(path) as h5:
        rows = [0, np.uint32(-1 % 2**32)]
        bare.add_responses(h5, "Fluorescence/plane0", bare.add_plane(h5, range(2)), rows, dtype="u4")
    assert "4294967295" in read(path)[0][0].notes[0]


def test_a_table_region_chooses_regions_of_interest(path: Path) -> None:
    with bare.written(path) as h5:
        plane = bare.add_plane(h5, range(10, 18))
        bare.add_responses(h5, "Fluorescence/plane0", plane, [5, 6, 7])
        for name, rows in (("chosen", [7, 5, 0]), ("wrong", [7, 8]), ("negative", [-1])):
            chosen = h5.create_dataset(f"processing/ophys/{name}", data=rows)
            chosen.attrs["table"] = plane.ref
    (population,), _ = read(path, rows="/processing/ophys/chosen")
    assert list(population.table["unit_id"]) == ["15", "17"]
    for name, row in (("wrong", 8), ("negative", -1)):
        with pytest.raises(Refusal, match=f"points to row {row} of .*cells, which has 8 rows"):
            read(path, rows=f"/processing/ophys/{name}")


@pytest.mark.parametrize(("rois", "frames"), [(30, 50), (50, 30), (1, 40)])
def test_the_number_of_rois_says_which_axis_is_time(path: Path, rois: int, frames: int) -> None:
    for shape in ((rois, frames), (frames, rois)):
        with bare.written(path) as h5:
            series = bare.add_responses(h5, "Fluorescence/plane0", bare.add_plane(h5, range(rois)), range(rois), shape)
            expected = series["data"][()] if shape[1] == rois else series["data"][()].T
        (population,), _ = read(path)
        assert population.samples is not None
        assert np.array_equal(population.samples.values, expected)
        assert len(population.samples.times) == frames
        (source,) = inventory(path).neural
        assert (source.units, source.shape) == (rois, [frames, rois])
