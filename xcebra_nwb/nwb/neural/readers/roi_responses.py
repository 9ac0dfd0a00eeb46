"""Read calcium imaging: RoiResponseSeries, alone or in their containers."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.readers.registry import Candidate, reader
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, first_text, name_of, parent
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns, container, read_samples, unit_of
from xcebra_nwb.nwb.reading.table import data_frame
from xcebra_nwb.nwb.reading.values import numbers

RELATIVE = re.compile(r"d\s*-?_?f|delta_?f|df_?(over)?_?f", re.IGNORECASE)
NOT_NEURONS = re.compile(r"neuropil|npil|background|surround", re.IGNORECASE)


@reader("roi_responses", rank=1)
class RoiResponses:
    """RoiResponseSeries (time, roi).

    ``auto`` prefers dF/F to fluorescence, and never takes the neuropil.
    """

    def find(self, file: NwbFile) -> list[Candidate]:
        """Return every RoiResponseSeries, dF/F first.

        ``auto`` takes all series of the first container, because they are planes. Containers of one name in several
        modules count as one. If two series have the same regions of interest, the first is taken.
        """
        series = {p: g for p, g in file.series.items() if is_kind(g, "RoiResponseSeries")}
        ordered = sorted(series, key=lambda path: (not _relative(file, path), path))
        first: dict[tuple[str, str], str] = {}
        candidates = []
        for path in ordered:
            candidate = _candidate(file, path)
            seen = first.setdefault((candidate.group, _cells(file, path)), path)
            again = f"the same regions of interest as {seen}" if seen != path and not candidate.refused else ""
            candidates.append(candidate.model_copy(update={"refused": candidate.refused or again}))
        return candidates

    def accepts(self, file: NwbFile, paths: list[str]) -> bool:
        """Return whether ``paths`` is one RoiResponseSeries."""
        path = paths[0]
        return len(paths) == 1 and path in file.series and is_kind(file.groups[path], "RoiResponseSeries")

    def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
        """Return the regions of interest as units.

        Args:
            file: The open file.
            paths: Path of the series.
            columns: Whether to read the columns of the imaging plane's table, too.
        """
        path = paths[0]
        group = file.groups[path]
        samples = read_samples(group, path)
        return Population(
            path=path,
            kind="calcium",
            units="dF/F" if _relative(file, path) else unit_of(group),
            table=_roi_table(file, group, samples.values.shape[1], columns),
            samples=samples,
            notes=samples.notes,
        )


def _candidate(file: NwbFile, path: str) -> Candidate:
    group, relative = file.groups[path], _relative(file, path)
    holder = name_of(parent(path))
    neuropil = NOT_NEURONS.search(name_of(path)) or NOT_NEURONS.search(holder)
    return Candidate(
        layout="roi_responses",
        path=path,
        kind="calcium",
        units=columns(group) if len(group["data"].shape) > 1 else 1,
        unit="dF/F" if relative else unit_of(group),
        refused="neuropil or background, not neurons" if neuropil else "",
        group=f"{'dF/F' if relative else 'raw'} {holder}",
        because="dF/F of imaged regions of interest" if relative else "responses of imaged regions of interest",
    )


def _cells(file: NwbFile, path: str) -> str:
    """Return a text that is equal for series of the same regions of interest."""
    try:
        rois = file.groups[path]["rois"]
        return f"{file.referred(rois.attrs['table']).name} from {numbers(rois, slice(0, 1))} on, {rois.shape[0]}"
    except (*UNREADABLE, Refusal):
        return path


def _relative(file: NwbFile, path: str) -> bool:
    return container(file, path) == "DfOverF" or RELATIVE.match(name_of(path)) is not None


def _roi_table(file: NwbFile, group: h5py.Group, units: int, wanted: bool) -> pd.DataFrame:
    """Return a row per region of interest.

    The columns and the location of its plane are there only if the references lead to them.
    """
    table = pd.DataFrame(index=range(units))
    region = ""
    try:
        rois = group["rois"]
        plane = file.referred(rois.attrs["table"])
        location = dataset(plane["imaging_plane"], "location")
        region = first_text(location) if location is not None else ""
        if wanted:
            table = data_frame(plane).iloc[numbers(rois).astype(np.int64)].reset_index(drop=True).reindex(range(units))
    except (*UNREADABLE, IndexError, Refusal):
        region = region or ""  # only the plane is unknown; the responses can still be used
    table["unit_id"] = [str(index) for index in range(units)]
    table["row"] = np.arange(units)
    table["region"] = region
    return table
