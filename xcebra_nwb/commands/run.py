"""run: find the sessions and run the whole workflow on them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from xcebra_nwb.archive.remote import Screen
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.run_progress import RunMonitor
from xcebra_nwb.commands.run_snakemake import last_line, launch
from xcebra_nwb.core.config.schema import Config, dump
from xcebra_nwb.core.errors import Exit, Failure
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.installation import packaged_path
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
    """Run the workflow on recordings; all files go into the folder ``output``.

    The folder then holds sessions.tsv, config.yaml, a folder for each session, summary.html and atlas.parquet. The same
    command does only what is missing or out of date when it is run again, also after an interruption.

    Args:
        inputs: Files, folders and dandisets.
        output: Folder of the files.
        config: The config.
        cores: CPU cores.
        draft: Whether drafts of dandisets are taken.
        follow: Rule for links of local files to other files.

    Returns:
        0 if every session is done or refused, 130 if interrupted, else 1.

    Raises:
        UsageError: There is no input, another run uses ``output``, or there is no such GPU.
        Failure: The workflow did not start.
    """
    output = Path(output).absolute()
    _check_device(config)
    rows = discover(inputs, output / "sessions.tsv", output, Screen(draft=draft), follow)
    run_config = config.model_copy(update={"sessions": "sessions.tsv", "results": "."})
    settings, log = output / "config.yaml", output / "logs" / "workflow.log"
    write_text(settings, dump(run_config))
    count = "1 session" if len(rows) == 1 else f"{len(rows)} sessions"
    logger.info("%s in %s; the workflow's own log is %s", count, output / "sessions.tsv", log)
    monitor = RunMonitor(output, [row.session for row in rows if row.include])
    variables = {VARIABLE: str(int(follow is Follow.ANYWHERE))}  # for the jobs
    code = launch(packaged_path("workflow/Snakefile"), settings, cores, log, monitor.poll, variables)
    if code not in (Exit.DONE, Exit.INTERRUPTED) and not (output / "summary.html").exists():
        raise Failure(f"the workflow did not start: {last_line(log)}", f"read {log}")
    return code if code == Exit.INTERRUPTED else _log_outcomes(output, code)


def _check_device(config: Config) -> None:
    """Check the GPU now: without one, every session would fail, one after the other."""
    if config.training.device.startswith("cuda"):
        from xcebra_nwb.training.device import find_device

        find_device(config.training.device)


def _log_outcomes(output: Path, code: int) -> int:
    from xcebra_nwb.report.outcome import print_overview

    if logger.isEnabledFor(logging.INFO):
        print_overview(output, output / "sessions.tsv")
    logger.info("summary: %s", output / "summary.html")
    return int(Exit.DONE) if code == 0 else int(Exit.FAILED)
