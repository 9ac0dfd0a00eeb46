"""Figures of the quality of an extraction: when and why bins were taken out, and which labels correlate."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from xcebra_nwb.core.session import label_features, labels
from xcebra_nwb.report.style import CLASSES, FAINT, INK, MUTED, SEQUENCE, figure, percent, plain

COLUMNS = 1200  # of the strip
MOST_REASONS = len(CLASSES)  # drawn apart; the others together
MOST_BINS = 20_000  # that a correlation rests on
ALIKE = 0.7  # correlation from which two labels are hard to tell apart


def masks_figure(session: xr.Dataset) -> Figure:
    """Return when bins were taken out, coloured by the first reason of each."""
    reasons, masked = list(json.loads(session.attrs["masks"]).items()), session["masked_by"].values
    shown = [name for name, _ in reasons[: MOST_REASONS - (len(reasons) > MOST_REASONS)]]
    codes = np.minimum(masked, len(shown)) + 1  # 0: in use
    strip = np.asarray([_shown(part) for part in np.array_split(codes, min(COLUMNS, len(codes)))])
    names = ["in use", *shown, *(["other reasons"] if len(shown) < len(reasons) else [])]
    colors = ["#ffffff", *CLASSES[: len(names) - 1]]
    rows = (len(names) + 1) // 2
    drawn = figure(11, 1.0 + 0.22 * rows)
    axes = drawn.subplots()
    time = session["time"].values
    axes.imshow(
        strip[None, :], aspect="auto", extent=(time[0], time[-1], 0, 1), cmap=ListedColormap(colors),
        norm=BoundaryNorm(np.arange(-0.5, len(colors)), len(colors)), interpolation="nearest",
    )  # fmt: skip
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(True)
    shares = [np.mean(codes == code) for code in range(len(names))]
    keys = [
        Patch(facecolor=color, edgecolor=MUTED, label=f"{plain(name, 60)} ({percent(share, 1)})")
        for color, name, share in zip(colors, names, shares, strict=True)
    ]
    axes.legend(handles=keys, loc="upper left", bbox_to_anchor=(0, -0.35), ncols=2, borderaxespad=0)
    axes.set_title("why bins are not used")
    axes.set_xlabel("time (s)", loc="right")
    return drawn


def _shown(part: NDArray[np.int64]) -> int:
    """What a column of the strip shows: a reason if any bin of it was taken out, the commonest of them."""
    out = part[part > 0]
    return int(np.bincount(out).argmax()) if len(out) else 0


def correlations(session: xr.Dataset) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names of the labels and their correlations, 0 to 1.

    The first canonical correlation in the bins in use: of values, of cosine and sine of an angle, of being in a class.
    For two plain numbers it is Pearson's without its sign.

    Args:
        session: session.nc.

    Returns:
        The names, and the correlations (label, label).
    """
    bins = np.flatnonzero(session["valid"].values)
    bins = bins[np.linspace(0, len(bins) - 1, min(len(bins), MOST_BINS)).astype(int)]
    known_labels = labels(session)
    bases = [_basis(label_features(label.values[bins], str(label.attrs["kind"]))) for label in known_labels.values()]
    matrix = np.ones((len(bases), len(bases)))
    for row, basis in enumerate(bases):
        for column, other in enumerate(bases[:row]):
            strongest = np.linalg.norm(basis.T @ other, 2) if basis.shape[1] and other.shape[1] else 0.0
            matrix[row, column] = matrix[column, row] = min(float(strongest), 1.0)
    return list(known_labels), matrix


def _basis(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """An orthonormal basis (bin, direction) of what the features vary along."""
    left, scale, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    return left[:, scale > 1e-9 * max(float(scale.max(initial=0.0)), 1e-300)]


def correlation_figure(names: list[str], matrix: NDArray[np.float64]) -> Figure:
    """Return the correlations between labels as a matrix."""
    side = 1.6 + 0.5 * len(names)
    drawn = figure(side + 1.4, side)
    axes = drawn.subplots()
    image = axes.imshow(matrix, cmap=SEQUENCE, vmin=0, vmax=1)
    shown = [plain(name, 18) for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=35, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), shown, fontsize=8)
    for (row, column), value in np.ndenumerate(matrix):
        if row != column:
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=INK if value > 0.6 else "white")
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(FAINT)
    drawn.colorbar(image, ax=axes, pad=0.02, label="correlation")
    return drawn


def correlation_words(names: list[str], matrix: NDArray[np.float64]) -> str:
    """Return in words which labels are hard to tell apart.

    >>> correlation_words(["speed", "position"], np.array([[1.0, 0.2], [0.2, 1.0]]))
    'No two labels correlate along a line by 0.7 or more.'
    """
    pairs = [(matrix[i, j], names[j], names[i]) for i in range(len(names)) for j in range(i) if matrix[i, j] >= ALIKE]
    if not pairs:
        return f"No two labels correlate along a line by {ALIKE:g} or more."
    said = ", ".join(f"{label} and {other} ({value:.2f})" for value, label, other in sorted(pairs, reverse=True))
    return f"Hard to tell apart: {said}. The code of one may be borrowed from the other."
