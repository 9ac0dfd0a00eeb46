"""Results of earlier versions are read with the names of this one."""

import json
from pathlib import Path

import pytest
import xarray as xr

from tests.support.make_results import make_results
from xcebra_nwb.core import results
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.members import recorded_config
from xcebra_nwb.core.netcdf import load_dataset, save_dataset
from xcebra_nwb.report.unit_cards import _own_columns


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("older")
    make_results(made)
    return made


def test_a_method_and_a_unit_are_selected_by_their_names(directory: Path) -> None:
    maps = load_dataset(directory / "attribution.nc")
    method, unit = str(maps["map_method"].values[1]), str(maps["unit_id"].values[3])
    assert maps["attribution"].sel(map_method=method).dims == ("label", "unit")
    chosen = maps["attribution"].sel(map_method=method, label="position", unit=unit)
    assert float(chosen) == float(maps["attribution"].isel(map_method=1, unit=3).sel(label="position"))
    assert "null_attribution" in maps.data_vars
    assert not {str(name) for name in maps.dims} & {"method", "tolerance", "drop"}  # arguments of xarray's sel


def test_the_names_of_an_earlier_version_become_those_of_this_one(directory: Path, tmp_path: Path) -> None:
    maps = load_dataset(directory / "attribution.nc")
    older = maps.drop_vars("unit").rename({"map_method": "method"}).rename_vars({"null_attribution": "null"})
    save_dataset(older, tmp_path / "attribution.nc")
    with xr.open_dataset(tmp_path / "attribution.nc", engine="h5netcdf") as stored:
        assert {"method", "null"} <= set(stored.coords)
    xr.testing.assert_identical(load_dataset(tmp_path / "attribution.nc"), maps)


def test_results_that_name_no_optimiser_were_trained_by_adam(directory: Path) -> None:
    training = load_dataset(directory / "training.nc")
    assert recorded_config(training).training.optimizer == Config().training.optimizer == "muon"
    recorded = json.loads(training.attrs["config"])
    del recorded["training"]["optimizer"]
    assert recorded_config(training.assign_attrs(config=json.dumps(recorded))).training.optimizer == "adam"


def test_a_session_has_its_units_by_name(directory: Path) -> None:
    loaded = results.load(directory)
    unit = str(loaded.session["unit_id"].values[2])
    assert loaded.session["activity"].sel(unit=unit).shape == (loaded.session.sizes["time"],)


def test_the_index_of_units_is_no_fact_of_a_unit_on_its_card(directory: Path) -> None:
    titles = [title for title, _ in _own_columns(results.load(directory).session)[0]]
    assert "row of the file" in titles
    assert not {"unit", "unit id"} & set(titles)
