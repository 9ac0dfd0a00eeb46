"""Metrics of a map against the truth: does it tell the units that carry a latent from those that do not?

The area under the ROC curve (auROC) is 0.5 by chance and 1 when every unit that carries stands above every one that
does not. Over a whole map at once ("pooled") it also rewards rows of different size: a map that is constant in every
row, and so says nothing of any unit, can score 0.9. Hence :func:`trivial_auroc` beside it, and :func:`row_auroc`, which
compares units within a row only. Maps and truths are ``(latent, unit)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.neighbors import KNeighborsRegressor

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
Score = dict[str, Any]  # one row of the table of scores


def auroc(values: NDArray, truth: Truth) -> float:
    """Return the auROC of the known values; NaN if the truth has one value only.

    Args:
        values: of any shape.
        truth: of the same shape.

    >>> auroc(np.array([0.1, 0.9, np.nan]), np.array([False, True, True]))
    1.0
    """
    known = np.isfinite(values)
    values, truth = values[known], truth[known]
    if truth.all() or not truth.any():
        return float("nan")
    return float(roc_auc_score(truth, values))


def row_auroc(values: Floats, truth: Truth) -> float:
    """Return the mean auROC over rows, each compared within itself.

    Rows count in which some units carry and others do not; NaN without any.

    Args:
        values: (latent, unit).
        truth: (latent, unit).

    >>> row_auroc(np.array([[0.1, 0.9], [5.0, 5.0]]), np.array([[False, True], [True, True]]))
    1.0
    """
    mixed = truth.any(axis=1) & ~truth.all(axis=1)
    scores = [auroc(row, true) for row, true in zip(values[mixed], truth[mixed], strict=True)]
    return float(np.mean(scores)) if scores else float("nan")


def trivial_auroc(truth: Truth) -> float:
    """Return the pooled auROC of a map that only knows the size of every row.

    Args:
        truth: (latent, unit).

    >>> trivial_auroc(np.array([[True, True], [True, False]]))
    0.8333333333333333
    """
    share = truth.mean(axis=1, keepdims=True)
    return auroc(np.broadcast_to(share, truth.shape), truth)


def linear_r2(predictors: Floats, targets: Floats) -> float:
    """Return how much of the targets a linear map explains.

    It is fitted on the even and scored on the odd samples.

    Args:
        predictors: (sample, latent).
        targets: (sample, axis).

    Returns:
        R2, mean over axes.

    >>> line = np.arange(10.0)[:, None]
    >>> round(linear_r2(line, 2 * line + 1), 6)
    1.0
    """
    fitted = LinearRegression().fit(predictors[::2], targets[::2])
    return float(fitted.score(predictors[1::2], targets[1::2]))


def neighbour_r2(predictors: Floats, targets: Floats) -> float:
    """Return how much of the targets the five nearest neighbours explain.

    They are fitted on the even and scored on the odd samples.

    Args:
        predictors: (sample, latent).
        targets: (sample, axis).

    Returns:
        R2, mean over axes.

    >>> line = np.arange(100.0)[:, None]
    >>> neighbour_r2(line, line) > 0.99
    True
    """
    fitted = KNeighborsRegressor(5).fit(predictors[::2], targets[::2])
    return float(r2_score(targets[1::2], fitted.predict(predictors[1::2])))


def clipped_sample_share(latents: Floats, clip: float | None) -> float:
    """Return the share of samples with an output at the clip.

    Args:
        latents: (sample, latent).
        clip: the largest absolute value of an output; None for an encoder without a clip, whose share is 0.

    >>> clipped_sample_share(np.array([[5.0, 0.0], [1.0, 1.0]]), 5.0)
    0.5
    """
    if clip is None:
        return 0.0
    return float((np.abs(latents) >= clip).any(axis=1).mean())
