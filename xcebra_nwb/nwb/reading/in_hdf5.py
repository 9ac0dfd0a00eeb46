"""Give pynwb an HDF5 file that needs no other files.

pynwb would follow every link and copy its target, and hdmf-zarr would unpickle data. A recording in Zarr, or in
several files, is therefore copied into a small HDF5 file first.

The copy has the identity of the recording, the units and the tables of intervals. It lacks series, devices, electrodes
and columns of references, and everything that is stored in another file.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
from hdmf.common import DynamicTable, VectorData, VectorIndex
from pynwb import NWBHDF5IO, NWBFile
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject
from pynwb.misc import Units

from xcebra_nwb.core.errors import Refusal, XcebraError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading import file as nwb
from xcebra_nwb.nwb.reading.file import open_nwb
from xcebra_nwb.nwb.reading.foreign import Follow, followed
from xcebra_nwb.nwb.reading.intervals import interval_tables
from xcebra_nwb.nwb.reading.source import Source, is_zarr, source_name
from xcebra_nwb.nwb.reading.table import bounds, column_names, length, read_column, scalar_columns
from xcebra_nwb.nwb.reading.values import numbers, values

TEXTS = (
    "experiment_description", "session_id", "institution", "lab", "notes", "pharmacology", "protocol", "slices",
    "surgery", "virus", "data_collection",
)  # fmt: skip
LISTS = ("experimenter", "keywords", "related_publications")
SUBJECT = ("age", "description", "genotype", "sex", "species", "subject_id", "strain", "weight")
RAGGED = ("spike_times", "obs_intervals")
NAMED_TABLES = ("epochs", "trials", "invalid_times")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings of pynwb and hdmf about faults in a recording.

    The command ``check`` lists these faults.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(pynwb|hdmf)\b")
        yield


@contextmanager
def in_hdf5(source: Source, follow: Follow = Follow.FOLDER) -> Iterator[Source]:
    """Yield ``source`` if it is one HDF5 file, else the path of a temporary copy.

    Args:
        source: Path, address or open binary file of the recording.
        follow: Which links into other files are followed.

    Raises:
        Refusal: A link may not be followed, or the copy would lack something such as the start of the recording.
    """
    if not (is_zarr(source) or followed(source, follow)):
        yield source
        return
    name = PurePosixPath(source_name(source)).name.partition(".nwb")[0]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"{name}.nwb"
        _carry(source, target, follow)
        yield target


def _carry(source: Source, target: Path, follow: Follow) -> None:
    with quiet(), open_nwb(source, follow) as file, NWBHDF5IO(target, "w") as writer:
        try:
            writer.write(_carried(file))
        except XcebraError:
            raise
        except Exception as error:  # pynwb refuses values in many ways
            problem = f"{file.source_name}: results cannot be written beside it: {' '.join(str(error).split())[:300]}"
            raise Refusal(Code.UNREADABLE_LAYOUT, problem, "correct it, or convert it to HDF5") from error


def _carried(file: nwb.NwbFile) -> NWBFile:
    stored = {PurePosixPath(path): table for path, table in interval_tables(file).items() if file.is_stored_here(path)}
    tables = {p.name: _table(TimeIntervals, p.name, t) for p, t in stored.items() if str(p.parent) == "/intervals"}
    units = file.groups.get("/units") if file.is_stored_here("/units") else None
    return NWBFile(
        session_description=file.scalar("/session_description") or "not described",
        identifier=file.scalar("/identifier"),
        session_start_time=_moment(file, "/session_start_time"),
        timestamps_reference_time=_moment(file, "/timestamps_reference_time"),
        subject=_subject(file),
        units=None if units is None else _table(Units, "units", units),
        intervals=[table for name, table in tables.items() if name not in NAMED_TABLES],
        **{name: tables[name] for name in NAMED_TABLES if name in tables},
        **{name: file.scalar(f"/general/{name}") or None for name in TEXTS},
        **{name: _list(file, f"/general/{name}") for name in LISTS},
    )


def _moment(file: nwb.NwbFile, path: str) -> datetime:
    try:
        return datetime.fromisoformat(file.scalar(path))
    except ValueError:
        problem = f"{file.source_name}: {path} is no date: {file.scalar(path)!r}"
        raise Refusal(Code.UNREADABLE_LAYOUT, problem, "correct it, or convert the recording to HDF5") from None


def _subject(file: nwb.NwbFile) -> Subject | None:
    path = "/general/subject"
    if path not in file.h5:
        return None
    born = f"{path}/date_of_birth"
    known = {name: file.scalar(f"{path}/{name}") or None for name in SUBJECT}
    return Subject(**known, date_of_birth=_moment(file, born) if file.scalar(born) else None)


def _list(file: nwb.NwbFile, path: str) -> list[str] | None:
    if path not in file.h5 or not file.is_stored_here(path):
        return None
    return [str(text) for text in values(file.h5[path]).reshape(-1)]


def _table(kind: type[DynamicTable], name: str, table: h5py.Group) -> DynamicTable:
    """Return the columns with one value per row, and the ragged ones of times."""
    columns = [_column(table, column, _plain(table, column)) for column in scalar_columns(table)]
    for column in sorted({*RAGGED} & {*column_names(table)}):
        ends = bounds(table, column)
        if ends is not None:
            data = _column(table, column, numbers(table[column]))
            columns += [data, VectorIndex(name=f"{column}_index", target=data, data=ends[1:].astype(np.uint64))]
    rows = nwb.dataset(table, "id")
    identifiers = np.arange(length(table)) if rows is None else numbers(rows).astype(np.int64)
    return kind(name=name, description=_description(table), id=identifiers, columns=columns)


def _column(table: h5py.Group, name: str, data: Any) -> VectorData:
    return VectorData(name=name, description=_description(table[name]), data=data)


def _plain(table: h5py.Group, column: str) -> Any:
    """Return texts as a list, because pynwb writes no arrays of them."""
    column_values = read_column(table, column)
    return column_values if column_values.dtype.kind in "iufb" else [str(text) for text in column_values]


def _description(item: h5py.Group | h5py.Dataset) -> str:
    return nwb.attribute(item, "description") or "no description"
