"""Read series with one column per unit, such as firing rates or binned spikes."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.nwb.neural.population import ActivityKind, Population
from xcebra_nwb.nwb.neural.readers.registry import Candidate, reader
from xcebra_nwb.nwb.reading.file import NwbFile, parent
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns, module, read_samples, unit_of

RATE_UNITS = {"hz", "1/s", "s^-1", "spikes/s", "spikes/sec", "spikes/second", "spk/s", "sp/s", "hertz"}
COUNT_UNITS = {"count", "counts", "spikes", "spike", "spikes/bin", "spike count"}
FEWEST_COLUMNS = 4  # fewer columns are behaviour: positions, eyes, poses
OTHERS = {"SpatialSeries", "RoiResponseSeries", "DecompositionSeries", "IntervalSeries", "OptogeneticSeries"}


@reader("matrix", rank=2)
class Matrix:
    """TimeSeries (time, unit).

    ``auto`` takes one whose unit is Hz in processing/ecephys, or whose path says that it holds spikes.
    """

    def find(self, file: NwbFile) -> list[Candidate]:
        """Return every series of four or more columns that could be neural data."""
        return [self._candidate(path, group) for path, group in file.series.items() if _could_be(path, group)]

    def accepts(self, file: NwbFile, paths: list[str]) -> bool:
        """Return whether ``paths`` is one series with at least two numeric columns."""
        group = file.groups[paths[0]]
        numeric = len(paths) == 1 and paths[0] in file.series and group["data"].dtype.kind in "iuf"
        return numeric and len(group["data"].shape) == 2 and columns(group) > 1

    def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
        """Return the columns of the series as units.

        Args:
            file: The open file.
            paths: Path of the series.
            columns: Without effect; a series has no table.
        """
        path = paths[0]
        samples = read_samples(file.groups[path], path)
        unit = unit_of(file.groups[path])
        count = np.arange(samples.values.shape[1])
        table = pd.DataFrame({"unit_id": count.astype(str), "row": count, "region": ""})
        return Population(
            path=path, kind=activity_kind(path, unit), units=unit, table=table, samples=samples, notes=samples.notes
        )

    def _candidate(self, path: str, group: h5py.Group) -> Candidate:
        unit = unit_of(group)
        plain, spiking = unit.lower(), "spike" in path.lower()
        rates = plain in RATE_UNITS and (module(path) == "ecephys" or spiking)
        counts = plain in COUNT_UNITS and spiking
        return Candidate(
            layout="matrix",
            path=path,
            kind=activity_kind(path, unit),
            units=columns(group),
            unit=unit,
            refused="" if rates or counts else "not clearly firing rates (Hz) or counts of spikes",
            because="counts of spikes" if counts else f"firing rates in Hz in {parent(path)[1:]}",
        )


def activity_kind(path: str, unit: str) -> ActivityKind:
    """Return the kind of sampled activity: ``rates`` or ``calcium``.

    Args:
        path: Path of the series; data in an ecephys module are rates.
        unit: Unit of its values; data in Hz or counts are rates.

    >>> activity_kind("/processing/ophys/DfOverF/a", "a.u."), activity_kind("/acquisition/a", "Hz")
    ('calcium', 'rates')
    """
    spiking = unit.lower() in RATE_UNITS | COUNT_UNITS
    return "rates" if spiking or module(path) in {"ecephys", "spikes"} else "calcium"


def _could_be(path: str, group: h5py.Group) -> bool:
    shape = group["data"].shape
    numeric = group["data"].dtype.kind in "iuf" and len(shape) == 2 and shape[1] >= FEWEST_COLUMNS and shape[0] > 1
    placed = path.startswith(("/processing/", "/acquisition/", "/analysis/")) and module(path) != "behavior"
    return numeric and placed and not any(is_kind(group, kind) for kind in OTHERS)
