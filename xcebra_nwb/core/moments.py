"""Mean and standard deviation of columns that come block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_DEVIATION = 1e-9  # of a column that varies at all


class Moments:
    """Of the rows that were added: their number, mean (column,) and sum of squared deviations (column,)."""

    def __init__(self, columns: int) -> None:
        self.count, self.mean = 0, np.zeros(columns)
        self._squares = np.zeros(columns)

    def add(self, values: NDArray) -> None:
        """Add rows (row, column) by the pairwise update of Chan, Golub and LeVeque 1983 (Am. Stat. 37:242, eq. 2.1)."""
        if not len(values):
            return
        values = values.astype(np.float64, copy=False)
        count, mean = len(values), values.mean(axis=0)
        apart, total = mean - self.mean, self.count + count
        self._squares += ((values - mean) ** 2).sum(axis=0) + apart**2 * (self.count * count / total)
        self.mean, self.count = self.mean + apart * (count / total), total

    @property
    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation (column,)."""
        return np.asarray(np.sqrt(self._squares / max(self.count, 1)))

    def standardized(self, values: NDArray) -> NDArray[np.float64]:
        """Return ``values`` (row, column) with mean 0 and variance 1; 0 for a column that does not vary."""
        centred, deviation = values - self.mean, self.deviation
        return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > LEAST_DEVIATION)
