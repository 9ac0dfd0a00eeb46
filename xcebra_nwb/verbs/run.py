"""run: discover the sessions, then the whole workflow on them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from xcebra_nwb.config import Config, dump
from xcebra_nwb.errors import Failure
from xcebra_nwb.files import write_text
from xcebra_nwb.verbs.discover import discover

logger = logging.getLogger("xcebra_nwb")
PACKAGE = Path(__file__).parent.parent


def run(inputs: Sequence[Path | str], output: Path, config: Config, cores: int) -> int:
    """Run the workflow on the NWB files of ``inputs``; everything goes into the folder ``output``.

    ``output`` then holds sessions.tsv, config.yaml, a folder a session, summary.html and atlas.parquet. Run again, it
    does what is missing or out of date.

    Returns:
        0 when every session is done or refused, else 1.
    """
    output = Path(output).absolute()
    output.mkdir(parents=True, exist_ok=True)
    rows = discover(inputs, output / "sessions.tsv", base=output)
    chosen = config.model_copy(update={"sessions": "sessions.tsv", "results": "."})
    write_text(output / "config.yaml", dump(chosen))
    logger.info("%d sessions found; the workflow's own log is below %s", len(rows), output / ".snakemake" / "log")
    code = subprocess.run(_command(output, cores), cwd=output, env=_environment(), check=False).returncode
    _say_how_it_ended(output)
    return 0 if code == 0 else 1


def workflow_folder() -> Path:
    """Return the folder of the workflow: beside the package in a checkout, inside it when installed."""
    for folder in (PACKAGE / "_workflow", PACKAGE.parent / "workflow"):
        if (folder / "Snakefile").exists():
            return folder
    raise Failure("the workflow's Snakefile is not installed with the package", "install xcebra-nwb again")


def _command(output: Path, cores: int) -> list[str]:
    quiet = [] if logger.isEnabledFor(logging.DEBUG) else ["--quiet", "rules", "host", "reason"]
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(workflow_folder() / "Snakefile")),
        *("--configfile", str(output / "config.yaml")),
        *("--directory", str(output)),
        *("--cores", str(cores)),
        *("--keep-going", "--rerun-incomplete"),
        *quiet,
    ]


def _environment() -> dict[str, str]:
    """The rules call the command that is installed beside this Python, whether or not its environment is active."""
    here = str(Path(sys.executable).parent)
    return os.environ | {"PATH": os.pathsep.join([here, os.environ.get("PATH", "")])}


def _say_how_it_ended(output: Path) -> None:
    from rich.console import Console

    from xcebra_nwb.report.overview import overview

    if (output / "summary.html").exists():
        Console(stderr=True).print(overview(output, output / "sessions.tsv"))
        logger.info("summary: %s", output / "summary.html")
