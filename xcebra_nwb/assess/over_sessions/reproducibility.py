"""Whether a label comes back: in another session of the subject, and in another subject.

Units differ between sessions, so they cannot be compared one by one. Two numbers can be. The *profile* asks whether
the same regions stand out: it is the correlation of a session's shares by region with those of the others. The *spread*
asks by how much the share of a label differs between sessions, beyond the chance of which units were recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from xcebra_nwb.assess.over_sessions.counts import numbered, summed
from xcebra_nwb.assess.over_sessions.estimates import COVERAGE, LEAST
from xcebra_nwb.assess.over_sessions.shuffles import shuffled

DRAWS = 499  # shuffled and resampled data sets of a label
LEAST_UNITS = 5  # in a region of a session, for its share to enter the profile
COLUMNS = (
    *("label", "between", "profile", "profile_low", "profile_high", "profile_p", "profile_null_high", "profiles"),
    *("spread", "spread_low", "spread_high", "spread_p", "compared", "reason"),
)
ONE_REGION = f"no two regions with {LEAST_UNITS} units each"
SINGLE = {"sessions": "no subject has two sessions", "subjects": "fewer than two subjects"}
Values = NDArray[np.float64]
Index = NDArray[np.intp]
Measure = Callable[[Values], Values]


@dataclass(frozen=True)
class _Cells:
    """The tested units and carriers of one label, a cell for each session and region; numbers count from 0."""

    units: Values
    carriers: Values
    session: Index
    subject: Index
    region: Index

    @staticmethod
    def of(counts: pd.DataFrame) -> _Cells:
        units, carriers = (counts[name].to_numpy(dtype=float) for name in ("units", "carriers"))
        numbers = (numbered(counts[name]) for name in ("session", "subject", "region"))
        return _Cells(units, carriers, *numbers)

    def kept(self, rows: NDArray[np.bool_]) -> _Cells:
        numbers = (numbered(column[rows]) for column in (self.session, self.subject, self.region))
        return _Cells(self.units[rows], self.carriers[rows], *numbers)


def reproducibility(counts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return for every label whether it comes back between sessions of a subject, and between subjects.

    Args:
        counts: of :func:`xcebra_nwb.assess.over_sessions.counts.count_units`.
        rng: of the shuffles and the resampled subjects.

    Returns:
        :data:`COLUMNS`, two rows a label. ``profile`` is a correlation, 1 where the same regions stand out every time;
        ``profile_p`` is its rank among :data:`DRAWS` data sets whose units were shuffled among the regions of their
        session. ``spread`` is a standard deviation of the share; ``spread_p`` is its rank among data sets whose units
        were shuffled among the sessions of their subject, or whose sessions were shuffled among the subjects. Intervals
        are over subjects. ``profiles`` is the number of subjects with a profile, ``compared`` that of sessions, or of
        subjects, whose share is compared. What cannot be known is NaN, and ``reason`` says why.
    """
    rows = []
    for label, of_label in counts.groupby("label", sort=False):
        summed_up = of_label.groupby(["session", "subject", "region"], sort=False)[["units", "carriers"]].sum()
        cells = _Cells.of(summed_up.reset_index())
        for between in ("sessions", "subjects"):
            row = {"label": str(label), "between": between, **_profile(cells, between, rng)}
            spread = _spread(cells, between, rng)
            reasons = [str(text) for text in (row.pop("why"), spread.pop("why")) if text]
            rows.append(row | spread | {"reason": "; ".join(dict.fromkeys(reasons))})
    return pd.DataFrame(rows, columns=list(COLUMNS))


# The profile over regions
# ------------------------


def _profile(cells: _Cells, between: str, rng: np.random.Generator) -> dict[str, object]:
    known = cells.kept(_usable(cells))
    unknown: dict[str, object] = dict.fromkeys((str(name) for name in COLUMNS[2:7]), np.nan)
    unknown |= {"profiles": 0, "why": ONE_REGION}
    if not len(known.units):
        return unknown
    member, pool, place = _members(known, between)
    terms = _terms(known, known.carriers[None], member, pool, place)[0]
    profile = _correlation(terms.sum(axis=-1)[None])[0]
    if not np.isfinite(profile):
        return unknown
    null = shuffled(known.carriers, known.units, known.session, DRAWS, rng)
    scores = _correlation(_terms(known, null, member, pool, place).sum(axis=-1))
    scores = np.where(np.isnan(scores), 0.0, scores)
    low, high = _interval(terms, _correlation, profile, rng, np.arctanh, np.tanh)
    return {
        "profile": profile,
        "profile_low": low,
        "profile_high": high,
        "profile_p": (1 + (scores >= profile).sum()) / (1 + DRAWS),
        "profile_null_high": float(np.quantile(scores, COVERAGE)),
        "profiles": int((terms[1] > 0).sum()),
        "why": "",
    }


