"""Translate data types of Zarr into those of numpy.

Only numbers, texts, raw bytes, times and records of them are supported.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xcebra_nwb.nwb.reading.zarr.bounds import MOST_FIELDS

PLAIN = re.compile(r"[<>|=](b1|[iu][1248]|f[248]|c(8|16)|[SUV]\d{1,7}|[Mm]8(\[\d{0,4}[a-zA-Z]{1,2}\])?)")
NUMBER = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c(8|16))")
NAMED = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|complex(64|128)")
RAW = re.compile(r"r(\d{1,8})")
OBJECTS = {"|O", "object"}
TEXTS = {"string", "variable_length_utf8", "bytes", "variable_length_bytes"}
TIMES = {"numpy.datetime64": "M8", "numpy.timedelta64": "m8"}
UNIT = re.compile(r"[a-zA-Z]{1,7}")
BYTE_ORDERS = {"little", "big"}


def of_format_2(stated: Any) -> np.dtype:
    """Return the data type of an array of format 2; ``object`` for texts.

    Raises:
        ValueError: The type is not supported.

    >>> of_format_2("<f4").str
    '<f4'
    """
    if isinstance(stated, str) and stated in OBJECTS:
        return np.dtype(object)
    if isinstance(stated, str):
        return _plain(stated)
    return _record(_fields(stated), _plain)


def of_format_3(stated: Any, byte_order: str) -> np.dtype:
    """Return the data type of an array of format 3; ``object`` for texts.

    Args:
        stated: The data type in the metadata.
        byte_order: ``little`` or ``big``.

    Raises:
        ValueError: The type is not supported.

    >>> of_format_3("int16", "big").str
    '>i2'
    """
    if isinstance(stated, str) and stated in TEXTS:
        return np.dtype(object)
    return _native(stated).newbyteorder(">" if byte_order == "big" else "<")


def number(stated: Any) -> np.dtype:
    """Return the type of numbers that a filter states.

    Raises:
        ValueError: It is no type of numbers.

    >>> number("<i2").str
    '<i2'
    """
    if not isinstance(stated, str) or not (NUMBER.fullmatch(stated) or NAMED.fullmatch(stated)):
        raise ValueError(f"{stated!r:.80} is no type of numbers")
    return np.dtype(stated)


def fill(stated: Any, dtype: np.dtype) -> Any:
    """Return the value of chunks of format 3 that are not stored.

    Args:
        stated: The fill value in the metadata.
        dtype: Type of the array.

    Raises:
        ValueError: It is no value of ``dtype``.
        TypeError: It is no value of ``dtype``.

    >>> float(fill("NaN", np.dtype("f8"))), int(fill(3, np.dtype("i4")))
    (nan, 3)
    """
    if dtype.kind == "O":
        return "" if stated is None else str(stated)
    if dtype.kind in "SV":
        return _raw_fill(stated, dtype)
    if dtype.kind == "c" and isinstance(stated, list):
        return np.array(complex(*map(float, stated)), dtype)[()]
    if isinstance(stated, str) and stated.startswith("0x") and dtype.kind == "f":
        return np.frombuffer(bytes.fromhex(stated[2:]), dtype.newbyteorder(">"))[0]
    if isinstance(stated, str) and dtype.kind == "f":
        return dtype.type(float(stated))  # "NaN", "Infinity", "-Infinity"
    return np.array(stated, dtype)[()]


def _raw_fill(stated: Any, dtype: np.dtype) -> Any:
    """Return raw bytes from base 64, or zeros if there is no text."""
    if not stated or isinstance(stated, Mapping):
        if isinstance(stated, Mapping) and any(stated.values()):
            raise ValueError("its fill value is a record")
        return np.zeros((), dtype)[()]
    stored = base64.b64decode(stated, validate=True)[: dtype.itemsize].ljust(dtype.itemsize, b"\0")
    return np.frombuffer(stored, dtype)[0]


def _plain(stated: Any) -> np.dtype:
    if not isinstance(stated, str) or not PLAIN.fullmatch(stated):
        raise ValueError(f"values of type {stated!r:.80}")
    return np.dtype(stated)


def _native(stated: Any) -> np.dtype:
    if isinstance(stated, str) and NAMED.fullmatch(stated):
        return np.dtype(stated)
    if isinstance(stated, str) and (bits := RAW.fullmatch(stated)) and int(bits[1]) % 8 == 0:
        return np.dtype(f"V{int(bits[1]) // 8}")
    if isinstance(stated, Mapping) and isinstance(settings := stated.get("configuration", {}), Mapping):
        return _configured(str(stated.get("name")), settings)
    raise ValueError(f"values of type {stated!r:.80}")


def _configured(name: str, settings: Mapping[str, Any]) -> np.dtype:
    if name in {"struct", "structured"}:
        return _record(_fields(settings.get("fields")), _native)
    if name in TIMES:
        unit, scale = settings.get("unit"), settings.get("scale_factor", 1)
        known = isinstance(unit, str) and UNIT.fullmatch(unit) and isinstance(scale, int) and 0 < scale < 10_000
        if known:
            short = {"generic": "", "μs": "us"}.get(str(unit), unit)
            return np.dtype(f"{TIMES[name]}[{scale}{short}]" if short else TIMES[name])
    length = settings.get("length_bytes")
    if isinstance(length, int) and 0 < length < 10**7:
        if name == "fixed_length_utf32" and length % 4 == 0:
            return np.dtype(f"U{length // 4}")
        if name in {"null_terminated_bytes", "raw_bytes"}:
            return np.dtype(f"{'S' if name.startswith('null') else 'V'}{length}")
    raise ValueError(f"values of type {name!r:.80}")


def _fields(stated: Any) -> list[tuple[Any, Any]]:
    """Return names and types of the fields of a record."""
    if not isinstance(stated, list) or not 0 < len(stated) <= MOST_FIELDS:
        raise ValueError(f"values of type {stated!r:.80}")
    return [_field(entry) for entry in stated]


def _field(stated: Any) -> tuple[Any, Any]:
    if isinstance(stated, Mapping):
        return stated.get("name"), stated.get("data_type")
    if isinstance(stated, Sequence) and len(stated) == 2:
        return stated[0], stated[1]
    raise ValueError(f"a record with {stated!r:.80}")


def _record(fields: list[tuple[Any, Any]], plain: Any) -> np.dtype:
    """Return the type of a record, which must not hold other records."""
    if not all(isinstance(name, str) and name for name, _ in fields):
        raise ValueError("a record with a field that has no name")
    if any(isinstance(kind, list) or "struct" in str(kind) for _, kind in fields):
        raise ValueError("records within records")
    return np.dtype([(name, plain(kind)) for name, kind in fields])
