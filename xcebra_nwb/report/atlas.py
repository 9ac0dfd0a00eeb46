"""The atlas: one long table over sessions, a row for every unit, label and method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from xcebra_nwb.core.carriers import INFORMATION, carried
from xcebra_nwb.core.files import atomic
from xcebra_nwb.report.atlas_part import AtlasPart

TEXT = ("session", "subject", "region", "unit", "label", "method", "verdict")
TESTED = {"z": "z", "p": "p_value", "q": "q_value"}  # of the first method
COLUMNS = (
    *("session", "subject", "region", "unit", "label", "method", "attribution", "sd", *TESTED, *INFORMATION),
    *("carries", "verdict"),
)
TYPES = {"carries": pa.bool_(), **dict.fromkeys(TEXT, pa.string())}
DTYPES = {"carries": bool, **dict.fromkeys(TEXT, str)}
SCHEMA = pa.schema([(name, TYPES.get(name, pa.float64())) for name in COLUMNS])


def session_atlas(part: AtlasPart, session: str, verdicts: dict[str, str]) -> pd.DataFrame:
    """Return the rows of one session, with the columns :data:`COLUMNS`.

    Values are those of attribution.nc. z, p and q exist for the first method only, the one that was tested; they are
    NaN for the others. Information does not depend on the method.

    Args:
        part: the session's part of the atlas.
        session: name of the session.
        verdicts: verdict by label.
    """
    methods, labels, units = len(part.methods), part.labels, len(part.units)
    rows: dict[str, Any] = {
        "session": session,
        "subject": part.subject,
        "region": np.tile(np.asarray(part.regions, dtype=object), methods * len(labels)),
        "unit": np.tile(np.asarray(part.units, dtype=object), methods * len(labels)),
        "label": np.tile(np.repeat(np.asarray(labels, dtype=object), units), methods),
        "method": np.repeat(np.asarray(part.methods, dtype=object), len(labels) * units),
        "attribution": part.values["attribution"].ravel(),
        "sd": part.values["attribution_sd"].ravel(),
    }
    for column, variable in TESTED.items():
        tested = np.full((methods, len(labels) * units), np.nan)
        tested[0] = part.values[variable].ravel()
        rows[column] = tested.ravel()
    for name in INFORMATION:
        rows[name] = np.tile(part.values[name].ravel(), methods)
    carries = carried(part.values["information"], part.values["information_q"])
    rows["carries"] = np.tile(carries.ravel(), methods)
    of_labels = np.asarray([verdicts.get(label, "") for label in labels], dtype=object)
    rows["verdict"] = np.tile(np.repeat(of_labels, units), methods)
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
