"""methods: what a paper says of an analysis, from the result files."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.commands.finished_sessions import RESULT, finished, session_folder
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.results import load
from xcebra_nwb.report.methods import Methods, joined
from xcebra_nwb.report.methods import methods as methods_of


def methods(output: Path, session: str = "") -> Methods:
    """Return the methods of a session, or of all sessions of a run.

    Args:
        output: Folder of a run, or results folder of a session.
        session: Name of the session; empty for all.

    Raises:
        UsageError: There is no such session, or none has results.
    """
    folders = [session_folder(output, session)] if session or (output / RESULT).exists() else finished(output)
    if not folders:
        raise UsageError(f"{output}: no session has results", "give the folder of a run, or of a session")
    return joined(methods_of(load(folder)) for folder in folders)
