"""Arguments and options that several commands take, each declared once, and what is made of them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # pydantic takes longer to load than the help to print
    from xcebra_nwb.archive.pinned import Given
    from xcebra_nwb.core.config.schema import Config
    from xcebra_nwb.nwb.reading.foreign import Follow

INPUTS = (
    "NWB files, folders of them, dandisets (DANDI:000207/0.220216.0323), addresses of any DANDI archive, asset ids."
)
TABLE, RESULTS = Path("config/sessions.tsv"), Path("results")  # where they are unless it is said
ONE = "NWB file, its https address, or one asset of an archive (dandi://dandi/000207@0.220216.0323/sub-4/...nwb)."
Source = Annotated[str, typer.Argument(help="The session's source.json; or its " + ONE + " It is never changed.")]
Directory = Annotated[Path, typer.Argument(help="Results folder of the session; its name is the session's.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file, or the name of an example; without one, every default."),
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
Cores = Annotated[int, typer.Option(min=1, help="CPU cores.")]
Batch = Annotated[bool, typer.Option("--batch", help="A refusal is noted in the receipt and is no error (workflow).")]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links",
        envvar="XCEBRA_NWB_FOLLOW_LINKS",
        help="Read what a local file keeps in other files wherever that is, not only in its own folder.",
    ),
]
Table = Annotated[Path, typer.Option(help="Table of the sessions.")]
Results = Annotated[Path, typer.Option(help="Folder of the results.")]


def config_of(path: Path | None) -> Config:
    """Return the config of a file or of an example of that name, or every default.

    Raises:
        UsageError: there is none, it is wrong, or what it asks for is not installed: said before hours of training.
    """
    from xcebra_nwb.core.config import schema
    from xcebra_nwb.core.installation import config_file, require_package

    found = schema.validate({}) if path is None else schema.load(config_file(path))
    for method in found.attribution.costly:
        require_package("captum", f"attribution.methods: {method}")
    return found


def source_of(text: str) -> Given:
    """Return what a source on the command line is; an asset is looked up in its archive."""
    from xcebra_nwb.archive.given import source

    return source(text)


def local_file(text: str) -> Path:
    """Return the path of a file that has to be on this machine."""
    from xcebra_nwb.archive.given import local

    return local(text)


def info(message: str, *values: object) -> None:
    """Say what was done, unless the user asked for quiet."""
    logging.getLogger("xcebra_nwb").info(message, *values)


def follow(links: bool) -> Follow:
    """Return where a local file may lead to other files, given whether --follow-links is."""
    from xcebra_nwb.nwb.reading.foreign import Follow

    return Follow.local(links)
