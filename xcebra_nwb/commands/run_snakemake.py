"""Snakemake, started from Python: in which folder, alone there, and how it is waited for."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.lock import acquire
from xcebra_nwb.core.own_folder import check_run
from xcebra_nwb.core.path_name import UNPRINTABLE
from xcebra_nwb.core.printable import is_printable

logger = logging.getLogger("xcebra_nwb")
SECONDS_BETWEEN_POLLS = 1.0
INTERRUPTED = 130  # exit code of an interrupted command


def launch(
    snakefile: Path,
    config: Path,
    cores: int,
    log: Path,
    poll: Callable[[], None],
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run ``snakefile`` in the folder of ``config`` and return its exit code, 130 when interrupted.

    ``poll`` is called about every second, and once at the end. What a killed run left locked is unlocked. ``variables``
    are added to the environment.

    Raises:
        UsageError: another run is using the folder, it is another user's, its name has control characters, or something
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
        if any((output / ".snakemake" / "locks").glob("*")):  # nobody else is here, so a run before was killed
            subprocess.run([*command, "--unlock"], cwd=output, stdout=stream, stderr=stream, check=True)
        return _run_and_follow(command, _environment() | dict(variables or {}), output, stream, poll)


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _run_and_follow(
    command: list[str], environment: dict[str, str], output: Path, log: IO[str], poll: Callable[[], None]
) -> int:
    """Return the exit code of the workflow; Ctrl-C reaches it too, and it is given the time to end well."""
    process = subprocess.Popen(command, cwd=output, env=environment, stdout=log, stderr=log)
    interrupted = False
    while True:
        try:
            code = process.wait(timeout=SECONDS_BETWEEN_POLLS)
            poll()
            return INTERRUPTED if interrupted or code == -signal.SIGINT else code
        except subprocess.TimeoutExpired:
            poll()
        except KeyboardInterrupt:
            interrupted = True
            logger.warning("stopping; the same command goes on from here")


def _command(snakefile: Path, config: Path, cores: int) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "snakemake"),
        *("--snakefile", str(snakefile)),
        *("--configfile", str(config)),
        *("--directory", str(config.parent)),
        *("--cores", str(cores)),
        *("--keep-going", "--rerun-incomplete", "--printshellcmds"),
        *("--workflow-profile", "none"),  # a profile can run code, and a folder of results may hold a stranger's
    ]


def _environment() -> dict[str, str]:
    """The rules call the command that is installed beside this Python, whether or not its environment is active.

    Snakemake starts Python in the folder of results, which may hold a stranger's modules: none is imported from there.
    """
    here = str(Path(sys.executable).parent)
    return os.environ | {"PATH": os.pathsep.join([here, os.environ.get("PATH", "")]), "PYTHONSAFEPATH": "1"}
