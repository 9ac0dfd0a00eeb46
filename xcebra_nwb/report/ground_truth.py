"""What was found in a simulated recording, beside its truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xcebra_nwb.core.ground_truth import CARRIERS, TRUE_TYPE
from xcebra_nwb.report.unit_map import UnitMap
from xcebra_nwb.report.wording import listed

COLUMN = "true type"
BY_CONSTRUCTION = "●"


def true_types(session: xr.Dataset) -> list[str] | None:
    """Return the true type of every unit; None for a recording whose truth nobody knows.

    Args:
        session: session.nc.
    """
    return session[TRUE_TYPE].values.astype(str).tolist() if TRUE_TYPE in session.coords else None


def truth_section(types: Sequence[str] | None, maps: Mapping[str, UnitMap]) -> dict[str, Any] | None:
    """Return the table of true types by labels, and its words; None where the truth is not known.

    Args:
        types: true type of every unit.
        maps: of each label.
    """
    if types is None:
        return None
    kinds = np.asarray(types)
    known = [label for label in maps if label in CARRIERS and np.isfinite(maps[label].information_q).any()]
    rows = [
        [
            kind.replace("_", " "),
            int((kinds == kind).sum()),
            *(_cell(kinds == kind, kind, maps[label]) for label in known),
        ]
        for kind in dict.fromkeys(kinds.tolist())
    ]
    return {
        "columns": [COLUMN, "units", *(f"carry {label}" for label in known)],
        "rows": rows,
        "sentences": [_sentence(kinds, label, maps[label]) for label in known],
        "left_out": listed([label for label in maps if label not in known]),
    }


def _cell(chosen: np.ndarray, kind: str, shown: UnitMap) -> str:
    found = f"{int(shown.carries[chosen].sum())} of {int(chosen.sum())}"
    return f"{found} {BY_CONSTRUCTION}" if kind in CARRIERS[shown.label] else found


def _sentence(kinds: np.ndarray, label: str, shown: UnitMap) -> str:
    carries = np.isin(kinds, list(CARRIERS[label]))
    hits, others = int(shown.carries[carries].sum()), int(shown.carries[~carries].sum())
    right = f"{hits} of the {int(carries.sum())} units that carry it by construction were found"
    wrong = f"{others} of the {int((~carries).sum())} others were taken for carriers"
    return f"{label}: {right}, and {wrong}."
