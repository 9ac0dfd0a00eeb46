"""summarize: results of all sessions -> summary.html, the tables beside it, and a status.json for each session."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from xcebra_nwb.assess.over_sessions.comparison import Comparison, compare
from xcebra_nwb.core import session_table
from xcebra_nwb.core.files import write_json, write_text
from xcebra_nwb.core.folders import check_run
from xcebra_nwb.core.result_files import save_summary
from xcebra_nwb.report import atlas
from xcebra_nwb.report.forest import forest_rows
from xcebra_nwb.report.outcome import Outcome, session_outcome
from xcebra_nwb.report.pages.summary import of_sessions, of_units, summary_page


def summarize(results: Path, table: Path) -> list[Path]:
    """Write the summary, the atlas, the comparison over sessions and each session's status; return their paths.

    A session whose files are missing or damaged is reported as failed; it never stops the summary.

    Args:
        results: Folder of the results.
        table: The table of sessions.

    Raises:
        UsageError: The table cannot be read, or a link leads a session's folder elsewhere.
    """
    rows = session_table.read(table)
    check_run(results, (row.session for row in rows))
    outcomes = [session_outcome(results, row) for row in rows]
    written = [_write_status(results, outcome) for outcome in outcomes if outcome.status is not None]
    joined = atlas.join([outcome.atlas for outcome in outcomes if outcome.atlas is not None])
    random_seed = next((outcome.random_seed for outcome in outcomes if outcome.atlas is not None), 0)
    compared = compare(joined, "region", random_seed)
    atlas_path, page_path = results / "atlas.parquet", results / "summary.html"
    atlas.save(joined, atlas_path, random_seed)
    tables = _save_tables(results, outcomes, joined, compared)
    write_text(page_path, summary_page(results, outcomes, joined, compared))
    files = [*written, atlas_path, *tables, page_path]
    save_summary(files, results)
    return files


def _save_tables(results: Path, outcomes: list[Outcome], joined: pd.DataFrame, compared: Comparison) -> list[Path]:
    """Write the tables of the page as CSV, for spreadsheets."""
    tables = {
        "atlas.csv": of_units(joined),
        "sessions.csv": of_sessions(outcomes),
        "estimates.csv": forest_rows(compared).drop(columns="part"),
        "reproducibility.csv": compared.returns,
    }
    for name, table in tables.items():
        atlas.save_csv(table, results / name)
    return [results / name for name in tables]


def _write_status(results: Path, outcome: Outcome) -> Path:
    assert outcome.status is not None
    path = results / outcome.row.session / "status.json"
    write_json(path, outcome.status.model_dump(by_alias=True))
    return path
