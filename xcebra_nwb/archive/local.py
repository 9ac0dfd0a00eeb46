"""Find NWB files on disk, and make a table of sessions from them."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.looks import Looks, state
from xcebra_nwb.archive.names import ENDINGS, clean_identifier, session_names
from xcebra_nwb.core.errors import UsageError, XcebraError, one_line
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.safe_text import REASONS, path_problem, printable
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.inventory.inventory import Inventory, inventory
from xcebra_nwb.nwb.reading.foreign import Follow, followed

logger = logging.getLogger("xcebra_nwb")

ZARR_METADATA = (".zmetadata", ".zgroup", "zarr.json")
OWN_EXPORT = "_desc-xcebra.nwb"  # end of the names of our own exports, which are no new sessions
MISSING = "a link to a file that is not here"
NO_FILE = "neither a file nor a folder"
UNREADABLE = "cannot be read"
OWN_REASONS = (
    MISSING,
    NO_FILE,
    UNREADABLE,
    *REASONS,
)  # reasons that hold only while they are true; all others are the user's


class Look(NamedTuple):
    """The result of a look at a file: its session's name and contents, or a reason.

    ``name`` and ``found`` are "" if unknown. ``reason`` says why the file is left out. ``whole`` says whether the
    contents were read, and from this file alone.
    """

    name: str = ""
    found: str = ""
    reason: str = ""
    size: int | None = None
    sha256: str = ""
    whole: bool = False


def find(inputs: Iterable[Path | str]) -> list[Path]:
    """Return the recordings in files and folders as sorted absolute paths.

    Recordings are ``*.nwb``, ``*.nwb.zarr`` and ``*.nwb.zarr.zip``; a folder counts if it holds the root of a Zarr. In
    folders, hidden files and this package's exports are skipped, and links to folders are not followed. A folder that
    cannot be read is logged. A file that is named is always taken.

    Raises:
        UsageError: An input does not exist, or there is no recording.
    """
    by_path: dict[str, Path] = {}
    for given in inputs:
        for path in _under(given):
            by_path.setdefault(os.path.realpath(path), path)
    if not by_path:
        raise UsageError("no NWB file found", "give NWB files, or folders that hold *.nwb files")
    return sorted(by_path.values())


def _under(given: Path | str) -> Iterator[Path]:
    path = _absolute(given)
    try:
        path.lstat()
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        why = "no such file or folder" if missing else getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{given}: {why}", "give NWB files, or folders that hold them") from None
    if path.is_dir() and not _is_zarr_root(path):
        yield from _in_folder(path)
    elif os.path.lexists(path):
        yield path


def _absolute(given: Path | str) -> Path:
    """Return an absolute path with its links, whose names are informative.

    A tilde that is no name stands for the home folder.
    """
    if not str(given):
        raise UsageError("an empty path", "give NWB files, or folders that hold them")
    path = given if os.path.lexists(given) else os.path.expanduser(given)  # noqa: PTH111 - this one never raises
    return Path(os.path.normpath(Path(path).absolute()))


def is_folder_of_recordings(path: Path | str) -> bool:
    """Return whether a path is a folder to be searched for recordings, and no Zarr itself."""
    folder = Path(path).expanduser()
    return folder.is_dir() and not folder.name.endswith(ENDINGS) and not _is_zarr_root(folder)


def _in_folder(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder, onerror=_say_unreadable):
        inside = [Path(where, name) for name in folders if not name.startswith(".")]
        zarrs = [path for path in inside if path.name.endswith(ENDINGS) and _is_zarr_root(path)]
        yield from zarrs
        folders[:] = [path.name for path in inside if path not in zarrs]
        yield from (Path(where, name) for name in files if _is_recording(name))


def _say_unreadable(error: OSError) -> None:
    logger.warning("%s: skipped: %s", error.filename, error.strerror)


def _is_recording(name: str) -> bool:
    return name.endswith(ENDINGS) and not name.startswith(".") and not name.endswith(OWN_EXPORT)


def _is_zarr_root(path: Path) -> bool:
    return any((path / name).is_file() for name in ZARR_METADATA)


def rows(
    paths: Sequence[Path],
    base: Path,
    known: Mapping[str, Session] | None = None,
    taken: Set[str] = frozenset(),
    follow: Follow = Follow.FOLDER,
    memory: Path | None = None,
) -> list[Session]:
    """Return a row of the table of sessions for every file.

    Args:
        paths: The files.
        base: Folder to which the sources below it are relative; other sources are absolute.
        known: Rows of an earlier table by source; their name, ``include`` and ``reason`` are kept.
        taken: Names that no other session may get.
        follow: Which links into other files are followed.
        memory: File that keeps what was seen in them, so that unchanged files are not read again; None: no file.
    """
    known, seen = known or {}, Looks(memory, follow)
    sources = [str(path.relative_to(base)) if path.is_relative_to(base) else str(path) for path in paths]
    try:
        looks = [_remembered(path, source, follow, seen) for path, source in zip(paths, sources, strict=True)]
    finally:
        seen.save()  # also if it was stopped
    decided = {path: known[source].session for path, source in zip(paths, sources, strict=True) if source in known}
    names = session_names({path: look.name for path, look in zip(paths, looks, strict=True)}, decided, taken)
    return [
        _row(path, look, Session(session=name, include=False, source=printable(source)), known.get(source))
        for path, look, name, source in zip(paths, looks, names, sources, strict=True)
    ]


def _row(path: Path, look: Look, row: Session, known: Session | None) -> Session:
    row = row.model_copy(update={"path": printable(path.name), "found": look.found, "reason": look.reason})
    if look.reason:
        return row
    decided = known is not None and not known.reason.startswith(OWN_REASONS)
    kept = known.model_dump(include={"include", "reason"}) if known is not None and decided else {"include": True}
    return row.model_copy(update={"size": look.size, "sha256": look.sha256, **kept})


def _remembered(path: Path, source: str, follow: Follow, seen: Looks) -> Look:
    """Return the contents of a file, which is read only if it has changed since it was seen."""
    known = seen.seen(path)
    if known is not None:
        return Look(known.name, known.found, "", known.state[0], known.sha256)
    before, look = state(path), _look(path, source, follow)
    if look.reason:
        return look
    try:
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        look = look._replace(size=sum(file.stat().st_size for file in files), sha256=sha256(path))
    except OSError as error:
        return look._replace(reason=f"{UNREADABLE}: {error.strerror}")
    if look.whole:
        seen.note(path, before, look.name, look.found, look.sha256)
    return look


def _look(path: Path, source: str, follow: Follow) -> Look:
    """Return the contents of a file in one line, or the reason to leave it out."""
    if why := path_problem(source) or unreadable(path):
        return Look(reason=why)
    try:
        rule = pinned.followed(path, follow)
        contents, alone = inventory(path, rule), not followed(path, rule)
        subject, session = clean_identifier(contents.file.subject), clean_identifier(contents.file.session_id)
        name = f"sub-{subject}_ses-{session}" if subject and session else ""
        return Look(name, printable(describe(contents)), whole=alone)
    except XcebraError as error:
        return Look(found=f"refused: {error.message.removeprefix(f'{path}: ')}")
    except Exception as error:  # an error of any library about one file must not hide the others
        return Look(found=one_line(f"refused: {type(error).__name__}: {error}"))


def unreadable(path: Path) -> str:
    """Return why a path cannot be read, "" if it can.

    A pipe or a device is not opened, because it has no end.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            path.open("rb").close()
    except FileNotFoundError:  # git-annex and DataLad keep a dangling link for a file that was not fetched
        return MISSING
    except OSError as error:
        return f"{UNREADABLE}: {error.strerror}"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else NO_FILE


def describe(contents: Inventory) -> str:
    """Return in one line what ``auto`` takes from a file, or why it takes nothing."""
    if contents.refusal is not None:
        return f"auto refuses: {contents.refusal.reason.removeprefix(f'{Path(contents.file.path).name}: ')}"
    taken = [source for source in contents.neural if source.taken_by_auto]
    units, spikes = sum(source.units for source in taken), sum(source.events or 0 for source in taken)
    activity = f"{spikes} spikes" if spikes else ", ".join(sorted({source.kind for source in taken}))
    shapes = {series.path: series.shape for series in contents.series}
    labels = [
        f"{label.name} ({_extent(label.kind, shapes.get(label.source, []))})" for label in contents.automatic.labels
    ]
    return f"{units} units, {activity}; {', '.join(labels)}"


def _extent(kind: str, shape: list[int]) -> str:
    """Return the number of axes of a continuous label, else its kind."""
    return str(shape[1] if len(shape) == 2 else 1) if kind == "continuous" else kind
