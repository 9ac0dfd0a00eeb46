"""run: find the sessions and run the whole workflow on them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from xcebra_nwb.archive.remote import Screen
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.run_folder import sole_run
from xcebra_nwb.commands.run_progress import following
from xcebra_nwb.commands.run_snakemake import last_line, launch
from xcebra_nwb.commands.stop import handling, interrupt
from xcebra_nwb.core import usage
from xcebra_nwb.core.config.schema import Config, dump
from xcebra_nwb.core.errors import Exit, Failure, XcebraError
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.folders import check_run
from xcebra_nwb.core.installation import packaged_path
from xcebra_nwb.core.result_files import ResultFiles
from xcebra_nwb.core.shared_cache import address
from xcebra_nwb.core.slurm_jobs import cancel_left
from xcebra_nwb.nwb.reading.foreign import VARIABLE, Follow
from xcebra_nwb.report.steps import file_stamp

SUMMARY = "summary.html"
SEEN = ".seen.json"  # in the results: what was seen in local files
NAMED = 5  # sessions that are named
logger = logging.getLogger("xcebra_nwb")


def run(
    inputs: Sequence[Path | str],
    output: Path,
    config: Config,
    cores: int | None = None,
    draft: bool = False,
    follow: Follow = Follow.FOLDER,
    watched: bool = False,
    browse: bool = False,
    profile: Path | None = None,
    cache: str | None = None,
) -> int:
    """Run the workflow on recordings; all files go into the folder ``output``.

    The folder then holds sessions.tsv, config.yaml, a folder for each session, summary.html and atlas.parquet. The same
    command does only what is missing or out of date when it is run again, also after an interruption.

    Args:
        inputs: Files, folders and dandisets.
        output: Folder of the files.
        config: The config.
        cores: CPU cores; None: all that this process may use, or as the profile says.
        draft: Whether drafts of dandisets are taken.
        follow: Rule for links of local files to other files.
        watched: Whether to show the run to browsers of this machine.
        browse: Whether to open that page in a browser.
        profile: Profile of Snakemake, which names another place for the jobs, such as a cluster (:func:`find_profile`).
        cache: Address of the shared cache of results; None for none.

    Returns:
        0 if every session is done or refused, 130 if interrupted, else 1.

    Raises:
        UsageError: There is no input, no such GPU, or ``cache`` cannot be used.
        Failure: Another run uses ``output``, which is then left as it is, or the workflow did not start.
    """
    output = Path(output).absolute()
    start = time.monotonic()
    shared = {address.VARIABLE: address.absolute(cache)} if cache else {}
    for name in shared.values():
        logger.info("shared cache: %s", address.opened(name).shown)
    if profile is None:
        _check_device(config)
        cores = cores or usage.cores()
    with handling(interrupt), sole_run(output) as begun:
        cancel_left(output)  # before the workflow is planned: what a job of a group wrote goes when the job ends
        rows = discover(inputs, output / "sessions.tsv", output, Screen(draft=draft), follow, output / SEEN)
        run_config = config.model_copy(update={"sessions": "sessions.tsv", "results": "."})
        settings, log = output / "config.yaml", output / "logs" / "workflow.log"
        write_text(settings, dump(run_config))
        count = "1 session" if len(rows) == 1 else f"{len(rows)} sessions"
        sessions = [row.session for row in rows if row.include]
        left_out = f" ({len(rows) - len(sessions)} left out)" if len(sessions) < len(rows) else ""
        logger.info("%s%s in %s; all that Snakemake says is in %s", count, left_out, output / "sessions.tsv", log)
        _log_faults(output, sessions)
        before = file_stamp(output / SUMMARY)
        variables = {VARIABLE: str(int(follow is Follow.ANYWHERE)), **shared}  # for the jobs
        with _shown(output, sessions, watched or browse, browse), following(output, sessions) as poll:
            code = launch(packaged_path("workflow/Snakefile"), settings, cores, log, poll, variables, begun, profile)
        if code == Exit.INTERRUPTED:
            _end_stopped(output, sessions, file_stamp(output / SUMMARY) != before)
            return code
    if code != Exit.DONE and not (output / SUMMARY).exists():
        raise Failure(f"the workflow did not start: {last_line(log)}", f"read {log}")
    return _log_outcomes(output, code, time.monotonic() - start)


def _shown(output: Path, sessions: list[str], watched: bool, browse: bool) -> AbstractContextManager[object]:
    if not watched:
        return nullcontext()
    from xcebra_nwb.commands.watch import showing

    return showing(output, sessions, browse=browse)


def _log_faults(output: Path, sessions: Sequence[str]) -> None:
    """Log which files of earlier runs are missing or damaged; the workflow finds them too."""
    check_run(output, sessions)
    files = ResultFiles(output)
    for fault in files.faults(sessions):
        logger.warning("%s: %s makes it again", fault, fault.command)
    files.save()


def _end_stopped(output: Path, sessions: Sequence[str], summarized: bool) -> None:
    """Write the summary of a run that was stopped, unless the workflow did, and log the sessions that are left."""
    from xcebra_nwb.commands.summarize import summarize
    from xcebra_nwb.report.status import session_status

    try:
        if not summarized:
            summarize(output, output / "sessions.tsv")
    except (XcebraError, OSError) as error:  # such as a full disk, which may be the reason to stop
        logger.warning("the summary was not written: %s", error)
    left = [name for name in sessions if session_status(output, name).state == "failed"]
    names = ", ".join(left[:NAMED]) + (f" and {len(left) - NAMED} more" if len(left) > NAMED else "")
    ended = f"{len(sessions) - len(left)} of {len(sessions)} sessions are finished"
    logger.warning("stopped: %s, %s; the same command goes on", ended, f"left: {names}" if left else "none is left")


def _check_device(config: Config) -> None:
    """Check the GPU now: without one, every session would fail, one after the other."""
    if config.training.device.startswith("cuda"):
        from xcebra_nwb.training.device import find_device

        find_device(config.training.device)


def _log_outcomes(output: Path, code: int, seconds: float) -> int:
    from xcebra_nwb.report.ending import print_overview

    if logger.isEnabledFor(logging.INFO):
        print_overview(output, output / "sessions.tsv", seconds=seconds)
    return int(Exit.DONE) if code == 0 else int(Exit.FAILED)
