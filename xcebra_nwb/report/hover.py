"""Parts of a drawn figure that say something under the pointer: bars, cells of a matrix, and points of units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from xcebra_nwb.report.style import Spot, number

MOST_SPOTS = 300  # of a figure; more would weigh more than the figure
REACH = 5.0  # half the side of the spot of a point, in dots of the figure


def bar_spots(drawn: Figure, axes: Axes, say: Callable[[int, Rectangle], str]) -> list[Spot]:
    """Return a spot for each bar of an axes.

    Args:
        drawn: the figure, laid out.
        axes: that has the bars.
        say: words for a bar, by its number and its rectangle.
    """
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)][:MOST_SPOTS]
    return [_spot(drawn, bar.get_window_extent(), say(place, bar)) for place, bar in enumerate(bars)]


def count_spots(drawn: Figure, axes: Axes, things: str, units: str, upright: bool = True) -> list[Spot]:
    """Return a spot for each bar of a histogram: how many things lie between its edges.

    Args:
        drawn: the figure, laid out.
        axes: that has the bars.
        things: that are counted, such as units.
        units: of the values; the values of a polar axes are angles in rad, and said in degrees.
        upright: whether bars stand upright.
    """
    factor, units = (180 / np.pi, "°") if axes.name == "polar" else (1.0, units)

    def say(place: int, bar: Rectangle) -> str:
        (first, size), count = ((bar.get_x(), bar.get_width()), bar.get_height())
        if not upright:
            (first, size), count = ((bar.get_y(), bar.get_height()), bar.get_width())
        low, high = (number(factor * float(end), 3) for end in (first, first + size))
        return f"{low} to {high} {units}".rstrip() + f": {number(round(float(count)))} {things}"

    return bar_spots(drawn, axes, say)


def cell_spots(drawn: Figure, axes: Axes, names: Sequence[str], matrix: NDArray[np.float64]) -> list[Spot]:
    """Return a spot for each cell of a square matrix beside its diagonal.

    Args:
        drawn: the figure, laid out.
        axes: that has the matrix.
        names: of rows and columns.
        matrix: the values, (name, name).
    """
    cells = [(row, column) for row in range(len(names)) for column in range(len(names)) if row != column]
    return [
        _spot(
            drawn,
            Bbox(axes.transData.transform([(column - 0.5, row + 0.5), (column + 0.5, row - 0.5)])),
            f"{names[row]} and {names[column]}: {number(float(matrix[row, column]), 2)}",
        )
        for row, column in cells[:MOST_SPOTS]
    ]


def point_spots(
    drawn: Figure, axes: Axes, places: NDArray[np.float64], say: Sequence[str], addresses: Sequence[str]
) -> Iterator[Spot]:
    """Yield a spot for each point of an axes, unless there are too many.

    Args:
        drawn: the figure, laid out.
        axes: that has the points.
        places: of the points in the data's values, (point, 2).
        say: words for each point.
        addresses: that the points lead to.
    """
    if len(places) > MOST_SPOTS:
        return
    for (x, y), words, address in zip(axes.transData.transform(places).tolist(), say, addresses, strict=True):
        if np.isfinite([x, y]).all():
            yield _spot(drawn, Bbox.from_extents(x - REACH, y - REACH, x + REACH, y + REACH), words, address)


def _spot(drawn: Figure, box: Bbox, words: str, address: str = "") -> Spot:
    (left, bottom), (right, top) = drawn.transFigure.inverted().transform([(box.xmin, box.ymin), (box.xmax, box.ymax)])
    x, y = np.clip([left, right], 0, 1), np.clip([1 - top, 1 - bottom], 0, 1)
    sides = (x[0], y[0], x[1] - x[0], y[1] - y[0])
    return Spot(address, words, *(round(100 * float(side), 2) for side in sides))
