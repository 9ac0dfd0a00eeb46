"""Write the slim export: metadata of the source and the results in one NWB file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
from hdmf.common import DynamicTable
from pynwb import NWBHDF5IO, NWBFile, ProcessingModule

from xcebra_nwb.core import provenance
from xcebra_nwb.core.errors import Failure, XcebraError
from xcebra_nwb.core.hdf5.scan import check_self_contained
from xcebra_nwb.core.provenance import fingerprint
from xcebra_nwb.core.results import Results
from xcebra_nwb.core.safe_text import is_web
from xcebra_nwb.nwb.export.objects import attribution_table, embedding_series, lineage_table, runs_table, unit_table
from xcebra_nwb.nwb.export.read_back import MAKERS
from xcebra_nwb.nwb.export.slim import slim
from xcebra_nwb.nwb.export.tuning_tables import tuning_tables
from xcebra_nwb.nwb.export.unit_columns import add_unit_columns
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.in_hdf5 import in_hdf5, quiet
from xcebra_nwb.nwb.reading.source import Source, is_zarr, source_name

MODULE = "misc"  # one of the module names that nwbinspector expects
SOURCE_ATTRIBUTES = (
    "session", "dandiset", "version", "path", "asset_id", "sha256", "etag", "source_access", "nwb_identifier",
    "neural_source",
)  # fmt: skip


def export(source: Source, target: Path, results: Results, follow: Follow = Follow.FOLDER) -> None:
    """Write a slim copy of an NWB file with the results in processing/misc.

    The source is only read. The target keeps its identifier and creation dates, and adds a date. From a source in
    Zarr, or in several files, the target has what :mod:`xcebra_nwb.nwb.reading.in_hdf5` copies.

    Args:
        source: Path, address or open binary file of the recording.
        target: Path of the new file.
        results: The results of the session.
        follow: Which links into other files are followed.

    Raises:
        Failure: pynwb cannot read or export the source, or the results do not belong to it.
    """
    with _explained(source_name(source)), quiet(), in_hdf5(source, follow) as file, nwb_reader(file) as reader:
        nwbfile = reader.read()
        slim(nwbfile, reader._file, MODULE)
        _decode(nwbfile)
        _sign(nwbfile)
        elsewhere = file is not source and not is_zarr(source)
        table, rows = _add(nwbfile, results, PurePosixPath(source_name(source)).name, elsewhere)
        with NWBHDF5IO(target, "w") as writer:
            writer.export(src_io=reader, nwbfile=nwbfile)
    add_unit_columns(target, table, rows, results.attribution)


@contextmanager
def nwb_reader(source: Source) -> Iterator[NWBHDF5IO]:
    """Yield pynwb's reader of an HDF5 file that needs no other files.

    Raises:
        Refusal: The file leads into other files.
    """
    if isinstance(source, Path | str):
        with h5py.File(source, "r") as h5:
            check_self_contained(h5, source_name(source))
        with NWBHDF5IO(source, "r") as reader:
            yield reader
    else:
        # Without a path, an export would link to the source instead of copying it. h5py's made-up name will do.
        with h5py.File(source, "r") as h5:
            check_self_contained(h5, source_name(source))
            with NWBHDF5IO(path=h5.filename, file=h5, mode="r") as reader:
                yield reader


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """Turn any error of pynwb into one line that names the file."""
    try:
        yield
    except XcebraError:
        raise
    except Exception as error:
        raise Failure(
            f"{source}: pynwb cannot export it: {type(error).__name__}: {error}",
            "see whether `nwbinspector` can read the file",
        ) from error


def _decode(nwbfile: NWBFile) -> None:
    """Turn ASCII lists into text.

    pynwb reads them as bytes and writes them as ``b'...'`` (seen in DANDI:000207).
    """
    for name, value in nwbfile.fields.items():
        if isinstance(value, h5py.Dataset):
            text = h5py.check_string_dtype(value.dtype)
            if text is not None and text.encoding == "ascii":
                nwbfile.fields[name] = value.asstr(errors="replace")[()].tolist()
        elif isinstance(value, tuple):
            nwbfile.fields[name] = tuple(i.decode(errors="replace") if isinstance(i, bytes) else i for i in value)


def _sign(nwbfile: NWBFile) -> None:
    nwbfile.file_create_date.append(datetime.now(UTC))
    if nwbfile.was_generated_by is None:
        nwbfile.was_generated_by = [["xcebra-nwb", provenance.software()["xcebra-nwb"]]]
    nwbfile.generate_new_id(recurse=False)


def _add(nwbfile: NWBFile, results: Results, source_name: str, elsewhere: bool) -> tuple[str, np.ndarray]:
    """Add the results to a file in memory; return the path of the table of the units, and the row of each unit."""
    if MODULE not in nwbfile.processing:
        nwbfile.create_processing_module(MODULE, "which units carry the population's code of which label (xCEBRA)")
    module = nwbfile.processing[MODULE]
    config = _config(results)
    runs = runs_table(results.training, config)
    lineage = _lineage(results, source_name) | {"config_hash": provenance.digest(config)}
    if len(runs.id) == 1:  # nwbinspector objects to tables of one row
        lineage |= {f"run.{name}": str(runs[name][0]) for name in runs.colnames}
    else:
        module.add(runs)
    module.add(embedding_series(results.embedding, results.training, float(results.session.attrs["bin_width"])))
    units = _units(nwbfile, module, results, elsewhere)
    module.add(attribution_table(results.attribution, *units))
    if results.units is not None:
        for table in tuning_tables(results.units, *units):
            module.add(table)
    module.add(lineage_table(lineage))
    table, rows = units
    return "/units" if table is nwbfile.units else f"/processing/{MODULE}/{table.name}", rows


def _units(
    nwbfile: NWBFile, module: ProcessingModule, results: Results, elsewhere: bool
) -> tuple[DynamicTable, np.ndarray]:
    """Return the table that attributions point into, and the row of each unit in it.

    ``elsewhere`` says that the source is in several files.
    """
    rows = results.attribution["row"].values.astype(np.int64)
    if str(results.session.attrs["neural_source"]) != "/units" or (nwbfile.units is None and elsewhere):
        table = unit_table(results.attribution, str(results.session.attrs["neural_source"]), named=not elsewhere)
        module.add(table)
        return table, np.arange(len(rows))
    if nwbfile.units is None or rows.max() >= len(nwbfile.units):
        raise Failure(f"the source has no row {rows.max()} in /units", "run the session again from extract")
    return nwbfile.units, rows


def _config(results: Results) -> dict[str, Any]:
    """Return the sections of the config on which the results depend."""
    merged: dict[str, Any] = {}
    for dataset in (results.session, results.training, results.attribution):
        merged |= json.loads(dataset.attrs.get("config", "{}"))
    return merged


def _lineage(results: Results, source_name: str) -> dict[str, str]:
    """Return the origin of the results and the verdicts as text, without unknown ones."""
    attrs = results.session.attrs
    software = json.loads(attrs["software"]) | json.loads(results.training.attrs["software"]) | provenance.software()
    lineage = {"source_file": source_name} | {name: str(attrs.get(name, "")) for name in SOURCE_ATTRIBUTES}
    if attrs["asset_id"]:  # the source of a local file would be a path on the user's machine
        lineage |= {"source_file": PurePosixPath(attrs["path"]).name, "address": str(attrs["source"])}
    elif is_web(str(attrs["source"])):
        lineage["source_url"] = str(attrs["source"])
    lineage |= {f"software.{name}": str(version) for name, version in software.items()}
    lineage |= {f"code.{command}": fingerprint(command) for command in MAKERS}
    lineage["space"] = str(results.training.attrs.get("space", ""))
    for attr in ("trained_with", "aligned_to"):
        lineage[attr] = ", ".join(json.loads(results.training.attrs.get(attr, "{}")))
    for label, assessed in results.assessment["labels"].items():
        first, last = assessed["outputs"]
        lineage |= {
            f"label.{label}.source": str(results.session[label].attrs["source"]),
            f"label.{label}.kind": str(assessed["kind"]),
            f"label.{label}.latents": f"{first} to {last - 1}",
            f"label.{label}.verdict": str(assessed["verdict"]),
            f"label.{label}.because": str(assessed["because"]),
        }
    return {key: value for key, value in lineage.items() if value}
