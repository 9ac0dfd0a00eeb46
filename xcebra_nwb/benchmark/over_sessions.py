"""Calibration of the comparison over sessions: how often intervals hold, and how often nothing looks like something.

``python -m xcebra_nwb.benchmark.over_sessions`` simulates many data sets of known shares and prints how often the 95 %
intervals of :mod:`xcebra_nwb.assess.over_sessions` hold the truth, beside those of a bootstrap of subjects, sessions
and units, and how often its tests say that there is a difference where there is none.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from xcebra_nwb.assess.over_sessions.counts import KEYS, SUMS
from xcebra_nwb.assess.over_sessions.estimates import estimates
from xcebra_nwb.assess.over_sessions.reproducibility import reproducibility

LEVEL = 0.05
RESAMPLED = 300
MOST_RESAMPLED = 10  # subjects of a data set that is resampled, for comparison
Values = NDArray[np.float64]


class Truth(NamedTuple):
    """A population of subjects: shares on the log-odds scale, and what the label tells about units.

    Attributes:
        subjects: number of subjects.
        share: the share of units that carry the label, of a subject in the middle.
        by_subject: standard deviation of its log odds between subjects.
        by_session: the same between sessions of a subject.
        regions: the log odds of each region, beyond the share.
    """

    subjects: int
    share: float = 0.3
    by_subject: float = 0.8
    by_session: float = 0.4
    regions: tuple[float, ...] = (0.0,)

    def expected(self) -> float:
        """Return the share that a unit of any subject has, over many subjects."""
        draws = np.random.default_rng(0).standard_normal(400_000)
        spread = float(np.hypot(self.by_subject, self.by_session))
        return float(np.mean([expit(logit(self.share) + spread * draws + region).mean() for region in self.regions]))


SCENARIOS: dict[str, dict[str, Any]] = {
    "subjects differ": {},
    "no difference": {"by_subject": 0.0, "by_session": 0.0},
    "few units carry": {"share": 0.05},
    "hardly any": {"share": 0.01, "by_subject": 0.5},
}
INFORMATION = 0.1  # mean over units; its differences between subjects and units are skewed


def simulate(truth: Truth, rng: np.random.Generator) -> pd.DataFrame:
    """Return the counts of a data set: 1 to 6 sessions a subject, about 30 units a region.

    Args:
        truth: the population.
        rng: of all draws.
    """
    rows = []
    for subject in range(truth.subjects):
        of_subject = truth.by_subject * rng.standard_normal()
        level = INFORMATION * rng.gamma(4, 1 / 4)
        for session in range(rng.integers(1, 7)):
            odds = logit(truth.share) + of_subject + truth.by_session * rng.standard_normal()
            for region, beyond in enumerate(truth.regions):
                units = max(3, int(rng.lognormal(3.3, 0.6)))
                told = rng.gamma(0.5, 2 * level, units)
                carriers = rng.binomial(units, expit(odds + beyond))
                names = (f"{subject}-{session}", str(subject), "label", str(region), "bit/spike", "supported")
                rows.append((*names, units, carriers, told.sum(), (told**2).sum()))
    return pd.DataFrame(rows, columns=[*KEYS, *SUMS])


def bootstrapped(counts: pd.DataFrame, rng: np.random.Generator) -> tuple[float, float]:
    """Return the middle 95 % of shares of resampled subjects, sessions and units, for comparison.

    Args:
        counts: of a data set of one region.
        rng: of the draws.
    """
    by_subject = [of for _, of in counts.groupby("subject")]
    sessions = np.array([len(of) for of in by_subject])
    units, carriers = np.zeros((2, len(by_subject), sessions.max()))
    for number, of in enumerate(by_subject):
        units[number, : len(of)], carriers[number, : len(of)] = of["units"], of["carriers"]
    subject = rng.integers(0, len(by_subject), (RESAMPLED, len(by_subject), 1))
    session = (rng.random((RESAMPLED, len(by_subject), units.shape[1])) * sessions[subject]).astype(int)
    drawn = np.arange(units.shape[1]) < sessions[subject]
    size = np.where(drawn, units[subject, session], 0)
    found = rng.binomial(size.astype(int), carriers[subject, session] / units[subject, session])
    shares = found.sum(axis=(1, 2)) / size.sum(axis=(1, 2))
    low, high = np.quantile(shares, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def data_sets(truth: Truth, sets: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the counts of many data sets; each is a label of its own.

    Args:
        truth: the population.
        sets: number of data sets.
        rng: of all draws.
    """
    return pd.concat([simulate(truth, rng).assign(label=str(number)) for number in range(sets)], ignore_index=True)


def coverage(truth: Truth, sets: int, rng: np.random.Generator, *, bootstrap: bool = True) -> dict[str, float]:
    """Return how often the intervals of share and information hold the truth, and their mean width.

    Args:
        truth: the population.
        sets: number of data sets.
        rng: of all draws.
        bootstrap: whether to resample subjects, sessions and units as well, for comparison.
    """
    expected, counts = truth.expected(), data_sets(truth, sets, rng)
    found = estimates(counts, "label")
    held = {
        "share": (found["share_low"] <= expected) & (expected <= found["share_high"]),
        "width": found["share_high"] - found["share_low"],
        "information": (found["information_low"] <= INFORMATION) & (found["information_high"] >= INFORMATION),
    }
    if bootstrap and truth.subjects <= MOST_RESAMPLED:
        low, high = np.transpose([bootstrapped(of, rng) for _, of in counts.groupby("label", sort=False)])
        held |= {"bootstrap": pd.Series((low <= expected) & (expected <= high)), "its width": pd.Series(high - low)}
    return {name: float(values.mean()) for name, values in held.items()}


def false_alarms(truth: Truth, sets: int, rng: np.random.Generator) -> dict[str, float]:
    """Return how often each test of reproducibility has p of at most 0.05.

    Args:
        truth: the population.
        sets: number of data sets.
        rng: of all draws.
    """
    rows = reproducibility(data_sets(truth, sets, rng), rng)
    tests = [(test, between) for test in ("profile", "spread") for between in ("sessions", "subjects")]
    alarms = {name: rows.loc[rows["between"] == name[1], f"{name[0]}_p"] for name in tests}
    known = {name: p.dropna() for name, p in alarms.items()}
    return {f"{test} between {between}": float((known[test, between] <= LEVEL).mean()) for test, between in tests}


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=400, help="data sets of each row")
    sets, rng = parser.parse_args(arguments).sets, np.random.default_rng(0)
    for name, changes in SCENARIOS.items():
        held = [{"subjects": count, **coverage(Truth(count, **changes), sets, rng)} for count in (3, 5, 10, 40)]
        print(f"{name}\n{pd.DataFrame(held).to_string(index=False, float_format='%.3f')}", flush=True)
    three = (0.0, 0.0, 0.0)
    alike = [
        {"subjects": subjects, "regions": len(regions), **false_alarms(Truth(subjects, 0.3, 0, 0, regions), sets, rng)}
        for subjects in (3, 10)
        for regions in (three[:1], three)
    ]
    print(pd.DataFrame(alike).to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
