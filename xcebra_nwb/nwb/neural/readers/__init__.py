"""Read neural data from each layout of NWB files, one module per layout."""

from __future__ import annotations

import importlib
import pkgutil

from xcebra_nwb.nwb.neural.readers.registry import Candidate, Reader, reader, readers

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["Candidate", "Reader", "reader", "readers"]
