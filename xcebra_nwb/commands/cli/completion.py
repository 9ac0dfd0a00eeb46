"""Values that a shell offers for an argument or an option; files are left to the shell.

A shell waits for the answer at every press of the tab key, so nothing slow is imported here. The scripts of the shells
evaluate a part of the answer, and names of sessions and labels may be a stranger's: only plain names are offered.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import typer

VARIABLE = "_XCEBRA_NWB_COMPLETE"  # environment variable: set by the script of a shell that asks
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*(,[A-Za-z0-9_.+-]+)*", re.ASCII)
RESULT = "assessment.json"
LARGEST = 5_000_000  # bytes of an assessment.json that is read
MOST_FOLDERS = 1000  # in a folder of results
MOST_READ = 20  # sessions whose labels are read
PANELS = ("map", "tuning", "embedding", "decoding")
WIDTHS = ("single", "middle", "double")
BENCHMARKS = ("synthetic", "ratinabox", "conditions", "ablation", "dimensions", "quality", "cells", "speed", "file")
INSTANCES = ("dandi", "dandi-sandbox", "ember-dandi")
LICENSES = ("spdx:CC0-1.0", "spdx:CC-BY-4.0")
Completer = Callable[[typer.Context, str], list[str]]


def asked() -> bool:
    """Return whether a shell asks for the values, instead of a user for a command."""
    return VARIABLE in os.environ


def words(*choices: str) -> Completer:
    """Return a completer that offers fixed words."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return [word for word in choices if word.startswith(incomplete)]

    return complete


def panels(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the parts of a figure that may follow those that are named already.

    >>> panels(None, "map,t")
    ['map,tuning']
    """
    before, comma, last = incomplete.rpartition(",")
    named = before.split(",")
    return [before + comma + name for name in PANELS if name.startswith(last) and name not in named]


def configs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the examples, and the YAML files of the working folder."""
    from xcebra_nwb.core.installation import EXAMPLES, packaged_path

    own = [file.name for file in _entries(Path()) if file.suffix in (".yaml", ".yml")]
    return _plain([file.stem for file in packaged_path(EXAMPLES).glob("*.yaml")] + own, incomplete)


def profiles(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the profiles of this package, of the user and of the site."""
    from xcebra_nwb.core.installation import packaged_path

    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    folders = [packaged_path("workflow/profiles"), user / "snakemake", Path("/etc/xdg/snakemake")]
    return _plain((entry.name for folder in folders for entry in _entries(folder) if entry.is_dir()), incomplete)


def sessions(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the sessions with results, in the folders of runs that the line names."""
    return _plain((folder.name for folder in _session_folders(ctx)), incomplete)


def labels(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the labels that were assessed in the folders that the line names."""
    session = ctx.params.get("session") or ""
    folders = [folder for folder in _session_folders(ctx) if not session or folder.name == session]
    return _plain((label for folder in folders[:MOST_READ] for label in _labels(folder / RESULT)), incomplete)


def _session_folders(ctx: typer.Context) -> list[Path]:
    """Return the folders with results: those that the line names, or those inside them."""
    given = [ctx.params.get("output"), *(ctx.params.get("outputs") or ())]
    # An option without its value ends the reading of the line, and leaves its arguments as they are.
    folders = [Path(path) for path in [*given, *ctx.args] if path is not None]
    inside = [[folder] if (folder / RESULT).is_file() else _entries(folder) for folder in folders]
    return [folder for folders in inside for folder in folders if (folder / RESULT).is_file()]


def _labels(file: Path) -> list[str]:
    """Return the labels that an assessment names; none if it is not a readable one."""
    try:
        facts = file.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST:
            return []
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    named = told.get("labels") if isinstance(told, dict) else None
    return list(named) if isinstance(named, dict) else []


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, at most a thousand entries; nothing if it cannot be read."""
    try:
        return sorted(islice(folder.iterdir(), MOST_FOLDERS))
    except OSError:
        return []


def _plain(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the plain names that begin as the incomplete word does, each once."""
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete) and PLAIN.fullmatch(name)]
