"""What the summary says of one session: how it ended, its verdicts, its rows of the atlas."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.report.atlas import session_atlas
from xcebra_nwb.report.status import Status, failed, one_line, session_status


@dataclass(frozen=True)
class Ending:
    """One row of the table of sessions and what became of it."""

    row: Session
    state: str  # done, refused, failed or left out
    status: Status | None = None  # None where the session was left out
    verdicts: dict[str, str] = field(default_factory=dict)
    atlas: pd.DataFrame | None = None
    across: dict[str, dict[str, float]] = field(default_factory=dict)  # label: session whose decoder it is: score


def ending(results: Path, row: Session) -> Ending:
    """Return how the session of ``row`` ended under ``results``; what is broken there becomes a failure with a line."""
    if not row.include:
        return Ending(row, "left out")
    status = session_status(results, row.session)
    if status.state != "done":
        return Ending(row, status.state, status)
    try:
        verdicts, across = read_verdicts(results / row.session), read_across(results / row.session)
        attribution = load_dataset(results / row.session / "attribution.nc")
        subject = str(load_dataset(results / row.session / "session.nc", ("activity",)).attrs["subject"])
        atlas = session_atlas(attribution, row.session, subject, verdicts)
    except Exception as error:  # a broken file, whatever the library that reads it says, must not end the summary
        reason = f"results cannot be read: {type(error).__name__}: {one_line(error)}"
        return Ending(row, "failed", failed(results, row.session, "report", reason))
    return Ending(row, "done", status, verdicts, atlas, across)


def read_verdicts(directory: Path) -> dict[str, str]:
    """Return the verdict on each label of a session."""
    labels = read_json(directory / "assessment.json")["labels"]
    return {str(label): str(result["verdict"]) for label, result in labels.items()}


def read_across(directory: Path) -> dict[str, dict[str, float]]:
    """Return for every label the score of every session's decoder in this one, its own too; empty if it is alone."""
    assessment = read_json(directory / "assessment.json")
    found = {}
    for label, result in (assessment.get("across_sessions") or {}).get("labels", {}).items():
        scores = result["by_session"] | {directory.name: assessment["labels"][label]["decoding"]["score"]}
        found[str(label)] = {str(name): float(score) for name, score in scores.items() if score is not None}
    return found


def stored_ending(results: Path, row: Session) -> Ending:
    """Return what the last summary wrote of the session of ``row``; without one, what receipts say."""
    if not row.include:
        return Ending(row, "left out")
    try:
        status = Status.model_validate(read_json(results / row.session / "status.json"))
        verdicts = read_verdicts(results / row.session) if status.state == "done" else {}
    except (XcebraError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return ending(results, row)
    return Ending(row, status.state, status, verdicts)