def _usable(cells: _Cells) -> NDArray[np.bool_]:
    """The cells with enough units, of sessions that have two of them."""
    enough = cells.units >= LEAST_UNITS
    regions = summed(cells.session, enough.astype(float))
    return enough & (regions[cells.session] >= 2)


def _members(cells: _Cells, between: str) -> tuple[Index, Index, Index]:
    """The member and the pool of each cell, and the place of its region in the pool.

    A session is compared with the other sessions of its subject, a subject with all other subjects.
    """
    if between == "sessions":
        return cells.session, cells.subject, numbered(cells.subject, cells.region)
    return cells.subject, np.zeros_like(cells.subject), cells.region


def _terms(cells: _Cells, carriers: Values, member: Index, pool: Index, place: Index) -> Values:
    """The sums of a correlation (draw, 3, subject): of own by other profile, and of the square of each.

    A profile is the deviation of a region's share from that of the whole session, weighted by the region's units.
    """
    draws, sessions = len(carriers), int(cells.session.max()) + 1
    whole = _sums(cells.session, carriers, sessions) / summed(cells.session, cells.units, sessions)
    excess = carriers - whole[:, cells.session] * cells.units
    own = numbered(member, place)
    units = summed(own, cells.units)
    deviation = _sums(own, excess, len(units))
    first = np.unique(own, return_index=True)[1]
    places = place[first]
    others = summed(places, units)[places] - units
    rest = _sums(places, deviation, int(places.max()) + 1)[:, places] - deviation
    met = others > 0
    x, y = deviation / units, np.where(met, rest / np.where(met, others, 1), 0)
    weight = np.where(met, units, 0)
    subjects, of = int(cells.subject.max()) + 1, cells.subject[first]
    products = [weight * x * y, weight * x * x, weight * y * y]
    return np.stack([_sums(of, product, subjects) for product in products], axis=1).reshape(draws, 3, subjects)


