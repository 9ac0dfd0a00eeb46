"""What a stranger's folder of results holds makes no command write outside of it, or wait for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import nwb_builders
from tests.support.snakemake_runs import snakemake
from xcebra_nwb.commands.run import run
from xcebra_nwb.commands.summarize import summarize
from xcebra_nwb.core import session_table
from xcebra_nwb.core.config.schema import dump, validate
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.receipts import run_command

SESSION = "sub-rat0_ses-one"
OUT = ("logs/workflow.log", f"logs/{SESSION}/extract.log", f"benchmarks/{SESSION}/extract.tsv", ".snakemake/metadata/x")
OUT_FOLDERS = ("logs", f"logs/{SESSION}", f"benchmarks/{SESSION}", ".snakemake", ".snakemake/log")
REFUSING = {"neural": {"min_spikes": 10**6}}  # the whole workflow, without a training


def link(path: Path, target: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return target


@pytest.mark.parametrize("name", [*OUT, *OUT_FOLDERS])
def test_a_run_follows_no_link_out_of_its_folder(name: str, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    (home / "folder").mkdir(parents=True)
    (home / "file").write_text("mine")
    link(out / name, home / ("folder" if name in OUT_FOLDERS else "file"))
    with pytest.raises(UsageError, match="a link out of"):
        run([nwb_builders.tiny(tmp_path / "x.nwb")], out, validate(REFUSING), cores=1)
    assert (home / "file").read_text() == "mine" and not [*(home / "folder").iterdir()]


def test_a_link_to_what_is_not_there_yet_is_refused_too(tmp_path: Path) -> None:
    new = link(tmp_path / "out" / "logs" / "workflow.log", tmp_path / "new")
    with pytest.raises(UsageError, match="a link out of"):
        run([nwb_builders.tiny(tmp_path / "x.nwb")], tmp_path / "out", validate(REFUSING), cores=1)
    assert not new.exists()


def test_a_pipe_in_the_place_of_a_log_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "out" / "logs").mkdir(parents=True)
    os.mkfifo(tmp_path / "out" / "logs" / "workflow.log")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        run([nwb_builders.tiny(tmp_path / "x.nwb")], tmp_path / "out", validate(REFUSING), cores=1)


@pytest.mark.parametrize("name", [SESSION, f"{SESSION}/receipts"])
def test_a_summary_writes_into_no_other_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    link(tmp_path / "results" / name, tmp_path / "home")
    session_table.write([session_table.Session(session=SESSION, include=True, source="x.nwb")], tmp_path / "t.tsv")
    with pytest.raises(UsageError, match="a link out of"):
        summarize(tmp_path / "results", tmp_path / "t.tsv")
    assert not [*(tmp_path / "home").iterdir()]


def test_a_command_removes_and_writes_receipts_in_its_own_folder_only(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "report.json").write_text("mine")
    link(tmp_path / "s" / "receipts", tmp_path / "home")
    with pytest.raises(UsageError, match="a link out of"):
        run_command("report", tmp_path / "s", list)
    assert (tmp_path / "home" / "report.json").read_text() == "mine"


def test_results_may_lie_behind_a_link_that_the_user_made(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "logs").mkdir()
    (tmp_path / "disk" / "logs" / "old").symlink_to("older")
    session_table.write([session_table.Session(session=SESSION, include=True, source="x.nwb")], tmp_path / "t.tsv")
    assert summarize(tmp_path / "results", tmp_path / "t.tsv")


def test_the_workflow_alone_refuses_it_too(tmp_path: Path) -> None:
    nwb_builders.tiny(tmp_path / "x.nwb")
    session_table.write([session_table.Session(session=SESSION, include=True, source="x.nwb")], tmp_path / "t.tsv")
    (tmp_path / "c.yaml").write_text(dump(validate({"sessions": "t.tsv", "results": "results"})))
    (tmp_path / "home").mkdir()
    link(tmp_path / "results" / "logs" / SESSION, tmp_path / "home")
    done = snakemake("--directory", tmp_path, "--configfile", tmp_path / "c.yaml", "--cores", 1, "--dry-run")
    assert done.returncode == 1 and "a link out of" in done.stdout + done.stderr
