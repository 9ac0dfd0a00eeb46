"""Hold the units of one neural source as a reader returns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from xcebra_nwb.nwb.reading.intervals import merged
from xcebra_nwb.nwb.reading.series import Samples
from xcebra_nwb.nwb.reading.spikes import landmarks

ActivityKind = Literal["spikes", "rates", "calcium"]


@dataclass(frozen=True)
class Population:
    """The units of one neural source, with spike times or samples.

    Attributes:
        path: Path of the source.
        kind: ``spikes``, ``rates`` or ``calcium``.
        units: Unit of the values, such as ``count``.
        table: One row per unit: ``unit_id``, ``row`` (of the NWB table, or column of the series), ``region``, and the
            scalar columns of the source if they were asked for.
        spikes: Spike times of each unit in s, finite and sorted; None for samples.
        samples: Samples with one column per unit; None for spike times.
        observed: Observation intervals of each unit in s, if the file has them.
        notes: Where names and regions come from, what is suspicious, and the changes, in words.
        changes: Changes that were made to the times, in words.
        rows_of: Path of another table whose rows the units are, by the column ``roi_row``; "" if there is none.
        unmatched: Why the units cannot be led to rows of a table, "" if they can.
    """

    path: str
    kind: ActivityKind
    units: str
    table: pd.DataFrame
    spikes: Sequence[np.ndarray] | None = None
    samples: Samples | None = None
    observed: Sequence[np.ndarray] | None = None
    notes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    rows_of: str = ""
    unmatched: str = ""

    def keep(self, units: np.ndarray) -> Population:
        """Return the units where ``units`` (unit,) is true."""
        rows = np.flatnonzero(units).tolist()
        samples = self.samples
        return replace(
            self,
            table=self.table[units].reset_index(drop=True),
            spikes=None if self.spikes is None else [self.spikes[row] for row in rows],
            samples=None if samples is None else replace(samples, values=samples.values[:, units]),
            observed=None if self.observed is None else [self.observed[row] for row in rows],
        )

    @property
    def times(self) -> np.ndarray:
        """Times in s that show when the source was recorded.

        They are the times of samples, else the limits of observation, else up to a thousand spikes per unit.
        """
        if self.samples is not None:
            return self.samples.times
        if self.observed is not None:
            return np.concatenate([*self.observed, np.empty((0, 2))]).reshape(-1)
        return landmarks(self.spikes or [])

    @property
    def range(self) -> tuple[float, float] | None:
        """The first and the last time of the source in s; None if it is empty."""
        if self.samples is not None:
            return self.samples.range
        pieces = [merged(rows) for rows in self.observed] if self.observed is not None else self.spikes or []
        ends = [(float(piece.min()), float(piece.max())) for piece in pieces if len(piece)]
        return (min(start for start, _ in ends), max(stop for _, stop in ends)) if ends else None
