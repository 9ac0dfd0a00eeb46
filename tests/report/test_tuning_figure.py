"""The tuning of units on the page of a session."""

from __future__ import annotations

from pathlib import Path

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
from xcebra_nwb.report.figures.tuning import MOST_AXES, MOST_UNITS, tuning_figure
from xcebra_nwb.report.unit_tuning import preferred_words, shown_units, strength_words, tuning_alt, tuning_caption


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


@pytest.mark.slow
@pytest.mark.parametrize("label", LABELS)
def test_every_kind_of_label_has_a_panel_a_unit(label: str, made: Path) -> None:
    units, chosen = netcdf.load_dataset(made / "units.nc"), [3, 0, 7]
    with style.styled():
        drawn = tuning_figure(units, label, chosen)
    panels = [panel for panel in drawn.axes if panel.axison]
    assert len(panels) == 3
    for panel, unit in zip(panels, chosen, strict=True):
        title = panel.get_title(loc="left")
        assert title.startswith(f"{unit} · {preferred_words(units, label, unit)}")
        assert strength_words(units, label, unit) in title


@pytest.mark.slow
def test_a_page_shows_the_tuning_of_every_label(made: Path, undrawn: None) -> None:
    report(made)
    page, units = Page(made / "report.html"), netcdf.load_dataset(made / "units.nc")
    attribution = netcdf.load_dataset(made / "attribution.nc")
    for label in LABELS:
        chosen = shown_units(attribution, label, MOST_UNITS)
        assert tuning_caption(units, label, chosen) in page.text
        assert tuning_alt(units, label, chosen) in [image.get("alt") for image in page.images]
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
        assert preferred_words(units, label, 0) == strength_words(units, label, 0) == ""
        assert "0: not known" in tuning_alt(units, label, [0])
    assert preferred_words(units, "head_direction", 1).endswith("°")
    assert preferred_words(units, "position", 1).endswith(" m")
    assert strength_words(units, "position", 1).endswith(" bits/spike")


def test_three_axes_have_a_column_each() -> None:
    rng = np.random.default_rng(0)
    session = make_session(rng, bins=2000, labels=["choice"])
    attrs = {"role": "label", "kind": "continuous", "units": "m", "source": "", "reference_frame": ""}
    session["pose"] = xr.DataArray(rng.uniform(-1, 1, (2000, 3)), dims=("time", "pose_axis"), attrs=attrs)
    units = units_dataset(session, np.flatnonzero(session["valid"].values), Config())
    with style.styled():
        drawn = tuning_figure(units, "pose", list(range(MOST_UNITS)))
    assert len(drawn.axes) == 3 * MOST_AXES
    assert "Every axis has its own curve" in tuning_caption(units, "pose", [0])


@pytest.mark.slow
def test_hostile_names_are_drawn_and_escaped(tmp_path: Path) -> None:
    names = ["$\\alpha$", "<script>", "a" * 500]
    session = make_session(np.random.default_rng(0), units=3, labels=["choice"], unit_ids=names)
    session["choice"].attrs["classes"] = '["$x$", "<b>"]'
    make_results(tmp_path, session=session)
    report(tmp_path)
    assert "<script>: " not in (tmp_path / "report.html").read_text()
    assert any("<script>: " in (image.get("alt") or "") for image in Page(tmp_path / "report.html").images)
