"""run: discover the sessions, then the whole workflow on them."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from xcebra_nwb.config import Config, dump
from xcebra_nwb.errors import Exit, Failure, UsageError
from xcebra_nwb.files import write_text
from xcebra_nwb.follow import Follower
from xcebra_nwb.verbs.discover import discover

logger = logging.getLogger("xcebra_nwb")
PACKAGE = Path(__file__).parent.parent
SECONDS_BETWEEN_LOOKS = 1.0
INTERRUPTED = 130  # exit code of an interrupted command


def run(inputs: Sequence[Path | str], output: Path, config: Config, cores: int) -> int:
    """Run the workflow on the NWB files of ``inputs``; everything goes into the folder ``output``.

    ``output`` then holds sessions.tsv, config.yaml, a folder a session, summary.html and atlas.parquet. Run again, it
    does what is missing or out of date, also after an interruption.

    Returns:
        0 when every session is done or refused, 130 when interrupted, else 1.

    Raises:
        UsageError: nothing to run on, another run is using ``output``, or a graphics card is not there.
    """
    output = Path(output).absolute()
    _check_device(config)
    rows = discover(inputs, output / "sessions.tsv", base=output)
    chosen = config.model_copy(update={"sessions": "sessions.tsv", "results": "."})
    write_text(output / "config.yaml", dump(chosen))
    log = output / "logs" / "workflow.log"
    log.parent.mkdir(exist_ok=True)
    logger.info("%d sessions in %s; the workflow's own log is %s", len(rows), output / "sessions.tsv", log)
    with _alone(output), log.open("w") as stream:
        if any((output / ".snakemake" / "locks").glob("*")):  # nobody else is here, so a run before was killed
            subprocess.run([*_command(output, cores), "--unlock"], cwd=output, stdout=stream, stderr=stream, check=True)
        code = _run_and_follow(_command(output, cores), output, stream, [row.session for row in rows if row.include])
    if code not in (0, INTERRUPTED) and not (output / "summary.html").exists():
        raise Failure(f"the workflow did not start: {_last_line(log)}", f"read {log}")
    return code if code == INTERRUPTED else _say_how_it_ended(output, code)


def workflow_folder() -> Path:
    """Return the folder of the workflow: beside the package in a checkout, inside it when installed."""
    for folder in (PACKAGE / "_workflow", PACKAGE.parent / "workflow"):
        if (folder / "Snakefile").exists():
            return folder
    raise Failure("the workflow's Snakefile is not installed with the package", "install xcebra-nwb again")


def _check_device(config: Config) -> None:
    """A card that is not there would fail every session, one after the other."""
    if config.training.device.startswith("cuda"):
        from xcebra_nwb.device import device

        with device(config.training.device, threads=1):
            pass


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    try:
        with FileLock(output / ".run.lock", timeout=0):
            yield
    except Timeout:
        raise UsageError(f"{output}: another run is using this folder", "wait for it, or name another") from None


def _run_and_follow(command: list[str], output: Path, log: IO[str], sessions: list[str]) -> int:
    """Return the exit code of the workflow; Ctrl-C reaches it too, and it is given the time to end well."""
    follower = Follower(output, sessions)
    process = subprocess.Popen(command, cwd=output, env=_environment(), stdout=log, stderr=log)
    interrupted = False
    while True:
        try:
            code = process.wait(timeout=SECONDS_BETWEEN_LOOKS)
            follower.look()
            return INTERRUPTED if interrupted or code == -signal.SIGINT else code
        except subprocess.TimeoutExpired:
            follower.look()
        except KeyboardInterrupt:
            interrupted = True
            logger.warning("stopping; the same command goes on from here")


def _command(output: Path, cores: int) -> list[str]:
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(workflow_folder() / "Snakefile")),
        *("--configfile", str(output / "config.yaml")),
        *("--directory", str(output)),
        *("--cores", str(cores)),
        *("--keep-going", "--rerun-incomplete"),
    ]


def _environment() -> dict[str, str]:
    """The rules call the command that is installed beside this Python, whether or not its environment is active."""
    here = str(Path(sys.executable).parent)
    return os.environ | {"PATH": os.pathsep.join([here, os.environ.get("PATH", "")])}


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _say_how_it_ended(output: Path, code: int) -> int:
    from xcebra_nwb.report.overview import say

    if logger.isEnabledFor(logging.INFO):
        say(output, output / "sessions.tsv")
    logger.info("summary: %s", output / "summary.html")
    return int(Exit.DONE) if code == 0 else int(Exit.FAILED)
