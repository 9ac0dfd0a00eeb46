"""One run at a time works in a folder; a second one changes nothing there and says who does."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.nwb_builders import tiny
from xcebra_nwb.commands.run import run
from xcebra_nwb.commands.run_folder import RECORD, SECONDS_UNTIL_GONE, Process, Record, sole_run
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.files import write_json

SINCE = "2026-01-02 03:04:05+00:00"


def record(folder: Path, host: str, run: Process, workflow: Process | None = None) -> None:
    write_json(folder / RECORD, Record(host=host, since=SINCE, run=run, workflow=workflow).model_dump())


def this_process() -> Process:
    process = Process.of(os.getpid())
    assert process is not None
    return process


def test_a_second_run_changes_nothing_and_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sessions.tsv").write_text("the first run's")
    with sole_run(tmp_path / "out"):
        before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        who = rf"process {os.getpid()} on {socket.gethostname()}, since 20"
        with pytest.raises(Failure, match=who):
            run([tiny(tmp_path / "a.nwb")], tmp_path / "out", Config(), cores=1)
        assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    with sole_run(tmp_path / "out"):
        pass
    assert not (tmp_path / "out" / RECORD).exists()


def test_a_workflow_that_outlived_its_run_keeps_the_folder(tmp_path: Path) -> None:
    gone = Process(number=this_process().number, began=1.0)  # the number was used again
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as workflow:
        record(tmp_path, socket.gethostname(), gone, Process.of(workflow.pid))
        with pytest.raises(Failure, match=f"killed is still at work: process {workflow.pid}.*kill -INT"):
            sole_run(tmp_path).__enter__()
        workflow.kill()
    with sole_run(tmp_path):
        pass


def test_a_run_on_another_machine_counts_until_it_is_silent_for_long(tmp_path: Path) -> None:
    record(tmp_path, "node7", Process(number=12, began=1.0))
    with pytest.raises(Failure, match=f"process 12 on node7, since {SINCE[:10]}"):
        sole_run(tmp_path).__enter__()
    silent = time.time() - SECONDS_UNTIL_GONE - 5
    os.utime(tmp_path / RECORD, (silent, silent))
    with sole_run(tmp_path):
        pass


@pytest.mark.parametrize("content", ["{", "[]", '{"host": "\\u001b[31m"}'])
def test_a_record_that_cannot_be_read_is_replaced(content: str, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(content)
    with sole_run(tmp_path) as begun:
        begun(os.getpid())
        written = Record.model_validate_json((tmp_path / RECORD).read_text())
        assert written.run == written.workflow == this_process()
