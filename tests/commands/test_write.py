"""The slim export: what stays of the source, and the results read back with pynwb and pynapple."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.epoch import TimeIntervals
from pynwb.misc import Units

from tests.support.exported_session import NAME, UNITS, export_of, make_source
from tests.support.make_results import LABELS, make_results, make_session
from xcebra_nwb.commands.write import write
from xcebra_nwb.core import provenance
from xcebra_nwb.core.carriers import carriers
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.netcdf import load_dataset, save_dataset
from xcebra_nwb.nwb.export.objects import TESTED, flat

ASCII = ("experimenter", "keywords", "related_publications")


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    """The digest and the time of the source before it is exported."""
    return {}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, before: dict[str, Any]) -> tuple[Path, Path, xr.Dataset]:
    """A source, the results directory with its export, and attribution.nc."""
    directory = tmp_path_factory.mktemp("written")
    source = make_source(directory / "source.nwb")
    make_results(directory / NAME, source=source)
    source.chmod(0o444)
    before["source"] = (sha256(source), source.stat().st_mtime_ns)
    assert write(source, directory / NAME, NAME) == [directory / NAME / f"{NAME}_desc-xcebra.nwb"]
    return source, directory / NAME, xr.load_dataset(directory / NAME / "attribution.nc", engine="h5netcdf")


def rows_of(path: Path, table: str) -> pd.DataFrame:
    with NWBHDF5IO(path, "r") as io:
        return io.read().processing["misc"][table].to_dataframe(index=True)


def lineage_of(path: Path) -> dict[str, str]:
    frame = rows_of(path, "xcebra_lineage")
    return dict(zip(frame["key"], frame["value"], strict=True))


@pytest.fixture(scope="module")
def otherwise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of results that differ from the usual ones.

    The bins are evenly spaced, there are no tuning curves, and other sessions were trained with this one.
    """
    directory = tmp_path_factory.mktemp("otherwise") / NAME
    source = make_source(directory.parent / "source.nwb")
    make_results(directory, source=source)
    (directory / "units.nc").unlink()
    save_dataset(load_dataset(directory / "embedding.nc").isel(time=slice(0, 200)), directory / "embedding.nc")
    others = json.dumps({"sub-b": "../elsewhere/sub-b", "sub-c": "../sub-c"})
    training = load_dataset(directory / "training.nc").assign_attrs(space="1234", trained_with=others)
    save_dataset(training, directory / "training.nc")
    write(source, directory, NAME)
    return export_of(directory)


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of results of three of the units, from one seed and no null."""
    directory = tmp_path_factory.mktemp("little") / NAME
    source, rng = make_source(directory.parent / "source.nwb"), np.random.default_rng(0)
    session = make_session(rng, units=3, rows=[1, 4, 11])
    make_results(directory, rng, session=session, source=source, seeds=1, nulls=0)
    write(source, directory, NAME)
    return export_of(directory)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a source with units and intervals in modules, a history, and lists of ASCII text."""

    def change(nwbfile: NWBFile) -> None:
        misc = nwbfile.create_processing_module(name="misc", description="the lab's own")
        misc.add(TimeSeries(name="bulky", description="much", data=np.zeros(9), unit="V", rate=1.0, starting_time=0.0))
        sleep = TimeIntervals(name="sleep", description="sleep")
        sleep.add_interval(start_time=0.0, stop_time=1.0)
        nwbfile.processing["behavior"].add(sleep)
        units = Units(name="sorted", description="sorted again")
        units.add_unit(spike_times=[1.0, 2.0])
        nwbfile.create_processing_module(name="ecephys", description="sorting").add(units)
        nwbfile.was_generated_by = [["a tool", "1"]]
        nwbfile.source_script = "convert.m"
        nwbfile.source_script_file_name = "convert.m"

    directory = tmp_path_factory.mktemp("rich") / NAME
    source = make_source(directory.parent / "source.nwb", change)
    with h5py.File(source, "a") as file:
        for name in ASCII:
            if name in file["general"]:
                del file["general"][name]
            file["general"].create_dataset(name, data=[b"Doe, Jane"], dtype=h5py.string_dtype("ascii"))
    make_results(directory, source=source)
    write(source, directory, NAME)
    return export_of(directory)


@pytest.mark.slow
def test_the_source_is_never_touched(written: tuple[Path, Path, xr.Dataset], before: dict[str, Any]) -> None:
    source = written[0]
    assert (sha256(source), source.stat().st_mtime_ns) == before["source"]
    assert sorted(p.name for p in source.parent.iterdir()) == ["source.nwb", NAME]


