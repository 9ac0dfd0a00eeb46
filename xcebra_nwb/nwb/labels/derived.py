"""Compute labels from tracked samples, such as speed, heading or distance.

The computation uses the samples at their own times, before they are brought onto bins, and never spans a gap or a jump.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d

from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.labels.jumps import NO_BREAKS, split
from xcebra_nwb.nwb.reading.series import Samples
from xcebra_nwb.nwb.reading.times import sample_period

SMOOTHING = 0.1  # s; without smoothing, a derivative shows mostly the jitter of tracking
SLOW = 0.1  # of the 95th percentile of the speed: slower movement has no heading
STRAIGHT = 0.8  # least share of the variance along the first axis of a straight track
ORDER = 3  # of the Butterworth filter

Derive = Callable[[Samples, np.ndarray], Samples]
"""Computes a label from samples and the times before and after each jump in s, shape (jump, 2)."""


def derivation(label: LabelConfig, name: str, kind: Kind, unit: str, columns: int) -> tuple[Derive, str, str]:
    """Return the function that computes a derived label, its unit and its description.

    Args:
        label: Section of the config; its ``derive`` is a derivation from series.
        name: Name of the label, for errors.
        kind: Kind of the source, continuous or circular.
        unit: Unit of the source.
        columns: Number of columns of the source.

    Raises:
        UsageError: The source has too few or too many columns.
    """
    key = f"labels.{name}: derive: {label.derive}"
    smoothing = SMOOTHING if label.smoothing is None else label.smoothing
    over = f" after a Gaussian of {smoothing:g} s" if smoothing else ""
    if label.derive == "heading" and columns != 2:
        raise UsageError(f"{key} needs 2 columns, {label.path} has {columns}", "name two with columns: [0, 1]")
    if label.derive == "phase":
        assert label.band is not None
        if columns != 1:
            raise UsageError(f"{key} needs one column, {label.path} has {columns}", "name one with columns: [0]")
        band = label.band
        words = f"phase between {band[0]:g} and {band[1]:g} Hz, 0 at the peak"
        return lambda samples, breaks: phase(samples, band, name, breaks), "rad", words
    if label.derive == "distance":
        assert label.point is not None
        point = np.asarray(label.point)
        if len(point) != columns:
            raise UsageError(
                f"{key}: point has {len(point)} numbers, {label.path} {columns} columns",
                "give point as many numbers as columns",
            )
        return lambda samples, _: distance(samples, point), unit, f"distance to {label.point}"
    if label.derive == "linear_position":
        track = None if label.track is None else np.asarray(label.track)
        if track is not None and track.shape[1] != columns:
            raise UsageError(
                f"{key}: corners have {track.shape[1]} numbers, not {columns}",
                "give each corner as many numbers as columns",
            )
        way = "its first principal axis" if track is None else f"a track of {len(track)} corners"
        return lambda samples, _: linear_position(samples, track, name), unit, f"position along {way}"
    per_second, squared = f"{unit}/s" if unit else "1/s", f"{unit}/s^2" if unit else "1/s^2"
    moving: dict[str, tuple[Derive, str]] = {
        "velocity": (lambda samples, breaks: velocity(samples, smoothing, kind, breaks), per_second),
        "speed": (lambda samples, breaks: speed(samples, smoothing, kind, breaks), per_second),
        "acceleration": (lambda samples, breaks: acceleration(samples, smoothing, kind, breaks), squared),
        "heading": (lambda samples, breaks: heading(samples, smoothing, breaks), "rad"),
    }
    function, units = moving[str(label.derive)]
    return function, units, f"{label.derive}{over}"


def velocity(samples: Samples, smoothing: float, kind: Kind = "continuous", breaks: np.ndarray = NO_BREAKS) -> Samples:
    """Return the change per second of every column.

    Args:
        samples: Values of shape (sample, column).
        smoothing: Standard deviation of the Gaussian applied first, in s; 0 for none.
        kind: ``circular`` for angles in rad, which give rad/s.
        breaks: Times before and after each jump in s, shape (jump, 2); no derivative spans one.

    >>> samples = Samples(np.arange(4) / 10, np.array([[0.0], [1.0], [2.0], [3.0]]))
    >>> velocity(samples, 0.0).values.round(6).ravel().tolist()
    [10.0, 10.0, 10.0, 10.0]
    """
    parts = []
    for piece in split(samples, breaks):
        values = np.unwrap(piece.values, axis=0) if kind == "circular" else piece.values
        values = smoothed(replace(piece, values=values), smoothing)
        parts.append(replace(piece, values=np.gradient(values, piece.times, axis=0)))
    return _joined(samples, parts)


def speed(samples: Samples, smoothing: float, kind: Kind = "continuous", breaks: np.ndarray = NO_BREAKS) -> Samples:
    """Return the length of the velocity, shape (sample, 1).

    Args:
        samples: Values of shape (sample, column).
        smoothing: Standard deviation of the Gaussian applied first, in s; 0 for none.
        kind: ``circular`` for angles in rad.
        breaks: Times before and after each jump in s, shape (jump, 2); no derivative spans one.

    >>> samples = Samples(np.arange(3) / 10, np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
    >>> speed(samples, 0.0).values.round(6).ravel().tolist()
    [50.0, 50.0, 50.0]
    """
    moving = velocity(samples, smoothing, kind, breaks)
    return replace(moving, values=np.linalg.norm(moving.values, axis=1, keepdims=True))


def acceleration(
    samples: Samples, smoothing: float, kind: Kind = "continuous", breaks: np.ndarray = NO_BREAKS
) -> Samples:
    """Return the change per second of the speed, shape (sample, 1).

    It is positive when the animal gets faster.

    Args:
        samples: Values of shape (sample, column).
        smoothing: Standard deviation of the Gaussian applied first, in s; 0 for none.
        kind: ``circular`` for angles in rad.
        breaks: Times before and after each jump in s, shape (jump, 2); no derivative spans one.

    >>> samples = Samples(np.arange(3) / 10, np.array([[0.0], [1.0], [2.0]]))
    >>> acceleration(samples, 0.0).values.round(6).ravel().tolist()
    [0.0, 0.0, 0.0]
    """
    return velocity(speed(samples, smoothing, kind, breaks), 0.0, breaks=breaks)


def heading(samples: Samples, smoothing: float, breaks: np.ndarray = NO_BREAKS) -> Samples:
    """Return the direction of movement in rad, shape (sample, 1).

    It is 0 along the first axis. Samples that hardly move are left out.

    Args:
        samples: Positions of shape (sample, 2).
        smoothing: Standard deviation of the Gaussian applied first, in s; 0 for none.
        breaks: Times before and after each jump in s, shape (jump, 2); no derivative spans one.

    >>> samples = Samples(np.arange(3) / 10, np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]]))
    >>> heading(samples, 0.0).values.round(3).ravel().tolist()
    [1.571, 1.571, 1.571]
    """
    moving = velocity(samples, smoothing, breaks=breaks)
    pace = np.linalg.norm(moving.values, axis=1)
    angle = np.arctan2(moving.values[:, 1], moving.values[:, 0])[:, None]
    fast = pace > SLOW * np.percentile(pace, 95) if len(pace) else pace > 0
    return replace(moving, values=angle).keep(fast)


def distance(samples: Samples, point: np.ndarray) -> Samples:
    """Return the Euclidean distance to a point, shape (sample, 1).

    Args:
        samples: Positions of shape (sample, axis).
        point: The point, shape (axis,).

    >>> samples = Samples(np.arange(2.0), np.array([[0.0, 0.0], [3.0, 4.0]]))
    >>> distance(samples, np.zeros(2)).values.ravel().tolist()
    [0.0, 5.0]
    """
    return replace(samples, values=np.linalg.norm(samples.values - point, axis=1, keepdims=True))


def linear_position(samples: Samples, track: np.ndarray | None, name: str) -> Samples:
    """Return the distance travelled along a track from its start, shape (sample, 1).

    Args:
        samples: Positions of shape (sample, axis).
        track: Corners of the track, shape (corner, axis), joined by straight lines. None stands for a straight track
            along the first principal axis of the positions.
        name: Name of the label, for errors.

    Raises:
        Refusal: Without ``track``, the positions do not lie along a line.

    >>> samples = Samples(np.arange(2.0), np.array([[2.0, 0.1], [4.0, 3.0]]))
    >>> corners = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]])
    >>> linear_position(samples, corners, "position").values.ravel().tolist()
    [2.0, 7.0]
    """
    if track is not None:
        return replace(samples, values=_along(samples.values, track)[:, None])
    centred = samples.values - samples.values.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    axis, share = axes[:, -1], variances[-1] / variances.sum()
    if share < STRAIGHT:
        raise Refusal(
            Code.LABEL_NOT_DERIVABLE,
            f"label {name}: the positions do not lie along a line: its first axis has {share:.0%} of their variance",
            "give the corners of the track: track: [[x, y], [x, y], ...]",
        )
    axis = axis * np.sign(axis[np.abs(axis).argmax()])
    along = centred @ axis
    return replace(samples, values=(along - along.min())[:, None])


def _along(positions: np.ndarray, track: np.ndarray) -> np.ndarray:
    """Return the distance along the track to its point nearest to each position."""
    nearest, way = np.full(len(positions), np.inf), np.zeros(len(positions))
    begun = 0.0
    for start, stop in pairwise(track):
        side, length = stop - start, float(np.linalg.norm(stop - start))
        share = np.clip((positions - start) @ side / max(length**2, 1e-300), 0, 1)
        away = np.linalg.norm(positions - (start + share[:, None] * side), axis=1)
        closer = away < nearest
        nearest[closer], way[closer] = away[closer], begun + share[closer] * length
        begun += length
    return way


def phase(samples: Samples, band: tuple[float, float], name: str, breaks: np.ndarray = NO_BREAKS) -> Samples:
    """Return the Hilbert phase of a signal within a band in rad, shape (sample, 1).

    The phase is 0 at the peaks. One cycle of the lowest frequency is dropped at both ends of every stretch without a
    gap.

    Args:
        samples: The signal, shape (sample, 1).
        band: Lowest and highest frequency in Hz.
        name: Name of the label, for errors.
        breaks: Times before and after each jump in s, shape (jump, 2); no derivative spans one.

    Raises:
        Refusal: The band reaches beyond half the sampling rate, or every stretch without a gap is too short.

    >>> times = np.arange(2000) / 100
    >>> samples = Samples(times, np.cos(2 * np.pi * 5 * times)[:, None])
    >>> peaks = phase(samples, (4.0, 6.0), "theta").values.ravel()[15::20]
    >>> bool(np.abs(peaks).max() < 0.1)
    True
    """
    from scipy.signal import (
        butter,
        hilbert,
        sosfiltfilt,
    )  # imported here because it takes half a second and few labels need it

    period = sample_period(samples.times)
    rate = 1 / period if period else 0.0
    if band[1] >= rate / 2:
        raise Refusal(
            Code.LABEL_NOT_DERIVABLE,
            f"label {name}: {band[1]:g} Hz needs more than {2 * band[1]:g} samples a second, there are {rate:.4g}",
            "lower the band, or name a series that is sampled faster",
        )
    filtering = butter(ORDER, band, "bandpass", fs=rate, output="sos")
    margin = int(np.ceil(rate / band[0]))  # samples of the slowest cycle
    parts = []
    for piece in split(samples, breaks):
        if len(piece.times) > 4 * margin:
            filtered = sosfiltfilt(filtering, piece.values - piece.values.mean(), axis=0)
            angle = np.angle(hilbert(filtered, axis=0))
            parts.append(Samples(piece.times[margin:-margin], angle[margin:-margin]))
    if not parts:
        raise Refusal(
            Code.LABEL_NOT_DERIVABLE,
            f"label {name}: no stretch without a gap has four cycles of {band[0]:g} Hz",
            "raise the band, or name another series",
        )
    return _joined(samples, parts)


def smoothed(piece: Samples, deviation: float) -> np.ndarray:
    """Return the values of a stretch without gaps, smoothed with a Gaussian.

    Beyond its ends the stretch goes on as it comes, turned around, so that a steady movement stays one.

    Args:
        piece: The stretch, shape (sample, column).
        deviation: Standard deviation of the Gaussian in s; 0 for none.

    >>> piece = Samples(np.arange(3.0), np.array([[0.0], [1.0], [0.0]]))
    >>> smoothed(piece, 0.0).ravel().tolist()
    [0.0, 1.0, 0.0]
    """
    period = sample_period(piece.times)
    if not deviation or period is None:
        return piece.values
    beyond = min(round(4 * deviation / period), len(piece.values) - 1)
    going_on = np.pad(piece.values, ((beyond, beyond), (0, 0)), mode="reflect", reflect_type="odd")
    return gaussian_filter1d(going_on, deviation / period, axis=0, mode="nearest")[beyond : len(going_on) - beyond]


def _joined(samples: Samples, parts: list[Samples]) -> Samples:
    if not parts:
        return Samples(samples.times[:0], samples.values[:0], samples.notes)
    times = np.concatenate([part.times for part in parts])
    return Samples(times, np.concatenate([part.values for part in parts]), samples.notes)
