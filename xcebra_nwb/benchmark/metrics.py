"""How well a map tells the units that carry a latent from those that do not.

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
    """Return the auROC of what is known of ``values`` for ``truth`` of the same shape; NaN if all are alike true."""
    known = np.isfinite(values)
    values, truth = values[known], truth[known]
    if truth.all() or not truth.any():
        return float("nan")
    return float(roc_auc_score(truth, values))


def row_auroc(values: Floats, truth: Truth) -> float:
    """Return the mean auROC over the rows that hold both units that carry and units that do not; NaN without any."""
    mixed = truth.any(axis=1) & ~truth.all(axis=1)
    scores = [auroc(row, true) for row, true in zip(values[mixed], truth[mixed], strict=True)]
    return float(np.mean(scores)) if scores else float("nan")


def trivial_auroc(truth: Truth) -> float:
    """Return the pooled auROC of a map that knows the size of every row and nothing of any unit."""
    share = truth.mean(axis=1, keepdims=True)
    return auroc(np.broadcast_to(share, truth.shape), truth)


def linear_r2(predictors: Floats, targets: Floats) -> float:
    """Return how much of ``targets`` (sample, axis) a linear map of ``predictors`` (sample, latent) explains.

    Fitted on the even and scored on the odd samples; the mean over axes.
    """
    fitted = LinearRegression().fit(predictors[::2], targets[::2])
    return float(fitted.score(predictors[1::2], targets[1::2]))


def neighbour_r2(predictors: Floats, targets: Floats) -> float:
    """Return how much of ``targets`` the five nearest neighbours in ``predictors`` explain; see :func:`linear_r2`."""
    fitted = KNeighborsRegressor(5).fit(predictors[::2], targets[::2])
    return float(r2_score(targets[1::2], fitted.predict(predictors[1::2])))


def saturated_share(latents: Floats, clip: float | None) -> float:
    """Return the share of samples of ``latents`` (sample, latent) with an output at the encoder's bound."""
    if clip is None:
        return 0.0
    return float((np.abs(latents) >= clip).any(axis=1).mean())
