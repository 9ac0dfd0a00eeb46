"""Give every unit of a session a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.unit_table import numbered


def with_unique_names(populations: Sequence[Population]) -> list[Population]:
    """Return populations whose units have names that differ over all of them.

    With several sources each name begins with the part of the path in which the sources differ, whether two ids are
    the same or not. So a unit has the same name in every session of that layout.

    Args:
        populations: The units of each source.
    """
    prefixes = [f"{part}#" for part in distinct_parts([p.path for p in populations])] if len(populations) > 1 else [""]
    named = []
    for prefix, population in zip(prefixes, populations, strict=True):
        own = [str(identifier) for identifier in population.table["unit_id"]]
        names = [f"{prefix}{name}"[:MOST_LABEL] for name in numbered(own)]
        notes = population.notes
        if len(set(own)) < len(own):
            notes = (*notes, f"{population.path}: names of units occur more than once; their rows were added")
        if len(set(names)) < len(names):
            names = numbered(names)
        named.append(replace(population, table=population.table.assign(unit_id=names), notes=notes))
    return named


def distinct_parts(paths: Sequence[str]) -> list[str]:
    """Return the part of each path in which the paths differ; a number is added to equal paths.

    >>> distinct_parts(["/processing/ophys/DfOverF/plane0", "/processing/ophys/DfOverF/plane1"])
    ['plane0', 'plane1']
    >>> distinct_parts(["/processing/ophys/DfOverF/dff", "/processing/ophys_2/DfOverF/dff"])
    ['ophys', 'ophys_2']
    """
    parts = [path.strip("/").split("/") for path in paths]
    shortest = min(len(part) for part in parts)
    first = next((i for i in range(shortest) if len({part[i] for part in parts}) > 1), shortest - 1)
    last = next((i for i in range(1, shortest - first + 1) if len({part[-i] for part in parts}) > 1), 1)
    named = ["/".join(part[first : len(part) - last + 1]) for part in parts]
    if len(set(named)) == len(named):
        return named
    return [f"{'/'.join(part)}:{number}" for number, part in enumerate(parts)]
