"""A signal ends a run and all of its processes, and leaves no lock."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.support.signals import heed
from tests.support.snakemake_runs import wait_for
from xcebra_nwb.commands.stop import SECONDS_TO_END

SNAKEFILE = """
rule slow:
    output: "done"
    shell: "echo $$ > job; sleep 600; touch {output}"
"""
PROGRAM = """
import sys
from pathlib import Path
from xcebra_nwb.commands.run_folder import sole_run
from xcebra_nwb.commands.run_snakemake import launch
folder = Path(sys.argv[1])
with sole_run(folder) as begun:
    code = launch(folder / "Snakefile", folder / "c.yaml", 1, folder / "log", lambda: None, begun=begun)
sys.exit(code)
"""


def start(folder: Path, *before: str, ignored: Sequence[signal.Signals] = ()) -> subprocess.Popen[str]:
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "c.yaml").write_text("{}")
    command = [*before, sys.executable, "-c", PROGRAM, str(folder)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=partial(heed, ignored)
    )
    try:
        wait_for(lambda: (folder / "job").exists() and (folder / "job").read_text().strip())
    except AssertionError:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process


def of_run(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def at_work(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_run_alone_ends_all_of_its_processes(how: signal.Signals, tmp_path: Path) -> None:
    process = start(tmp_path)
    others = of_run(process)
    assert len(others) > 1
    os.kill(process.pid, how)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert f"stopping ({how.name}); the same command resumes the run" in said
    assert not any(map(at_work, others))
    assert not [*(tmp_path / ".snakemake").glob("locks/*")]
    assert not (tmp_path / "done").exists()


def test_a_run_that_a_script_began_in_the_background_ends_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, ignored=[signal.SIGINT])
    others = of_run(process)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=SECONDS_TO_END / 2)
    assert process.returncode == 130
    assert not any(map(at_work, others))


def test_a_run_that_ignores_the_end_of_its_terminal_goes_on(tmp_path: Path) -> None:
    process = start(tmp_path, "nohup")
    os.kill(process.pid, signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=3)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode == 130


def test_a_workflow_that_ends_by_itself_leaves_no_job(tmp_path: Path) -> None:
    process = start(tmp_path)
    workflow, *jobs = of_run(process)
    workflow.kill()
    process.communicate(timeout=300)
    assert process.returncode not in (0, 130)
    assert jobs and not any(map(at_work, jobs))
