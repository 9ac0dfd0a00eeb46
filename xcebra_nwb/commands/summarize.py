"""summarize: results of all sessions -> summary.html, atlas.parquet and a status.json for each session."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.core import session_table
from xcebra_nwb.core.files import write_json, write_text
from xcebra_nwb.core.folders import check_run
from xcebra_nwb.core.result_files import save_summary
from xcebra_nwb.report import atlas
from xcebra_nwb.report.outcome import Outcome, session_outcome
from xcebra_nwb.report.pages.summary import summary_page


def summarize(results: Path, table: Path) -> list[Path]:
    """Write the summary, the atlas and each session's status; return their paths.

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
    atlas_path, page_path = results / "atlas.parquet", results / "summary.html"
    atlas.save(joined, atlas_path)
    write_text(page_path, summary_page(results, outcomes, joined))
    files = [*written, atlas_path, page_path]
    save_summary(files, results)
    return files


def _write_status(results: Path, outcome: Outcome) -> Path:
    assert outcome.status is not None
    path = results / outcome.row.session / "status.json"
    write_json(path, outcome.status.model_dump(by_alias=True))
    return path
