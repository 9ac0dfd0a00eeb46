"""Commands that work on one session in its results folder and write a receipt there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xcebra_nwb.commands.cli.options import (
    TABLE,
    VARIABLE,
    AsJson,
    Batch,
    ConfigFile,
    Directory,
    FollowLinks,
    Source,
    Table,
    Threads,
    config_of,
    follow,
    info,
    source_of,
)
from xcebra_nwb.commands.cli.output import json_alone, print_json

if TYPE_CHECKING:  # pydantic takes longer to load than the help to print
    from xcebra_nwb.core.config.schema import Config
    from xcebra_nwb.core.shared_cache.result import SharedResult


def fetch(
    directory: Directory,
    sessions: Table = TABLE,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream", help="Do not download the asset; read the parts that are needed, when they are needed."
        ),
    ] = False,
    batch: Batch = False,
    as_json: AsJson = False,
) -> None:
    """Download the asset of a session into the cache, or check its streaming.

    Writes source.json.
    """

    def work() -> list[Path]:
        from xcebra_nwb.commands.fetch import fetch

        return fetch(sessions, directory, "stream" if stream else "download")

    _run("fetch", directory, work, batch, as_json=as_json)


def extract(
    source: Source,
    directory: Directory,
    config: ConfigFile = None,
    batch: Batch = False,
    follow_links: FollowLinks = False,
    as_json: AsJson = False,
) -> None:
    """Extract neural activity and behaviour in common time bins.

    Writes session.nc.
    """

    def work() -> list[Path]:
        from xcebra_nwb.commands.extract import extract

        return extract(source_of(source), directory, settings, session, follow(follow_links))

    settings, session = config_of(config), directory.resolve().name
    _run(
        "extract",
        directory,
        work,
        batch,
        shared=_shared("extract", directory, settings, source, follow_links),
        as_json=as_json,
    )


def preview(directory: Directory, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Write the page of what was extracted, and of what the settings can show, before anything is trained.

    Writes extraction.html.
    """
    from xcebra_nwb.commands import preview as command

    with json_alone(as_json):
        page, outlook = command.preview(directory, config_of(config))
    info("wrote %s", page)
    if as_json:
        print_json(command.as_json(page, outlook))


def train(
    directories: Annotated[
        list[Path], typer.Argument(help="Results folder of the session, or of several to train in one process.")
    ],
    config: ConfigFile = None,
    together: Annotated[
        bool, typer.Option("--together", help="Joint training: all sessions share one latent space.")
    ] = False,
    threads: Threads = 1,
    batch: Batch = False,
    as_json: AsJson = False,
) -> None:
    """Train the encoders of a session, seeds and nulls, as one ensemble.

    Writes model.safetensors, training.nc and embedding.nc. Files that the same settings, code and session would give
    again are left alone.
    """
    from xcebra_nwb.core.batches import ALL_SESSIONS
    from xcebra_nwb.core.receipts import Outcome, run_on_several

    def work() -> list[Path]:
        from xcebra_nwb.commands.train import train

        return train(directories[0], settings, threads)

    def train_separately(folders: Sequence[Path]) -> Mapping[Path, Outcome]:
        from xcebra_nwb.commands.train import train_each

        return train_each(folders, settings, threads)

    def current(directory: Path) -> list[Path]:
        from xcebra_nwb.commands.train import current

        return current(directory, settings)

    def train_jointly(folders: Sequence[Path]) -> Mapping[Path, Outcome]:
        from xcebra_nwb.commands.train_together import train_together

        return train_together(folders, settings, threads, strict=not batch)

    settings = config_of(config)
    if together or settings.training.together:
        with _measured("train", directories, batch, ALL_SESSIONS), _told("train", directories, as_json, False):
            run_on_several("train", directories, train_jointly, batch=batch)
    elif len(directories) > 1:
        with _measured("train", directories, batch), _told("train", directories, as_json):
            run_on_several(
                *("train", directories, train_separately),
                batch=batch,
                independent=True,
                current=current,
                shared=_shared_trainings(settings),
            )
    else:
        shared = _shared("train", directories[0], settings)
        _run("train", directories[0], work, batch, current, shared, as_json)


