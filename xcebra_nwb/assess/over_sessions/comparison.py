"""All that a comparison over sessions says: the page of a run and the command ``compare`` show the same numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcebra_nwb.assess.over_sessions.counts import count_units
from xcebra_nwb.assess.over_sessions.estimates import By, estimates
from xcebra_nwb.assess.over_sessions.reproducibility import reproducibility

PURPOSE = 16  # of the random draws, apart from all others of the same seed
MAY = (
    "Shares of units that carry a label: each unit was tested against shuffled labels of its own session.",
    "Information of units in one measure: bits a spike with bits a spike, shares of the variance among themselves.",
    "Verdicts, and z and q of a share: they count from the session's own nulls.",
)
MAY_NOT = (
    "Attributions: their scale is that of a session's encoders. Compare z, or sessions of one latent space.",
    "Latents, unless the sessions were trained together.",
    "Labels that share a name and differ in meaning, and regions that two labs name alike and delimit differently.",
    "Shares of few units, and shares of units that were chosen by what they carry.",
    "Shares of sessions that differ much in length or noise: a short session finds fewer units that carry a label.",
)


@dataclass(frozen=True)
class Comparison:
    """The estimates of labels over sessions.

    Attributes:
        by: what the units of a label are divided by.
        rows: of each label and region, or subject; see :func:`.estimates.estimates`.
        totals: of each label over all units.
        returns: whether labels come back; see :func:`.reproducibility.reproducibility`.
    """

    by: By
    rows: pd.DataFrame
    totals: pd.DataFrame
    returns: pd.DataFrame


def compare(atlas: pd.DataFrame, by: By, random_seed: int) -> Comparison:
    """Return the comparison of all sessions of an atlas.

    Args:
        atlas: a row for each session, unit, label and method.
        by: region, subject or label.
        random_seed: ``random_seed`` of the config.
    """
    counts = count_units(atlas)
    totals, rng = estimates(counts, "label"), np.random.default_rng([random_seed, PURPOSE])
    rows = totals if by == "label" else estimates(counts, by)
    returns = reproducibility(counts, rng)
    place = {label: number for number, label in enumerate(totals["label"])}
    of = returns["label"].map(place).to_numpy(dtype=float)
    return Comparison(by, rows, totals, returns.iloc[np.argsort(of, kind="stable")].reset_index(drop=True))
