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
from xcebra_nwb.attribution.information_test import LabelTest, Model, test_units
from xcebra_nwb.attribution.label_cells import Cells, label_cells
from xcebra_nwb.attribution.null_test import false_discovery_rate
from xcebra_nwb.attribution.observed_activity import Groups, Observed, grouped, observed_activity
from xcebra_nwb.core.carriers import DRAWS, INFORMATION
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.session import label_features, labels
from xcebra_nwb.training.design import ensemble
from xcebra_nwb.training.design.nulls import shuffled_orders
from xcebra_nwb.training.design.split import Split

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
WIDTHS = (0.7, 1.5, 4.0)  # of the smoothers of a label's cells, in distances between neighbouring cells
SPLITS = 6  # of the space of a label
PRODUCT_WIDTHS, PRODUCT_SPLITS = (1.0,), (4, 3)  # of a label, and of another that it is read together with
GIVEN_SPLITS = 8  # of the space of each other label, and of all of them together
UNITS_AT_ONCE = 256  # limits the memory
LEAST_DRAWS = 19  # shuffled labels; fewer cannot give p = 0.05
LEAST_SAMPLES = 100  # groups of bins; fewer say nothing in five folds
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
    observed, spaces = observed_activity(session, groups), _spaces(session, groups)
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


@dataclass(frozen=True, eq=False)
class _Space:
    """The space of a label: its features at every sample (sample, feature), its cells, and coarse ones for products."""

    features: Floats
    cells: Cells  # of the label when it is tested
    coarse: Cells  # of the label when it is tested together with another
    other: Cells  # of the other one
    given: Cells  # of a label that the activity is expected from


def _spaces(session: xr.Dataset, groups: Groups) -> dict[str, _Space]:
    """Return the space of every label of the session."""
    bins, spaces = groups.bins[groups.middle], {}
    for name, variable in labels(session).items():
        kind = str(variable.attrs["kind"])
        features, discrete = label_features(variable.values[bins], kind), kind == "discrete"
        fine, given = (label_cells(features, discrete, splits, WIDTHS) for splits in (SPLITS, GIVEN_SPLITS))
        coarse, other = (label_cells(features, discrete, splits, PRODUCT_WIDTHS) for splits in PRODUCT_SPLITS)
        spaces[name] = _Space(features, fine, coarse, other, given)
    return spaces


def _measured(
    observed: Observed, spaces: dict[str, _Space], name: str, orders: Callable[[], Iterator[Integers]]
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
    varies = np.flatnonzero(np.ptp(observed.activity, axis=0) > 0)
    if len(observed.block) < LEAST_SAMPLES:
        return _Measured(values, f"{name}: {TOO_SHORT}")
    if spaces[name].cells.count < 2:
        return _Measured(values, f"{name}: the label has a single value")
    given, models = _given(spaces, name), _models(spaces, name)
    for some in np.split(varies, range(UNITS_AT_ONCE, len(varies), UNITS_AT_ONCE)):
        part = observed.of(some)
        test = LabelTest(part, expected_activity(part, given), models)
        values["information_p"][some], values[DRAWS][some] = test_units(test, orders(), len(some), len(varies))
        told, size = test.information(), _size(part)
        for variable, shift in zip(INFORMATION[:3], (0, -1, 1), strict=True):
            values[variable][some] = (told.gain + shift * told.half_interval) / size
    if values[DRAWS][varies].max(initial=0) < LEAST_DRAWS:
        values["information_p"][:] = np.nan
        return _Measured(values, f"{name}: {TOO_FEW}")
    values["information_q"] = false_discovery_rate(values["information_p"])
    return _Measured(values)


def _given(spaces: dict[str, _Space], name: str) -> list[Cells]:
    """Return the cells of every label but one, and of all of them together."""
    others = [space for other, space in spaces.items() if other != name]
    cells = [space.given for space in others]
    if len(others) > 1:
        cells.append(label_cells(np.hstack([space.features for space in others]), False, GIVEN_SPLITS, WIDTHS))
    return cells


def _models(spaces: dict[str, _Space], name: str) -> list[Model]:
    """Return the ways to read a label: alone, and together with each other label."""
    tested = spaces[name]
    pairs = [Model(tested.coarse, space.other) for other, space in spaces.items() if other != name]
    return [Model(tested.cells), *pairs]


def _size(observed: Observed) -> Floats:
    """Return the sizes that gains are divided by (unit,): spikes in bits, or half the summed squares of rates."""
    if observed.counts:
        return observed.activity.sum(axis=0) * np.log(2)
    return np.full(observed.activity.shape[1], 0.5 * observed.weight.sum())