@pytest.mark.slow
def test_identity_units_electrodes_and_intervals_stay(written: tuple[Path, Path, xr.Dataset]) -> None:
    source, directory, _ = written
    with NWBHDF5IO(source, "r") as before, NWBHDF5IO(export_of(directory), "r") as after:
        old, new = before.read(), after.read()
        for name in ("identifier", "session_id", "session_start_time", "institution", "experimenter"):
            assert getattr(new, name) == getattr(old, name)
        assert list(new.keywords) == list(old.keywords)
        assert new.object_id != old.object_id
        assert new.subject.subject_id == "a"
        assert list(new.devices) == ["probe"]
        assert new.units["electrodes"].data.shape == (UNITS,)
        assert new.units["spike_times"].data[:].tolist() == old.units["spike_times"].data[:].tolist()
        assert new.units["electrodes"].target.table is new.electrodes
        assert new.trials["choice"][:].tolist() == old.trials["choice"][:].tolist()
        assert len(new.file_create_date) == 2
        assert [list(one) for one in new.was_generated_by] == [["xcebra-nwb", provenance.software()["xcebra-nwb"]]]


def test_series_go_unless_an_interval_refers_to_them(written: tuple[Path, Path, xr.Dataset]) -> None:
    with NWBHDF5IO(export_of(written[1]), "r") as io:
        nwbfile = io.read()
        assert list(nwbfile.acquisition) == ["cue"]
        assert nwbfile.trials["timeseries"][3][0].timeseries is nwbfile.acquisition["cue"]
        assert not nwbfile.stimulus
        assert list(nwbfile.processing) == ["misc"]
        assert set(nwbfile.processing["misc"].data_interfaces) == {
            "xcebra_embedding",
            "xcebra_attribution",
            "xcebra_tuning",
            "xcebra_tuning_bins",
            "xcebra_runs",
            "xcebra_lineage",
        }


def test_tuning_curves_are_those_of_the_results(written: tuple[Path, Path, xr.Dataset]) -> None:
    units = load_dataset(written[1] / "units.nc")
    frame, bins = (rows_of(export_of(written[1]), name) for name in ("xcebra_tuning", "xcebra_tuning_bins"))
    assert len(frame) == units["tuning_reliability"].size
    for label, group in frame.groupby("label", sort=False):
        curves = units[f"{label}_tuning"].values.reshape(UNITS, -1)
        np.testing.assert_array_equal(np.stack(group["tuning"]), curves)
        np.testing.assert_array_equal(group["information"], units["tuning_information"].sel(label=label))
        preferred = units[f"{label}_preferred"].values
        if label == "choice":
            assert group["preferred_class"].tolist() == preferred.tolist()
        else:
            np.testing.assert_array_equal(np.stack(group["preferred"]), preferred.reshape(UNITS, -1))
        shown = bins[bins["label"] == label]
        np.testing.assert_array_equal(shown["occupancy"], units[f"{label}_occupancy"].values.reshape(-1))
    assert bins.loc[bins["label"] == "choice", "class_name"].tolist() == ["left", "right"]
    position = bins[bins["label"] == "position"]
    np.testing.assert_array_equal(position["x"], np.repeat(units["position_x"].values, units.sizes["position_y"]))


def test_results_without_units_are_exported_as_before(otherwise: Path) -> None:
    with NWBHDF5IO(otherwise, "r") as io:
        assert "xcebra_tuning" not in io.read().processing["misc"].data_interfaces


@pytest.mark.slow
def test_attributions_are_those_of_the_results(written: tuple[Path, Path, xr.Dataset]) -> None:
    _, directory, attribution = written
    frame = rows_of(export_of(directory), "xcebra_attribution")
    with NWBHDF5IO(export_of(directory), "r") as io:
        nwbfile = io.read()
        assert nwbfile.processing["misc"]["xcebra_attribution"]["unit"].table is nwbfile.units
    assert len(frame) == attribution["attribution"].size
    for (method, label), group in frame.groupby(["method", "label"], sort=False):
        one = attribution.sel(map_method=method, label=label)
        assert group["unit"].tolist() == one["row"].values.tolist()
        np.testing.assert_array_equal(group["attribution"], one["attribution"])
        for column in ("sd", "low", "high"):
            np.testing.assert_array_equal(group[column], one[f"attribution_{column}"])
        np.testing.assert_array_equal(np.stack(group["latent_map"]), one["latent_map"].values[0].T)
        tested = method == attribution["map_method"].values[0]
        for column, variable in TESTED.items():
            np.testing.assert_array_equal(group[column], one[variable] if tested else np.full(UNITS, np.nan))


