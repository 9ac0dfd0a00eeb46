"""inspect of many recordings: what ``auto`` would take from each, in a line, a table or JSON."""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from pydantic import BaseModel

from xcebra_nwb.archive import given, local
from xcebra_nwb.archive.pinned import Given, Pinned
from xcebra_nwb.commands.inspect import inspect
from xcebra_nwb.core.errors import XcebraError, one_line
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.progress import progress
from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.core.session_table import cell
from xcebra_nwb.nwb.inventory.models import Inventory, Refused
from xcebra_nwb.nwb.reading.foreign import Follow

LONGEST_REASON = 200  # characters of a refusal in the line of a file
WITHOUT_CODE = "no code"  # of a file that is not there, or of an error that is no refusal


class Screened(BaseModel):
    """What ``inspect`` says of one of many recordings.

    Attributes:
        file: Its path or address.
        neural: Paths of the neural sources that ``auto`` would take.
        layout: Their layouts and kinds, such as ``units, spikes``.
        units: Number of units that extraction would keep; of all units where that is not foreseen.
        labels: Kind of each label that would be taken, by name.
        bins_in_use: Number of bins that would be in use.
        refused: Code of the refusal, ``no code`` if it has none, "" without a refusal.
        reason: The refusal in words.
        suspicious: Number of suspicious remarks.
    """

    file: str
    neural: list[str]
    layout: str
    units: int | None
    labels: dict[str, str]
    bins_in_use: int | None
    refused: str
    reason: str
    suspicious: int

    @property
    def kind(self) -> str:
        """What would be taken, without paths and numbers: recordings of one kind have the same."""
        if self.refused:
            return f"refused [{self.refused}]"
        return f"{self.layout}; {', '.join(f'{name}: {kind}' for name, kind in self.labels.items())}"

    @property
    def line(self) -> str:
        """The recording in one line."""
        if self.refused:
            what = f"{self.kind}: {shorten(self.reason, LONGEST_REASON)}"
        else:
            labels = ", ".join(f"{name}: {kind}" for name, kind in self.labels.items())
            what = f"{', '.join(self.neural)} ({self.layout}, {self.units} units); {labels}"
        suspicious = f"; {self.suspicious} suspicious" if self.suspicious else ""
        return printable(f"{self.file}: {what}{suspicious}")


def are_many(inputs: Sequence[str]) -> bool:
    """Return whether the arguments of ``inspect`` name several recordings, or a folder of them."""
    return len(inputs) != 1 or local.is_folder_of_recordings(inputs[0]) or given.names_several(inputs[0])


def recordings(inputs: Iterable[str]) -> list[Given]:
    """Return the recordings in files, folders, addresses and dandisets.

    Raises:
        UsageError: An input does not exist, or there is no recording.
        Failure: An archive does not answer.
    """
    sources: list[Given] = []
    for text in inputs:
        checked = given.checked(text)
        sources += local.find([checked]) if isinstance(checked, Path) else given.sources(checked)
    return list({str(source): source for source in sources}.values())


def inventories(sources: Sequence[Given], follow: Follow = Follow.FOLDER) -> Iterator[Inventory]:
    """Yield the inventory of each recording, one at a time.

    A recording that cannot be read has an inventory with nothing but the reason.

    Args:
        sources: The recordings.
        follow: Rule for links of local files to other files.
    """
    on_terminal = sys.stdout.isatty()  # there the lines themselves are the progress
    shown = nullcontext(lambda done: None) if on_terminal else progress("inspect", len(sources), "files")
    with shown as advance:
        for source in sources:
            yield _inventory(source, follow)
            advance(1)


def _inventory(source: Given, follow: Follow) -> Inventory:
    name = source.session.source if isinstance(source, Pinned) else str(source)
    if isinstance(source, Path):
        name = os.path.relpath(source) if source.is_relative_to(Path.cwd()) else name
        if why := local.unreadable(source):
            return Inventory.of_nothing(name, Refused(code=None, reason=why, remedy=""))
    try:
        content = inspect(source, follow)
    except XcebraError as error:
        code = getattr(error, "code", None)
        return Inventory.of_nothing(name, Refused(code=code, reason=error.message, remedy=error.remedy))
    except Exception as error:  # an error of any library about one file must not hide the others
        reason = one_line(f"{type(error).__name__}: {error}")
        return Inventory.of_nothing(name, Refused(code=None, reason=reason, remedy=""))
    content.file.path = name
    return content


def screened(content: Inventory) -> Screened:
    """Return what an inventory says, in short."""
    automatic, refusal = content.automatic, content.refusal
    taken = [source for source in content.neural if source.taken_by_auto]
    layouts = dict.fromkeys(f"{source.layout}, {source.kind}" for source in taken)
    return Screened(
        file=content.file.path,
        neural=automatic.neural,
        layout="; ".join(layouts),
        units=sum(source.units for source in taken) if automatic.units is None else automatic.units,
        labels={label.name: label.kind for label in automatic.labels},
        bins_in_use=automatic.bins_in_use,
        refused="" if refusal is None else str(refusal.code or WITHOUT_CODE),
        reason="" if refusal is None else refusal.reason.removeprefix(f"{content.file.path}: "),
        suspicious=len(content.suspicious) + len(content.problems),
    )


def summary(rows: Iterable[Screened]) -> list[str]:
    """Return how many recordings there are, and how many of each kind."""
    kinds = Counter(row.kind for row in rows if not row.refused)
    refusals = Counter(row.kind for row in rows if row.refused)
    count, taken = kinds.total() + refusals.total(), kinds.total()
    files = f"{count} recording{'s' * (count != 1)}"
    lines = [f"{files}: {taken} would be extracted by auto, {count - taken} would not"]
    counted = [*kinds.most_common(), *refusals.most_common()]
    return lines + [f"{number:6d}  {printable(kind)}" for kind, number in counted]


def write_table(rows: Iterable[Screened], path: Path) -> None:
    """Write a row for every recording as tab-separated text.

    Args:
        rows: The recordings.
        path: The table to write.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, dialect="excel-tab", lineterminator="\n")
        writer.writerow(Screened.model_fields)
        for row in rows:
            labels = ", ".join(f"{name}: {kind}" for name, kind in row.labels.items())
            values = row.model_dump() | {"neural": ", ".join(row.neural), "labels": labels}
            writer.writerow([cell(values[column]) for column in Screened.model_fields])
