"""The share of units that carry a label, and how much it tells about them, with intervals over subjects or sessions.

Units of a session are alike, and sessions of a subject are. So the error of a share or of a mean comes from the
differences between whole subjects: it is the error that a bootstrap of subjects would give, in closed form. Why, is in
docs/background/statistics.md, and how often the intervals hold, in docs/benchmarks.md.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from xcebra_nwb.assess.over_sessions.counts import numbered, summed

LEAST = 3  # subjects or sessions whose differences give an error
COVERAGE = 0.95
SUPPORTED = "supported"
UNITS = "units"
By = Literal["region", "subject", "label"]
Values = NDArray[np.float64]
COLUMNS = (
    *("share", "share_low", "share_high", "carriers", "units", "sessions", "subjects", "over"),
    *("information", "information_low", "information_high", "measure", "other_measures"),
    *("supported", "believed"),
)


class Level(NamedTuple):
    """The members whose differences give the error of a group's estimate.

    Attributes:
        name: subjects, sessions or units, by group.
        members: number of them, by group; 0 for units.
    """

    name: NDArray[np.str_]
    members: NDArray[np.int64]


def estimates(counts: pd.DataFrame, by: By) -> pd.DataFrame:
    """Return the estimates of every label, by region, by subject or over all units, what may be believed first.

    Args:
        counts: of :func:`xcebra_nwb.assess.over_sessions.counts.count_units`.
        by: what the units of a label are divided by; nothing for ``label``.

    Returns:
        ``label``, ``by`` (unless it is the label) and :data:`COLUMNS`. The share is that of all tested units, whatever
        the verdict of their session. The information is the mean over tested units, of the measure that most of them
        have. ``over`` names what the interval speaks of: another subject, another session, or other units of the same
        sessions. ``supported`` counts the sessions whose verdict on the label is supported, and ``believed`` says
        whether they are most of them.
    """
    keys = ["label"] if by == "label" else ["label", by]
    if counts.empty:
        return pd.DataFrame(columns=[*keys, *COLUMNS])
    group = numbered(*(counts[key] for key in keys))
    made = counts.drop_duplicates(keys)[keys].reset_index(drop=True)
    for name in ("carriers", "units"):
        made[name] = summed(group, counts[name].to_numpy()).astype(int)
    made["sessions"] = _distinct(group, counts["session"])
    made["subjects"] = _distinct(group, counts["subject"])
    supported = counts["verdict"].to_numpy() == SUPPORTED
    made["supported"] = _distinct(group[supported], counts["session"][supported], len(made))
    made["believed"] = 2 * made["supported"] > made["sessions"]
    level = _level(made["subjects"].to_numpy(), made["sessions"].to_numpy())
    made["over"] = level.name
    made["share"], made["share_low"], made["share_high"] = _shares(counts, group, level)
    return _ranked(_with_information(made, counts, group))[[*keys, *COLUMNS]]


def _ranked(made: pd.DataFrame) -> pd.DataFrame:
    """Believed labels first, by the lower end of their share; a label's rows stay together."""
    of_label = made.groupby("label", sort=False)
    supported, sessions = of_label["supported"].transform("sum"), of_label["sessions"].transform("sum")
    best = of_label["share_low"].transform("max")
    keys = {"_doubted": 2 * supported <= sessions, "_best": -best, "_low": -made["share_low"]}
    order = ["_doubted", "_best", "label", "_low"]
    return made.assign(**keys).sort_values(order, kind="stable").drop(columns=list(keys)).reset_index(drop=True)


def _distinct(group: NDArray[np.intp], names: pd.Series, groups: int | None = None) -> NDArray[np.int64]:
    """The number of distinct names in each group."""
    pairs = pd.DataFrame({"group": group, "name": names.to_numpy()}).drop_duplicates()
    return np.bincount(pairs["group"], minlength=(group.max(initial=-1) + 1) if groups is None else groups)