def test_the_embedding_is_the_first_seeds_in_valid_bins(written: tuple[Path, Path, xr.Dataset]) -> None:
    embedding = xr.load_dataset(written[1] / "embedding.nc", engine="h5netcdf")
    with NWBHDF5IO(export_of(written[1]), "r") as io:
        series = io.read().processing["misc"]["xcebra_embedding"]
        kept = np.isfinite(embedding["embedding"].values[0]).all(axis=1)
        np.testing.assert_array_equal(series.data[:], embedding["embedding"].values[0][kept])
        np.testing.assert_array_equal(series.timestamps[:], embedding["time"].values[kept])
        assert "first of 2 seeds (member 0)" in series.description
        assert "position 0 to 2" in series.description


@pytest.mark.slow
def test_evenly_spaced_bins_have_a_rate(otherwise: Path) -> None:
    with NWBHDF5IO(otherwise, "r") as io:
        series = io.read().processing["misc"]["xcebra_embedding"]
        assert series.timestamps is None
        assert (series.starting_time, series.rate) == pytest.approx((0.025, 20.0))


def test_runs_have_roles_shifts_losses_and_the_config(written: tuple[Path, Path, xr.Dataset]) -> None:
    training = xr.load_dataset(written[1] / "training.nc", engine="h5netcdf")
    frame = rows_of(export_of(written[1]), "xcebra_runs")
    assert frame["run"].tolist() == ["seed 0", "seed 1", *(f"null {label} {n}" for label in LABELS for n in range(3))]
    assert frame["shift"].tolist() == training["shift"].values.tolist()
    for objective in ("time", "position", "head_direction", "choice"):
        one = training.sel(objective=objective)
        np.testing.assert_array_equal(frame[f"last_loss_{objective}"], one["loss"].values[:, -1])
        np.testing.assert_array_equal(frame[f"held_out_loss_{objective}"], one["held_out_loss"])
    config = dict(json.loads(frame["config"][0]))
    assert config["training.regularizer.ramp"] == [0.125, 0.25]
    assert config["encoder.architecture"] == "mlp"


def test_lineage_says_where_it_comes_from_and_what_was_found(written: tuple[Path, Path, xr.Dataset]) -> None:
    source, directory, attribution = written
    lineage = lineage_of(export_of(directory))
    assert lineage["source_file"] == "source.nwb"
    assert lineage["sha256"] == sha256(source)
    assert lineage["nwb_identifier"] == "made-up"
    assert lineage["neural_source"] == "/units"
    assert lineage["config_hash"] == provenance.digest(json.loads(attribution.attrs["config"]))
    assert lineage["software.pynwb"] == provenance.software()["pynwb"]
    assert lineage["label.position.verdict"] == "supported"
    assert lineage["label.choice.source"] == "/intervals/trials#choice"
    assert lineage["label.choice.latents"] == "6 to 7"
    assert "asset_id" not in lineage
    assert not any(str(source.parent) in value for value in lineage.values())


@pytest.mark.slow
def test_the_lineage_names_the_sessions_of_the_space_but_not_their_folders(otherwise: Path) -> None:
    lineage = lineage_of(otherwise)
    assert (lineage["space"], lineage["trained_with"]) == ("1234", "sub-b, sub-c")
    assert "aligned_to" not in lineage


