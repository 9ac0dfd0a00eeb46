"""``xcebra_nwb.read``: the results of a session, of an exported file, or of a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

import xcebra_nwb
from tests.support.range_server import serving
from tests.support.whole_analysis import NAME
from xcebra_nwb.api.session import user_session
from xcebra_nwb.core.carriers import carriers
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.netcdf import load_dataset

LABELS = ("position", "head_direction", "choice")


@pytest.fixture(scope="module")
def results(made: Path) -> xcebra_nwb.Results:
    found = xcebra_nwb.read(made / "sub-a_ses-1")
    assert isinstance(found, xcebra_nwb.Results)
    return found


def test_a_results_folder_is_maps_and_verdicts(results: xcebra_nwb.Results, made: Path) -> None:
    stored = load_dataset(made / "sub-a_ses-1" / "attribution.nc")
    assert results.dataset.attrs["tested_method"] == "inverted_neuron_gradient"
    for name, values in stored.data_vars.items():
        np.testing.assert_array_equal(results.dataset[name], values)
    np.testing.assert_array_equal(results.dataset["carries"], carriers(stored))
    assert results.dataset["verdict"].sel(label="position") == "supported"
    assert results.session["activity"].dims == ("time", "unit")
    assert "position: supported" in repr(results)


def test_units_are_a_table_with_all_measures(results: xcebra_nwb.Results) -> None:
    table = results.units
    assert table.index.tolist() == results.dataset["unit_id"].values.tolist()
    for name in ("region", "n_spikes", *(f"{label}_carries" for label in LABELS)):
        assert name in table.columns
    row, maps = table.loc["3"], results.dataset.sel(unit="3", label="choice")
    assert row["choice_information"] == float(maps["information"])
    assert row["choice_information_q"] == float(maps["information_q"])
    assert row["choice_attribution"] == float(maps["attribution"].isel(map_method=0))
    assert row["choice_z"] == float(maps["z"])
    assert row["choice_z_q"] == float(maps["q_value"])
    assert results.tuning is not None
    np.testing.assert_array_equal(
        table["position_tuning_reliability"], results.tuning["tuning_reliability"].sel(label="position")
    )
    assert table.groupby("region")["position_carries"].mean().between(0, 1).all()


def test_labels_are_a_table_with_verdict_evidence_and_power(results: xcebra_nwb.Results, made: Path) -> None:
    table = results.labels
    assessed = json.loads((made / "sub-a_ses-1" / "assessment.json").read_text())["labels"]
    assert table["verdict"].to_dict() == {label: entry["verdict"] for label, entry in assessed.items()}
    assert table.loc["position", "decoding_score"] == assessed["position"]["decoding"]["score"]
    assert table.loc["position", "carrying_units"] == assessed["position"]["carrying_units"]
    assert (table["shuffles"] > 0).all()
    assert table["unit_q"].between(0, 1).all()


def test_a_session_dataset_alone_can_be_read_and_analysed(made: Path) -> None:
    found = xcebra_nwb.read(made / "sub-a_ses-1" / "session.nc")
    assert isinstance(found, xcebra_nwb.Results)
    assert found.session.sizes["unit"] == 12
    with pytest.raises(UsageError, match="a session dataset has no maps"):
        _ = found.dataset
    assert user_session(found.session, None, Config()) is found.session
    with pytest.raises(UsageError, match="labels and segments of its own"):
        xcebra_nwb.attribute(found.session, {"position": [1.0]})


def test_an_exported_file_has_the_maps_of_its_folder(workflow: Path) -> None:
    folder, exported = xcebra_nwb.read(workflow), xcebra_nwb.read(workflow / f"{NAME}_desc-xcebra.nwb")
    assert isinstance(folder, xcebra_nwb.Results)
    assert isinstance(exported, xcebra_nwb.Results)
    shared = [name for name in exported.dataset.data_vars if name in folder.dataset]
    assert {"attribution", "z", "q_value", "information", "carries", "verdict", "because"} <= set(shared)
    for name in sorted({*shared} - {"consistency", "decoding_score", "decoding_p", "leak"}):
        np.testing.assert_array_equal(exported.dataset[name], folder.dataset[name], err_msg=str(name))
    np.testing.assert_array_equal(exported.dataset["map_method"], folder.dataset["map_method"])
    assert exported.units.index.tolist() == folder.units.index.tolist()
    assert exported.units["region"].tolist() == ["CA1"] * 6
    assert exported.labels["verdict"].to_dict() == folder.labels["verdict"].to_dict()
    with pytest.raises(UsageError, match="no seeds and nulls"):
        exported.plot.map("position")


def test_an_address_is_read_like_a_file(workflow: Path) -> None:
    with serving(workflow) as server:
        exported = xcebra_nwb.read(server.address(f"{NAME}_desc-xcebra.nwb"))
    assert isinstance(exported, xcebra_nwb.Results)
    assert exported.labels.index.tolist() == xcebra_nwb.read(workflow).labels.index.tolist()


def test_a_run_is_an_atlas(made: Path) -> None:
    atlas = xcebra_nwb.read(made)
    assert isinstance(atlas, xcebra_nwb.Atlas)
    assert atlas.sessions == ["sub-a_ses-1", "sub-a_ses-2"]
    assert [results.name for results in atlas] == ["sub-a_ses-1"] * 2  # make_results gives all sessions one name
    assert atlas.labels.loc[("sub-a_ses-2", "choice"), "verdict"] == "not encoded"
    with pytest.raises(UsageError, match="no session sub-b"):
        atlas["sub-b"]
    with pytest.raises(UsageError, match="no atlas"):
        _ = atlas.units


@pytest.mark.parametrize(("name", "said"), [("none", "no such file"), ("empty", "no results in this folder")])
def test_what_cannot_be_read_is_one_line(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=said):
        xcebra_nwb.read(tmp_path / name)


def test_another_nwb_file_is_refused(workflow: Path) -> None:
    with pytest.raises(UsageError, match="no results of xcebra-nwb"):
        xcebra_nwb.read(workflow.parent / "tiny.nwb")


# Figures
# -------


PLOTS = [
    ("map", ("position",)),
    ("units", ("position",)),
    ("regions", ("choice",)),
    ("methods", ("choice",)),
    ("tuning", ("position", "3")),
    ("tuning", ("head_direction", 1)),
    ("tuning", ("choice", "0")),
    ("embedding", ("position",)),
    ("decoded", ("position",)),
    ("decoded", ("head_direction",)),
    ("decoded", ("choice",)),
    ("decoding", ("position",)),
]


@pytest.mark.parametrize(("name", "given"), PLOTS, ids=lambda value: str(value))
def test_a_figure_draws_on_the_axes_that_it_is_given(
    name: str, given: tuple[str, ...], results: xcebra_nwb.Results, tmp_path: Path
) -> None:
    drawn = Figure()
    axes = drawn.subplots()
    assert getattr(results.plot, name)(*given, ax=axes) is axes
    assert axes.has_data()
    drawn.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 2000


def test_without_axes_a_figure_makes_its_own(results: xcebra_nwb.Results) -> None:
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    assert results.plot.tuning("head_direction", "1").name == "polar"
    assert results.plot.map("position", measure="z").get_ylabel() == "z over nulls"
    assert dict(mpl.rcParams) == before
    plt.close("all")


def test_bars_of_a_map_are_the_information_of_the_units(results: xcebra_nwb.Results) -> None:
    axes = results.plot.map("position", ax=Figure().subplots())
    names = [text.get_text() for text in axes.get_xticklabels()]
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights, results.units.loc[names, "position_information"])


def test_a_figure_of_nothing_says_what_there_is(results: xcebra_nwb.Results) -> None:
    with pytest.raises(UsageError, match=r"no label 'speed'.*position, head_direction, choice"):
        results.plot.map("speed")
    with pytest.raises(UsageError, match="no unit 99"):
        results.plot.tuning("position", 99)
    with pytest.raises(UsageError, match="measure: size"):
        results.plot.map("position", measure="size")  # type: ignore[arg-type]


# Over sessions
# -------------


def test_comparison_is_that_of_the_command(tmp_path: Path, made: Path) -> None:
    from xcebra_nwb.commands import compare as command
    from xcebra_nwb.report import atlas
    from xcebra_nwb.report.atlas_part import atlas_part

    rows = []
    for name in ("sub-a_ses-1", "sub-a_ses-2"):
        part = atlas_part(load_dataset(made / name / "attribution.nc"), subject=name[:5])
        rows.append(atlas.session_atlas(part, name, {"position": "supported"}))
    atlas.save(atlas.join(rows), tmp_path / "atlas.parquet")
    compared = xcebra_nwb.compare(tmp_path, by="region")
    expected = command.as_json(command.compare([tmp_path], "region"))
    pd.testing.assert_frame_equal(compared.estimates, pd.DataFrame(expected["estimates"]), check_dtype=False)
    assert list(compared.may) == expected["may_be_compared"]
    drawn = Figure()
    first, second = drawn.subplots(1, 2, sharey=True)
    assert compared.plot((first, second)) == (first, second)
    assert first.has_data()
    shutil.copytree(made / "sub-a_ses-1", tmp_path / "sub-a_ses-1")
    read = xcebra_nwb.read(tmp_path)
    assert isinstance(read, xcebra_nwb.Atlas)
    assert len(read.units) == 2 * 12 * 3 * 2
    with pytest.raises(UsageError, match="by: 'area'"):
        xcebra_nwb.compare(tmp_path, by="area")  # type: ignore[arg-type]


def test_maps_survive_a_file(results: xcebra_nwb.Results, tmp_path: Path) -> None:
    results.dataset.to_netcdf(tmp_path / "maps.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "maps.nc", engine="h5netcdf") as again:
        xr.testing.assert_equal(again.load(), results.dataset)
