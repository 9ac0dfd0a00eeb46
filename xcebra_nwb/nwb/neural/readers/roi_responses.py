"""Read calcium imaging: RoiResponseSeries, alone or in their containers."""

from __future__ import annotations

from typing import NamedTuple

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.readers.registry import Candidate, reader
from xcebra_nwb.nwb.neural.rois import linked, roi_table
from xcebra_nwb.nwb.neural.signals import BACKGROUND, RELATIVE, Signal, signal_of
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, name_of, parent
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns, container, read_samples, unit_of
from xcebra_nwb.nwb.reading.values import numbers
from xcebra_nwb.nwb.reading.walk import identity_of

SERIES = "RoiResponseSeries"


@reader("roi_responses", rank=1)
class RoiResponses:
    """RoiResponseSeries (time, roi).

    ``auto`` takes dF/F before corrected fluorescence, raw fluorescence and deconvolved activity, never the neuropil.
    """

    def find(self, file: NwbFile) -> list[Candidate]:
        """Return every RoiResponseSeries, those with the best signal first.

        ``auto`` takes all series of the best signal, if they are planes: other cells, in another imaging plane or in a
        container of the same name. Of those that cannot go together it takes the one with most regions of interest.
        """
        candidates = [_candidate(file, path) for path, group in file.series.items() if is_kind(group, SERIES)]
        ranks = {candidate.path: _signal(file, candidate.path).rank for candidate in candidates}
        ordered = sorted(candidates, key=lambda c: (bool(c.refused), ranks[c.path], -c.units, c.path))
        cells = {c.path: _Cells.of(file, c.path) for c in ordered if not c.refused}
        kept: list[Candidate] = []
        for candidate in ordered:
            taken = [other for other in kept if not other.refused and other.group == candidate.group]
            again = "" if candidate.refused else _conflict(candidate.path, [other.path for other in taken], cells)
            doubt = "" if candidate.refused or again else _doubt(candidate.path, [other.path for other in taken], cells)
            update = {"refused": candidate.refused or again, "because": f"{candidate.because}{doubt}"}
            kept.append(candidate.model_copy(update=update))
        return sorted(kept, key=lambda c: (ranks[c.path], c.path))

    def accepts(self, file: NwbFile, paths: list[str]) -> bool:
        """Return whether ``paths`` is one RoiResponseSeries."""
        path = paths[0]
        return len(paths) == 1 and path in file.series and is_kind(file.groups[path], SERIES)

    def read(self, file: NwbFile, paths: list[str], columns: bool) -> Population:
        """Return the regions of interest as units.

        Args:
            file: The open file.
            paths: Path of the series.
            columns: Whether to read the columns of their table, too.
        """
        path = paths[0]
        group = file.groups[path]
        samples = read_samples(group, path)
        count = samples.values.shape[1]
        rois = linked(file, group, count)
        table, used, suspicious = roi_table(rois, count, columns)
        return Population(
            path=path,
            kind="calcium",
            units="dF/F" if _signal(file, path) is RELATIVE else unit_of(group),
            table=table,
            samples=samples,
            notes=(*samples.notes, *(f"{path}: {note}" for note in used + suspicious)),
            rows_of=rois.path if rois.rows is not None else "",
            unmatched=f"{path}: {rois.problem}" if rois.problem else "",
        )


def _candidate(file: NwbFile, path: str) -> Candidate:
    group, signal = file.groups[path], _signal(file, path)
    return Candidate(
        layout="roi_responses",
        path=path,
        kind="calcium",
        units=columns(group) if len(group["data"].shape) > 1 else 1,
        unit="dF/F" if signal is RELATIVE else unit_of(group),
        refused="neuropil or background, not neurons" if signal is BACKGROUND else "",
        group=signal.name,
        because=f"{signal.name} of imaged regions of interest: {signal.because}",
    )


def _signal(file: NwbFile, path: str) -> Signal:
    group = file.groups[path]
    names = (name_of(path), name_of(parent(path)), container(file, path), name_of(f"/{_segmentation(file, path)}"))
    return signal_of(*names, unit_of(group), attribute(group, "description"))


class _Cells(NamedTuple):
    """The regions of interest of a series, as far as they can be compared.

    Attributes:
        same: Equal for series of the same regions of interest.
        table: Path of their table.
        plane: Equal for series of the same imaging plane; None if it is unknown.
        container: Name of the object that holds the series.
    """

    same: str
    table: str
    plane: tuple[int, int] | None
    container: str

    @classmethod
    def of(cls, file: NwbFile, path: str) -> _Cells:
        try:
            rois = file.groups[path]["rois"]
            table = file.referred(rois.attrs["table"])
            same = f"{table.name}: {numbers(rois).tolist()}"
            return cls(same, str(table.name), identity_of(table["imaging_plane"]), name_of(parent(path)))
        except (*UNREADABLE, Refusal):
            return cls(path, path, None, name_of(parent(path)))


def _conflict(path: str, taken: list[str], cells: dict[str, _Cells]) -> str:
    """Return why a series cannot be used beside those that are taken, "" if it can."""
    own = cells[path]
    for other in taken:
        if own.same == cells[other].same:
            return f"the same regions of interest as {other}"
        if own.container != cells[other].container and (own.plane is None or own.plane == cells[other].plane):
            return f"nothing says that its regions of interest are other cells than those of {other}"
    return ""


def _doubt(path: str, taken: list[str], cells: dict[str, _Cells]) -> str:
    """Return a remark if a series and one that is taken have different regions of interest in one imaging plane."""
    own = cells[path]
    same = (other for other in taken if own.plane is not None and own.plane == cells[other].plane)
    other = next((other for other in same if own.table != cells[other].table), None)
    return (
        "" if other is None else f"; it is another segmentation of the imaging plane of {other}: check for cells twice"
    )


def _segmentation(file: NwbFile, path: str) -> str:
    """Return the path of the table of a series' regions of interest, "" if nothing leads to it."""
    try:
        return str(file.referred(file.groups[path]["rois"].attrs["table"]).name)
    except UNREADABLE:
        return ""
