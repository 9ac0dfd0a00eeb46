"""Counts of carriers as they would be if it did not matter in which region, or in which session, a unit is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def shuffled(carriers: Values, units: Values, block: NDArray[np.intp], draws: int, rng: np.random.Generator) -> Values:
    """Return carriers (draw, cell) after units were shuffled among the cells of their block.

    Every cell keeps its number of units and every block its number of carriers, so the draws are exact for units that
    are alike within a block. Blocks are drawn cell by cell from the hypergeometric distribution.

    Args:
        carriers: of each cell (cell,).
        units: of each cell (cell,).
        block: number of each cell's block, from 0 (cell,).
        draws: number of draws.
        rng: of the draws.

    >>> one = shuffled(np.array([3.0, 0.0]), np.array([3.0, 3.0]), np.array([0, 0]), 4, np.random.default_rng(0))
    >>> one.sum(axis=1).tolist()
    [3.0, 3.0, 3.0, 3.0]
    """
    blocks = int(block.max()) + 1
    made = np.zeros((draws, len(units)))
    units_left = np.bincount(block, weights=units, minlength=blocks).astype(np.int64)
    carriers_left = np.tile(np.bincount(block, weights=carriers, minlength=blocks).astype(np.int64), (draws, 1))
    for cells in _ranks(block):  # the first cell of every block, then the second, ...
        of, taken = block[cells], units[cells].astype(np.int64)
        good = carriers_left[:, of]
        drawn = rng.hypergeometric(good, units_left[of] - good, taken)
        made[:, cells] = drawn
        carriers_left[:, of] -= drawn
        units_left[of] -= taken
    return made


def _ranks(block: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The cells that are first in their block, those that are second, and so on."""
    order = np.argsort(block, kind="stable")
    starts = np.searchsorted(block[order], block[order])
    rank = np.arange(len(block)) - starts
    return [order[rank == place] for place in range(int(rank.max()) + 1)]
