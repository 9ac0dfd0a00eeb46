"""Write the maps of every bin chunk by chunk while they are computed, because they may not fit the memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from types import TracebackType

import h5netcdf
import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.core.files import check_disk_space
from xcebra_nwb.core.netcdf import ON_DISK, new_variable

FLOAT = 4  # bytes of a float32
Floats = NDArray[np.floating]


class OverTimeFile:
    """A new netCDF4 file for the maps of every bin.

    It has one variable (label, time, unit) per method (:func:`name_of`).
    """

    def __init__(
        self, path: Path, methods: Sequence[str], sizes: tuple[int, int, int], silent: NDArray[np.bool_]
    ) -> None:
        """Create the file.

        Args:
            path: the new file.
            methods: names of the methods; the first one is tested.
            sizes: numbers of labels, bins and units.
            silent: units that stay NaN, shape (unit,).
        """
        check_disk_space(path.parent, len(methods) * FLOAT * prod(sizes))
        self._file, self._silent = h5netcdf.File(path, "w"), silent
        self._file.dimensions = dict(zip(("label", "time", "unit"), sizes, strict=True))
        self._variables = {}
        for method in methods:
            name = name_of(method, methods)
            variable = new_variable(self._file, name, ("label", "time", "unit"), np.float32, fill=np.nan)
            variable.attrs.update({"method": method, "role": ON_DISK})
            self._variables[method] = variable

    def add(self, method: str, first: int, maps: Floats) -> None:
        """Add maps to the stored maps of a method, which start at zero.

        Args:
            method: name of the method.
            first: index of the first bin of ``maps``.
            maps: maps to add, shape (label, bin, unit).
        """
        variable, stretch = self._variables[method], slice(first, first + maps.shape[1])
        before = np.nan_to_num(variable[:, stretch])
        variable[:, stretch] = np.where(self._silent, np.nan, before + maps).astype(np.float32)

    def __enter__(self) -> OverTimeFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def name_of(method: str, methods: Sequence[str]) -> str:
    """Return the name of a method's variable; the first method is the tested one.

    >>> [name_of(method, ["jacobian", "ablation"]) for method in ("jacobian", "ablation")]
    ['attribution_over_time', 'attribution_over_time_ablation']
    """
    return "attribution_over_time" if method == methods[0] else f"attribution_over_time_{method}"
