"""How much spike counts are smoothed when the config leaves it to us."""

from __future__ import annotations

import math

LEAST, MOST = 0.1, 0.5  # s, standard deviation of the Gaussian
SPIKES_SEEN = 10.0  # spikes of the population under the Gaussian, on average


def automatic_smoothing(kind: str, architecture: str, population_rate: float) -> float:
    """Return the standard deviation (s) of the Gaussian that activity is smoothed with.

    An encoder of one bin sees spike counts smoothed so that the Gaussian, whose width is ``2 sqrt(pi)`` standard
    deviations, holds ten spikes of the whole population, between 0.1 and 0.5 s: a sparse recording needs more than a
    dense one. conv10 sees ten bins and smooths itself; rates and calcium are smooth already.

    Args:
        kind: of the activity.
        architecture: of the encoder.
        population_rate: spikes of all units together, Hz.
    """
    if kind != "spikes" or architecture != "mlp":
        return 0.0
    wanted = SPIKES_SEEN / (2 * math.sqrt(math.pi) * max(population_rate, 1e-9))
    return round(min(max(wanted, LEAST), MOST), 2)
