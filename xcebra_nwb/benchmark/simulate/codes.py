"""Simulated sessions with units whose code of a label a marginal tuning curve does not show, or shows badly.

A third to a half of the units carry a label only together with another label, at another time, or together with other
units. As many units carry nothing, and a few units are tuned to one label in the ordinary way. Coordinates hold the
truth: which unit carries which label, and by which code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.benchmark.arrays import BIN_WIDTH, session_of
from xcebra_nwb.benchmark.simulate.behaviour import CLASSES, KIND_OF, Labels, behaviour, change, moved, walk
from xcebra_nwb.core.session import check

Floats = NDArray[np.float64]
Draw = Callable[[Labels, int, np.random.Generator], Floats]
SMOOTHING = 0.1  # s
GROUP = 6  # units that share a code
LAGS = (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)  # s; positive where the unit fires before the label
NOTHING, TUNED = "nothing", "tuned"
ORDINARY = 2  # units of each label that are tuned in the ordinary way


def _normalized(rate: Floats) -> Floats:
    """Rates (time, unit) with mean 1 over time."""
    normalized: Floats = rate / rate.mean(axis=0)
    return normalized


def _field(place: Floats, units: int, generator: np.random.Generator) -> Floats:
    """Gaussian fields on a line from 0 to 1, (time, unit), with height 1."""
    field: Floats = np.exp(-0.5 * ((place[:, None] - generator.uniform(0, 1, units)) / 0.15) ** 2)
    return field


def _around(angle: Floats, preferred: Floats) -> Floats:
    """Von Mises tuning to an angle, (time, unit), with height 1; ``preferred`` is (unit,) or (time, unit)."""
    tuning: Floats = np.exp(2 * (np.cos(angle[:, None] - preferred) - 1))
    return tuning


def _angles(units: int, generator: np.random.Generator) -> Floats:
    return generator.uniform(0, 2 * np.pi, units)


def _conjunction(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """A field that needs a direction: both marginals are tuned, but less than the two together."""
    both = _field(labels["place"], units, generator) * _around(labels["direction"], _angles(units, generator))
    return _normalized(0.2 + generator.uniform(3, 6, units) * both)


def _gain(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """A field that one direction raises and the opposite direction turns into a pit: both marginals are flat."""
    field = _field(labels["place"], units, generator)
    field -= field.mean(axis=0)
    gain = np.cos(labels["direction"][:, None] - _angles(units, generator))
    return _normalized(1 + 0.9 * field / np.abs(field).max(axis=0) * gain)


def _remapping(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """A field on half of a ring, which moves to the other half in the second context."""
    inside = 1 / (1 + np.exp(-4 * np.cos(labels["ring"][:, None] - _angles(units, generator))))
    return 0.3 + 1.4 * np.where(labels["context"][:, None] == 0, inside, 1 - inside)


def _remapping_by_trial(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """A field on a quarter of a ring, which every type of trial moves to another quarter."""
    quarters = np.stack([generator.permutation(4) for _ in range(units)], axis=1)  # (type, unit)
    preferred = _angles(units, generator) + np.pi / 2 * quarters[labels["trial_type"].astype(int)]
    return _normalized(0.3 + 3 * _around(labels["ring"], preferred))


def _flip(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """A rate that grows along a line in one context and falls in the other."""
    slope = (2 * labels["context"] - 1) * (2 * labels["place"] - 1)
    rate: Floats = 1 + 0.8 * slope[:, None] * generator.choice([-1.0, 1.0], units)
    return rate


def _phase(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """A phase of an oscillation that advances by a cycle along the line."""
    advanced = labels["phase"][:, None] + 2 * np.pi * labels["place"][:, None]
    rate: Floats = 1 + 0.8 * np.cos(advanced - _angles(units, generator))
    return rate


def _lag(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """Ordinary tuning to a velocity at another time."""
    return _at_other_times(labels["velocity"], units, generator)


def _fast_lag(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """Ordinary tuning, at another time, to a label that changes faster than the lag."""
    return _at_other_times(labels["acceleration"], units, generator)


def _at_other_times(label: Floats, units: int, generator: np.random.Generator) -> Floats:
    seen = np.stack([moved(label, LAGS[unit % len(LAGS)]) for unit in range(units)], axis=1)
    field = np.exp(-0.5 * ((seen - generator.uniform(-1, 1, units)) / 0.5) ** 2)
    return _normalized(0.2 + generator.uniform(2, 4, units) * field)


def _copies(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """Groups of units with the same field."""
    fields = np.repeat(_field(labels["place"], -(-units // GROUP), generator), GROUP, axis=1)[:, :units]
    return _normalized(0.2 + 3 * fields)


def _cancel(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """Pairs of units that share a strong noise; the first one also has a weak field.

    The second unit says nothing of the label, but without it the noise cannot be taken from the first.
    """
    pairs = units // 2
    noise = np.stack([walk(len(labels["place"]), 0.5, generator) for _ in range(pairs)], axis=1)
    logarithm = np.stack([noise + 0.7 * _field(labels["place"], pairs, generator), noise], axis=2)
    return _normalized(np.exp(logarithm.reshape(-1, units)))


def _parity(labels: Labels, units: int, generator: np.random.Generator) -> Floats:
    """Pairs of units that fire together in one half of the line and in turn in the other half."""
    bins, pairs = len(labels["place"]), units // 2
    hidden = np.stack([np.cumsum(change(bins, 1.0, generator)) % 2 for _ in range(pairs)], axis=1)
    half = labels["place"][:, None] > 0.5
    high = np.stack([hidden != half, hidden == 1], axis=2).reshape(-1, units)
    return np.where(high, 1.8, 0.2)


@dataclass(frozen=True)
class Code:
    """A code and the labels of its session.

    Attributes:
        draw: Returns the rates (time, unit) of the units with the code, around 1.
        carried: Labels that these units carry.
        beside: Other labels of the session.
        names: Code of the first, second, ... unit, in turn.
    """

    draw: Draw
    carried: tuple[str, ...]
    beside: tuple[str, ...]
    names: tuple[str, ...]


CODES = {
    "conjunction": Code(_conjunction, ("place", "direction"), ("speed",), ("conjunction",)),
    "gain": Code(_gain, ("place", "direction"), ("speed",), ("gain",)),
    "remapping": Code(_remapping, ("ring", "context"), ("speed",), ("remapping",)),
    "remapping_by_trial": Code(_remapping_by_trial, ("ring", "trial_type"), ("speed",), ("remapping_by_trial",)),
    "flip": Code(_flip, ("place", "context"), ("speed",), ("flip",)),
    "phase": Code(_phase, ("place", "phase"), ("speed",), ("phase",)),
    "lag": Code(_lag, ("velocity",), ("direction", "speed"), tuple(f"lag {lag:+} s" for lag in LAGS)),
    "fast_lag": Code(_fast_lag, ("acceleration",), ("direction", "speed"), tuple(f"lag {lag:+} s" for lag in LAGS)),
    "copies": Code(_copies, ("place",), ("direction", "speed"), ("copies",)),
    "cancel": Code(_cancel, ("place",), ("direction", "speed"), ("cancel: field", "cancel: noise")),
    "parity": Code(_parity, ("place",), ("direction", "speed"), ("parity",)),
}


def coded_session(kind: str, coded: int, seconds: float, generator: np.random.Generator) -> xr.Dataset:
    """Return a simulated session with units that have a code of one kind.

    Args:
        kind: name of the code, in ``CODES``.
        coded: number of units with the code, even; as many carry nothing.
        seconds: duration, s.
        generator: source of the draws.

    Returns:
        The session, with ``carries(carried_label, unit)`` and the name of each unit's code, ``code(unit)``.
    """
    code = CODES[kind]
    names = (*code.carried, *code.beside)
    labels = behaviour(seconds, generator)
    ordinary = [_ordinary(labels[name], KIND_OF[name], generator) for name in names]
    nothing = _nothing(len(labels["place"]), coded, generator)
    modulation = np.concatenate([code.draw(labels, coded, generator), *ordinary, nothing], axis=1)
    units = modulation.shape[1]
    carries = np.zeros((len(names), units), dtype=bool)
    carries[: len(code.carried), :coded] = True
    for index in range(len(names)):
        carries[index, coded + ORDINARY * index : coded + ORDINARY * (index + 1)] = True
    rate = np.exp(generator.normal(np.log(6), 0.6, units)).clip(2, 20)  # Hz
    counts = generator.poisson(modulation * rate * BIN_WIDTH)
    codes = [code.names[unit % len(code.names)] for unit in range(coded)]
    codes += [TUNED] * (ORDINARY * len(names)) + [NOTHING] * coded
    session = session_of(counts, {}, units="count", smoothing=SMOOTHING).assign_coords(
        carried_label=list(names), carries=(("carried_label", "unit"), carries), code=("unit", codes)
    )
    for name in names:
        session[name] = _described(labels[name], name)
    session.attrs["session"] = kind
    check(session)
    return session


def _ordinary(label: Floats, kind: str, generator: np.random.Generator) -> Floats:
    """Rates (time, unit) of units that are tuned to one label alone."""
    height = generator.uniform(2, 4, ORDINARY)
    if kind == "discrete":
        return _normalized(0.2 + height * (label[:, None] == generator.integers(int(label.max()) + 1, size=ORDINARY)))
    if kind == "circular":
        return _normalized(0.2 + height * _around(label, _angles(ORDINARY, generator)))
    low, high = np.quantile(label, [0.02, 0.98])
    return _normalized(0.2 + height * _field((label - low) / (high - low), ORDINARY, generator))


def _nothing(bins: int, units: int, generator: np.random.Generator) -> Floats:
    """Rates (time, unit) that follow no label: steady, or tuned to a direction that is no label."""
    hidden = 0.24 * np.cumsum(walk(bins, 1.0, generator))
    elsewhere = _normalized(0.2 + 3 * _around(hidden, _angles(units // 2, generator)))
    return np.concatenate([np.ones((bins, units - units // 2)), elsewhere], axis=1)


def _described(values: Floats, name: str) -> xr.DataArray:
    kind = KIND_OF[name]
    attrs = {"role": "label", "kind": kind, "units": "", "source": "simulated", "reference_frame": ""}
    if kind == "discrete":
        attrs["classes"] = json.dumps(CLASSES[name])
        return xr.DataArray(values.astype(np.int64), dims="time", attrs=attrs)
    return xr.DataArray(values, dims="time", attrs=attrs)
