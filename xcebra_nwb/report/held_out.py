"""Where a label is decoded, and where that fails: by its value, by the time of the session and by trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from markupsafe import Markup
from numpy.typing import NDArray

from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.results import Results
from xcebra_nwb.core.session import labels
from xcebra_nwb.report.charts import confusion, error_maps, profile, trace
from xcebra_nwb.report.figures.label_colors import axis_names, limits
from xcebra_nwb.report.held_out_errors import HeldOutErrors, held_out_errors, plain_number
from xcebra_nwb.report.style import number
from xcebra_nwb.report.trials import in_trial, trials_of
from xcebra_nwb.report.unit_tuning import short

SAMPLES_EACH = 16  # of a place, on the mean
LEAST_SAMPLES = 8  # of a place along an axis, for its error to be shown
MOST_POINTS, ALL_POINTS = 500, 1500  # of a label over time, of all labels of a page
MOST_AXES = 3  # of a label with several
MOST_NAMES = 8  # classes named beside a label over time
MOST_CLASSES = 12  # of a confusion matrix
PLACES, SIDE, TURN = 20, 10, 18  # places along a value, along each axis of a map, around a circle
SLICES, PARTS = 24, 16  # of the session, of a trial
Values = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class HeldOutView:
    """What a page shows of a label that was decoded on held-out bins.

    Attributes:
        traces: title and chart, the label beside what was decoded.
        panels: title and chart, the error by something.
        words: the errors in sentences.
    """

    traces: Sequence[tuple[str, Markup]]
    panels: Sequence[tuple[str, Markup]]
    words: str


def held_out_view(results: Results, label: str) -> HeldOutView | None:
    """Return what the page shows of a label that was decoded; None in results without decoded.nc.

    Args:
        results: the files of the session.
        label: name of the label.
    """
    found = held_out_errors(results, label)
    if found is None or not np.isfinite(found.seeds).any():
        return None
    panels = [*_by_value(found), *_by_time(results.session, found), *_by_trial(results.session, found)]
    return HeldOutView(_traces(results.session, found), panels, _words(found))


# Over time
# ---------


def _traces(session: xr.Dataset, found: HeldOutErrors) -> list[tuple[str, Markup]]:
    """The label and what the first seed says, for each axis."""
    most = min(MOST_POINTS, ALL_POINTS // len(labels(session)))
    step = max(1, -(-len(found.bins) // most))
    bins, name = found.bins[::step], str(found.label.name)
    times, stretch, segment = session["time"].values, found.stretch[::step], session["segment"].values[bins]
    starts = [(int(at), short(float(times[bins[at]]), 4)) for at in np.flatnonzero(np.diff(stretch, prepend=-1))]
    cuts = np.flatnonzero(np.diff(segment) != 0) + 1
    true, decoded = (values[::step].reshape(len(bins), -1).astype(float) for values in (found.true, found.decoded[0]))
    axes = axis_names(found.label) if found.label.ndim == 2 else [""]
    classes = decode_list(found.label.attrs["classes"]) if found.kind == "discrete" else []
    if found.kind == "circular":
        true, decoded = (np.degrees(np.mod(angle, 2 * np.pi)) for angle in (true, decoded))
    drawn = []
    for axis in range(min(true.shape[1], MOST_AXES)):
        title = f"{name}, {axes[axis]}" if true.shape[1] > 1 else name
        chart = trace(
            starts,
            true[:, axis],
            np.where(decoded[:, axis] < 0, np.nan, decoded[:, axis]) if classes else decoded[:, axis],
            cuts=set(cuts.tolist()) if found.kind == "continuous" else None,
            names=classes if len(classes) <= MOST_NAMES else (),
            y_name="°" if found.kind == "circular" else "" if classes else found.units,
            said=f"{title} over time in held-out stretches: the label, and what the first seed decodes.",
        )
        drawn.append((title, chart))
    return drawn


# By something
# ------------


def _grouped(found: HeldOutErrors, rows: Values, groups: Sequence[Integers], count: int) -> Values:
    """The typical error of each row (row, sample) in each group, (row, group); NaN where there are few samples."""
    middle = np.full((len(rows), count), np.nan)
    for row, (values, of) in enumerate(zip(rows, groups, strict=True)):
        order = np.argsort(of, kind="stable")
        places = np.searchsorted(of[order], np.arange(count + 1))
        for place in range(count):
            chosen = values[order[places[place] : places[place + 1]]]
            if len(chosen) >= LEAST_SAMPLES:
                middle[row, place] = found.middle(chosen)
    return middle


def _profile(
    found: HeldOutErrors,
    group: Callable[[NDArray], Integers] | Integers,
    centers: Values,
    span: tuple[float, float],
    x: str,
    ticks: Sequence[tuple[float, str]] | None = None,
    by_bin: bool = False,
) -> Markup:
    """A chart of the error in groups of samples.

    Args:
        found: the errors.
        group: of each sample; or what finds it from the label, or from the bin. Nulls are grouped by the label that
            they saw, or by the bin from which they got it.
        centers: of the groups.
        span: ends of the horizontal axis.
        x: its name.
        ticks: places on it and what is written there, in place of round numbers.
        by_bin: whether ``group`` finds it from the bin.
    """
    count = len(centers)
    if isinstance(group, np.ndarray):
        own, of_nulls = group, [group] * len(found.nulls)
    else:
        own = group(found.bins if by_bin else found.true)
        of_nulls = [group(seen) for seen in (found.null_bins if by_bin else found.null_labels)]
    seeds, guess = (_grouped(found, rows, [own] * len(rows), count) for rows in (found.seeds, found.guess[None]))
    nulls = _grouped(found, found.nulls, of_nulls, count) if len(found.nulls) else np.full((1, count), np.nan)
    if found.kind == "discrete" and ticks is not None:
        guess[:] = np.nan  # it is right in a whole trial, or wrong
    return profile(
        centers,
        found.shown(seeds),
        found.shown(nulls),
        found.shown(guess[0]),
        span=span,
        x_name=x,
        y_name=found.name,
        ticks=ticks,
        said=f"Error of {found.label.name} by {x}. {_ends(found, seeds.mean(axis=0), centers, ticks)}",
    )


def _ends(found: HeldOutErrors, mean: Values, centers: Values, ticks: Sequence[tuple[float, str]] | None) -> str:
    if not np.isfinite(mean).any():
        return "Too few bins."
    best, worst = int(np.nanargmin(mean)), int(np.nanargmax(mean))
    if ticks is not None:
        return f"Lowest {found.said(mean[best])}, highest {found.said(mean[worst])}."
    return (
        f"Lowest {found.said(mean[best])} at {short(centers[best])}, "
        f"highest {found.said(mean[worst])} at {short(centers[worst])}."
    )


def _by_value(found: HeldOutErrors) -> list[tuple[str, Markup]]:
    if found.kind == "discrete":
        return _confused(found)
    if found.kind == "circular":
        return [("error by direction", _by_angle(found))]
    if found.label.ndim == 2 and found.label.shape[1] == 2:
        return [("where it fails: map of the error", _by_place(found))]
    columns = found.true.reshape(len(found.true), -1)
    names = axis_names(found.label) if columns.shape[1] > 1 else [str(found.label.name)]
    return [
        (f"error by {names[axis]}", _by_axis(found, axis, names[axis]))
        for axis in range(min(columns.shape[1], MOST_AXES))
    ]


def _by_axis(found: HeldOutErrors, axis: int, name: str) -> Markup:
    ends = limits(found.true.reshape(len(found.true), -1)[:, axis])
    places = int(np.clip(len(found.bins) / SAMPLES_EACH, 5, PLACES))
    edges = np.linspace(*ends, places + 1)

    def group(values: NDArray) -> Integers:
        return _placed(values.reshape(len(values), -1)[:, axis], ends, places)

    return _profile(found, group, (edges[1:] + edges[:-1]) / 2, ends, f"{name} ({found.units or 'no unit'})")


def _by_angle(found: HeldOutErrors) -> Markup:
    centers = (np.arange(TURN) + 0.5) * 360 / TURN

    def group(values: NDArray) -> Integers:
        return (np.mod(values.reshape(-1), 2 * np.pi) / (2 * np.pi) * TURN).astype(int)

    return _profile(found, group, centers, (0.0, 360.0), f"{found.label.name} (°)")


def _by_place(found: HeldOutErrors) -> Markup:
    ends = [limits(found.true[:, axis]) for axis in (0, 1)]
    side = int(np.clip(np.sqrt(len(found.bins) / SAMPLES_EACH), 4, SIDE))

    def group(values: NDArray) -> Integers:
        x, y = (_placed(values[:, axis], ends[axis], side) for axis in (0, 1))
        return np.where((x < 0) | (y < 0), -1, x * side + y)

    own = [group(found.true)] * len(found.seeds)
    seeds = _grouped(found, found.seeds, own, side**2).mean(axis=0).reshape(side, side)
    maps = [("seeds", seeds)]
    if len(found.nulls):
        nulls = _grouped(found, found.nulls, [group(values) for values in found.null_labels], side**2)
        few = ~np.isfinite(nulls).any(axis=0)
        maps.append(("nulls", np.where(few, np.nan, np.nanmean(np.where(few, 0.0, nulls), axis=0)).reshape(side, side)))
    most = float(np.nanmax(np.concatenate([values.ravel() for _, values in maps]), initial=0.0))
    x, y = (
        f"{name}: {_between(low, high)} {found.units}".rstrip()
        for name, (low, high) in zip(axis_names(found.label), ends, strict=True)
    )
    scale = f"dark 0, bright {found.said(most)}"
    return error_maps(
        maps, [f"across {x}", f"up {y}", f"error: {scale}"], f"Maps of the error of {found.label.name}: {scale}."
    )


def _placed(values: NDArray, ends: tuple[float, float], count: int) -> Integers:
    """The place from 0 to ``count`` - 1 of each value between two ends; -1 outside."""
    place = np.floor((values - ends[0]) / (ends[1] - ends[0]) * count)
    return np.where((place >= 0) & (place < count), place, -1).astype(int)


def _confused(found: HeldOutErrors) -> list[tuple[str, Markup]]:
    names, shares = decode_list(found.label.attrs["classes"]), _shares(found)
    there = np.flatnonzero(np.isfinite(shares).any(axis=1))
    if not 1 <= len(there) <= MOST_CLASSES:
        return []
    chosen = [names[code] for code in there]
    said = "; ".join(
        f"{name} is right in {100 * shares[code, code]:.0f} %" for code, name in zip(there, chosen, strict=True)
    )
    title = f"confusion of {found.label.name} (% of the bins of a class, mean over seeds)"
    return [(title, confusion(shares[np.ix_(there, there)], chosen, said))]


def _shares(found: HeldOutErrors) -> Values:
    """The share of each true class that is decoded as each class, mean over seeds; NaN for a class without bins."""
    count = len(decode_list(found.label.attrs["classes"]))
    pairs = np.zeros((count, count))
    for read in found.decoded:
        known = (read >= 0) & (found.true >= 0)
        np.add.at(pairs, (found.true[known], read[known]), 1)
    total = pairs.sum(axis=1, keepdims=True)
    return np.divide(pairs, total, out=np.full_like(pairs, np.nan), where=total > 0)


def _by_time(session: xr.Dataset, found: HeldOutErrors) -> list[tuple[str, Markup]]:
    times = session["time"].values[found.bins]
    chart = _in_stretches(found, np.arange(len(found.bins)), times, "time of the session (s), held-out stretches alone")
    return [("error by the time of the session", chart)]


def _in_stretches(found: HeldOutErrors, of: Integers, at: Values, x: str) -> Markup:
    """A chart of the error over held-out stretches, one after the other, each in parts.

    Args:
        found: the errors.
        of: what a part may not divide, ascending, such as the trial of each sample; -1 is left out.
        at: what is written below the first sample of each stretch.
        x: its name.
    """
    numbers = range(int(found.stretch[-1]) + 1)
    parts = max(1, SLICES // len(numbers))
    group, centers, ticks = np.full(len(of), -1), list[float](), list[tuple[float, str]]()
    for stretch in numbers:
        samples = np.flatnonzero((found.stretch == stretch) & (of >= 0))
        if not len(samples):
            continue
        ticks.append((float(samples[0]), short(float(at[samples[0]]), 4)))
        there = np.unique(of[samples])
        for part in np.array_split(there, max(1, min(parts, len(there), len(samples) // LEAST_SAMPLES))):
            chosen = samples[np.isin(of[samples], part)]
            group[chosen] = len(centers)
            centers.append(float(chosen.mean()))
        centers.append(float("nan"))
    return _profile(found, group, np.array(centers[:-1]), (0.0, float(len(of))), x, ticks)


def _by_trial(session: xr.Dataset, found: HeldOutErrors) -> list[tuple[str, Markup]]:
    trial = trials_of(session, str(found.label.name))
    if trial is None or not (trial[found.bins] >= 0).any():
        return []
    of = trial[found.bins]
    drawn = [("error by trial", _in_stretches(found, of, of.astype(float), "trial, held-out stretches alone"))]
    phase = in_trial(session, trial, PARTS)
    if phase is None:
        return drawn
    part = phase.part

    def group(bins: NDArray) -> Integers:
        return part[bins]

    chart = _profile(found, group, phase.centers, (0.0, phase.end), "time in the trial (s)", by_bin=True)
    return [*drawn, ("error by the time in the trial", chart)]


# In words
# --------


def _words(found: HeldOutErrors) -> str:
    seeds = [found.middle(values) for values in found.seeds]
    nulls = [value for values in found.nulls if np.isfinite(value := found.middle(values))]
    guess = found.said(found.middle(found.guess))
    own, each = found.said(float(np.nanmean(seeds))), f", mean over {len(seeds)} seeds" if len(seeds) > 1 else ""
    others = f"{_range(found, min(nulls), max(nulls))} by nulls" if nulls else "there are no nulls"
    decoded = f"{number(len(found.bins))} held-out bins"
    if found.held_out > len(found.bins):
        decoded += f" (evenly spaced, of {number(found.held_out)})"
    if found.kind == "discrete":
        first, always = f"{own} of {decoded} get a wrong class", "the commonest class"
    else:
        first = f"Half of {decoded} are decoded to within {own}"
        always = "the mean direction" if found.kind == "circular" else "the mean"
    return f"{first}{each}; {others}; {guess} if {always} of training is always guessed."


def _between(low: float, high: float) -> str:
    """Two ends, with as many digits as tell them apart.

    >>> _between(0.0128, 0.0131), _between(-0.85, 0.86)
    ('0.0128 to 0.0131', '−0.85 to 0.86')
    """
    size, apart = max(abs(low), abs(high)), high - low
    digits = int(np.clip(np.ceil(np.log10(size / apart)) + 1, 2, 7)) if size > 0 and apart > 0 else 2
    return f"{plain_number(low, digits)} to {plain_number(high, digits)}"


def _range(found: HeldOutErrors, low: float, high: float) -> str:
    """Two errors in words; one where they are alike."""
    first, last = found.said(low), found.said(high)
    return first if first == last else f"{first.removesuffix(f' {found.units}')} to {last}"
