"""Simulated sessions of which it is known which units carry which label: p and q are compared with the truth.

Two labels (a direction and a place on a line) walk at random. A unit that carries one of them is tuned to it. Of the
others, half are tuned to a direction that is no label, half to nothing; all have the same rates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from xcebra_nwb.benchmark.arrays import BIN_WIDTH
from xcebra_nwb.core.session import ATTRIBUTES, check

Floats = NDArray[np.float64]
SMOOTHING = 0.1  # s
LABELS = ("direction", "place")


@dataclass(frozen=True)
class Scenario:
    """The share of units that carry each label, and how labels and rates change in time.

    Attributes:
        direction: share of the units that carry the direction.
        place: share of the units that carry the place.
        labels: ``walk``; ``slow``: few independent values; ``trend``: the place drifts; ``confounded``: the direction
            follows from the place, but for noise.
        rates: ``steady``; ``slow``: common walks over 40 s; ``trend``: they rise or fall over the session; ``bursts``:
            each unit by itself over 0.2 s; ``shared``: common walks over 0.5 s.
    """

    direction: float = 0.0
    place: float = 0.0
    labels: str = "walk"
    rates: str = "steady"


SCENARIOS = {
    "nothing": Scenario(),  # no unit carries a label
    "effects": Scenario(0.2, 0.2),  # each label is carried by some: the others must not be found
    "leak": Scenario(0.4, 0.0),  # one label is carried by many, the other by none
    "slow": Scenario(labels="slow", rates="slow"),  # nothing is carried, but slow labels and rates agree by chance
    "many": Scenario(0.45, 0.45),  # nearly every unit carries a label
    "slow effects": Scenario(0.2, 0.2, labels="slow", rates="slow"),
    "drift": Scenario(labels="trend", rates="trend"),
    "drift effects": Scenario(0.2, 0.2, labels="trend", rates="trend"),
    "bursts": Scenario(0.2, 0.2, rates="bursts"),
    "shared noise": Scenario(0.2, 0.2, rates="shared"),
    "confounded": Scenario(0.2, 0.2, labels="confounded"),
}


def population(scenario: str, units: int, seconds: float, generator: np.random.Generator) -> xr.Dataset:
    """Return a simulated session; its coordinate ``carries`` is the truth.

    Args:
        scenario: name of the scenario.
        units: number of units.
        seconds: duration, s.
        generator: source of the draws.

    Returns:
        The session, with ``carries(carried_label, unit)``.
    """
    wanted, bins = SCENARIOS[scenario], round(seconds / BIN_WIDTH)
    direction, place, hidden = _labels(wanted, bins, generator)
    carries = np.zeros((2, units), dtype=bool)
    first, second = round(wanted.direction * units), round(wanted.place * units)
    carries[0, :first], carries[1, first : first + second] = True, True
    elsewhere = np.zeros(units, dtype=bool)
    elsewhere[first + second : first + second + (units - first - second) // 2] = True
    modulation = np.ones((bins, units))
    modulation[:, carries[0]] = _tuned(_directional(direction, int(carries[0].sum()), generator), generator)
    modulation[:, carries[1]] = _tuned(_placed(place, int(carries[1].sum()), generator), generator)
    modulation[:, elsewhere] = _tuned(_directional(hidden, int(elsewhere.sum()), generator), generator)
    modulation *= _gain(wanted.rates, bins, units, generator)
    rate = np.exp(generator.normal(np.log(4), 0.7, units)).clip(0.5, 25)  # Hz
    counts = generator.poisson(modulation * rate * BIN_WIDTH)
    return _session(scenario, counts, {"direction": direction, "place": place}, carries)


def _labels(wanted: Scenario, bins: int, generator: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """A direction (rad) and a place in [0, 1] or beyond, and a direction that is no label, each (time,)."""
    hidden = _direction(bins, 1.0, generator)
    if wanted.labels == "slow":
        return _direction(bins, 5.0, generator), _walk(bins, 15.0, generator), hidden
    along = np.cumsum(_walk(bins, 1.0, generator)) * 0.08
    place = np.abs(np.mod(along, 2) - 1)
    if wanted.labels == "confounded":
        return np.mod(2 * np.pi * place + 0.7 * _walk(bins, 1.0, generator), 2 * np.pi), place, hidden
    if wanted.labels == "trend":
        time = np.linspace(-1, 1, bins) * generator.choice([-1, 1])
        return _direction(bins, 1.0, generator), 0.5 + 0.3 * time + 0.3 * _walk(bins, 2.0, generator), hidden
    return _direction(bins, 1.0, generator), place, hidden


def _gain(kind: str, bins: int, units: int, generator: np.random.Generator) -> Floats:
    """Changes of the rates that have nothing to do with a label, as factors (time, unit)."""
    if kind == "slow":
        return _common(bins, units, 5, 40.0, 0.75, generator)
    if kind == "trend":
        rise: Floats = np.exp(0.7 * np.linspace(-1, 1, bins)[:, None] * generator.normal(size=units))
        return rise * _common(bins, units, 5, 40.0, 0.225, generator)
    if kind == "bursts":
        each = np.stack([_walk(bins, 0.2, generator) for _ in range(units)], axis=1)
        return np.exp(1.2 * each - 0.72)
    if kind == "shared":
        return _common(bins, units, 3, 0.5, 0.6, generator)
    return np.ones((bins, units))


def _direction(bins: int, persistence: float, generator: np.random.Generator) -> Floats:
    turned: Floats = np.mod(np.cumsum(_walk(bins, persistence, generator)) * 0.24 / np.sqrt(persistence), 2 * np.pi)
    return turned


def _walk(bins: int, persistence: float, generator: np.random.Generator) -> Floats:
    """An Ornstein-Uhlenbeck process (time,) of unit variance with a correlation time in s, smoothed over 0.2 s."""
    kept = np.exp(-BIN_WIDTH / persistence)
    steps = generator.normal(size=bins) * np.sqrt(1 - kept**2)
    steps[0] = generator.normal()
    walk: Floats = gaussian_filter1d(lfilter([1.0], [1.0, -kept], steps), 0.2 / BIN_WIDTH)
    return walk


def _directional(angle: Floats, units: int, generator: np.random.Generator) -> Floats:
    preferred = generator.uniform(0, 2 * np.pi, units)
    tuning: Floats = np.exp(2 * (np.cos(angle[:, None] - preferred) - 1))
    return tuning


def _placed(place: Floats, units: int, generator: np.random.Generator) -> Floats:
    field: Floats = np.exp(-0.5 * ((place[:, None] - generator.uniform(0, 1, units)) / 0.15) ** 2)
    return field


def _tuned(tuning: Floats, generator: np.random.Generator) -> Floats:
    """A tuning curve in [0, 1] (time, unit) over a baseline, with mean 1 over time."""
    height = 0.2 + generator.uniform(2, 4, tuning.shape[1]) * tuning
    return height / height.mean(axis=0)


def _common(
    bins: int, units: int, count: int, persistence: float, size: float, generator: np.random.Generator
) -> Floats:
    """Factors (time, unit) by which ``count`` common walks with a correlation time in s raise and lower the rates."""
    walks = np.stack([_walk(bins, persistence, generator) for _ in range(count)], axis=1)
    walks /= walks.std(axis=0)
    factors: Floats = np.exp(size * walks @ generator.normal(size=(count, units)) / np.sqrt(count))
    return factors


def _session(name: str, counts: NDArray[np.int64], labels: dict[str, Floats], carries: NDArray[np.bool_]) -> xr.Dataset:
    bins, units = counts.shape
    session = xr.Dataset(
        {"valid": ("time", np.ones(bins, dtype=bool)), "segment": ("time", np.zeros(bins, dtype=np.int64))},
        coords={
            "time": BIN_WIDTH * (np.arange(bins) + 0.5),
            "unit_id": ("unit", np.arange(units).astype(str)),
            "row": ("unit", np.arange(units)),
            "region": ("unit", np.full(units, "")),
            "n_spikes": ("unit", counts.sum(axis=0)),
            "carries": (("carried_label", "unit"), carries),
        },
        attrs=dict.fromkeys(ATTRIBUTES, "") | {"session": name, "bin_width": BIN_WIDTH, "choices": "[]"},
    )
    seen = {"units": "count", "kind": "spikes", "smoothing": SMOOTHING, "standardize": 1}
    session["activity"] = (("time", "unit"), counts.astype(np.float32), seen)
    for label, values in labels.items():
        kind = "circular" if label == "direction" else "continuous"
        attrs = {"role": "label", "kind": kind, "units": "", "source": "simulated", "reference_frame": ""}
        session[label] = ("time", values, attrs)
    session.attrs["software"] = json.dumps({})
    check(session)
    return session
