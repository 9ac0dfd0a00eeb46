"""Select units that were observed long enough, match the query, and are active."""

from __future__ import annotations

import numpy as np
import pandas as pd

from xcebra_nwb.core.config.schema import Neural
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.masks import Masks
from xcebra_nwb.nwb.neural.activity import Activity
from xcebra_nwb.nwb.neural.unit_facts import interval_variability, without_facts
from xcebra_nwb.nwb.reading.intervals import select

FEWEST_UNITS = 2
REFRACTORY = 0.0015  # s
COMPUTED = ("n_spikes", "rate", "isi_violations", "presence")  # columns of a query that are computed
PARTS = 100  # parts of the valid bins, in each of which a unit is present or absent


def select_units(activity: Activity, neural: Neural, base: Masks) -> tuple[Activity, list[str]]:
    """Return the activity of the units to keep, and the reasons for dropping others.

    Args:
        activity: The activity of all units.
        neural: ``neural`` of the config: ``where``, ``min_spikes`` and ``min_coverage`` decide.
        base: The bins in use, before the neural data take out any.

    Returns:
        The activity of the units that are kept, and a line for each reason with the units dropped.

    Raises:
        UsageError: The query does not work.
        Refusal: Fewer than two units are left.
    """
    notes: list[str] = []
    total = len(activity.table)
    observed = activity.coverage(base.valid) >= neural.min_coverage
    activity = _drop(activity, observed, notes, f"observed for less than {neural.min_coverage:.0%} of the time")
    if neural.where and len(activity.table):
        picked = select(described(activity, _valid(activity, base)), neural.where, "neural.where")
        activity = _drop(activity, picked, notes, f"not {neural.where}")
    if activity.kind == "spikes":
        active = activity.spike_counts(_valid(activity, base)) >= neural.min_spikes
        activity = _drop(activity, active, notes, f"fewer than {neural.min_spikes} spikes in the valid bins")
    else:
        activity = _drop(activity, activity.varying(_valid(activity, base)), notes, "constant in the valid bins")
    kept = len(activity.table)
    if total < FEWEST_UNITS:
        problem = f"units in the neural data: {total}; at least {FEWEST_UNITS} are needed"
        raise Refusal(Code.TOO_FEW_UNITS, problem, "name other neural data by neural.source, if the file has any")
    if kept < FEWEST_UNITS:
        raise Refusal(
            Code.TOO_FEW_UNITS,
            f"{kept} of {total} units left, at least {FEWEST_UNITS} are needed; {'; '.join(notes)}",
            "lower neural.min_spikes or neural.min_coverage, or loosen neural.where",
        )
    return activity, notes


def described(activity: Activity, valid: np.ndarray) -> pd.DataFrame:
    """Return the unit table with four computed columns.

    - ``n_spikes``: number of spikes in the valid bins
    - ``rate``: rate in the valid bins in Hz, or the mean of sampled values
    - ``isi_violations``: fraction of all intervals between a unit's spikes that are shorter than 1.5 ms
    - ``presence``: fraction of a hundred equal parts of the valid time in which the unit fires

    The last two are NaN without spike times. A column of the file with one of these names becomes ``own_<name>``.

    Args:
        activity: The activity of all units.
        valid: True for valid bins, shape (time,).
    """
    computed = {
        "n_spikes": activity.spike_counts(valid),
        "rate": _rates(activity, valid),
        "isi_violations": isi_violations(activity),
        "presence": _presence(activity, valid),
    }
    return without_facts(activity.table).rename(columns={name: f"own_{name}" for name in computed}).assign(**computed)


def _drop(activity: Activity, keep: np.ndarray, notes: list[str], reason: str) -> Activity:
    if keep.all():
        return activity
    gone = [str(identifier) for identifier in activity.table["unit_id"][~keep]]
    shown = ", ".join(gone[:10]) + (", ..." if len(gone) > 10 else "")
    notes.append(f"{len(gone)} units left out ({reason}): {shown}")
    return activity.keep(keep)


def _valid(activity: Activity, base: Masks) -> np.ndarray:
    """Return the bins that can be used with these units, shape (time,)."""
    used = base.copy()
    activity.take_out_unobserved(used)
    return used.valid


def _rates(activity: Activity, valid: np.ndarray) -> np.ndarray:
    if activity.sampled is None:
        return activity.spike_counts(valid) / (max(int(valid.sum()), 1) * activity.grid.width)
    if not valid.any():
        return np.zeros(len(activity.table))
    return activity.sampled.means(valid)


def isi_violations(activity: Activity) -> np.ndarray:
    """Return the fraction of intervals between a unit's spikes that are shorter than 1.5 ms, (unit,).

    It is NaN without spike times.
    """
    if activity.spikes is None:
        return np.full(len(activity.table), np.nan)
    return np.array([np.mean(np.diff(times) < REFRACTORY) if len(times) > 1 else 0.0 for times in activity.spikes])


def isi_variability(activity: Activity) -> np.ndarray:
    """Return CV2 of the intervals between each unit's spikes, (unit,); NaN without spike times or with too few."""
    if activity.spikes is None:
        return np.full(len(activity.table), np.nan)
    return np.array([interval_variability(times) for times in activity.spikes])


def _presence(activity: Activity, valid: np.ndarray) -> np.ndarray:
    if activity.spikes is None:
        return np.full(len(activity.table), np.nan)
    parts = min(PARTS, int(valid.sum()))
    part = (np.cumsum(valid) - 1) * parts // max(int(valid.sum()), 1)  # (time,)
    present = []
    for times in activity.spikes:
        bins = activity.grid.bins(times)
        present.append(len(np.unique(part[bins[valid[bins]]])) / max(parts, 1))
    return np.array(present)
