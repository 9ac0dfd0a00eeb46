"""Decide which links from a file into other files are followed.

None is followed from an address or an open file. From a local file, links into its own folder are followed, and all
links if the user asks for it. A file that is followed is scanned like the first one, and its links obey the same rule.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_FILES, MOST_NAME
from xcebra_nwb.core.hdf5.filters import forget_plugin_folders
from xcebra_nwb.core.hdf5.leads import Follow, Kind, Lead
from xcebra_nwb.core.hdf5.scan import Scan, ScanResult, check_self_contained, refused
from xcebra_nwb.core.passing import as_failure
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.source import Source, is_remote, opened, source_name

# Where HDF5 looks for other files before it looks beside the file that names them.
PREFIXES = {Kind.LINK: "HDF5_EXT_PREFIX", Kind.VIRTUAL: "HDF5_VDS_PREFIX", Kind.STORAGE: "HDF5_EXTFILE_PREFIX"}
VARIABLE = "XCEBRA_NWB_FOLLOW_LINKS"  # environment variable; only the user may set it, no file or config
UNPRINTABLE = {"\0", "\ufffd"}  # characters of a file name that could not be read correctly
MOVING = (("proc",), ("dev",))  # folders in which a name can mean different files at different times
PATTERN = "%"  # starts a number that HDF5 fills into the name of a virtual dataset's source


def look(h5: h5py.File, name: str, path: Path | None, follow: Follow) -> ScanResult:
    """Return the scan of an open file, if all links out of it may be followed.

    Args:
        h5: The file.
        name: Name of the file in messages.
        path: Path of the file on this machine; None if it has none.
        follow: Which links are followed.

    Raises:
        Refusal: A link may not be followed, or :mod:`xcebra_nwb.core.hdf5.scan` refuses the file.
    """
    if path is None or follow is Follow.NOWHERE:
        return check_self_contained(h5, name)
    forget_plugin_folders()
    scan = Scan()
    result = scan.of(h5, name)
    if follow is Follow.FOLDER:
        _check_folder(scan, name, result.leads, path)
    return result


def local_path(source: Source) -> Path | None:
    """Return the path of a recording on this machine, None if it has none."""
    return Path(source) if isinstance(source, Path | str) and not is_remote(source) else None


def followed(source: Source, follow: Follow) -> tuple[Lead, ...]:
    """Return the objects of a recording that are read from other files.

    A recording in Zarr has none.

    Args:
        source: Path, address or open binary file of the recording.
        follow: Which links are followed.

    Raises:
        Refusal: A link may not be followed.
    """
    try:
        with opened(source, follow) as h5:
            return look(h5, source_name(source), local_path(source), follow).leads if isinstance(h5, h5py.Group) else ()
    except Refusal as refusal:
        if refusal.code is Code.NOT_NWB:  # opening the file for reading will report that
            return ()
        raise


def _check_folder(scan: Scan, name: str, leads: tuple[Lead, ...], path: Path) -> None:
    """Refuse links out of the folder of ``path``, also from files that it leads to."""
    folder = Path(os.path.realpath(path)).parent
    pending, seen = [(lead, path) for lead in leads], {os.path.realpath(path)}
    while pending:
        lead, holder = pending.pop()
        target = _target(lead, holder)
        if target is None or not Path(os.path.realpath(target)).is_relative_to(folder):
            raise refused(name, lead, "copy it beside the file, or give --follow-links if you trust the file")
        if os.path.realpath(target) not in seen and lead.kind is not Kind.STORAGE and _is_hdf5(target):
            seen.add(os.path.realpath(target))
            if len(seen) > MOST_FILES:
                raise refused(name, lead, f"it is one of more than {MOST_FILES} files")
            further = _leads_of(scan, target)
            if lead.kind is Kind.VIRTUAL and any(next_lead.kind is Kind.VIRTUAL for next_lead in further):
                raise refused(
                    name, lead, "it is a virtual dataset itself, and such chains can be endless: copy its values"
                )
            pending += [(next_lead, target) for next_lead in further]


def _leads_of(scan: Scan, path: Path) -> tuple[Lead, ...]:
    try:
        with h5py.File(path, "r") as h5:
            return scan.of(h5, path.as_posix()).leads
    except OSError as error:
        if failure := as_failure(error, str(path)):
            raise failure from None
        raise Refusal(Code.DAMAGED, f"{path}: not readable as HDF5: {error}", "copy it again") from None


def _target(lead: Lead, holder: Path) -> Path | None:
    """Return the file that HDF5 would open, None if that is uncertain."""
    unclear = (
        UNPRINTABLE.intersection(lead.target)
        or len(lead.target) > MOST_NAME
        or (lead.kind is Kind.VIRTUAL and PATTERN in lead.target)
    )
    if unclear or lead.kind is Kind.UNKNOWN_LINK or os.environ.get(PREFIXES[lead.kind]):
        return None
    named = Path(lead.target)
    if named.parts[1:2] in MOVING:
        return None
    if lead.kind is Kind.STORAGE:
        return storage_file(lead.target)
    candidates = _candidates(named, holder)
    return next((path for path in candidates if _is_hdf5(path)), candidates[0])


def storage_file(name: str) -> Path:
    """Return the file that HDF5 would open for values stored outside.

    Args:
        name: Name of the file, as the dataset stores it.
    """
    return Path.cwd() / name


def virtual_source(name: str, holder: Path) -> Path | None:
    """Return the file of a virtual dataset's values, None if there is none.

    Args:
        name: Name of the file, as the virtual dataset stores it.
        holder: Path of the file that holds the virtual dataset.
    """
    prefix = os.environ.get(PREFIXES[Kind.VIRTUAL])
    candidates = [Path(prefix) / name] if prefix else []
    return next((path for path in [*candidates, *_candidates(Path(name), holder)] if _is_hdf5(path)), None)


def _candidates(named: Path, holder: Path) -> list[Path]:
    """Return the paths at which HDF5 looks for a file, in its order."""
    left = Path(named.name) if named.is_absolute() else named  # HDF5 tries this if the absolute path fails
    beside, really = holder.absolute().parent, Path(os.path.realpath(holder)).parent
    return [beside / named, beside / left, Path.cwd() / left, really / left]


def _is_hdf5(path: Path) -> bool:
    return path.is_file() and bool(h5py.is_hdf5(path))
