"""The tuning of units on the page of a session."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr

from tests.support.html import Page
from tests.support.make_results import LABELS, make_results, make_session
from xcebra_nwb.attribution.units_dataset import units_dataset
from xcebra_nwb.commands.report import report
from xcebra_nwb.core import netcdf
from xcebra_nwb.core.carriers import DRAWS, INFORMATION, carriers
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.report import style
from xcebra_nwb.report.figures.unit_panels import MOST_AXES, panels
from xcebra_nwb.report.pages.session import MOST_UNITS
from xcebra_nwb.report.unit_tuning import (
    shown_units,
    tuning_caption,
    tuning_words,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a session with more units than a figure shows."""
    directory = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    make_results(directory, rng, session=make_session(rng, units=15, bins=6000))
    return directory


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_data_uri", lambda drawn, colors=256: "data:image/png;base64,")


def test_carriers_with_most_information_are_shown_first_then_units_with_the_largest_z(made: Path) -> None:
    attribution = netcdf.load_dataset(made / "attribution.nc")
    told, carry = attribution["information"].sel(label="position").values, carriers(attribution.sel(label="position"))
    chosen = shown_units(attribution, "position", MOST_UNITS)
    assert carry.values[chosen[: int(carry.sum())]].all()
    assert told[chosen].tolist() == sorted(told, reverse=True)[:MOST_UNITS]
    attribution = attribution.drop_vars([*INFORMATION, DRAWS])
    z = attribution["z"].sel(label="position").values
    chosen = shown_units(attribution, "position", MOST_UNITS)
    assert len(chosen) == MOST_UNITS
    assert z[chosen].tolist() == sorted(z, reverse=True)[:MOST_UNITS]
    attribution["z"].values[:] = np.nan
    chosen = shown_units(attribution, "position", 3)
    assert chosen[0] == attribution["attribution"].sel(label="position").values[0].argmax()
    attribution["z"].values[:, 4] = 1.0
    assert shown_units(attribution, "position", MOST_UNITS)[0] == 4  # those without a z come last


@pytest.mark.parametrize(("label", "form"), [("position", "map"), ("head_direction", "polar"), ("choice", "classes")])
def test_every_kind_of_label_has_a_drawing_of_its_own(label: str, form: str, made: Path) -> None:
    units = netcdf.load_dataset(made / "units.nc")
    (drawn,) = panels(units, label, 0)
    assert drawn.form == form
    graphic = ElementTree.fromstring(str(drawn.drawn(3)))
    assert graphic.get("data-p") == ElementTree.fromstring(str(drawn.shared)).get("id")
    highest = units[f"{label}_tuning" if form == "map" else f"{label}_tuning_high"].values[3]
    assert float(str(graphic.get("data-r")).split()[1]) == pytest.approx(np.nanmax(highest), rel=5e-3)


