"""What was seen in local recordings, so that an unchanged file is not read again by the next run.

A file is unchanged if its size, times and inode are, and the code that looked at it. A file that links to others, and a
recording in a folder, are looked at every time.
"""

from __future__ import annotations

import stat
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, write_json
from xcebra_nwb.core.provenance import fingerprint
from xcebra_nwb.nwb.reading.foreign import Follow


class Seen(BaseModel):
    """What was seen in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: list[int]  # of the file: size, two times, inode
    name: str  # of its session, "" if unknown
    found: str
    sha256: str


STORED = TypeAdapter(dict[str, Seen])


class Looks:
    """The files that were seen, kept in a file of the results."""

    def __init__(self, path: Path | None, follow: Follow) -> None:
        """Read what was seen.

        Args:
            path: File that keeps it; None: nothing is kept.
            follow: Rule for links of local files, on which the contents of a file depend.
        """
        self._path, self._new = path, dict[str, Seen]()
        self._code = f"{fingerprint('discover')} {follow.name}" if path is not None else ""
        self._known = _read(path, self._code) if path is not None else {}

    def seen(self, path: Path) -> Seen | None:
        """Return what was seen in a file, None if it must be looked at."""
        known = self._known.get(str(path))
        if known is None or known.state != state(path):
            return None
        self._new[str(path)] = known
        return known

    def note(self, path: Path, before: list[int] | None, name: str, found: str, sha256: str) -> None:
        """Note what was seen in a file, unless it has changed since.

        Args:
            path: The file.
            before: Its state before it was looked at.
            name: Name of its session.
            found: Its contents.
            sha256: Its digest.
        """
        if before is not None and before == state(path):
            self._new[str(path)] = Seen(state=before, name=name, found=found, sha256=sha256)

    def save(self) -> None:
        """Keep what was seen."""
        if self._path is not None and self._new != self._known:
            files = {name: seen.model_dump() for name, seen in self._new.items()}
            write_json(self._path, {"code": self._code, "files": files})


def state(path: Path) -> list[int] | None:
    """Return the state of a file on the disk; None of a folder or what cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _read(path: Path, code: str) -> dict[str, Seen]:
    try:
        stored = read_json(path)
        return STORED.validate_python(stored["files"]) if stored["code"] == code else {}
    except (UsageError, OSError, ValidationError, KeyError, TypeError):
        return {}
