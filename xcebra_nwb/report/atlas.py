"""The atlas: one long table over sessions, a row for every unit, label and method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from xcebra_nwb.core.carriers import INFORMATION, carriers, information_of
from xcebra_nwb.core.files import atomic

TEXT = ("session", "subject", "region", "unit", "label", "method", "verdict")
TESTED = {"z": "z", "p": "p_value", "q": "q_value"}  # of the first method
COLUMNS = (
    *("session", "subject", "region", "unit", "label", "method", "attribution", "sd", *TESTED, *INFORMATION),
    *("carries", "verdict"),
)
TYPES = {"carries": pa.bool_(), **dict.fromkeys(TEXT, pa.string())}
DTYPES = {"carries": bool, **dict.fromkeys(TEXT, str)}
SCHEMA = pa.schema([(name, TYPES.get(name, pa.float64())) for name in COLUMNS])


def session_atlas(attribution: xr.Dataset, session: str, subject: str, verdicts: dict[str, str]) -> pd.DataFrame:
    """Return the rows of one session, with the columns :data:`COLUMNS`.

    Values are those of attribution.nc. z, p and q exist for the first method only, the one that was tested; they are
    NaN for the others. Information does not depend on the method.

    Args:
        attribution: attribution.nc.
        session: name of the session.
        subject: name of the subject.
        verdicts: verdict by label.
    """
    ordered = attribution.transpose("method", "label", "unit", ...)
    methods, labels = ([str(name) for name in ordered[dim].values] for dim in ("method", "label"))
    units = ordered.sizes["unit"]
    rows: dict[str, Any] = {
        "session": session,
        "subject": subject,
        "region": np.tile(ordered["region"].values.astype(str), len(methods) * len(labels)),
        "unit": np.tile(ordered["unit_id"].values.astype(str), len(methods) * len(labels)),
        "label": np.tile(np.repeat(labels, units), len(methods)),
        "method": np.repeat(methods, len(labels) * units),
        "attribution": ordered["attribution"].values.astype(float).ravel(),
        "sd": ordered["attribution_sd"].values.astype(float).ravel(),
    }
    for column, variable in TESTED.items():
        tested = np.full((len(methods), len(labels) * units), np.nan)
        tested[0] = ordered[variable].values.ravel()
        rows[column] = tested.ravel()
    told = information_of(ordered).transpose("label", "unit", ...)
    for name in INFORMATION:
        rows[name] = np.tile(told[name].values.astype(float).ravel(), len(methods))
    rows["carries"] = np.tile(carriers(ordered).transpose("label", "unit").values.ravel(), len(methods))
    rows["verdict"] = np.tile(np.repeat([verdicts.get(label, "") for label in labels], units), len(methods))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def join(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the atlas of all sessions; empty, with every column, without any.

    Args:
        parts: the rows of each session.

    >>> len(join([])), join([]).columns.tolist() == list(COLUMNS)
    (0, True)
    """
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=DTYPES.get(name, float)) for name in COLUMNS})
    return pd.concat(parts, ignore_index=True)


def save(atlas: pd.DataFrame, path: Path) -> None:
    """Write the atlas as Parquet, whole or not at all."""
    with atomic(path) as temporary:
        pq.write_table(pa.Table.from_pandas(atlas, SCHEMA, preserve_index=False), temporary, compression="zstd")
