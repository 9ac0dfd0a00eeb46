"""The page of a run while it works: what every session is at, what went wrong, and the pages that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xcebra_nwb.core.batches import log_path
from xcebra_nwb.report.pages.render import part, render
from xcebra_nwb.report.steps import COMMANDS, FINAL, Step, duration, time_left
from xcebra_nwb.report.style import STATES

MOST_SESSIONS = 200  # in the table; those at work and those that failed come first
MOST_ERRORS = 50
SECONDS_BETWEEN_LOOKS = 2  # of the page
SIGNS = {"waiting": "·", "at work": "▶", **{state: sign for state, (_, sign) in STATES.items()}}
COUNTED = ("done", "refused", "failed", "at work", "waiting")
FIRST = {"failed": 0, "at work": 1, "waiting": 2, "done": 3, "refused": 4}


def watch_page(results: Path, steps: Sequence[Step], over: bool) -> str:
    """Return the page of a run.

    It looks again by its script, or without JavaScript by loading itself again.

    Args:
        results: folder of the results.
        steps: of the run, session by session.
        over: whether the run has ended.
    """
    content = _content(results, steps, over)
    return render("watch.html.j2", scripts=("watch.js",), seconds=SECONDS_BETWEEN_LOOKS, **content)


def watch_json(results: Path, steps: Sequence[Step], over: bool) -> dict[str, Any]:
    """Return what the script of the page asks for: its changing part, and whether the run has ended.

    Args:
        results: folder of the results.
        steps: of the run, session by session.
        over: whether the run has ended.
    """
    content = _content(results, steps, over)
    return {"title": content["title"], "over": over, "part": part("watch_part.html.j2", **content)}


def _content(results: Path, steps: Sequence[Step], over: bool) -> dict[str, Any]:
    by_session: dict[str, list[Step]] = {}
    for step in steps:
        by_session.setdefault(step.session, []).append(step)
    states = {session: _state(of_session) for session, of_session in by_session.items()}
    order = sorted(by_session, key=lambda session: FIRST[states[session]])
    at_work = [step for step in steps if step.state == "at work"]
    ended, left = sum(step.state in FINAL for step in steps), time_left(steps, len(at_work))
    shown = order[:MOST_SESSIONS]
    return {
        "name": results.name,
        "title": f"{ended} of {len(steps)} steps" if not over else "ended",
        "over": over,
        "counts": _counts(states),
        "ended": ended,
        "total": len(steps),
        "left": duration(left) if left is not None and not over else None,
        "summary": "summary.html" if (results / "summary.html").is_file() else None,
        "folder": str(results),
        "commands": [command for command in COMMANDS if any(step.command == command for step in steps)],
        "rows": [_row(results, session, states[session], by_session[session]) for session in shown],
        "more": len(order) - len(shown),
        "errors": _errors(results, steps),
    }


def _state(steps: Sequence[Step]) -> str:
    """The state of a session: that of the step that says most about it."""
    found = {step.state for step in steps}
    for state in ("failed", "at work", "refused", "waiting"):
        if state in found:
            return state
    return "done"


def _counts(states: dict[str, str]) -> str:
    found = Counter(states.values())
    total = "1 session" if len(states) == 1 else f"{len(states):,} sessions"
    return f"{total}: " + ", ".join(f"{found[state]} {state}" for state in COUNTED)


def _row(results: Path, session: str, state: str, steps: Sequence[Step]) -> dict[str, Any]:
    page = results / session / "report.html"
    return {
        "session": session,
        "page": f"{quote(session)}/report.html" if page.is_file() else None,
        "state": state,
        "sign": SIGNS[state],
        "steps": {step.command: _cell(results, step) for step in steps},
    }


def _cell(results: Path, step: Step) -> dict[str, Any]:
    progress = step.progress
    said = duration(step.seconds) if step.seconds is not None else step.state if step.state != "waiting" else ""
    if progress is not None and step.state == "at work":
        said = f"about {duration(progress.seconds_left)} left"
    return {
        "sign": SIGNS[step.state],
        "state": step.state,
        "said": said,
        "done": progress.done if progress is not None else None,
        "total": progress.total if progress is not None else None,
        "log": _log(results, step) if step.state != "waiting" else None,
    }


def _errors(results: Path, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """What failed, and what was refused first of each session."""
    told, refused = list[Step](), set[str]()
    for step in steps:
        if step.state == "refused" and step.session in refused:
            continue
        if step.state in ("failed", "refused"):
            refused |= {step.session} if step.state == "refused" else set()
            told.append(step)
    first = sorted(told, key=lambda step: step.state)[:MOST_ERRORS]  # what failed
    return [{"step": step, "sign": SIGNS[step.state], "log": _log(results, step)} for step in first]


def _log(results: Path, step: Step) -> str | None:
    """The address of a step's log, from the folder of the results; None without a log."""
    path = log_path(results, step.session, step.command, [])
    return quote(path.relative_to(results).as_posix()) if path.is_file() else None
