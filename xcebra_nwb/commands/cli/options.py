"""Arguments and options that several commands share, and the functions that interpret them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xcebra_nwb.commands.cli import completion

if TYPE_CHECKING:  # pydantic takes longer to load than the help to print
    from xcebra_nwb.archive.pinned import Given
    from xcebra_nwb.core.config.schema import Config
    from xcebra_nwb.nwb.reading.foreign import Follow

INPUTS = (
    "NWB files, folders of them, dandisets (DANDI:000207/0.220216.0323), addresses of any DANDI archive, asset ids."
)
VARIABLE = "XCEBRA_NWB_SHARED_CACHE"  # as core.shared_cache.address has it, which takes longer to load than the help
TABLE, RESULTS = Path("config/sessions.tsv"), Path("results")  # defaults
RECORDING = "NWB file, its https address, or an asset of an archive (dandi://dandi/000207@0.220216.0323/sub-4/...nwb)."
Source = Annotated[str, typer.Argument(help="The session's source.json; or its " + RECORDING + " It is never changed.")]
Directory = Annotated[Path, typer.Argument(help="Results folder of the session; its name is the name of the session.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="YAML file, or the name of an example; without one, all keys have their defaults.",
        autocompletion=completion.configs,
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
Cores = Annotated[int, typer.Option(min=1, help="CPU cores.")]
Batch = Annotated[
    bool, typer.Option("--batch", help="Write a refusal into the receipt and end without an error (for workflows).")
]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links",
        envvar="XCEBRA_NWB_FOLLOW_LINKS",
        help="Follow links of a local file to other files anywhere, not only in its own folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; messages go to the standard error.")]
Table = Annotated[Path, typer.Option(help="Table of the sessions.")]
Results = Annotated[Path, typer.Option(help="Folder of the results.")]


def config_of(path: Path | None) -> Config:
    """Return the config of a file or of an example; without a path, the defaults.

    Raises:
        UsageError: The config does not exist or is wrong, or a package that it needs is not installed.
    """
    from xcebra_nwb.core.config import schema
    from xcebra_nwb.core.installation import config_file, require_package

    config = schema.validate({}) if path is None else schema.load(config_file(path))
    for method in config.attribution.costly:
        require_package("captum", f"attribution.methods: {method}")
    return config


def source_of(text: str) -> Given:
    """Return the source that an argument names; an asset is looked up in its archive."""
    from xcebra_nwb.archive.given import source

    return source(text)


def local_file(text: str) -> Path:
    """Return the path of a file on this machine."""
    from xcebra_nwb.archive.given import local

    return local(text)


def info(message: str, *values: object) -> None:
    """Log a message, which ``--quiet`` suppresses."""
    logging.getLogger("xcebra_nwb").info(message, *values)


def follow(links: bool) -> Follow:
    """Return the rule for links of local files, by whether --follow-links is given."""
    from xcebra_nwb.nwb.reading.foreign import Follow

    return Follow.local(links)
