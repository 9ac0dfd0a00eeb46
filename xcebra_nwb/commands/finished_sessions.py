"""The results folders of the sessions of a run that are analysed."""

from __future__ import annotations

import re
from pathlib import Path

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.folders import check_inside
from xcebra_nwb.core.session_table import SESSION_NAME

RESULT = "assessment.json"  # the last file that figures and text are made of
MOST_NAMED = 10


def finished(output: Path) -> list[Path]:
    """Return the folders of the sessions of a run that have results, by name.

    Args:
        output: Folder of a run.
    """
    if not output.is_dir():
        return []
    return sorted(folder for folder in output.iterdir() if not folder.is_symlink() and (folder / RESULT).is_file())


def session_folder(output: Path, session: str) -> Path:
    """Return the results folder of the session that is meant.

    Args:
        output: Folder of a run, or results folder of a session.
        session: Name of the session; empty if there is one.

    Raises:
        UsageError: It has no results, or several sessions have.
    """
    if not session and (output / RESULT).exists():
        return output
    known = finished(output)
    names = ", ".join(folder.name for folder in known[:MOST_NAMED]) + (", ..." if len(known) > MOST_NAMED else "")
    if session:
        if not re.fullmatch(SESSION_NAME, session) or output / session not in known:
            raise UsageError(f"{output}: no results of the session {session}", f"one of: {names or 'none'}")
        check_inside(output, [session])
        return output / session
    if len(known) != 1:
        which = "no session has results" if not known else f"{len(known)} sessions have results"
        raise UsageError(f"{output}: {which}", f"name one by --session: {names}" if known else "run the workflow first")
    return known[0]
