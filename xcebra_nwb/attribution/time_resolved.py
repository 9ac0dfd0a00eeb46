"""The maps of every bin, written chunk by chunk as they are computed: they may not fit the memory."""

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

FLOAT = 4  # bytes
Floats = NDArray[np.floating]


class OverTimeFile:
    """A new netCDF4 file with the variables ``attribution_over_time`` (label, time, unit), a variable a method."""

    def __init__(
        self, path: Path, methods: Sequence[str], sizes: tuple[int, int, int], silent: NDArray[np.bool_]
    ) -> None:
        """Create the file.

        Args:
            path: the new file.
            methods: names of the methods; the first one is tested.
            sizes: numbers of labels, bins and units.
            silent: (unit,) units that stay NaN.
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
        """Add ``maps`` (label, bin, unit) to the stored maps of a method, which start at zero.

        Args:
            method: name of the method.
            first: first bin of ``maps``, counted from 0.
            maps: (label, bin, unit) the addend.
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
    """Return the variable of a method: the first of all is the one that is tested."""
    return "attribution_over_time" if method == methods[0] else f"attribution_over_time_{method}"
