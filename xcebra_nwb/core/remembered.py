"""The fingerprints of commands that the cache of this user remembers, by the digest of the code.

A cache that is missing, damaged or not this user's alone costs seconds and changes nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, write_json
from xcebra_nwb.core.folders import CACHE_REMEDY, cache_folder, user_folder

FILE = "fingerprints.json"
MOST_VERSIONS = 20  # of the code; the newest is the last
ByCommand = dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]
STORED = TypeAdapter(dict[str, ByCommand])


def fingerprints(code: str) -> ByCommand:
    """Return the remembered fingerprints by command; none of code that is new.

    Args:
        code: Digest of the code.
    """
    return _stored().get(code, {})


def save(code: str, by_command: ByCommand) -> None:
    """Remember fingerprints, if this user has a cache that can be written.

    Args:
        code: Digest of the code.
        by_command: Its fingerprints by command.
    """
    stored = _stored()
    stored[code] = by_command
    for oldest in list(stored)[:-MOST_VERSIONS]:
        del stored[oldest]
    try:
        write_json(_path(), stored)
    except (OSError, UsageError):
        return  # the next process computes them again


@cache
def _stored() -> dict[str, ByCommand]:
    """Return what the file held when this process first asked, and what the process has added since."""
    try:
        return STORED.validate_python(read_json(_path()))
    except (OSError, UsageError, ValidationError):
        return {}


def _path() -> Path:
    """Return the path of the file.

    Raises:
        UsageError: The user has no cache folder, or others can write to it.
    """
    return user_folder(cache_folder(), CACHE_REMEDY) / FILE
