"""Names of sessions, told from their files, and the paths that an archive may name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path

from xcebra_nwb.core.session_table import LONGEST_NAME, RESERVED, is_device

ENDINGS = (".nwb", ".nwb.zarr", ".nwb.zarr.zip")
ENDING = re.compile(r"(\.nwb)?(\.zarr)?(\.zip)?$")
NAMED = re.compile(r"^sub-(?P<subject>[A-Za-z0-9+-]+)_ses-(?P<session>[A-Za-z0-9+-]+)(_|$)")
ROOM_FOR_A_NUMBER = 8  # characters
LONGEST = 4096  # bytes of a path, as many as Linux takes
LONGEST_PART = 255  # bytes of a name in it


def session_names(
    stated: Mapping[Path, str], decided: Mapping[Path, str] | None = None, taken: Set[str] = frozenset()
) -> list[str]:
    """Return a name for every file, each different: ``sub-<id>_ses-<id>`` where that can be told.

    What the file itself states (``stated``, "" if nothing) comes first, then what its name says, then its name. Files
    that would share a name are called by their file names, and numbered where that does not help. Names in ``decided``
    stay as they are; no other file gets one in ``taken``.
    """
    decided = decided or {}
    wanted = {path: name or _name_in_file_name(path) or _stem(path) for path, name in stated.items()}
    shared = {name for name, count in Counter(name.lower() for name in wanted.values()).items() if count > 1}
    free = _Names({name.lower() for name in [*decided.values(), *taken]} | RESERVED)
    return [
        decided.get(path) or free.take(_stem(path) if name.lower() in shared else name) for path, name in wanted.items()
    ]


class _Names:
    """Names that are taken, in lower case: folders may not tell it from upper case."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._last: dict[str, int] = {}  # number that a name was given with

    def take(self, name: str) -> str:
        """Return ``name``, numbered if it is taken; it is so from now on."""
        name = f"session-{name}" if is_device(name) else name
        name = candidate = name[: LONGEST_NAME - ROOM_FOR_A_NUMBER].rstrip(".")
        while candidate.lower() in self._taken:
            number = self._last[name.lower()] = self._last.get(name.lower(), 1) + 1
            candidate = f"{name}-{number}"
        self._taken.add(candidate.lower())
        return candidate


def _name_in_file_name(path: Path) -> str:
    match = NAMED.match(_without_ending(path))
    return f"sub-{match['subject']}_ses-{match['session']}" if match else ""


def clean_identifier(text: str) -> str:
    """``text`` in the characters that DANDI allows between the underscores of a file name."""
    return re.sub(r"[^A-Za-z0-9+]+", "-", text).strip("-+")


def _stem(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", _without_ending(path)).strip("-_.+") or "session"


def _without_ending(path: Path) -> str:
    return ENDING.sub("", path.name, count=1) if path.name.endswith(ENDINGS) else path.stem


def is_plain(path: str) -> bool:
    """Return whether a path stays in the folder that it is relative to, and can be printed in one line."""
    if not path or not path.isprintable() or "\\" in path or len(path.encode()) > LONGEST:
        return False
    return all(part not in {"", ".", ".."} and len(part.encode()) <= LONGEST_PART for part in path.split("/"))
