"""Find faults that an NWB file has beyond those of the file it is derived from.

pynwb's validator and nwbinspector find the faults.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path, PurePath, PurePosixPath

import h5py
import pynwb
from nwbinspector import InspectorMessage, inspect_nwbfile, inspect_nwbfile_object

from xcebra_nwb.nwb.export.writer import nwb_reader
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.in_hdf5 import in_hdf5, quiet
from xcebra_nwb.nwb.reading.source import Source, source_name

ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
WORD = re.compile(r"[^\s'\"]+")
ENDING = re.compile(r"\.(?:nwb|py)\b")
WAIVED = {  # reasons by check and table
    ("check_column_binary_capability", "xcebra_attribution"): "two units: references to rows are no truth values",
    ("check_column_binary_capability", "xcebra_tuning"): "two units: references to rows are no truth values",
    ("check_single_row", "xcebra_units"): "a session of one unit",
    ("check_single_row", "xcebra_tuning"): "a session of one unit and one label",
}


@dataclass(frozen=True, order=True)
class Finding:
    """One fault, without the details that differ between two files that have it."""

    check: str
    object_type: str
    location: str
    message: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        where = " ".join(part for part in (self.object_type, self.location) if part) or "the file"
        return f"{self.check} on {where}: {self.message}"


@dataclass(frozen=True)
class Report:
    """All findings on a file, and the reason if it could not be validated."""

    findings: Counter[Finding]
    validation: str = ""


def report(source: Source, follow: Follow = Follow.FOLDER) -> Report:
    """Return the findings on a file, which may have any fault.

    The file is validated against the schema that it carries and against the installed one. A newer schema can ask for
    more, which both the copy and the original lack. A recording in Zarr, or in several files, is checked in the form
    that :mod:`xcebra_nwb.nwb.reading.in_hdf5` gives it.

    Args:
        source: Path, address or open binary file.
        follow: Which links into other files are followed.
    """
    with quiet(), in_hdf5(source, follow) as path:
        inspected = Counter(_inspected(path))
        carried, problem = Counter[Finding](), ""
        try:
            if _schema(path) != _installed_schema():  # else both say the same, and to load a schema takes half a second
                carried = _validated(path, carried=True)
        except Exception as error:  # pynwb fails on faulty schemas with errors of any type
            problem = f"cannot be validated by its own schema: {type(error).__name__}: {error}"
        try:
            installed = _validated(path, carried=False)
        except Exception as error:
            installed, problem = Counter(), f"cannot be validated: {type(error).__name__}: {error}"
    return Report(inspected + (carried | installed), _normal(problem, PurePosixPath(source_name(path))))


def new_findings(source: Report, result: Report) -> list[Finding]:
    """Return the findings on a result that its source does not have as often.

    Findings that are waived are left out.

    Args:
        source: Report on the source.
        result: Report on the result.
    """
    new = sorted(finding for finding in (result.findings - source.findings).elements() if not waived(finding))
    if result.validation and not source.validation:
        new.insert(0, Finding("validation", "", "", result.validation))
    return new


def waived(finding: Finding) -> str:
    """Return why a finding on our results is a false alarm, "" if it is not."""
    return WAIVED.get((finding.check, finding.location), "")


def _inspected(source: Source) -> Iterator[Finding]:
    path = PurePosixPath(source_name(source))
    for message in _messages(source):
        yield Finding(
            check=str(message.check_function_name or ""),
            object_type=str(message.object_type or ""),
            location=_location(message.location, message.object_name),
            message=_normal(message.message, path),
        )


def _messages(source: Source) -> Iterator[InspectorMessage]:
    if isinstance(source, Path | str):
        yield from inspect_nwbfile(nwbfile_path=source, skip_validate=True)
    else:
        with nwb_reader(source) as reader:
            yield from inspect_nwbfile_object(reader.read())


def _validated(source: Source, carried: bool) -> Counter[Finding]:
    path = PurePosixPath(source_name(source))
    if isinstance(source, Path | str):
        errors = pynwb.validate(path=str(source), use_cached_namespaces=carried)
    else:
        with nwb_reader(source) as reader:
            errors = pynwb.validate(io=reader, use_cached_namespaces=carried)
    return Counter(Finding("validation", e.name, str(e.location or ""), _normal(e.reason, path)) for e in errors)


def _schema(source: Source) -> dict[str, bytes]:
    """Return the texts of the schema that a local file carries, by their paths in it; {} of any other source."""
    if not isinstance(source, Path):
        return {}
    with h5py.File(source) as file:
        return _texts(file)


@cache
def _installed_schema() -> dict[str, bytes]:
    """Return the texts that the installed pynwb writes into a file."""
    with (
        h5py.File("empty.nwb", "w", driver="core", backing_store=False) as file,
        pynwb.NWBHDF5IO(file=file, mode="w", manager=pynwb.get_manager()) as io,
    ):
        io.write(pynwb.NWBFile("empty", "empty", datetime.now(UTC)))
        return _texts(file)


def _texts(file: h5py.File) -> dict[str, bytes]:
    texts: dict[str, bytes] = {}

    def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            text = item[()] if item.shape == () else b""
            texts[name] = text if isinstance(text, bytes) else b""

    if isinstance(file.get("specifications"), h5py.Group):
        file["specifications"].visititems(take)
    return texts


def _location(location: str | None, name: str | None) -> str:
    """Return the path of an object, else its name.

    nwbinspector does not know the paths of tables.
    """
    if location in {None, "/"}:
        return "" if name in {None, "root"} else str(name)
    return str(location)


def _normal(message: str, path: PurePath) -> str:
    """Return a message in one line without names of files and addresses of objects."""
    named = message.replace(str(path), "the file").replace(path.name, "the file")
    return " ".join(ADDRESS.sub("0x", WORD.sub(_without_path, named)).split())


def _without_path(word: re.Match[str]) -> str:
    """Return a word in which the path of a file is replaced."""
    start, ends = word[0].find("/"), [ending.end() for ending in ENDING.finditer(word[0])]
    return f"{word[0][:start]}a file{word[0][ends[-1] :]}" if ends and 0 <= start < ends[-1] else word[0]
