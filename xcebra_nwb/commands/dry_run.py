"""run --dry-run: the steps of a run that would be computed, taken from the shared cache, or left alone."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from xcebra_nwb.archive.pinned import Pinned
from xcebra_nwb.archive.remote import Screen
from xcebra_nwb.commands import shared_results
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.status import waiting_files
from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import assign_batches
from xcebra_nwb.core.config.schema import Config, dump
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.folders import check_run
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.core.shared_cache import address, entries
from xcebra_nwb.core.shared_cache.entries import Unusable
from xcebra_nwb.core.shared_cache.key import OF_THE_SOURCE, Key, inputs
from xcebra_nwb.core.shared_cache.stores import Store
from xcebra_nwb.nwb.reading.foreign import Follow

TABLE, SEEN = "sessions.tsv", ".seen.json"
State = Literal["computed", "taken", "current"]
STATES: tuple[State, ...] = ("computed", "taken", "current")
NO_CACHE = "without a shared cache (--cache), nothing is taken"


class PlannedStep(BaseModel):
    """A command of a session, and what a run would do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session: str
    command: str
    state: State


@dataclass
class _Planned:
    """A session, and the digests that its files would have as far as they are known."""

    row: Session
    digests: dict[str, str] = field(default_factory=dict)
    source: Mapping[str, str] | None = None
    steps: list[PlannedStep] = field(default_factory=list)

    def knows(self, command: str) -> bool:
        return all(name in self.digests for name in inputs(command, self.row.session))

    def add(self, command: str, state: State, files: Mapping[str, str]) -> None:
        self.steps.append(PlannedStep(session=self.row.session, command=command, state=state))
        for name in entries.names_of(command, self.row.session):
            self.digests.pop(name, None)
        self.digests |= files


def planned_steps(
    given: Sequence[Path | str],
    output: Path,
    config: Config,
    draft: bool,
    follow: Follow,
    cache: str | None,
) -> list[PlannedStep]:
    """Return the steps that a run would do, without doing one; its folder is left as it is.

    A step that would be taken only after another is computed counts as computed: its inputs are not known yet.

    Args:
        given: Files, folders and dandisets.
        output: Folder of the run, which need not exist.
        config: The config.
        draft: Whether drafts of dandisets are taken.
        follow: Rule for links of local files to other files.
        cache: Address of the shared cache; None for none.

    Raises:
        UsageError: There is no input, or the cache cannot be used.
        Failure: The cache does not answer, or the workflow cannot be planned.
    """
    output, store = Path(output).absolute(), address.opened(address.absolute(cache)) if cache else None
    with tempfile.TemporaryDirectory() as temporary:
        rows, waiting = _planned_files(given, output, config, draft, follow, Path(temporary))
    sessions = [_Planned(row) for row in rows if row.include]
    if store is not None:
        for session in sessions:
            session.source = shared_results.source_of(_recording(session.row, output, config), follow)
    for command in receipts.ORDER:
        _plan(command, sessions, output, config, waiting, store)
    return [step for session in sessions for step in session.steps]


def said(steps: Sequence[PlannedStep]) -> list[str]:
    """Return the steps in lines, one a session, and their numbers.

    >>> said([PlannedStep(session="a", command="train", state="taken")])
    ['a: taken: train', 'steps: 0 computed, 1 taken, 0 current; sessions: 0 to compute, 1 to take or current']
    """
    by_session: dict[str, list[PlannedStep]] = {}
    for step in steps:
        by_session.setdefault(step.session, []).append(step)
    lines = []
    for session, own in by_session.items():
        parts = [f"{state}: {names}" for state in STATES if (names := _named(own, state))]
        lines.append(f"{session}: {'; '.join(parts)}")
    counts = Counter(step.state for step in steps)
    computing = sum(any(step.state == "computed" and _counts(step) for step in own) for own in by_session.values())
    rest = f"sessions: {computing} to compute, {len(by_session) - computing} to take or current"
    return [*lines, f"steps: {', '.join(f'{counts[state]} {state}' for state in STATES)}; {rest}"]


