"""An xarray variable whose values are made when they are asked for, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

Rows = Callable[[slice], np.ndarray]


def on_demand(dims: tuple[str, str], shape: tuple[int, int], dtype: np.dtype, rows: Rows) -> xr.Variable:
    """Return a variable of this shape; ``rows`` returns the values (row, column) of a slice of rows.

    As with a file that was opened, ``.values`` keeps the whole, and a slice of it does not.
    """
    lazy: Any = indexing.LazilyIndexedArray(_OnDemand(shape, dtype, rows))
    return xr.Variable(dims, indexing.MemoryCachedArray(indexing.CopyOnWriteArray(lazy)))


class _OnDemand(BackendArray):
    def __init__(self, shape: tuple[int, int], dtype: np.dtype, rows: Rows) -> None:
        self.shape, self.dtype, self._rows = shape, dtype, rows

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._of)

    def _of(self, key: tuple[int | slice, int | slice]) -> np.ndarray:
        """The values at a slice, or a number, of rows and of columns."""
        wanted = np.arange(self.shape[0])[key[0]]
        if not wanted.size:
            return np.empty((0, self.shape[1]), self.dtype)[:, key[1]]
        first = int(wanted.min())
        made = self._rows(slice(first, int(wanted.max()) + 1)).astype(self.dtype, copy=False)
        return np.asarray(made[:, key[1]][wanted - first])
