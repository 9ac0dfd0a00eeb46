"""NWB files on disk: which there are, what to call their sessions, and what they hold."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.sessions import RESERVED, UNPLANNABLE, Session, unplannable
from xcebra_nwb.errors import UsageError, XcebraError
from xcebra_nwb.files import sha256
from xcebra_nwb.nwb.foreign import Follow
from xcebra_nwb.nwb.inventory import Inventory, inventory

ENDINGS = (".nwb", ".nwb.zarr", ".nwb.zarr.zip")
ENDING = re.compile(r"(\.nwb)?(\.zarr)?(\.zip)?$")
ZARR_METADATA = (".zmetadata", ".zgroup", "zarr.json")
OWN_EXPORT = "_desc-xcebra.nwb"  # our results are not new sessions
NAMED = re.compile(r"^sub-(?P<subject>[A-Za-z0-9+-]+)_ses-(?P<session>[A-Za-z0-9+-]+)(_|$)")
MISSING = "a link to a file that is not here"


class Look(NamedTuple):
    """What a file says: the name of its session ("" if none), and what it holds, in one line."""

    name: str
    found: str


def find(inputs: Iterable[Path | str]) -> list[Path]:
    """Return the recordings in files and folders, at any depth, sorted, each once, as absolute paths.

    They are ``*.nwb``, and ``*.nwb.zarr`` and ``*.nwb.zarr.zip``; a folder is one where it holds the root of a Zarr.

    Hidden files and this package's own exports are passed over in folders; a file that is named is always taken.

    Raises:
        UsageError: an input does not exist, or no folder holds a file.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        for path in _under(given):
            found.setdefault(path.resolve(), path)
    if not found:
        raise UsageError("no NWB file found", "give NWB files, or folders that hold *.nwb files")
    return sorted(found.values())


def _under(given: Path | str) -> list[Path]:
    path = Path(os.path.normpath(Path(given).expanduser().absolute()))  # links are kept: their names mean more
    if path.is_dir() and not _is_zarr_root(path):
        return [p for ending in ENDINGS for p in path.rglob(f"*{ending}") if _is_recording(p, path)]
    if not path.exists():
        raise UsageError(f"{given}: no such file or folder", "give NWB files, or folders that hold them")
    return [path]


def _is_recording(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and (_is_zarr_root(path) or not path.is_dir()) and not path.name.endswith(OWN_EXPORT)


def _is_zarr_root(path: Path) -> bool:
    return any((path / name).is_file() for name in ZARR_METADATA)


def rows(
    paths: Sequence[Path],
    base: Path,
    known: Mapping[str, Session] | None = None,
    taken: Set[str] = frozenset(),
    follow: Follow = Follow.FOLDER,
) -> list[Session]:
    """Return a row for every file; sources under the folder ``base`` are relative to it, the others absolute.

    A source in ``known`` keeps its name, ``include`` and ``reason``. No other is called by a name in ``taken``.
    ``follow`` says where a file may lead to other files (:mod:`xcebra_nwb.nwb.foreign`).
    """
    known = known or {}
    sources = [str(path.relative_to(base)) if path.is_relative_to(base) else str(path) for path in paths]
    looks = [_look(path, follow) for path in paths]
    decided = {path: known[source].session for path, source in zip(paths, sources, strict=True) if source in known}
    names = session_names({path: look.name for path, look in zip(paths, looks, strict=True)}, decided, taken)
    return [
        _row(path, look, _first_row(name, source), known.get(source))
        for path, look, name, source in zip(paths, looks, names, sources, strict=True)
    ]


def _first_row(name: str, source: str) -> Session:
    if unplannable(source):
        return Session(session=name, include=False, reason=UNPLANNABLE, source=source)
    return Session(session=name, include=True, source=source)


def _row(path: Path, look: Look, row: Session, known: Session | None) -> Session:
    if not path.exists():  # git-annex and DataLad keep a dangling link for what was not fetched
        return row.model_copy(update={"include": False, "reason": MISSING, "path": path.name})
    decided = known is not None and known.reason != MISSING
    kept = known.model_dump(include={"include", "reason"}) if known is not None and decided else {}
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    size, digest = sum(file.stat().st_size for file in files), sha256(path)
    return row.model_copy(update={"path": path.name, "size": size, "sha256": digest, "found": look.found, **kept})


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
    taken = {name.lower() for name in [*decided.values(), *taken]} | RESERVED
    names = []
    for path, name in wanted.items():
        free = decided.get(path) or _free(_stem(path) if name.lower() in shared else name, taken)
        taken = taken | {free.lower()}
        names.append(free)
    return names


def _free(name: str, taken: Set[str]) -> str:
    """``name``, numbered if it is taken; folders may not tell upper from lower case."""
    candidate, number = name, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _name_in_file_name(path: Path) -> str:
    match = NAMED.match(_without_ending(path))
    return f"sub-{match['subject']}_ses-{match['session']}" if match else ""


def _clean(text: str) -> str:
    """``text`` in the characters that DANDI allows between the underscores of a file name."""
    return re.sub(r"[^A-Za-z0-9+]+", "-", text).strip("-+")


def _stem(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", _without_ending(path)).strip("-_.+") or "session"


def _without_ending(path: Path) -> str:
    return ENDING.sub("", path.name, count=1) if path.name.endswith(ENDINGS) else path.stem


def _look(path: Path, follow: Follow) -> Look:
    try:
        seen = inventory(path, pinned.followed(path, follow))
    except XcebraError as error:
        return Look("", f"refused: {error.message.removeprefix(f'{path}: ')}")
    subject, session = _clean(seen.file.subject), _clean(seen.file.session_id)
    return Look(f"sub-{subject}_ses-{session}" if subject and session else "", describe(seen))


def describe(seen: Inventory) -> str:
    """Return what ``auto`` would take from a file, in one line, or why it would take nothing."""
    if seen.refusal is not None:
        return f"auto refuses: {seen.refusal.reason.removeprefix(f'{Path(seen.file.path).name}: ')}"
    taken = [source for source in seen.neural if source.taken_by_auto]
    units, spikes = sum(source.units for source in taken), sum(source.events or 0 for source in taken)
    activity = f"{spikes} spikes" if spikes else ", ".join(sorted({source.kind for source in taken}))
    shapes = {series.path: series.shape for series in seen.series}
    labels = [f"{one.name} ({_extent(one.kind, shapes.get(one.source, []))})" for one in seen.automatic.labels]
    return f"{units} units, {activity}; {', '.join(labels)}"


def _extent(kind: str, shape: list[int]) -> str:
    """The number of axes of a continuous label, else its kind."""
    return str(shape[1] if len(shape) == 2 else 1) if kind == "continuous" else kind
