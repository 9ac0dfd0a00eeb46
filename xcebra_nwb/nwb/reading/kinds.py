"""Tell whether an object is of an NWB type or of one that extends it.

The file says so itself if it keeps the specifications it was written with. Else a list of well-known types does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import h5py

from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.reading.file import first_text, neurodata_type
from xcebra_nwb.nwb.reading.walk import is_group

CORE = {
    "SpatialSeries": "TimeSeries",
    "RoiResponseSeries": "TimeSeries",
    "ElectricalSeries": "TimeSeries",
    "SpikeEventSeries": "ElectricalSeries",
    "DecompositionSeries": "TimeSeries",
    "AnnotationSeries": "TimeSeries",
    "IntervalSeries": "TimeSeries",
    "AbstractFeatureSeries": "TimeSeries",
    "OptogeneticSeries": "TimeSeries",
    "PatchClampSeries": "TimeSeries",
    "ImageSeries": "TimeSeries",
    "OpticalSeries": "ImageSeries",
    "OnePhotonSeries": "ImageSeries",
    "TwoPhotonSeries": "ImageSeries",
    "ImageMaskSeries": "ImageSeries",
    "IndexSeries": "TimeSeries",
}
EXTENDED = {  # of published extensions
    "PoseEstimationSeries": "SpatialSeries",  # ndx-pose
    "AnnotatedSpatialSeries": "SpatialSeries",
    "FiberPhotometryResponseSeries": "TimeSeries",
    "LabeledEvents": "TimeSeries",  # ndx-events; it has data and timestamps
}
ROOT = "specifications"
MOST_SPECIFICATIONS = 200  # cached documents of a file
DEEPEST = 32  # types that extend one another
MOST_FILES = 8  # files whose types are kept in memory

_EXTENDED: dict[int, dict[str, str]] = {}
"""The types of the files that were read last; HDF5 numbers every file that is opened."""


def is_kind(group: h5py.Group, kind: str) -> bool:
    """Return whether a group is of an NWB type or of a type that extends it.

    Args:
        group: The group.
        kind: Name of the type, such as ``SpatialSeries``.
    """
    name = neurodata_type(group)
    if name == kind or not name:
        return name == kind
    known = CORE | EXTENDED
    if name not in known:
        known = _cached(group) | known
    for _ in range(DEEPEST):
        name = known.get(name, "")
        if name == kind:
            return True
    return False


def _cached(group: h5py.Group) -> dict[str, str]:
    """Return the type that each type extends, by the specifications in the file."""
    if not isinstance(group, h5py.Group):
        return {}  # the root of a Zarr recording is read without its specifications
    number = int(h5py.h5o.get_info(group.id).fileno)
    if number not in _EXTENDED:
        while len(_EXTENDED) >= MOST_FILES:
            del _EXTENDED[next(iter(_EXTENDED))]
        _EXTENDED[number] = _extended(group.file)
    return _EXTENDED[number]


def _extended(h5: h5py.File) -> dict[str, str]:
    extended: dict[str, str] = {}
    for document in _documents(h5):
        for definition in _definitions(document):
            name, base = definition.get("neurodata_type_def"), definition.get("neurodata_type_inc")
            if isinstance(name, str) and isinstance(base, str):
                extended[name] = base
    return extended


def _documents(h5: h5py.File) -> Iterator[Any]:
    """Yield the cached specifications of a file that can be read."""
    try:
        namespaces = [h5[ROOT][name] for name in h5[ROOT]]
        versions = [space[version] for space in namespaces if is_group(space) for version in space]
        stored = [version[name] for version in versions if is_group(version) for name in version]
    except UNREADABLE:
        return
    for data in stored[:MOST_SPECIFICATIONS]:
        try:
            yield json.loads(first_text(data))
        except (*UNREADABLE, ValueError, RecursionError):
            continue  # one that cannot be read says nothing


def _definitions(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the types that a specification defines, also those inside of others."""
    pending = [document]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
        pending += list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else []
