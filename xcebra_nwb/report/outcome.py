"""The outcome of every session of a run: its state, its verdicts and its rows of the atlas."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from xcebra_nwb.core.errors import XcebraError, one_line
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.report import atlas_part
from xcebra_nwb.report.atlas import session_atlas
from xcebra_nwb.report.status import Status, failed, session_status


@dataclass(frozen=True)
class Outcome:
    """One row of the table of sessions and what became of it.

    Attributes:
        row: the row of the table.
        state: done, refused, failed or left out.
        status: the reason and the log of a session that is not done; None where the session was left out.
        verdicts: the verdict by label.
        atlas: the session's rows of the atlas; None where it is not done.
        across: by label, the score of every session's decoder in this one.
        subject: name of the subject; "" where it is not known.
        random_seed: ``random_seed`` of the config.
    """

    row: Session
    state: str
    status: Status | None = None
    verdicts: dict[str, str] = field(default_factory=dict)
    atlas: pd.DataFrame | None = None
    across: dict[str, dict[str, float]] = field(default_factory=dict)
    subject: str = ""
    random_seed: int = 0


def session_outcome(results: Path, row: Session) -> Outcome:
    """Return the outcome of a session; a damaged file makes it a failure.

    Args:
        results: folder of the results.
        row: the session in the table of sessions.
    """
    if not row.include:
        return Outcome(row, "left out")
    status = session_status(results, row.session)
    if status.state != "done":
        return Outcome(row, status.state, status)
    try:
        verdicts, across = read_verdicts(results / row.session), read_across(results / row.session)
        part = atlas_part.read(results / row.session)
        atlas = session_atlas(part, row.session, verdicts)
    except Exception as error:  # any error of any library that reads a damaged file: it must not end the summary
        reason = f"results cannot be read: {type(error).__name__}: {one_line(error)}"
        return Outcome(row, "failed", failed(results, row.session, "report", reason))
    return Outcome(row, "done", status, verdicts, atlas, across, part.subject, part.random_seed)


def read_verdicts(directory: Path) -> dict[str, str]:
    """Return the verdict on each label of a session."""
    labels = read_json(directory / "assessment.json")["labels"]
    return {str(label): str(result["verdict"]) for label, result in labels.items()}


def read_across(directory: Path) -> dict[str, dict[str, float]]:
    """Return the score of every session's decoder in this session, by label.

    The session's own decoder is included. Empty for a session that shares its latent space with no other.
    """
    assessment = read_json(directory / "assessment.json")
    across = {}
    for label, result in (assessment.get("across_sessions") or {}).get("labels", {}).items():
        scores = result["by_session"] | {directory.name: assessment["labels"][label]["decoding"]["score"]}
        across[str(label)] = {str(name): float(score) for name, score in scores.items() if score is not None}
    return across


def stored_outcome(results: Path, row: Session) -> Outcome:
    """Return the outcome that the last summary wrote, or that of the receipts.

    Args:
        results: folder of the results.
        row: the session in the table of sessions.
    """
    if not row.include:
        return Outcome(row, "left out")
    try:
        status = Status.model_validate(read_json(results / row.session / "status.json"))
        verdicts = read_verdicts(results / row.session) if status.state == "done" else {}
    except (XcebraError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return session_outcome(results, row)
    return Outcome(row, status.state, status, verdicts)


def why(outcome: Outcome) -> str:
    """Return the reason and the remedy in one line; empty for a finished session."""
    status = outcome.status
    if status is None:
        return outcome.row.reason
    reason = " – ".join(part for part in (status.reason, status.remedy) if part)
    return f"{reason} [{status.code}]" if status.code else reason
