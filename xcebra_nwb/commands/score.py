"""score: compare the maps of simulated sessions with the true cell types, by which no command analyses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from xcebra_nwb.benchmark.simulate.truth import auroc_against_cell_types, cell_types
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.ground_truth import CARRIERS
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.safe_text import printable


def score(results: Path, table: Path) -> dict[str, dict[str, float]]:
    """Return the auROC of every label's map against the true cell types, by session.

    Args:
        results: Folder of the results.
        table: The table of sessions.

    Raises:
        Refusal: No session of the table is both done and simulated.
    """
    scores = {}
    for row in session_table.read(table):
        attribution = results / row.session / "attribution.nc"
        truth = cell_types(Path(row.source)) if Path(row.source).exists() and attribution.exists() else None
        if row.include and truth is not None:
            scores[row.session] = auroc_against_cell_types(load_dataset(attribution), truth, CARRIERS)
    if not scores:
        raise Refusal(
            Code.NOTHING_DONE, f"{table}: no simulated session is done", "run the workflow on the demo config first"
        )
    return scores


def render(scores: dict[str, dict[str, float]]) -> Table:
    """Return ``scores`` as a table for a terminal, with the mean over sessions."""
    labels = list(dict.fromkeys(label for by_label in scores.values() for label in by_label))
    columns = [escape(printable(label)) for label in labels]
    table = Table("session", *columns, title="auROC of the label map against the true cell types (chance 0.5)")
    for session, by_label in scores.items():
        table.add_row(session, *(f"{by_label.get(label, np.nan):.3f}" for label in labels))
    means = (np.mean([by_label[label] for by_label in scores.values() if label in by_label]) for label in labels)
    table.add_row("mean", *(f"{mean:.3f}" for mean in means), style="bold")
    return table
