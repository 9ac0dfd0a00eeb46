"""Attribution maps of neural populations, from NWB files, arrays and pynapple objects."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.5.0"

# The products of MKL, which torch calls, depend on the number of threads on some processors unless it is told not to.
# It asks once, at its first product.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

if TYPE_CHECKING:
    from xcebra_nwb.api.attribution import attribution as attribution
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
    "attribution",
    "compare",
    "read",
]


class _CallableRoom(ModuleType):
    """The room ``attribution``, which is also the function of that name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the attribution maps of a session; ``xcebra_nwb.api.attribution`` has all that there is to say."""
        return _function()(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(_function())

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return str(_function().__doc__)


class _Face(ModuleType):
    """This package: Python sets a room as its attribute, which would hide the function of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "attribution" and type(value) is ModuleType:
            value.__class__ = _CallableRoom
        super().__setattr__(name, value)


def _function() -> Any:
    from xcebra_nwb.api.attribution import attribution

    return attribution


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "attribution":
        return import_module("xcebra_nwb.attribution")
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_OFFERED[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _Face
