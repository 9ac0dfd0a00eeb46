"""A simulated recording's truth stands on its page, and nothing is taken for the truth that is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pynwb import NWBHDF5IO

from tests.support.html import EVIL, Page
from tests.support.make_results import make_results, make_session
from tests.support.nwb_builders import tiny
from xcebra_nwb.commands.report import report
from xcebra_nwb.core import netcdf
from xcebra_nwb.core.carriers import carriers
from xcebra_nwb.core.ground_truth import COLUMN, DESCRIPTION, GENERATOR, TRUE_TYPE
from xcebra_nwb.nwb.neural.ground_truth import true_types, with_true_types
from xcebra_nwb.nwb.reading.file import open_nwb
from xcebra_nwb.report import style

TYPES = ["place", "head_direction", "speed"]


def simulated(path: Path, generator: str = GENERATOR, description: str = DESCRIPTION) -> Path:
    """A small recording with a column of cell types."""
    with NWBHDF5IO(tiny(path), "a") as io:
        file = io.read()
        file.was_generated_by = [[generator, "1.0"]]
        types = [TYPES[row % 3] for row in range(len(file.units))]
        file.units.add_column(COLUMN, description, data=types)
        io.write(file)
    return path


@pytest.mark.parametrize(
    ("generator", "description", "known"),
    [(GENERATOR, DESCRIPTION, True), ("a laboratory", DESCRIPTION, False), (GENERATOR, "putative type", False)],
)
def test_only_what_our_simulator_says_is_the_truth(
    generator: str, description: str, known: bool, tmp_path: Path
) -> None:
    with open_nwb(simulated(tmp_path / "a.nwb", generator, description)) as file:
        types = true_types(file)
    assert (types is not None) == known
    if types is not None:
        assert types[:4].tolist() == ["place", "head_direction", "speed", "place"]


def test_each_unit_has_the_type_of_its_row() -> None:
    session = make_session(np.random.default_rng(0), units=3, rows=[4, 0, 2])
    types = np.array(["a", "b", "c", "d", "e"])
    assert with_true_types(session, types)[TRUE_TYPE].values.tolist() == ["e", "a", "c"]
    assert TRUE_TYPE not in with_true_types(session, None).coords
    assert TRUE_TYPE not in with_true_types(session, types[:3]).coords
    elsewhere = make_session(np.random.default_rng(0), units=3, neural_source="/acquisition/rates")
    assert TRUE_TYPE not in with_true_types(elsewhere, types).coords


@pytest.mark.slow
def test_the_page_of_a_simulated_session_compares_what_was_found_with_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "_data_uri", lambda drawn, colors=256: "data:image/png;base64,")
    monkeypatch.setattr(style, "_vector_uri", lambda drawn: "data:image/svg+xml,")
    types = ["head_direction" if unit % 3 == 1 else "place" if unit < 9 else EVIL for unit in range(12)]
    session = make_session(np.random.default_rng(0), labels=["position", "head_direction"])
    make_results(tmp_path, session=session.assign_coords({TRUE_TYPE: ("unit", types)}))
    report(tmp_path)
    page = Page(tmp_path / "report.html")
    assert page.ids[3] == "truth"
    found = truth_counts(netcdf.load_dataset(tmp_path / "attribution.nc"), "position", np.array(types) == "place")
    assert (
        f"position: {found[0]} of the {types.count('place')} units that carry it by construction were found, and "
        f"{found[1]} of the {12 - types.count('place')} others were taken for carriers." in page.text
    )
    rows = next(rows for rows in page.stored if len(rows) == 3 and rows[0][0] == "place")
    assert rows[0][2] == f"{found[0]} of {types.count('place')} ●"
    assert [row[0] for row in rows] == ["place", "head direction", EVIL.replace("_", " ")]
    assert EVIL not in page.html


@pytest.mark.slow
def test_the_page_of_a_recording_says_nothing_of_a_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_data_uri", lambda drawn, colors=256: "data:image/png;base64,")
    make_results(tmp_path, session=make_session(np.random.default_rng(0), labels=["choice"]))
    report(tmp_path)
    page = Page(tmp_path / "report.html")
    assert "truth" not in page.ids
    assert "true type" not in page.text


def truth_counts(attribution: xr.Dataset, label: str, tuned: np.ndarray) -> tuple[int, int]:
    """How many carriers of a label are of a type, and how many are not."""
    carries = carriers(attribution.sel(label=label)).values
    return int(carries[tuned].sum()), int(carries[~tuned].sum())
