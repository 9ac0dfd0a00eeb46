"""Small vector graphics as text: paths of whole numbers, so that thousands of them fit on a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray
from PIL import Image

from xcebra_nwb.core.safe_text import printable

Values = NDArray[np.float64]
Points = Sequence[tuple[int, int] | None]  # None: a gap


def runs(points: Points) -> Iterator[list[tuple[int, int]]]:
    """Yield the runs of points between gaps.

    >>> list(runs([(0, 1), None, (2, 3), (3, 3)]))
    [[(0, 1)], [(2, 3), (3, 3)]]
    """
    run: list[tuple[int, int]] = []
    for point in points:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run


def line(points: Points) -> str:
    """Return the path of a line with gaps; a point alone is a dot where lines have round ends.

    >>> line([(0, 10), (4, 12), None, (12, 9)])
    'M0 10l4+2M12 9h0'
    """
    return "".join(_start(run) + (_steps(run) or "h0") for run in runs(points))


def band(upper: Points, lower: Points) -> str:
    """Return the path of an area between two lines with the same gaps.

    >>> band([(0, 2), (4, 1)], [(0, 8), (4, 9)])
    'M0 2l4-1 0+8-4-1z'
    """
    parts = []
    for above, below in zip(runs(upper), runs(lower), strict=True):
        around = [*above, *reversed(below)]
        parts.append(f"{_start(around)}{_steps(around)}z")
    return "".join(parts)


def dots(points: Points) -> str:
    """Return a path of dots, for lines with round ends.

    >>> dots([(1, 2), None, (3, 4)])
    'M1 2h0M3 4h0'
    """
    return "".join(f"M{point[0]} {point[1]}h0" for point in points if point is not None)


def text(x: float, y: float, words: str, anchor: str = "") -> str:
    """Return a text element; the words are escaped.

    >>> text(6, 10.5, "a < b", "end")
    '<text x="6" y="10.5" text-anchor="end">a &lt; b</text>'
    """
    at = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}"{at}>{escape(printable(words))}</text>'


def pixels(values: Values, colors: NDArray[np.uint8]) -> str:
    """Return a ``data:`` address of a picture with a pixel for each value, the first row on top.

    Args:
        values: from 0 to 1, (row, column); a pixel is transparent where it is NaN.
        colors: from the lowest to the highest value, (color, 3).
    """
    known = np.isfinite(values)
    steps = np.rint(np.clip(np.where(known, values, 0), 0, 1) * (len(colors) - 1))
    levels = np.where(known, steps + 1, 0).astype(np.uint8)
    image, packed = Image.fromarray(levels), io.BytesIO()
    image.putpalette([255, 255, 255, *colors.reshape(-1).tolist()])
    image.save(packed, format="png", transparency=0)
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode("ascii")


def _start(run: list[tuple[int, int]]) -> str:
    return f"M{run[0][0]} {run[0][1]}"


def _steps(run: list[tuple[int, int]]) -> str:
    """The steps from point to point; signs separate numbers, which keeps paths short."""
    text = ""
    for (x, y), (following_x, following_y) in pairwise(run):
        across = following_x - x
        text += f"{' ' if text and across >= 0 else ''}{across}{following_y - y:+d}"
    return f"l{text}" if text else ""
