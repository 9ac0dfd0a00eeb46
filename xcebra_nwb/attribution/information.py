"""Measure what each label tells about the activity of each unit, beyond all other labels of the session.

This is the absolute measure: it asks about a unit by itself. The attribution map is relative: it compares the shares
of the units in the code of the population.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution.expected_activity import expected_activity
from xcebra_nwb.attribution.information_test import LabelTest, test_units
from xcebra_nwb.attribution.label_spaces import Space, given_cells, label_spaces, models
from xcebra_nwb.attribution.null_test import false_discovery_rate
from xcebra_nwb.attribution.observed_activity import LEAST_SAMPLES, Observed, grouped, observed_activity
from xcebra_nwb.core.carriers import DRAWS, INFORMATION
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.training.design import ensemble
from xcebra_nwb.training.design.nulls import shuffled_orders
from xcebra_nwb.training.design.split import Split

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LEAST_DRAWS = 19  # shuffled labels; fewer cannot give p = 0.05
TOO_SHORT = f"fewer than {LEAST_SAMPLES} groups of bins"
TOO_FEW = f"fewer than {LEAST_DRAWS} shuffled labels, as there are too few trials or bins"


def information(session: xr.Dataset, split: Split, names: Sequence[str], config: Config) -> xr.Dataset:
    """Return what labels tell about the activity of each unit, with intervals and tests.

    The variables are described in docs/reference/results.md.

    Args:
        session: the session dataset.
        split: its usable bins.
        names: labels to test. All labels of the session are conditioned on.
        config: ``training.null_kind`` and ``random_seed``.

    Returns:
        Variables (label, unit): bits a spike, or shares of the variance of rates; and the number of shuffled labels
        that each unit was compared with.

    Raises:
        UsageError: ``training.null_kind`` asks for a permutation, and a label has too few trials.
    """
    groups = grouped(split.bins, split.segment)
    observed, spaces = observed_activity(session, groups), label_spaces(session, groups)
    measured = []
    for name in names:

        def orders(label: str = name) -> Iterator[Integers]:
            generator = ensemble.label_generator(session, label, config.random_seed, ensemble.INFORMATION)
            return shuffled_orders(session, split, label, config, groups.middle, generator)

        measured.append(_measured(observed, spaces, name, orders))
    return _dataset(measured, "bit/spike" if observed.counts else "1")


def _dataset(measured: Sequence[_Measured], units: str) -> xr.Dataset:
    """Return the variables (label, unit) of all labels, and the reason for those that are NaN."""
    names = (*INFORMATION, DRAWS)
    dataset = xr.Dataset({name: (("label", "unit"), np.stack([m.values[name] for m in measured])) for name in names})
    for name in INFORMATION[:3]:
        dataset[name].attrs["units"] = units
    reasons = list(dict.fromkeys(m.reason for m in measured if m.reason))
    if reasons:
        dataset.attrs |= dict.fromkeys((f"{name}_reason" for name in INFORMATION), "; ".join(reasons))
    return dataset


@dataclass(frozen=True, eq=False)
class _Measured:
    """The variables of one label, by name, (unit,), and the reason where they are not known."""

    values: dict[str, Floats]
    reason: str = ""


def _measured(
    observed: Observed, spaces: dict[str, Space], name: str, orders: Callable[[], Iterator[Integers]]
) -> _Measured:
    """Return the variables of one label.

    Args:
        observed: activity of the units.
        spaces: the space of every label of the session.
        name: name of the label.
        orders: returns the orders of shuffled labels, the same ones at every call.
    """
    units = observed.activity.shape[1]
    values = {variable: np.full(units, np.nan) for variable in (*INFORMATION, DRAWS)}
    varying = observed.varying
    if len(observed.block) < LEAST_SAMPLES:
        return _Measured(values, f"{name}: {TOO_SHORT}")
    if spaces[name].cells.count < 2:
        return _Measured(values, f"{name}: the label has a single value")
    given, ways = given_cells(spaces, name), models(spaces, name)
    for some, part in observed.parts():
        test = LabelTest(part, expected_activity(part, given), ways)
        values["information_p"][some], values[DRAWS][some] = test_units(test, orders(), len(some), len(varying))
        told, size = test.information(), part.size
        for variable, shift in zip(INFORMATION[:3], (0, -1, 1), strict=True):
            values[variable][some] = (told.gain + shift * told.half_interval) / size
    if values[DRAWS][varying].max(initial=0) < LEAST_DRAWS:
        values["information_p"][:] = np.nan
        return _Measured(values, f"{name}: {TOO_FEW}")
    values["information_q"] = false_discovery_rate(values["information_p"])
    return _Measured(values)
