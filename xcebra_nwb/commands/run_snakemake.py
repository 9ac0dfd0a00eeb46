"""Run Snakemake in a folder that this run holds, and follow it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from xcebra_nwb.commands.stop import MARK, Stop, end_left, handling
from xcebra_nwb.core import host_memory
from xcebra_nwb.core.errors import Exit

SECONDS_BETWEEN_POLLS = 1.0
MEGABYTE = 10**6
READY_PER_CORE = 8  # jobs among which Snakemake chooses those that begin
MOST_POLLING = 0.05  # share of a core: to look at a thousand sessions takes half a second


def launch(
    snakefile: Path,
    config: Path,
    cores: int | None,
    log: Path,
    poll: Callable[[], None],
    variables: Mapping[str, str] | None = None,
    begun: Callable[[int], None] = lambda process: None,
    profile: Path | None = None,
) -> int:
    """Run a workflow in the folder of its config and return the exit code.

    The caller holds the folder (:func:`.run_folder.sole_run`), so a lock of Snakemake in it is one that a killed run
    left, and is removed.

    Args:
        snakefile: The workflow.
        config: The config file; its folder is the working folder.
        cores: CPU cores; None: as the profile says.
        log: File for the output of Snakemake.
        poll: Called about every second, less often if it takes long, and once at the end.
        variables: Added to the environment.
        begun: Called with the number of the process of the workflow.
        profile: Profile of Snakemake, which names another place for the jobs, such as a cluster.

    Returns:
        The exit code of the workflow; 130 if Ctrl-C, SIGTERM or SIGHUP stopped it.
    """
    output, mark = config.parent, secrets.token_hex(8)
    environment = _environment() | dict(variables or {}) | {MARK: mark}
    stop = Stop(mark)
    log.parent.mkdir(parents=True, exist_ok=True)
    _unlock(output)
    with log.open("w") as stream, handling(stop.note):
        options = ("--keep-going", "--rerun-incomplete", "--printshellcmds")
        places = ("--profile", str(profile)) if profile is not None else _on_this_machine(cores)
        command = [*plan_command(snakefile, config, cores), *options, *places]
        process = subprocess.Popen(command, cwd=output, env=environment, stdout=stream, stderr=stream)
        try:
            begun(process.pid)
            code = _follow(process, stop, poll)
        finally:
            end_left(mark)
            _unlock(output)
    return Exit.INTERRUPTED if stop.signal is not None or code == -signal.SIGINT else code


def _on_this_machine(cores: int | None) -> tuple[str, ...]:
    """Options for jobs on this machine: no more start at once than its memory holds.

    Whenever a job ends, Snakemake looks at every job that could begin, which took half a core with a thousand sessions.
    So it looks at some of them.
    """
    free, ready = max(1, host_memory.free_bytes() // MEGABYTE), READY_PER_CORE * (cores or 1)
    return ("--resources", f"mem_mb={free}", "--scheduler-subsample", str(ready))


def _follow(process: subprocess.Popen[bytes], stop: Stop, poll: Callable[[], None]) -> int:
    due = 0.0
    while True:
        try:
            code = process.wait(timeout=SECONDS_BETWEEN_POLLS)
        except subprocess.TimeoutExpired:
            stop.pass_on()
            began = time.process_time()
            if time.monotonic() >= due:
                poll()
                due = time.monotonic() + (time.process_time() - began) / MOST_POLLING
        else:
            poll()
            return code


def _unlock(output: Path) -> None:
    for lock in (output / ".snakemake" / "locks").glob("*.lock"):
        lock.unlink()


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "the log is empty"


def plan_command(snakefile: Path, config: Path, cores: int | None = 1, folder: Path | None = None) -> list[str]:
    """Return the command of Snakemake that plans a workflow in a folder; None: in that of its config.

    On a cluster, a number of cores would be shared by all jobs there.
    """
    return [
        *(sys.executable, "-P", "-m", "snakemake"),
        *("--snakefile", str(snakefile)),
        *("--configfile", str(config)),
        *("--directory", str(folder or config.parent)),
        *(("--cores", str(cores)) if cores is not None else ()),
        # A profile can run code, and the folder of results may come from somebody else.
        *("--workflow-profile", "none"),
    ]


def _environment() -> dict[str, str]:
    """Return the environment of the workflow.

    The rules call the command that is installed beside this Python, even if its environment is not active. Python does
    not import modules from the folder of results, which may come from somebody else.
    """
    programs = str(Path(sys.executable).parent)
    return os.environ | {"PATH": os.pathsep.join([programs, os.environ.get("PATH", "")]), "PYTHONSAFEPATH": "1"}
