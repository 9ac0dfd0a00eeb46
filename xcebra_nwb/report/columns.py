"""Columns of a long table for a script of the page: a tenth of the size of rows as text, and quick to search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from xcebra_nwb.report.packing import pack_bytes

MANTISSA = 23  # bits of a number's fraction
SHORT = 11  # bits that are kept: three digits


def packed_columns(table: pd.DataFrame, exact: tuple[str, ...] = ()) -> tuple[dict[str, Any], Markup]:
    """Return the description of a table's columns, and their bytes, packed, for a script to read.

    Bytes are in planes: the first byte of every value, then the second, and so on, which packs better. A text is stored
    once, and in a row by its number.

    Args:
        table: texts and numbers.
        exact: numbers that keep all digits of a 32-bit number; the others keep three.
    """
    columns, parts = [], []
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            used = column.cat.remove_unused_categories()
            codes, values = used.cat.codes.to_numpy(), [str(text) for text in used.cat.categories]
            width = 1 if len(values) <= 1 << 8 else 2 if len(values) <= 1 << 16 else 4
            columns.append({"name": name, "bytes": width, "values": values})
            parts.append(_planes(codes.astype(f"<u{width}")))
        else:
            columns.append({"name": name, "bytes": 4})
            parts.append(_planes(_shortened(column.to_numpy(), MANTISSA if name in exact else SHORT)))
    return {"rows": len(table), "columns": columns}, pack_bytes(b"".join(parts))


def _shortened(values: NDArray[Any], bits: int) -> NDArray[np.uint32]:
    """The bits of 32-bit numbers, rounded to a number of bits of their fraction.

    Of the two numbers that have so few bits, the farther one is taken where only it has the same first three digits.
    """
    numbers: NDArray[np.float32] = values.astype("<f4")
    dropped = MANTISSA - bits
    raw: NDArray[Any] = numbers.view("<u4").astype(np.uint64)
    if dropped:
        below = raw >> dropped << dropped
        above = below + (1 << dropped)
        near = (raw + (1 << (dropped - 1))) >> dropped << dropped
        said = _three_digits(near.astype("<u4").view("<f4")) == _three_digits(values)
        raw = np.where(said | np.isnan(numbers), near, below + above - near)
    return np.where(np.isnan(numbers), 0x7FC00000, raw).astype("<u4")


def _three_digits(values: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers rounded to three digits.

    >>> _three_digits(np.array([0.840487, -1234.0, 0.0])).tolist()
    [0.84, -1230.0, 0.0]
    """
    numbers = np.asarray(values, np.float64)
    known = np.isfinite(numbers) & (numbers != 0)
    power = np.floor(np.log10(np.abs(numbers), where=known, out=np.zeros_like(numbers))) - 2
    scale = np.power(10.0, np.abs(power))
    rounded = np.where(power < 0, np.rint(numbers * scale) / scale, np.rint(numbers / scale) * scale)
    return np.where(known, rounded, numbers)


def _planes(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values.view(np.uint8).reshape(len(values), values.itemsize).T).tobytes()


def as_category(names: Mapping[bool, str], values: pd.Series) -> pd.Series:
    """Return truths as texts of a column.

    >>> as_category({True: "yes", False: "no"}, pd.Series([True, False])).tolist()
    ['yes', 'no']
    """
    return values.map(dict(names)).astype("category")
