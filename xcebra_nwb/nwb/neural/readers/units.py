"""Read spike times from a units table, at the root or in a processing module."""

from __future__ import annotations

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.readers.registry import Candidate, reader
from xcebra_nwb.nwb.neural.unit_table import unit_table
from xcebra_nwb.nwb.reading.file import NwbFile, dataset
from xcebra_nwb.nwb.reading.spikes import read_observed, read_spikes, units_tables
from xcebra_nwb.nwb.reading.table import length
from xcebra_nwb.nwb.reading.trains import observation_notes


@reader("units", rank=0)
class Units:
    """Units tables, that at the root first."""

    def find(self, file: NwbFile) -> list[Candidate]:
        """Return a candidate per units table; ``auto`` skips those without spikes."""
        return [
            Candidate(
                layout="units",
                path=path,
                kind="spikes",
                units=length(table),
                unit="count",
                refused="" if dataset(table, "spike_times") is not None and length(table) else "no spike times",
                because="the units table at the root" if path == "/units" else "a units table in a processing module",
            )
            for path, table in units_tables(file).items()
        ]

    def accepts(self, file: NwbFile, paths: list[str]) -> bool:
        """Return whether ``paths`` is one table with spike times."""
        return len(paths) == 1 and dataset(file.groups[paths[0]], "spike_times") is not None

    def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
        """Return the units of a table with spike times and observation intervals.

        Args:
            file: The open file.
            paths: Path of the table.
            columns: Whether to read the scalar columns of the table, too.

        Raises:
            Refusal: Spike times or observation intervals are not given for every unit, or cannot be times in s.
        """
        table = file.groups[paths[0]]
        spikes, notes = read_spikes(table)
        observed = read_observed(table)
        for name, column in (("spike_times", spikes), ("obs_intervals", observed)):
            if column is not None and len(column) != length(table):
                raise Refusal(
                    Code.UNREADABLE_LAYOUT,
                    f"{paths[0]}/{name}: {len(column)} rows for {length(table)} units",
                    "correct the table",
                )
        if observed is not None and not any(map(len, observed)):
            observed = None
        if observed is not None:
            notes = (*notes, *observation_notes(spikes, observed, paths[0]))
        frame, used, suspicious = unit_table(file, table, columns)
        return Population(
            path=paths[0],
            kind="spikes",
            units="count",
            table=frame,
            spikes=spikes,
            observed=observed,
            changes=tuple(notes),
            notes=(*(f"{paths[0]}: {note}" for note in notes), *used, *suspicious),
        )
