"""Clean spike trains, and tell those that cannot be: in milliseconds, of two units in one, or twice in a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.clock import fillers
from xcebra_nwb.nwb.reading.intervals import merged
from xcebra_nwb.nwb.reading.times import restarts

FEWEST = 100  # spikes; fewer do not show how their times were made
PAUSE = 0.5  # s; intervals of spiking neurons are often shorter, in milliseconds they never are
PAUSES = 1000  # intervals of which nearly all are longer than PAUSE only if the unit of time is wrong
SHORT = 0.01  # share of shorter intervals that does not count
SOME_SHORT = 0.1  # the same, if lengths of time do not fit either
CLOSEST = 0.0005  # s; one neuron never fires twice within it
FINE = 0.002  # s; spike times are known better than that
SAME = 0.9  # share of spikes at the same times that no two units have
FEWEST_SAME = 10  # spikes at the same times
LOOKED_AT = 2_000_000  # spikes of all units that are compared between units
MOST_NAMED = 5  # pairs of units in one line
MOST_SHARE = 0.95  # share of all spikes that no unit of several has
FEWEST_UNITS = 5  # units of which MOST_SHARE is asked


@dataclass
class _Faults:
    """What was found in the trains, counted over units."""

    missing: int = 0
    filled: int = 0
    unsorted: int = 0
    restarted: int = 0
    doubled: int = 0
    doubled_units: int = 0
    doubled_step: float = 0.0
    whole: bool = True
    notes: list[str] = field(default_factory=list)


def cleaned(
    every: Iterable[np.ndarray], path: str = "", resolution: float = 0.0
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return event times of each unit: finite, sorted, and each once.

    If the times of a single unit restart, the unit was put together from two clusters. If those of most units do, the
    clock restarted. Times that are exactly equal count once, unless all times lie on a grid as coarse as 0.5 ms.

    Args:
        every: Times of each unit in s.
        path: Path of the units, for errors.
        resolution: Smallest step between the times in s, as the file gives it; 0 if it does not.

    Returns:
        The times of each unit, and the changes that were made to them in words.

    Raises:
        Refusal: The clock restarts half way, or the times are no seconds.

    >>> spikes, notes = cleaned([np.array([2.0, 1.0]), np.array([np.nan, 3.0])])
    >>> [times.tolist() for times in spikes]
    [[1.0, 2.0], [3.0]]
    """
    faults = _Faults()
    spikes = [_cleaned(times, faults) for times in every]
    start = f"{path}: " if path else ""
    if faults.restarted > 1 and faults.restarted > len(spikes) / 2:
        raise Refusal(
            Code.TIMES_NOT_TRUSTED,
            f"{start}the spike times of {faults.restarted} of {len(spikes)} units restart half way, "
            "like two recordings in one file",
            "correct the spike times, or name other data in neural.source",
        )
    _check_seconds(spikes, faults.whole, start, resolution)
    return spikes, (*_changes(faults), *_named(spikes))


def _cleaned(times: np.ndarray, faults: _Faults) -> np.ndarray:
    finite = times[np.isfinite(times)]
    faults.missing += len(times) - len(finite)
    filled = fillers(finite)
    faults.filled += int(np.count_nonzero(filled))
    finite = finite[~filled]
    faults.whole = faults.whole and bool(np.all(finite[:FEWEST] == np.round(finite[:FEWEST])))
    faults.whole = faults.whole and bool(np.all(finite == np.round(finite)))
    steps = np.diff(finite)
    if np.any(steps < 0):
        faults.restarted += restarts(finite)
        faults.unsorted += 1
        finite = np.sort(finite)
        steps = np.diff(finite)
    again = steps == 0
    if not again.any():
        return finite
    once = finite[np.r_[True, ~again]]
    step = coarse_step(once)
    faults.doubled += int(np.count_nonzero(again))
    faults.doubled_units += 1
    faults.doubled_step = max(faults.doubled_step, step)
    return finite if step else once


def coarse_step(times: np.ndarray) -> float:
    """Return the step of the grid on which times lie in s, 0 if none is as coarse as 0.5 ms.

    Args:
        times: Sorted times in s, each once.

    >>> coarse_step(np.array([0.0, 0.02, 0.05, 0.06])), coarse_step(np.array([0.0, 0.0123, 0.0456, 0.7]))
    (0.01, 0.0)
    """
    steps = np.diff(times)
    smallest = float(steps.min(initial=np.inf))
    for parts in range(1, 11):
        step = smallest / parts
        if not CLOSEST <= step < np.inf:
            break
        if np.mean(np.abs(steps / step - np.round(steps / step)) < 0.01) > 0.99:
            return float(f"{step:.3g}")
    return 0.0


def _check_seconds(spikes: Sequence[np.ndarray], whole: bool, start: str, resolution: float) -> None:
    """Raise a refusal if spike times are milliseconds or sample numbers."""
    total = sum(map(len, spikes))
    if total < FEWEST:
        return
    remedy = "write the spike times in seconds: divide them by 1000, or by the sampling rate"
    if whole:
        what = f"{start}all {total} spike times are whole numbers: milliseconds or sample numbers, not seconds"
        raise Refusal(Code.TIMES_NOT_TRUSTED, what, remedy)
    if long_pauses(spikes, FEWEST if 0 < resolution < FINE else PAUSES, SHORT):
        what = f"{start}spikes of one unit are at least {PAUSE:g} s apart: milliseconds, not seconds?"
        raise Refusal(Code.TIMES_NOT_TRUSTED, what, remedy)


