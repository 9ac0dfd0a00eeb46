"""Verbs that work on a session in its results folder, and leave a receipt there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from xcebra_nwb.commands.cli.options import (
    TABLE,
    Batch,
    ConfigFile,
    Directory,
    FollowLinks,
    Source,
    Table,
    Threads,
    config_of,
    follow,
    source_of,
)


def fetch(
    directory: Directory,
    sessions: Table = TABLE,
    stream: Annotated[bool, typer.Option("--stream", help="Do not download: read what is needed when it is.")] = False,
    batch: Batch = False,
) -> None:
    """Bring the asset of a session into the cache, or see that it can be streamed: source.json."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.fetch import fetch

        return fetch(sessions, directory, "stream" if stream else "download")

    _run("fetch", directory, work, batch)


def extract(
    source: Source,
    directory: Directory,
    config: ConfigFile = None,
    batch: Batch = False,
    follow_links: FollowLinks = False,
) -> None:
    """Bring neural activity and behaviour to one bin grid: session.nc."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.extract import extract

        return extract(source_of(source), directory, settings, session, follow(follow_links))

    settings, session = config_of(config), directory.resolve().name
    _run("extract", directory, work, batch)


def train(
    directories: Annotated[
        list[Path], typer.Argument(help="Results folder of the session; or of several, side by side.")
    ],
    config: ConfigFile = None,
    together: Annotated[bool, typer.Option("--together", help="One space of latents for all sessions named.")] = False,
    threads: Threads = 1,
    batch: Batch = False,
) -> None:
    """Train the encoders, seeds and nulls as one stack: model.safetensors, training.nc, embedding.nc."""
    from xcebra_nwb.core.receipts import Outcome, run_on_several

    def work() -> list[Path]:
        from xcebra_nwb.commands.train import train

        return train(directories[0], settings, threads)

    def work_apart(left: Sequence[Path]) -> Mapping[Path, Outcome]:
        from xcebra_nwb.commands.train import train_each

        return train_each(left, settings, threads)

    def current(directory: Path) -> list[Path]:
        from xcebra_nwb.commands.train import current

        return current(directory, settings)

    def work_together(left: Sequence[Path]) -> Mapping[Path, Outcome]:
        from xcebra_nwb.commands.train_together import train_together

        return train_together(left, settings, threads, strict=not batch)

    settings = config_of(config)
    if together or settings.training.together:
        run_on_several("train", directories, work_together, batch=batch)
    elif len(directories) > 1:
        run_on_several("train", directories, work_apart, batch=batch, independent=True, current=current)
    else:
        _run("train", directories[0], work, batch)


def align(
    directory: Directory,
    to: Annotated[list[Path], typer.Option("--to", help="Results folder of a trained session; again for another.")],
    threads: Threads = 1,
) -> None:
    """Train the encoders of a left-out session in the space of others, which stays as it is: the files of train."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.align import align

        return align(directory, to, threads)

    _run("train", directory, work)


def attribute(directory: Directory, config: ConfigFile = None, threads: Threads = 1, batch: Batch = False) -> None:
    """Compute the attribution maps and test them against the nulls: attribution.nc."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.attribute import attribute

        return attribute(directory, settings, threads)

    settings = config_of(config)
    _run("attribute", directory, work, batch)


def assess(directory: Directory, batch: Batch = False) -> None:
    """Judge every label: decoding, consistency, leak, and a verdict in words: assessment.json."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.assess import assess

        return assess(directory)

    _run("assess", directory, work, batch)


def write(source: Source, directory: Directory, batch: Batch = False, follow_links: FollowLinks = False) -> None:
    """Write the results into a slim, self-contained NWB file."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.write import write

        return write(source_of(source), directory, directory.resolve().name, follow(follow_links))

    _run("write", directory, work, batch)


def check(source: Source, directory: Directory, batch: Batch = False, follow_links: FollowLinks = False) -> None:
    """Validate and inspect the results file; fail on findings that the source did not have."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.check import check

        return check(source_of(source), directory, directory.resolve().name, follow(follow_links))

    _run("check", directory, work, batch)


def report(directory: Directory, batch: Batch = False) -> None:
    """Make the session's page: report.html."""

    def work() -> list[Path]:
        from xcebra_nwb.commands.report import report

        return report(directory)

    _run("report", directory, work, batch)


def _run(command: str, directory: Path, work: Callable[[], list[Path]], batch: bool = False) -> None:
    # Imported here, since the import takes longer than printing the help.
    from xcebra_nwb.core.receipts import run_command

    run_command(command, directory, work, batch=batch)
