"""Read the lineage, config and maps of an NWB file that this package wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.files import check_file
from xcebra_nwb.core.hdf5.scan import UNREADABLE, check_self_contained
from xcebra_nwb.nwb.reading.file import text as text_of
from xcebra_nwb.nwb.reading.values import numbers, values

RESULTS = "/processing/misc"
MAKERS = ("extract", "train", "attribute", "assess")  # commands whose code fingerprints the lineage of results names
MOST_TEXT = 2**20  # characters of a config


@dataclass(frozen=True)
class Exported:
    """The content of an export.

    Attributes:
        lineage: The lineage by key.
        config: The sections of the config.
        maps: The map of each (method, label), shape (unit,).
        session_id: Name of the session in the file.
    """

    lineage: Mapping[str, str]
    config: Mapping[str, Any]
    maps: Mapping[tuple[str, str], np.ndarray]
    session_id: str = ""


def read_export(path: Path) -> Exported:
    """Return the content of the export of a session.

    Raises:
        UsageError: There is no such file, this package did not write it, or it leads into other files.
    """
    check_file(path)
    if not path.exists():
        raise UsageError(f"{path}: no such file", "give a file *_desc-xcebra*.nwb")
    try:
        with h5py.File(path, "r") as h5:
            check_self_contained(h5, path.as_posix())
            tables = h5[RESULTS]
            keys, contents = (_texts(tables[f"xcebra_lineage/{column}"]) for column in ("key", "value"))
            lineage = dict(zip(keys, contents, strict=True))
            config = _texts(tables["xcebra_runs/config"])[0] if "xcebra_runs" in tables else lineage["run.config"]
            session_id = text_of(h5["general/session_id"][()]) if "general/session_id" in h5 else ""
            return Exported(lineage, _config(config), _maps(tables["xcebra_attribution"]), session_id)
    except (*UNREADABLE, IndexError, RecursionError, Refusal) as error:  # the file may come from a stranger
        problem = f"{path}: no results of xcebra-nwb are in it: {error}"
        raise UsageError(problem, "give a file *_desc-xcebra*.nwb") from None


def _config(text: str) -> dict[str, Any]:
    if len(text) > MOST_TEXT:
        raise ValueError(f"a config of {len(text)} characters; at most {MOST_TEXT} are read")
    return nested(json.loads(text))


def _texts(data: h5py.Dataset) -> list[str]:
    return [str(text) for text in values(data)]


def _maps(table: h5py.Group) -> dict[tuple[str, str], np.ndarray]:
    """Return the map of each method and label, with units in their stored order."""
    keys = list(zip(_texts(table["method"]), _texts(table["label"]), strict=True))
    attribution = numbers(table["attribution"])
    rows: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return {key: attribution[where] for key, where in rows.items()}


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return nested content from pairs of dotted key and value.

    It is the inverse of :func:`xcebra_nwb.nwb.export.objects.flat`.

    >>> nested([("training.steps", 100), ("labels", "auto")])
    {'training': {'steps': 100}, 'labels': 'auto'}
    """
    content: dict[str, Any] = {}
    for key, value in pairs:
        *path, last = key.split(".")
        section = content
        for part in path:
            section = section.setdefault(part, {})
        section[last] = value
    return {name: _lists(value) for name, value in content.items()}


def _lists(content: Any) -> Any:
    """Return content in which mappings with numbered keys are lists."""
    if not isinstance(content, dict):
        return content
    held = {key: _lists(value) for key, value in content.items()}
    return list(held.values()) if held and all(key.isdigit() for key in held) else held
