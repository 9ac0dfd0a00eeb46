"""What ``status`` says about the results of a run."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import nwb_builders
from tests.support.command_line import run as call
from tests.support.snakemake_runs import QUICK
from xcebra_nwb.commands.run import run
from xcebra_nwb.commands.status import CommandState, counted, status
from xcebra_nwb.core import receipts
from xcebra_nwb.core.config.schema import load, validate
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.netcdf import load_dataset

NAME, REFUSED = "sub-rat0_ses-one", "sub-rat5_ses-one"
EXPORT = f"{NAME}_desc-xcebra.nwb"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The results of a session that is done and one that is refused."""
    folder = tmp_path_factory.mktemp("finished")
    nwb_builders.tiny(folder / "a.nwb")
    with nwb_builders.edited(nwb_builders.tiny(folder / "b.nwb")) as h5:
        h5["general/subject/subject_id"][()] = "rat5"
        del h5["processing"]
    assert run([folder / "a.nwb", folder / "b.nwb"], folder / "out", validate(QUICK), cores=1) == 0
    yield folder / "out"


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    shutil.copytree(finished, tmp_path / "out", copy_function=shutil.copy2)
    return tmp_path / "out"


def notable(results: Path) -> list[CommandState]:
    return [state for state in status(results) if state.state not in ("current", "refused")]


@pytest.mark.slow
def test_finished_results_are_current(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = call(capsys, "status", results)
    assert code == 0
    *reasons, total = said.splitlines()
    assert total == "sessions: 1 refused, 1 current"
    assert len(reasons) == 1 and re.match(f"{REFUSED}: extract: refused: ", reasons[0])


@pytest.mark.slow
def test_it_names_what_is_missing_or_damaged_or_out_of_date_and_why(results: Path) -> None:
    (results / NAME / EXPORT).unlink()
    with (results / NAME / "attribution.nc").open("r+b") as file:
        file.truncate(1000)
    receipts.path(results / NAME, "check").unlink()
    listed = status(results)
    assert counted(listed) == "1 damaged, 1 refused"
    states = {(state.session, state.command): (state.state, state.why) for state in listed}
    assert states[NAME, "check"] == ("missing", "receipts/check.json is missing")
    assert states[NAME, "attribute"] == ("damaged", "attribution.nc is damaged")
    assert states[NAME, "write"] == ("missing", f"{EXPORT} is missing")
    assert states[NAME, "assess"] == ("out of date", "attribute runs again before it")
    assert states[NAME, "train"] == ("current", "")
    config = load(results / "config.yaml").model_dump(mode="json")
    config["training"]["steps"] += 1
    (results / "config.yaml").write_text(yaml.safe_dump(config))
    states = {(state.session, state.command): (state.state, state.why) for state in status(results)}
    assert states[NAME, "train"] == ("out of date", "its settings or its code changed")


@pytest.mark.slow
def test_every_file_that_is_deleted_or_cut_is_made_again_with_the_same_content(finished: Path, results: Path) -> None:
    before = {path.name: sha256(path) for path in (results / NAME).iterdir() if path.is_file()}
    for file in (NAME + "/" + EXPORT, NAME + "/report.html", "atlas.parquet"):
        (results / file).unlink()
    for file in (NAME + "/model.safetensors", NAME + "/units.nc", "summary.html"):
        with (results / file).open("r+b") as stream:
            stream.truncate(100)
    assert run([finished.parent / "a.nwb"], results, load(results / "config.yaml"), cores=1) == 0
    first, second = (load_dataset(folder / NAME / "training.nc") for folder in (finished, results))
    assert first.identical(second), [
        (k, first.attrs[k], second.attrs[k]) for k in first.attrs if first.attrs[k] != second.attrs[k]
    ]
    after = {path.name: sha256(path) for path in (results / NAME).iterdir() if path.is_file()}
    same = {name for name in before if before[name] == after[name]}
    assert {"model.safetensors", "embedding.nc", "attribution.nc", "units.nc", "assessment.json"} <= same
    assert before.keys() == after.keys()
    assert notable(results) == []


def test_another_folder_is_no_folder_of_a_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder of"):
        status(tmp_path)
