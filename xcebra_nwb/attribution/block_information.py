"""Measure what the block of latents of each label tells about the activity of each unit, beyond all other labels.

It stands between the two other measures. The information asks what the label itself tells about a unit, without an
encoder. The share asks how much the block needs the unit. This one asks how much the unit follows the block, that is,
the coordinate that the whole population gives to the label. The latents are computed from all units, this one too, so
a block also tells about units that carry nothing. The blocks of nulls show how much, and it is subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from xcebra_nwb.attribution.expected_activity import expected_activity
from xcebra_nwb.attribution.information_test import LabelTest, Model
from xcebra_nwb.attribution.label_cells import Cells, label_cells
from xcebra_nwb.attribution.label_spaces import SPLITS, WIDTHS, given_cells, label_spaces
from xcebra_nwb.attribution.moderated_variance import CONFIDENCE
from xcebra_nwb.attribution.observed_activity import LEAST_SAMPLES, Observed, grouped, observed_activity
from xcebra_nwb.core.members import blocks, nulls, seeds
from xcebra_nwb.training.design.split import Split

Floats = NDArray[np.float64]
NAMES = ("block_information", "block_information_low", "block_information_high")
LEAST = 2  # seeds, and nulls, for an interval
TOO_FEW = f"the interval needs {LEAST} seeds and {LEAST} nulls of the label"
NOT_KNOWN = "it needs a null of the label, and 100 groups of bins"


def block_information(session: xr.Dataset, split: Split, training: xr.Dataset, embedding: xr.Dataset) -> xr.Dataset:
    """Return what the blocks of labels tell about the activity of each unit, more than the blocks of nulls do.

    Args:
        session: the session dataset.
        split: its usable bins.
        training: training.nc.
        embedding: embedding.nc; latents (member, time, latent).

    Returns:
        ``block_information`` and the ends of its 95 % interval, (label, unit): held-out gain in log likelihood, in bits
        a spike or as a share of the variance of rates, mean over seeds minus mean over nulls. The interval is Welch's,
        over seeds and nulls. A value that is not known is NaN, with the reason in an attribute.
    """
    groups = grouped(split.bins, split.segment)
    observed, spaces = observed_activity(session, groups), label_spaces(session, groups)
    at = groups.bins[groups.middle]
    rows = []
    for name, (first, last) in blocks(training).items():

        def cells_of(members: Sequence[int], first: int = first, last: int = last) -> list[Cells]:
            latents = embedding["embedding"].isel(member=list(members), latent=slice(first, last)).values[:, at]
            return [label_cells(each.astype(np.float64), False, SPLITS, WIDTHS) for each in latents]

        of_seeds, of_nulls = cells_of(seeds(training)), cells_of(nulls(training, name))
        rows.append(_beyond_nulls(observed, given_cells(spaces, name), of_seeds, of_nulls))
    return _dataset(np.stack(rows, axis=1), "bit/spike" if observed.counts else "1")


def _beyond_nulls(
    observed: Observed, given: Sequence[Cells], seed_cells: Sequence[Cells], null_cells: Sequence[Cells]
) -> Floats:
    """Return the difference between seeds and nulls, and the ends of its interval, (3, unit)."""
    units = observed.activity.shape[1]
    told = np.full((3, units), np.nan)
    if len(observed.block) < LEAST_SAMPLES or not null_cells:
        return told
    for some, part in observed.parts():
        expected = expected_activity(part, given)

        def gains(cells: Sequence[Cells], part: Observed = part, expected: Floats = expected) -> Floats:
            return np.stack([LabelTest(part, expected, [Model(c)]).information().gain / part.size for c in cells])

        of_seeds, of_nulls = gains(seed_cells), gains(null_cells)
        told[0, some] = of_seeds.mean(axis=0) - of_nulls.mean(axis=0)
        if min(len(of_seeds), len(of_nulls)) >= LEAST:
            limits = ttest_ind(of_seeds, of_nulls, equal_var=False).confidence_interval(CONFIDENCE)
            told[1:, some] = limits.low, limits.high
    return told


def _dataset(told: Floats, units: str) -> xr.Dataset:
    """Return the variables (label, unit) from an array (3, label, unit), and the reasons for those that are NaN."""
    rows = zip(NAMES, told, strict=True)
    dataset = xr.Dataset({name: (("label", "unit"), values, {"units": units}) for name, values in rows})
    if np.isnan(told[0]).all(axis=-1).any():
        dataset.attrs[f"{NAMES[0]}_reason"] = NOT_KNOWN
    if np.isnan(told[1]).all(axis=-1).any():
        dataset.attrs |= dict.fromkeys((f"{name}_reason" for name in NAMES[1:]), TOO_FEW)
    return dataset