@pytest.mark.slow
def test_activity_from_elsewhere_has_a_table_of_its_own(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.nwb")
    rng = np.random.default_rng(0)
    session = make_session(rng, neural_source="/acquisition/Activity_*", unit_ids=[f"n{i}" for i in range(UNITS)])
    make_results(tmp_path / NAME, rng, session=session, source=source)
    write(source, tmp_path / NAME, NAME)
    units = rows_of(export_of(tmp_path / NAME), "xcebra_units")
    assert units["unit_id"].tolist() == [f"n{i}" for i in range(UNITS)]
    assert set(units["source"]) == {"/acquisition/Activity_*"}
    assert units["row"].tolist() == list(range(UNITS))
    with NWBHDF5IO(export_of(tmp_path / NAME), "r") as io:
        misc = io.read().processing["misc"]
        assert misc["xcebra_attribution"]["unit"].table is misc["xcebra_units"]


@pytest.mark.slow
def test_units_point_to_their_rows(little: Path) -> None:
    assert rows_of(little, "xcebra_attribution")["unit"].tolist()[:4] == [1, 4, 11, 1]


@pytest.mark.slow
def test_what_is_not_known_has_no_column(little: Path) -> None:
    assert list(rows_of(little, "xcebra_attribution")) == [
        "label", "method", "attribution", "information", "information_low", "information_high", "information_p",
        "information_q", "carries", "latent_map", "unit",
    ]  # fmt: skip
    with NWBHDF5IO(little, "r") as io:
        misc = io.read().processing["misc"]
        assert "no sd: a single seed has no spread; no low:" in misc["xcebra_attribution"].description
        assert "xcebra_runs" not in misc.data_interfaces
    assert lineage_of(little)["run.run"] == "seed 0"


def contents(path: Path) -> dict[str, Any]:
    """Every dataset and attribute of a file but dates, identifiers of objects and references."""
    found: dict[str, Any] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if name == "file_create_date" or name.startswith("specifications"):
            return
        for key, value in item.attrs.items():
            if key != "object_id" and not isinstance(value, h5py.Reference):
                found[f"{name}@{key}"] = np.asarray(value).tolist()
        if isinstance(item, h5py.Dataset) and item.dtype.names is None and not h5py.check_ref_dtype(item.dtype):
            found[name] = np.asarray(item[()]).tolist()

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


@pytest.mark.slow
def test_a_second_run_gives_the_same_contents(written: tuple[Path, Path, xr.Dataset]) -> None:
    source, directory, _ = written
    first = contents(export_of(directory))
    write(source, directory, NAME)
    second = contents(export_of(directory))
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_equal(second[key], value, err_msg=key)


@pytest.mark.slow
def test_an_export_can_be_exported_again(written: tuple[Path, Path, xr.Dataset], tmp_path: Path) -> None:
    source = export_of(written[1])
    make_results(tmp_path / NAME, source=source)
    write(source, tmp_path / NAME, NAME)
    with NWBHDF5IO(export_of(tmp_path / NAME), "r") as io:
        nwbfile = io.read()
        assert len(nwbfile.processing["misc"].data_interfaces) == 6
        assert len(nwbfile.file_create_date) == 3
        assert list(nwbfile.acquisition) == ["cue"]


@pytest.mark.slow
def test_what_the_source_says_of_its_making_is_kept(rich: Path) -> None:
    with NWBHDF5IO(rich, "r") as io:
        nwbfile = io.read()
        assert [list(one) for one in nwbfile.was_generated_by] == [["a tool", "1"]]
        assert nwbfile.source_script == "convert.m"


@pytest.mark.slow
def test_units_and_intervals_in_modules_stay_and_misc_is_shared(rich: Path) -> None:
    with NWBHDF5IO(rich, "r") as io:
        nwbfile = io.read()
        assert list(nwbfile.processing["behavior"].data_interfaces) == ["sleep"]
        assert list(nwbfile.processing["ecephys"].data_interfaces) == ["sorted"]
        assert nwbfile.processing["misc"].description == "the lab's own"
        assert "bulky" not in nwbfile.processing["misc"].data_interfaces
        assert "xcebra_lineage" in nwbfile.processing["misc"].data_interfaces


@pytest.mark.slow
def test_lists_of_ascii_text_stay_text(rich: Path) -> None:
    with h5py.File(rich) as file:
        for name in ASCII:
            assert file["general"][name][0] == b"Doe, Jane"


@pytest.mark.slow
def test_a_source_that_changed_is_not_described(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.nwb")
    make_results(tmp_path / NAME, source=source)
    with h5py.File(source, "a") as file:
        file.attrs["changed"] = 1
    with pytest.raises(Failure, match="not the file that sub-a_ses-1 was extracted from"):
        write(source, tmp_path / NAME, NAME)
    assert not export_of(tmp_path / NAME).exists()


@pytest.mark.slow
def test_errors_are_one_line_and_leave_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source.nwb"
    source.write_text("not NWB")
    make_results(tmp_path / NAME, source=source)
    before = sorted((tmp_path / NAME).iterdir())
    with pytest.raises(UsageError, match="no such file"):
        write(tmp_path / "none.nwb", tmp_path / NAME, NAME)
    with pytest.raises(Failure, match="pynwb cannot export it") as error:
        write(source, tmp_path / NAME, NAME)
    assert "\n" not in str(error.value)
    assert sorted((tmp_path / NAME).iterdir()) == before
    (tmp_path / NAME / "training.nc").unlink()
    with pytest.raises(UsageError, match=r"training\.nc: no such file"):
        write(source, tmp_path / NAME, NAME)


@pytest.mark.slow
def test_rows_that_the_source_does_not_have_fail(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.nwb")
    rng = np.random.default_rng(0)
    make_results(tmp_path / NAME, rng, session=make_session(rng, units=13), source=source)
    with pytest.raises(Failure, match="no row 12 in /units"):
        write(source, tmp_path / NAME, NAME)
    assert not export_of(tmp_path / NAME).exists()


def test_a_config_is_flat_in_the_table() -> None:
    nested = {"a": {"b": 1, "c": [1, 2]}, "d": [{"e": None}, {"e": "x"}], "f": []}
    assert dict(flat(nested)) == {"a.b": 1, "a.c": [1, 2], "d.0.e": None, "d.1.e": "x", "f": []}


@pytest.mark.slow
def test_pynapple_reads_it(written: tuple[Path, Path, xr.Dataset]) -> None:
    import pynapple

    loaded = pynapple.load_file(str(export_of(written[1])))
    assert isinstance(loaded["xcebra_embedding"], pynapple.TsdFrame)
    assert loaded["xcebra_embedding"].shape == (580, 8)
    assert isinstance(loaded["units"], pynapple.TsGroup)
    assert len(loaded["units"]) == UNITS
    attribution = load_dataset(written[1] / "attribution.nc").sel(label="position")
    units = loaded["units"]
    np.testing.assert_array_equal(units["xcebra_position_information"], attribution["information"])
    np.testing.assert_array_equal(units["xcebra_position_information_q"], attribution["information_q"])
    np.testing.assert_array_equal(units["xcebra_position_z_q"], attribution["q_value"])
    carrying = carriers(attribution).values
    assert 0 < carrying.sum() < UNITS
    assert list(units[units["xcebra_position"] == "carries"].index) == np.flatnonzero(carrying).tolist()
    loaded.close()


@pytest.mark.slow
def test_units_say_what_was_found_of_them(tmp_path: Path) -> None:
    source, rng = make_source(tmp_path / "source.nwb"), np.random.default_rng(0)
    make_results(tmp_path / NAME, rng, session=make_session(rng, units=3, rows=[1, 4, 11]), source=source)
    write(source, tmp_path / NAME, NAME)
    first = export_of(tmp_path / NAME)
    attribution = load_dataset(tmp_path / NAME / "attribution.nc").sel(label="choice")
    with NWBHDF5IO(first, "r") as io:
        units = io.read().units
        told = units["xcebra_choice_information"].data[:]
        np.testing.assert_array_equal(told[[1, 4, 11]], attribution["information"])
        np.testing.assert_array_equal(units["xcebra_choice_z"].data[:][[1, 4, 11]], attribution["z"])
        assert np.isnan(np.delete(told, [1, 4, 11])).all()
        found = np.asarray(units["xcebra_choice"].data[:])
        assert ((found == "carries") == np.isin(np.arange(UNITS), np.array([1, 4, 11])[carriers(attribution)])).all()
        assert set(np.delete(found, [1, 4, 11])) == {"not tested"}
        start = "xcebra_choice"
        measures = [f"{start}_information", f"{start}_information_q", start, f"{start}_z", f"{start}_z_q"]
        assert list(units.colnames[-5:]) == measures
        table = units.to_dataframe()  # as in pandas
        np.testing.assert_array_equal(
            table[f"{start}_information_q"].to_numpy()[[1, 4, 11]], attribution["information_q"]
        )
        np.testing.assert_array_equal(table[f"{start}_z_q"].to_numpy()[[1, 4, 11]], attribution["q_value"])
        assert set(table[table[start] == "carries"][f"{start}_information_q"] <= 0.05) <= {True}
    make_results(tmp_path / "again" / NAME, rng, session=make_session(rng, units=2, rows=[0, 2]), source=first)
    write(first, tmp_path / "again" / NAME, NAME)
    with NWBHDF5IO(export_of(tmp_path / "again" / NAME), "r") as io:
        units = io.read().units
        assert np.flatnonzero(np.isfinite(units["xcebra_choice_information"].data[:])).tolist() == [0, 2]
        assert len(units.colnames) == len(set(units.colnames))


@pytest.mark.parametrize(
    ("name", "units", "labels"),
    [("rat_ca1_linear_track.nwb", 31, ["position"]), ("sub-4_ses-4_ecephys+image.nwb", 35, ["choice"])],
)
def test_real_files(tmp_path: Path, shared_data: Path, name: str, units: int, labels: list[str]) -> None:
    source, rng = shared_data / name, np.random.default_rng(0)
    before = (sha256(source), source.stat().st_mtime_ns)
    make_results(tmp_path, rng, session=make_session(rng, units=units, labels=labels), source=source)
    write(source, tmp_path, NAME)
    assert (sha256(source), source.stat().st_mtime_ns) == before
    attribution = xr.load_dataset(tmp_path / "attribution.nc", engine="h5netcdf")
    frame = rows_of(export_of(tmp_path), "xcebra_attribution")
    np.testing.assert_array_equal(frame["attribution"], attribution["attribution"].values.reshape(-1))
