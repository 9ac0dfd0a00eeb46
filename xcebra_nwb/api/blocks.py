"""Cross-validation by blocks of time, for data in which neighbouring bins are alike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples


class BlockSplit(BaseCrossValidator):
    """Splits of time into contiguous test blocks, with a gap on both sides of each.

    A random split would put each test bin between two training bins that are nearly equal to it, so that any encoder
    would score well.

    Args:
        n_splits: Number of blocks; each is the test set once.
        gap: Bins on both sides of the test block that are in neither set.

    Examples:
        >>> import xcebra_nwb
        >>> for train, test in xcebra_nwb.BlockSplit(2, gap=1).split(range(6)):
        ...     print(train.tolist(), test.tolist())
        [4, 5] [0, 1, 2]
        [0, 1] [3, 4, 5]
    """

    def __init__(self, n_splits: int = 5, *, gap: int = 0) -> None:
        self.n_splits, self.gap = n_splits, gap

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield the training and the test bins of each split, in order of time.

        Args:
            X: Activity (time, unit); its length alone counts.
            y: Without effect.
            groups: Without effect.

        Raises:
            ValueError: There are fewer bins than blocks, or fewer than two blocks.
        """
        count = _num_samples(X)
        if not 2 <= self.n_splits <= count:
            raise ValueError(f"n_splits={self.n_splits}: 2 or more, and at most the number of bins, {count}")
        edges = np.linspace(0, count, self.n_splits + 1).astype(int)
        every = np.arange(count)
        for start, stop in pairwise(edges.tolist()):
            yield every[(every < start - self.gap) | (every >= stop + self.gap)], every[start:stop]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits."""
        return self.n_splits
