"""status: what is there in a folder of results, what is missing or out of date, and why."""

from __future__ import annotations

import csv
import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from xcebra_nwb.commands.run_snakemake import plan_command
from xcebra_nwb.core import receipts, session_table
from xcebra_nwb.core.errors import Failure, UsageError, one_line
from xcebra_nwb.core.folders import check_run
from xcebra_nwb.core.installation import packaged_path
from xcebra_nwb.core.result_files import LOOK, PAGE, SUMMARIZE, ResultFiles
from xcebra_nwb.report.status import NO_RECEIPT, session_status

State = Literal["current", "refused", "failed", "missing", "damaged", "out of date", "not made"]
WORST_FIRST: tuple[State, ...] = ("failed", "damaged", "missing", "out of date", "not made", "refused", "current")
REASONS = {
    "params changed": "its settings or its code changed",
    "updated input files": "a file that it reads changed",
    "set of input files changed": "it reads other files now",
    "rule implementation changed": "the workflow changed",
    "missing": "its receipt is missing",
}
LATER = "{} runs again before it"


class CommandState(BaseModel):
    """The state of the files of one command on one session; ``session`` is "" for the summary."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session: str
    command: str
    state: State
    why: str = ""
    taken: str = ""  # from which shared cache, if the files were not computed here


def status(output: Path) -> list[CommandState]:
    """Return the state of every command on every session of a run, and of the summary.

    Args:
        output: Folder of ``xcebra-nwb run``.

    Raises:
        UsageError: It is no folder of a run.
        Failure: The workflow cannot be planned.
    """
    output = output.absolute()
    if not (output / "config.yaml").is_file():
        raise UsageError(f"{output}: no folder of `xcebra-nwb run`: no config.yaml", "give the folder of its -o")
    sessions = [row.session for row in session_table.read(output / "sessions.tsv") if row.include]
    check_run(output, sessions)
    waiting = waiting_files(output, output / "config.yaml")
    faults = {(f.session, f.command): f"{f.file} is {f.problem}" for f in ResultFiles(output).faults(sessions)}
    states = [state for session in sessions for state in _of_session(output, session, waiting, faults)]
    return [*states, _state("", SUMMARIZE, (output / PAGE).exists(), waiting.get(PAGE), faults, states)]


def counted(states: Sequence[CommandState]) -> str:
    """Return in one line how many sessions are in which state; a session is in the worst state of its commands."""
    by_session: dict[str, set[State]] = {}
    for state in states:
        if state.session:
            by_session.setdefault(state.session, set()).add(state.state)
    worst = Counter(next(state for state in WORST_FIRST if state in found) for found in by_session.values())
    return ", ".join(f"{worst[state]} {state}" for state in WORST_FIRST if worst[state]) or "no session"


def _of_session(
    output: Path, session: str, waiting: dict[str, str], faults: dict[tuple[str, str], str]
) -> list[CommandState]:
    ended, states = session_status(output, session), list[CommandState]()
    for command in receipts.ORDER:
        receipt = receipts.path(Path(session), command).as_posix()
        made, reason = (output / receipt).exists(), waiting.get(receipt)
        if command == "fetch" and not made and reason is None:
            continue  # a local file
        failed = ended.state == "failed" and not made and ended.log
        refused = ended.state == "refused" and reason is None
        if ended.command == command and (session, command) not in faults and (failed or refused):
            lost = failed and ended.reason.endswith(NO_RECEIPT)
            kind: State = "missing" if lost else "failed" if failed else "refused"
            states.append(CommandState(session=session, command=command, state=kind, why=ended.reason))
        else:
            states.append(_with_origin(_state(session, command, made, reason, faults, states), output))
    return states


def _with_origin(state: CommandState, output: Path) -> CommandState:
    """Return a state that says where its files were taken from, if they were."""
    try:
        receipt = receipts.load_written(output / state.session, state.command)
    except (UsageError, OSError):
        return state
    return state if receipt is None or receipt.taken is None else state.model_copy(update={"taken": str(receipt.taken)})


def taken_from_caches(states: Sequence[CommandState]) -> str:
    """Return in one line how many results were taken from a shared cache; "" if none were."""
    taken = [state for state in states if state.taken]
    sessions = len({state.session for state in taken})
    return f"taken from a shared cache: results: {len(taken)}, sessions: {sessions}" if taken else ""


def _state(
    session: str,
    command: str,
    made: bool,
    reason: str | None,
    faults: dict[tuple[str, str], str],
    before: Sequence[CommandState],
) -> CommandState:
    """Return the state of a command that neither failed nor refused the session.

    Args:
        session: Name of the session.
        command: Name of the command.
        made: Whether its files were written.
        reason: Why the workflow would run it again; None if it would not.
        faults: Files that are missing or damaged, by session and command.
        before: States of the commands before it.
    """
    fault = faults.get((session, command))
    if fault is not None:
        kind: State = "missing" if fault.endswith("missing") else "damaged"
        return CommandState(session=session, command=command, state=kind, why=fault)
    cause = next((state.command for state in before if state.state not in ("current", "refused")), "")
    if reason is None and not cause:
        return CommandState(session=session, command=command, state="current")
    if not made:
        return CommandState(session=session, command=command, state="not made")
    reason = reason or "ok"
    why = REASONS.get(reason, reason) if reason != "ok" else LATER.format(cause) if cause else "the workflow changed"
    return CommandState(session=session, command=command, state="out of date", why=why)


def waiting_files(output: Path, config: Path) -> dict[str, str]:
    """Return the files that the workflow would make, with Snakemake's reason for each.

    Args:
        output: Folder of the results.
        config: The config, which names the table and the results relative to that folder.

    Raises:
        Failure: The workflow cannot be planned.
    """
    command = [*plan_command(packaged_path("workflow/Snakefile"), config, folder=output), "--summary"]
    environment = os.environ | {"PYTHONSAFEPATH": "1", LOOK: "1"}
    planned = subprocess.run(command, cwd=output, env=environment, capture_output=True, text=True, check=False)
    if planned.returncode != 0:
        lines = [line for line in planned.stderr.splitlines() if line.strip()]
        raise Failure(f"{output}: the workflow cannot be planned: {one_line(lines[-1] if lines else 'no reason')}")
    lines = planned.stdout.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("output_file\t")), len(lines))
    rows = csv.DictReader(lines[start:], dialect="excel-tab")
    return {row["output_file"]: row["status"] for row in rows if row["plan"] != "no update"}