def test_a_drawn_curve_is_the_curve_of_the_file() -> None:
    session = make_session(np.random.default_rng(0), bins=6000, labels=["choice"])
    attrs = {"role": "label", "kind": "continuous", "units": "cm", "source": "", "reference_frame": ""}
    session["speed"] = ("time", np.random.default_rng(1).uniform(0, 30, 6000), attrs)
    units = units_dataset(session, np.flatnonzero(session["valid"].values), Config())
    units["speed_tuning"].values[2, 7] = units["speed_tuning_low"].values[2, 7] = np.nan
    units["speed_tuning_high"].values[2, 7] = np.nan
    (drawn,) = panels(units, "speed", 0)
    graphic = ElementTree.fromstring(str(drawn.drawn(2)))
    bottom, top = map(float, str(graphic.get("data-r")).split())
    path = next(each.get("d") for each in graphic.iter("path") if each.get("class") == "c")
    corners = walked(str(path))
    first, step = map(int, str(ElementTree.fromstring(str(drawn.shared)).get("data-x")).split())
    expected = units["speed_tuning"].values[2]
    assert [(x - first) // step for x, _ in corners] == [bin_ for bin_ in range(30) if bin_ != 7]
    values = [bottom + (14 + 100 - y) / 100 * (top - bottom) for _, y in corners]
    assert values == pytest.approx(expected[np.isfinite(expected)], abs=0.006 * (top - bottom))


def walked(path: str) -> list[tuple[int, int]]:
    """The corners of a path of whole numbers."""
    corners, x, y = [], 0, 0
    for command, numbers in re.findall(r"([Ml])([^A-Za-z]*)", path):
        values = [int(each) for each in re.findall(r"[-+]?\d+", numbers)]
        for across, down in zip(values[::2], values[1::2], strict=True):
            x, y = (across, down) if command == "M" else (x + across, y + down)
            corners.append((x, y))
    return corners


@pytest.mark.slow
def test_a_page_shows_the_tuning_of_every_label(made: Path, undrawn: None) -> None:
    report(made)
    page, units = Page(made / "report.html"), netcdf.load_dataset(made / "units.nc")
    attribution = netcdf.load_dataset(made / "attribution.nc")
    for label in LABELS:
        chosen = shown_units(attribution, label, MOST_UNITS)
        assert tuning_caption(units, label, chosen) in page.text
        assert "Above: the " in tuning_caption(units, label, chosen)  # what the number above a drawing is
        words = tuning_words(units, label)
        assert all(words[unit] in page.text for unit in chosen)
    assert "Tuning of 12 of 15 units: those that carry the label first, in order of information." in page.text


@pytest.mark.slow
def test_a_page_of_older_results_has_no_tuning(tmp_path: Path, undrawn: None) -> None:
    make_results(tmp_path, session=make_session(np.random.default_rng(0), labels=["choice"]))
    (tmp_path / "units.nc").unlink()
    report(tmp_path)
    assert "tuned to" not in Page(tmp_path / "report.html").text


def test_words_say_what_is_not_known() -> None:
    session = make_session(np.random.default_rng(0), bins=6000)
    session["activity"].values[:, 0] = 0
    units = units_dataset(session, np.flatnonzero(session["valid"].values), Config())
    for label in LABELS:
        assert tuning_words(units, label)[0] == ""
    assert "°" in tuning_words(units, "head_direction")[1]
    assert " m" in tuning_words(units, "position")[1]
    assert tuning_words(units, "position")[1].endswith(" bits/spike")


def test_three_axes_have_a_drawing_each() -> None:
    rng = np.random.default_rng(0)
    session = make_session(rng, bins=2000, labels=["choice"])
    attrs = {"role": "label", "kind": "continuous", "units": "m", "source": "", "reference_frame": ""}
    session["pose"] = xr.DataArray(rng.uniform(-1, 1, (2000, 3)), dims=("time", "pose_axis"), attrs=attrs)
    units = units_dataset(session, np.flatnonzero(session["valid"].values), Config())
    drawn = panels(units, "pose", 0)
    assert [each.title for each in drawn] == ["pose, axis 1", "pose, axis 2", "pose, axis 3"]
    assert len(drawn) <= MOST_AXES
    for axis, each in enumerate(drawn):
        assert np.array_equal(each.curve, units["pose_tuning"].values[:, axis], equal_nan=True)
    assert "Every axis has its own curve" in tuning_caption(units, "pose", [0])


@pytest.mark.slow
def test_hostile_names_are_drawn_and_escaped(tmp_path: Path) -> None:
    names = ["$\\alpha$", "<script>", "a" * 500]
    session = make_session(np.random.default_rng(0), units=3, labels=["choice"], unit_ids=names)
    session["choice"].attrs["classes"] = '["$x$", "<b>"]'
    make_results(tmp_path, session=session)
    report(tmp_path)
    page = Page(tmp_path / "report.html")
    assert page.text.count("Unit <script>") == 1
    assert 'data-unit="<script>"' not in page.html
    assert {"$x$", "<b>"} <= set(re.findall(r"\$x\$|<b>(?= )|<b>", page.text))
