"""The overview of a run for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from xcebra_nwb.core import session_table
from xcebra_nwb.core.printable import printable, printable_lines
from xcebra_nwb.report.outcome import Ending, stored_ending
from xcebra_nwb.report.style import STATES, UNKNOWN, verdict_style

TERMINAL = {"done": "green", "refused": "magenta", "failed": "red", "left out": "dim"}


def say(results: Path, table: Path, console: Console | None = None) -> None:
    """Print how the sessions of ``table`` ended (by default on the standard error stream); a reason is one line."""
    console = console or Console(stderr=True)
    console.print(overview(results, table))
    for row in session_table.read(table):
        reason = why(stored_ending(results, row))
        if reason:
            console.print(Text(printable(f"{row.session}: {reason}")), soft_wrap=True)


def overview(results: Path, table: Path) -> Table:
    """Return a table of the sessions of ``table``: state and verdicts."""
    shown = Table(Column("session", overflow="fold"), "state", "labels", title=None, pad_edge=False)
    for row in session_table.read(table):
        found = stored_ending(results, row)
        sign = STATES.get(found.state, UNKNOWN)[1]
        verdicts = "\n".join(f"{label}: {verdict_style(word)[1]} {word}" for label, word in found.verdicts.items())
        state = Text(f"{sign} {found.state}", style=TERMINAL.get(found.state, ""))
        shown.add_row(Text(row.session), state, Text(printable_lines(verdicts)))  # Text: names are no markup
    return shown


def why(found: Ending) -> str:
    """Return the reason and the remedy of an ending in one line; empty where all went well."""
    if found.status is None:
        return found.row.reason
    said = " – ".join(part for part in (found.status.reason, found.status.remedy) if part)
    return f"{said} [{found.status.code}]" if found.status.code else said
