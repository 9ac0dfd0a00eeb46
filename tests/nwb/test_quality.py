"""Units that the file calls bad are counted by name, and the query that leaves them out is offered and works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import bare_nwb as bare
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.neural import choice
from xcebra_nwb.nwb.neural.quality import remarks, where_line
from xcebra_nwb.nwb.reading.file import open_nwb
from xcebra_nwb.nwb.reading.intervals import select

SERIES = "/processing/ophys/Fluorescence/plane0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "units.nwb"


def offered(path: Path, source: str = "/units") -> tuple[str | None, list[str], list[int]]:
    """Return the query, the remarks, and the rows that the query keeps."""
    with open_nwb(path) as file:
        query = where_line(file, source)
        neural = validate({"neural": {"source": source, "where": query or "rate >= 0"}}).neural
        (population,) = choice.read(file, choice.choose(file, neural)[0], neural)
        kept = [] if query is None else np.flatnonzero(select(population.table, query, "neural.where")).tolist()
        return query, remarks(file, source), kept


COLUMNS: dict[str, tuple[Any, str, list[int], str]] = {
    "quality": (["good", "noise", "good", "noise"], "quality == 'good'", [0, 2], "2 of 4 units have quality noise"),
    "KSLabel": (["mua", "good", "good", "mua"], "KSLabel == 'good'", [1, 2], "2 of 4 units have KSLabel mua"),
    "ks2_label": (["mua", "good", "good", "mua"], "ks2_label == 'good'", [1, 2], "ks2_label mua"),
    "group": (
        ["good", "noise", "mua", "noise", "good", "noise"],
        "group == 'good'",
        [0, 4],
        "group noise (3), mua (1)",
    ),
    "label": (["Good", "bad", "Good", "MUA"], "label == 'Good'", [0, 2], "label bad (1), MUA (1)"),
    "unit_quality": (["unit", "noise", "unit", "unit"], "unit_quality not in ['noise']", [0, 2, 3], "1 of 4 units"),
    "default_qc": (["pass", "fail", "pass", "pass"], "default_qc == 'pass'", [0, 2, 3], "default_qc fail"),
    "bc_unitType": (["GOOD", "MUA", "NON-SOMA", "GOOD"], "bc_unitType == 'GOOD'", [0, 3], "2 of 4 units"),
    "cluster quality": (["good", "artifact"] * 2, "`cluster quality` == 'good'", [0, 2], "cluster quality artifact"),
    "is_good": (np.array([True, False, True, True]), "is_good == True", [0, 2, 3], "is_good False"),
    "is_noise": (np.array([0, 0, 1, 0]), "is_noise == 0", [0, 1, 3], "is_noise 1"),
    "good": (np.array([0.0, 1.0, 1.0, 0.0]), "good == 1", [1, 2], "2 of 4 units have good 0"),
    "ibl_quality_score": (np.array([1, 1 / 3, 2 / 3, 1]), "ibl_quality_score > 0.99", [0, 3], "under 1"),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_bad_units_are_counted_and_the_query_leaves_them_out(path: Path, column: str) -> None:
    values, query, kept, said = COLUMNS[column]
    with bare.written(path) as h5:
        bare.add_units(h5, range(len(values)), **{column: values})
    found, (remark,), rows = offered(path)
    assert (found, rows) == (query, kept)
    assert said in remark and remark.endswith(f"neural.where leaves them out: {query}")
    contents = inventory(path)
    assert contents.neural[0].where == query
    assert remark.removeprefix("/units: ") in [line.what for line in contents.suspicious]


NOT_QUALITY: dict[str, Any] = {
    "heldout": np.array([True, False, True, True]),
    "cell_type": ["pyramidal", "interneuron", "pyramidal", "noise"],
    "label": ["thalamus", "good", "bad", "cortex"],
    "group": ["probeA", "probeB", "probeA", "probeB"],
    "isi_violations": [0.0, 0.9, 1.0, 0.0],
    "amplitude_cutoff": [0.01, 0.5, 0.2, 0.1],
    "cluster": [0, 1, 1, 0],
    "class": [0.0, 1.0, 1.0, 0.0],
    "quality": ["good"] * 4,
    "is_good": np.array([False] * 4),
}


@pytest.mark.parametrize("column", NOT_QUALITY)
def test_other_columns_and_columns_that_tell_no_units_apart_offer_nothing(path: Path, column: str) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(4), **{column: NOT_QUALITY[column]})
    assert offered(path) == (None, [], [])


def test_a_query_that_leaves_one_unit_is_not_offered(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(4), quality=["good", "noise", "noise", "noise"])
    assert offered(path)[:2] == (
        None,
        ["/units: 3 of 4 units have quality noise; neural.where leaves them out: quality == 'good'"],
    )


def test_codes_are_read_by_the_legend_in_the_description(path: Path) -> None:
    for legend, query in (("0 = noise, 1 mua, 2 good, 3 unsorted", "phy_annotations == 2"), ("codes", None)):
        with bare.written(path) as h5:
            units = bare.add_units(h5, range(4), phy_annotations=[2, 1, 0, 2])
            units["phy_annotations"].attrs["description"] = legend
        assert offered(path)[0] == query


def test_a_person_is_believed_before_an_automatic_label_and_both_are_named(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3), KSLabel=["good", "good", "mua"], quality=["good", "noise", "good"])
    query, said, _ = offered(path)
    assert query == "quality == 'good'"
    assert [line.split(" have ")[1].split(";")[0] for line in said] == ["quality noise", "KSLabel mua"]


def test_units_are_not_called_bad_once_the_query_asks_for_the_column(path: Path) -> None:
    with bare.written(path) as h5:
        bare.add_units(h5, range(3), quality=["good", "noise", "good"])
    for where, notes in (("rate > 1", 1), ("quality != 'noise'", 0), ("quality == 'noise'", 0)):
        neural = validate({"neural": {"where": where}}).neural
        with open_nwb(path) as file:
            (population,) = choice.read(file, choice.choose(file, neural)[0], neural)
        assert len(population.notes) == notes


ROI_COLUMNS: dict[str, tuple[Any, str, list[int]]] = {
    "Accepted": (np.array([1, 0, 1, 0, 1, 1]), "Accepted == 1", [0, 2]),
    "Rejected": (np.array([1, 0, 0, 0, 1, 1]), "Rejected == 0", [1, 2]),
    "valid_roi": (np.array([True, True, False, True, True, True]), "valid_roi == True", [0, 1]),
    "iscell": (np.array([[1, 0.9], [0, 0.2], [1, 0.8], [1, 0.9], [0, 0.1], [1, 1]]), "iscell == 1", [0, 2]),
}


@pytest.mark.parametrize("column", ROI_COLUMNS)
def test_rejected_regions_of_interest_are_counted_by_their_own_rows(path: Path, column: str) -> None:
    values, query, kept = ROI_COLUMNS[column]
    with bare.written(path) as h5:
        plane = bare.add_plane(h5, range(6), **{column: values})
        bare.add_responses(h5, "Fluorescence/plane0", plane, [0, 1, 2])
    found, (remark,), rows = offered(path, SERIES)
    assert (found, rows) == (query, kept)
    assert f"{3 - len(kept)} of 3 units have {column} " in remark


def test_accepted_and_rejected_are_one_remark(path: Path) -> None:
    accepted = np.array([1, 0, 1])
    with bare.written(path) as h5:
        plane = bare.add_plane(h5, range(3), Accepted=accepted, Rejected=1 - accepted)
        bare.add_responses(h5, "Fluorescence/plane0", plane, [0, 1, 2])
    assert len(offered(path, SERIES)[1]) == 1


def test_both_values_of_iscell_can_be_asked_for(path: Path) -> None:
    with bare.written(path) as h5:
        plane = bare.add_plane(h5, range(3), iscell=np.array([[1, 0.9], [0, 0.2], [1, 0.8]]))
        bare.add_responses(h5, "Fluorescence/plane0", plane, [0, 1, 2])
    with open_nwb(path) as file:
        neural = validate({"neural": {"where": "iscell == 1 and iscell_1 > 0.85"}}).neural
        (population,) = choice.read(file, choice.choose(file, neural)[0], neural)
    assert select(population.table, neural.where, "neural.where").tolist() == [True, False, False]
