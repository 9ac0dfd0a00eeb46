"""Counts of tested units and of carriers, by session, label and region: all that a comparison over sessions needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KEYS = ("session", "subject", "label", "region", "measure", "verdict")
SUMS = ("units", "carriers", "information", "square")
Values = NDArray[np.float64]


def count_units(atlas: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of every session, label and region.

    A unit counts once, whatever the number of attribution methods, and only where it was tested: what was not tested
    can neither carry a label nor lack it.

    Args:
        atlas: rows with ``session``, ``subject``, ``region``, ``unit``, ``label``, ``method``, ``information``,
            ``information_q``, ``information_units``, ``carries`` and ``verdict``.

    Returns:
        The columns :data:`KEYS` and :data:`SUMS`: number of tested units and of carriers, and the sums over tested
        units of the information and of its square. ``measure`` is what the information is measured in.
    """
    if atlas.empty:
        return pd.DataFrame({name: pd.Series(dtype=float if name in SUMS else str) for name in (*KEYS, *SUMS)})
    rows = atlas[of_first_method(atlas) & atlas["information_q"].notna().to_numpy()]
    keyed = rows.rename(columns={"information_units": "measure"})
    keyed = keyed.assign(units=1.0, carriers=keyed["carries"].astype(float), square=keyed["information"] ** 2)
    totals = keyed.groupby(list(KEYS), sort=False, observed=True)[list(SUMS)].sum().reset_index()
    return totals.astype(dict.fromkeys(KEYS, str))


def of_first_method(atlas: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows are of their session's first method: each unit and label once.

    Args:
        atlas: rows with ``session`` and ``method``.
    """
    first = atlas.drop_duplicates("session").set_index("session")["method"].astype(str)
    return np.asarray(atlas["method"].astype(str).to_numpy() == atlas["session"].astype(str).map(first).to_numpy())


def numbered(*columns: Any) -> NDArray[np.intp]:
    """Return a number from 0 for every distinct row of columns, in the order in which they first come.

    >>> numbered(["a", "a", "b"], [1, 2, 1]).tolist()
    [0, 1, 2]
    """
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        of_column = pd.factorize(np.asarray(column))[0]
        codes = codes * (of_column.max(initial=0) + 1) + of_column
        codes = pd.factorize(codes)[0].astype(np.int64)
    return codes.astype(np.intp)


def summed(group: NDArray[np.intp], values: Values, groups: int | None = None) -> Values:
    """Return the sum of ``values`` over each group.

    >>> summed(np.array([0, 0, 2]), np.array([1.0, 2.0, 3.0])).tolist()
    [3.0, 0.0, 3.0]
    """
    return np.bincount(group, weights=values, minlength=groups or 0).astype(float)
