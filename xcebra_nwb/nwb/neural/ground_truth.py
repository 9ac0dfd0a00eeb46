"""The true type of every unit of a recording that our own simulator made."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.ground_truth import COLUMN, DESCRIPTION, GENERATOR, TRUE_TYPE
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, dataset
from xcebra_nwb.nwb.reading.table import read_column, scalar_columns

UNITS, GENERATED = "/units", "/general/was_generated_by"


def true_types(file: NwbFile) -> np.ndarray | None:
    """Return the true type of every row of the units table; None for a file that our simulator did not make.

    Args:
        file: The open file.
    """
    units = file.groups.get(UNITS)
    if units is None or file.scalar(GENERATED) != GENERATOR:
        return None
    column = dataset(units, COLUMN)
    if column is None or attribute(column, "description") != DESCRIPTION:
        return None
    try:
        return read_column(units, COLUMN) if COLUMN in scalar_columns(units) else None
    except Refusal:
        return None  # reading the units says what is wrong


def with_true_types(session: xr.Dataset, types: np.ndarray | None) -> xr.Dataset:
    """Return a session dataset with the true type of its units, where the truth is known.

    Args:
        session: The session dataset.
        types: True type of every row of the units table; None where it is not known.
    """
    rows = session["row"].values
    if types is None or str(session.attrs["neural_source"]) != UNITS or rows.max(initial=-1) >= len(types):
        return session
    return session.assign_coords({TRUE_TYPE: ("unit", types[rows].astype(str))})
