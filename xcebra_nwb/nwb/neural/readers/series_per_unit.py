"""Read numbered 1-D series that hold one neuron each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.neural.names import distinct_parts
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.readers.matrix import activity_kind
from xcebra_nwb.nwb.neural.readers.registry import Candidate, reader
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, name_of
from xcebra_nwb.nwb.reading.series import Samples, columns, read_samples, read_times, unit_of

NUMBER = re.compile(r"(?<!\d)\d+\Z")  # the whole number at the end of a name; the pattern takes one step per character
NEURON = re.compile(r"neuron|cell|roi\b|\broi|unit", re.IGNORECASE)
FEWEST = 10  # numbered series; fewer could be anything


@reader("series_per_unit", rank=4)
class SeriesPerUnit:
    """Series such as /acquisition/Activity_0001.

    ``auto`` takes ten or more in one group that are described as neurons.
    """

    def find(self, file: NwbFile) -> list[Candidate]:
        """Return each set of numbered 1-D series of equal length in one group."""
        return [self._candidate(file, pattern, paths) for pattern, paths in _sets(file).items()]

    def accepts(self, file: NwbFile, paths: list[str]) -> bool:
        """Return whether all ``paths`` are series of one numeric value per sample."""
        series = file.series
        return all(p in series and columns(series[p]) == 1 and series[p]["data"].dtype.kind in "iuf" for p in paths)

    def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
        """Return the series as units.

        Args:
            file: The open file.
            paths: Paths of the series.
            columns: Without effect; series have no table.

        Raises:
            Refusal: The series were sampled at different times.
        """
        every = [read_samples(file.groups[path], path) for path in paths]
        first = every[0]
        for path, samples in zip(paths, every, strict=True):
            if len(samples.times) != len(first.times) or not np.allclose(samples.times, first.times, rtol=0, atol=1e-6):
                raise Refusal(
                    Code.UNREADABLE_LAYOUT,
                    f"{path}: sampled at other times than {paths[0]}",
                    "name the series that share their timestamps in neural.source",
                )
        unit = unit_of(file.groups[paths[0]])
        table = pd.DataFrame({"unit_id": member_names(paths), "row": np.arange(len(paths)), "region": ""})
        values = np.concatenate([samples.values for samples in every], axis=1)  # (time, unit)
        notes = tuple(dict.fromkeys(note for samples in every for note in samples.notes))
        return Population(
            path=pattern_of(paths),
            kind=activity_kind(paths[0], unit),
            units=unit,
            table=table,
            samples=Samples(first.times, values),
            notes=notes,
        )

    def _candidate(self, file: NwbFile, pattern: str, paths: list[str]) -> Candidate:
        unit = unit_of(file.groups[paths[0]])
        described = all(NEURON.search(f"{attribute(file.groups[p], 'description')} {name_of(p)}") for p in paths)
        refused = "" if described else "nothing says that these series are neurons"
        return Candidate(
            layout="series_per_unit",
            path=pattern,
            kind=activity_kind(paths[0], unit),
            units=len(paths),
            unit=unit,
            refused=refused or _different_times(file, paths),
            because="numbered series, equally long, each described as a neuron",
        )


def numbered(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the sets of paths that differ only in their last number, by pattern.

    A set has at least ten paths.

    >>> sets = numbered([f"/acquisition/roi_{number}" for number in range(10)])
    >>> list(sets), len(sets["/acquisition/roi_*"])
    (['/acquisition/roi_*'], 10)
    """
    sets: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if match := NUMBER.search(path):
            sets[f"{path[: match.start()]}*"].append(path)
    return {pattern: sorted(members) for pattern, members in sets.items() if len(members) >= FEWEST}


def _sets(file: NwbFile) -> dict[str, list[str]]:
    """Return the sets of numbered series of one column and equal length, by pattern."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for path, group in file.series.items():
        if columns(group) == 1 and group["data"].dtype.kind in "iuf":
            by_length[group["data"].shape[0]].append(path)
    return {pattern: members for paths in by_length.values() for pattern, members in numbered(paths).items()}


def pattern_of(paths: list[str]) -> str:
    """Return the pattern that stands for numbered paths.

    >>> pattern_of(["/acquisition/roi_1", "/acquisition/roi_2"])
    '/acquisition/roi_*'
    """
    match = NUMBER.search(paths[0])
    return paths[0] if len(paths) == 1 or match is None else f"{paths[0][: match.start()]}*"


def member_names(paths: list[str]) -> list[str]:
    """Return the name of each path; if two have the same name, the part in which the paths differ.

    >>> member_names(["/acquisition/roi_1", "/acquisition/roi_2"]), member_names(["/a/left/roi_1", "/a/right/roi_1"])
    (['roi_1', 'roi_2'], ['left', 'right'])
    """
    names = [name_of(path) for path in paths]
    return names if len(set(names)) == len(names) else distinct_parts(paths)


def _different_times(file: NwbFile, paths: list[str]) -> str:
    try:
        first, last = (read_times(file.groups[path], path) for path in (paths[0], paths[-1]))
    except Refusal as problem:
        return problem.message
    return "" if np.array_equal(first, last) else "the series were sampled at different times"
