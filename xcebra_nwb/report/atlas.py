"""The atlas: one long table over sessions, a row for every unit, label and method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from xcebra_nwb.core.carriers import INFORMATION, carried
from xcebra_nwb.core.errors import UsageError, one_line
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.safe_text import printable
from xcebra_nwb.core.session_table import FORMULA
from xcebra_nwb.report.atlas_part import AtlasPart

TEXT = ("session", "subject", "region", "unit", "label", "method", "verdict", "information_units")
TESTED = {"z": "z", "p": "p_value", "q": "q_value"}  # of the first method
COLUMNS = (
    *("session", "subject", "region", "unit", "label", "method", "attribution", "sd", *TESTED, *INFORMATION),
    *("carries", "verdict", "information_units"),
)
TYPES = {"carries": pa.bool_(), **dict.fromkeys(TEXT, pa.string())}
DTYPES: dict[str, Any] = {"carries": bool, **dict.fromkeys(TEXT, "category")}
SEED = b"random_seed"
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
    rows["information_units"] = part.information_units
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
    return pd.concat(parts, ignore_index=True).astype(dict.fromkeys(TEXT, "category"))


def save(atlas: pd.DataFrame, path: Path, random_seed: int = 0) -> None:
    """Write the atlas as Parquet, whole or not at all.

    Args:
        atlas: the atlas over all sessions.
        path: of the file.
        random_seed: ``random_seed`` of the config, kept in the file for those who compare.
    """
    table = pa.Table.from_pandas(atlas, SCHEMA, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), SEED: str(random_seed).encode()})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def load(path: Path) -> tuple[pd.DataFrame, int]:
    """Return an atlas and the random seed that is kept with it.

    Raises:
        UsageError: There is no such file, it is no atlas, or an earlier version wrote it.
    """
    remedy = "give the folder of a run, or run `xcebra-nwb summarize` on it"
    if not path.is_file():
        raise UsageError(f"{path}: no atlas", remedy)
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path}: cannot be read: {one_line(error)}", remedy) from None
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise UsageError(f"{path}: an atlas without {', '.join(missing)}", remedy)
    seed = (table.schema.metadata or {}).get(SEED, b"0")
    return table.to_pandas(strings_to_categorical=True), int(seed) if seed.isdigit() else 0


def save_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV with numbers of seven digits; no cell is one that a spreadsheet would compute.

    Args:
        table: any table of texts, truths and numbers.
        path: of the file.
    """
    columns = {}
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(column):
            chosen = column.astype("category")
            texts = pa.array([_as_cell(str(text)) for text in chosen.cat.categories], pa.string())
            codes = chosen.cat.codes.to_numpy()
            columns[name] = texts.take(pa.array(codes.astype(np.int64), mask=codes < 0))
        elif pd.api.types.is_float_dtype(column):
            columns[name] = pa.array(column.to_numpy(np.float32), from_pandas=True)
        else:
            columns[name] = pa.array(column.to_numpy())
    with atomic(path) as temporary:
        csv.write_csv(pa.table(columns), temporary)


def _as_cell(text: str) -> str:
    return f"'{printable(text)}" if FORMULA.match(text) else printable(text)
