"""Tell times that lie: frame numbers, milliseconds, rounded times, times of 0 that stand for nothing.

Each fault has the remedy that is right for it. Bridging longer gaps (``time.max_gap``) is right for none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.leads import shortened
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.file import attribute
from xcebra_nwb.nwb.reading.times import SINCE_1970, lasting, outliers, restarts, sample_period
from xcebra_nwb.nwb.reading.values import numbers

PER_SECOND = {
    1.0: ("", "s", "sec", "secs", "second", "seconds", "seconds since start", "seconds since session start"),
    1e3: ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"),
    1e6: ("us", "\u00b5s", "\u03bcs", "usec", "usecs", "micros", "microsecond", "microseconds"),
    1e9: ("ns", "nsec", "nanosecond", "nanoseconds"),
    1 / 60: ("min", "mins", "minute", "minutes"),
    1 / 3600: ("h", "hr", "hrs", "hour", "hours"),
}
SCALES = {unit: scale for scale, units in PER_SECOND.items() for unit in units}
COUNTED = (
    "frame",
    "sample",
    "tick",
    "index",
    "indices",
    "count",
    "cycle",
    "volume",
    "pulse",
)  # what is no unit of time
FEWEST = 100  # times; fewer do not show how they were made
FEW_ROWS = 20  # starts and stops of rows, as FEWEST
FILLERS = (0.0, -1.0)  # written as the time of samples that have none
COARSE = 0.2  # s; values at times rounded more coarsely belong to other bins
REPEATED = 0.05  # share of times equal to the one before from which they count as rounded
ROUNDED = 0.3  # share from which times in equal, long steps are no times of samples
MILLENNIA = 1e11  # s; later times are no seconds, also not since 1970
LATE = 20_000  # s; only later events are suspected to be whole milliseconds
APART = 300.0  # ratio of lengths; seconds and milliseconds differ more, activity and behaviour never do
OUTLASTS = 20.0  # times as long as the activity; no behaviour is recorded so much longer
WHOLE_OUTLAST = 3.0  # as OUTLASTS, for times that are whole numbers; others are named
FRAMES_OUTLAST = 1.5  # as OUTLASTS, for times that are 0, 1, 2, ...


@dataclass(frozen=True)
class Doubt:
    """A reason not to believe times.

    Attributes:
        what: The fault in words.
        remedy: What would help.
        fatal: Whether the times cannot be used at all.
    """

    what: str
    remedy: str
    fatal: bool = False

    def refusal(self, path: str) -> Refusal:
        """Return the refusal of an object with such times."""
        return Refusal(Code.TIMES_NOT_TRUSTED, f"{path}: {self.what}", self.remedy)


@dataclass(frozen=True)
class NeuralClock:
    """What the times of neural data show.

    Attributes:
        times: Times in s that show when they were recorded.
        long_pauses: Whether spikes of a unit lie so far apart as if their times were milliseconds.
    """

    times: np.ndarray
    long_pauses: bool = False


def read(data: h5py.Dataset, selection: Any = ()) -> np.ndarray:
    """Return times as the file gives them, in s by their attribute ``unit``.

    Args:
        data: The dataset of the times.
        selection: An index as h5py takes it; all values by default.

    Raises:
        Refusal: They cannot be read, or their unit is none of time.
    """
    scale = _per_second(data)
    times = numbers(data, selection)
    return times if scale == 1.0 else times / scale


def read_checked(data: h5py.Dataset, selection: Any = ()) -> np.ndarray:
    """Return times as :func:`read`, of which the caller has checked that none is missing."""
    return numbers(data, selection, checked=True) / _per_second(data)


def unit_note(data: h5py.Dataset) -> str:
    """Return a line on a unit of times other than s, "" for s."""
    unit = attribute(data, "unit").strip()
    scale = SCALES.get(unit.lower())
    name = data.name.rsplit("/", 1)[-1]
    if scale == 1.0:
        return ""
    if scale is None:
        return f"the unit of {name} is {shortened(unit)!r}, which is no unit of time; s is assumed"
    return f"{name} are in {unit} by their attribute unit, and were converted to s"


def _per_second(data: h5py.Dataset) -> float:
    unit = attribute(data, "unit").strip().lower()
    if unit not in SCALES and any(word in unit for word in COUNTED):
        what = f"{data.name}: its unit is {shortened(unit)!r}, which is no unit of time"
        raise Refusal(Code.TIMES_NOT_TRUSTED, what, "write the times in seconds: divide the numbers by their rate")
    return SCALES.get(unit, 1.0)


def fillers(times: np.ndarray) -> np.ndarray:
    """Return which times are 0 or -1 where no time was known, shape (sample,).

    That is so if the number comes after a later time, or repeatedly before the first one.

    >>> fillers(np.array([0.0, 0.1, 0.2, 0.0, 0.4, 0.0])).tolist()
    [False, False, False, True, False, True]
    """
    filled = np.zeros(len(times), dtype=bool)
    for filler in FILLERS:
        same = times == filler
        if np.count_nonzero(same) < 2 or not np.any(times > max(filler, 0.0)):
            continue
        before = np.maximum.accumulate(np.where(np.isfinite(times), times, -np.inf))
        filled |= same & ((before > filler) | _leading_run(same))
    return filled


def _leading_run(same: np.ndarray) -> np.ndarray:
    """Return the run that the times begin with, if it has more than one time."""
    run = np.logical_and.accumulate(same)
    return run if np.count_nonzero(run) > 1 else np.zeros_like(run)


def filler_note(filled: np.ndarray) -> str:
    """Return a line on the times that stand for nothing, "" if there are none."""
    count = int(np.count_nonzero(filled))
    return f"{count} of {len(filled)} times are 0 or -1 out of order: no time was recorded" if count else ""


def doubts(times: np.ndarray) -> list[Doubt]:
    """Return the reasons not to believe the times of samples.

    Args:
        times: Finite times in s, in the order of the file.
    """
    ordered = np.sort(times)
    if len(ordered) < FEWEST:
        return []
    if ordered[0] == ordered[-1]:
        return [Doubt(f"all {len(ordered)} times are {ordered[0]:g} s", "write the times of the samples", fatal=True)]
    if np.median(np.abs(ordered)) > MILLENNIA:
        what = f"times around {np.median(ordered):.4g} are no seconds: milliseconds or smaller units since 1970?"
        return [Doubt(what, "write the times in seconds", fatal=True)]
    steps = np.diff(ordered)
    return [doubt for doubt in (_rounded(ordered, steps), _whole(ordered, steps)) if doubt is not None]


def _rounded(times: np.ndarray, steps: np.ndarray) -> Doubt | None:
    """Return the doubt about times that were rounded to steps as long as their distance."""
    repeated = int(np.count_nonzero(steps == 0))
    step = float(np.median(steps[steps > 0]))
    single = step >= 0.25 * np.ptp(times) / len(steps) and _single(times)
    spacing = float(np.spacing(np.float32(np.abs(times).max())))
    if single and 0.9 * spacing <= step <= 8.1 * spacing:  # a step can be a few spacings if samples are rare
        step = spacing
        what = f"the times are float32, which holds {np.abs(times).max():.6g} s only in steps of {step:.3g} s"
        remedy = "write them as float64, or count them from the start of the session"
        return Doubt(f"{what}; {repeated} of {len(times)} repeat the one before", remedy, fatal=step > COARSE)
    if repeated < REPEATED * len(steps):
        return None
    each = len(times) / (len(times) - repeated)
    fatal = step > COARSE and repeated > ROUNDED * len(steps) and _multiples(times, step)
    rate = f"{len(times) / (float(np.ptp(times)) + step):.4g} Hz"
    remedy = f"write the times with their fractions, or a starting_time and the rate (about {rate})"
    if _multiples(times, 1.0):
        return Doubt(f"the times are whole seconds: {each:.3g} samples share each of them", remedy, fatal)
    what = f"{repeated} of {len(times)} times repeat the one before: they are known only to {step:.3g} s"
    return Doubt(what, remedy, fatal)


def _whole(times: np.ndarray, steps: np.ndarray) -> Doubt | None:
    """Return the doubt about times that are whole numbers."""
    if not _multiples(times, 1.0) or np.any(steps == 0):
        return None
    if np.median(steps) == 1:
        what = f"the times are whole numbers, {times[0]:g}, {times[1]:g}, {times[2]:g} and so on: frame numbers?"
        return Doubt(what, "write the frame numbers divided by the frame rate, or a starting_time and the rate")
    what = f"the times are whole numbers in steps of {np.median(steps):g}: milliseconds or sample numbers?"
    return Doubt(what, "write the times in seconds: divide them by 1000, or by the sampling rate")


def _multiples(times: np.ndarray, step: float) -> bool:
    parts = (times[:FEWEST], times)  # most times that are none show it early
    return all(bool(np.all(np.abs(part / step - np.round(part / step)) < 1e-6)) for part in parts)


def _single(times: np.ndarray) -> bool:
    """Return whether float32 holds all times exactly."""
    return all(bool(np.all(part == part.astype(np.float32))) for part in (times[:FEWEST], times))


def oddities(times: np.ndarray, sampled: bool = True) -> list[str]:
    """Return everything suspicious about times as they are stored, in words.

    Args:
        times: The times in s.
        sampled: Whether they are those of samples, which do not repeat.

    >>> oddities(np.array([-1.5, 2.0, np.nan]))
    ['1 of 3 times are not finite', 'negative times, from -1.5 s']
    """
    remarks: list[str] = []
    missing = int(np.sum(~np.isfinite(times)))
    filled = fillers(times)
    if missing:
        remarks.append(f"{missing} of {len(times)} times are not finite")
    if filled.any():
        remarks.append(filler_note(filled))
    finite = times[np.isfinite(times) & ~filled]
    if not len(finite):
        return remarks
    if restarts(finite):
        remarks.append("times restart: two runs cover the same stretch")
    elif unsorted := int(np.sum(np.diff(finite) < 0)):
        remarks.append(f"not sorted: {unsorted} steps back")
    if len(far := outliers(finite)):
        remarks.append(f"{len(far)} absurd times, such as {far[0]:.6g} s")
    elif finite.min() < 0:
        remarks.append(f"negative times, from {finite.min():.6g} s")
    elif SINCE_1970 < np.median(finite) < MILLENNIA:
        remarks.append(f"times count from 1970 (POSIX): they begin on {datetime.fromtimestamp(finite.min(), UTC):%F}")
    if sampled:
        return remarks + [doubt.what for doubt in doubts(finite)]
    return remarks + [doubt.what for doubt in doubts(np.unique(finite)) if finite.max() > LATE]


def check_same_unit(neural: Mapping[str, NeuralClock], labels: Mapping[str, np.ndarray], trusted: bool = False) -> None:
    """Raise a refusal if neural data and a label seem to be timed in different units.

    That is so if one lasts hundreds of times as long as the other, or if one that lasts longer consists of whole
    numbers, such as frame numbers.

    Args:
        neural: The clock of each neural source by its path.
        labels: Times of each label by its source, in s.
        trusted: Whether the user has named the times to use.

    Raises:
        Refusal: The units seem to differ, such as seconds and milliseconds.
    """
    for path, clock in neural.items() if not trusted else ():
        for source, others in labels.items():
            doubt = _of_another_unit(path, clock, source, others)
            if doubt is not None:
                raise Refusal(Code.TIMES_NOT_TRUSTED, doubt.what, doubt.remedy)


def _of_another_unit(path: str, clock: NeuralClock, source: str, others: np.ndarray) -> Doubt | None:
    times = clock.times
    lasts, other = lasting(times), lasting(others)
    if min(lasts, other) <= 0:
        return None
    lengths = f"{path} lasts {lasts:.4g} s and {source} {other:.4g} s"
    for doubt in doubts(np.unique(others)):
        if (other > FRAMES_OUTLAST * lasts and _counts(others)) or other > WHOLE_OUTLAST * lasts:
            return Doubt(f"{source}: {doubt.what} {lengths}", doubt.remedy)
    for doubt in doubts(np.unique(times)):
        if lasts > WHOLE_OUTLAST * other and len(times) >= FEWEST and _multiples(times, 1.0):
            return Doubt(f"{path}: {doubt.what} {lengths}", doubt.remedy)
    whole_rows = len(others) >= FEW_ROWS and _multiples(others, 1.0) and other > WHOLE_OUTLAST * lasts
    outlasted = other > OUTLASTS * lasts or (clock.long_pauses and lasts > OUTLASTS * other)
    if max(lasts, other) > APART * min(lasts, other) or outlasted or whole_rows:
        return Doubt(
            f"{lengths}: like seconds and milliseconds, or samples",
            "write both in seconds, or name the times to trust in time.within: [start, stop]",
        )
    return None


def outlasting(neural: Mapping[str, NeuralClock], labels: Mapping[str, np.ndarray]) -> list[str]:
    """Return a line for each label that lasts several times as long as all neural data.

    Args:
        neural: The clock of each neural source by its path.
        labels: Times of each label by its source, in s.
    """
    lasts = max((lasting(clock.times) for clock in neural.values()), default=0.0)
    longer = {source: lasting(times) for source, times in labels.items()}
    return [
        f"{source} lasts {other:.4g} s, the neural data {lasts:.4g} s: check that both are in seconds"
        for source, other in longer.items()
        if other > WHOLE_OUTLAST * lasts > 0
    ]


def _counts(times: np.ndarray) -> bool:
    """Return whether times are whole numbers with nothing left out, as frame numbers."""
    steps = np.diff(np.sort(times))
    return len(times) >= FEWEST and _multiples(times, 1.0) and float(np.median(steps)) == 1.0


def slow_doubt(times: np.ndarray, neural: float) -> Doubt | None:
    """Return why samples that are too rare may only seem so, None if they are rare.

    Args:
        times: Times of the samples in s.
        neural: How long the neural data last in s.
    """
    doubt = next(iter(doubts(times)), None)
    if doubt is None and len(times) >= FEWEST and lasting(times) > WHOLE_OUTLAST * neural > 0:
        period = sample_period(np.sort(times)) or 0.0
        what = f"it is sampled every {period:.3g} s and lasts {lasting(times):.4g} s, the neural data {neural:.4g} s"
        return Doubt(f"{what}: like milliseconds", "write its times, or its rate, in seconds")
    return doubt
