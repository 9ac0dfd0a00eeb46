"""The readers of neural data: one class per layout, made known by one decorator.

To read another layout, add a module to this folder with a class that has the three methods of :class:`Reader` and
decorate it with ``@reader("name of the layout", rank)``. Nothing else needs to change. A package of your own can bring
such a module too: ``docs/how-to/your-layout.md`` walks through both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from pydantic import BaseModel

from xcebra_nwb.core.errors import Failure
from xcebra_nwb.nwb.neural.population import ActivityKind, Population
from xcebra_nwb.nwb.reading.file import NwbFile

PLUG_INS = "xcebra_nwb.readers"


class Candidate(BaseModel):
    """A neural source that a file offers.

    ``path`` may hold ``*``. ``refused`` says why ``auto`` must not take it, "" where it may. ``group`` is shared by
    candidates that ``auto`` takes together (planes of one experiment).
    """

    layout: str
    path: str
    kind: ActivityKind
    units: int
    unit: str = ""
    refused: str = ""
    group: str = ""
    because: str = ""


class Reader(Protocol):
    """What a reader of one layout can do."""

    def find(self, file: NwbFile) -> list[Candidate]:
        """Return what a file holds in this layout, the best first."""

    def accepts(self, file: NwbFile, paths: list[str]) -> bool:
        """Return whether the objects at ``paths`` (what one configured path stands for) are in this layout."""

    def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
        """Return the units of the objects at ``paths``, with the source's own scalar columns if asked for."""


READERS: dict[str, tuple[int, Reader]] = {}


def reader(layout: str, rank: int) -> Callable[[type], type]:
    """Register a class as the reader of ``layout``; ``auto`` asks the layouts in the order of their ``rank``."""

    def register(cls: type) -> type:
        READERS[layout] = (rank, cls())
        return cls

    return register


@cache
def load_plug_ins() -> None:
    """Import the modules that installed packages name in the entry points of :data:`PLUG_INS`, once."""
    for entry in entry_points(group=PLUG_INS):
        try:
            entry.load()
        except Exception as error:  # it is not our code
            raise Failure(
                f"the reader plug-in {entry.name} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}",
                "mend it or uninstall its package",
            ) from error


def readers() -> dict[str, Reader]:
    """Return the registered readers by layout, those of installed plug-ins too, in the order ``auto`` asks them in.

    Raises:
        Failure: a plug-in cannot be loaded.
    """
    load_plug_ins()
    return {layout: entry for layout, (_, entry) in sorted(READERS.items(), key=lambda item: item[1][0])}
