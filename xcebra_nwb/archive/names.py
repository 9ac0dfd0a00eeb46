"""Name sessions after their files, and check the paths in archives."""

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
LONGEST_PART = 255  # bytes of one name in a path


def session_names(
    stated: Mapping[Path, str], decided: Mapping[Path, str] | None = None, taken: Set[str] = frozenset()
) -> list[str]:
    """Return a different name for every file, ``sub-<id>_ses-<id>`` if possible.

    The name in the file's content comes first, then the subject and session in its file name, then its file name.
    Files that would share a name are named after their file names, with a number if needed.

    Args:
        stated: Name in the content of each file, "" if there is none.
        decided: Names that are kept as they are.
        taken: Names that no other file may get.

    >>> session_names({Path("sub-A_ses-1_ecephys.nwb"): "", Path("day 2.nwb"): ""})
    ['sub-A_ses-1', 'day-2']
    """
    decided = decided or {}
    wanted = {path: name or _name_in_file_name(path) or _stem(path) for path, name in stated.items()}
    shared = {name for name, count in Counter(name.lower() for name in wanted.values()).items() if count > 1}
    free = _Names({name.lower() for name in [*decided.values(), *taken]} | RESERVED)
    return [
        decided.get(path) or free.take(_stem(path) if name.lower() in shared else name) for path, name in wanted.items()
    ]


class _Names:
    """The names that are taken, in lower case because some file systems ignore case."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._last: dict[str, int] = {}  # the last number that was added to a name

    def take(self, name: str) -> str:
        """Return the name, with a number if it is taken, and take it."""
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
    """Return a text in the characters that DANDI allows within a part of a file name.

    >>> clean_identifier("mouse_12 (left)")
    'mouse-12-left'
    """
    return re.sub(r"[^A-Za-z0-9+]+", "-", text).strip("-+")


def _stem(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", _without_ending(path)).strip("-_.+") or "session"


def _without_ending(path: Path) -> str:
    return ENDING.sub("", path.name, count=1) if path.name.endswith(ENDINGS) else path.stem


def is_plain(path: str) -> bool:
    """Return whether a path stays in its folder and can be printed in one line.

    >>> is_plain("sub-4/a.nwb"), is_plain("../a.nwb")
    (True, False)
    """
    if not path or not path.isprintable() or "\\" in path or len(path.encode()) > LONGEST:
        return False
    return all(part not in {"", ".", ".."} and len(part.encode()) <= LONGEST_PART for part in path.split("/"))
