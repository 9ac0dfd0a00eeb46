"""What matters at the end of a run: each session's outcome, what its labels came to, the pages, and how to go on."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.safe_text import printable
from xcebra_nwb.report.outcome import Outcome, stored_outcome, why
from xcebra_nwb.report.steps import duration
from xcebra_nwb.report.style import STATES, UNKNOWN, verdict_style

TERMINAL = {"done": "green", "refused": "magenta", "failed": "red", "left out": "dim"}
MOST_SESSIONS = 20  # that are shown one by one
MOST_EXPLAINED = 3  # sessions up to which the reason of each verdict is quoted
MOST_REASONS = 10  # sessions whose reason is quoted
SUPPORTED = "supported"
LINE = 160  # characters of a line that is not for a terminal
PAGE, SUMMARY = "report.html", "summary.html"


@dataclass(frozen=True)
class LabelResult:
    """What a session's analysis says of a label."""

    label: str
    verdict: str
    carrying: int | None  # units that carry it; None where none was tested
    tested: int | None
    because: str  # the reason of the verdict

    @property
    def words(self) -> str:
        """How many units carry the label."""
        return "units were not tested" if self.carrying is None else f"{self.carrying} of {self.tested} units carry it"


def label_results(directory: Path) -> list[LabelResult]:
    """Return what assessment.json says of each label; nothing if it cannot be read.

    Args:
        directory: the session's results folder.
    """
    try:
        labels = read_json(directory / "assessment.json")["labels"]
        return [_label_result(str(label), told) for label, told in labels.items()]
    except (XcebraError, OSError, LookupError, TypeError, AttributeError):
        return []


def _label_result(label: str, told: dict[str, Any]) -> LabelResult:
    counted = told.get("carrying_units"), told.get("tested_units")
    return LabelResult(label, str(told["verdict"]), *counted, because=str(told.get("because") or ""))


def print_overview(results: Path, table: Path, console: Console | None = None, seconds: float | None = None) -> None:
    """Print what became of the sessions of a run, what their labels came to, and how to go on.

    Args:
        results: folder of the results.
        table: the table of sessions.
        console: where to print; by default the standard error stream.
        seconds: how long the run took.
    """
    console = console or Console(stderr=True, width=None if sys.stderr.isatty() else LINE)
    outcomes = [stored_outcome(results, row) for row in session_table.read(table)]
    told = {each.row.session: label_results(results / each.row.session) for each in outcomes if each.state == "done"}
    console.print(Text(counts(outcomes) + (f", in {duration(seconds)}" if seconds is not None else "")))
    if len(outcomes) <= MOST_SESSIONS:
        console.print(_by_session(outcomes, told))
    elif told:
        console.print(_by_label(told))
    if len(told) <= MOST_EXPLAINED:
        _explain(console, told)
    _print_reasons(console, outcomes)
    for line in _onward(results, outcomes, told):
        console.print(Text(printable(line)), soft_wrap=True)


def session_records(results: Path, table: Path) -> list[dict[str, Any]]:
    """Return what became of each session and what its labels came to, for JSON.

    Args:
        results: folder of the results.
        table: the table of sessions.
    """
    return [_record(results, stored_outcome(results, row)) for row in session_table.read(table)]


def _record(results: Path, outcome: Outcome) -> dict[str, Any]:
    directory, status = results / outcome.row.session, outcome.status
    told = label_results(directory) if outcome.state == "done" else []
    page = directory / PAGE
    return {
        "session": outcome.row.session,
        "state": outcome.state,
        "code": None if status is None or status.code is None else status.code.value,
        "reason": outcome.row.reason if status is None else status.reason,
        "remedy": "" if status is None else status.remedy,
        "page": str(page) if page.exists() else None,
        "labels": [
            {
                "label": each.label,
                "verdict": each.verdict,
                "because": each.because,
                "carrying_units": each.carrying,
                "tested_units": each.tested,
            }
            for each in told
        ],
    }


