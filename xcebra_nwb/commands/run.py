"""run: discover the sessions, then the whole workflow on them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from xcebra_nwb.archive.remote import Screen
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.run_progress import RunMonitor
from xcebra_nwb.commands.run_snakemake import INTERRUPTED, last_line, launch
from xcebra_nwb.core.config.schema import Config, dump
from xcebra_nwb.core.errors import Exit, Failure
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.packaged import packaged
from xcebra_nwb.nwb.reading.foreign import VARIABLE, Follow

logger = logging.getLogger("xcebra_nwb")


def run(
    inputs: Sequence[Path | str],
    output: Path,
    config: Config,
    cores: int,
    draft: bool = False,
    follow: Follow = Follow.FOLDER,
) -> int:
    """Run the workflow on ``inputs``, files, folders and dandisets; everything goes into the folder ``output``.

    ``output`` then holds sessions.tsv, config.yaml, a folder a session, summary.html and atlas.parquet. Run again, it
    does what is missing or out of date, also after an interruption. ``follow`` says where local files may lead to
    other files (:mod:`xcebra_nwb.nwb.reading.foreign`).

    Returns:
        0 when every session is done or refused, 130 when interrupted, else 1.

    Raises:
        UsageError: nothing to run on, another run is using ``output``, or a graphics card is not there.
    """
    output = Path(output).absolute()
    _check_device(config)
    rows = discover(inputs, output / "sessions.tsv", output, Screen(draft=draft), follow)
    chosen = config.model_copy(update={"sessions": "sessions.tsv", "results": "."})
    settings, log = output / "config.yaml", output / "logs" / "workflow.log"
    write_text(settings, dump(chosen))
    count = "1 session" if len(rows) == 1 else f"{len(rows)} sessions"
    logger.info("%s in %s; the workflow's own log is %s", count, output / "sessions.tsv", log)
    monitor = RunMonitor(output, [row.session for row in rows if row.include])
    told = {VARIABLE: str(int(follow is Follow.ANYWHERE))}  # to the jobs
    code = launch(packaged("workflow/Snakefile"), settings, cores, log, monitor.poll, told)
    if code not in (0, INTERRUPTED) and not (output / "summary.html").exists():
        raise Failure(f"the workflow did not start: {last_line(log)}", f"read {log}")
    return code if code == INTERRUPTED else _say_how_it_ended(output, code)


def _check_device(config: Config) -> None:
    """A card that is not there would fail every session, one after the other."""
    if config.training.device.startswith("cuda"):
        from xcebra_nwb.training.device import device

        with device(config.training.device, threads=1):
            pass


def _say_how_it_ended(output: Path, code: int) -> int:
    from xcebra_nwb.report.outcome import print_overview

    if logger.isEnabledFor(logging.INFO):
        print_overview(output, output / "sessions.tsv")
    logger.info("summary: %s", output / "summary.html")
    return int(Exit.DONE) if code == 0 else int(Exit.FAILED)
