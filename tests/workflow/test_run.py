"""``xcebra-nwb run`` after it was interrupted and killed; what ``status`` says of it, and what is made again.

The whole run takes half a minute of CPU time, so all tests look at the same one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.command_line import run as call_here
from tests.support.paths import COMMAND
from tests.support.shared import made_once
from tests.support.snakemake_runs import QUICK, call, check_results, make_recordings, wait_for
from xcebra_nwb.commands.dry_run import PlannedStep, planned_steps
from xcebra_nwb.commands.run import run
from xcebra_nwb.commands.status import counted, status, taken_from_caches
from xcebra_nwb.core import receipts
from xcebra_nwb.core.config.schema import Config, load
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.nwb.reading.foreign import Follow

NAME, REFUSED = "sub-rat1_ses-one", "sub-rat_ses-one"
EXPORT = f"{NAME}_desc-xcebra.nwb"


def heed() -> None:
    """Interrupts are not ignored, even where the tests are run in the background of a script."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def running(out: Path) -> bool:
    """Whether a process of a run in ``out`` is still there."""
    found = subprocess.run(["pgrep", "-f", str(out)], capture_output=True, check=False)
    return found.returncode == 0


def interrupted_then_whole(folder: Path) -> None:
    """Stop a run in two ways while it trains, then let it end; no config is needed but for the number of steps."""
    data = make_recordings(folder / "data")
    slow, quick, out = folder / "slow.yaml", folder / "quick.yaml", folder / "out"
    slow.write_text(yaml.safe_dump(QUICK | {"training": QUICK["training"] | {"steps": 100_000}}))
    quick.write_text(yaml.safe_dump(QUICK))
    log = out / "logs" / NAME / "train.log"
    words = (COMMAND, "run", data, "-o", out, "--cache", folder / "cache", "--cores", 2, "--config")
    command = [str(word) for word in words]
    for how, ended in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        started = subprocess.Popen(
            [*command, str(slow)], start_new_session=True, stderr=subprocess.PIPE, text=True, preexec_fn=heed
        )
        try:
            wait_for(lambda: log.exists() and log.stat().st_size)
        finally:  # also where it did not come to train: nothing may go on without the test
            os.killpg(started.pid, how)
        _, said = started.communicate(timeout=300)
        assert started.returncode == ended
        if ended == 130:
            assert said.splitlines()[-1] == "xcebra-nwb: interrupted; the same command starts again or resumes"
            assert re.search("stopped: [01] of 2 sessions are finished, left: .*; the same command goes on", said)
            assert (out / "summary.html").exists()
        wait_for(lambda: not running(out))
        log.unlink()
    done = call(*command, quick, cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a session that is done and one that is refused; the recordings are in ``data`` beside."""
    return made_once(tmp_path_factory, "finished", interrupted_then_whole) / "out"


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    shutil.copytree(finished, tmp_path / "out", copy_function=shutil.copy2)
    return tmp_path / "out"


def test_a_run_goes_on_after_it_was_interrupted_or_killed(finished: Path) -> None:
    check_results(finished, [NAME], REFUSED)


def test_finished_results_are_current(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = call_here(capsys, "status", results)
    assert code == 0
    *reasons, total = said.splitlines()
    assert total == "sessions: 1 refused, 1 current"
    assert len(reasons) == 1 and re.match(f"{REFUSED}: extract: refused: ", reasons[0])


def test_status_names_what_is_missing_or_damaged_or_out_of_date_and_why(results: Path) -> None:
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


SHARED = ("extract", "train", "attribute", "assess", "write", "check")


def states_of(steps: list[PlannedStep]) -> dict[tuple[str, str], str]:
    return {(step.session, step.command): step.state for step in steps}


def test_a_dry_run_says_what_a_run_would_take_or_compute_or_leave_and_changes_nothing(
    finished: Path, results: Path, tmp_path: Path
) -> None:
    data, cache = finished.parent / "data", str(finished.parent / "cache")
    config, new = load(finished / "config.yaml"), tmp_path / "new"

    def planned(output: Path, config: Config, cache: str | None) -> dict[tuple[str, str], str]:
        return states_of(planned_steps([data], output, config, False, Follow.FOLDER, cache))

    steps = planned(new, config, cache)
    assert [steps[NAME, command] for command in SHARED] == ["taken"] * len(SHARED)
    assert steps[NAME, "report"] == steps[REFUSED, "extract"] == "computed"
    assert set(planned(new, config, None).values()) == {"computed"}
    assert not new.exists()
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*") if ".snakemake" not in path.parts}
    assert set(planned(results, config, None).values()) == {"current"}
    changed = config.model_copy(update={"attribution": config.attribution.model_copy(update={"samples": 9})})
    steps = planned(results, changed, cache)
    assert [steps[NAME, command] for command in SHARED] == ["current"] * 2 + ["computed"] * 4
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.thorough
def test_another_run_takes_what_the_first_computed(finished: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(finished.parent / "data", data)
    assert run([data], out, load(finished / "config.yaml"), cores=1, cache=str(finished.parent / "cache")) == 0
    check_results(out, [NAME], REFUSED)
    taken = {command for command in receipts.ORDER[1:] if receipts.load(out / NAME, command).taken is not None}
    assert taken == set(SHARED)
    names = [name for command in SHARED for name in receipts.load(out / NAME, command).files]
    assert {name: sha256(out / NAME / name) for name in names} == {n: sha256(finished / NAME / n) for n in names}
    assert taken_from_caches(status(out)) == "taken from a shared cache: results: 6, sessions: 1"


@pytest.mark.thorough
def test_every_file_that_is_deleted_or_cut_is_made_again_with_the_same_content(finished: Path, results: Path) -> None:
    before = {path.name: sha256(path) for path in (results / NAME).iterdir() if path.is_file()}
    for file in (NAME + "/" + EXPORT, NAME + "/report.html", "atlas.parquet"):
        (results / file).unlink()
    for file in (NAME + "/model.safetensors", NAME + "/units.nc", "summary.html"):
        with (results / file).open("r+b") as stream:
            stream.truncate(100)
    assert run([finished.parent / "data"], results, load(results / "config.yaml"), cores=1) == 0
    first, second = (load_dataset(folder / NAME / "training.nc") for folder in (finished, results))
    assert first.identical(second), [
        (k, first.attrs[k], second.attrs[k]) for k in first.attrs if first.attrs[k] != second.attrs[k]
    ]
    after = {path.name: sha256(path) for path in (results / NAME).iterdir() if path.is_file()}
    same = {name for name in before if before[name] == after[name]}
    assert {"model.safetensors", "embedding.nc", "attribution.nc", "units.nc", "assessment.json"} <= same
    assert before.keys() == after.keys()
    assert {state.state for state in status(results)} <= {"current", "refused"}