def _counts(step: PlannedStep) -> bool:
    """Return whether a step is one that a cache could have."""
    return step.command in shared_results.COMMANDS


def _named(steps: Sequence[PlannedStep], state: State) -> str:
    return ", ".join(step.command for step in steps if step.state == state)


def _planned_files(
    given: Sequence[Path | str], output: Path, config: Config, draft: bool, follow: Follow, temporary: Path
) -> tuple[list[Session], dict[str, str] | None]:
    """Return the sessions of a run, and the files that the workflow would make; None: all."""
    for name in (TABLE, SEEN):
        if (output / name).is_file():
            shutil.copy(output / name, temporary / name)
    rows = discover(given, temporary / TABLE, output, Screen(draft=draft), follow, temporary / SEEN)
    if not (output / "config.yaml").is_file():
        return rows, None
    check_run(output, [row.session for row in rows])
    settings = temporary / "config.yaml"
    write_text(settings, dump(config.model_copy(update={"sessions": str(temporary / TABLE), "results": "."})))
    return rows, waiting_files(output, settings)


def _recording(row: Session, output: Path, config: Config) -> Path | Pinned:
    return Pinned(access=config.access, session=row) if row.asset_id else output / row.source


def _plan(
    command: str,
    sessions: Sequence[_Planned],
    output: Path,
    config: Config,
    waiting: Mapping[str, str] | None,
    store: Store | None,
) -> None:
    """Plan one command on all sessions."""
    to_do = []
    for session in sessions:
        receipt = _receipt(output, session.row.session, command)
        if command == "fetch" and not session.row.asset_id:
            continue
        name = receipts.path(Path(session.row.session), command).as_posix()
        if receipt is not None and waiting is not None and name not in waiting:
            session.add(command, "current", receipt.files)
        else:
            to_do.append(session)
    for group in _groups(command, to_do, output, config):
        found = _found(command, group, config, store) if store is not None else None
        for session in group:
            files = {} if found is None else found[session.row.session]
            session.add(command, "taken" if found is not None else "computed", files)


def _groups(command: str, sessions: Sequence[_Planned], output: Path, config: Config) -> list[list[_Planned]]:
    """Return the sessions on which a command works in one process."""
    if command != "train" or config.training.together:
        return [[session] for session in sessions]
    by_name = {session.row.session: session for session in sessions}
    batches = assign_batches(list(by_name), config.training.sessions_at_once, output)
    return [[by_name[name] for name in batch] for batch in batches]


def _found(command: str, group: Sequence[_Planned], config: Config, store: Store) -> dict[str, dict[str, str]] | None:
    """Return the digests of the files that would be taken, by session; None if the command has to compute."""
    joint = config.training.together and command not in ("fetch", "extract")
    if command not in shared_results.COMMANDS or joint or not all(session.knows(command) for session in group):
        return None
    if not shared_results.is_shareable(command, config):
        return None
    if command in OF_THE_SOURCE and any(session.source is None for session in group):
        return None
    names = {session.row.session: session for session in group}
    if command == "train":
        keys = shared_results.training_keys({name: session.digests for name, session in names.items()}, config)
    else:
        keys = {name: _key(command, session, config) for name, session in names.items()}
    try:
        manifests = {name: entries.manifest_of(store, key) for name, key in keys.items()}
    except Unusable:
        return None
    files = {n: {f: s.sha256 for f, s in m.files.items()} for n, m in manifests.items() if m is not None}
    return files if len(files) == len(keys) else None


def _key(command: str, session: _Planned, config: Config) -> Key:
    source = session.source if command in OF_THE_SOURCE else None
    return shared_results.make_key(command, session.row.session, config, session.digests, source)


def _receipt(output: Path, session: str, command: str) -> receipts.Receipt | None:
    try:
        return receipts.load_written(output / session, command)
    except (UsageError, OSError):
        return None  # the run makes it again