def _sums(group: Index, values: Values, groups: int) -> Values:
    """Sums over groups of cells, (draw, group)."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    made = np.zeros((len(values), groups))
    made[:, group[order][starts]] = np.add.reduceat(values[:, order], starts, axis=1)
    return made


def _correlation(sums: Values) -> Values:
    """The correlation from its three sums (..., 3); NaN where a profile is flat or nothing comes back."""
    product, own, other = np.moveaxis(sums, -1, 0)
    scale = np.sqrt(own * other)
    return np.divide(product, scale, out=np.full(product.shape, np.nan), where=scale > 0)


# The spread between sessions
# ---------------------------


def _spread(cells: _Cells, between: str, rng: np.random.Generator) -> dict[str, object]:
    sessions = numbered(cells.subject, cells.session)
    subject = np.zeros(int(sessions.max()) + 1, dtype=np.intp)
    subject[sessions] = cells.subject
    several = np.bincount(subject)
    unknown: dict[str, object] = dict.fromkeys(("spread", "spread_low", "spread_high", "spread_p"), np.nan)
    if (between == "subjects" and len(several) < 2) or (between == "sessions" and several.max() < 2):
        return unknown | {"compared": 0, "why": SINGLE[between]}
    share = (summed(cells.region, cells.carriers) / summed(cells.region, cells.units))[cells.region]
    size = summed(sessions, cells.units)
    residual = _sums(sessions, (cells.carriers - share * cells.units)[None], len(size))
    alone = _sums(sessions, (cells.carriers * (1 - 2 * share) + cells.units * share**2)[None], len(size))
    terms = _pairs(residual, alone, size, subject)[0]
    measure = _between_sessions if between == "sessions" else _between_subjects
    variance = measure(terms.sum(axis=-1)[None])[0]
    if not np.isfinite(variance):
        return unknown | {"compared": 0, "why": SINGLE["sessions"]}
    null = measure(_null_pairs(cells, between, sessions, share, residual, alone, size, subject, rng).sum(axis=-1))
    low, high = _interval(terms, measure, variance, rng)
    return {
        "spread": _root(variance),
        "spread_low": _root(low),
        "spread_high": _root(high),
        "spread_p": (1 + (null >= variance * (1 - 1e-12)).sum()) / (1 + DRAWS),
        "compared": int(len(several) if between == "subjects" else several[several > 1].sum()),
        "why": "",
    }


def _null_pairs(
    cells: _Cells,
    between: str,
    sessions: Index,
    share: Values,
    residual: Values,
    alone: Values,
    size: Values,
    subject: Index,
    rng: np.random.Generator,
) -> Values:
    """The sums of data without a difference: units shuffled among sessions, or sessions among subjects."""
    if between == "sessions":
        carriers = shuffled(cells.carriers, cells.units, numbered(cells.subject, cells.region), DRAWS, rng)
        residuals = _sums(sessions, carriers - share * cells.units, len(size))
        alones = _sums(sessions, carriers * (1 - 2 * share) + cells.units * share**2, len(size))
        return _pairs(residuals, alones, size, subject)
    order = rng.permuted(np.tile(np.arange(len(size)), (DRAWS, 1)), axis=1)
    return np.concatenate([_pairs(residual[:, one], alone[:, one], size[one], subject) for one in order])


def _pairs(residual: Values, alone: Values, size: Values, subject: Index) -> Values:
    """Sums of products over pairs of units, and the numbers of pairs, (draw, 4, subject).

    Pairs of one session come first, then pairs of two sessions of one subject. A unit's residual is what it is (1 where
    it carries the label) minus the share of its region.
    """
    subjects = int(subject.max()) + 1
    squares = _sums(subject, residual**2, subjects)
    same = squares - _sums(subject, alone, subjects)
    other = _sums(subject, residual, subjects) ** 2 - squares
    sizes = _sums(subject, (size**2)[None], subjects)
    pairs = sizes - _sums(subject, size[None], subjects)
    other_pairs = _sums(subject, size[None], subjects) ** 2 - sizes
    shape = same.shape
    return np.stack([same, other, np.broadcast_to(pairs, shape), np.broadcast_to(other_pairs, shape)], axis=1)


def _between_sessions(sums: Values) -> Values:
    """The variance of the share between sessions of a subject, from sums (..., 4)."""
    same, other, pairs, other_pairs = np.moveaxis(sums, -1, 0)
    return _ratio(same, pairs) - _ratio(other, other_pairs)


def _between_subjects(sums: Values) -> Values:
    """The variance of the share between subjects: the covariance of two sessions of one."""
    return _ratio(sums[..., 1], sums[..., 3])


def _ratio(sums: Values, pairs: Values) -> Values:
    return np.divide(sums, pairs, out=np.full(sums.shape, np.nan), where=pairs > 0)


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0))) if np.isfinite(variance) else np.nan


# Intervals over subjects
# -----------------------


def _as_it_is(values: Values) -> Values:
    return values


def _interval(
    terms: Values,
    measure: Measure,
    value: float,
    rng: np.random.Generator,
    forth: Measure = _as_it_is,
    back: Measure = _as_it_is,
) -> tuple[float, float]:
    """Student's t interval of a measure of sums over subjects, with the error of resampled subjects; NaN with few."""
    terms = terms[:, terms.any(axis=0)]
    subjects = terms.shape[1]
    if subjects < LEAST:
        return np.nan, np.nan
    drawn = rng.multinomial(subjects, np.full(subjects, 1 / subjects), DRAWS)
    scores = forth(np.clip(measure(drawn @ terms.T), -0.9999, 0.9999))
    error = np.nanstd(scores, ddof=1) * np.sqrt(subjects / (subjects - 1))
    half = float(stdtrit(subjects - 1, (1 + COVERAGE) / 2)) * error
    middle = forth(np.clip(np.array(value), -0.9999, 0.9999))
    return float(back(middle - half)), float(back(middle + half))
