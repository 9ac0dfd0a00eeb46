"""The result files of one session, opened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from xcebra_nwb.core import netcdf
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.files import read_json


@dataclass(frozen=True)
class Results:
    """Results of a session, written by the commands from extract to check."""

    session: xr.Dataset
    training: xr.Dataset
    embedding: xr.Dataset
    attribution: xr.Dataset
    assessment: dict[str, Any]
    inventory: Any  # None where extract wrote none
    findings: Any  # None where check has not run
    units: xr.Dataset | None = None  # None in results of versions that wrote no units.nc
    decoded: xr.Dataset | None = None  # None in results of versions that wrote no decoded.nc

    @property
    def labels(self) -> list[str]:
        """The labels that have a map, in the order of the maps."""
        return [str(label) for label in self.attribution["label"].values]

    def assessed(self, label: str) -> dict[str, Any]:
        """Return the assessment of ``label``; empty if there is none."""
        return dict(self.assessment.get("labels", {}).get(label) or {})


def load(directory: Path) -> Results:
    """Return the results in the ``directory`` of a session.

    Raises:
        UsageError: A file is missing; the line names it.
    """
    return Results(
        session=contract.load(directory / "session.nc"),
        training=netcdf.load_dataset(directory / "training.nc"),
        embedding=netcdf.load_dataset(directory / "embedding.nc", ("embedding",)),
        attribution=netcdf.load_dataset(directory / "attribution.nc"),
        assessment=read_json(directory / "assessment.json"),
        inventory=read_optional_json(directory / "inventory.json"),
        findings=read_optional_json(directory / "check.json"),
        units=_optional_dataset(directory / "units.nc"),
        decoded=_optional_dataset(directory / "decoded.nc"),
    )


def _optional_dataset(path: Path) -> xr.Dataset | None:
    return netcdf.load_dataset(path) if path.exists() else None


def read_optional_json(path: Path) -> Any:
    """Return the content of a JSON file; None if there is no such file."""
    return read_json(path) if path.exists() else None


def from_json(text: Any) -> Any:
    """Return the decoded content of an attr; the attr itself if it is not JSON.

    >>> from_json('{"a": 1}'), from_json("spikes")
    ({'a': 1}, 'spikes')
    """
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text