def align(
    directory: Directory,
    to: Annotated[
        list[Path], typer.Option("--to", help="Results folder of a trained session; repeat the option for several.")
    ],
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Train a left-out session into the latent space of others, which does not change.

    Writes the files of train.
    """

    def work() -> list[Path]:
        from xcebra_nwb.commands.align import align

        return align(directory, to, threads)

    _run("train", directory, work, as_json=as_json)


def attribute(
    directory: Directory,
    config: ConfigFile = None,
    threads: Threads = 1,
    batch: Batch = False,
    as_json: AsJson = False,
) -> None:
    """Compute the attribution maps, test them against the nulls, and compute tuning curves.

    Writes attribution.nc and units.nc.
    """

    def work() -> list[Path]:
        from xcebra_nwb.commands.attribute import attribute

        return attribute(directory, settings, threads)

    settings = config_of(config)
    _run("attribute", directory, work, batch, shared=_shared("attribute", directory, settings), as_json=as_json)


def assess(directory: Directory, batch: Batch = False, as_json: AsJson = False) -> None:
    """Judge every label by decoding, consistency and leak, and give a verdict.

    Writes assessment.json and decoded.nc.
    """

    def work() -> list[Path]:
        from xcebra_nwb.commands.assess import assess

        return assess(directory)

    _run("assess", directory, work, batch, shared=_shared("assess", directory), as_json=as_json)


def write(
    source: Source,
    directory: Directory,
    batch: Batch = False,
    follow_links: FollowLinks = False,
    as_json: AsJson = False,
) -> None:
    """Write the results of a session into a slim, self-contained NWB file."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.write import write

        return write(source_of(source), directory, directory.resolve().name, follow(follow_links))

    shared = _shared("write", directory, None, source, follow_links)
    _run("write", directory, work, batch, shared=shared, as_json=as_json)


def check(
    source: Source,
    directory: Directory,
    batch: Batch = False,
    follow_links: FollowLinks = False,
    as_json: AsJson = False,
) -> None:
    """Validate the exported file; fail on findings that the source does not have.

    Writes check.json.
    """

    def work() -> list[Path]:
        from xcebra_nwb.commands.check import check

        return check(source_of(source), directory, directory.resolve().name, follow(follow_links))

    shared = _shared("check", directory, None, source, follow_links)
    _run("check", directory, work, batch, shared=shared, as_json=as_json)


def report(directory: Directory, batch: Batch = False, as_json: AsJson = False) -> None:
    """Write the page of a session, report.html."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.report import report

        return report(directory)

    _run("report", directory, work, batch, as_json=as_json)


def _run(
    command: str,
    directory: Path,
    work: Callable[[], list[Path]],
    batch: bool = False,
    current: Callable[[Path], list[Path]] = lambda directory: [],
    shared: Callable[[], SharedResult | None] = lambda: None,
    as_json: bool = False,
) -> None:
    # Imported here, since the import takes longer than printing the help.
    from xcebra_nwb.core.receipts import run_command

    with _measured(command, [directory], batch), _told(command, [directory], as_json):
        run_command(command, directory, work, batch=batch, current=current, shared=shared)


def _shared(
    command: str,
    directory: Path,
    config: Config | None = None,
    source: str | None = None,
    follow_links: bool = False,
) -> Callable[[], SharedResult | None]:
    """Return a function that finds the place of a result in the shared cache, if the environment names one."""
    if not os.environ.get(VARIABLE):
        return lambda: None

    def find() -> SharedResult | None:
        from xcebra_nwb.commands.shared_results import shared_result

        recording = None if source is None else source_of(source)
        return shared_result(command, directory, config, recording, follow(follow_links))

    return find


def _shared_trainings(config: Config) -> Callable[[Sequence[Path]], Mapping[Path, SharedResult]]:
    if not os.environ.get(VARIABLE):
        return lambda directories: {}

    def find(directories: Sequence[Path]) -> Mapping[Path, SharedResult]:
        from xcebra_nwb.commands.shared_results import shared_trainings

        return shared_trainings(directories, config)

    return find


@contextmanager
def _told(command: str, directories: Sequence[Path], as_json: bool, of_refused: bool = True) -> Iterator[None]:
    """Print the receipts as JSON; of several sessions a list.

    Args:
        command: Name of the command.
        directories: Results folders of the sessions.
        as_json: Whether to print.
        of_refused: Whether a refusal leaves a new receipt in every folder.
    """
    from xcebra_nwb.core.errors import Refusal

    refused: Refusal | None = None
    with json_alone(as_json):
        try:
            yield
        except Refusal as refusal:
            refused = refusal
    if as_json and (of_refused or refused is None):
        from xcebra_nwb.core.receipts import load_written

        receipts = [load_written(directory, command) for directory in directories]
        told = [receipt.model_dump(mode="json", by_alias=True) for receipt in receipts if receipt is not None]
        print_json(told if len(directories) > 1 else told[0])
    if refused is not None:
        raise refused


@contextmanager
def _measured(command: str, directories: Sequence[Path], batch: bool, name: str = "") -> Iterator[None]:
    """Write the time and the memory of a command of a workflow into its results, also of one that fails."""
    from xcebra_nwb.core import usage
    from xcebra_nwb.core.batches import log_name

    try:
        yield
    finally:
        if batch:
            sessions = [directory.resolve().name for directory in directories]
            folder = name or (log_name(sessions) if len(sessions) > 1 else sessions[0])
            with suppress(OSError):  # a full disk must not hide the outcome
                usage.save(directories[0].resolve().parent / usage.FOLDER / folder / f"{command}.tsv")