def _level(subjects: NDArray[np.int64], sessions: NDArray[np.int64]) -> Level:
    enough = [subjects >= LEAST, sessions >= LEAST]
    return Level(np.select(enough, ["subjects", "sessions"], UNITS), np.select(enough, [subjects, sessions], 0))


def _shares(counts: pd.DataFrame, group: NDArray[np.intp], level: Level) -> tuple[Values, Values, Values]:
    """The share of carriers and its interval: Wilson's, of as many units as would have that error one by one."""
    units, carriers = (counts[name].to_numpy() for name in ("units", "carriers"))
    total = summed(group, units)
    share = summed(group, carriers) / total
    alone = share * (1 - share) / total
    variance = np.maximum(_variance(counts, group, carriers - share[group] * units, total, level), alone)
    worth = np.where(variance > 0, share * (1 - share) / np.where(variance > 0, variance, 1), total)
    low, high = wilson(share, worth, _width(level))
    return share, low, high


def wilson(share: Values, units: Values, width: Values) -> tuple[Values, Values]:
    """Return Wilson's interval of a share.

    Args:
        share: from 0 to 1.
        units: number of independent units that it is worth.
        width: errors on either side.

    >>> low, high = wilson(np.array([0.0, 0.5]), np.array([100.0, 100.0]), np.array([1.96, 1.96]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.404], [0.037, 0.596])
    """
    squared = width**2 / units
    middle = (share + squared / 2) / (1 + squared)
    half = width / (1 + squared) * np.sqrt(share * (1 - share) / units + squared / (4 * units))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _with_information(made: pd.DataFrame, counts: pd.DataFrame, group: NDArray[np.intp]) -> pd.DataFrame:
    """The mean information over tested units, of the measure that most of them have."""
    by_measure = counts.assign(_group=group).groupby(["_group", "measure"], sort=False)["units"].sum().reset_index()
    foremost = by_measure.sort_values("units", kind="stable").drop_duplicates("_group", keep="last")
    measure = foremost.set_index("_group")["measure"].reindex(range(len(made))).to_numpy()
    made = made.assign(measure=measure, other_measures=_distinct(group, counts["measure"]) - 1)
    shown = counts["measure"].to_numpy() == measure[group]
    kept, of = counts[shown].reset_index(drop=True), group[shown]
    total = summed(of, kept["units"].to_numpy(), len(made))
    mean = summed(of, kept["information"].to_numpy(), len(made)) / total
    level = _level(_distinct(of, kept["subject"], len(made)), _distinct(of, kept["session"], len(made)))
    square = summed(of, kept["square"].to_numpy(), len(made)) / total
    alone = np.maximum(square - mean**2, 0) / np.maximum(total - 1, 1)
    residual = kept["information"].to_numpy() - mean[of] * kept["units"].to_numpy()
    between = _variance(kept, of, residual, total, level)
    error = np.sqrt(np.where(level.name == UNITS, alone, between)) * _width(level)
    known = (total > 1) & (error > 0)
    low, high = np.where(known, mean - error, np.nan), np.where(known, mean + error, np.nan)
    return made.assign(information=mean, information_low=low, information_high=high)


def _variance(counts: pd.DataFrame, group: NDArray[np.intp], residual: Values, total: Values, level: Level) -> Values:
    """The variance of a ratio of sums between subjects, or sessions: 0 where there are too few of both."""
    found = np.zeros(len(total))
    for name in ("subject", "session"):
        member = numbered(group, counts[name])
        of_member = np.zeros(member.max() + 1, dtype=np.intp)
        of_member[member] = group
        squares = summed(of_member, summed(member, residual) ** 2, len(total))
        members = np.maximum(level.members, 2)
        found = np.where(level.name == f"{name}s", members / (members - 1) * squares / total**2, found)
    return found


def _width(level: Level) -> Values:
    """Errors on either side of an interval: Student's t, with a degree of freedom less than there are members."""
    freedom = np.where(level.members > 0, np.maximum(level.members - 1, 1), np.inf)
    return np.asarray(stdtrit(freedom, (1 + COVERAGE) / 2), dtype=float)