def counts(outcomes: Sequence[Outcome]) -> str:
    """Return how many sessions ended in which state.

    Args:
        outcomes: of all sessions.
    """
    found = Counter(outcome.state for outcome in outcomes)
    total = "1 session" if len(outcomes) == 1 else f"{len(outcomes)} sessions"
    states = [state for state in STATES if found[state] or state != "left out"]
    return f"{total}: " + ", ".join(f"{found[state]} {state}" for state in states)


def _by_session(outcomes: Sequence[Outcome], told: dict[str, list[LabelResult]]) -> Table:
    """A row for each label of each session; Text, since names are no markup."""
    shown = Table.grid(*(Column(overflow="fold") for _ in range(5)), padding=(0, 2))
    for outcome in outcomes:
        sign = STATES.get(outcome.state, UNKNOWN)[1]
        state = Text(f"{sign} {outcome.state}", style=TERMINAL.get(outcome.state, ""))
        rows: Sequence[LabelResult | None] = told.get(outcome.row.session) or [None]
        for place, result in enumerate(rows):
            named = (Text(outcome.row.session), state) if place == 0 else (Text(""), Text(""))
            shown.add_row(*named, *(_cells(result) if result is not None else ()))
    return shown


def _cells(result: LabelResult) -> tuple[Text, Text, Text]:
    verdict = printable(f"{verdict_style(result.verdict)[1]} {result.verdict}")
    return Text(printable(result.label)), Text(verdict), Text(result.words)


def _by_label(told: dict[str, list[LabelResult]]) -> Table:
    """A row for each label and verdict, over all sessions."""
    shown, grouped = Table.grid(padding=(0, 2)), dict[tuple[str, str], list[LabelResult]]()
    for result in (result for results in told.values() for result in results):
        grouped.setdefault((result.label, result.verdict), []).append(result)
    for (label, verdict), group in sorted(grouped.items(), key=lambda item: (item[0][0], -len(item[1]))):
        shares = [each.carrying / each.tested for each in group if each.carrying is not None and each.tested]
        carried = f"units that carry it: median {np.median(shares):.0%} of a session" if shares else "not tested"
        sign = verdict_style(verdict)[1]
        said = f"{sign} {verdict} in {len(group)} of {len(told)} sessions"
        shown.add_row(Text(printable(label)), Text(printable(said)), Text(carried))
    return shown


def _explain(console: Console, told: dict[str, list[LabelResult]]) -> None:
    """Print why a label is not supported."""
    for session, results in told.items():
        for result in results:
            if result.verdict != SUPPORTED and result.because:
                named = f"{session}: {result.label}" if len(told) > 1 else result.label
                line = f"{named} is {result.verdict}: {result.because}"
                console.print(Text(printable(line)), soft_wrap=True)


def _print_reasons(console: Console, outcomes: Sequence[Outcome]) -> None:
    quoted = [(outcome, reason) for outcome in outcomes if (reason := why(outcome))]
    for outcome, reason in quoted[:MOST_REASONS]:
        console.print(Text(printable(f"{outcome.row.session}: {reason}")), soft_wrap=True)
    if len(quoted) > MOST_REASONS:
        console.print(Text(f"and {len(quoted) - MOST_REASONS} more: the summary names all"))


def _onward(results: Path, outcomes: Sequence[Outcome], told: dict[str, list[LabelResult]]) -> list[str]:
    """The pages to open, and what to do next."""
    pages = [name for name in told if (results / name / PAGE).exists()]
    lines = [f"open: {results / SUMMARY}"]
    if 0 < len(pages) <= MOST_SESSIONS:
        lines += [f"      {results / name / PAGE}" for name in pages]
    failed = sum(outcome.state == "failed" for outcome in outcomes)
    if failed:
        which = "what failed" if failed > 1 else "the one that failed"
        lines.append(f"next: read the log that is named above; the same command then does only {which}")
    best = next(((name, each.label) for name in told for each in told[name] if each.verdict == SUPPORTED), None)
    if best is not None:
        given = [str(results), *(["--session", best[0]] if len(told) > 1 else [])]
        lines.append(f"next: {shlex.join(['xcebra-nwb', 'figure', *given, '--label', best[1], '-o', 'figure.pdf'])}")
        lines.append(f"      {shlex.join(['xcebra-nwb', 'methods', *given])}")
    return lines
