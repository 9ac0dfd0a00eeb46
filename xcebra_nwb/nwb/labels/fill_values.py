"""Find values that stand for nothing, such as -999, 'nan' or a blank, in numbers and texts."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from xcebra_nwb.nwb.reading.file import text

NINES = re.compile(r"9{2,}|9{3,}\d")  # 99, 999, -9999; also 9998 beside 9999
FAR = 10  # times the range of the other values, beyond which a whole number is no value of the same kind
HUGE = 1e30  # fill values of netCDF and of imaging, such as 9.97e36
MOST_FILLS = 3  # at either end of the values
LEAST = 90  # a smaller number is a code
WORDS = {"", "nan", "n/a", "#n/a", "<na>", "nat", "null", "(null)"}  # in any case
EXACT = {"None", "NA"}  # "none" and "na" may be a class
MAY_BE_CLASS = {"None", "N/A", "n/a", "NA"}
BYTES = re.compile(r"""b(['"])(.*)\1""", re.DOTALL)


def fill_values(values: np.ndarray) -> list[float]:
    """Return the numbers that stand for a missing value.

    They are whole, far from all other values, and written with nines (-999), the limit of their type, huge, or negative
    and repeated while all others are not negative. NaN does not count.

    Args:
        values: Numbers of any shape.

    >>> fill_values(np.array([0, 1, 1, -999])), fill_values(np.array([-1, 0, 1]))
    ([-999.0], [])
    """
    if values.dtype.kind not in "iuf":
        return []
    numbers, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    numbers, limits = numbers.astype(np.float64), _limits(values.dtype)
    ends = {*range(min(MOST_FILLS, len(numbers))), *range(max(len(numbers) - MOST_FILLS, 0), len(numbers))}
    fills = [end for end in sorted(ends) if _is_written_as_fill(numbers[end], limits)]
    others = np.delete(numbers, fills)
    if len(others) > 2 and others[0] == round(others[0]) <= -LEAST and others[1] >= 0:
        lowest = int(np.searchsorted(numbers, others[0]))
        if counts[lowest] > 1:
            fills, others = [*fills, lowest], others[1:]
    if not len(others):
        return []
    limit = FAR * max(float(np.ptp(others)), 1.0)
    return [float(numbers[end]) for end in sorted(fills) if np.abs(others - numbers[end]).min() > limit]


def _limits(kind: np.dtype) -> set[int]:
    limits = {-(2**31), 2**31 - 1, 2**32 - 1, -(2**63), 2**63 - 1, 2**63}  # 2**63 - 1 has no float of its own
    if kind.kind != "f":
        limits |= {int(np.iinfo(kind).max), int(np.iinfo(kind).min)} - {0}
    return limits


def _is_written_as_fill(value: float, limits: set[int]) -> bool:
    if abs(value) > HUGE:
        return True
    if value != round(value) or abs(value) < LEAST:
        return False
    return NINES.fullmatch(f"{abs(value):.0f}") is not None or int(value) in limits


def without_fills(values: np.ndarray) -> tuple[np.ndarray, Counter[str]]:
    """Return a column with NaN, or an empty text, where a value stands for nothing.

    Texts also lose blanks round them, and the b'' of bytes that were written as text.

    Args:
        values: Numbers, truth values or texts, shape (row,).

    Returns:
        The values, shape (row,), and how many rows had each value that stands for nothing.

    >>> values, why = without_fills(np.array(["left ", "nan", "right", ""], dtype=object))
    >>> values.tolist(), dict(why)
    (['left', '', 'right', ''], {"'nan'": 1, 'a blank': 1})
    >>> values, why = without_fills(np.array([1, -999, 2]))
    >>> values.tolist(), dict(why)
    ([1.0, nan, 2.0], {'-999': 1})
    """
    if values.dtype.kind in "OSU":
        return _without_words(values)
    why: Counter[str] = Counter()
    if values.dtype.kind == "f":
        why += Counter({"NaN": int(np.sum(np.isnan(values))), "an infinite number": int(np.sum(np.isinf(values)))})
    if fills := fill_values(values):
        for fill in fills:
            why[f"{fill:.15g}"] = int(np.sum(values == fill))
        values = np.where(np.isin(values, fills), np.nan, values.astype(np.float64))
    return values, why


def _without_words(values: np.ndarray) -> tuple[np.ndarray, Counter[str]]:
    texts = np.array([_plain(text(value)) for value in values], dtype=object)
    nothing = np.array([word in EXACT or word.lower() in WORDS for word in texts], dtype=bool)
    if len(set(texts[~nothing])) < 2:  # "laser" and "None": being none is then what the column says
        nothing &= np.array([word not in MAY_BE_CLASS for word in texts], dtype=bool)
    why = Counter(f"'{word}'" if word else "a blank" for word in texts[nothing])
    texts[nothing] = ""
    return texts, why


def _plain(word: str) -> str:
    """Return a text without blanks round it and without the b'' of bytes."""
    word = word.strip()
    inner = BYTES.fullmatch(word)
    return inner[2].strip() if inner else word


def counted(why: Counter[str]) -> str:
    """Return counts of what stands for nothing in words, the commonest first.

    >>> counted(Counter({"NaN": 3, "'nan'": 12}))
    "12 with 'nan', 3 with NaN"
    """
    return ", ".join(f"{count} with {word[:40]}" for word, count in why.most_common(6))
