"""Attribution maps of neural populations, from NWB files, arrays and pynapple objects."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

__version__ = "0.5.0"

# The products of MKL, which torch calls, depend on the number of threads on some processors unless it is told not to.
# It asks once, at its first product.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

if TYPE_CHECKING:
    from xcebra_nwb.api.attribute import attribute as attribute
    from xcebra_nwb.api.blocks import BlockSplit as BlockSplit
    from xcebra_nwb.api.comparison import Comparison as Comparison
    from xcebra_nwb.api.comparison import compare as compare
    from xcebra_nwb.api.estimator import XCEBRA as XCEBRA
    from xcebra_nwb.api.results import Atlas as Atlas
    from xcebra_nwb.api.results import Results as Results
    from xcebra_nwb.api.results import read as read

# Module of each name that `import xcebra_nwb` offers. It is loaded when the name is first used.
_OFFERED = {
    "XCEBRA": "xcebra_nwb.api.estimator",
    "Atlas": "xcebra_nwb.api.results",
    "BlockSplit": "xcebra_nwb.api.blocks",
    "Comparison": "xcebra_nwb.api.comparison",
    "Results": "xcebra_nwb.api.results",
    "attribute": "xcebra_nwb.api.attribute",
    "compare": "xcebra_nwb.api.comparison",
    "read": "xcebra_nwb.api.results",
}
__all__ = [
    "XCEBRA",
    "Atlas",
    "BlockSplit",
    "Comparison",
    "Results",
    "__version__",
    "attribute",
    "compare",
    "read",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_OFFERED[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
