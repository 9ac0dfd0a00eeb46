"""Faults of tables of intervals."""

from __future__ import annotations

import h5py
import numpy as np

from tests.support.fuzzing.meaning.fault import change, fault, replace, texts
from tests.support.fuzzing.meaning.twins import SIDES, TRIALS, Truth, Twin
from xcebra_nwb.core.refusals import Code

SIDE, START, STOP = f"{TRIALS}/side", f"{TRIALS}/start_time", f"{TRIALS}/stop_time"
NOTHING = (Code.NO_USABLE_BIN, Code.LABEL_EMPTY, Code.NO_LABEL, Code.LABEL_CONSTANT)


def known_rows(h5: h5py.File, twin: Twin, gone: np.ndarray) -> None:
    """Make bins of the rows that are ``gone`` count as unknown in the truth."""
    rows = np.stack([h5[START][()], h5[STOP][()]], axis=1)[gone]
    truth = twin.truths[f"{TRIALS}#side"]

    def at(times: np.ndarray) -> np.ndarray:
        inside = ((times[:, None] >= rows[:, 0]) & (times[:, None] < rows[:, 1])).any(axis=1)
        return np.where(inside, "", truth.at(times))

    twin.truths[f"{TRIALS}#side"] = Truth("discrete", at)


@fault("choices", *NOTHING, named=r"overlap")
def overlapping_trials(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Trials that start before the last one has stopped."""
    starts = h5[START][()]
    change(h5, STOP, lambda stops: np.r_[np.maximum(stops[:-1], starts[1:] + rng.uniform(0.2, 0.6)), stops[-1]])


@fault("choices", *NOTHING, named=r"stop before|reversed|before they start", always_named=True)
def reversed_rows(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Rows that stop before they start."""
    start, stop = h5[START][()], h5[STOP][()]
    turned = rng.random(len(start)) < 0.2
    turned[int(rng.integers(len(turned)))] = True
    replace(h5, START, np.where(turned, stop, start))
    replace(h5, STOP, np.where(turned, start, stop))


@fault("choices")
def rows_out_of_order(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Rows that are not in the order of time."""
    order = rng.permutation(len(h5[START]))
    for path in (START, STOP, f"{TRIALS}/reward"):
        change(h5, path, lambda values: values[order])
    texts(h5, SIDE, h5[SIDE].asstr()[()][order])


@fault("choices")
def rows_without_a_stop(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Trials whose stop time is NaN."""
    change(h5, STOP, lambda stops: np.where(rng.random(len(stops)) < 0.1, np.nan, stops))


@fault("choices", *NOTHING, named=r"overlap|twice|same")
def rows_twice(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Some rows that stand there twice."""
    twice = np.sort(rng.choice(len(h5[START]), 5, replace=False))
    order = np.sort(np.r_[np.arange(len(h5[START])), twice])
    sides = h5[SIDE].asstr()[()][order]
    for path in (START, STOP, f"{TRIALS}/reward"):
        change(h5, path, lambda values: values[order])
    replace(h5, f"{TRIALS}/id", np.arange(len(order)))
    texts(h5, SIDE, sides)


@fault("choices", Code.CONFIG_DOES_NOT_FIT, Code.UNREADABLE_LAYOUT, Code.NO_LABEL)
def columns_of_one(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Columns as (N, 1)."""
    paths = [SIDE] if rng.random() < 0.5 else [SIDE, START, STOP]
    for path in paths:
        if path == SIDE:
            replace(h5, path, h5[path].asstr()[()].astype(object)[:, None], dtype=h5py.string_dtype())
        else:
            change(h5, path, lambda values: values[:, None])


@fault("choices", Code.TIMES_NOT_TRUSTED, Code.NO_COMMON_TIME, named=r"millisecond|sample number")
def trials_in_milliseconds(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Trials in milliseconds."""
    for path in (START, STOP):
        change(h5, path, lambda times: np.round(times * 1000))


@fault("choices", Code.TIMES_NOT_TRUSTED, Code.NO_COMMON_TIME, *NOTHING, named=r"start at 0|same time|relative|overlap")
def trials_from_their_own_start(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Trials whose times count from the start of each trial."""
    start = h5[START][()]
    for path in (STOP, START):
        change(h5, path, lambda times: times - start)


@fault("choices", Code.TIMES_NOT_TRUSTED, *NOTHING, named=r"duration|length|before they start")
def durations_as_stops(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """The length of each trial instead of its stop."""
    replace(h5, STOP, h5[STOP][()] - h5[START][()])


@fault("choices", *NOTHING, Code.TOO_SHORT)
def rows_of_no_length(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Trials that stop when they start."""
    replace(h5, STOP, h5[START][()])


@fault("choices")
def texts_of_nothing(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """'nan', 'N/A' or 'None' where a trial has no side."""
    sides = h5[SIDE].asstr()[()]
    gone = rng.random(len(sides)) < 0.3
    word = str(rng.choice(["nan", "N/A", "None", "NaN", "n/a", "null", "NA"]))
    known_rows(h5, twin, gone)
    texts(h5, SIDE, np.where(gone, word, sides))


@fault("choices")
def blanks_round_names(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """'left ' beside 'left'."""
    sides = h5[SIDE].asstr()[()]
    padded = np.array([f" {side}" if rng.random() < 0.5 else f"{side} " for side in sides])
    texts(h5, SIDE, np.where(rng.random(len(sides)) < 0.5, padded, sides))


@fault("choices", named=r"capital|upper|spelling|case only")
def names_in_two_spellings(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """'Left' beside 'left'."""
    sides = h5[SIDE].asstr()[()]
    texts(h5, SIDE, np.where(rng.random(len(sides)) < 0.4, np.char.capitalize(sides.astype(str)), sides))


@fault("choices")
def codes_with_missing(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """The sides as 0. and 1., with NaN where there is none."""
    codes = np.array([float(SIDES.index(side)) for side in h5[SIDE].asstr()[()]])
    gone = rng.random(len(codes)) < 0.2
    known_rows(h5, twin, gone)
    replace(h5, SIDE, np.where(gone, np.nan, codes))
    truth = twin.truths[f"{TRIALS}#side"]
    numbers = {name: str(code) for code, name in enumerate(SIDES)} | {"": ""}
    renamed = np.vectorize(numbers.get, otypes=[object])
    twin.truths[f"{TRIALS}#side"] = Truth("discrete", lambda times: renamed(truth.at(times)))
