"""The check of an export: only what the source does not have counts."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBFile

from tests.support.exported_session import NAME, UNITS, export_of, make_source
from tests.support.make_results import make_results, make_session
from xcebra_nwb.commands.check import check
from xcebra_nwb.commands.write import write
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.nwb.export.check import Finding, Report, new_findings, report


def make_export(directory: Path, change: Callable[[NWBFile], object] = lambda nwbfile: None, **kwargs: object) -> Path:
    """Write a source, results and their export into ``directory``; return the source."""
    source = make_source(directory / "source.nwb", change)
    make_results(directory, source=source, **kwargs)
    write(source, directory, NAME)
    return source


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source and the export of its results."""
    return make_export(tmp_path_factory.mktemp("exported")).parent


@pytest.fixture
def source(exported: Path, tmp_path: Path) -> Path:
    """The source in a copy of that folder, which may be changed."""
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    return tmp_path / "source.nwb"


@pytest.mark.slow
def test_an_export_has_no_new_findings(source: Path, tmp_path: Path) -> None:
    assert check(source, tmp_path, NAME) == [tmp_path / "check.json"]
    content = read_json(tmp_path / "check.json")
    assert content["passed"]
    assert content["new"] == []
    assert content["source"]["validation"] == content["result"]["validation"] == "done"
    assert content["result"]["file"] == f"{NAME}_desc-xcebra.nwb"
    assert str(tmp_path) not in (tmp_path / "check.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [(1, 0), (1, 1)])
def test_nor_has_one_with_other_numbers_of_members(tmp_path: Path, numbers: tuple[int, int]) -> None:
    seeds, nulls = numbers
    check(make_export(tmp_path, seeds=seeds, nulls=nulls), tmp_path, NAME)


@pytest.mark.slow
@pytest.mark.parametrize(("units", "waived"), [(1, "a session of one unit"), (2, "two units"), (UNITS, "")])
def test_nor_has_one_with_a_table_of_units(tmp_path: Path, units: int, waived: str) -> None:
    session = make_session(np.random.default_rng(0), units=units, labels=["choice"], neural_source="/acquisition/a")
    check(make_export(tmp_path, session=session), tmp_path, NAME)
    reasons = [finding["because"] for finding in read_json(tmp_path / "check.json")["waived"]]
    assert len(reasons) == (2 if waived else 0)  # the table of units or of attributions, and that of tuning
    assert all(reason.startswith(waived) for reason in reasons)


@pytest.mark.slow
def test_faults_of_the_source_are_not_ours(tmp_path: Path) -> None:
    def change(nwbfile: NWBFile) -> None:
        unit = {"electrodes": [0], "electrode_group": nwbfile.electrode_groups["shank"], "quality": "bad"}
        nwbfile.add_unit(spike_times=[3.0, 2.0, 1.0], **unit)
        nwbfile.add_trial(start_time=40.0, stop_time=39.0, choice="left", timeseries=[nwbfile.acquisition["cue"]])

    check(make_export(tmp_path, change), tmp_path, NAME)
    found = {finding["check"] for finding in read_json(tmp_path / "check.json")["result"]["findings"]}
    assert {"check_ascending_spike_times", "check_time_intervals_stop_after_start"} <= found


@pytest.mark.slow
def test_a_new_finding_fails_and_is_named(source: Path, tmp_path: Path) -> None:
    with h5py.File(export_of(tmp_path), "a") as file:
        del file["general/subject"]
        file["processing/misc/xcebra_embedding/data"].attrs["unit"] = ""
    with pytest.raises(Failure) as error:
        check(source, tmp_path, NAME)
    assert "\n" not in str(error.value)
    assert "check_missing_unit on TimeSeries" in str(error.value)
    assert "1 more in" in str(error.value)
    content = read_json(tmp_path / "check.json")
    assert not content["passed"]
    assert [finding["check"] for finding in content["new"]] == ["check_missing_unit", "check_subject_exists"]
    assert content["new"][0]["location"] == "/processing/misc/xcebra_embedding"


@pytest.mark.slow
def test_an_invalid_export_fails(source: Path, tmp_path: Path) -> None:
    with h5py.File(export_of(tmp_path), "a") as file:
        del file["processing/misc/xcebra_embedding/data"].attrs["unit"]
    with pytest.raises(Failure, match="a finding that the source does not have"):
        check(source, tmp_path, NAME)
    assert any(finding["check"] == "validation" for finding in read_json(tmp_path / "check.json")["new"])


@pytest.mark.slow
def test_a_source_with_a_broken_schema_is_said_to_be_so(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.nwb")
    with h5py.File(source, "a") as file:  # as in DANDI:000207: the namespace names a file that is not there
        core = file["specifications/core"]
        del core[next(iter(core))]["nwb.base"]
    make_results(tmp_path, source=source)
    write(source, tmp_path, NAME)
    check(source, tmp_path, NAME)
    content = read_json(tmp_path / "check.json")
    assert content["source"]["validation"].startswith("cannot be validated by its own schema: KeyError")
    assert content["result"]["validation"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("another", [True, False])
def test_a_schema_is_read_where_it_is_not_the_installed_one(
    another: bool, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bool] = []
    monkeypatch.setattr(
        "xcebra_nwb.nwb.export.check._validated", lambda path, carried: read.append(carried) or Counter()
    )
    if another:
        with h5py.File(source, "a") as file:
            core = file["specifications/core"]
            text = core[next(iter(core))]["nwb.base"]
            text[()] = text[()].replace(b"An abstract", b"Some abstract", 1)
    report(source)
    assert read == ([True, False] if another else [False])


@pytest.mark.slow
def test_an_export_that_cannot_be_read_fails(source: Path, tmp_path: Path) -> None:
    export_of(tmp_path).write_bytes(export_of(tmp_path).read_bytes()[:1000])
    with pytest.raises(Failure, match=r"cannot be read: .*truncated"):
        check(source, tmp_path, NAME)
    assert read_json(tmp_path / "check.json")["passed"] is False


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        check(tmp_path / "none.nwb", tmp_path, NAME)
    with pytest.raises(UsageError, match="run write first"):
        check(make_source(tmp_path / "source.nwb"), tmp_path, NAME)
    assert not (tmp_path / "check.json").exists()


def test_findings_count_as_often_as_they_occur() -> None:
    one, other = Finding("check_a", "Units", "/units", "x"), Finding("check_b", "Units", "/units", "y")
    source = Report(Counter({one: 1}))
    assert new_findings(source, Report(Counter({one: 1}))) == []
    assert new_findings(source, Report(Counter({one: 3, other: 1}))) == [one, one, other]
    assert new_findings(source, Report(Counter())) == []


@pytest.mark.slow
def test_findings_do_not_tell_files_apart(tmp_path: Path) -> None:
    def change(nwbfile: NWBFile) -> None:
        nwbfile.add_trial(start_time=40.0, stop_time=39.0, choice="left", timeseries=[nwbfile.acquisition["cue"]])

    one = report(make_source(tmp_path / "one.nwb", change))
    assert one.validation == ""
    assert "check_time_intervals_stop_after_start" in {finding.check for finding in one.findings}
    assert one == report(make_source(tmp_path / "elsewhere" / "two.nwb", change))


@pytest.mark.parametrize(
    ("name", "units", "labels", "source"),
    [
        ("rat_ca1_linear_track.nwb", 31, ["position"], "/units"),
        ("sub-4_ses-4_ecephys+image.nwb", 35, ["choice"], "/units"),
        ("worm_whole_brain_calcium.nwb", 62, ["position"], "/acquisition/Activity_*"),
    ],
)
def test_real_files(tmp_path: Path, shared_data: Path, name: str, units: int, labels: list[str], source: str) -> None:
    rng = np.random.default_rng(0)
    session = make_session(rng, units=units, labels=labels, neural_source=source)
    make_results(tmp_path, rng, session=session, source=shared_data / name)
    write(shared_data / name, tmp_path, NAME)
    check(shared_data / name, tmp_path, NAME)
    validation = read_json(tmp_path / "check.json")["source"]["validation"]
    assert validation.startswith("cannot" if name.startswith("sub-4") else "done")
