"""atlas.json: the part of the atlas that a session has, so that a summary of many sessions opens no netCDF file.

It names the files that it was made from. If they have changed since, it does not count, and they are read themselves.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.carriers import INFORMATION, information_of
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, sha256, write_text
from xcebra_nwb.core.netcdf import load_dataset

FILE = "atlas.json"
SOURCES = ("session.nc", "attribution.nc")  # the verdicts are read from assessment.json itself
BY_METHOD = ("attribution", "attribution_sd")
BY_LABEL = ("z", "p_value", "q_value", *INFORMATION)
NAMES = ("methods", "labels", "units", "regions")
FACTS = ("subject", "information_units", "random_seed")
LARGEST_HASHED = 1_000_000_000  # bytes; a larger file is opened, which reads only a part of it
INFINITE = {"inf": math.inf, "-inf": -math.inf}  # JSON has no infinity, and null is NaN
Values = NDArray[np.float64]


@dataclass(frozen=True)
class AtlasPart:
    """The results of a session that the atlas shows.

    Attributes:
        subject: name of the subject.
        methods: names of the attribution methods; the first was tested.
        labels: names of the labels.
        units: name of every unit.
        regions: region of every unit.
        information_units: what the information is measured in.
        random_seed: ``random_seed`` of the config.
        values: variables of attribution.nc, :data:`BY_METHOD` (method, label, unit) and :data:`BY_LABEL` (label, unit).
    """

    subject: str
    methods: list[str]
    labels: list[str]
    units: list[str]
    regions: list[str]
    information_units: str
    random_seed: int
    values: dict[str, Values]


def atlas_part(attribution: xr.Dataset, subject: str) -> AtlasPart:
    """Return the part of the atlas of a session.

    Args:
        attribution: attribution.nc.
        subject: name of the subject.
    """
    ordered = attribution.transpose("map_method", "label", "unit", ...)
    told = information_of(ordered).transpose("label", "unit", ...)
    variables = {name: ordered[name] for name in (*BY_METHOD, "z", "p_value", "q_value")}
    variables |= {name: told[name] for name in INFORMATION}
    names = [[str(name) for name in ordered[key].values] for key in ("map_method", "label", "unit_id", "region")]
    methods, labels, units, regions = names
    values = {name: variable.values.astype(float) for name, variable in variables.items()}
    measure = str(told["information"].attrs.get("units", ""))
    random_seed = int(json.loads(attribution.attrs.get("config", "{}")).get("random_seed", 0))
    return AtlasPart(subject, methods, labels, units, regions, measure, random_seed, values)


def read(directory: Path) -> AtlasPart:
    """Return the part of the atlas of a session, from atlas.json or else from the files that it is made of.

    Args:
        directory: The session's results folder.

    Raises:
        UsageError: atlas.json does not count, and one of the files is missing or cannot be read.
    """
    stored = _stored(directory)
    if stored is not None:
        return stored
    attribution = load_dataset(directory / "attribution.nc")
    return atlas_part(attribution, str(load_dataset(directory / "session.nc", ("activity",)).attrs["subject"]))


def save(part: AtlasPart, directory: Path) -> Path:
    """Write atlas.json and return its path.

    Args:
        part: The part of the atlas, made from the files that are in the folder.
        directory: The session's results folder.
    """
    content: dict[str, Any] = {
        "made_of": {name: _signature(directory / name) for name in SOURCES},
        **{name: getattr(part, name) for name in (*FACTS, *NAMES)},
        "values": {name: [_as_json(value) for value in values.flat] for name, values in part.values.items()},
    }
    path = directory / FILE
    write_text(path, json.dumps(content, allow_nan=False) + "\n")
    return path


def _signature(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": sha256(path)}


def _as_json(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return str(float(value)) if math.isinf(value) else float(value)


def _stored(directory: Path) -> AtlasPart | None:
    """Return the content of atlas.json; None if it is missing, damaged, or made from other files."""
    path = directory / FILE
    try:
        content, written = read_json(path), path.stat().st_mtime_ns
        if not all(_is_unchanged(directory / name, content["made_of"][name], written) for name in SOURCES):
            return None
        return _part(content)
    except (UsageError, OSError, ValueError, KeyError, TypeError, AttributeError):  # by the kind of damage
        return None


def _is_unchanged(path: Path, signature: dict[str, Any], written: int) -> bool:
    """Return whether a file is the one with a signature.

    A file that nobody has touched since ``written`` (ns) is the one. Of any other, as in a copy of the results, the
    content decides.
    """
    status = path.stat()
    if not path.is_file() or status.st_size != signature["size"]:
        return False
    if max(status.st_mtime_ns, status.st_ctime_ns) < written:
        return True
    return status.st_size <= LARGEST_HASHED and sha256(path) == signature["sha256"]


def _part(content: dict[str, Any]) -> AtlasPart:
    """Return the part that the content of atlas.json describes.

    Raises:
        ValueError: A name is no text, the seed no number, or a variable has the wrong number of values.
    """
    subject, measure, random_seed = (content[name] for name in FACTS)
    names = [content[name] for name in NAMES]
    if not all(isinstance(name, str) for name in (subject, measure, *(name for column in names for name in column))):
        raise ValueError("a name that is no text")
    if type(random_seed) is not int or random_seed < 0:
        raise ValueError("a random seed that is no number")
    methods, labels, units, regions = names
    if len(regions) != len(units):
        raise ValueError("another number of regions than of units")
    shape = (len(methods), len(labels), len(units))
    values = {name: _values(content["values"][name], shape) for name in BY_METHOD}
    values |= {name: _values(content["values"][name], shape[1:]) for name in BY_LABEL}
    return AtlasPart(subject, methods, labels, units, regions, measure, random_seed, values)


def _values(column: list[float | str | None], shape: tuple[int, ...]) -> Values:
    read = (INFINITE[value] if isinstance(value, str) else value for value in column)
    return np.array(list(read), dtype=float).reshape(shape)  # None becomes NaN
