"""Register one reader class per layout of neural data.

To read another layout, add a module to this folder with a class that has the three methods of :class:`Reader`, and
decorate it with ``@reader("name of the layout", rank)``. Nothing else needs to change. Another package can bring such
a module too: ``docs/how-to/your-layout.md`` explains both.
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

    Attributes:
        layout: Name of the layout.
        path: Path of the source; may hold ``*``.
        kind: ``spikes``, ``rates`` or ``calcium``.
        units: Number of units.
        unit: Unit of the values.
        refused: Reason why ``auto`` must not take it, "" if it may.
        group: Shared by candidates that ``auto`` takes together, such as planes of one experiment.
        because: Reason why ``auto`` takes it.
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
    """The methods of a reader of one layout."""

    def find(self, file: NwbFile) -> list[Candidate]:
        """Return the neural sources of a file in this layout, the best first."""

    def accepts(self, file: NwbFile, paths: list[str]) -> bool:
        """Return whether the objects at ``paths`` together are in this layout.

        Args:
            file: The open file.
            paths: Paths of the objects that one configured path means.
        """

    def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
        """Return the units of the objects at ``paths``.

        Args:
            file: The open file.
            paths: Paths of objects that the reader accepts.
            columns: Whether to read the scalar columns of their table, too.
        """


READERS: dict[str, tuple[int, Reader]] = {}


def reader(layout: str, rank: int) -> Callable[[type], type]:
    """Register a class as the reader of a layout.

    Args:
        layout: Name of the layout.
        rank: Position among the layouts that ``auto`` tries, lowest first.
    """

    def register(cls: type) -> type:
        READERS[layout] = (rank, cls())
        return cls

    return register


@cache
def load_plug_ins() -> None:
    """Import the readers that installed packages provide, once.

    They are named in the entry points of :data:`PLUG_INS`.

    Raises:
        Failure: A plug-in cannot be loaded.
    """
    for entry in entry_points(group=PLUG_INS):
        try:
            entry.load()
        except Exception as error:  # the plug-in's code can raise anything
            raise Failure(
                f"the reader plug-in {entry.name} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}",
                "repair it or uninstall its package",
            ) from error


def readers() -> dict[str, Reader]:
    """Return the registered readers by layout, in the order ``auto`` tries them.

    Readers of installed plug-ins are included.

    Raises:
        Failure: A plug-in cannot be loaded.
    """
    load_plug_ins()
    return {layout: entry for layout, (_, entry) in sorted(READERS.items(), key=lambda item: item[1][0])}
