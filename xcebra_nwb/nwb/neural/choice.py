"""Choose the neural data that the config names, or that ``auto`` picks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from xcebra_nwb.core.config.schema import Neural
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.neural import quality
from xcebra_nwb.nwb.neural.names import with_unique_names
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.readers import Candidate, Reader, readers
from xcebra_nwb.nwb.neural.unit_facts import with_facts
from xcebra_nwb.nwb.neural.unit_selection import COMPUTED
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, name_of, parent, unknown_path
from xcebra_nwb.nwb.reading.query import names
from xcebra_nwb.nwb.reading.series import columns
from xcebra_nwb.nwb.reading.table import length
from xcebra_nwb.nwb.reading.values import numbers


@dataclass(frozen=True)
class Source:
    """A neural source, and the objects of the file that belong to it.

    Attributes:
        layout: Name of the reader that reads it.
        path: Path in the config, or the path that ``auto`` picked; may hold ``*``.
        paths: Paths of its objects.
    """

    layout: str
    path: str
    paths: list[str]


def candidates(file: NwbFile) -> list[Candidate]:
    """Return all neural sources of a file, those that ``auto`` prefers first."""
    return [candidate for entry in readers().values() for candidate in entry.find(file)]


def choose(file: NwbFile, neural: Neural) -> tuple[list[Source], list[str]]:
    """Return the neural sources to read, and the reasons for the choice.

    Args:
        file: The open file.
        neural: ``neural`` of the config.

    Raises:
        UsageError: A configured path is not in the file, or holds no neural data.
        Refusal: ``auto`` finds no neural data, or several sources.
    """
    if neural.source == "auto":
        return _automatic(file)
    named = [neural.source] if isinstance(neural.source, str) else neural.source
    return [source for path in named for source in _configured(file, path.rstrip("/"))], []


def read(file: NwbFile, sources: list[Source], neural: Neural) -> list[Population]:
    """Return the units of each source.

    Columns of the unit table are read only if the config has a query over them. Every unit gets a name of its own.

    Args:
        file: The open file.
        sources: The sources to read.
        neural: ``neural`` of the config.

    Raises:
        UsageError: ``neural.rows`` does not point to units of the sources.
        Refusal: Data cannot be read, or ``neural.where`` or ``neural.rows`` need rows that nothing leads to.
    """
    every = [readers()[source.layout].read(file, source.paths, bool(neural.where)) for source in sources]
    for population in every:
        _check_matched(population, neural.where)
    every = with_unique_names([_judged(file, population, neural.where) for population in every])
    every = [with_facts(file, population) for population in every]
    return [pointed_to(file, population, neural.rows) for population in every] if neural.rows else every


def _judged(file: NwbFile, population: Population, where: str) -> Population:
    """Return a population with notes on the units that a column of the file calls bad."""
    found = quality.remarks(file, population.path, where)
    return replace(population, notes=(*population.notes, *found)) if found else population


def _check_matched(population: Population, where: str) -> None:
    """Raise a refusal if a query asks for columns that cannot be led to the units."""
    if not where or not population.unmatched:
        return
    missing = sorted(names(where) - {*population.table.columns, *COMPUTED, "index"})
    if missing:
        raise Refusal(
            Code.UNREADABLE_LAYOUT,
            f"neural.where asks for {', '.join(missing)}, but {population.unmatched}",
            "correct the region in the file, or leave these columns out of neural.where",
        )


def _automatic(file: NwbFile) -> tuple[list[Source], list[str]]:
    every = candidates(file)
    usable = [candidate for candidate in every if not candidate.refused]
    if not usable:
        listed = "; ".join(f"{c.path} ({c.units} x {c.unit or 'no unit'}): {c.refused}" for c in every[:5])
        raise Refusal(
            Code.NO_NEURONS,
            f"{file.path.name}: no neural data found" + (f"; not taken: {listed}" if listed else ""),
            "name it, neural: {source: /path/in/the/file}" if listed else "give a file with units or their activity",
        )
    best = usable[0]
    same = [c for c in usable if c.layout == best.layout and c.group == best.group]
    chosen = [best] if best.path == "/units" or len(same) == 1 else same
    if len(chosen) > 1 and not best.group:
        listed = ", ".join(candidate.path for candidate in chosen)
        raise Refusal(
            Code.SEVERAL_NEURAL_SOURCES,
            f"{file.path.name}: several neural sources: {listed}",
            "name one in neural.source",
        )
    others = ", ".join(_not_taken(candidate, best) for candidate in every if candidate not in chosen)
    notes = [f"neural data: {c.path} ({c.units} units): {c.because}" for c in chosen]
    notes += [f"neural data not taken: {others}"] if others else []
    return [source for candidate in chosen for source in _configured(file, candidate.path)], notes


def _not_taken(candidate: Candidate, best: Candidate) -> str:
    """Return the path of a candidate, with the reason for which it was not taken."""
    other = candidate.layout == best.layout and candidate.group != best.group
    reason = candidate.refused or (f"{candidate.group}; {best.group} is there" if other and candidate.group else "")
    return f"{candidate.path} ({reason})" if reason else candidate.path


def matching(file: NwbFile, path: str) -> list[str]:
    """Return the paths of the objects that a configured path means.

    A path with ``*`` means the series that it matches. Another path means its own object, and nothing if it is not in
    the file.

    Args:
        file: The open file.
        path: The configured path.
    """
    if not _is_pattern(path):
        canonical = file.canonical_path(path)
        return [canonical] if canonical in file.groups else []
    matched = sorted(p for p in file.groups if fnmatchcase(p, path))
    series = file.series
    return [p for p in matched if p in series] or matched


def _configured(file: NwbFile, path: str) -> list[Source]:
    """Return the sources that a path means.

    The objects are one source if one layout reads them together, else each is a source.
    """
    paths = matching(file, path)
    if not paths:
        raise unknown_path("neural.source", path, _known(file))
    if len(paths) == 1:
        paths = _only_series_inside(file, paths[0])
    together = _reader_of(file, paths)
    if together is not None:
        return [Source(together, path, paths)]
    separate = [
        Source(layout, single, [single]) for single in paths if (layout := _reader_of(file, [single])) is not None
    ]
    if len(separate) < len(paths):
        raise UsageError(
            f"neural.source: {path} is neither a table with spike times nor a numeric series",
            f"candidates: {', '.join(_known(file)) or 'none'}",
        )
    return separate


def _is_pattern(path: str) -> bool:
    return any(character in path for character in "*?[")


def _only_series_inside(file: NwbFile, path: str) -> list[str]:
    """Return the only series of a container that holds just one, else the path."""
    inside = [p for p in file.series if parent(p) == path]
    return inside if path not in file.series and len(inside) == 1 else [path]


def _reader_of(file: NwbFile, paths: list[str]) -> str | None:
    known: dict[str, Reader] = readers()
    return next((layout for layout, entry in known.items() if entry.accepts(file, paths)), None)


def _known(file: NwbFile) -> list[str]:
    """Return paths to suggest: the candidates, then series of several columns."""
    series = [path for path, group in file.series.items() if columns(group) > 1]
    return list(dict.fromkeys([candidate.path for candidate in candidates(file)] + series))


def pointed_to(file: NwbFile, population: Population, path: str) -> Population:
    """Return the units that a table region points to.

    Args:
        file: The open file.
        population: The units of the table.
        path: Path of the table region.

    Raises:
        UsageError: There is no such object, or it points into another table.
        Refusal: It points to rows that the table does not have, or the units cannot be led to rows.
    """
    holder = file.groups.get(parent(path))
    region = dataset(holder, name_of(path)) if holder is not None and "/" in path else None
    if region is None:
        raise unknown_path("neural.rows", path, _regions(file))
    target = _target(file, path)
    if target != population.path and population.unmatched:
        problem = f"neural.rows: {path} points into {target or 'no table'}, but {population.unmatched}"
        raise Refusal(Code.UNREADABLE_LAYOUT, problem, "correct the region in the file, or leave out neural.rows")
    if target not in {population.path, population.rows_of} - {""}:
        raise UsageError(
            f"neural.rows: {path} points into {target or 'no table'}, not into {population.path}",
            "name neural.source too, or a region of its units",
        )
    rows, count = numbers(region).reshape(-1), length(file.groups[target])
    wrong = rows[(rows < 0) | (rows >= count)]
    if len(wrong):
        problem = f"neural.rows: {path} points to row {wrong[0]:.0f} of {target}, which has {count} rows"
        raise Refusal(Code.UNREADABLE_LAYOUT, problem, "correct the region in the file, or leave out neural.rows")
    column = "row" if target == population.path else "roi_row"
    return population.keep(np.isin(population.table[column], rows.astype(np.int64)))


def _regions(file: NwbFile) -> list[str]:
    """Return the paths of all table regions of the file."""
    paths = [f"{path}/{name}" for path, group in file.groups.items() for name in group]
    return [path for path in paths if _target(file, path)]


def _target(file: NwbFile, path: str) -> str:
    """Return the path of the table that a region points into, "" for none."""
    try:
        return str(file.referred(file.h5[path].attrs["table"]).name)
    except UNREADABLE:
        return ""