def long_pauses(spikes: Sequence[np.ndarray], fewest: int = FEWEST, share: float = SOME_SHORT) -> bool:
    """Return whether nearly all intervals between spikes are too long for seconds.

    Events on a grid of frames have long intervals, too. They are told by the grid.

    Args:
        spikes: Spike times of each unit, sorted.
        fewest: Number of intervals that are needed to know.
        share: Share of shorter intervals that does not count.
    """
    total = sum(max(len(times) - 1, 0) for times in spikes)
    short = sum(int(np.count_nonzero(np.diff(times) < PAUSE)) for times in spikes)
    if total < fewest or short > share * total:
        return False
    pooled = np.unique(np.concatenate([times[: LOOKED_AT // len(spikes)] for times in spikes]))
    shortest = float(np.percentile(np.concatenate([np.diff(times) for times in spikes]), 100 * share))
    return bool(shortest >= 10 * np.diff(pooled).min())


def _changes(faults: _Faults) -> list[str]:
    notes = [f"{faults.missing} spike times that are not finite were left out"] if faults.missing else []
    if faults.filled:
        notes.append(f"{faults.filled} spike times of 0 or -1 out of order stand for nothing and were left out")
    if faults.unsorted:
        notes.append(f"the spike times of {faults.unsorted} units were not in order and were sorted")
    if faults.doubled:
        twice = f"{faults.doubled} spikes of {faults.doubled_units} units have the same time as another of the unit"
        coarse = f"; times are in steps of {faults.doubled_step:g} s, so all of them count"
        notes.append(f"{twice}{coarse if faults.doubled_step else ': twice in the table, each counts once'}")
    return notes


def _named(spikes: Sequence[np.ndarray]) -> list[str]:
    """Return lines on faults that stay in the data."""
    counts = np.array([len(times) for times in spikes])
    notes = []
    if len(counts) >= FEWEST_UNITS and counts.max() > max(MOST_SHARE * counts.sum(), FEWEST):
        share = counts.max() / counts.sum()
        notes.append(
            f"the unit in row {counts.argmax()} has {share:.0%} of all spikes of {len(counts)} units: check the index"
        )
    pairs = same_units(spikes)
    if pairs:
        shown = ", ".join(f"{first} and {second}" for first, second in pairs[:MOST_NAMED])
        more = f" and {len(pairs) - MOST_NAMED} more" if len(pairs) > MOST_NAMED else ""
        left = ", ".join(str(second) for _, second in pairs[:MOST_NAMED])
        remedy = f"neural: {{where: 'row not in [{left}]'}} leaves out the copies"
        notes.append(f"units in rows {shown}{more} have the same spikes, like one unit that stands twice; {remedy}")
    longest = max(spikes, key=len, default=np.empty(0))[:LOOKED_AT]
    if len(longest) >= FEWEST and np.array_equal(longest, longest.astype(np.float32)):
        step = float(np.spacing(np.float32(np.abs(longest).max())))
        if step > FINE:
            notes.append(f"the spike times are float32, which holds them only in steps of {step:.3g} s")
    return notes


def same_units(spikes: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Return the pairs of units that have nearly all spikes in common.

    Args:
        spikes: Spike times of each unit, sorted.

    >>> train = np.arange(20) / 3
    >>> same_units([train, train + 0.1, train])
    [(0, 2)]
    """
    total = sum(map(len, spikes))
    if len(spikes) < 2 or not total:
        return []
    if total > LOOKED_AT:  # the first spikes show it, too
        begin, end = min(t[0] for t in spikes if len(t)), max(t[-1] for t in spikes if len(t))
        stop = begin + (end - begin) * LOOKED_AT / total
        spikes = [times[: np.searchsorted(times, stop)] for times in spikes]
    unit = np.repeat(np.arange(len(spikes)), [len(times) for times in spikes])
    times = np.concatenate(spikes)
    order = np.argsort(times, kind="stable")
    equal = np.flatnonzero(np.diff(times[order]) == 0)
    pairs, shared = np.unique(unit[order][equal] * len(spikes) + unit[order][equal + 1], return_counts=True)
    first, second = np.divmod(pairs, len(spikes))
    counts = np.array([len(times) for times in spikes])
    fewer = np.minimum(counts[first], counts[second])
    same = (first != second) & (shared >= FEWEST_SAME) & (shared >= SAME * fewer)
    return list(zip(first[same].tolist(), second[same].tolist(), strict=True))


def observation_notes(spikes: Sequence[np.ndarray], observed: Sequence[np.ndarray], path: str) -> list[str]:
    """Return lines on spikes outside of the times at which their units were observed.

    Args:
        spikes: Spike times of each unit, sorted.
        observed: Observation intervals of each unit in s, each of shape (interval, 2).
        path: Path of the units, for errors.

    Raises:
        Refusal: Every spike lies outside, so the two have different clocks.
    """
    pairs = list(zip(spikes, observed, strict=True))
    without = [row for row, (times, intervals) in enumerate(pairs) if len(times) and not len(intervals)]
    inside = total = 0
    for times, intervals in pairs:
        if len(intervals):
            limits = np.searchsorted(times, merged(intervals))
            inside, total = inside + int((limits[:, 1] - limits[:, 0]).sum()), total + len(times)
    if total >= FEWEST and not inside:
        raise Refusal(
            Code.TIMES_NOT_TRUSTED,
            f"{path}: none of {total} spikes lies inside the obs_intervals of its unit: another clock, or milliseconds",
            "write spike times and obs_intervals in seconds of one clock",
        )
    notes = []
    if total - inside > 0.01 * total:
        notes.append(f"{total - inside} of {total} spikes lie outside the obs_intervals of their units")
    if without:
        shown = ", ".join(map(str, without[:10])) + (", ..." if len(without) > 10 else "")
        notes.append(f"units in rows {shown} have no obs_intervals, other units have: they count as never observed")
    return notes
