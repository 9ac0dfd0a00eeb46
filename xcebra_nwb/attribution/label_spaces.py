"""The spaces of a session's labels, cut into cells: as the label that is tested, and as one that is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution.information_test import Model
from xcebra_nwb.attribution.label_cells import Cells, label_cells
from xcebra_nwb.attribution.observed_activity import Groups
from xcebra_nwb.core.session import label_features, labels

Floats = NDArray[np.float64]
WIDTHS = (0.7, 1.5, 4.0)  # of the smoothers of a label's cells, in distances between neighbouring cells
SPLITS = 6  # of the space of a label
PRODUCT_WIDTHS, PRODUCT_SPLITS = (1.0,), (4, 3)  # of a label, and of another that it is read together with
GIVEN_SPLITS = 8  # of the space of each other label, and of all of them together
GIVEN_WIDTHS = (0.7, 1.5, 4.0, 12.0)


@dataclass(frozen=True, eq=False)
class Space:
    """The space of a label: its features at every sample (sample, feature), its cells, and coarse ones for products."""

    features: Floats
    cells: Cells  # of the label when it is tested
    coarse: Cells  # of the label when it is tested together with another
    other: Cells  # of the other one
    given: Cells  # of a label that the activity is expected from


def label_spaces(session: xr.Dataset, groups: Groups) -> dict[str, Space]:
    """Return the space of every label of the session."""
    bins, spaces = groups.bins[groups.middle], {}
    for name, variable in labels(session).items():
        kind = str(variable.attrs["kind"])
        features, discrete = label_features(variable.values[bins], kind), kind == "discrete"
        fine = label_cells(features, discrete, SPLITS, WIDTHS)
        given = label_cells(features, discrete, GIVEN_SPLITS, GIVEN_WIDTHS)
        coarse, other = (label_cells(features, discrete, splits, PRODUCT_WIDTHS) for splits in PRODUCT_SPLITS)
        spaces[name] = Space(features, fine, coarse, other, given)
    return spaces


def given_cells(spaces: dict[str, Space], name: str) -> list[Cells]:
    """Return the cells of every label but one, and of all of them together."""
    others = [space for other, space in spaces.items() if other != name]
    cells = [space.given for space in others]
    if len(others) > 1:
        cells.append(label_cells(np.hstack([space.features for space in others]), False, GIVEN_SPLITS, GIVEN_WIDTHS))
    return cells


def models(spaces: dict[str, Space], name: str) -> list[Model]:
    """Return the ways to read a label: alone, and together with each other label."""
    tested = spaces[name]
    pairs = [Model(tested.coarse, space.other) for other, space in spaces.items() if other != name]
    return [Model(tested.cells), *pairs]
