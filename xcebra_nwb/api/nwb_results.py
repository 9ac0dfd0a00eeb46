"""The results that an exported NWB file holds, as a dataset."""

from __future__ import annotations

import xarray as xr

from xcebra_nwb.api.dataset import with_assessment
from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.pinned import Given
from xcebra_nwb.core.results import from_json
from xcebra_nwb.nwb.export.dataset import read_results


def read_exported(source: Given) -> tuple[str, xr.Dataset]:
    """Return the name of the session and the maps with the verdicts, from an exported NWB file.

    Args:
        source: The file, an address, or an asset of an archive.

    Raises:
        UsageError: There is no such file, or it has no results.
        Failure: An address does not answer.
    """
    with pinned.opened(source) as file:
        name, dataset = read_results(file)
    return name, with_assessment(dataset, from_json(dataset.attrs["assessment"]))
