"""Recognise values that stand for nothing: codes of lost tracking, fill values and texts such as "nan".

A code of lost tracking, such as (0, 0), comes back exactly, and the values jump to it and away from it. A value at
which an animal really stands is reached and left in ordinary steps. So continuity decides, not the value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.nwb.reading.file import text

FILLS = [v for size in (3, 4, 5, 6) for v in (float(10**size - 1), -float(10**size - 1))]
FILLS += [float(v) for bits in (16, 32, 64) for v in (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)]
HUGE = 1e30  # the fill values of netCDF and the largest floats lie beyond
FAR = 3.0  # ranges of the other values: a fill value lies further away
JUMP, USUAL = 10.0, 3.0  # times the median step, and times the 80th percentile of steps
JUMPED = 0.75  # least share of the ways into a code and out of it that are jumps
FEWEST_RUNS = 3
FEWEST_OTHERS = 30  # samples from which ordinary steps are learned
MOVING = 0.05  # least share of steps that change the value; a series in plateaus has no ordinary steps
MOST_CODES = 3
CONTINUOUS = 8  # more different values than these are measurements rather than classes
NEVER_ZERO = re.compile(r"diameter|radius|(pupil|eye).*(area|size|width)|(area|size).*(pupil|eye)", re.IGNORECASE)
MOST_STEPS = 200_000  # looked at to learn what ordinary steps are, and which values come back
LEAST_ODD = 90  # a smaller whole number is a code
NO_CLASS = {"none", "n/a", "na"}  # a class where there is a single other one, such as "None" beside "laser"
NO_TEXT = {"", "nan", "n/a", "na", "null", "nil", "<na>", "nat", "#n/a", "undefined", "missing"}


@dataclass(frozen=True)
class StandIns:
    """Values that stand for nothing.

    Attributes:
        rows: True where a value stands for nothing, shape (sample,).
        words: A line for each such value, with counts.
    """

    rows: np.ndarray
    words: tuple[str, ...] = ()


def measured_positive(name: str) -> bool:
    """Return whether the name of a quantity says that it cannot be 0.

    >>> measured_positive("pupil_diameter"), measured_positive("speed")
    (True, False)
    """
    return NEVER_ZERO.search(name[:MOST_LABEL]) is not None


def number_stand_ins(
    values: np.ndarray, *, in_order: bool = True, tracked: bool = False, positive: bool = False
) -> StandIns:
    """Find numbers that stand for nothing.

    Args:
        values: Numbers of shape (sample,), or (sample, column) for a vector, whose columns are lost together. NaN is
            missing anyway.
        in_order: Whether the samples follow each other in time, so that jumps tell. False for rows of a table.
        tracked: Whether the values are a tracked position or direction, of which any value can stand for a loss.
        positive: Whether the quantity cannot be 0 or negative, such as a diameter.

    >>> number_stand_ins(np.array([0.0, 1.0, -999.0, 1.0]), in_order=False).rows.tolist()
    [False, False, True, False]
    """
    table = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    rows, words = np.zeros(len(table), dtype=bool), list[str]()
    finite = np.isfinite(table).all(axis=1)
    for _ in range(MOST_CODES):
        known = np.flatnonzero(finite & ~rows)
        found = _code(table[known], in_order, tracked, positive) if len(known) > 1 else None
        if found is None:
            break
        code, reason = found
        of_code = np.zeros(len(table), dtype=bool)
        of_code[known] = np.all(table[known] == code, axis=1)
        rows |= of_code
        words.append(f"{_shown(code)} {reason}: {_share(of_code)}")
    return StandIns(rows, tuple(words))


def text_stand_ins(values: np.ndarray) -> StandIns:
    """Find texts that stand for nothing, such as "nan" and empty ones.

    "none" in small letters can be the name of a class, and stays. So does "None" or "N/A" beside a single class.

    Args:
        values: Texts, shape (sample,).

    >>> text_stand_ins(np.array(["left", "right", "N/A", "", "None"], dtype=object)).words
    ("'N/A' stands for nothing: 1 of 5 left out", "'None' stands for nothing: 1 of 5 left out")
    """
    texts = [plain_text(text(value)) for value in values]
    rows = missing(texts)
    counts = Counter(value for value, lost in zip(texts, rows, strict=True) if lost and value)
    words = [f"{word!r} stands for nothing: {count} of {len(texts)} left out" for word, count in sorted(counts.items())]
    kept = sorted({value for value, lost in zip(texts, rows, strict=True) if not lost and value.lower() in NO_CLASS})
    words += [f"{word!r} is taken as the name of a class" for word in kept]
    return StandIns(rows, tuple(words))


def missing(texts: Sequence[str]) -> np.ndarray:
    """Return which texts stand for a missing value, shape (sample,).

    Args:
        texts: Texts without blanks round them.

    >>> missing(["left", "right", "None"]).tolist(), missing(["laser", "None"]).tolist()
    ([False, False, True], [False, False])
    """
    nothing = {word for word in set(texts) if stands_for_nothing(word)}
    if len(set(texts) - nothing) == 1:
        nothing -= {word for word in nothing if word.lower() in NO_CLASS}
    return np.array([word in nothing for word in texts], dtype=bool)


def plain_text(word: str) -> str:
    """Return a text without blanks round it, and without the b'' of bytes that were written as text.

    >>> plain_text(" left "), plain_text("b'left'")
    ('left', 'left')
    """
    word = word.strip()
    return word[2:-1].strip() if len(word) > 2 and word[:2] in ("b'", 'b"') and word[-1] == word[1] else word


def stands_for_nothing(word: str) -> bool:
    """Return whether a text stands for a missing value.

    >>> stands_for_nothing("N/A"), stands_for_nothing("None"), stands_for_nothing("none")
    (True, True, False)
    """
    return word.lower() in NO_TEXT or word in {"None", "NONE"}


def _code(values: np.ndarray, in_order: bool, tracked: bool, positive: bool) -> tuple[np.ndarray, str] | None:
    """Return a value that stands for nothing and the reason, None if there is none."""
    if (fill := _fill(values)) is not None:
        return fill, "is a fill value, far from all others"
    single = values.shape[1] == 1
    if single and positive and (impossible := _impossible(values[:, 0])) is not None:
        return impossible, "stands for no measurement"
    if not in_order:
        return _of_column(values[:, 0]) if single else None
    steps = np.linalg.norm(np.diff(values, axis=0), axis=1)
    for candidate in _candidates(values):
        if single and not tracked and not (candidate[0] in (-1.0, *FILLS) and _one_sided(values[:, 0], candidate[0])):
            continue
        if _jumped_to(values, steps, candidate, inside=single or tracked):
            return candidate, "comes back exactly and is reached and left by jumps, as where tracking is lost"
    return None


def _of_column(values: np.ndarray) -> tuple[np.ndarray, str] | None:
    """Return a value of a column of a table that stands for nothing, and the reason."""
    if _lone_minus_one(values):
        return np.array([-1.0]), "comes back exactly, below 0"
    numbers, counts = np.unique(values, return_counts=True)
    if len(numbers) < 4 or counts[0] < 2 or numbers[1] < 0 or not numbers[0] == round(numbers[0]) <= -LEAST_ODD:
        return None
    if numbers[1] - numbers[0] <= JUMP * (numbers[-1] - numbers[1]):
        return None
    return numbers[:1], "comes back exactly, far below all others"


def _fill(values: np.ndarray) -> np.ndarray | None:
    """Return a fill value, such as -999, that lies far from the range of the others."""
    flat = np.all(values == values[:, :1], axis=1)
    first = values[flat, 0]
    for code in np.unique(first[np.isin(first, FILLS) | (np.abs(first) >= HUGE)]):
        others = values[~(flat & (values[:, 0] == code))]
        others = others[(np.abs(others) < HUGE).all(axis=1) & ~np.isin(others, FILLS).all(axis=1)]
        if not len(others) or (code > 0 and np.all(others == others[0])):
            continue
        lowest, highest = float(others.min()), float(others.max())
        away = max(lowest - code, code - highest)
        if away > FAR * max(highest - lowest, 0.1 * max(abs(lowest), abs(highest))):
            return np.full(values.shape[1], code)
    return None


def _impossible(values: np.ndarray) -> np.ndarray | None:
    """Return 0 or -1 if it comes back in a quantity that is positive otherwise."""
    others = values[~np.isin(values, (0.0, -1.0))]
    if len(np.unique(others)) <= CONTINUOUS or others.min() <= 0:
        return None
    return next((np.array([code]) for code in (0.0, -1.0) if np.any(values == code)), None)


def _lone_minus_one(values: np.ndarray) -> bool:
    """Return whether -1 comes back in a measurement that is 0 or more otherwise."""
    others = values[values != -1]
    several = int(np.sum(values == -1)) >= FEWEST_RUNS and len(np.unique(others)) > CONTINUOUS
    return several and bool(others.min() >= 0) and not bool(np.all(others == np.round(others)))


def _one_sided(values: np.ndarray, code: float) -> bool:
    """Return whether a code lies outside of the range of all other values."""
    others = values[values != code]
    return len(others) > 0 and bool(code < others.min() or code > others.max())


def _candidates(values: np.ndarray) -> np.ndarray:
    """Return the values that could be codes, the usual codes first, shape (candidate, column).

    They are 0 and -1, those that come back in most runs, those whose columns are all the same, and the corners of the
    range. Of millions of samples, only some are looked at for the runs.
    """
    begins = np.r_[True, np.any(values[1:] != values[:-1], axis=1)]
    starts = values[begins]
    starts = starts[:: 1 + len(starts) // MOST_STEPS]
    flat = starts[np.all(starts == starts[:, :1], axis=1)]
    corners = [np.full(values.shape[1], code) for code in (0.0, -1.0)] + [values.min(axis=0), values.max(axis=0)]
    found = np.unique(np.concatenate([_most_frequent(starts), _most_frequent(flat), corners]), axis=0)
    return np.array(sorted(found, key=lambda code: not _usual(code)))


def _usual(code: np.ndarray) -> bool:
    return bool(np.all(code == code[0])) and code[0] in (0.0, -1.0)


def _most_frequent(rows: np.ndarray) -> np.ndarray:
    """Return the rows that occur most often, at least as often as a code must."""
    if not len(rows):
        return rows
    key = rows @ np.sqrt(np.arange(2.0, rows.shape[1] + 2))  # one number a row, to sort fast; equality is tested later
    _, first, counts = np.unique(key, return_index=True, return_counts=True)
    often = np.argsort(-counts, kind="stable")[:5]
    return rows[first[often[counts[often] >= 2]]]


def _jumped_to(values: np.ndarray, steps: np.ndarray, code: np.ndarray, inside: bool) -> bool:
    """Return whether the values jump to a code and away from it, again and again.

    Fewer runs do if the code lies apart from all other values. Unless it may lie ``inside`` of them, it must.
    """
    of_code = np.all(values == code, axis=1)
    others = ~of_code
    if of_code.sum() < 2 or others.sum() < FEWEST_OTHERS:
        return False
    between = steps[others[1:] & others[:-1]]
    between = between[:: 1 + len(between) // MOST_STEPS]
    moving = between[between > 0]
    if len(moving) < max(MOVING * len(between), 10):
        return False
    far = max(JUMP * float(np.median(moving)), USUAL * float(np.percentile(moving, 80)))
    entered, left = steps[others[:-1] & of_code[1:]], steps[of_code[:-1] & others[1:]]
    runs = max(len(entered), len(left))
    if any(len(ways) and np.mean(ways > far) < JUMPED for ways in (entered, left)):
        return False
    if not _usual(code) and _one_place(values[:-1][others[:-1] & of_code[1:]]):
        return False  # a place of rest, from which another code leads away and back
    if inside and runs >= FEWEST_RUNS:
        return True
    often = runs >= FEWEST_RUNS or (runs > 0 and _usual(code))
    return often and bool(np.linalg.norm(values[others] - code, axis=1).min() > far)


def _one_place(rows: np.ndarray) -> bool:
    """Return whether more than half of the rows are the same."""
    return len(rows) > 1 and bool(np.mean(np.all(rows == np.median(rows, axis=0), axis=1)) > 0.5)


def _shown(code: np.ndarray) -> str:
    numbers = [f"{number:.6g}"[:MOST_LABEL] for number in code]
    if len(numbers) > 3:
        return f"{numbers[0]} in all columns" if len(set(numbers)) == 1 else f"({', '.join(numbers[:3])}, ...)"
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"


def _share(rows: np.ndarray) -> str:
    return f"{int(rows.sum())} of {len(rows)} ({100 * rows.mean():.2g} %) left out"
