"""Read spikes that are stored as events.

The events are one list of times per neuron, or one list of all neurons with labels.
"""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.readers.registry import Candidate, reader
from xcebra_nwb.nwb.neural.readers.series_per_unit import NEURON, member_names, numbered, pattern_of
from xcebra_nwb.nwb.reading import clock
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, name_of, neurodata_type
from xcebra_nwb.nwb.reading.trains import cleaned
from xcebra_nwb.nwb.reading.values import numbers, values

LABELLED = "LabeledEvents"
TIMES = ("timestamps", "times")  # of Events and EventDetection


@reader("events", rank=3)
class Events:
    """Objects that hold times and no values.

    ``auto`` takes ten or more in one group whose names say that they are neurons.
    """

    def find(self, file: NwbFile) -> list[Candidate]:
        """Return each set of numbered events in a group, and every labelled list."""
        bare = [path for path, group in file.groups.items() if path not in file.series and _times(group) is not None]
        sets = {pattern: (paths, len(paths)) for pattern, paths in numbered(bare).items()}
        labelled = {p: ([p], 0) for p, group in file.series.items() if neurodata_type(group) == LABELLED}
        return [_candidate(path, paths, units) for path, (paths, units) in (sets | labelled).items()]

    def accepts(self, file: NwbFile, paths: list[str]) -> bool:
        """Return whether all ``paths`` are lists of times without different values."""
        labelled = len(paths) == 1 and neurodata_type(file.groups[paths[0]]) == LABELLED
        return labelled or all(_only_times(file, path) for path in paths)

    def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
        """Return one unit per object, or per label.

        Args:
            file: The open file.
            paths: Paths of the objects.
            columns: Without effect; events have no table.
        """
        first = file.groups[paths[0]]
        if neurodata_type(first) == LABELLED:
            names, every = _by_label(first)
        else:
            names, every = member_names(paths), [clock.read(_times(file.groups[path])).reshape(-1) for path in paths]
        path = paths[0] if len(paths) == 1 else pattern_of(paths)
        spikes, notes = cleaned(every, path)
        table = pd.DataFrame({"unit_id": names, "row": np.arange(len(every)), "region": ""})
        return Population(path=path, kind="spikes", units="count", table=table, spikes=spikes, notes=notes)


def _candidate(path: str, paths: list[str], units: int) -> Candidate:
    described = len(paths) > 1 and all(NEURON.search(name_of(member)) for member in paths)
    return Candidate(
        layout="events",
        path=path,
        kind="spikes",
        units=units,
        unit="count",
        refused="" if described else "nothing says that these events are spikes of neurons",
        because="numbered lists of times, each called a neuron",
    )


def _times(group: h5py.Group) -> h5py.Dataset | None:
    times = next((data for name in TIMES if (data := dataset(group, name)) is not None), None)
    return times if times is not None and len(times.shape) == 1 and times.dtype.kind in "iuf" else None


def _only_times(file: NwbFile, path: str) -> bool:
    times, data = _times(file.groups[path]), dataset(file.groups[path], "data")
    if times is None or data is None:
        return times is not None
    if data.shape != times.shape or data.dtype.kind not in "iufb" or not data.shape[0]:
        return False
    return all(
        np.ptp(numbers(data, part)) == 0 for part in (slice(0, 1000), slice(None))
    )  # most series with values show them early


def _by_label(group: h5py.Group) -> tuple[list[str], list[np.ndarray]]:
    """Return the name and the times of each label; two labels of one name stay two units."""
    times, labels = clock.read(group["timestamps"]).reshape(-1), values(group["data"]).reshape(-1)
    names = dataset(group, "data__labels")
    known = [] if names is None else [str(name) for name in values(names).reshape(-1)]
    codes = np.unique(labels).tolist()
    named = [known[code] if isinstance(code, int) and 0 <= code < len(known) else str(code) for code in codes]
    return named, [times[: len(labels)][labels[: len(times)] == code] for code in codes]
