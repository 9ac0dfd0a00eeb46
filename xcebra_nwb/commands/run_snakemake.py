"""Run Snakemake in a folder that no other run uses, and follow it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from xcebra_nwb.core.errors import Exit, UsageError
from xcebra_nwb.core.folders import check_run
from xcebra_nwb.core.lock import acquire
from xcebra_nwb.core.safe_text import UNPRINTABLE, is_printable

logger = logging.getLogger("xcebra_nwb")
SECONDS_BETWEEN_POLLS = 1.0


def launch(
    snakefile: Path,
    config: Path,
    cores: int,
    log: Path,
    poll: Callable[[], None],
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run a workflow in the folder of its config and return the exit code.

    A lock that a killed run left is removed.

    Args:
        snakefile: The workflow.
        config: The config file; its folder is the working folder.
        cores: CPU cores.
        log: File for the output of Snakemake.
        poll: Called about every second, and once at the end.
        variables: Added to the environment.

    Returns:
        The exit code of the workflow; 130 if interrupted.

    Raises:
        UsageError: Another run uses the folder, it belongs to another user, its name has control characters, or a link
            in it leads elsewhere.
    """
    output = config.parent
    if not is_printable(str(output)):  # Snakemake writes it into its log
        raise UsageError(f"{output}: {UNPRINTABLE}")
    check_run(output)
    command = _command(snakefile, config, cores)
    log.parent.mkdir(parents=True, exist_ok=True)
    busy = f"{output}: another run is using this folder"
    with acquire(output / ".run.lock", busy, "wait for it, or name another"), log.open("w") as stream:
        if any((output / ".snakemake" / "locks").glob("*")):  # the lock is ours, so an earlier run was killed
            subprocess.run([*command, "--unlock"], cwd=output, stdout=stream, stderr=stream, check=True)
        return _run_and_follow(command, _environment() | dict(variables or {}), output, stream, poll)


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "the log is empty"


def _run_and_follow(
    command: list[str], environment: dict[str, str], output: Path, log: IO[str], poll: Callable[[], None]
) -> int:
    """Return the exit code of the workflow.

    Ctrl-C reaches the workflow too; it gets the time to end well.
    """
    process = subprocess.Popen(command, cwd=output, env=environment, stdout=log, stderr=log)
    interrupted = False
    while True:
        try:
            code = process.wait(timeout=SECONDS_BETWEEN_POLLS)
            poll()
            return Exit.INTERRUPTED if interrupted or code == -signal.SIGINT else code
        except subprocess.TimeoutExpired:
            poll()
        except KeyboardInterrupt:
            interrupted = True
            logger.warning("stopping; the same command resumes the run")


def _command(snakefile: Path, config: Path, cores: int) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "snakemake"),
        *("--snakefile", str(snakefile)),
        *("--configfile", str(config)),
        *("--directory", str(config.parent)),
        *("--cores", str(cores)),
        *("--keep-going", "--rerun-incomplete", "--printshellcmds"),
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
