"""Whether two sources were timed in the same unit: seconds beside milliseconds, or beside sample numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.times import outliers

APART = 300.0  # times as long: activity and behaviour of one session never differ so, seconds and milliseconds do


def check_same_unit(neural: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> None:
    """Raise :class:`Refusal` where a label lasts hundreds of times as long as the neural data, or the other way round.

    Args:
        neural: times of every neural source by its path, s as the file has it.
        labels: the same of the labels.
    """
    for path, times in neural.items():
        for source, others in labels.items():
            lasts, other = lasting(times), lasting(others)
            if min(lasts, other) > 0 and max(lasts, other) > APART * min(lasts, other):
                raise Refusal(
                    Code.TIMES_NOT_TRUSTED,
                    f"{path} lasts {lasts:.4g} s and {source} {other:.4g} s: like seconds and milliseconds, or samples",
                    "write both in seconds, or name the times to trust in time.within: [start, stop]",
                )


def lasting(times: np.ndarray) -> float:
    """Return how long ``times`` last, s, without absurd ones."""
    finite = times[np.isfinite(times)]
    far = outliers(finite)
    kept = finite[~np.isin(finite, far)] if len(far) else finite
    return float(np.ptp(kept)) if len(kept) else 0.0
