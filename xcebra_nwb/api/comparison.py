"""``compare``: how many units carry a label, and how much it tells, over sessions and animals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from xcebra_nwb.assess.over_sessions import comparison
from xcebra_nwb.assess.over_sessions.estimates import By
from xcebra_nwb.commands.compare import compare as compare_folders
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.report.figures.forest import MOST, draw_forest
from xcebra_nwb.report.forest import forest_rows

BY: tuple[By, ...] = ("region", "subject", "label")


@dataclass(frozen=True)
class Comparison:
    """A comparison over sessions, the same as that of `xcebra-nwb compare`.

    Attributes:
        by: What the units of a label are divided by: region, subject or label.
        estimates: A row for each label (`total`), and for each label and part: `share` of tested units that carry the
            label and `information`, with 95 % intervals; docs/reference/results.md#estimatescsv-and-reproducibilitycsv.
        reproducibility: Whether shares come back between sessions and between subjects, with a null.
        may: What may be compared, in sentences.
        may_not: What may not.
    """

    by: str
    estimates: pd.DataFrame
    reproducibility: pd.DataFrame
    may: tuple[str, ...]
    may_not: tuple[str, ...]
    _compared: comparison.Comparison

    def plot(self, axes: tuple[Axes, Axes] | None = None) -> tuple[Axes, Axes]:
        """Draw the share of units that carry each label, and beside it what the label tells about a unit.

        Args:
            axes: Two axes that share their lines; None makes new ones.

        Raises:
            UsageError: No unit was tested.
        """
        rows = forest_rows(self._compared)
        if rows.empty:
            raise UsageError("no unit was tested, so there is nothing to draw", "run the sessions first")
        rows = rows.head(MOST)
        if axes is None:
            import matplotlib.pyplot as plt

            size = (7.0, 0.9 + 0.19 * len(rows))
            _, made = plt.subplots(1, 2, sharey=True, width_ratios=[3, 2], figsize=size, layout="constrained")
            axes = made[0], made[1]
        draw_forest(*axes, self._compared, rows)
        return axes


def compare(
    paths: Path | str | Sequence[Path | str], by: By = "region", labels: Sequence[str] = (), apart: bool = False
) -> Comparison:
    """Return what the sessions of one run or several have in common.

    Args:
        paths: Folders of runs, each with its atlas.parquet.
        by: `region`, `subject` or `label`.
        labels: Names of the labels; none for all.
        apart: Whether sessions and subjects of one name in two folders are different ones.

    Raises:
        UsageError: A folder has no atlas, a label is nowhere, or a session is in two folders.

    Examples:
        >>> import xcebra_nwb
        >>> xcebra_nwb.compare(["no-such-run"])
        Traceback (most recent call last):
        xcebra_nwb.core.errors.UsageError: no-such-run/atlas.parquet: no atlas (give the folder of a run, ...)
    """
    if by not in BY:
        raise UsageError(f"by: {by!r}", f"one of {', '.join(BY)}")
    folders = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    found = compare_folders(folders, by, labels, apart)
    rows: Any = forest_rows(found).drop(columns="part")
    return Comparison(by, rows, found.returns, comparison.MAY, comparison.MAY_NOT, found)
